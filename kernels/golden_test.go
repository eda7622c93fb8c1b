package kernels_test

import (
	"context"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// problem is a golden case as the arguments of a plan, in one layout.
type problem[T kernels.Float] struct {
	loss   kernels.Loss
	spec   kernels.Spec
	x      []T
	target kernels.Target
	opts   []kernels.Option
}

func newProblem[T kernels.Float](t testing.TB, c *golden.Case, layout kernels.Layout, opts ...kernels.Option) problem[T] {
	t.Helper()
	loss, err := kernels.Parse(c.Loss)
	if err != nil {
		t.Fatal(err)
	}
	act, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	p := problem[T]{loss: loss, spec: kernels.Spec{N: c.N, C: c.C, S: c.S, Activation: act, Layout: layout}, opts: opts}
	p.x = arrange[T](c.Pred, p.spec)
	if c.Target != nil {
		p.target = kernels.Dense(arrange[T](c.Target, p.spec))
	} else {
		p.target = kernels.Labels(c.Labels)
	}
	if c.IgnoreIndex != nil {
		p.opts = append(p.opts, kernels.WithIgnore(*c.IgnoreIndex))
	}
	if c.Weights != nil {
		w := make([]float32, len(c.Weights))
		for i, v := range c.Weights {
			w[i] = float32(v)
		}
		p.target = p.target.Weights(w)
	}
	if c.Mask != nil {
		p.target = p.target.Mask(c.Mask)
	}
	return p
}

func (p *problem[T]) plan(t testing.TB) *kernels.Plan[T] {
	t.Helper()
	plan, err := kernels.New[T](p.loss, p.spec, p.opts...)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// arrange brings planar values into the layout of spec.
func arrange[T kernels.Float](planar []float64, spec kernels.Spec) []T {
	out := make([]T, len(planar))
	for i, v := range planar {
		out[place(i, spec)] = T(v)
	}
	return out
}

// planar undoes arrange.
func planar[T kernels.Float](x []T, spec kernels.Spec) []float64 {
	out := make([]float64, len(x))
	for i := range out {
		out[i] = float64(x[place(i, spec)])
	}
	return out
}

// place is where planar element i lies in the layout of spec.
func place(i int, spec kernels.Spec) int {
	if spec.Layout == kernels.NCS {
		return i
	}
	b, c, s := i/(spec.C*spec.S), i/spec.S%spec.C, i%spec.S
	return (b*spec.S+s)*spec.C + c
}

func TestGolden(t *testing.T) {
	cases := golden.Load(t)
	t.Run("f64", func(t *testing.T) { testGolden[float64](t, cases, golden.K64, golden.U64) })
	t.Run("f32", func(t *testing.T) { testGolden[float32](t, cases, golden.K32, golden.U32) })
}

func testGolden[T kernels.Float](t *testing.T, cases []golden.Case, k, u float64) {
	small := kernels.WithThresholds(8, 16, 32, 0)
	worst := 0.0
	for i := range cases {
		c := &cases[i]
		for _, layout := range []kernels.Layout{kernels.NCS, kernels.NSC} {
			for _, opts := range [][]kernels.Option{{}, {small, kernels.WithWorkers(3)}} {
				p := newProblem[T](t, c, layout, opts...)
				plan := p.plan(t)
				dx := make([]T, len(p.x))
				v, err := plan.ForwardBackward(context.Background(), dx, p.x, p.target, kernels.Grad{Scale: 1})
				if err != nil {
					t.Errorf("%s: %v", c.ID, err)
					continue
				}
				w, err := c.Check(k, u, v.Loss, planar(dx, p.spec))
				worst = max(worst, w)
				if err != nil {
					t.Errorf("%s %v %s: %v: %v", c.ID, layout, c.Activation, c.Loss, err)
				}
			}
		}
	}
	t.Logf("worst error %.3g of its bound", worst)
}
