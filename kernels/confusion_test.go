package kernels_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// count is the confusion matrix straight from its definition.
func count(c *golden.Case) []float64 {
	classes := max(c.C, 2)
	counts := make([]float64, classes*classes)
	half := 0.0
	if c.Activation == "none" {
		half = 0.5
	}
	r, v := c.Dense()
	class := func(x []float64, i int, half float64) int {
		at := i/c.S*c.C*c.S + i%c.S
		if c.C == 1 {
			if x[at] >= half {
				return 1
			}
			return 0
		}
		best := 0
		for k := range c.C {
			if x[at+k*c.S] > x[at+best*c.S] {
				best = k
			}
		}
		return best
	}
	for i := range c.N * c.S {
		counts[class(r, i, 0.5)*classes+class(c.Pred, i, half)] += v[i]
	}
	return counts
}

func TestConfusion(t *testing.T) { onBackends(t, testConfusion) }

func testConfusion(t *testing.T) {
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(39, 40))
	for _, classes := range []int{1, 2, 5} {
		for _, act := range activations[:min(classes+1, 3)] {
			for _, dense := range []bool{true, false} {
				for _, with := range covers(dense) {
					for _, layout := range layouts {
						c := randomCase(rnd, "dice", act, 3, classes, 40, dense, with)
						p := newProblem[float32](t, c, layout, manyUnits(2)...)
						plan := p.plan(t)
						m := new(kernels.Confusion)
						if err := plan.Confusion(ctx, m, p.x, p.target); err != nil {
							t.Fatal(err)
						}
						want := count(c)
						if m.Classes != max(classes, 2) || !slices.Equal(m.Counts, want) {
							t.Errorf("%s %v: %v; want %v", c.ID, layout, m.Counts, want)
						}
						// Batches add up.
						if err := plan.Confusion(ctx, m, p.x, p.target); err != nil {
							t.Fatal(err)
						}
						for i := range want {
							want[i] *= 2
						}
						if !slices.Equal(m.Counts, want) {
							t.Errorf("%s %v: twice: %v; want %v", c.ID, layout, m.Counts, want)
						}
						// And a loss taken in between is none the worse.
						loss, dx := p.run(t)
						l, d := p.runOn(t, plan)
						sameBits(t, c.ID+" after counting", l, d, loss, dx)
					}
				}
			}
		}
	}
}

func TestConfusionScores(t *testing.T) {
	m := kernels.Confusion{Classes: 3, Counts: []float64{
		5, 1, 0, // target 0
		2, 4, 0,
		0, 0, 0,
	}}
	for class, want := range []struct{ dice, iou float64 }{
		{10. / 13, 5. / 8}, {8. / 11, 4. / 7}, {nan, nan},
	} {
		dice, iou := m.Dice(class), m.IoU(class)
		if !(math.Abs(dice-want.dice) < 1e-15 && math.Abs(iou-want.iou) < 1e-15) && !(math.IsNaN(dice) && math.IsNaN(iou) && math.IsNaN(want.dice)) {
			t.Errorf("class %d: Dice %v, IoU %v; want %v", class, dice, iou, want)
		}
	}
}

func TestConfusionErrors(t *testing.T) { onBackends(t, testConfusionErrors) }

func testConfusionErrors(t *testing.T) {
	ctx := context.Background()
	plan := mustNew[float64](t, mustParse(t, "dice"), kernels.Spec{N: 2, C: 3, S: 10})
	x, r := make([]float64, 60), make([]float64, 60)
	for _, m := range []kernels.Confusion{
		{Classes: 2, Counts: make([]float64, 4)},
		{Classes: 3, Counts: make([]float64, 4)},
		{Classes: 3},
	} {
		wantArg(t, "another matrix", plan.Confusion(ctx, &m, x, kernels.Dense(r)), kernels.ErrShape, "m", -1, m.Classes)
	}
	m := kernels.Confusion{Classes: 3, Counts: make([]float64, 9)}
	for _, into := range [][]float64{x, r} {
		into[47] = nan // sample 1, class 1, position 7
		err := plan.Confusion(ctx, &m, x, kernels.Dense(r))
		into[47] = 0
		wantArg(t, "NaN", err, kernels.ErrNaN, "x", 17, nan)
	}
	if slices.Max(m.Counts) != 0 {
		t.Errorf("counts %v after errors", m.Counts)
	}
	if err := plan.Confusion(ctx, &m, nil, kernels.Dense[float64](nil).Sized(0, 10)); err != nil || slices.Max(m.Counts) != 0 {
		t.Errorf("an empty batch: %v, %v", m.Counts, err)
	}
}
