package kernels_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// beside is what lies on both sides of a slice: reading it spoils a result, and
// writing it shows.
const beside = 16

// shifted copies x to a place that many elements behind an aligned one, among
// NaNs. untouched reports whether they are still there.
func shifted[T kernels.Float](x []T, by int) (moved []T, untouched func() bool) {
	buf := filled[T](len(x)+by+2*beside, math.NaN())
	from, to := beside+by, beside+by+len(x)
	copy(buf[from:], x)
	return buf[from:to:to], func() bool {
		for i, v := range buf {
			if (i < from || i >= to) && v == v {
				return false
			}
		}
		return true
	}
}

// Every length from nothing to more than a tile, with slices at every alignment:
// the result is that of the portable backend to rounding, the alignment changes
// no bit of it, and nothing beside the slices is read or written.
func TestLengthsAndAlignments(t *testing.T) { onBackends(t, testLengthsAndAlignments) }

func testLengthsAndAlignments(t *testing.T) {
	rnd := rand.New(rand.NewPCG(41, 42))
	worst, sampled := 0.0, kernels.Sampler(3)
	tried := 0
	for _, classes := range []int{1, 2, 3, 4, 5, 8} {
		for s := range 131 {
			act := activations[tried%min(classes+1, 3)]
			with := covers(true)[tried/3%3]
			for _, dense := range []bool{true, false} {
				if !sampled() {
					continue
				}
				expr := mixtureFor(classes)
				if !dense && s%2 == 0 {
					expr = "dice + ce" // has kernels of its own for labels
					if classes == 1 {
						expr = "dice + bce"
					}
				}
				c := randomCase(rnd, expr, act, 1, classes, s, dense, with)
				foresee(t, c)
				portable := newProblem[float64](t, c, kernels.NCS, kernels.WithBackend("generic"))
				c.Value, c.Grad = portable.run(t)
				worst = max(worst,
					alignments[float64](t, c, golden.K64, golden.U64, layouts[tried/2%2], tried%8),
					alignments[float32](t, c, golden.K32, golden.U32, layouts[tried/2%2], tried%16))
			}
			tried++
		}
	}
	t.Logf("largest difference from the portable backend: %.3g of the bound", worst)
}

func alignments[T kernels.Float](t *testing.T, c *golden.Case, k, u float64, layout kernels.Layout, by int) float64 {
	t.Helper()
	what := fmt.Sprintf("%T %v %s, %d elements off", T(0), layout, c.ID, by)
	p := newProblem[T](t, c, layout)
	loss, dx := p.run(t)
	worst, err := c.Check(k, u, loss, planar(dx, p.spec))
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	x, xUntouched := shifted(p.x, by)
	out, outUntouched := shifted(dx, (3*by+1)%16)
	rUntouched := func() bool { return true }
	if c.Target != nil {
		var r []T
		r, rUntouched = shifted(arrange[T](c.Target, p.spec), (5*by+2)%16)
		p.target = covered(kernels.Dense(r), c)
	}
	v, err := p.plan(t).ForwardBackward(context.Background(), out, x, p.target, once)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	sameBits(t, what, v.Loss, out, loss, dx)
	if !xUntouched() || !outUntouched() || !rUntouched() {
		t.Errorf("%s: something beside the slices was written", what)
	}
	return worst
}
