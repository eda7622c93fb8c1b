//go:build cuda

package gorgonia

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"unsafe"
	"weak"

	"gorgonia.org/cu"
	G "gorgonia.org/gorgonia"
	engine "gorgonia.org/gorgonia/cuda"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

// gpu is the loss on Gorgonia's devices. A graph and its clones share it, and every
// machine has an engine of its own for a device, with a context. A context's handle may
// come back for the next machine, whose context is another; an engine's weak pointer
// does not, and keeps no machine alive.
type gpu struct {
	mu sync.Mutex
	in map[weak.Pointer[engine.Engine]]*resident
}

// resident is a loss in a context. It is freed with that, by the machine's Close.
type resident struct {
	device *cuda.Device
	plan   *cuda.Plan
	spec   kernels.Spec
	loss   uintptr // where the loss of the plan's latest Forward is, or 0
}

// Gorgonia's kernels run on the default stream of its context.
const stream = cuda.Stream(0)

// CUDADo computes the loss where x and the target are.
func (op *lossOp[T]) CUDADo(extern G.External, dev G.Device, prealloc G.Value, in ...G.Value) (G.Value, error) {
	a, err := op.check(in[0], in[1])
	if err != nil {
		return nil, err
	}
	out, err := onDevice[T](extern, dev, prealloc, tensor.ScalarShape())
	if err != nil {
		return nil, err
	}
	return out, op.run(extern, dev, a.spec, func(r *resident) error {
		v, err := r.forward(a, out)
		if err != nil {
			return err
		}
		return put(r.device, out.Uintptr(), T(v.Loss))
	})
}

// CUDADo computes the gradient where x and the target are.
func (op *gradOp[T]) CUDADo(extern G.External, dev G.Device, prealloc G.Value, in ...G.Value) (G.Value, error) {
	a, err := op.check(in[0], in[1])
	if err != nil {
		return nil, err
	}
	dx, err := onDevice[T](extern, dev, prealloc, in[0].Shape())
	if err != nil {
		return nil, err
	}
	if d, err := direct("the gradient of x", dx); err != nil {
		return nil, err
	} else if !slices.Equal(d.Shape(), in[0].Shape()) {
		return nil, argError("the gradient of x", d.Shape(), fmt.Sprintf("want %v, as x has", in[0].Shape()))
	}
	return dx, op.run(extern, dev, a.spec, func(r *resident) error {
		if r.loss != in[2].Uintptr() { // the plan is new, or has gone forward for another loss since
			if _, err := r.forward(a, in[2]); err != nil {
				return err
			}
		}
		scale, err := get[T](r.device, in[3].Uintptr())
		if err != nil {
			return err
		}
		return r.plan.Backward(stream, dx.Uintptr(), a.x, a.target, kernels.Grad{Scale: scale})
	})
}

// forward computes a loss, whose place tells it from others.
func (r *resident) forward(a arguments, loss G.Value) (kernels.Value, error) {
	r.loss = 0
	if err := r.plan.Forward(stream, a.x, a.target); err != nil {
		return kernels.Value{}, err
	}
	v, err := r.plan.Value()
	if err == nil {
		r.loss = loss.Uintptr()
	}
	return v, err
}

// run does work on the thread of the device's context, after what Gorgonia has
// queued for it. An error does not go through Do, which would end the context's loop.
func (op *lossOp[T]) run(extern G.External, dev G.Device, spec kernels.Spec, work func(*resident) error) (err error) {
	machine, ok := extern.(G.CUDAMachine)
	if !ok || dev < 0 || int(dev) >= len(machine.Engines()) {
		return fmt.Errorf("segloss: %T has no device %v", extern, dev)
	}
	ctx := machine.Contexts()[int(dev)]
	done := ctx.Do(func() error {
		ctx.DoWork()
		if err = ctx.Errors(); err != nil {
			return nil
		}
		if err = cu.SetCurrentContext(ctx.CUDAContext()); err != nil {
			return nil
		}
		r := op.gpu.at(&machine.Engines()[int(dev)])
		if err = op.fit(r, spec); err == nil {
			err = work(r)
		}
		return nil
	})
	if err == nil {
		err = done
	}
	return err
}

// at is what the loss has in an engine's context. What it had in those of machines that
// are gone is gone with them.
func (g *gpu) at(e *engine.Engine) *resident {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := weak.Make(e)
	if r := g.in[key]; r != nil {
		return r
	}
	maps.DeleteFunc(g.in, func(k weak.Pointer[engine.Engine], _ *resident) bool { return k.Value() == nil })
	if g.in == nil {
		g.in = map[weak.Pointer[engine.Engine]]*resident{}
	}
	g.in[key] = &resident{}
	return g.in[key]
}

