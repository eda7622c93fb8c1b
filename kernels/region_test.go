package kernels_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// named is a region loss that has nothing but a name.
type named string

func (n named) Name() string                   { return string(n) }
func (named) Eval(_, _ []kernels.Cell) float64 { return 0 }

// ratio is the squared Dice loss of all classes of a sample together; it reads
// the sums that mcc does not.
type ratio struct{}

func (ratio) Name() string { return "ratio" }

func (ratio) Eval(c, d []kernels.Cell) float64 {
	sq, all := 0.0, 1e-3
	for _, s := range c {
		sq += s.SQ
		all += s.PP + s.RR
	}
	for i := range d {
		d[i].SQ, d[i].PP = 1/all, -sq/all/all
	}
	return sq / all
}

func TestRegionNames(t *testing.T) {
	for _, tt := range []struct {
		region kernels.Region
		index  int
		value  any
	}{
		{nil, 1, nil},
		{named(""), 1, ""},
		{named("1st"), 1, "1st"},
		{named("a-b"), 1, "a-b"},
		{named("é"), 1, "é"},
		{named("dice"), 1, "dice"},
		{named("dice_ce"), 1, "dice_ce"},
		{mcc{}, 1, "mcc"},
	} {
		_, err := kernels.Parse("dice", mcc{}, tt.region)
		wantArg(t, "Parse", err, kernels.ErrOption, "custom", tt.index, tt.value)
	}
	for _, name := range []string{"x", "X1", "_", "true", "e5"} {
		l, err := kernels.Parse("dice + 2*"+name+"(batch=true)", named(name))
		if err != nil || l.String() != "dice + 2*"+name+"(batch=true)" {
			t.Errorf("%s: %q, %v", name, l, err)
		}
	}
	_, err := kernels.Parse("dice + mc", mcc{})
	if s, ok := err.(*kernels.SyntaxError); !ok || s.Nearest != "mcc" {
		t.Errorf("mc: %v; want mcc to be near", err)
	}
	if _, err := kernels.Parse("mcc(smooth=1)", mcc{}); err == nil {
		t.Error("mcc takes smooth")
	}
	l := mustParse(t, "0.5*mcc(reduction=sum)", mcc{})
	again, err := kernels.Combine(l.Terms()...)
	if err != nil || again.String() != l.String() {
		t.Errorf("combined from its terms: %q, %v", again, err)
	}
}

// The partial derivatives of mcc, by differences of its value.
func TestMCCPartials(t *testing.T) {
	rnd := rand.New(rand.NewPCG(25, 26))
	for range 20 {
		c, d, ignored := make([]kernels.Cell, 3), make([]kernels.Cell, 3), make([]kernels.Cell, 3)
		for i := range c {
			c[i] = kernels.Cell{TP: 1 + rnd.Float64(), FP: 0.1 + rnd.Float64(), FN: 0.1 + rnd.Float64(), TN: 1 + 5*rnd.Float64()}
		}
		mcc{}.Eval(c, d)
		for i := range c {
			for _, p := range []struct {
				name    string
				at      *float64
				partial float64
			}{{"TP", &c[i].TP, d[i].TP}, {"FP", &c[i].FP, d[i].FP}, {"FN", &c[i].FN, d[i].FN}, {"TN", &c[i].TN, d[i].TN}} {
				const h = 1e-5
				kept := *p.at
				*p.at = kept + h
				up := mcc{}.Eval(c, ignored)
				*p.at = kept - h
				down := mcc{}.Eval(c, ignored)
				*p.at = kept
				if slope := (up - down) / (2 * h); math.Abs(slope-p.partial) > 1e-9 {
					t.Errorf("class %d: ∂mcc/∂%s = %v; differences give %v", i, p.name, p.partial, slope)
				}
			}
		}
	}
}

// The gradient of an expression with a caller's own regions, by differences of
// its loss.
func TestRegionGradient(t *testing.T) { onBackends(t, testRegionGradient) }

