package exact

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/segloss/segloss/ref"
)

// TestNaN tells numbers that exist from numbers that do not.
func TestNaN(t *testing.T) {
	nan := math.NaN()
	for _, o := range []Oracle{Rational, Big, Dual} {
		in := ref.Input{N: 1, C: 2, S: 3, X: []float64{0.5, nan, 0.25, 0.5, 0.5, 0.5}, R: []float64{1, 1, 0, 0, 0, nan}, V: []float64{1, 0, 0}}
		ts := terms(t, "dice(background=false)")
		loss, grad, err := Gradient(t.Context(), o, in, ts, NoFault, nil)
		if err != nil || math.IsNaN(loss) || slices.ContainsFunc(grad, math.IsNaN) {
			t.Errorf("%s: %v, %v, %v; want numbers", o, loss, grad, err)
		}
		in.V[1] = 0.5 // the NaN is in class 0, which the loss leaves out
		loss, grad, err = Gradient(t.Context(), o, in, ts, NoFault, []int{0, 1, 2, 3, 4, 5})
		if err != nil || !math.IsNaN(loss) {
			t.Errorf("%s: %v, %v; want NaN", o, loss, err)
		}
		for i, g := range grad {
			if exists := i%3 < 2; math.IsNaN(g) != exists || !exists && g != 0 {
				t.Errorf("%s: derivative %d is %v", o, i, g)
			}
		}
	}
}

func TestNothingThere(t *testing.T) {
	for _, e := range expressions(3) {
		for _, in := range []ref.Input{
			{N: 0, C: 3, S: 4},
			{N: 2, C: 3, S: 0},
			{N: 1, C: 3, S: 1, X: []float64{9, 9, 9}, R: []float64{9, 9, 9}, V: []float64{0}},
		} {
			for f := range faults {
				loss, grad, err := Gradient(t.Context(), Dual, in, terms(t, e), f, nil)
				if err != nil || loss != 0 || slices.ContainsFunc(grad, func(g float64) bool { return g != 0 }) {
					t.Errorf("%s, %s, [%d %d %d]: %v, %v, %v; want 0", e, f, in.N, in.C, in.S, loss, grad, err)
				}
			}
		}
	}
}

// TestInfiniteLogits holds derivatives at infinite logits to those far out. Left
// out is wce, where an infinite logarithm has a finite factor, and with it exp_log,
// whose parts are here.
func TestInfiniteLogits(t *testing.T) {
	inf := math.Inf(1)
	for _, in := range []ref.Input{
		{N: 1, C: 2, S: 3, Activation: ref.Sigmoid, X: []float64{inf, -inf, 0.5, inf, -inf, 0.25}, R: []float64{1, 1, 1, 0, 0, 0}},
		{N: 1, C: 2, S: 3, Activation: ref.Softmax, X: []float64{-inf, 0.5, 1, 2, -inf, -1}, R: []float64{1, 1, 0, 0, 0, 1}},
	} {
		for _, e := range expressions(2) {
			ts := terms(t, e)
			name, limit := ts[0].Name, 300.0
			if name == "exp_log_ce" {
				limit = 1e300 // its slope falls like a power
			}
			far := in
			far.X = slices.Clone(in.X)
			for i, x := range far.X {
				far.X[i] = max(-limit, min(limit, x))
			}
			if name == "wce" || len(ts) > 1 && name == "exp_log_dice" || infinite(e) {
				continue
			}
			_, want, err := Gradient(t.Context(), Dual, far, ts, NoFault, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil)
			if err != nil {
				t.Errorf("%s, activation %d: %v", e, in.Activation, err)
				continue
			}
			for i := range got {
				if !(math.Abs(got[i]-want[i]) <= 1e-12+1e-9*math.Abs(want[i])) {
					t.Errorf("%s, activation %d: derivative %d is %v; want %v", e, in.Activation, i, got[i], want[i])
				}
			}
		}
	}
	for _, x := range [][]float64{{inf, 0}, {-inf, -inf}} {
		in := ref.Input{N: 1, C: 2, S: 1, Activation: ref.Softmax, X: x, R: []float64{1, 0}}
		if loss, _, err := Gradient(t.Context(), Dual, in, terms(t, "ce"), NoFault, nil); err != nil || !math.IsNaN(loss) {
			t.Errorf("softmax of %v: %v, %v; want NaN", x, loss, err)
		}
	}
}

