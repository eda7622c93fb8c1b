package cuda

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// fill draws the sums of a batch: of most cells plausible ones, of some extremes.
func fill(rng *rand.Rand, data []float64, stride, k int) {
	for i := range data {
		at := i % stride
		v := rng.ExpFloat64() * math.Pow(10, float64(rng.IntN(5)))
		if rng.IntN(6) == 0 {
			v = 0
		}
		if at > 0 && (at-1)%k >= 7 { // most of these are logarithms
			v = -v
		}
		data[i] = v
	}
	switch rng.IntN(12) {
	case 0: // an empty sample
		clear(data[:stride])
	case 1:
		data[rng.IntN(len(data))] = math.NaN()
	case 2:
		data[rng.IntN(len(data))] = math.Inf(1)
	case 3: // a class of next to no volume
		data[1+k*rng.IntN(3)] = 1e-160
	}
}

// TestFinish holds the finish on the device to the one in Go: every loss with every
// option, on sums that were drawn.
func TestFinish(t *testing.T) {
	d := open(t, ptxsim.Options{})
	rng := rand.New(rand.NewPCG(8, 9))
	rounds := 6
	if testing.Short() {
		rounds = 1
	}
	var all []string
	for _, info := range kernels.Losses() {
		all = append(all, variants.Expressions(info, 3, func(kernels.OptionInfo) []string { return []string{"0", "0.5", "1"} })...)
	}
	all = append(all, "2*gdl - 0.5*wce + ce + tversky(batch=true,soft=true)")
	usual := len(all)
	for _, info := range kernels.Losses() {
		all = append(all, variants.Extremes(info, 3, []float64{5e-324, 1e-160, 1e160, math.MaxFloat64})...)
		all = append(all, "1e308*"+info.Name)
	}
	for i, expr := range all {
		if raceDetector && i%20 != 0 {
			continue
		}
		if i == usual {
			rounds = 1
		}
		l := parse(t, expr)
		p, err := d.New(l, kernels.Spec{N: 4, C: 3, S: 1, Activation: kernels.Sigmoid}, Float32)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		for range rounds {
			n := 1 + rng.IntN(4)
			stride := p.program.Stride()
			fill(rng, p.batch.Data[:n*stride], stride, p.program.K)
			compareFinish(t, p, expr, n)
		}
		p.Close()
	}
}

// compareFinish finishes the sums of n samples on both sides.
func compareFinish(t *testing.T, p *Plan, expr string, n int) {
	t.Helper()
	ctx, c, stride := p.dev.ctx, p.call, p.program.Stride()
	if err := ctx.CopyIn(c.sums, bytesOf(&p.batch.Data[0], n*stride), 0); err != nil {
		t.Fatal(err)
	}
	c.n, c.passes = uint32(n), passFinish
	if err := p.launch(1, 0, 0, false); err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	coef := make([]float64, n*(stride-1))
	result := make([]float64, 1+len(p.program.Terms))
	if err := ctx.CopyOut(bytesOf(&coef[0], len(coef)), c.coef, 0); err != nil {
		t.Fatal(err)
	}
	if err := ctx.CopyOut(bytesOf(&result[0], len(result)), c.result, 0); err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(coef))
	loss := p.batch.Finish(want, n, 0, n)
	size := math.Abs(loss)
	for i, v := range p.batch.Values {
		size += math.Abs(v * p.program.Terms[i].Coef)
	}
	if !near(result[0], loss, size) {
		t.Errorf("%s: loss %v, want %v", expr, result[0], loss)
	}
	for i, v := range p.batch.Values {
		if !near(result[1+i], v, math.Abs(v)) {
			t.Errorf("%s: term %d is %v, want %v", expr, i, result[1+i], v)
		}
	}
	for i, w := range want {
		if !near(coef[i], w, math.Abs(w)) {
			t.Errorf("%s: coefficient %d is %v, want %v; sums %v", expr, i, coef[i], w, p.batch.Data[:n*stride])
			return
		}
	}
}

// near allows for another logarithm and another power, and for the cancellation of terms
// of the given size.
func near(got, want, size float64) bool {
	return same(got, want) || math.Abs(got-want) <= 1e-12*size
}
