package kernels_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

var (
	layouts     = []kernels.Layout{kernels.NCS, kernels.NSC}
	activations = []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax}
)

// once is the gradient as it is, written over what the buffer holds.
var once = kernels.Grad{Scale: 1}

// manyUnits cuts even a few positions into tiles, blocks and units of work, and
// lets several workers at them.
func manyUnits(workers int) []kernels.Option {
	return []kernels.Option{kernels.WithThresholds(8, 16, 32, 0), kernels.WithWorkers(workers)}
}

func mustParse(t testing.TB, expr string, custom ...kernels.Region) kernels.Loss {
	t.Helper()
	l, err := kernels.Parse(expr, custom...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustNew[T kernels.Float](t testing.TB, l kernels.Loss, s kernels.Spec, o ...kernels.Option) *kernels.Plan[T] {
	t.Helper()
	p, err := kernels.New[T](l, s, o...)
	if err != nil {
		t.Fatalf("%v, %+v: %v", l, s, err)
	}
	return p
}

// problem is a case as the arguments of a plan, in one layout. The case is a
// golden one or has the form of one.
type problem[T kernels.Float] struct {
	loss   kernels.Loss
	spec   kernels.Spec
	x      []T
	target kernels.Target
	opts   []kernels.Option
}

func newProblem[T kernels.Float](t testing.TB, c *golden.Case, layout kernels.Layout, opts ...kernels.Option) *problem[T] {
	t.Helper()
	act, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	p := &problem[T]{
		loss: mustParse(t, c.Loss, twoDice{}),
		spec: kernels.Spec{N: c.N, C: c.C, S: c.S, Activation: act, Layout: layout},
		opts: slices.Clone(opts),
	}
	p.x = arrange[T](c.Pred, p.spec)
	if c.Target != nil {
		p.target = kernels.Dense(arrange[T](c.Target, p.spec))
	} else {
		p.target = kernels.Labels(c.Labels)
	}
	p.target = covered(p.target, c)
	if c.IgnoreIndex != nil {
		p.opts = append(p.opts, kernels.WithIgnore(*c.IgnoreIndex))
	}
	return p
}

// covered adds the weights or the mask of a case to a target.
func covered(t kernels.Target, c *golden.Case) kernels.Target {
	if c.Weights != nil {
		t = t.Weights(convert[float32](c.Weights))
	}
	if c.Mask != nil {
		t = t.Mask(c.Mask)
	}
	return t
}

func (p *problem[T]) plan(t testing.TB) *kernels.Plan[T] {
	t.Helper()
	return mustNew[T](t, p.loss, p.spec, p.opts...)
}

// run gives the loss and the gradient of a new plan.
func (p *problem[T]) run(t testing.TB) (float64, []T) {
	t.Helper()
	return p.runOn(t, p.plan(t))
}

func (p *problem[T]) runOn(t testing.TB, plan *kernels.Plan[T]) (float64, []T) {
	t.Helper()
	dx := make([]T, len(p.x))
	v, err := plan.ForwardBackward(context.Background(), dx, p.x, p.target, once)
	if err != nil {
		t.Fatalf("%v, %+v: %v", p.loss, p.spec, err)
	}
	return v.Loss, dx
}

// samples is the case of the samples [from, to) of another, as a shard of the
// batch sees them.
func samples(c *golden.Case, from, to int) *golden.Case {
	part := func(x []float64, per int) []float64 {
		if x == nil {
			return nil
		}
		return x[from*per : to*per]
	}
	d := *c
	d.N = to - from
	d.Pred, d.Target = part(c.Pred, c.C*c.S), part(c.Target, c.C*c.S)
	d.Weights = part(c.Weights, c.S)
	if c.Labels != nil {
		d.Labels = c.Labels[from*c.S : to*c.S]
	}
	if c.Mask != nil {
		d.Mask = c.Mask[from*c.S : to*c.S]
	}
	return &d
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

type number interface {
	kernels.Label | float32 | float64
}

func convert[To, From number](x []From) []To {
	out := make([]To, len(x))
	for i, v := range x {
		out[i] = To(v)
	}
	return out
}

func filled[T kernels.Float](n int, v float64) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(v)
	}
	return x
}

// different returns the first place where the bits of two slices differ, or −1.
func different[T kernels.Float](a, b []T) int {
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) {
			return i
		}
	}
	return -1
}