// TestFarLogits: where float64 has no room left, Big goes on.
func TestFarLogits(t *testing.T) {
	in := ref.Input{N: 1, C: 1, S: 2, Activation: ref.Sigmoid, X: []float64{-800, -801}, R: []float64{0, 0}}
	ts := terms(t, "dice(smooth=0)")
	if _, _, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil); !errors.Is(err, ErrUnjudged) {
		t.Errorf("error %v; want ErrUnjudged", err)
	}
	if loss, _, err := Gradient(t.Context(), Big, in, ts, NoFault, nil); err != nil || loss != 1 {
		t.Errorf("loss %v, %v; want 1: nothing is 0/0", loss, err)
	}
	in.X[0], in.R[0] = 2000, 1
	_, grad, err := Gradient(t.Context(), Dual, in, terms(t, "exp_log_dice + bce"), NoFault, nil)
	if !errors.Is(err, ErrUnjudged) {
		t.Errorf("gradient %v, error %v; want ErrUnjudged", grad, err)
	}
	_, dual, err := Gradient(t.Context(), Dual, two(2000), terms(t, "exp_log_ce(gamma=0.01)"), NoFault, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, exact, err := Gradient(t.Context(), Big, two(2000), terms(t, "exp_log_ce(gamma=0.01)"), NoFault, nil)
	if err != nil || !(math.Abs(dual[0]-exact[0]) <= 1e-12*math.Abs(exact[0])) || exact[0] == 0 {
		t.Errorf("derivative %v by dual, %v by big, %v", dual[0], exact[0], err)
	}
}

// two is a position of two classes whose first has the log-odds x.
func two(x float64) ref.Input {
	return ref.Input{N: 1, C: 2, S: 1, Activation: ref.Softmax, X: []float64{x, 0}, R: []float64{1, 0}}
}

// TestKink: where p = r, soft has the mean of the two slopes.
func TestKink(t *testing.T) {
	ts := terms(t, "dice(soft=true,smooth=0)")
	const h = 0x1p-20
	slope := func(p float64) float64 {
		_, g, err := Gradient(t.Context(), Rational, single(ref.None, p, 0.25), ts, NoFault, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g[0]
	}
	if got, want := slope(0.25), (slope(0.25+h)+slope(0.25-h))/2; math.Abs(got-want) > 1e-5 || got != 0 {
		t.Errorf("slope %v at the kink; want %v, the mean of its sides", got, want)
	}
	if slope(0.25+h) < 1 || slope(0.25-h) > -1 {
		t.Error("there is no kink")
	}
}

func TestBest(t *testing.T) {
	for _, c := range []struct {
		expression string
		a          ref.Activation
		want       Oracle
	}{
		{"dice", ref.None, Rational},
		{"dice + 2*tversky + gdl + ss + iou + dice2", ref.None, Rational},
		{"dice", ref.Sigmoid, Dual},
		{"dice + bce", ref.None, Dual},
		{"focal_tversky", ref.None, Dual},
	} {
		if got := Best(terms(t, c.expression), c.a); got != c.want {
			t.Errorf("Best(%s, %d) = %s; want %s", c.expression, c.a, got, c.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	dice := terms(t, "dice")[0]
	option := func(f func(*ref.Options)) []Term {
		term := dice
		f(&term.Options)
		return []Term{term}
	}
	gdl := func(kind, absent string) []Term {
		term := terms(t, "gdl")[0]
		term.Options.WeightType, term.Options.AbsentWeight = kind, absent
		return []Term{term}
	}
	good := single(ref.None, 0.5, 1)
	change := func(f func(*ref.Input)) ref.Input {
		in := good
		f(&in)
		return in
	}
	ts := []Term{dice}
	for name, err := range map[string]error{
		"oracle":     second(Gradient(t.Context(), "crystal ball", good, ts, NoFault, nil)),
		"shape":      second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.N = -1 }), ts, NoFault, nil)),
		"X":          second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.X = nil }), ts, NoFault, nil)),
		"R":          second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.R = nil }), ts, NoFault, nil)),
		"V":          second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.V = []float64{1, 1} }), ts, NoFault, nil)),
		"V < 0":      second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.V = []float64{-1} }), ts, NoFault, nil)),
		"activation": second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.Activation = 3 }), ts, NoFault, nil)),
		"softmax":    second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.Activation = ref.Softmax }), ts, NoFault, nil)),
		"clip":       second(Gradient(t.Context(), Dual, change(func(in *ref.Input) { in.Clip = 1 }), ts, NoFault, nil)),
		"element":    second(Gradient(t.Context(), Dual, good, ts, NoFault, []int{1})),
		"fault":      second(Gradient(t.Context(), Dual, good, ts, faults, nil)),
		"name":       second(Gradient(t.Context(), Dual, good, []Term{{1, "dyce", dice.Options}}, NoFault, nil)),
		"ce, C = 1":  second(Gradient(t.Context(), Dual, good, []Term{{1, "ce", dice.Options}}, NoFault, nil)),
		"Coef":       second(Gradient(t.Context(), Dual, good, []Term{{math.Inf(1), "dice", dice.Options}}, NoFault, nil)),
		"reduction":  second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.Reduction = "" }), NoFault, nil)),
		"absent":     second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.Absent = "" }), NoFault, nil)),
		"background": second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.Background = false }), NoFault, nil)),
		"weight":     second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.Weight = []float64{1, 2} }), NoFault, nil)),
		"freq":       second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.Freq = []float64{1, 2} }), NoFault, nil)),
		"pos_weight": second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.PosWeight = []float64{1, 2} }), NoFault, nil)),
		"smooth":     second(Gradient(t.Context(), Dual, good, option(func(o *ref.Options) { o.SmoothDR = math.NaN() }), NoFault, nil)),
		"gdl type":   second(Gradient(t.Context(), Dual, good, gdl("cube", "max"), NoFault, nil)),
		"gdl absent": second(Gradient(t.Context(), Dual, good, gdl("square", "min"), NoFault, nil)),
	} {
		if !errors.Is(err, ErrInput) {
			t.Errorf("%s: error %v; want ErrInput", name, err)
		}
	}
}

