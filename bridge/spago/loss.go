// Package spago makes the losses of segloss operators of spaGO: Loss.Forward gives
// a scalar tensor, and ag.Backward goes through it as through any other.
package spago

import (
	"fmt"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Loss computes a loss of matrices, one for each sample: [C, S] in layout NCS and
// [S, C] in NSC, for C classes at S positions. T is the type of their elements.
// It may be used by many goroutines, and by many nodes of a graph.
type Loss[T kernels.Float] struct {
	criterion *bridge.Criterion[T]
}

// New makes a loss.
func New[T kernels.Float](loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) *Loss[T] {
	return &Loss[T]{bridge.New[T](loss, a, l, o...)}
}

// Forward returns the loss of a batch, an operator of which the samples xs are the
// operands. The target covers the batch, the samples one after another. Neither may
// change before the backward pass.
func (l *Loss[T]) Forward(t kernels.Target, xs ...mat.Tensor) (mat.Tensor, error) {
	shape, x, err := batch[T](xs)
	if err != nil {
		return nil, err
	}
	pass, err := l.criterion.Forward(shape, x, t)
	if err != nil {
		return nil, err
	}
	return ag.NewOperator(&operator[T]{pass: pass, xs: xs, size: len(x)}).Run(), nil
}

// batch lays samples of one shape side by side; a single one stays where it is.
func batch[T kernels.Float](xs []mat.Tensor) (shape []int, x []T, err error) {
	if len(xs) == 0 {
		return nil, nil, &kernels.ArgError{Arg: "xs", Index: -1, Value: 0, Err: fmt.Errorf("%w: no sample", kernels.ErrShape)}
	}
	first := xs[0].Value()
	for i, s := range xs {
		if s := s.Value(); !mat.SameDims(s, first) {
			return nil, nil, &kernels.ArgError{Arg: "xs", Index: i, Value: s.Shape(),
				Err: fmt.Errorf("%w: the first sample has %v", kernels.ErrShape, first.Shape())}
		}
	}
	shape = append([]int{len(xs)}, first.Shape()...)
	if len(xs) == 1 {
		return shape, mat.Data[T](first), nil
	}
	for _, s := range xs {
		x = append(x, mat.Data[T](s.Value())...)
	}
	return shape, x, nil
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
