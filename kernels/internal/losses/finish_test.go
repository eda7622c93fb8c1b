package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// list makes a list of n numbers from first on.
func list(first float64, n int) []float64 {
	l := make([]float64, n)
	for i := range l {
		l[i] = first + float64(i)*0.75
	}
	return l
}

// variants is every loss that has a finish, as it is and with each option set
// to other values.
func variants(classes int) []Term {
	var all []Term
	for _, l := range All {
		if l.Parts != nil {
			continue
		}
		all = append(all, Term{Loss: l, Opt: l.Resolve(nil)})
		for _, s := range l.Options {
			var values []any
			switch s.Type {
			case Bool:
				values = []any{true, false}
			case Choice:
				for _, c := range s.Choices {
					values = append(values, c)
				}
			case Number, NumberOrNone, NumberOrList:
				values = []any{0.0, 0.4, 1.0}
				if math.IsInf(s.Max, 1) {
					values = append(values, 1.7, 2.5)
				}
			}
			switch s.Type {
			case List, NumberOrList:
				values = append(values, list(0, classes), list(0.5, classes))
			case NumberOrNone:
				values = append(values, None)
			}
			for _, v := range values {
				all = append(all, Term{Loss: l, Opt: l.Resolve(map[string]any{s.Name: v})})
			}
		}
	}
	return all
}

// randomRow fills a row with sums as a sample could have them: far from the
// floors and kinks, with class absent not among the labels.
func randomRow(rnd *rand.Rand, p *Program, row []float64, absent int) {
	row[0] = 50
	for c := range p.C {
		s := row[1+c*p.K:][:p.K]
		for i := range s {
			s[i] = 3 + 5*rnd.Float64()
		}
		s[OffNR] = 50 - s[OffR]
		if c == absent {
			s[OffR], s[OffRR], s[OffNR] = 0, 0, 50
			for k := range s {
				if ofMembers(p, k) {
					s[k] = 0
				}
			}
		}
		for _, o := range []int{p.LogP, p.LogQ, p.LogAll} {
			if o >= 0 {
				s[o] = -s[o]
			}
		}
		for _, w := range p.Powers {
			for o := w.Off; o < w.Off+w.sums() && !w.ExpLog; o++ {
				s[o] = -s[o]
			}
		}
	}
}

// ofMembers reports whether sum k of a cell is over its members alone, so that
// it is 0 for a class that is absent.
func ofMembers(p *Program, k int) bool {
	for _, o := range []int{p.Region, p.Soft} {
		if o >= 0 && (k == o+TP || k == o+FN) {
			return true
		}
	}
	for _, w := range p.Powers {
		if k == w.Off {
			return true
		}
	}
	return p.Square >= 0 && k == p.Square+SQR || p.LogP >= 0 && k == p.LogP
}

// Each coefficient is the derivative of the loss by its sum, by differences.
func TestCoefficients(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, term := range variants(3) {
		if term.Opt.Detach {
			continue // the gradient is not the derivative
		}
		term.Coef = -1.5
		p := Compile([]Term{term}, 3)
		for _, absent := range [][]int{{-1, -1, -1, -1}, {-1, 2, 0, -1}} { // classes, of each sample
			b := p.NewBatch(len(absent))
			for i, c := range absent {
				randomRow(rnd, p, b.Row(i), c)
			}
			clear(b.Row(3)) // a sample without a position
			if math.IsInf(b.Finish(nil, 4, 0, 0), 0) {
				continue // without smooth, a class that is absent may cost that
			}
			for _, part := range [][2]int{{0, 4}, {1, 2}, {2, 1}, {0, 0}} {
				checkCoefficients(t, b, absent, part[0], part[1])
			}
		}
	}
}

// checkCoefficients checks those that a plan with the samples [first, first+n)
// gets.
func checkCoefficients(t *testing.T, b *Batch, absent []int, first, n int) {
	t.Helper()
	p := b.Program
	coef := make([]float64, n*p.C*p.K)
	b.Finish(coef, b.Rows, first, n)
	for i, got := range coef {
		sample, c, k := first+i/(p.C*p.K), i/p.K%p.C, i%p.K
		if k < numCounts || sample == 3 || c == absent[sample] && ofMembers(p, k) {
			continue // does not depend on the prediction, or is over nothing
		}
		if want, tol := differences(b, sample*p.Stride()+1+c*p.K+k, b.Rows); !(math.Abs(got-want) <= tol) {
			t.Errorf("%s: ∂L/∂sum %d of class %d, sample %d: %v; differences give %v",
				p.Terms[0].Format(&p.Terms[0].Opt), k, c, sample, got, want)
		}
	}
}

