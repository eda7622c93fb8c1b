package cuda

import (
	"context"
	"errors"
	"slices"
	"unsafe"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/internal/share"
)

// Host takes predictions, targets and gradients in Go slices, as kernels.Plan does, and
// computes on the device. It copies through memory that the device reaches directly, and
// waits. It is there for tests and for programs whose tensors lie on the host; those that
// have them on the device use the plan itself.
//
// T is float64 for a plan of Float64 elements, else float32; elements of 16 bits are
// rounded to nearest on the way. A dense target is converted to the type of the elements,
// but float32 stays as it is.
type Host[T kernels.Float] struct {
	plan    *Plan
	x, dx   buffer
	target  buffer
	weights buffer
	mask    buffer
}

// buffer is memory on both sides.
type buffer struct {
	host   []byte
	device uintptr
}

// NewHost allocates what a plan needs to take Go slices. Close gives it back; the plan
// stays the caller's.
func NewHost[T kernels.Float](p *Plan) (*Host[T], error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	var zero T
	if (unsafe.Sizeof(zero) == 8) != (p.dtype == Float64) {
		return nil, share.Error("p", -1, p.dtype, kernels.ErrOption, "want a plan of the slices' elements")
	}
	h := &Host[T]{plan: p}
	positions := p.spec.N * p.spec.S
	elements := positions * p.spec.C
	for _, b := range []struct {
		to    *buffer
		bytes int
	}{
		{&h.x, elements * p.dtype.Size()}, {&h.dx, elements * p.dtype.Size()},
		{&h.target, max(elements*max(p.dtype.Size(), 4), positions*8)}, {&h.weights, positions * 4}, {&h.mask, positions},
	} {
		if err := b.to.allocate(p.dev, b.bytes); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

func (b *buffer) allocate(d *Device, bytes int) (err error) {
	if bytes == 0 {
		return nil
	}
	if b.host, err = d.ctx.AllocHost(bytes); err != nil {
		return err
	}
	b.device, err = d.ctx.Alloc(bytes)
	return err
}

// open reports a host that is closed, or that NewHost did not make, or whose plan is.
func (h *Host[T]) open() error {
	if h == nil {
		return ErrClosed
	}
	return h.plan.open()
}

// Close frees the buffers.
func (h *Host[T]) Close() error {
	if h == nil {
		return nil
	}
	var errs []error
	for _, b := range []*buffer{&h.x, &h.dx, &h.target, &h.weights, &h.mask} {
		if b.host != nil {
			errs = append(errs, h.plan.dev.ctx.FreeHost(b.host))
		}
		if b.device != 0 {
			errs = append(errs, h.plan.dev.ctx.Free(b.device))
		}
		*b = buffer{}
	}
	h.plan = nil
	return errors.Join(errs...)
}

// Forward computes the loss of prediction x and target t.
func (h *Host[T]) Forward(ctx context.Context, x []T, t kernels.Target) (kernels.Value, error) {
	target, err := h.upload(ctx, x, t)
	if err != nil {
		return kernels.Value{}, err
	}
	if err := h.plan.Forward(0, h.x.device, target); err != nil {
		return kernels.Value{}, err
	}
	return h.plan.Value()
}

// Backward writes into dx the gradient of the loss by x, times g.Scale. v is the plan's
// latest value, for the same x and t.
func (h *Host[T]) Backward(ctx context.Context, dx, x []T, t kernels.Target, v kernels.Value, g kernels.Grad) error {
	if err := h.checkGradient(dx, x, g); err != nil {
		return err
	}
	if !share.Fresh(v, h.plan, h.plan.generation) {
		return share.Error("v", -1, v.Loss, kernels.ErrStale, "not this plan's latest value")
	}
	target, err := h.upload(ctx, x, t)
	if err != nil {
		return err
	}
	if err := h.prior(dx, g); err != nil {
		return err
	}
	if err := h.plan.Backward(0, h.dx.device, h.x.device, target, g); err != nil {
		return err
	}
	return h.download(dx)
}

// ForwardBackward is Forward followed by Backward.
func (h *Host[T]) ForwardBackward(ctx context.Context, dx, x []T, t kernels.Target, g kernels.Grad) (kernels.Value, error) {
	if err := h.checkGradient(dx, x, g); err != nil {
		return kernels.Value{}, err
	}
	target, err := h.upload(ctx, x, t)
	if err != nil {
		return kernels.Value{}, err
	}
	if err := h.prior(dx, g); err != nil {
		return kernels.Value{}, err
	}
	if err := h.plan.ForwardBackward(0, h.dx.device, h.x.device, target, g); err != nil {
		return kernels.Value{}, err
	}
	v, err := h.plan.Value()
	if err != nil {
		return kernels.Value{}, err
	}
	return v, h.download(dx)
}

func (h *Host[T]) checkGradient(dx, x []T, g kernels.Grad) error {
	if err := h.open(); err != nil {
		return err
	}
	if len(dx) != len(x) {
		return share.Error("dx", -1, len(dx), kernels.ErrShape, "length, want %d as x has", len(x))
	}
	if g.Accumulate && len(x) > 0 && &dx[0] == &x[0] {
		return share.Error("dx", -1, "x", kernels.ErrAlias, "cannot accumulate in place")
	}
	return nil
}

// upload brings a prediction and its target to the device.
func (h *Host[T]) upload(ctx context.Context, x []T, t kernels.Target) (Target, error) {
	if err := h.open(); err != nil {
		return Target{}, err
	}
	if ctx != nil && ctx.Err() != nil {
		return Target{}, ctx.Err()
	}
	p := h.plan
	s, err := share.CheckTarget(t, p.spec, p.config)
	if err != nil {
		return Target{}, err
	}
	if want := s.N * p.spec.C * s.S; len(x) != want {
		return Target{}, share.Error("x", -1, len(x), kernels.ErrShape, "length, want %d for N=%d C=%d S=%d", want, s.N, p.spec.C, s.S)
	}
	if err := h.x.send(p, toElements(h.x.host, x, p.dtype)); err != nil {
		return Target{}, err
	}
	target, err := h.sendTarget(&s)
	if err != nil {
		return Target{}, err
	}
	if s.Weights != nil {
		target = target.Weights(h.weights.device)
		err = errors.Join(err, h.weights.send(p, toBytes(h.weights.host, s.Weights)))
	}
	if s.Mask != nil {
		target = target.Mask(h.mask.device)
		err = errors.Join(err, h.mask.send(p, toBytes(h.mask.host, s.Mask)))
	}
	return target.Sized(s.N, s.S), err
}

func (h *Host[T]) sendTarget(s *share.Target) (t Target, err error) {
	p, b := h.plan, &h.target
	switch {
	case s.Dense32 != nil:
		return Dense(b.device, Float32), b.send(p, toBytes(b.host, s.Dense32))
	case s.Dense64 != nil && p.dtype == Float64:
		return Dense(b.device, Float64), b.send(p, toBytes(b.host, s.Dense64))
	case s.Dense64 != nil:
		single := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.host))), len(s.Dense64))
		for i, v := range s.Dense64 {
			single[i] = float32(v)
		}
		return Dense(b.device, Float32), b.send(p, 4*len(single))
	}
	kind := LabelType(slices.IndexFunc(labelTypes, func(l labelType) bool { return l.name == s.LabelType }))
	return Labels(b.device, kind), b.send(p, copy(b.host, s.Labels))
}

