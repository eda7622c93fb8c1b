package kernels_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// The same input gives the same bits. These tests hold every way of cutting
// and repeating the work to that.

// sameBits fails unless two runs gave the same.
func sameBits[T kernels.Float](t testing.TB, what string, loss float64, dx []T, wantLoss float64, wantDX []T) {
	t.Helper()
	if math.Float64bits(loss) != math.Float64bits(wantLoss) {
		t.Errorf("%s: loss %v; want %v", what, loss, wantLoss)
	}
	if i := different(dx, wantDX); i >= 0 {
		t.Errorf("%s: dx[%d] = %v; want %v", what, i, dx[i], wantDX[i])
	}
}

func TestBitsOfWorkers(t *testing.T) { onBackends(t, testBitsOfWorkers) }

func testBitsOfWorkers(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		for _, layout := range layouts {
			bitsOfWorkers[float32](t, c, layout)
			bitsOfWorkers[float64](t, c, layout)
		}
	})
}

func bitsOfWorkers[T kernels.Float](t *testing.T, c *golden.Case, layout kernels.Layout) {
	t.Helper()
	// A unit of work is a tile: 3 samples of 29 positions are 24 units.
	units := kernels.WithThresholds(4, 4, 4, 0)
	loss, dx := newProblem[T](t, c, layout, units, kernels.WithWorkers(1)).run(t)
	for _, workers := range []int{2, 7} {
		p := newProblem[T](t, c, layout, units, kernels.WithWorkers(workers))
		plan := p.plan(t)
		for range 2 {
			l, d := p.runOn(t, plan)
			sameBits(t, fmt.Sprintf("%s: %d workers", c.ID, workers), l, d, loss, dx)
		}
	}
}

// With the real thresholds: 2 samples of 4 chunks each.
func TestBitsOfWorkersOnChunks(t *testing.T) { onBackends(t, testBitsOfWorkersOnChunks) }

func testBitsOfWorkersOnChunks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(15, 16))
	_, _, chunk, _ := kernels.RealThresholds(2)
	for _, act := range activations {
		c := randomCase(rnd, "dice + bce + ss", act, 2, 2, 4*chunk+77, act == kernels.Sigmoid, weighted)
		var loss float64
		var dx []float32
		for _, workers := range []int{1, 2, 7} {
			l, d := newProblem[float32](t, c, kernels.NCS, kernels.WithWorkers(workers)).run(t)
			if workers == 1 {
				loss, dx = l, d
			}
			sameBits(t, fmt.Sprintf("%s: %d workers", c.ID, workers), l, d, loss, dx)
		}
	}
}

// Neither the type of labels nor what lies behind them in memory changes a bit.
func TestBitsOfLabels(t *testing.T) { onBackends(t, testBitsOfLabels) }

func testBitsOfLabels(t *testing.T) {
	rnd := rand.New(rand.NewPCG(17, 18))
	for _, s := range []int{64, 130, 200, 512, 16<<10 + 64} {
		c := randomCase(rnd, "dice + ss", kernels.None, 1, 3, s, false, bare)
		p := newProblem[float32](t, c, kernels.NSC)
		y, longer := convert[uint8](c.Labels), make([]uint8, s+64)
		copy(longer, y)
		p.target = kernels.Labels(slices.Clip(y))
		loss, dx := p.run(t)
		for name, target := range map[string]kernels.Target{
			"more memory": kernels.Labels(longer[:s]),
			"int32":       kernels.Labels(convert[int32](c.Labels)),
			"int64":       kernels.Labels(c.Labels),
		} {
			p.target = target
			l, d := p.run(t)
			sameBits(t, fmt.Sprintf("S=%d: %s", s, name), l, d, loss, dx)
		}
	}
}

// A plan is as good as new after any call, and what was in its buffers and in
// the caller's does not show.
func TestBitsOfRepeats(t *testing.T) { onBackends(t, testBitsOfRepeats) }