func testRegionGradient(t *testing.T) {
	rnd := rand.New(rand.NewPCG(27, 28))
	l := mustParse(t, "dice + 0.5*mcc - 2*ratio(batch=true) + ratio(reduction=sum)", mcc{}, ratio{})
	for _, act := range activations {
		for _, dense := range []bool{true, false} {
			for _, with := range covers(dense) {
				c := randomCase(rnd, "dice", act, 2, 3, 7, dense, with)
				for i := range c.Pred {
					c.Pred[i] /= 4
					if act == kernels.None {
						c.Pred[i] = c.Pred[i]*3 + 0.1
					}
				}
				p := newProblem[float64](t, c, kernels.NSC)
				p.loss = l
				plan := p.plan(t)
				_, dx := p.runOn(t, plan)
				loss := func() float64 {
					v, err := plan.Forward(context.Background(), p.x, p.target)
					if err != nil {
						t.Fatal(err)
					}
					return v.Loss
				}
				for i := range p.x {
					const h = 1e-5
					kept := p.x[i]
					p.x[i] = kept + h
					up := loss()
					p.x[i] = kept - h
					down := loss()
					p.x[i] = kept
					if slope := (up - down) / (2 * h); !(math.Abs(slope-dx[i]) <= 1e-8) {
						t.Errorf("%s: gradient %v at %d; differences give %v", c.ID, dx[i], i, slope)
					}
				}
			}
		}
	}
}

// A caller's region sees the sums that the built-in losses are made of: the
// squared Dice loss of one class, written as one, is the built-in.
func TestRegionLikeBuiltIn(t *testing.T) { onBackends(t, testRegionLikeBuiltIn) }

func testRegionLikeBuiltIn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(29, 30))
	for _, act := range activations[:2] {
		for _, with := range covers(false) {
			c := randomCase(rnd, "dice(squared=true,smooth=1e-3)", act, 3, 1, 50, false, with)
			expect(t, c)
			p := newProblem[float64](t, c, kernels.NCS)
			p.loss = mustParse(t, "ratio", ratio{})
			loss, dx := p.run(t)
			if _, err := c.Check(golden.K64, golden.U64, loss, dx); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestGDLScaled holds both kinds of gdl's weights to the formula, written out by hand: 1000
// positions, 100 of them of class 1, and 0.5 for the right class everywhere. As in the papers
// and in MONAI, a smoothing of 1 is nearly all that there is beside 1/R².
func TestGDLScaled(t *testing.T) {
	const s, small = 1000, 100
	y, x := make([]uint8, s), make([]float64, 2*s)
	for i := range y {
		if i < small {
			y[i] = 1
		}
	}
	for i := range x {
		x[i] = 0.5
	}
	formula := func(w0, w1 float64) float64 {
		i0, i1 := 0.5*(s-small), 0.5*small
		wrong := 0.5 * s // FP + FN of either class
		return 1 - (2*(w0*i0+w1*i1)+1)/(w0*(2*i0+wrong)+w1*(2*i1+wrong)+1)
	}
	const r0, r1 = s - small, small
	for _, tt := range []struct {
		expr string
		want float64
	}{
		{"gdl(smooth=1)", formula(float64(r1*r1)/(r0*r0), 1)},
		{"gdl(smooth=1,scaled=true)", 0.8186737485273856},
		{"gdl(smooth=1,scaled=false)", formula(1./(r0*r0), 1./(r1*r1))},
		{"gdl(scaled=false,smooth=1)", 0.04767441860465127},
		{"gdl(smooth=1,weight_type=simple)", formula(float64(r1)/r0, 1)},
		{"gdl(smooth=1,weight_type=simple,scaled=false)", formula(1./r0, 1./r1)},
		{"gdl(smooth=1,weight_type=uniform,scaled=false)", formula(1, 1)},
	} {
		p := mustNew[float64](t, mustParse(t, tt.expr), kernels.Spec{N: 1, C: 2, S: s})
		v, err := p.Forward(t.Context(), x, kernels.Labels(y))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(v.Loss-tt.want) > 1e-14 {
			t.Errorf("%s is %v; want %v", tt.expr, v.Loss, tt.want)
		}
	}
	if got := mustParse(t, "gdl(scaled=true) + gdl(scaled=false)").String(); got != "gdl + gdl(scaled=false)" {
		t.Errorf("String gives %q", got)
	}
}
