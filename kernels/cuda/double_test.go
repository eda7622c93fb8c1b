package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// TestDouble: every tile may be out of the ordinary. Where no logit is small enough for
// float arithmetic, all go through double, and the results are the same but for rounding:
// under either activation, with every kind of target, added to what is there and not.
func TestDouble(t *testing.T) {
	for _, c := range []struct {
		loss    string
		a       kernels.Activation
		classes []int
	}{
		{"dice + ss", kernels.Sigmoid, []int{1, 3}},
		{"bce + wce + tversky", kernels.Sigmoid, []int{2}},
		{"focal + dice(soft=true) + ce(label_smoothing=0.1)", kernels.Sigmoid, []int{2}},
		{"dice_ce + focal_ce", kernels.Softmax, []int{2, 3, 4, 5, 8}},
		{"exp_log + dice(squared=true) + focal(gamma=0.5)", kernels.Softmax, []int{3, 10}},
	} {
		for i, classes := range c.classes {
			spec := kernels.Spec{N: 2, C: classes, S: 77, Activation: c.a, Layout: layouts[i%2]}
			t.Run(fmt.Sprintf("%s/C=%d", c.loss, classes), func(t *testing.T) {
				t.Parallel()
				d := open(t, ptxsim.Options{NoRaces: true})
				dense, labels := targets(spec)
				for _, kind := range []struct {
					name    string
					targets []kernels.Target
					opts    []kernels.Option
				}{{"dense", dense, nil}, {"labels", labels, []kernels.Option{kernels.WithIgnore(255)}}} {
					plain := newHost(t, d, parse(t, c.loss), spec, realThresholds, kind.opts...)
					double := newHost(t, d, parse(t, c.loss), spec, realThresholds, kind.opts...)
					double.plan.call.limit = -1
					for k, target := range kind.targets {
						compareHosts(t, fmt.Sprint(kind.name, " ", k), plain, double, draw(spec, uint64(k)).x, target)
					}
				}
			})
		}
	}
}

// targets are dense ones and labels of several types, with some to ignore, bare and with
// weights and masks.
func targets(spec kernels.Spec) (dense, labels []kernels.Target) {
	in := draw(spec, 11)
	rng := rand.New(rand.NewPCG(2, 3))
	r, weights, mask := make([]float32, len(in.x)), make([]float32, len(in.y)), make([]uint8, len(in.y))
	for i := range r {
		r[i] = rng.Float32()
	}
	for i := range weights {
		weights[i], mask[i] = rng.Float32()*3, uint8(rng.IntN(3))
		if rng.IntN(8) == 0 {
			weights[i] = 0
		}
	}
	for i := range in.y {
		if rng.IntN(9) == 0 {
			in.y[i] = 255
		}
	}
	covered := func(t kernels.Target) []kernels.Target {
		return []kernels.Target{t, t.Weights(weights), t.Mask(mask).Weights(weights)}
	}
	for _, t := range []kernels.Target{kernels.Labels(in.y), kernels.Labels(convert[int32](in.y)), kernels.Labels(convert[int64](in.y))} {
		labels = append(labels, covered(t)...)
	}
	return covered(kernels.Dense(r)), labels
}

func compareHosts(t *testing.T, name string, a, b *Host[float32], x []float32, y kernels.Target) {
	t.Helper()
	got, want := slices.Repeat([]float32{0.25}, len(x)), slices.Repeat([]float32{0.25}, len(x))
	g := kernels.Grad{Scale: 3, Accumulate: true}
	v, err := a.ForwardBackward(t.Context(), got, x, y, g)
	if err != nil {
		t.Fatal(err)
	}
	w, err := b.ForwardBackward(t.Context(), want, x, y, g)
	if err != nil {
		t.Fatal(err)
	}
	size := 0.0
	for _, p := range w.Terms {
		size += math.Abs(p.Value)
	}
	if math.Abs(v.Loss-w.Loss) > 1e-6*size || v.Loss == w.Loss {
		t.Errorf("%s: loss %v, and in double %v", name, v.Loss, w.Loss)
	}
	most := 0.0
	for _, d := range want {
		most = max(most, math.Abs(float64(d)-0.25))
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 2e-6*most+6e-8 {
			t.Fatalf("%s: gradient[%d] = %v, and in double %v", name, i, got[i], want[i])
		}
	}
}
