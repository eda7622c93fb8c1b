package exact

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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

// TestDualAgainstBig compares the oracles, which share everything but their
// arithmetic, on every loss with every option.
func TestDualAgainstBig(t *testing.T) {
	worst := 0.0
	for _, k := range kinds {
		for _, a := range []ref.Activation{ref.None, ref.Sigmoid, ref.Softmax} {
			for _, c := range []int{1, 3} {
				if a == ref.Softmax && c == 1 {
					continue
				}
				in := k.problem(7, 2, c, 3, a)
				for _, e := range expressions(c) {
					ts := terms(t, e)
					l0, g0, err0 := Gradient(Big, in, ts, NoFault, nil)
					l1, g1, err1 := Gradient(Dual, in, ts, NoFault, nil)
					if err0 != nil || err1 != nil {
						fmt.Println(k.name, a, c, e, err0, err1)
						continue
					}
					m := 0.0
					for _, g := range g0 {
						m = max(m, math.Abs(g))
					}
					_ = l0
					_ = l1
					for i := range g0 {
						d := math.Abs(g0[i]-g1[i]) / math.Abs(g0[i])
						if g0[i] == g1[i] {
							d = 0
						}
						if d > 1e-12 {
							fmt.Println(k.name, a, c, e, i, g0[i], g1[i], d, math.Abs(g0[i]-g1[i])/m)
						}
						worst = max(worst, d)
					}
					if l2, g2, err := Gradient(Rational, in, ts, NoFault, nil); err == nil {
						if l2 != l0 {
							fmt.Println("RAT", e, l2, l0)
						}
						for i := range g0 {
							if g2[i] != g0[i] {
								fmt.Println("RAT", k.name, e, i, g2[i], g0[i], g0[i]-g2[i])
							}
						}
					} else if !errors.Is(err, ErrUnjudged) {
						t.Error(err)
					}
					lr, gr := 0.0, make([]float64, len(in.X))
					for _, tt := range ts {
						l, g := ref.Losses[tt.Name](in, tt.Options)
						lr += tt.Coef * l
						for i := range gr {
							gr[i] += tt.Coef * g[i]
						}
					}
					if math.Abs(lr-l0) > 1e-12*math.Abs(l0) {
						fmt.Println("REFLOSS", k.name, a, c, e, lr, l0)
					}
					for i := range g0 {
						if math.Abs(gr[i]-g0[i]) > 1e-11*math.Abs(g0[i])+1e-12*m && math.Abs(gr[i]-g0[i]) > 1e-36 {
							fmt.Println("REF", k.name, a, c, e, i, gr[i], g0[i], g1[i])
						}
					}
				}
			}
		}
	}
	t.Log(worst)
}
