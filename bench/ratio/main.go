// Command ratio times dice + ce, forward and backward, against the plain Go of
// bench/baseline: softmax, C = 4, uint8 labels, 4×4×96³ float32. Both run in
// turn in every round, so that the noise of the machine falls on both, and what
// it prints is the median of the rounds' ratios.
//
//	go run ./bench/ratio [-rounds 9] [-side 96]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/segloss/segloss/bench/baseline"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/kernels"
)

const samples, classes = 4, 4

func main() {
	rounds := flag.Int("rounds", 9, "rounds to take the median of")
	side := flag.Int("side", 96, "voxels along each axis")
	flag.Parse()
	if *rounds < 1 || *side < 1 {
		log.Fatal("ratio: -rounds and -side must be at least 1")
	}
	s := *side * *side * *side
	x, y := volume(s)
	dx := make([]float32, len(x))

	for _, workers := range []int{1, 2} {
		plan, allocated, err := newPlan(s, workers, dx, x, y)
		if err != nil {
			log.Fatal(err)
		}
		var ratios, base, own []float64
		for range *rounds {
			want := 0.0
			b := seconds(func() { want = baseline.SoftmaxDiceCE(dx, x, y, samples, classes, s) })
			var v kernels.Value
			o := seconds(func() {
				v, err = plan.ForwardBackward(context.Background(), dx, x, kernels.Labels(y), kernels.Grad{Scale: 1})
			})
			if err != nil || math.Abs(v.Loss-want) > 1e-5*want {
				log.Fatalf("ratio: loss %v, baseline %v, error %v", v.Loss, want, err)
			}
			ratios, base, own = append(ratios, b/o), append(base, b), append(own, o)
		}
		perElement := 1e9 / float64(len(x))
		fmt.Printf("dice + ce, softmax, %d×%d×%d³ float32, backend %s, %d worker(s): %.2f times baseline (%.2f … %.2f); %.1f against %.1f ns an element; New and one call allocate %.2f MiB\n",
			samples, classes, *side, plan.Backend(), workers, stat.Median(ratios), slices.Min(ratios), slices.Max(ratios),
			stat.Median(own)*perElement, stat.Median(base)*perElement, float64(allocated)/(1<<20))
	}
}

func volume(s int) (x []float32, y []uint8) {
	rnd := rand.New(rand.NewPCG(1, 2))
	x, y = make([]float32, samples*classes*s), make([]uint8, samples*s)
	for i := range x {
		x[i] = float32(3 * rnd.NormFloat64())
	}
	for i := range y {
		y[i] = uint8(rnd.IntN(classes))
	}
	return x, y
}

// newPlan makes a plan and runs it once, counting the bytes that both allocate.
func newPlan(s, workers int, dx, x []float32, y []uint8) (*kernels.Plan[float32], uint64, error) {
	l, err := kernels.Parse("dice + ce")
	if err != nil {
		return nil, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := kernels.New[float32](l, kernels.Spec{N: samples, C: classes, S: s, Activation: kernels.Softmax}, kernels.WithWorkers(workers))
	if err == nil {
		_, err = p.ForwardBackward(context.Background(), dx, x, kernels.Labels(y), kernels.Grad{Scale: 1})
	}
	runtime.ReadMemStats(&after)
	return p, after.TotalAlloc - before.TotalAlloc, err
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}
