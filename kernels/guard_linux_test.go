package kernels_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// guarded is memory between two pages that may not be touched.
type guarded []byte

func newGuarded(t *testing.T, size int) guarded {
	t.Helper()
	return kernels.GuardedMemory(t, size)
}

// edge copies x to the end of the memory, or to its start.
func edge[E any](g guarded, x []E, atEnd bool) []E { return kernels.CopyTo(g, x, atEnd) }

// No kernel of any backend reads or writes a byte beside the caller's buffers.
// Every length gives the buffers another alignment.
func TestGuardPages(t *testing.T) {
	onBackends(t, func(t *testing.T) {
		guardPages[float32](t)
		guardPages[float64](t)
	})
}

func guardPages[T kernels.Float](t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	size := 130 * 4 * 8
	x, dx, dense := newGuarded(t, size), newGuarded(t, size), newGuarded(t, size)
	labels, weights, mask := newGuarded(t, 130*8), newGuarded(t, 130*4), newGuarded(t, 130)
	rnd, tried := rand.New(rand.NewPCG(37, 38)), kernels.Sampler(4)
	what := ""
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", what, r)
		}
	}()
	for s := range 131 {
		for i, atEnd := range []bool{true, false} {
			classes := 1 + (s+i)%4
			act := activations[(s+i)%min(classes+1, 3)]
			for _, layout := range layouts {
				for _, isDense := range []bool{true, false} {
					for _, with := range []cover{bare, weighted, masked} {
						if !tried() {
							continue
						}
						c := randomCase(rnd, mixtureFor(classes), act, 1, classes, s, isDense, with)
						what = fmt.Sprintf("%s %v at end: %v", c.ID, layout, atEnd)
						p := newProblem[T](t, c, layout)
						loss, want := p.run(t)
						p.x = edge(x, p.x, atEnd)
						p.target = guardedTarget[T](c, p.spec, atEnd, s%3, dense, labels, weights, mask)
						d := edge(dx, want, atEnd)
						for i := range d {
							d[i] = 7
						}
						v, err := p.plan(t).ForwardBackward(context.Background(), d, p.x, p.target, once)
						if err != nil {
							t.Fatalf("%s: %v", what, err)
						}
						sameBits(t, what, v.Loss, d, loss, want)
						p.runInPlace(t)
					}
				}
			}
		}
	}
}

func (p *problem[T]) runInPlace(t *testing.T) {
	t.Helper()
	if _, err := p.plan(t).ForwardBackward(context.Background(), p.x, p.x, p.target, once); err != nil {
		t.Fatal(err)
	}
}

func guardedTarget[T kernels.Float](c *golden.Case, spec kernels.Spec, atEnd bool, kind int, dense, labels, weights, mask guarded) (t kernels.Target) {
	switch {
	case c.Target != nil:
		t = kernels.Dense(edge(dense, arrange[T](c.Target, spec), atEnd))
	case kind == 0:
		t = kernels.Labels(edge(labels, convert[uint8](c.Labels), atEnd))
	case kind == 1:
		t = kernels.Labels(edge(labels, convert[int32](c.Labels), atEnd))
	default:
		t = kernels.Labels(edge(labels, c.Labels, atEnd))
	}
	if c.Weights != nil {
		t = t.Weights(edge(weights, convert[float32](c.Weights), atEnd))
	}
	if c.Mask != nil {
		t = t.Mask(edge(mask, c.Mask, atEnd))
	}
	return t
}
