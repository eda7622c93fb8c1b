package main

import (
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/plain"
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// tensors are the arguments of a call.
type tensors[T kernels.Float] struct {
	c, s  int
	x, dx []T
	y     []uint8
	free  []func()
}

// newTensors fills half of the L2 with one sample.
func newTensors[T kernels.Float](o *options, by plain.Activation) *tensors[T] {
	c := o.classes
	t := &tensors[T]{c: c, s: machine.L2() / 2 / (2*c*int(unsafe.Sizeof(T(0))) + 1)}
	free := make([]func(), 3)
	t.x, free[0] = probe.Alloc[T](c * t.s)
	t.dx, free[1] = probe.Alloc[T](c * t.s)
	t.y, free[2] = probe.Alloc[uint8](t.s)
	t.free = free
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range t.x {
		v := 3 * rnd.NormFloat64()
		if by == plain.None {
			v = 1 / (1 + math.Exp(-v))
		}
		t.x[i] = T(v)
	}
	for i := range t.y {
		if i == 0 || rnd.IntN(o.run) == 0 {
			t.y[i] = uint8(rnd.IntN(c))
		} else {
			t.y[i] = t.y[i-1]
		}
	}
	return t
}

func (t *tensors[T]) release() {
	for _, f := range t.free {
		f()
	}
}

// dense returns the labels as a target of zeros and ones.
func (t *tensors[T]) dense() []T {
	r := make([]T, t.c*t.s)
	for i, y := range t.y {
		r[int(y)*t.s+i] = 1
	}
	return r
}