// fit sees that there is a plan for a shape, in the context that is current.
func (op *lossOp[T]) fit(r *resident, spec kernels.Spec) (err error) {
	if r.plan != nil && spec == r.spec {
		return nil
	}
	if r.device == nil {
		if r.device, err = cuda.Open(0, cuda.WithCurrentContext()); err != nil {
			return err
		}
	}
	old := r.plan
	r.plan, r.loss = nil, 0
	if old != nil {
		if err := old.Close(); err != nil {
			return err
		}
	}
	r.plan, err = r.device.New(op.loss, spec, elementsOf[T](), op.options...)
	r.spec = spec
	return err
}

// arguments are a prediction and its target on a device.
type arguments struct {
	spec   kernels.Spec
	x      uintptr
	target cuda.Target
}

// check checks all that the kernels rely on: they read where the shape of x says that
// there is something.
func (op *lossOp[T]) check(x, target G.Value) (arguments, error) {
	if _, err := direct("x", x); err != nil {
		return arguments{}, err
	}
	if x.Dtype() != dtypeOf[T]() {
		return arguments{}, badType("x", x.Dtype())
	}
	if _, err := direct("target", target); err != nil {
		return arguments{}, err
	}
	t, err := targetOn[T](target)
	if err != nil {
		return arguments{}, err
	}
	if err := bridge.CheckTarget(x.Shape(), target.Shape(), op.layout, target.Dtype() == x.Dtype()); err != nil {
		return arguments{}, err
	}
	spec, err := bridge.SpecOf(x.Shape(), op.activation, op.layout)
	return arguments{spec, x.Uintptr(), t}, err
}

// elementsOf is the type of elements as package cuda has it.
func elementsOf[T kernels.Float]() cuda.DType {
	if dtypeOf[T]() == tensor.Float32 {
		return cuda.Float32
	}
	return cuda.Float64
}

// targetOn reads what a target's type says it is.
func targetOn[T kernels.Float](t G.Value) (cuda.Target, error) {
	if t.Dtype() == dtypeOf[T]() {
		return cuda.Dense(t.Uintptr(), elementsOf[T]()), nil
	}
	if l, ok := deviceLabels[t.Dtype()]; ok {
		return cuda.Labels(t.Uintptr(), l), nil
	}
	return cuda.Target{}, badType("target", t.Dtype())
}

// deviceLabels are the label types as package cuda has them.
var deviceLabels = map[tensor.Dtype]cuda.LabelType{
	tensor.Uint8:  cuda.Uint8,
	tensor.Int8:   cuda.Int8,
	tensor.Uint16: cuda.Uint16,
	tensor.Int16:  cuda.Int16,
	tensor.Uint32: cuda.Uint32,
	tensor.Int32:  cuda.Int32,
	tensor.Int64:  cuda.Int64,
}

// onDevice is the memory that the machine has set aside for a result, or some more.
func onDevice[T kernels.Float](extern G.External, dev G.Device, prealloc G.Value, shape tensor.Shape) (G.Value, error) {
	if prealloc != nil {
		return prealloc, nil
	}
	size := int64(unsafe.Sizeof(T(0))) * int64(max(shape.TotalSize(), 1))
	mem, err := extern.Get(dev, size)
	if err != nil {
		return nil, err
	}
	if !shape.IsScalar() {
		return tensor.New(tensor.Of(dtypeOf[T]()), tensor.WithShape(shape...), tensor.FromMemory(mem.Uintptr(), uintptr(size))), nil
	}
	// A scalar on the device is an address there, as Gorgonia has it.
	address := mem.Uintptr()
	if dtypeOf[T]() == tensor.Float32 {
		return *(**G.F32)(unsafe.Pointer(&address)), nil
	}
	return *(**G.F64)(unsafe.Pointer(&address)), nil
}

// put writes a number to a device.
func put[T kernels.Float](d *cuda.Device, at uintptr, v T) error {
	b := bytesOf(v)
	if err := d.CopyIn(at, b, stream); err != nil {
		return err
	}
	err := d.Synchronize(stream)
	runtime.KeepAlive(b) // the copy may have been under way until now
	return err
}

// get reads a number from a device.
func get[T kernels.Float](d *cuda.Device, at uintptr) (float64, error) {
	b := bytesOf(T(0))
	if err := d.CopyOut(b, at, stream); err != nil {
		return 0, err
	}
	if err := d.Synchronize(stream); err != nil {
		return 0, err
	}
	return numberOf[T](b), nil
}

// bytesOf is a number as it lies in memory, and numberOf the way back.
func bytesOf[T kernels.Float](v T) []byte {
	if dtypeOf[T]() == tensor.Float32 {
		return binary.NativeEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	}
	return binary.NativeEndian.AppendUint64(nil, math.Float64bits(float64(v)))
}

func numberOf[T kernels.Float](b []byte) float64 {
	if dtypeOf[T]() == tensor.Float32 {
		return float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.NativeEndian.Uint64(b))
}
