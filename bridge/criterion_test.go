package bridge

import (
	"context"
	"errors"
	"math"
	"math/bits"
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

// A prediction of two axes is one sample, whatever its layout.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		shape   []int
		layout  kernels.Layout
		n, c, s int
	}{
		{[]int{3, 4}, kernels.NCS, 1, 3, 4},
		{[]int{4, 3}, kernels.NSC, 1, 3, 4},
		{[]int{2, 3, 4}, kernels.NCS, 2, 3, 4},
		{[]int{2, 4, 3}, kernels.NSC, 2, 3, 4},
		{[]int{2, 3, 4, 5}, kernels.NCS, 2, 3, 20},
		{[]int{2, 4, 5, 3}, kernels.NSC, 2, 3, 20},
		{[]int{2, 3, 4, 5, 6}, kernels.NCS, 2, 3, 120},
		{[]int{2, 4, 5, 6, 3}, kernels.NSC, 2, 3, 120},
	} {
		got, err := SpecOf(c.shape, kernels.Softmax, c.layout)
		want := kernels.Spec{N: c.n, C: c.c, S: c.s, Activation: kernels.Softmax, Layout: c.layout}
		if got != want || err != nil {
			t.Errorf("%v: shape %v is %+v, %v; want %+v", c.layout, c.shape, got, err, want)
		}
	}
}