// send queues a copy of the first bytes of a buffer to the device.
func (b *buffer) send(p *Plan, bytes int) error {
	if bytes == 0 {
		return nil
	}
	return p.dev.ctx.CopyIn(b.device, b.host[:bytes], 0)
}

// prior brings to the device what a gradient is added to.
func (h *Host[T]) prior(dx []T, g kernels.Grad) error {
	if !g.Accumulate {
		return nil
	}
	return h.dx.send(h.plan, toElements(h.dx.host, dx, h.plan.dtype))
}

// download waits for a gradient.
func (h *Host[T]) download(dx []T) error {
	if len(dx) == 0 {
		return h.plan.dev.ctx.Synchronize(0)
	}
	b := h.dx.host[:len(dx)*h.plan.dtype.Size()]
	if err := h.plan.dev.ctx.CopyOut(b, h.dx.device, 0); err != nil {
		return err
	}
	if err := h.plan.dev.ctx.Synchronize(0); err != nil {
		return err
	}
	fromElements(dx, b, h.plan.dtype)
	return nil
}

// toBytes copies a slice to memory and returns how many bytes it has.
func toBytes[E any](to []byte, from []E) int {
	if len(from) == 0 {
		return 0
	}
	return copy(to, bytesOf(&from[0], len(from)))
}

// toElements does the same with a conversion to the elements of a type.
func toElements[T kernels.Float](to []byte, from []T, t DType) int {
	if t != Float16 && t != BFloat16 {
		return toBytes(to, from)
	}
	half := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(to))), len(from))
	for i, v := range from {
		if t == Float16 {
			half[i] = toFloat16(float32(v))
		} else {
			half[i] = toBFloat16(float32(v))
		}
	}
	return 2 * len(from)
}

func fromElements[T kernels.Float](to []T, from []byte, t DType) {
	if t != Float16 && t != BFloat16 {
		copy(bytesOf(&to[0], len(to)), from)
		return
	}
	for i, v := range unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(from))), len(to)) {
		if t == Float16 {
			to[i] = T(fromFloat16(v))
		} else {
			to[i] = T(fromBFloat16(v))
		}
	}
}
