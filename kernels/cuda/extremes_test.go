package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// TestExtremes: options, and weights of positions, are any numbers; what float arithmetic
// does not take goes through double. The judge is package kernels in float64, which its own
// tests hold to the exact oracle.
func TestExtremes(t *testing.T) {
	d := open(t, ptxsim.Options{NoRaces: true})
	rng := rand.New(rand.NewPCG(6, 7))
	turn := 0
	labels := []int64{0, 1, 1, 2, 0, 1}
	hold := func(expr string, weights ...float64) {
		if turn++; !chosen(turn, 0) {
			return
		}
		a := kernels.Activation(turn % 3)
		c := &golden.Case{ID: expr, Loss: expr, Activation: a.String(), N: 2, C: 3, S: 3, Labels: labels}
		for range c.N * c.C * c.S {
			x := 4*rng.Float64() - 2
			if a == kernels.None {
				x = 0.05 + 0.9*rng.Float64()
			}
			c.Pred = append(c.Pred, float64(float32(x)))
		}
		for i := range c.Labels {
			if weights != nil {
				c.Weights = append(c.Weights, weights[i%len(weights)])
			}
		}
		compareExtremes(t, d, c)
	}
	for _, info := range kernels.Losses() {
		for _, expr := range variants.Extremes(info, 3, []float64{1e-310, 1e39, math.MaxFloat64}) {
			hold(expr)
		}
		for _, w := range [][]float64{{math.SmallestNonzeroFloat32}, {0x1p-133}, {math.MaxFloat32}, {math.SmallestNonzeroFloat32, math.MaxFloat32}} {
			hold(info.Name, w...)
		}
	}
	// Where a class has no position, or every one, an option of any size is no matter.
	absent := []string{
		"ce(weight=[1e200,1e-160,1])", "ce(weight=[1e308,1,1e308])", "ce(weight=[1,1e-320,1])", "ce(weight=[1e308,1,1],reduction=sum)",
		"focal_ce(weight=[1e308,1,1])", "exp_log_ce(freq=[5e-324,1e308,1])", "bce(pos_weight=[1e308,1,1])", "dice(smooth=5e-324)", "tversky(alpha=1e308)",
	}
	for _, labels = range [][]int64{{1, 1, 1, 1, 1, 1}, {1, 1, 2, 2, 1, 1}} {
		for _, expr := range absent {
			for _, w := range []float64{0, 0x1p-133, 1} {
				hold(expr, w)
			}
		}
	}
}

func compareExtremes(t *testing.T, d *Device, c *golden.Case) {
	t.Helper()
	p := newProblem[float64](t, c, kernels.NCS)
	plan, err := kernels.New[float64](p.loss, p.spec, kernels.WithBackend("generic"))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(p.x))
	v, err := plan.ForwardBackward(t.Context(), want, p.x, p.target, kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	loss, got := newProblem[float32](t, c, kernels.NCS).gradient(t, d, Float32, small, true)
	size, far := math.Abs(v.Loss), false
	for _, g := range want {
		size, far = max(size, math.Abs(g)), far || !(math.Abs(g) <= math.MaxFloat32/256)
	}
	what := fmt.Sprintf("%s, %s, weights %v", c.Loss, c.Activation, c.Weights)
	if !(math.Abs(loss-v.Loss) <= 1e-5*math.Abs(v.Loss)+1e-6) && loss != v.Loss {
		t.Errorf("%s: loss %v, want %v", what, loss, v.Loss)
	}
	for i, w := range want {
		if g := float64(got[i]); !(math.Abs(g-w) <= 1e-5*size+1e-6) && !far {
			t.Errorf("%s: gradient[%d] = %v, want %v", what, i, g, w)
			return
		}
	}
}