// differences estimates the derivative of the loss by one sum.
func differences(b *Batch, at, rows int) (slope, tol float64) {
	kept := b.Data[at]
	f := func(x float64) float64 {
		b.Data[at] = x
		return b.Finish(nil, rows, 0, 0)
	}
	const h = 1e-3
	d1 := (f(kept+h) - f(kept-h)) / (2 * h)
	d2 := (f(kept+2*h) - f(kept-2*h)) / (4 * h)
	size := math.Abs(f(kept))
	return (4*d1 - d2) / 3, 1e-9*math.Abs(d1) + 1e-12*size/h
}

// A sum of terms has the sum of their coefficients.
func TestCoefficientsAdd(t *testing.T) {
	const classes = 3
	rnd := rand.New(rand.NewPCG(3, 4))
	all := variants(classes)
	for i := range all {
		a, b := all[i], all[(i*7+3)%len(all)]
		a.Coef, b.Coef = 2, -0.5
		both := Compile([]Term{a, b}, classes)
		sums := both.NewBatch(2)
		for i := range 2 {
			randomRow(rnd, both, sums.Row(i), -1)
		}
		what := fmt.Sprintf("2*%s - 0.5*%s", a.Format(&a.Opt), b.Format(&b.Opt))
		finish := func(ca, cb float64) (float64, []float64) {
			both.Terms[0].Coef, both.Terms[1].Coef = ca, cb
			coef := make([]float64, 2*classes*both.K)
			return sums.Finish(coef, 2, 0, 2), coef
		}
		loss, coef := finish(2, -0.5)
		lossA, coefA := finish(2, 0)
		lossB, coefB := finish(0, -0.5)
		if math.Abs(loss-(lossA+lossB)) > 1e-14*(math.Abs(lossA)+math.Abs(lossB)) {
			t.Errorf("%s: loss %v; want %v + %v", what, loss, lossA, lossB)
		}
		for k := range coef {
			if math.Abs(coef[k]-(coefA[k]+coefB[k])) > 1e-14*(math.Abs(coefA[k])+math.Abs(coefB[k])) {
				t.Errorf("%s: coefficient %d is %v; want %v + %v", what, k, coef[k], coefA[k], coefB[k])
			}
		}
	}
}

// wce with detach has the coefficients of the logarithms alone.
func TestDetach(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	l := Find("wce")
	whole := Compile([]Term{{Loss: l, Coef: 1, Opt: l.Resolve(nil)}}, 2)
	apart := Compile([]Term{{Loss: l, Coef: 1, Opt: l.Resolve(map[string]any{"detach": true})}}, 2)
	a, b := whole.NewBatch(1), apart.NewBatch(1)
	randomRow(rnd, whole, a.Row(0), -1)
	copy(b.Data, a.Data)
	ca, cb := make([]float64, 2*whole.K), make([]float64, 2*whole.K)
	if la, lb := a.Finish(ca, 1, 0, 1), b.Finish(cb, 1, 0, 1); la != lb {
		t.Errorf("loss %v; want %v", lb, la)
	}
	for c := range 2 {
		for k := range whole.K {
			i, want := c*whole.K+k, ca[c*whole.K+k]
			if k >= whole.Layout.Region && k < whole.Layout.Region+4 {
				if want == 0 {
					t.Errorf("coefficient %d is 0 with the gradient of w", i)
				}
				want = 0
			}
			if cb[i] != want {
				t.Errorf("coefficient %d is %v; want %v", i, cb[i], want)
			}
		}
	}
}

