package cuda

import (
	"context"
	"flag"
	"math"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// onDevice has the tests run on a GPU: go test ./kernels/cuda -device. Those of what the
// interpreter alone finds, or of what it is asked for, stay with it.
var onDevice = flag.Bool("device", false, "run on the first GPU instead of the interpreter")

// open gives an interpreted device, or the GPU.
func open(t testing.TB, o ptxsim.Options) *Device {
	t.Helper()
	options := []OpenOption{withDriver(ptxsim.New(o))}
	if *onDevice {
		options = nil
	}
	d, err := Open(0, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// small cuts even tiny samples into chunks, and keeps nothing on the chip.
var small = thresholds{chunk: 8, chunks: 5, shared: 32 << 10}

// problem is a golden case as a plan takes it, in elements of T.
type problem[T kernels.Float] struct {
	c      *golden.Case
	loss   kernels.Loss
	spec   kernels.Spec
	opts   []kernels.Option
	x      []T
	target kernels.Target
}

func newProblem[T kernels.Float](t testing.TB, c *golden.Case, layout kernels.Layout) *problem[T] {
	t.Helper()
	l, err := kernels.Parse(c.Loss)
	if err != nil {
		t.Fatal(err)
	}
	a, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	p := &problem[T]{c: c, loss: l, spec: kernels.Spec{N: c.N, C: c.C, S: c.S, Activation: a, Layout: layout}}
	if c.IgnoreIndex != nil {
		p.opts = append(p.opts, kernels.WithIgnore(*c.IgnoreIndex))
	}
	p.x = arrange[T](c.Pred, p.spec)
	if c.Labels != nil {
		p.target = kernels.Labels(c.Labels)
	} else {
		p.target = kernels.Dense(arrange[T](c.Target, p.spec))
	}
	p.cover()
	return p
}

// cover gives the target the case's mask and weights.
func (p *problem[T]) cover() {
	if p.c.Mask != nil {
		p.target = p.target.Mask(p.c.Mask)
	}
	if p.c.Weights != nil {
		p.target = p.target.Weights(convert[float32](p.c.Weights))
	}
}

func convert[To, From float32 | float64 | kernels.Label](v []From) []To {
	out := make([]To, len(v))
	for i, x := range v {
		out[i] = To(x)
	}
	return out
}

// arrange brings planar numbers to a layout, and planar back.
func arrange[T kernels.Float](v []float64, s kernels.Spec) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[place(i, s)] = T(x)
	}
	return out
}

func planar[T kernels.Float](v []T, s kernels.Spec) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[place(i, s)])
	}
	return out
}

// place is where the planar element i lies.
func place(i int, s kernels.Spec) int {
	if s.Layout == kernels.NCS {
		return i
	}
	n, c, k := i/(s.C*s.S), i/s.S%s.C, i%s.S
	return (n*s.S+k)*s.C + c
}

// gradient runs the problem, in one call or in two, into a gradient that was NaN.
func (p *problem[T]) gradient(t testing.TB, d *Device, e DType, th thresholds, together bool) (loss float64, dx []T) {
	t.Helper()
	plan, err := d.newPlan(p.loss, p.spec, e, th, p.opts)
	if err != nil {
		t.Fatalf("%s: %v", p.c.ID, err)
	}
	defer plan.Close()
	h, err := NewHost[T](plan)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, g := context.Background(), kernels.Grad{Scale: 1}
	dx = slices.Repeat([]T{T(math.NaN())}, len(p.x))
	var v kernels.Value
	if together {
		v, err = h.ForwardBackward(ctx, dx, p.x, p.target, g)
	} else if v, err = h.Forward(ctx, p.x, p.target); err == nil {
		err = h.Backward(ctx, dx, p.x, p.target, v, g)
	}
	if err != nil {
		t.Fatalf("%s, %v: %v", p.c.ID, p.spec.Layout, err)
	}
	return v.Loss, dx
}

// chosen reports whether the i-th of many cases is tried: in a long run each is. Tests of
// neighbouring phases try different ones.
func chosen(i, phase int) bool { return i%thin() == phase%thin() }

// thin is how many cases stand for one that is tried: in a short run a few do, and more
// where the race detector slows the interpreter down, which has no goroutines to race.
func thin() int {
	switch {
	case raceDetector:
		return 100
	case testing.Short():
		return 5
	}
	return 1
}