func second(_ float64, _ []float64, err error) error { return err }

func TestUnjudged(t *testing.T) {
	inf := math.Inf(1)
	for name, err := range map[string]error{
		"logarithm in fractions": second(Gradient(t.Context(), Rational, single(ref.None, 0.5, 1), terms(t, "bce"), NoFault, nil)),
		"sigmoid in fractions":   second(Gradient(t.Context(), Rational, single(ref.Sigmoid, 0.5, 1), terms(t, "dice"), NoFault, nil)),
		"infinite probability":   second(Gradient(t.Context(), Dual, single(ref.None, inf, 1), terms(t, "dice"), NoFault, nil)),
		"infinite logit, big":    second(Gradient(t.Context(), Big, single(ref.Sigmoid, inf, 1), terms(t, "dice"), NoFault, nil)),
		"infinite target":        second(Gradient(t.Context(), Dual, single(ref.Sigmoid, 0, inf), terms(t, "dice"), NoFault, nil)),
		"tiny probability":       second(Gradient(t.Context(), Dual, single(ref.None, 1e-300, 1), terms(t, "dice"), NoFault, nil)),
		"far for a square":       second(Gradient(t.Context(), Dual, single(ref.Sigmoid, -400, 0), terms(t, "ss"), NoFault, nil)),
		"tiny option":            second(Gradient(t.Context(), Dual, single(ref.None, 0.5, 1), terms(t, "dice(smooth=1e-200)"), NoFault, nil)),
		"1/0":                    second(Gradient(t.Context(), Dual, single(ref.None, 0, 0), terms(t, "dice(smooth_dr=0)"), NoFault, nil)),
		"1/0 in fractions":       second(Gradient(t.Context(), Rational, single(ref.None, 0, 0), terms(t, "dice(smooth_dr=0)"), NoFault, nil)),
		"1/0, big":               second(Gradient(t.Context(), Big, single(ref.None, 0, 0), terms(t, "dice(smooth_dr=0)"), NoFault, nil)),
		"ln 0, big":              second(Gradient(t.Context(), Big, single(ref.None, 0, 0), terms(t, "exp_log_dice(smooth_dr=0)"), NoFault, nil)),
		"ln 0":                   second(Gradient(t.Context(), Dual, single(ref.None, 0, 0), terms(t, "exp_log_dice(smooth_dr=0)"), NoFault, nil)),
		"∞ − ∞":                  second(Gradient(t.Context(), Dual, single(ref.Sigmoid, inf, 0), terms(t, "bce - focal"), NoFault, nil)),
		"root of less than 0":    second(Gradient(t.Context(), Big, single(ref.None, 1, 1), terms(t, "focal_tversky(gamma=1.5,smooth_nr=1)"), NoFault, nil)),
		"exponential too large":  second(Gradient(t.Context(), Big, single(ref.None, 0.01, 1), terms(t, "exp_log_dice(gamma=1e9,smooth=0.1)"), NoFault, nil)),
	} {
		if !errors.Is(err, ErrUnjudged) {
			t.Errorf("%s: error %v; want ErrUnjudged", name, err)
		}
	}
}

