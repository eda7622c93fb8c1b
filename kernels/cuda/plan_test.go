package cuda

import (
	"encoding/binary"
	"errors"
	"math"

	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/driver"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// wantArg fails the test unless err is a kernels.ArgError of a kind about an argument.
func wantArg(t *testing.T, err, kind error, arg string, index int) {
	t.Helper()
	var e *kernels.ArgError
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Arg != arg || e.Index != index {
		t.Errorf("error %v, want one about %s[%d] that is %v", err, arg, index, kind)
	}
}

func newPlan(t testing.TB, d *Device, expr string, s kernels.Spec, e DType, o ...kernels.Option) *Plan {
	t.Helper()
	p, err := d.New(parse(t, expr), s, e, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestNewErrors(t *testing.T) {
	d := open(t, ptxsim.Options{})
	l := parse(t, "ce")
	ok := kernels.Spec{N: 1, C: 2, S: 3, Activation: kernels.Softmax}
	for _, c := range []struct {
		arg  string
		kind error
		s    kernels.Spec
		e    DType
		o    []kernels.Option
	}{
		{"s.N", kernels.ErrShape, kernels.Spec{N: -1, C: 2, S: 3}, Float32, nil},
		{"s.C", kernels.ErrShape, kernels.Spec{N: 1, C: 1, S: 3}, Float32, nil},
		{"s", kernels.ErrShape, kernels.Spec{N: 1 << 20, C: 2, S: 1 << 24}, Float32, nil},
		{"t", kernels.ErrOption, ok, 17, nil},
		{"clip", kernels.ErrOption, ok, Float32, []kernels.Option{kernels.WithClip(2)}},
		{"backend", kernels.ErrOption, ok, Float32, []kernels.Option{kernels.WithBackend("avx2")}},
	} {
		_, err := d.New(l, c.s, c.e, c.o...)
		wantArg(t, err, c.kind, c.arg, -1)
	}
	_, err := d.New(parse(t, "focal(gamma=1) + focal(gamma=3) + focal(gamma=4) + focal(gamma=5) + focal(gamma=6)"), ok, Float32)
	wantArg(t, err, kernels.ErrOption, "l", -1)
	_, err = Open(3, withDriver(ptxsim.New(ptxsim.Options{})))
	wantArg(t, err, kernels.ErrOption, "device", -1)
}

func TestArguments(t *testing.T) {
	d := open(t, ptxsim.Options{})
	p := newPlan(t, d, "dice", kernels.Spec{N: 2, C: 3, S: 5}, Float32)
	const x, dx, y = 0x1000, 0x2000, 0x3000
	labels := Labels(y, Uint8)
	for _, c := range []struct {
		arg   string
		index int
		kind  error
		err   error
	}{
		{"x", -1, kernels.ErrShape, p.Forward(0, 0, labels)},
		{"x", -1, kernels.ErrShape, p.Forward(0, x+2, labels)},
		{"t", -1, kernels.ErrShape, p.Forward(0, x, Target{})},
		{"t", -1, kernels.ErrShape, p.Forward(0, x, Labels(y+1, Int32))},
		{"t.Dense", -1, kernels.ErrOption, p.Forward(0, x, Dense(y, Float64))},
		{"t.Weights", -1, kernels.ErrShape, p.Forward(0, x, labels.Weights(y+1))},
		{"t.Sized", 0, kernels.ErrShape, p.Forward(0, x, labels.Sized(3, 5))},
		{"t.Sized", 1, kernels.ErrShape, p.Forward(0, x, labels.Sized(2, 6))},
		{"p", -1, kernels.ErrStale, p.Backward(0, dx, x, labels, kernels.Grad{Scale: 1})},
		{"dx", -1, kernels.ErrShape, p.ForwardBackward(0, 0, x, labels, kernels.Grad{Scale: 1})},
		{"dx", -1, kernels.ErrAlias, p.ForwardBackward(0, x+8, x, labels, kernels.Grad{Scale: 1})},
		{"dx", -1, kernels.ErrAlias, p.ForwardBackward(0, x-8, x, labels, kernels.Grad{Scale: 1})},
		{"dx", -1, kernels.ErrAlias, p.ForwardBackward(0, x, x, labels, kernels.Grad{Scale: 1, Accumulate: true})},
		{"dx", -1, kernels.ErrAlias, p.ForwardBackward(0, y&^3, x, labels, kernels.Grad{Scale: 1})},
		{"coef", -1, kernels.ErrShape, p.SetCoefs(1, 2)},
		{"coef", 0, kernels.ErrOption, p.SetCoefs(math.NaN())},
		{"row", -1, kernels.ErrShape, p.Reduce(0, p.NewSums(2), 1, x, labels)},
		{"sums", -1, kernels.ErrShape, p.Reduce(0, nil, 0, x, labels)},
	} {
		wantArg(t, c.err, c.kind, c.arg, c.index)
	}
	_, err := p.Value()
	wantArg(t, err, kernels.ErrStale, "p", -1)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Forward(0, x, labels); !errors.Is(err, ErrClosed) {
		t.Errorf("%v after Close", err)
	}
}

// TestBadPositions: the first bad label or weight is named, and the gradient is left as it
// was, whether both passes are one launch or two.
func TestBadPositions(t *testing.T) {
	spec := kernels.Spec{N: 2, C: 3, S: 700, Activation: kernels.Softmax}
	in := draw(spec, 4)
	weights := slices.Repeat([]float32{1}, len(in.y))
	for _, th := range []thresholds{realThresholds, small} {
		h := newHost(t, open(t, ptxsim.Options{}), parse(t, "dice_ce"), spec, th, kernels.WithIgnore(255))
		y := slices.Clone(in.y)
		y[3], y[1007], y[901] = 255, 3, 77
		dx := slices.Repeat([]float32{5}, len(in.x))
		_, err := h.ForwardBackward(t.Context(), dx, in.x, kernels.Labels(y), kernels.Grad{Scale: 1})
		wantArg(t, err, kernels.ErrLabel, "t.Labels", 901)
		if err := h.download(dx); err == nil && slices.ContainsFunc(dx, func(v float32) bool { return v != 5 && v != 0 }) {
			t.Error("the gradient was written")
		}
		weights[1200] = float32(math.Inf(1))
		_, err = h.Forward(t.Context(), in.x, kernels.Labels(in.y).Weights(weights))
		wantArg(t, err, kernels.ErrWeight, "t.Weights", 1200)
		if _, err := h.Forward(t.Context(), in.x, kernels.Labels(in.y)); err != nil {
			t.Errorf("%v after an error", err)
		}
	}
}

// TestLabelTypes: labels of every type give the same bits, with some to ignore, and one
// that is bad is named, whichever it is.
func TestLabelTypes(t *testing.T) {
	if len(labels) != len(labelTypes) {
		t.Fatalf("%d types of labels, and %d are tried", len(labelTypes), len(labels))
	}
	spec := kernels.Spec{N: 2, C: 3, S: 100, Activation: kernels.Softmax}
	in, d := draw(spec, 6), open(t, ptxsim.Options{})
	want, loss := make([]float32, len(in.x)), 0.0
	for i, l := range labels {
		if LabelType(i).String() != l.name {
			t.Errorf("type %d is %v, want %s", i, LabelType(i), l.name)
		}
		if bits, _ := strconv.Atoi(strings.TrimLeft(l.name, "uint")); Labels(8, LabelType(i)).size != bits/8 {
			t.Errorf("%s has %d bytes", l.name, Labels(8, LabelType(i)).size)
		}
		h, y := newHost(t, d, parse(t, "dice_ce"), spec, small, kernels.WithIgnore(l.ignored)), convert[int64](in.y)
		y[3], y[150] = l.ignored, l.ignored
		dx := make([]float32, len(in.x))
		v, err := h.ForwardBackward(t.Context(), dx, in.x, l.make(y), kernels.Grad{Scale: 1})
		if err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
		if i == 0 {
			want, loss = dx, v.Loss
		}
		if v.Loss != loss || !sameAll(dx, want) {
			t.Errorf("%s: loss %v, want %v, or another gradient", l.name, v.Loss, loss)
		}
		for _, bad := range []int64{3, l.ignored - 1, l.ignored + 1} {
			if bad == math.MaxUint8+1 || bad == math.MaxUint16+1 || bad == math.MaxUint32+1 {
				continue // of the next type
			}
			y[90] = bad
			_, err := h.Forward(t.Context(), in.x, l.make(y))
			var arg *kernels.ArgError
			if wantArg(t, err, kernels.ErrLabel, "t.Labels", 90); errors.As(err, &arg) && arg.Value != bad {
				t.Errorf("%s: value %v, want %d", l.name, arg.Value, bad)
			}
		}
	}
}

// TestNilWeightsAndMask: weights and a mask at no address, or of a nil slice, are none.
func TestNilWeightsAndMask(t *testing.T) {
	spec := kernels.Spec{N: 1, C: 2, S: 40, Activation: kernels.Softmax}
	in, ctx := draw(spec, 8), t.Context()
	h := newHost(t, open(t, ptxsim.Options{}), parse(t, "dice"), spec, realThresholds)
	v, err := h.Forward(ctx, in.x, kernels.Labels(in.y))
	if err != nil {
		t.Fatal(err)
	}
	w, err := h.Forward(ctx, in.x, kernels.Labels(in.y).Weights(nil).Mask(nil))
	if err != nil || w.Loss != v.Loss {
		t.Errorf("nil slices: loss %v, %v; want %v", w.Loss, err, v.Loss)
	}
	y := Labels(h.target.device, Uint8)
	if err := h.plan.Forward(0, h.x.device, y.Weights(h.weights.device).Mask(h.mask.device).Weights(0).Mask(0)); err != nil {
		t.Fatal(err)
	}
	if w, err = h.plan.Value(); err != nil || w.Loss != v.Loss {
		t.Errorf("no addresses: loss %v, %v; want %v", w.Loss, err, v.Loss)
	}
}

// TestIgnoreBesideDense: an ignore index beside a dense target is an error of every call
// that takes one, also where it came from the host.
func TestIgnoreBesideDense(t *testing.T) {
	spec := kernels.Spec{N: 1, C: 2, S: 8, Activation: kernels.Softmax}
	in, ctx := draw(spec, 7), t.Context()
	h := newHost(t, open(t, ptxsim.Options{}), parse(t, "dice"), spec, realThresholds, kernels.WithIgnore(-100))
	v, err := h.Forward(ctx, in.x, kernels.Labels(in.y))
	if err != nil {
		t.Fatal(err)
	}
	p, g, dx := h.plan, kernels.Grad{Scale: 1}, slices.Repeat([]float32{5}, len(in.x))
	onHost, onDevice := kernels.Dense(in.x), Dense(h.target.device, Float32)
	for name, run := range map[string]func() error{
		"Forward":              func() error { return p.Forward(0, h.x.device, onDevice) },
		"Backward":             func() error { return p.Backward(0, h.dx.device, h.x.device, onDevice, g) },
		"ForwardBackward":      func() error { return p.ForwardBackward(0, h.dx.device, h.x.device, onDevice, g) },
		"Reduce":               func() error { return p.Reduce(0, p.NewSums(1), 0, h.x.device, onDevice) },
		"Host.Backward":        func() error { return h.Backward(ctx, dx, in.x, onHost, v, g) },
		"Host.Forward":         func() error { _, err := h.Forward(ctx, in.x, onHost); return err },
		"Host.ForwardBackward": func() error { _, err := h.ForwardBackward(ctx, dx, in.x, onHost, g); return err },
	} {
		err := run()
		if wantArg(t, err, kernels.ErrOption, "t", -1); err != nil && !strings.Contains(err.Error(), "ignore index -100") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if slices.ContainsFunc(dx, func(v float32) bool { return v != 5 }) {
		t.Error("the gradient was written")
	}
}

// TestGrad: scale, accumulation, in place, smaller batches and none at all.
func TestGrad(t *testing.T) {
	spec := kernels.Spec{N: 2, C: 2, S: 90, Activation: kernels.Sigmoid}
	in := draw(spec, 5)
	h := newHost(t, open(t, ptxsim.Options{}), parse(t, "bce_dice"), spec, realThresholds)
	y := kernels.Labels(in.y)
	run := func(dx, x []float32, y kernels.Target, g kernels.Grad) {
		t.Helper()
		v, err := h.Forward(t.Context(), x, y)
		if err == nil {
			err = h.Backward(t.Context(), dx, x, y, v, g)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	plain := make([]float32, len(in.x))
	run(plain, in.x, y, kernels.Grad{Scale: 1})
	twice := slices.Clone(plain)
	run(twice, in.x, y, kernels.Grad{Scale: 1, Accumulate: true})
	quarter := make([]float32, len(in.x))
	run(quarter, in.x, y, kernels.Grad{Scale: -0.25})
	zero := slices.Clone(plain)
	run(zero, in.x, y, kernels.Grad{})
	kept := slices.Clone(plain)
	run(kept, in.x, y, kernels.Grad{Accumulate: true})
	for i, v := range plain {
		if twice[i] != 2*v || quarter[i] != -v/4 || zero[i] != 0 || kept[i] != v {
			t.Fatalf("gradient %v: accumulated %v, by -1/4 %v, by 0 %v, 0 added %v", v, twice[i], quarter[i], zero[i], kept[i])
		}
	}
	inPlace(t, h, in, y, plain)
	v, err := h.Forward(t.Context(), nil, kernels.Labels([]uint8{}).Sized(0, 90))
	if err != nil || v.Loss != 0 {
		t.Errorf("loss %v of nothing, %v", v.Loss, err)
	}
	if err := h.Backward(t.Context(), nil, nil, kernels.Labels([]uint8{}).Sized(0, 90), v, kernels.Grad{Scale: 1}); err != nil {
		t.Error(err)
	}
}

// inPlace has the gradient overwrite the prediction.
func inPlace(t *testing.T, h *Host[float32], in drawn, y kernels.Target, want []float32) {
	t.Helper()
	target, err := h.upload(t.Context(), in.x, y)
	if err != nil {
		t.Fatal(err)
	}
	x := h.x.device
	got := make([]float32, len(want))
	if err := h.plan.ForwardBackward(0, x, x, target, kernels.Grad{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	if err := h.plan.dev.CopyOut(bytesOf(&got[0], len(got)), x, 0); err != nil {
		t.Fatal(err)
	}
	if !sameAll(got, want) {
		t.Error("in place the gradient is another")
	}
}

// overlapOf is a region loss of a caller's.
type overlapOf struct{}

func (overlapOf) Name() string { return "overlap" }

func (overlapOf) Eval(c, d []kernels.Cell) (loss float64) {
	for i, s := range c {
		loss += s.FP*s.FN - s.TP
		d[i] = kernels.Cell{FP: s.FN, FN: s.FP, TP: -1}
	}
	return loss
}

// TestCustomRegion: a caller's own loss is finished on the host.
func TestCustomRegion(t *testing.T) {
	spec := kernels.Spec{N: 2, C: 3, S: 130, Activation: kernels.Softmax}
	in := draw(spec, 6)
	l := parse(t, "overlap + ce", overlapOf{})
	cpu, err := kernels.New[float32](l, spec)
	if err != nil {
		t.Fatal(err)
	}
	want, got := make([]float32, len(in.x)), make([]float32, len(in.x))
	w, err := cpu.ForwardBackward(t.Context(), want, in.x, kernels.Labels(in.y), kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, open(t, ptxsim.Options{}), l, spec, realThresholds)
	v, err := h.ForwardBackward(t.Context(), got, in.x, kernels.Labels(in.y), kernels.Grad{Scale: 1})
	if err != nil || math.Abs(v.Loss-w.Loss) > 1e-5*math.Abs(w.Loss) || h.plan.LossPtr() != 0 {
		t.Errorf("loss %v, want %v; %v", v.Loss, w.Loss, err)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-4*math.Abs(float64(want[i]))+1e-5 {
			t.Fatalf("gradient[%d] = %v, want %v", i, got[i], want[i])
		}
	}
}

// TestSetCoefs anneals a loss, whose value the device has as well.
func TestSetCoefs(t *testing.T) {
	spec := kernels.Spec{N: 1, C: 2, S: 40, Activation: kernels.Softmax}
	in := draw(spec, 7)
	h := newHost(t, open(t, ptxsim.Options{}), parse(t, "dice + ce"), spec, realThresholds)
	if err := h.plan.SetCoefs(0.25, -2); err != nil {
		t.Fatal(err)
	}
	v, err := h.Forward(t.Context(), in.x, kernels.Labels(in.y))
	if err != nil {
		t.Fatal(err)
	}
	if want := 0.25*v.Terms[0].Value - 2*v.Terms[1].Value; math.Abs(v.Loss-want) > 1e-12 || len(v.Terms[0].Cells) != 2 {
		t.Errorf("loss %v of terms %+v, want %v", v.Loss, v.Terms, want)
	}
	b := make([]byte, 8)
	if err := h.plan.dev.CopyOut(b, h.plan.LossPtr(), 0); err != nil {
		t.Fatal(err)
	}
	if got := math.Float64frombits(binary.LittleEndian.Uint64(b)); math.Abs(got-v.Loss) > 1e-14 {
		t.Errorf("the device has loss %v, want %v", got, v.Loss)
	}
}

// TestWorkspace: a plan in the caller's memory gives the same, and leaves it to the caller.
func TestWorkspace(t *testing.T) {
	d := open(t, ptxsim.Options{})
	l, spec := parse(t, "dice_ce"), kernels.Spec{N: 2, C: 4, S: 300, Activation: kernels.Softmax}
	size, err := d.WorkspaceSize(l, spec, Float32)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := d.Alloc(size)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.NewIn(memory, size-1, l, spec, Float32)
	wantArg(t, err, kernels.ErrShape, "bytes", -1)
	_, err = d.NewIn(memory+4, size, l, spec, Float32)
	wantArg(t, err, kernels.ErrShape, "memory", -1)
	p, err := d.NewIn((memory+align-1)&^(align-1), size, l, spec, Float32)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Free(memory); err != nil {
		t.Errorf("the plan has freed memory that was lent to it: %v", err)
	}
}

// nowhere is a context that does nothing, to see what the host does.
type nowhere struct{ driver.Context }

func (nowhere) Launch(driver.Function, driver.Config, []byte, driver.Stream) error { return nil }
func (nowhere) Set(driver.Ptr, byte, int, driver.Stream) error                     { return nil }

// TestAllocations: a step allocates nothing.
func TestAllocations(t *testing.T) {
	d := open(t, ptxsim.Options{})
	p := newPlan(t, d, "dice_ce", kernels.Spec{N: 1, C: 4, S: 4096, Activation: kernels.Softmax}, BFloat16)
	d.ctx = nowhere{d.ctx}
	y := Labels(0x9000, Uint8)
	n := testing.AllocsPerRun(100, func() {
		err := errors.Join(p.Forward(0, 0x100000, y), p.Backward(0, 0x200000, 0x100000, y, kernels.Grad{Scale: 1}))
		if err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// TestNoDriver: on a machine without one, opening a device is an ordinary error.
func TestNoDriver(t *testing.T) {
	t.Setenv(Env, "/nowhere/libcuda.so")
	_, err := Open(0)
	if !errors.Is(err, driver.ErrNoDriver) || !strings.HasPrefix(err.Error(), "no CUDA driver: ") {
		t.Errorf("error %v", err)
	}
	if _, err := Devices(); !errors.Is(err, driver.ErrNoDriver) {
		t.Errorf("error %v", err)
	}
}

// TestEnvSim: the variable that gradcheck's users set.
func TestEnvSim(t *testing.T) {
	t.Setenv(Env, "sim")
	infos, err := Devices()
	if err != nil || len(infos) != 1 || infos[0].Name != "PTX interpreter" {
		t.Error(infos, err)
	}
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.New(parse(t, "dice"), kernels.Spec{N: 1, C: 1, S: 1}, Float32); !errors.Is(err, ErrClosed) {
		t.Errorf("%v after Close", err)
	}
}

// TestHalves: the host rounds as float64 arithmetic says, and back without error.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		if v := fromFloat16(uint16(h)); v == v && toFloat16(v) != uint16(h) {
			t.Fatalf("float16 %#x is %v is %#x", h, v, toFloat16(v))
		}
		if v := fromBFloat16(uint16(h)); v == v && toBFloat16(v) != uint16(h) {
			t.Fatalf("bfloat16 %#x is %v is %#x", h, v, toBFloat16(v))
		}
	}
	for h := range uint16(0x7bff) { // between neighbours the nearer one, and of two the even
		a, b := fromFloat16(h), fromFloat16(h+1)
		mid := (a + b) / 2
		if toFloat16(mid) != h+h&1 || toFloat16(math.Nextafter32(mid, a)) != h || toFloat16(math.Nextafter32(mid, b)) != h+1 {
			t.Fatalf("float16 between %v and %v", a, b)
		}
	}
}