func testBitsOfRepeats(t *testing.T) {
	everywhere(t, func(t *testing.T, rnd *rand.Rand, c *golden.Case) {
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout, manyUnits(2)...)
			loss, dx := p.run(t)
			plan := p.plan(t)
			other := newProblem[float32](t, randomCase(rnd, c.Loss, p.spec.Activation, c.N, c.C, c.S, false, bare), layout)
			for i := range other.x {
				other.x[i] *= 30
			}
			for range 2 {
				d := filled[float32](len(dx), math.NaN())
				v, err := plan.ForwardBackward(context.Background(), d, p.x, p.target, once)
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, c.ID, v.Loss, d, loss, dx)
				if c.IgnoreIndex == nil {
					other.runOn(t, plan)
				}
			}
		}
	})
}

// Not what comes before in the batch, nor the plan's capacity, changes a bit.
func TestBitsOfSized(t *testing.T) { onBackends(t, testBitsOfSized) }

func testBitsOfSized(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		for _, opts := range [][]kernels.Option{nil, manyUnits(3)} {
			p := newProblem[float64](t, c, kernels.NSC, opts...)
			loss, dx := p.run(t)
			for _, room := range [][2]int{{0, 0}, {5, 0}, {0, 300}, {1, 64}} {
				big := *p
				big.spec.N += room[0]
				big.spec.S += room[1]
				big.target = p.target.Sized(c.N, c.S)
				l, d := big.run(t)
				sameBits(t, fmt.Sprintf("%s with room for %v more", c.ID, room), l, d, loss, dx)
			}
		}
	})
}

// Every smaller batch fits into a plan, however the capacity was cut.
func TestEverySizeFits(t *testing.T) { onBackends(t, testEverySizeFits) }

func testEverySizeFits(t *testing.T) {
	l := mustParse(t, "dice")
	for _, capacity := range []int{1, 97, 1281, 1310} {
		plan := mustNew[float64](t, l, kernels.Spec{N: 1, C: 1, S: capacity}, manyUnits(1)...)
		x, y := make([]float64, capacity), make([]uint8, capacity)
		for i := range x {
			x[i], y[i] = 1, 1
		}
		for s := range capacity + 1 {
			v, err := plan.Forward(context.Background(), x[:s], kernels.Labels(y[:s]).Sized(1, s))
			if err != nil || v.Loss != 0 {
				t.Fatalf("%d of %d positions: loss %v, %v", s, capacity, v.Loss, err)
			}
		}
	}
}

// The sums of shards by samples give the whole's bits in any order.
func TestBitsOfShards(t *testing.T) { onBackends(t, testBitsOfShards) }

func testBitsOfShards(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		p := newProblem[float32](t, c, kernels.NCS)
		loss, dx := p.run(t)
		for _, cuts := range [][]int{{0, 1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 3}} {
			for _, order := range permutations(len(cuts) - 1) {
				l, d := shards(t, c, cuts, order)
				sameBits(t, fmt.Sprintf("%s cut at %v, added in the order %v", c.ID, cuts, order), l, d, loss, dx)
			}
		}
	})
}

