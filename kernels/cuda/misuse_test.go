package cuda

import (
	"errors"
	"testing"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// TestMisuse: a device, a plan or a host that is nil, was never made or is closed says so
// from every method, and nothing panics.
func TestMisuse(t *testing.T) {
	l, spec, g := parse(t, "dice"), kernels.Spec{N: 1, C: 2, S: 4}, kernels.Grad{Scale: 1}
	d := open(t, ptxsim.Options{})
	closedHost := newHost(t, d, l, spec, realThresholds)
	ofClosedPlan := newHost(t, d, l, spec, realThresholds)
	in, sums := draw(spec, 1), ofClosedPlan.plan.NewSums(1)
	if _, err := ofClosedPlan.Forward(t.Context(), in.x, kernels.Labels(in.y)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closedHost.Close(), ofClosedPlan.plan.Close()); err != nil {
		t.Fatal(err)
	}
	all := map[string]func() error{}
	for name, d := range map[string]*Device{"nil device": nil, "zero device": new(Device)} {
		for method, run := range map[string]func() error{
			"New":           func() error { _, err := d.New(l, spec, Float32); return err },
			"NewIn":         func() error { _, err := d.NewIn(128, 1<<20, l, spec, Float32); return err },
			"WorkspaceSize": func() error { _, err := d.WorkspaceSize(l, spec, Float32); return err },
			"Alloc":         func() error { _, err := d.Alloc(1); return err },
			"Free":          func() error { return d.Free(0) },
			"Copy":          func() error { return d.Copy(0, 0, 0, 0) },
			"CopyIn":        func() error { return d.CopyIn(0, nil, 0) },
			"CopyOut":       func() error { return d.CopyOut(nil, 0, 0) },
			"Set":           func() error { return d.Set(0, 0, 0, 0) },
			"Synchronize":   func() error { return d.Synchronize(0) },
			"NewStream":     func() error { _, err := d.NewStream(); return err },
			"CloseStream":   func() error { return d.CloseStream(0) },
			"NewEvent":      func() error { _, err := d.NewEvent(); return err },
			"CloseEvent":    func() error { return d.CloseEvent(0) },
			"Record":        func() error { return d.Record(0, 0) },
			"Elapsed":       func() error { _, err := d.Elapsed(0, 0); return err },
		} {
			all[name+": "+method] = run
		}
	}
	for name, p := range map[string]*Plan{"nil plan": nil, "zero plan": new(Plan), "closed plan": ofClosedPlan.plan} {
		for method, run := range map[string]func() error{
			"Forward":         func() error { return p.Forward(0, 128, Labels(128, Uint8)) },
			"Backward":        func() error { return p.Backward(0, 128, 128, Labels(128, Uint8), g) },
			"ForwardBackward": func() error { return p.ForwardBackward(0, 128, 128, Labels(128, Uint8), g) },
			"Reduce":          func() error { return p.Reduce(0, sums, 0, 128, Labels(128, Uint8)) },
			"Finish":          func() error { _, err := p.Finish(sums, 0); return err },
			"Value":           func() error { _, err := p.Value(); return err },
			"SetCoefs":        func() error { return p.SetCoefs(1) },
			"NewHost":         func() error { _, err := NewHost[float32](p); return err },
		} {
			all[name+": "+method] = run
		}
	}
	for name, h := range map[string]*Host[float32]{"nil host": nil, "zero host": {}, "closed host": closedHost, "host of a closed plan": ofClosedPlan} {
		y := kernels.Dense(make([]float64, len(in.x)))
		for method, run := range map[string]func() error{
			"Forward":         func() error { _, err := h.Forward(t.Context(), in.x, y); return err },
			"Backward":        func() error { return h.Backward(t.Context(), in.x, in.x, y, kernels.Value{}, g) },
			"ForwardBackward": func() error { _, err := h.ForwardBackward(t.Context(), in.x, in.x, y, g); return err },
		} {
			all[name+": "+method] = run
		}
	}
	for name, run := range all {
		noPanic(t, name, func() {
			if err := run(); !errors.Is(err, ErrClosed) {
				t.Errorf("%s: error %v, want %v", name, err, ErrClosed)
			}
		})
	}
}

// TestMisuseWithoutError: what has no error to return gives what there is, and what is
// asked of a device that is there is checked.
func TestMisuseWithoutError(t *testing.T) {
	var device *Device
	var plan *Plan
	var host *Host[float64]
	d := open(t, ptxsim.Options{})
	for name, run := range map[string]func() any{
		"Info":            func() any { return device.Info() == Info{} },
		"Device.Close":    func() any { return errors.Join(device.Close(), new(Device).Close()) == nil },
		"Plan.Close":      func() any { return errors.Join(plan.Close(), new(Plan).Close()) == nil },
		"Host.Close":      func() any { return errors.Join(host.Close(), new(Host[float32]).Close()) == nil },
		"LossPtr":         func() any { return plan.LossPtr() == 0 && new(Plan).LossPtr() == 0 },
		"NewSums":         func() any { return len(plan.NewSums(2).Data())+len(new(Plan).NewSums(2).Data()) == 0 },
		"type's size":     func() any { return DType(99).Size() == 0 && DType(99).String() == "unknown" },
		"type of labels":  func() any { return LabelType(99).String() == "unknown" },
		"target of types": func() any { return Labels(8, 99) == Target{} && Dense(8, 99) == Target{} },
	} {
		noPanic(t, name, func() {
			if run() != true {
				t.Errorf("%s gives something", name)
			}
		})
	}
	for name, run := range map[string]func() error{
		"bytes": func() error { _, err := d.Alloc(-1); return err },
		"Copy":  func() error { return d.Copy(128, 128, -1, 0) },
		"Set":   func() error { return d.Set(128, 0, -1, 0) },
	} {
		noPanic(t, name, func() { wantArg(t, run(), kernels.ErrShape, "bytes", -1) })
	}
	noPanic(t, "nil options", func() {
		_, err := Open(0, nil)
		wantArg(t, err, kernels.ErrOption, "options", 0)
		_, err = d.New(parse(t, "dice"), kernels.Spec{N: 1, C: 2, S: 4}, Float32, nil)
		wantArg(t, err, kernels.ErrOption, "o", 0)
	})
}

func noPanic(t *testing.T, name string, run func()) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panics with %v", name, r)
		}
	}()
	run()
}
