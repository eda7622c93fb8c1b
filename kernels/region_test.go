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
