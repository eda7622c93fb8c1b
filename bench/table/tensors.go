package main

import (
	"math"
	"math/rand/v2"

	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// tensors are the inputs of a kernel and the place for its gradient.
type tensors[T kernels.Float] struct {
	n, c, s  int
	x, dx, r []T
	y        []uint8
	release  []func()
}

// newTensors fills tensors with the numbers that the kernel takes: logits, or
// probabilities, and a target of either kind.
func newTensors[T kernels.Float](k *kernel, n, c, s int) *tensors[T] {
	t := &tensors[T]{n: n, c: c, s: s}
	alloc := func(n int) []T {
		v, free := probe.Alloc[T](n)
		t.release = append(t.release, free)
		return v
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	t.x, t.dx = alloc(n*c*s), alloc(n*c*s)
	clear(t.dx) // its pages are there before the first call
	for i := range t.x {
		v := 3 * rnd.NormFloat64()
		if k.activation == kernels.None {
			v = 1 / (1 + math.Exp(-v))
		}
		t.x[i] = T(v)
	}
	if k.labels {
		y, free := probe.Alloc[uint8](n * s)
		t.y, t.release = y, append(t.release, free)
		for i := range y {
			y[i] = uint8(rnd.IntN(max(c, 2)))
		}
		return t
	}
	t.r = alloc(n * c * s)
	for i := range t.r {
		t.r[i] = T(rnd.IntN(2))
	}
	return t
}

func (t *tensors[T]) free() {
	for _, f := range t.release {
		f()
	}
}

func (t *tensors[T]) target() kernels.Target {
	if t.y != nil {
		return kernels.Labels(t.y)
	}
	return kernels.Dense(t.r)
}
