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
	fill(t.x, func() T {
		v := 3 * rnd.NormFloat64()
		if k.activation == kernels.None {
			v = 1 / (1 + math.Exp(-v))
		}
		return T(v)
	})
	if k.labels {
		y, free := probe.Alloc[uint8](n * s)
		t.y, t.release = y, append(t.release, free)
		fill(y, func() uint8 { return uint8(rnd.IntN(max(c, 2))) })
		return t
	}
	t.r = alloc(n * c * s)
	fill(t.r, func() T { return T(rnd.IntN(2)) })
	return t
}

// fill writes random numbers, which repeat themselves at a distance that nothing
// in a processor knows of.
func fill[E any](v []E, next func() E) {
	const period = 1<<16 + 1
	for i := range min(period, len(v)) {
		v[i] = next()
	}
	for n := period; n < len(v); n *= 2 {
		copy(v[n:], v[:n])
	}
}

// first returns the tensors of a part of the positions of a single sample, in the
// same memory.
func (t *tensors[T]) first(part int) *tensors[T] {
	f := *t
	f.s = max(t.s/part, 1)
	n := t.c * f.s
	f.x, f.dx, f.r = t.x[:n], t.dx[:n], t.r[:min(n, len(t.r))]
	f.y = t.y[:min(f.s, len(t.y))]
	return &f
}

func (t *tensors[T]) free() {
	for _, f := range t.release {
		f()
	}
}

func (t *tensors[T]) target() kernels.Target {
	if len(t.y) > 0 {
		return kernels.Labels(t.y)
	}
	return kernels.Dense(t.r)
}