// The sums of a program are those its terms ask for, each once.
func TestLayout(t *testing.T) {
	term := func(name string, options ...any) Term {
		given := map[string]any{}
		for i := 0; i < len(options); i += 2 {
			given[options[i].(string)] = options[i+1]
		}
		l := Find(name)
		return Term{Loss: l, Coef: 1, Opt: l.Resolve(given)}
	}
	for _, tt := range []struct {
		terms []Term
		k     int
	}{
		{[]Term{term("dice")}, 3 + 4},
		{[]Term{term("dice"), term("iou"), term("wce")}, 3 + 4 + 2},
		{[]Term{term("dice"), term("tversky", "soft", true)}, 3 + 4 + 4},
		{[]Term{term("ss"), term("dice", "squared", true)}, 3 + 3},
		{[]Term{term("ce")}, 3 + 1},
		{[]Term{term("ce", "label_smoothing", 0.1)}, 3 + 2},
		{[]Term{term("focal"), term("focal_ce")}, 3 + 2},
		{[]Term{term("focal_ce"), term("focal")}, 3 + 2},
		{[]Term{term("focal_ce"), term("focal_ce", "gamma", 1.0)}, 3 + 2},
		{[]Term{term("focal_ce", "gamma", 0.3), term("exp_log_ce")}, 3 + 2},
	} {
		if p := Compile(tt.terms, 2); p.K != tt.k || p.Stride() != 1+2*tt.k {
			t.Errorf("%s and %d more: %d sums; want %d", tt.terms[0].Name, len(tt.terms)-1, p.K, tt.k)
		}
	}
}

// A row of the list says exactly one way to finish it.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range All {
		ways := 0
		for _, has := range []bool{l.Cell != nil, l.Sample != nil, l.Linear != nil, l.Parts != nil} {
			if has {
				ways++
			}
		}
		if ways != 1 || (l.Needs == nil) != (l.Parts != nil) || seen[l.Name] || Find(l.Name) != l {
			t.Errorf("%s: %d ways to finish it", l.Name, ways)
		}
		seen[l.Name] = true
		for _, s := range l.Options {
			if msg := ""; s.Default != nil {
				if msg = s.Check(s.Default); msg != "" {
					t.Errorf("%s: default of %s: %s", l.Name, s.Name, msg)
				}
			}
		}
	}
	if Find("none") != nil || len(Names()) != len(All) {
		t.Error("the list and its names differ")
	}
	if l := Custom("mine"); l.Name != "mine" || l.Kind != RegionKind || !l.Needs(nil).Square {
		t.Errorf("custom: %+v", l)
	}
}

// 0/0 has the value 0 and no derivative; another number over 0 follows IEEE.
func TestQuotient(t *testing.T) {
	for _, tt := range []struct{ t, den, value, dt float64 }{
		{0, 0, 0, 0},
		{0, math.Copysign(0, -1), 0, 0},
		{1, 0, math.Inf(1), math.Inf(1)},
		{-1, 0, math.Inf(-1), math.Inf(1)},
		{0, 2, 0, 0.5},
		{3, 2, 1.5, 0.5},
	} {
		if v, dt := quotient(tt.t, tt.den); v != tt.value || dt != tt.dt {
			t.Errorf("%v/%v is %v with derivative %v; want %v, %v", tt.t, tt.den, v, dt, tt.value, tt.dt)
		}
	}
}

func TestPower(t *testing.T) {
	for _, tt := range []struct{ u, gamma, value, slope float64 }{
		{0.25, 1, 0.25, 1},
		{0.25, 0.5, 0.5, 1},
		{0.25, 2, 0.0625, 0.5},
		{0, 2, 0, 0},
		{0, 1, 0, 1},
		{0, 0.5, math.Sqrt(floor), 0},
		{floor * 0.99, 0.5, math.Sqrt(floor), 0},
		{-1, 0.5, math.Sqrt(floor), 0},
		{floor, 0.5, math.Sqrt(floor), 0.5 / math.Sqrt(floor)},
		{0.5, 0, 1, 0},
	} {
		d := Cell{TP: -1, FP: 2, FN: 3, TN: 4}
		v := power(tt.u, tt.gamma, &d)
		if math.Abs(v-tt.value) > 1e-15 || math.Abs(d.TP+tt.slope) > 1e-12*tt.slope || math.Abs(d.FN-3*tt.slope) > 1e-11*tt.slope {
			t.Errorf("%v^%v is %v with derivatives %+v; want %v and slope %v", tt.u, tt.gamma, v, d, tt.value, tt.slope)
		}
	}
}
