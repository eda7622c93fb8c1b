// Package born makes the losses of segloss operations of born: Loss.Forward puts
// one on the tape of an autodiff backend, and autodiff.Backward goes through it as
// through any other.
package born

import (
	"fmt"

	"github.com/born-ml/born/autodiff"
	"github.com/born-ml/born/tensor"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Loss computes a loss of tensors [N, C, …] in layout NCS and [N, …, C] in NSC, whose
// elements lie in the computer's memory, or are brought there. A tensor of two axes is
// one sample, [C, S] or [S, C]: what a classifier gives for a batch has to be reshaped
// to [N, C, 1] or [N, 1, C].
type Loss[T kernels.Float, B autodiff.BackwardCapable] struct {
	criterion *bridge.Criterion[T]
	backend   B
}

// New makes a loss on an autodiff backend. A wrong activation is no error; [bridge.New]
// says what it looks like.
func New[T kernels.Float, B autodiff.BackwardCapable](backend B, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) *Loss[T, B] {
	return &Loss[T, B]{bridge.New[T](loss, a, l, o...), backend}
}

// Forward returns the loss of a batch, a tensor of shape [1], and records it where
// the backend's tape is recording. The target must not change before the backward
// pass, which panics where a label or a weight has become bad since.
func (l *Loss[T, B]) Forward(x *tensor.Tensor[T, B], t kernels.Target) (*tensor.Tensor[T, B], error) {
	if x == nil || x.Raw() == nil {
		return nil, &kernels.ArgError{Arg: "x", Index: -1, Value: nil, Err: fmt.Errorf("%w: no tensor", kernels.ErrShape)}
	}
	pass, err := l.criterion.Forward(x.Shape(), x.Data(), t)
	if err != nil {
		return nil, err
	}
	y, err := tensor.FromSlice([]T{T(pass.Loss())}, tensor.Shape{1}, l.backend)
	if err != nil {
		return nil, err
	}
	if tape := l.backend.GetTape(); tape.IsRecording() {
		err = record(tape, pass, l.backend.Device(), x.Raw(), y.Raw())
	}
	return y, err
}

// recorder is a tape. Its operations and the backend they are handed are types of
// born's internal packages, which cannot be named here but can be inferred.
type recorder[Operation, Backend any] interface {
	Record(Operation)
	Backward(*tensor.RawTensor, Backend) map[*tensor.RawTensor]*tensor.RawTensor
}

// record puts an evaluation of the loss on the tape.
func record[T kernels.Float, Operation, Backend any](tape recorder[Operation, Backend], pass bridge.Pass[T], d tensor.Device, x, y *tensor.RawTensor) error {
	op, ok := any(&operation[T, Backend]{pass, d, x, y}).(Operation)
	if !ok {
		return fmt.Errorf("segloss: this version of born has operations other than v0.8's on its tape: %T is asked for", *new(Operation))
	}
	tape.Record(op)
	return nil
}

// operation is one evaluation of a loss on the tape.
type operation[T kernels.Float, Backend any] struct {
	pass   bridge.Pass[T]
	device tensor.Device
	x, y   *tensor.RawTensor
}

// Backward returns the gradient by the prediction. The tape has no way for an error to
// take. Forward has checked the same tensors, so that there is none unless the target
// has been changed since; that is a panic.
func (o *operation[T, Backend]) Backward(dy *tensor.RawTensor, _ Backend) []*tensor.RawTensor {
	dx, err := tensor.NewRaw(o.x.Shape(), o.x.DType(), o.device)
	if err == nil {
		err = o.pass.Backward(elements[T](dx), kernels.Grad{Scale: float64(elements[T](dy)[0])})
	}
	if err != nil {
		panic(fmt.Sprintf("segloss: backward pass: %v", err))
	}
	return []*tensor.RawTensor{dx}
}

// Inputs is the prediction.
func (o *operation[T, Backend]) Inputs() []*tensor.RawTensor { return []*tensor.RawTensor{o.x} }

// Output is the loss.
func (o *operation[T, Backend]) Output() *tensor.RawTensor { return o.y }

// elements is a tensor's memory.
func elements[T kernels.Float](r *tensor.RawTensor) (e []T) {
	switch e := any(&e).(type) {
	case *[]float32:
		*e = r.AsFloat32()
	case *[]float64:
		*e = r.AsFloat64()
	}
	return e
}
