package gradcheck

import (
	"context"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// Plan is what a check needs of a plan. Those of package kernels have it. One that is an
// io.Closer is closed after its use.
type Plan[T kernels.Float] interface {
	Forward(ctx context.Context, x []T, t kernels.Target) (kernels.Value, error)
	Backward(ctx context.Context, dx, x []T, t kernels.Target, v kernels.Value, g kernels.Grad) error
	ForwardBackward(ctx context.Context, dx, x []T, t kernels.Target, g kernels.Grad) (kernels.Value, error)
}

// Device is an implementation that has plans of its own, beside the backends that
// package kernels chooses from.
type Device struct {
	Name    string // as [Options] names backends
	Float32 func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (Plan[float32], error)
	Float64 func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (Plan[float64], error)
}

// device returns the device of that name, or nil.
func (o Options) device(name string) *Device {
	i := slices.IndexFunc(o.Devices, func(d Device) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &o.Devices[i]
}

// newPlan makes a plan for a problem, as the way says.
func newPlan[T kernels.Float](l kernels.Loss, p *problem, w way, o []kernels.Option) (plan Plan[T], err error) {
	spec := p.spec(w.layout)
	if w.device == nil {
		return kernels.New[T](l, spec, append(p.options(w.backend), o...)...)
	}
	o = append(p.options(""), o...)
	var made any
	switch w.dtype {
	case Float32:
		made, err = w.device.Float32(l, spec, o...)
	default:
		made, err = w.device.Float64(l, spec, o...)
	}
	plan, _ = made.(Plan[T])
	return plan, err
}
