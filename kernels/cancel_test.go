package kernels_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segloss/segloss/kernels"
)

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines; %d before", runtime.NumGoroutine(), before)
}

// untouched counts the NaNs that a buffer was filled with.
func untouched(dx []float32) (n int) {
	for _, v := range dx {
		if v != v {
			n++
		}
	}
	return n
}

func TestCancelledBefore(t *testing.T) { onBackends(t, testCancelledBefore) }

func testCancelledBefore(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rnd := rand.New(rand.NewPCG(31, 32))
	c := randomCase(rnd, "dice + bce", kernels.Sigmoid, 2, 2, 500, false, weighted)
	for _, workers := range []int{1, 3} {
		p := newProblem[float32](t, c, kernels.NCS, manyUnits(workers)...)
		plan := p.plan(t)
		want, wantDX := p.runOn(t, plan)
		dx := filled[float32](len(p.x), math.NaN())
		v, err := plan.Forward(context.Background(), p.x, p.target)
		if err != nil {
			t.Fatal(err)
		}
		sums := plan.NewSums(2)
		confusion := &kernels.Confusion{}
		_, e1 := plan.ForwardBackward(ctx, dx, p.x, p.target, once)
		_, e2 := plan.Forward(ctx, p.x, p.target)
		for i, err := range []error{
			e1, e2,
			plan.Backward(ctx, dx, p.x, p.target, v, once),
			plan.Backward(ctx, dx, p.x, p.target, v, kernels.Grad{}),
			plan.Reduce(ctx, sums, 0, p.x, p.target),
			plan.Confusion(ctx, confusion, p.x, p.target),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("call %d: error %v; want %v", i, err, context.Canceled)
			}
		}
		if n := untouched(dx); n != len(dx) {
			t.Errorf("%d elements written", len(dx)-n)
		}
		if slices.IndexFunc(sums.Data(), func(v float64) bool { return v != 0 }) >= 0 || confusion.Classes != 0 {
			t.Error("sums or counts were written")
		}
		// The value from before is still the latest, and good.
		if err := plan.Backward(context.Background(), dx, p.x, p.target, v, once); err != nil {
			t.Error(err)
		}
		sameBits(t, "after the cancellation", v.Loss, dx, want, wantDX)
	}
	settled(t, before)
}

// A call that is cancelled while it works finishes the units under way, and no
// other.
func TestCancelledBetween(t *testing.T) { onBackends(t, testCancelledBetween) }

func testCancelledBetween(t *testing.T) {
	before := runtime.NumGoroutine()
	rnd := rand.New(rand.NewPCG(33, 34))
	c := randomCase(rnd, "dice + bce", kernels.Sigmoid, 2, 2, 400, false, bare)
	for _, workers := range []int64{1, 3} {
		// A unit of work is a tile of 8 positions: there are 100 of them.
		p := newProblem[float32](t, c, kernels.NCS, kernels.WithThresholds(8, 8, 8, 0), kernels.WithWorkers(int(workers)))
		plan := p.plan(t)
		want, wantDX := p.runOn(t, plan)
		var tiles, stopAt atomic.Int64
		var cancel context.CancelFunc
		kernels.OnTile(plan, func() {
			if tiles.Add(1) == stopAt.Load() {
				cancel()
			}
		})
		v, err := plan.Forward(context.Background(), p.x, p.target)
		if err != nil || tiles.Load() != 100 {
			t.Fatalf("%d tiles, %v", tiles.Load(), err)
		}
		for _, at := range []int64{1, 2, 50, 99, 100} {
			sums, dx := plan.NewSums(2), filled[float32](len(p.x), math.NaN())
			for name, call := range map[string]func(ctx context.Context) error{
				"Backward": func(ctx context.Context) error { return plan.Backward(ctx, dx, p.x, p.target, v, once) },
				"Reduce":   func(ctx context.Context) error { return plan.Reduce(ctx, sums, 0, p.x, p.target) },
			} {
				tiles.Store(0)
				stopAt.Store(at)
				var ctx context.Context
				ctx, cancel = context.WithCancel(context.Background())
				if err := call(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error %v; want %v", name, err, context.Canceled)
				}
				cancel()
				// Other workers may be on the way while this one cancels.
				if n := tiles.Load(); n < at || workers == 1 && n > at {
					t.Errorf("%s, %d workers: %d tiles computed, cancelled in number %d", name, workers, n, at)
				}
				if name == "Backward" && untouched(dx) != len(dx)-16*int(tiles.Load()) {
					t.Errorf("%d elements written by %d tiles", len(dx)-untouched(dx), tiles.Load())
				}
				stopAt.Store(-1)
			}
			if slices.IndexFunc(sums.Data(), func(v float64) bool { return v != 0 }) >= 0 {
				t.Error("the sums were written")
			}
			loss, d := p.runOn(t, plan)
			sameBits(t, "after the cancellation", loss, d, want, wantDX)
			if v, err = plan.Forward(context.Background(), p.x, p.target); err != nil {
				t.Fatal(err)
			}
		}
	}
	settled(t, before)
}

// stopper is a region loss that cancels a context: it runs after the forward
// pass and before the backward pass.
type stopper struct{ cancel func() }

func (stopper) Name() string { return "stopper" }

func (s stopper) Eval(_, _ []kernels.Cell) float64 {
	s.cancel()
	return 0
}

func TestCancelledBetweenPasses(t *testing.T) { onBackends(t, testCancelledBetweenPasses) }

func testCancelledBetweenPasses(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	l := mustParse(t, "dice + stopper", stopper{func() { cancel(nil) }})
	plan := mustNew[float32](t, l, kernels.Spec{N: 1, C: 1, S: 8})
	x, dx := make([]float32, 8), filled[float32](8, math.NaN())
	if _, err := plan.ForwardBackward(ctx, dx, x, kernels.Labels(make([]uint8, 8)), once); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want %v", err, context.Canceled)
	}
	if n := untouched(dx); n != 8 {
		t.Errorf("%d elements written", 8-n)
	}
}

func TestDeadline(t *testing.T) { onBackends(t, testDeadline) }

func testDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	plan := mustNew[float32](t, mustParse(t, "dice"), kernels.Spec{N: 1, C: 1, S: 8})
	if _, err := plan.Forward(ctx, make([]float32, 8), kernels.Labels(make([]uint8, 8))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v; want %v", err, context.DeadlineExceeded)
	}
}
