//go:build cuda

package gorgonia

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/cu"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

// gpu is the loss on Gorgonia's device: its context, its default stream, its memory.
type gpu struct {
	device *cuda.Device
	plan   *cuda.Plan
	spec   kernels.Spec
}

// Gorgonia's kernels run on the default stream of its context.
const stream = cuda.Stream(0)

// CUDADo computes the loss where x and the target are.
func (op *lossOp[T]) CUDADo(extern G.External, dev G.Device, prealloc G.Value, in ...G.Value) (G.Value, error) {
	out, err := onDevice[T](extern, dev, prealloc, tensor.ScalarShape())
	if err != nil {
		return nil, err
	}
	return out, run(extern, dev, func() error {
		if err := op.fit(in[0].Shape()); err != nil {
			return err
		}
		t, err := op.targetOn(in[0], in[1])
		if err != nil {
			return err
		}
		if err := op.gpu.plan.Forward(stream, in[0].Uintptr(), t); err != nil {
			return err
		}
		v, err := op.gpu.plan.Value()
		if err != nil {
			return err
		}
		return op.gpu.device.CopyIn(out.Uintptr(), bytesOf(T(v.Loss)), stream)
	})
}

// CUDADo computes the gradient where x and the target are.
func (op *gradOp[T]) CUDADo(extern G.External, dev G.Device, prealloc G.Value, in ...G.Value) (G.Value, error) {
	dx, err := onDevice[T](extern, dev, prealloc, in[0].Shape())
	if err != nil {
		return nil, err
	}
	return dx, run(extern, dev, func() error {
		t, err := op.targetOn(in[0], in[1])
		if err != nil {
			return err
		}
		scale := bytesOf(T(0))
		if err := op.gpu.device.CopyOut(scale, in[3].Uintptr(), stream); err != nil {
			return err
		}
		return op.gpu.plan.Backward(stream, dx.Uintptr(), in[0].Uintptr(), t, kernels.Grad{Scale: numberOf[T](scale)})
	})
}

// run does work on the thread of the device's context, after what Gorgonia has
// queued for it. An error does not go through Do, which would end the context's loop.
func run(extern G.External, dev G.Device, work func() error) (err error) {
	machine, ok := extern.(G.CUDAMachine)
	if !ok {
		return fmt.Errorf("segloss: %T has no GPU", extern)
	}
	ctx := machine.Contexts()[int(dev)]
	done := ctx.Do(func() error {
		ctx.DoWork()
		if err = ctx.Errors(); err != nil {
			return nil
		}
		if err = cu.SetCurrentContext(ctx.CUDAContext()); err == nil {
			err = work()
		}
		return nil
	})
	if err == nil {
		err = done
	}
	return err
}

// fit sees that there is a plan for a shape, in the context that is current.
func (op *lossOp[T]) fit(shape tensor.Shape) error {
	spec, err := bridge.SpecOf(shape, op.activation, op.layout)
	if err != nil || op.gpu.plan != nil && spec == op.gpu.spec {
		return err
	}
	if op.gpu.device == nil {
		if op.gpu.device, err = cuda.Open(0, cuda.WithCurrentContext()); err != nil {
			return err
		}
	}
	if op.gpu.plan != nil {
		if err := op.gpu.plan.Close(); err != nil {
			return err
		}
	}
	op.gpu.plan, err = op.gpu.device.New(op.loss, spec, elementsOf[T](), op.options...)
	op.gpu.spec = spec
	return err
}

// elementsOf is the type of elements as package cuda has it.
func elementsOf[T kernels.Float]() cuda.DType {
	if dtypeOf[T]() == tensor.Float32 {
		return cuda.Float32
	}
	return cuda.Float64
}

// targetOn reads what a target's type says it is.
func (op *lossOp[T]) targetOn(x, t G.Value) (cuda.Target, error) {
	switch t.Dtype() {
	case x.Dtype():
		return cuda.Dense(t.Uintptr(), elementsOf[T]()), nil
	case tensor.Uint8:
		return cuda.Labels(t.Uintptr(), cuda.Uint8), nil
	case tensor.Int32:
		return cuda.Labels(t.Uintptr(), cuda.Int32), nil
	case tensor.Int64:
		return cuda.Labels(t.Uintptr(), cuda.Int64), nil
	}
	return cuda.Target{}, badType("target", t.Dtype())
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