// TestBigRange: 256 bits have room for every option and logit of float64.
func TestBigRange(t *testing.T) {
	for _, tt := range []struct {
		in         ref.Input
		expr       string
		loss, grad float64
	}{
		{single(ref.None, 0.5, 1), "dice(smooth=1e-200)", 1. / 3, -8. / 9},
		{single(ref.None, 0.5, 1), "dice(smooth=0,weight=[1e308])", 1. / 3, -8. / 9},
		{single(ref.None, 0.5, 1), "tversky(alpha=0,beta=1e308,smooth=0)", 1, -2e-308 - 2e-308},
		{single(ref.None, 0.5, 1), "focal(gamma=1e308)", 0, 0},
		{single(ref.Sigmoid, 1e9, 1), "bce", 0, 0},
		{single(ref.Sigmoid, 1e9, 0), "bce", 1e9, 1},
	} {
		loss, grad, err := Gradient(t.Context(), Big, tt.in, terms(t, tt.expr), NoFault, nil)
		if err != nil || math.Abs(loss-tt.loss) > 1e-15*tt.loss || math.Abs(grad[0]-tt.grad) > 1e-15*math.Abs(tt.grad) {
			t.Errorf("%s: %v, %v, %v; want %v, %v", tt.expr, loss, grad, err, tt.loss, tt.grad)
		}
	}
}

// TestZeroOverZero: 0/0 is 0 with derivative 0.
func TestZeroOverZero(t *testing.T) {
	for e, want := range map[string]float64{
		"dice(smooth=0)":              0,
		"dice(squared=true,smooth=0)": 0,
		"iou(smooth=0)":               0,
		"tversky(smooth=0)":           0,
		"ss(eps=0)":                   0,
		"gdl(smooth=0)":               0,
		"exp_log_dice(smooth=0)":      math.Pow(1e-7, 0.3), // the floor
	} {
		for _, o := range []Oracle{Big, Dual} {
			loss, grad, err := Gradient(t.Context(), o, single(ref.None, 0, 0), terms(t, e), NoFault, nil)
			if err != nil || math.Abs(loss-want) > 1e-15 || grad[0] != 0 {
				t.Errorf("%s, %s: %v, %v, %v; want %v, 0", o, e, loss, grad, err, want)
			}
		}
	}
}

func TestFractionsHaveNoLogarithms(t *testing.T) {
	half := rationals{}.Num(0.5)
	for name, f := range map[string]func(){
		"exp":   func() { rationals{}.Exp(half) },
		"log":   func() { rationals{}.Log(half) },
		"log1p": func() { rationals{}.Log1p(half) },
		"pow":   func() { rationals{}.Pow(half, 2) },
	} {
		err := func() (err error) {
			defer catch(&err)
			f()
			return nil
		}()
		if !errors.Is(err, ErrUnjudged) {
			t.Errorf("%s: error %v; want ErrUnjudged", name, err)
		}
	}
}

// TestCatch: panics that are not this package's own go on.
func TestCatch(t *testing.T) {
	defer func() {
		if r := recover(); r != "other" {
			t.Errorf("recovered %v", r)
		}
	}()
	var err error
	defer catch(&err)
	panic("other")
}