// The loss and the gradient of two axes are those of one sample with its axis N.
func TestTwoAxes(t *testing.T) {
	b := draw(rand.New(rand.NewPCG(5, 6)), 1, 3, 4)
	for layout, shapes := range map[kernels.Layout][2][]int{
		kernels.NCS: {{3, 4}, {1, 3, 4}},
		kernels.NSC: {{4, 3}, {1, 4, 3}},
	} {
		var losses [2]float64
		var grads [2][]float32
		for i, shape := range shapes {
			pass, err := New[float32](parse(t, "dice + ce"), kernels.Softmax, layout).Forward(shape, b.x, kernels.Labels(b.y))
			if err != nil {
				t.Fatal(err)
			}
			losses[i], grads[i] = pass.Loss(), make([]float32, len(b.x))
			if err := pass.Backward(grads[i], kernels.Grad{Scale: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if losses[0] != losses[1] || !slices.Equal(grads[0], grads[1]) {
			t.Errorf("%v: loss %v of two axes, %v of three", layout, losses[0], losses[1])
		}
	}
}

// Shapes that take turns do not make new plans, whether one covers the other or not.
func TestRoom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, shapes := range map[string][][]int{
		"samples and positions": {{2, 3, 60}, {3, 3, 40}},
		"positions alone":       {{2, 3, 40}, {2, 3, 60}},
		"classes":               {{2, 3, 40}, {2, 4, 40}},
	} {
		c := New[float32](parse(t, "dice + ce"), kernels.Softmax, kernels.NCS)
		var batches []batch
		for _, shape := range shapes {
			b := draw(rng, shape...)
			batches = append(batches, b)
			pass, err := c.Forward(b.shape, b.x, kernels.Labels(b.y))
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := b.gradient(t, c.loss, 1); pass.Loss() != want {
				t.Errorf("%s: shape %v: loss %v, want %v", name, shape, pass.Loss(), want)
			}
		}
		allocs := testing.AllocsPerRun(5, func() {
			for _, b := range batches {
				if _, err := c.Forward(b.shape, b.x, kernels.Labels(b.y)); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations when they take turns again", name, allocs)
		}
	}
}

// A plan for all shapes at once is not made where it would be beyond any memory, or
// where kernels.New does not make it.
func TestGrow(t *testing.T) {
	for name, sizes := range map[string][2][2]int{ // samples and positions
		"out of proportion": {{2000, 1}, {1, 1 << 26}},
		"too many elements": {{500, 1}, {1, math.MaxInt >> 6}},
	} {
		c := New[float32](parse(t, "bce"), kernels.Sigmoid, kernels.NCS)
		for _, size := range sizes {
			spec := kernels.Spec{N: size[0], C: 1, S: size[1], Activation: kernels.Sigmoid}
			if _, err := c.fit(spec); err != nil {
				t.Errorf("%s: %+v: %v", name, spec, err)
			} else if r := c.rooms[1]; r.n != spec.N || r.s != spec.S {
				t.Errorf("%s: room for %d samples of %d, want %d of %d", name, r.n, r.s, spec.N, spec.S)
			}
		}
	}
}

// What New says of a wrong activation.
func TestWrongActivation(t *testing.T) {
	for _, c := range []struct {
		expr string
		a    kernels.Activation
		x    []float32 // of classes 0, 1, … at one position
		y    uint8
		want float64
	}{
		{"ce", kernels.None, []float32{-0.5, 2}, 0, 16.1},
		{"bce(reduction=sum)", kernels.Sigmoid, []float32{1}, 1, 0.313},
		{"bce(reduction=sum)", kernels.Sigmoid, []float32{0}, 0, 0.693},
		{"ce", kernels.Softmax, []float32{1, 0}, 0, 0.313},
		{"ce", kernels.Softmax, []float32{1, 0, 0}, 0, 0.551},
	} {
		pass, err := New[float32](parse(t, c.expr), c.a, kernels.NCS).Forward([]int{len(c.x), 1}, c.x, kernels.Labels([]uint8{c.y}))
		if err != nil {
			t.Fatal(err)
		}
		dx := make([]float32, len(c.x))
		if err := pass.Backward(dx, kernels.Grad{Scale: 1}); err != nil {
			t.Fatal(err)
		}
		flat := !slices.ContainsFunc(dx, func(d float32) bool { return d != 0 })
		if math.Abs(pass.Loss()-c.want) > 0.002*c.want || flat != (c.a == kernels.None) {
			t.Errorf("%s, %v of %v: loss %v, want %v; gradient %v", c.expr, c.a, c.x, pass.Loss(), c.want, dx)
		}
	}
	for _, c := range []struct {
		x       []float32
		outside func(loss float64) bool
	}{
		{[]float32{-2, 2, 3, -3}, func(loss float64) bool { return loss < 0 }},
		{[]float32{-0.5, -2, -1.5, -3}, func(loss float64) bool { return loss > 1 }},
	} {
		pass, err := New[float32](parse(t, "tversky"), kernels.None, kernels.NSC).Forward([]int{2, 2}, c.x, kernels.Labels([]uint8{1, 0}))
		if err != nil || !c.outside(pass.Loss()) {
			t.Errorf("logits %v as probabilities: loss %v, error %v", c.x, pass.Loss(), err)
		}
	}
}

func TestErrors(t *testing.T) {
	c := New[float32](parse(t, "dice"), kernels.Softmax, kernels.NCS)
	for name, try := range map[string]struct {
		shape []int
		x     []float32
		index int
	}{
		"no axis":        {nil, make([]float32, 1), -1},
		"one axis":       {[]int{6}, make([]float32, 6), -1},
		"no classes":     {[]int{0, 2}, nil, -1},
		"too short":      {[]int{1, 2, 3}, make([]float32, 5), -1},
		"an odd axis":    {[]int{1, 2, -3}, make([]float32, 6), 2},
		"two odd axes":   {[]int{1, 2, -3, -1}, make([]float32, 6), 2},
		"odd samples":    {[]int{-1, 2, 3}, make([]float32, 6), 0},
		"odd classes":    {[]int{1, -2, 3}, make([]float32, 6), 1},
		"beyond all int": {[]int{1, 2, 1 << (bits.UintSize / 2), 1 << (bits.UintSize / 2)}, nil, 3},
	} {
		_, err := c.Forward(try.shape, try.x, kernels.Labels(make([]uint8, 3)))
		var arg *kernels.ArgError
		if !errors.Is(err, kernels.ErrShape) || !errors.As(err, &arg) {
			t.Errorf("%s: error %v, want an ArgError that matches ErrShape", name, err)
		} else if arg.Index != try.index || arg.Index >= 0 && arg.Value != try.shape[arg.Index] {
			t.Errorf("%s: error %v, want one that names axis %d", name, err, try.index)
		}
	}
	if _, err := New[float32](kernels.Loss{}, kernels.Softmax, kernels.NCS).Forward([]int{1, 2, 3}, make([]float32, 6), kernels.Labels(make([]uint8, 3))); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("no loss: %v", err)
	}
	ignoring := New[float32](parse(t, "dice"), kernels.Softmax, kernels.NCS, kernels.WithIgnore(255))
	if _, err := ignoring.Forward([]int{1, 2, 3}, make([]float32, 6), kernels.Dense(make([]float32, 6))); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: %v", err)
	}
	pass, err := c.Forward([]int{1, 2, 3}, make([]float32, 6), kernels.Labels([]uint8{0, 7, 0}))
	if !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("label 7 of 2 classes: %v", err)
	}
	if err := pass.Backward(make([]float32, 6), kernels.Grad{Scale: 1}); !errors.Is(err, kernels.ErrStale) {
		t.Errorf("no pass to go back: %v", err)
	}
}

func TestCheckTarget(t *testing.T) {
	for _, try := range []struct {
		shape, target []int
		layout        kernels.Layout
		dense, fits   bool
	}{
		{[]int{2, 3, 4, 5}, []int{2, 3, 4, 5}, kernels.NCS, true, true},
		{[]int{2, 3, 4, 5}, []int{2, 4, 5}, kernels.NCS, false, true},
		{[]int{2, 4, 5, 3}, []int{2, 4, 5}, kernels.NSC, false, true},
		{[]int{2, 3}, []int{3}, kernels.NCS, false, true},
		{[]int{2, 3}, []int{2}, kernels.NSC, false, true},
		{[]int{2, 3}, []int{2, 3}, kernels.NCS, true, true},
		{[]int{2, 3}, []int{2}, kernels.NCS, false, false},
		{[]int{2, 3}, []int{1, 3}, kernels.NCS, false, false},
		{[]int{2, 2, 3}, []int{2, 3, 2}, kernels.NCS, true, false},
		{[]int{2, 2, 3}, []int{3, 2}, kernels.NCS, false, false},
		{[]int{2, 2, 3}, []int{2, 3}, kernels.NCS, true, false},
		{[]int{2, 2, 3}, []int{2, 2, 3}, kernels.NCS, false, false},
		{[]int{2, 3, 2}, []int{2, 2}, kernels.NSC, false, false},
		{[]int{6}, []int{6}, kernels.NCS, true, false},
	} {
		err := CheckTarget(try.shape, try.target, try.layout, try.dense)
		if try.fits && err != nil || !try.fits && !errors.Is(err, kernels.ErrShape) {
			t.Errorf("%+v: error %v", try, err)
		}
	}
}