func shards(t *testing.T, c *golden.Case, cuts, order []int) (loss float64, dx []float32) {
	t.Helper()
	ctx := context.Background()
	n := len(cuts) - 1
	plans, parts, sums := make([]*kernels.Plan[float32], n), make([]*problem[float32], n), make([]*kernels.Sums, n)
	for i := range n {
		parts[i] = newProblem[float32](t, samples(c, cuts[i], cuts[i+1]), kernels.NCS, manyUnits(i)...)
		parts[i].opts = parts[i].opts[2:] // those of the case
		parts[i].target = parts[i].target.Sized(parts[i].spec.N, c.S)
		parts[i].spec.N = 3
		plans[i] = parts[i].plan(t)
		sums[i] = plans[i].NewSums(c.N)
		if err := plans[i].Reduce(ctx, sums[i], cuts[i], parts[i].x, parts[i].target); err != nil {
			t.Fatal(err)
		}
	}
	total := plans[0].NewSums(c.N)
	for _, i := range order {
		if err := total.Add(sums[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, plan := range plans {
		v, err := plan.Finish(total, cuts[i])
		if err != nil {
			t.Fatal(err)
		}
		part := make([]float32, len(parts[i].x))
		if err := plan.Backward(ctx, part, parts[i].x, parts[i].target, v, once); err != nil {
			t.Fatal(err)
		}
		loss, dx = v.Loss, append(dx, part...)
	}
	return loss, dx
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// Weights and masks of ones are as good as none.
func TestBitsOfOnes(t *testing.T) { onBackends(t, testBitsOfOnes) }

func testBitsOfOnes(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		if c.Weights != nil || c.Mask != nil {
			return
		}
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout)
			loss, dx := p.run(t)
			bare, weights, mask := p.target, filled[float32](c.N*c.S, 1), make([]uint8, c.N*c.S)
			for i := range mask {
				mask[i] = uint8(1 + i%255) // anything but 0
			}
			for name, target := range map[string]kernels.Target{
				"weights": bare.Weights(weights),
				"a mask":  bare.Mask(mask),
				"both":    bare.Weights(weights).Mask(mask),
			} {
				p.target = target
				l, d := p.run(t)
				sameBits(t, c.ID+" with "+name, l, d, loss, dx)
			}
		}
	})
}

func TestBitsInPlace(t *testing.T) { onBackends(t, testBitsInPlace) }

func testBitsInPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout, manyUnits(2)...)
			loss, dx := p.run(t)
			for _, r := range []route[float32]{{"in place", inPlace[float32]}, {"in two calls", apart[float32]}} {
				l, d, err := r.run(t, c, p)
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, c.ID+" "+r.name, l, d, loss, dx)
			}
		}
	})
}

func TestInputsUnchanged(t *testing.T) { onBackends(t, testInputsUnchanged) }

func testInputsUnchanged(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout)
			x := slices.Clone(p.x)
			r, y := arrange[float32](c.Target, p.spec), convert[int32](c.Labels)
			weights, mask := convert[float32](c.Weights), slices.Clone(c.Mask)
			if c.Target != nil {
				p.target = kernels.Dense(r)
			} else {
				p.target = kernels.Labels(y)
			}
			if c.Weights != nil {
				p.target = p.target.Weights(weights)
			}
			if c.Mask != nil {
				p.target = p.target.Mask(mask)
			}
			p.run(t)
			if different(p.x, x) >= 0 || different(r, arrange[float32](c.Target, p.spec)) >= 0 ||
				!slices.Equal(y, convert[int32](c.Labels)) || different(weights, convert[float32](c.Weights)) >= 0 || !slices.Equal(mask, c.Mask) {
				t.Errorf("%v %s: an input has changed", layout, c.ID)
			}
		}
	})
}

// Many plans run side by side, sharing a loss, a caller's own region and all
// inputs. The race detector watches.
func TestSideBySide(t *testing.T) { onBackends(t, testSideBySide) }

func testSideBySide(t *testing.T) {
	rnd := rand.New(rand.NewPCG(17, 18))
	c := randomCase(rnd, "dice", kernels.Softmax, 2, 3, 200, false, weighted)
	p := newProblem[float32](t, c, kernels.NCS, manyUnits(2)...)
	p.loss = mustParse(t, "dice + ce + 0.5*mcc + focal_ce", mcc{})
	loss, dx := p.run(t)
	var all sync.WaitGroup
	for range max(4, runtime.GOMAXPROCS(0)) {
		all.Add(1)
		go func() {
			defer all.Done()
			plan, err := kernels.New[float32](p.loss, p.spec, p.opts...)
			if err != nil {
				t.Error(err)
				return
			}
			for range 3 {
				d := make([]float32, len(dx))
				v, err := plan.ForwardBackward(context.Background(), d, p.x, p.target, once)
				if err != nil {
					t.Error(err)
					return
				}
				sameBits(t, "side by side", v.Loss, d, loss, dx)
			}
		}()
	}
	all.Wait()
}
