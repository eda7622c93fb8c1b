package bridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func parse(t *testing.T, expr string) kernels.Loss {
	t.Helper()
	loss, err := kernels.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

type batch struct {
	shape []int
	x     []float32
	y     []uint8
}

func draw(rng *rand.Rand, shape ...int) batch {
	b := batch{shape: shape, x: make([]float32, shape[0]*shape[1]*shape[2]), y: make([]uint8, shape[0]*shape[2])}
	for i := range b.x {
		b.x[i] = float32(4 * rng.NormFloat64())
	}
	for i := range b.y {
		b.y[i] = uint8(rng.IntN(shape[1]))
	}
	return b
}

// gradient is what a plan of just the batch's size gives.
func (b batch) gradient(t *testing.T, loss kernels.Loss, scale float64) (float64, []float32) {
	t.Helper()
	plan, err := kernels.New[float32](loss, kernels.Spec{N: b.shape[0], C: b.shape[1], S: b.shape[2], Activation: kernels.Softmax})
	if err != nil {
		t.Fatal(err)
	}
	dx := make([]float32, len(b.x))
	v, err := plan.ForwardBackward(context.Background(), dx, b.x, kernels.Labels(b.y), kernels.Grad{Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	return v.Loss, dx
}

// Passes of different sizes, many forward before the first goes back, from many
// goroutines: each gives the bits of a plan of its own.
func TestCriterion(t *testing.T) {
	loss := parse(t, "dice(batch=true) + 0.5*ce")
	c := New[float32](loss, kernels.Softmax, kernels.NCS)
	rng := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for _, shape := range [][]int{{2, 3, 40}, {1, 3, 17}, {3, 3, 99}, {2, 4, 8}, {2, 3, 40}} {
		b := draw(rng, shape...)
		wantLoss, want := b.gradient(t, loss, 0.25)
		pass, err := c.Forward(b.shape, b.x, kernels.Labels(b.y))
		if err != nil {
			t.Fatal(err)
		}
		if pass.Loss() != wantLoss {
			t.Errorf("shape %v: loss %v, want %v", shape, pass.Loss(), wantLoss)
		}
		wg.Go(func() {
			for range 20 {
				dx := make([]float32, len(b.x))
				if err := pass.Backward(dx, kernels.Grad{Scale: 0.25}); err != nil {
					t.Error(err)
				} else if !slices.Equal(dx, want) {
					t.Errorf("shape %v: gradient differs from the plan's", shape)
				}
				if pass, err = c.Forward(b.shape, b.x, kernels.Labels(b.y)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestShapes(t *testing.T) {
	for _, layout := range []kernels.Layout{kernels.NCS, kernels.NSC} {
		shape := map[kernels.Layout][]int{kernels.NCS: {2, 3, 4, 5}, kernels.NSC: {2, 4, 5, 3}}[layout]
		got, err := SpecOf(shape, kernels.Softmax, layout)
		want := kernels.Spec{N: 2, C: 3, S: 20, Activation: kernels.Softmax, Layout: layout}
		if got != want || err != nil {
			t.Errorf("%v: shape %v is %+v, %v; want %+v", layout, shape, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	c := New[float32](parse(t, "dice"), kernels.Softmax, kernels.NCS)
	for name, try := range map[string]struct {
		shape []int
		x     []float32
		want  error
	}{
		"one axis":    {[]int{6}, make([]float32, 6), kernels.ErrShape},
		"no classes":  {[]int{2, 0}, nil, kernels.ErrShape},
		"too short":   {[]int{1, 2, 3}, make([]float32, 5), kernels.ErrShape},
		"an odd axis": {[]int{1, 2, -3}, make([]float32, 6), kernels.ErrShape},
	} {
		_, err := c.Forward(try.shape, try.x, kernels.Labels(make([]uint8, 3)))
		var arg *kernels.ArgError
		if !errors.Is(err, try.want) || !errors.As(err, &arg) {
			t.Errorf("%s: error %v, want an ArgError that matches %v", name, err, try.want)
		}
	}
	if _, err := New[float32](kernels.Loss{}, kernels.Softmax, kernels.NCS).Forward([]int{1, 2, 3}, make([]float32, 6), kernels.Labels(make([]uint8, 3))); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("no loss: %v", err)
	}
}
