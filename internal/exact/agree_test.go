package exact

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// expressions lists every loss for c classes with every option set to other
// values.
func expressions(c int) (all []string) {
	for _, info := range kernels.Losses() {
		if info.Categorical && c < 2 {
			continue
		}
		all = append(all, variants.Expressions(info, c, func(o kernels.OptionInfo) []string {
			v, err := strconv.ParseFloat(o.Default, 64)
			if err != nil {
				v = 0.5
			}
			return []string{strconv.FormatFloat(v/2+0.2, 'g', -1, 64), "0"}
		})...)
	}
	return all
}

// A kind of problem draws a prediction and a target.
type kind struct {
	name string
	draw func(r *rand.Rand, in *ref.Input)
}

// kinds are where the forward takes its different ways.
var kinds = []kind{
	{"ordinary", func(r *rand.Rand, in *ref.Input) {
		fill(in.X, func(int) float64 { return prediction(in, 0.02+0.96*r.Float64()) })
		labels(r, in)
	}},
	{"soft labels, weights", func(r *rand.Rand, in *ref.Input) {
		fill(in.X, func(int) float64 { return prediction(in, 0.02+0.96*r.Float64()) })
		fill(in.R, func(int) float64 { return r.Float64() })
		in.V = make([]float64, in.N*in.S)
		fill(in.V, func(i int) float64 { return float64(i%3) * 0.75 })
	}},
	{"tiny", func(r *rand.Rand, in *ref.Input) {
		fill(in.X, func(int) float64 { return prediction(in, math.Exp(-21*r.Float64())) })
		fill(in.R, func(int) float64 { return math.Exp(-21 * r.Float64()) })
	}},
	{"near perfect", func(r *rand.Rand, in *ref.Input) {
		labels(r, in)
		fill(in.X, func(i int) float64 { return prediction(in, math.Abs(in.R[i]-1e-9-1e-4*r.Float64())) })
	}},
	{"extreme", func(r *rand.Rand, in *ref.Input) {
		fill(in.X, func(int) float64 {
			if in.Activation == ref.None {
				return float64(r.IntN(2))
			}
			return 200*r.Float64() - 100
		})
		labels(r, in)
	}},
	{"a class and a sample absent", func(r *rand.Rand, in *ref.Input) {
		fill(in.X, func(int) float64 { return prediction(in, r.Float64()) })
		labels(r, in)
		clear(in.R[:in.S])
		in.V = make([]float64, in.N*in.S)
		fill(in.V[:(in.N-1)*in.S], func(i int) float64 { return float64(min(i%4, 1)) })
	}},
}

func fill(v []float64, f func(i int) float64) {
	for i := range v {
		v[i] = f(i)
	}
}

// prediction returns a probability, or a logit that has it under sigmoid.
func prediction(in *ref.Input, p float64) float64 {
	if in.Activation == ref.None {
		return p
	}
	return math.Log(p) - math.Log1p(-p)
}

// labels draws a one-hot target.
func labels(r *rand.Rand, in *ref.Input) {
	clear(in.R)
	for i := range in.N * in.S {
		n, s := i/in.S, i%in.S
		if c := r.IntN(max(in.C, 2)); c < in.C {
			in.R[(n*in.C+c)*in.S+s] = 1
		}
	}
}

func (k kind) problem(seed uint64, n, c, s int, a ref.Activation) ref.Input {
	in := ref.Input{N: n, C: c, S: s, Activation: a, X: make([]float64, n*c*s), R: make([]float64, n*c*s)}
	k.draw(rand.New(rand.NewPCG(seed, 1)), &in)
	return in
}

// every calls f with every loss with every option on problems of every kind, or
// with each of them on one kind in short mode.
func every(t *testing.T, f func(name, expression string, in ref.Input, ts []Term)) {
	for i, k := range kinds {
		for _, a := range []ref.Activation{ref.None, ref.Sigmoid, ref.Softmax} {
			for _, c := range []int{1, 3} {
				if a == ref.Softmax && c == 1 {
					continue
				}
				in := k.problem(7, 2, c, 3, a)
				for j, e := range expressions(c) {
					if testing.Short() && (i+j)%len(kinds) != 0 {
						continue
					}
					f(fmt.Sprintf("%s, activation %d, C = %d, %s", k.name, a, c, e), e, in, terms(t, e))
				}
			}
		}
	}
}

// infinite reports whether an expression is infinite where a class is absent or
// missed by all, so that no oracle judges it.
func infinite(e string) bool {
	return e == "exp_log_dice(smooth=0)" || e == "exp_log_dice(smooth_nr=0)"
}

// compare holds a gradient to another by a relative tolerance. Under softmax,
// the classes' shares in a derivative may cancel.
func compare(t *testing.T, name string, in ref.Input, tolerance, l0, l1 float64, g0, g1 []float64) {
	t.Helper()
	if !(math.Abs(l0-l1) <= tolerance*(1+math.Abs(l1))) {
		t.Errorf("%s: loss %v; want %v", name, l0, l1)
	}
	absolute := 1e-100
	if in.Activation == ref.Softmax {
		absolute = 2e-17
	}
	for i := range g1 {
		if !(math.Abs(g0[i]-g1[i]) <= tolerance*math.Abs(g1[i])+absolute) {
			t.Errorf("%s: derivative %d is %v; want %v", name, i, g0[i], g1[i])
		}
	}
}

// TestOraclesAgree compares the oracles, which share everything but their
// arithmetic.
func TestOraclesAgree(t *testing.T) {
	judged, rational := 0, 0
	every(t, func(name, e string, in ref.Input, ts []Term) {
		loss, grad, err := Gradient(t.Context(), Big, in, ts, NoFault, nil)
		if err != nil {
			if !errors.Is(err, ErrUnjudged) || !infinite(e) {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		judged++
		l, g, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		tolerance := 1e-12
		if o := ts[0].Options; o.SmoothNR != o.SmoothDR {
			tolerance = 1e-9 // FP + FN + s_dr − s_nr cancels
		}
		compare(t, name, in, tolerance, l, loss, g, grad)
		l, g, err = Gradient(t.Context(), Rational, in, ts, NoFault, nil)
		if err != nil {
			if Best(ts, in.Activation) == Rational || !errors.Is(err, ErrUnjudged) {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		rational++
		if l != loss || !slices.Equal(g, grad) {
			t.Errorf("%s: rational %v %v, big %v %v", name, l, g, loss, grad)
		}
	})
	if judged < 100 || rational < 20 {
		t.Errorf("%d problems, %d of them by fractions", judged, rational)
	}
}

// TestAgainstRef compares with the gradients derived by hand.
func TestAgainstRef(t *testing.T) {
	judged := 0
	every(t, func(name, e string, in ref.Input, ts []Term) {
		l, g, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil)
		if err != nil {
			if !infinite(e) {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		judged++
		loss, grad := 0.0, make([]float64, len(in.X))
		for _, term := range ts {
			l, g := ref.Losses[term.Name](in, term.Options)
			loss += term.Coef * l
			for i := range grad {
				grad[i] += term.Coef * g[i]
			}
		}
		compare(t, name, in, 1e-10, l, loss, g, grad)
	})
	if judged < 100 {
		t.Errorf("%d problems", judged)
	}
}
