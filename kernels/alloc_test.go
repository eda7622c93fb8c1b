package kernels_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func TestCallsAllocateNothing(t *testing.T) { onBackends(t, testCallsAllocateNothing) }

func testCallsAllocateNothing(t *testing.T) {
	if kernels.RaceDetector {
		t.Skip("the race detector allocates")
	}
	rnd := rand.New(rand.NewPCG(35, 36))
	for _, act := range activations {
		for _, dense := range []bool{true, false} {
			for _, with := range covers(dense) {
				c := randomCase(rnd, mixture, act, 2, 3, 100, dense, with)
				for _, layout := range layouts {
					for _, workers := range []int{1, 2} {
						allocations[float32](t, newProblem[float32](t, c, layout, manyUnits(workers)...), c.ID)
						allocations[float64](t, newProblem[float64](t, c, layout, manyUnits(workers)...), c.ID)
					}
				}
			}
		}
	}
}

func allocations[T kernels.Float](t *testing.T, p *problem[T], id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	plan := p.plan(t)
	dx, sums, other := make([]T, len(p.x)), plan.NewSums(2), plan.NewSums(2)
	var v kernels.Value
	var err error
	for _, call := range []struct {
		name string
		run  func()
	}{
		{"Forward", func() { v, err = plan.Forward(ctx, p.x, p.target) }},
		{"Backward", func() { err = plan.Backward(ctx, dx, p.x, p.target, v, once) }},
		{"Backward, accumulating", func() { err = plan.Backward(ctx, dx, p.x, p.target, v, kernels.Grad{Scale: 1, Accumulate: true}) }},
		{"ForwardBackward", func() { v, err = plan.ForwardBackward(ctx, dx, p.x, p.target, once) }},
		{"Reduce", func() { err = plan.Reduce(ctx, sums, 0, p.x, p.target) }},
		{"Add", func() { err = other.Add(sums) }},
		{"Finish", func() { v, err = plan.Finish(sums, 0) }},
		{"making a target", func() { _ = kernels.Dense(p.x).Weights(nil).Mask(nil).Sized(1, 2) }},
	} {
		if n := testing.AllocsPerRun(5, call.run); n != 0 || err != nil {
			t.Errorf("%s %T %v: %s: %v allocations, error %v", id, p.x, p.spec.Layout, call.name, n, err)
		}
	}
}

// A plan needs little memory, whatever the size of the tensor.
func TestPlanMemory(t *testing.T) { onBackends(t, testPlanMemory) }

func testPlanMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a tensor of 57 MB")
	}
	if os.Getenv(kernels.BackendEnv) == kernels.LoopsBackend {
		t.Skip("the loops allocate")
	}
	spec := kernels.Spec{N: 4, C: 4, S: 96 * 96 * 96, Activation: kernels.Softmax}
	l := mustParse(t, "dice + ce")
	x, dx := make([]float32, spec.N*spec.C*spec.S), make([]float32, spec.N*spec.C*spec.S)
	y := make([]uint8, spec.N*spec.S)
	for i := range x {
		x[i] = float32(i*7919%1001)/100 - 5
	}
	for i := range y {
		y[i] = uint8(i / 1000 % 4)
	}
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) { planMemory(t, l, spec, workers, dx, x, kernels.Labels(y)) })
	}
	half := spec // few enough positions to keep the labels of all
	half.N /= 2
	y64 := convert[int64](y[:half.N*half.S])
	x, dx = x[:len(x)/2], dx[:len(dx)/2]
	t.Run("int64", func(t *testing.T) { planMemory(t, l, half, 2, dx, x, kernels.Labels(y64)) })
}

func planMemory(t *testing.T, l kernels.Loss, spec kernels.Spec, workers int, dx, x []float32, target kernels.Target) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	plan := mustNew[float32](t, l, spec, kernels.WithWorkers(workers))
	_, err := plan.ForwardBackward(context.Background(), dx, x, target, once)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n >= 4<<20 {
		t.Errorf("New and ForwardBackward allocate %d bytes; want less than 4 MiB", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
