// Package spago makes the losses of segloss operators of spaGO: Loss.Forward gives
// a scalar tensor, and ag.Backward goes through it as through any other.
package spago

import (
	"fmt"
	"slices"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Loss computes a loss of matrices, one for each sample: [C, S] in layout NCS and
// [S, C] in NSC, for C classes at S positions. What spaGO makes a vector, it gives as a
// matrix of one column. T is the type of their elements.
// It may be used by many goroutines, and by many nodes of a graph.
type Loss[T kernels.Float] struct {
	criterion *bridge.Criterion[T]
}

// New makes a loss. A wrong activation is no error; [bridge.New] says what it looks like.
func New[T kernels.Float](loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) *Loss[T] {
	return &Loss[T]{bridge.New[T](loss, a, l, o...)}
}

// Forward returns the loss of a batch, an operator of which the samples xs are the
// operands. The target covers the batch, the samples one after another. Neither may
// change before the backward pass: for an error there, such as a label that has become
// bad, spaGO ends the process.
func (l *Loss[T]) Forward(t kernels.Target, xs ...mat.Tensor) (mat.Tensor, error) {
	shape, x, err := batch[T](xs)
	if err != nil {
		return nil, err
	}
	pass, err := l.criterion.Forward(shape, x, t)
	if err != nil {
		return nil, err
	}
	return ag.NewOperator(&operator[T]{pass: pass, xs: slices.Clone(xs), size: len(x)}).Run(), nil
}

// batch lays samples of one shape side by side; a single one stays where it is.
func batch[T kernels.Float](xs []mat.Tensor) (shape []int, x []T, err error) {
	if len(xs) == 0 {
		return nil, nil, badSample(-1, 0, "no sample")
	}
	var first *mat.Dense[T]
	for i := range xs {
		s, err := dense[T](xs, i)
		if err != nil {
			return nil, nil, err
		}
		if len(s.Shape()) < 2 {
			return nil, nil, badSample(i, s.Shape(), "a sample has at least two axes, of classes and positions")
		}
		if i == 0 {
			first, x = s, slices.Clip(mat.Data[T](s)) // clipped, so that it is copied before more is appended
			continue
		}
		if !mat.SameDims(s, first) {
			return nil, nil, badSample(i, s.Shape(), "the first sample has %v", first.Shape())
		}
		x = append(x, mat.Data[T](s)...)
	}
	return append([]int{len(xs)}, first.Shape()...), x, nil
}

// dense is the matrix of sample i. One of the other type would be converted on the way
// here, and not be able to take the gradient on the way back.
func dense[T kernels.Float](xs []mat.Tensor, i int) (*mat.Dense[T], error) {
	if xs[i] == nil {
		return nil, badSample(i, nil, "no tensor")
	}
	s, ok := xs[i].Value().(*mat.Dense[T])
	if !ok || s == nil {
		return nil, badSample(i, fmt.Sprintf("%T", xs[i].Value()), "want a matrix of %T", T(0))
	}
	return s, nil
}

func badSample(i int, value any, format string, args ...any) error {
	return &kernels.ArgError{Arg: "xs", Index: i, Value: value,
		Err: fmt.Errorf("%w: %s", kernels.ErrShape, fmt.Sprintf(format, args...))}
}

// operator is one evaluation of a loss in a graph.
type operator[T kernels.Float] struct {
	pass bridge.Pass[T]
	xs   []mat.Tensor
	size int
}

// Forward returns the loss, which Loss.Forward has computed, where an error can
// be returned: spaGO ends the process at one here.
func (o *operator[T]) Forward() (mat.Tensor, error) {
	return mat.Scalar(T(o.pass.Loss())), nil
}

// Backward adds the gradient to the samples that require one.
func (o *operator[T]) Backward(gy mat.Tensor) error {
	dx := make([]T, o.size)
	if err := o.pass.Backward(dx, kernels.Grad{Scale: gy.Item().F64()}); err != nil {
		return err
	}
	each := len(dx) / len(o.xs)
	for i, x := range o.xs {
		if x.RequiresGrad() {
			x.AccGrad(mat.NewDense[T](mat.WithShape(x.Shape()...), mat.WithBacking(dx[i*each:(i+1)*each])))
		}
	}
	return nil
}

// Operands are the samples.
func (o *operator[T]) Operands() []mat.Tensor { return o.xs }
