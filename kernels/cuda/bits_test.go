package cuda

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// drawn is a prediction with its target.
type drawn struct {
	x []float32
	y []uint8
}

func draw(spec kernels.Spec, seed uint64) drawn {
	rng := rand.New(rand.NewPCG(seed, 1))
	d := drawn{make([]float32, spec.N*spec.C*spec.S), make([]uint8, spec.N*spec.S)}
	for i := range d.x {
		d.x[i] = float32(rng.NormFloat64() * 3)
		if spec.Activation == kernels.None {
			d.x[i] = rng.Float32()
		}
	}
	for i := range d.y {
		d.y[i] = uint8(rng.IntN(max(spec.C, 2)))
	}
	return d
}

func parse(t testing.TB, expr string, custom ...kernels.Region) kernels.Loss {
	t.Helper()
	l, err := kernels.Parse(expr, custom...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newHost(t testing.TB, d *Device, l kernels.Loss, spec kernels.Spec, th thresholds, o ...kernels.Option) *Host[float32] {
	t.Helper()
	p, err := d.newPlan(l, spec, Float32, th, o)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHost[float32](p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(); p.Close() })
	return h
}

// TestBits: the bits of loss and gradient depend neither on the grid, nor on the order in
// which blocks run, nor on whether the prediction stays on the chip, nor on the run.
func TestBits(t *testing.T) {
	for _, c := range []struct {
		loss string
		spec kernels.Spec
	}{
		{"dice_ce", kernels.Spec{N: 2, C: 4, S: 1500, Activation: kernels.Softmax}},
		{"focal + tversky", kernels.Spec{N: 3, C: 2, S: 700, Activation: kernels.Sigmoid, Layout: kernels.NSC}},
		{"ce(label_smoothing=0.1)", kernels.Spec{N: 1, C: 9, S: 1100, Activation: kernels.Softmax}},
		{"dice(squared=true)", kernels.Spec{N: 2, C: 1, S: 2100}},
	} {
		t.Run(c.loss, func(t *testing.T) {
			t.Parallel()
			in := draw(c.spec, 1)
			var loss float64
			var dx []float32
			for i, run := range []struct {
				blocks  int
				cached  bool
				reverse bool
			}{{1, false, false}, {1, false, false}, {3, false, false}, {7, false, true}, {64, true, false}, {64, true, true}} {
				d := open(t, ptxsim.Options{Seed: 5, Reverse: run.reverse, Blocks: 1 + run.blocks%4, Multiprocessors: 8})
				h := newHost(t, d, parse(t, c.loss), c.spec, thresholds{chunk: 128, chunks: 64, shared: 32 << 10, blocks: run.blocks, cached: run.cached})
				if b, _ := h.plan.cached(c.spec.N, c.spec.S); (b > 0) != run.cached {
					t.Errorf("%d blocks keep the prediction on the chip; want that %v", b, run.cached)
				}
				g := make([]float32, len(in.x))
				v, err := h.ForwardBackward(t.Context(), g, in.x, kernels.Labels(in.y), kernels.Grad{Scale: 1})
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					loss, dx = v.Loss, g
				} else if v.Loss != loss || !sameAll(g, dx) {
					t.Errorf("%+v gives loss %v, want %v, or another gradient", run, v.Loss, loss)
				}
			}
		})
	}
}

// TestDeviceAgainstInterpreter: a GPU gives the interpreter's bits where no instruction is
// approximate, and elsewhere differs by what those may.
func TestDeviceAgainstInterpreter(t *testing.T) {
	if !*onDevice {
		t.Skip("it compares a GPU, by -device, with the interpreter")
	}
	for _, c := range []struct {
		loss  string
		a     kernels.Activation
		exact bool
	}{
		{"dice + iou(batch=true) + ss", kernels.None, true},
		{"bce_dice", kernels.Sigmoid, false},
		{"dice_ce + focal_ce", kernels.Softmax, false},
	} {
		spec := kernels.Spec{N: 2, C: 4, S: 3001, Activation: c.a}
		in := draw(spec, 12)
		var loss [2]float64
		var dx [2][]float32
		sim, err := Open(0, withDriver(ptxsim.New(ptxsim.Options{NoRaces: true})))
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range []*Device{open(t, ptxsim.Options{}), sim} {
			h := newHost(t, d, parse(t, c.loss), spec, realThresholds)
			dx[i] = make([]float32, len(in.x))
			v, err := h.ForwardBackward(t.Context(), dx[i], in.x, kernels.Labels(in.y), kernels.Grad{Scale: 1})
			if err != nil {
				t.Fatal(err)
			}
			loss[i] = v.Loss
		}
		if c.exact && (loss[0] != loss[1] || !sameAll(dx[0], dx[1])) || math.Abs(loss[0]-loss[1]) > 1e-6*math.Abs(loss[1]) {
			t.Errorf("%s: loss %v, interpreted %v, or another gradient", c.loss, loss[0], loss[1])
		}
		for i, v := range dx[1] {
			if math.Abs(float64(dx[0][i]-v)) > 1e-5*math.Abs(float64(v))+1e-9 {
				t.Fatalf("%s: gradient[%d] = %v, interpreted %v", c.loss, i, dx[0][i], v)
			}
		}
	}
}

// TestSplit: samples reduced here and samples reduced on the CPU give the loss and the
// gradients of the whole.
func TestSplit(t *testing.T) {
	spec := kernels.Spec{N: 3, C: 3, S: 211, Activation: kernels.Softmax}
	l := parse(t, "dice_ce + gdl(batch=true)")
	in := draw(spec, 2)
	whole, err := kernels.New[float32](l, spec)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, len(in.x))
	value, err := whole.ForwardBackward(t.Context(), want, in.x, kernels.Labels(in.y), kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}

	sample := spec.C * spec.S
	one, two := spec, spec
	one.N, two.N = 1, 2
	cpu, err := kernels.New[float32](l, one)
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, open(t, ptxsim.Options{}), l, two, realThresholds)
	sums, here := cpu.NewSums(3), h.plan.NewSums(3)
	if err := cpu.Reduce(t.Context(), sums, 0, in.x[:sample], kernels.Labels(in.y[:spec.S])); err != nil {
		t.Fatal(err)
	}
	target, err := h.upload(t.Context(), in.x[sample:], kernels.Labels(in.y[spec.S:]))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.plan.Reduce(0, here, 1, h.x.device, target); err != nil {
		t.Fatal(err)
	}
	if err := sums.Add(here); err != nil {
		t.Fatal(err)
	}
	v, err := h.plan.Finish(sums, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(v.Loss-value.Loss) > 1e-6 {
		t.Errorf("loss %v, want %v", v.Loss, value.Loss)
	}
	if err := h.plan.Backward(0, h.dx.device, h.x.device, target, kernels.Grad{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	dx := make([]float32, 2*sample)
	if err := h.download(dx); err != nil {
		t.Fatal(err)
	}
	for i, v := range dx {
		if w := want[sample+i]; math.Abs(float64(v-w)) > 1e-5*math.Abs(float64(w))+1e-9 {
			t.Fatalf("gradient[%d] = %v, want %v", i, v, w)
		}
	}
}
