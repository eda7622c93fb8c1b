// Package gorgonia makes the losses of segloss operations of Gorgonia: Cost adds
// one to the graph, gorgonia.Grad differentiates it symbolically for the tape
// machine, and the Lisp machine goes through it by itself. With the build tag cuda
// the tape machine runs it on Gorgonia's GPU, in its context and on its stream.
//
// Gorgonia wants a version of go4.org/unsafe/assume-no-moving-gc that knows the Go
// in use; this module requires one.
package gorgonia

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Cost returns a scalar node, the loss of prediction x, of shape [N, C, …] in
// layout NCS and [N, …, C] in NSC, with elements of float32 or float64. A target of
// x's type is dense and has x's shape; one of uint8, int32 or int64 is a map of labels
// [N, …].
func Cost(x, target *G.Node, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) (*G.Node, error) {
	switch x.Dtype() {
	case tensor.Float32:
		return cost[float32](x, target, loss, a, l, o)
	case tensor.Float64:
		return cost[float64](x, target, loss, a, l, o)
	}
	return nil, badType("x", x.Dtype())
}

func cost[T kernels.Float](x, target *G.Node, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o []kernels.Option) (*G.Node, error) {
	return G.ApplyOp(&lossOp[T]{
		criterion: bridge.New[T](loss, a, l, o...),
		loss:      loss, activation: a, layout: l, options: o,
		name: fmt.Sprintf("segloss{%s, %v, %v}", loss, a, l),
	}, x, target)
}

func badType(arg string, t any) error {
	return &kernels.ArgError{Arg: arg, Index: -1, Value: t, Err: fmt.Errorf("%w: a node of this type cannot be used", kernels.ErrShape)}
}

// lossOp is the loss as an operation. It keeps its last forward pass, whose sums
// its gradient operation needs: both run in one machine, one after the other.
type lossOp[T kernels.Float] struct {
	criterion  *bridge.Criterion[T]
	loss       kernels.Loss
	activation kernels.Activation
	layout     kernels.Layout
	options    []kernels.Option
	name       string
	pass       bridge.Pass[T]
	//lint:ignore U1000 the tag cuda uses it
	gpu gpu
}

// Arity is that of (x, target).
func (op *lossOp[T]) Arity() int { return 2 }

// Type takes tensors of any rank, which it leaves to InferShape and Do.
func (op *lossOp[T]) Type() hm.Type {
	return hm.NewFnType(hm.TypeVariable('x'), hm.TypeVariable('t'), dtypeOf[T]())
}

func dtypeOf[T kernels.Float]() tensor.Dtype {
	if _, ok := any(T(0)).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}

// InferShape is that of a scalar.
func (op *lossOp[T]) InferShape(...G.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

// Do computes the loss.
func (op *lossOp[T]) Do(in ...G.Value) (G.Value, error) {
	x, err := elements[T]("x", in[0])
	if err != nil {
		return nil, err
	}
	t, err := targetOf[T](in[1])
	if err != nil {
		return nil, err
	}
	if op.pass, err = op.criterion.Forward(in[0].Shape(), x, t); err != nil {
		return nil, err
	}
	return scalar(T(op.pass.Loss())), nil
}

// scalar is a number as Gorgonia has it.
func scalar[T kernels.Float](v T) G.Value {
	if dtypeOf[T]() == tensor.Float32 {
		return G.NewF32(float32(v))
	}
	return G.NewF64(float64(v))
}

// number is what a scalar holds.
func number(v G.Value) (float64, error) {
	switch s := v.Data().(type) {
	case float32:
		return float64(s), nil
	case float64:
		return s, nil
	}
	return 0, badType("the gradient of the loss", v.Dtype())
}

// elements is the memory of a dense tensor.
func elements[T kernels.Float](arg string, v G.Value) ([]T, error) {
	d, ok := v.(*tensor.Dense)
	if !ok || !d.DataOrder().IsRowMajor() || d.RequiresIterator() {
		return nil, badType(arg, fmt.Sprintf("%T", v))
	}
	e, ok := d.Data().([]T)
	if !ok {
		return nil, badType(arg, d.Dtype())
	}
	return e, nil
}

// targetOf reads what a target's type says it is.
func targetOf[T kernels.Float](v G.Value) (kernels.Target, error) {
	switch r := v.Data().(type) {
	case []T:
		return kernels.Dense(r), nil
	case []uint8:
		return kernels.Labels(r), nil
	case []int32:
		return kernels.Labels(r), nil
	case []int64:
		return kernels.Labels(r), nil
	}
	return kernels.Target{}, badType("target", v.Dtype())
}

// DiffWRT says that the loss is differentiable by the prediction alone.
func (op *lossOp[T]) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff returns the node of the gradient. It depends on the loss, so that the
// machine computes that before.
func (op *lossOp[T]) SymDiff(in G.Nodes, loss, grad *G.Node) (G.Nodes, error) {
	dx, err := G.ApplyOp(&gradOp[T]{op}, in[0], in[1], loss, grad)
	return G.Nodes{dx, nil}, err
}

// DoDiff adds the gradient to that of the prediction, for the Lisp machine.
func (op *lossOp[T]) DoDiff(_ G.ExecutionContext, in G.Nodes, loss *G.Node) error {
	upstream, err := loss.Grad()
	if err != nil {
		return err
	}
	sum, err := in[0].Grad()
	if err != nil {
		return err
	}
	scale, err := number(upstream)
	if err != nil {
		return err
	}
	dx, err := elements[T]("the gradient of x", sum)
	if err != nil {
		return err
	}
	return op.pass.Backward(dx, kernels.Grad{Scale: scale, Accumulate: true})
}

// ReturnsPtr says that the result is not a copy of an input.
func (op *lossOp[T]) ReturnsPtr() bool { return false }

// CallsExtern has the machine set aside memory on the GPU where there is one.
func (op *lossOp[T]) CallsExtern() bool { return G.CUDA }

// OverwritesInput says that no input is written to.
func (op *lossOp[T]) OverwritesInput() int { return -1 }

// WriteHash tells two losses in a graph apart, of the same name too: their options
// may differ, and each keeps a pass.
func (op *lossOp[T]) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s%p", op.name, op) }

// Hashcode is made of what WriteHash writes.
func (op *lossOp[T]) Hashcode() uint32 { return hashcode(op) }

func (op *lossOp[T]) String() string { return op.name }

func hashcode(op G.Op) uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}

// gradOp is the gradient of a loss as an operation.
type gradOp[T kernels.Float] struct{ *lossOp[T] }

// Arity is that of (x, target, loss, upstream gradient).
func (op *gradOp[T]) Arity() int { return 4 }

// Type is that of a function whose result is like its first argument.
func (op *gradOp[T]) Type() hm.Type {
	x := hm.TypeVariable('x')
	return hm.NewFnType(x, hm.TypeVariable('t'), dtypeOf[T](), dtypeOf[T](), x)
}

// InferShape is that of x.
func (op *gradOp[T]) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	shapes, err := G.DimSizersToShapes(in[:1])
	if err != nil {
		return nil, err
	}
	return shapes[0].Clone(), nil
}

// Do computes the gradient.
func (op *gradOp[T]) Do(in ...G.Value) (G.Value, error) {
	return op.UsePreallocDo(tensor.New(tensor.Of(dtypeOf[T]()), tensor.WithShape(in[0].Shape().Clone()...)), in...)
}

// UsePreallocDo computes the gradient where the machine wants it.
func (op *gradOp[T]) UsePreallocDo(dx G.Value, in ...G.Value) (G.Value, error) {
	scale, err := number(in[3])
	if err != nil {
		return nil, err
	}
	e, err := elements[T]("the gradient of x", dx)
	if err != nil {
		return nil, err
	}
	return dx, op.pass.Backward(e, kernels.Grad{Scale: scale})
}

// DiffWRT says that there is no second derivative.
func (op *gradOp[T]) DiffWRT(inputs int) []bool { return make([]bool, inputs) }

// SymDiff says so, too.
func (op *gradOp[T]) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, fmt.Errorf("segloss: %v has no second derivative", op)
}

// WriteHash tells the gradient from the loss.
func (op *gradOp[T]) WriteHash(h hash.Hash) { fmt.Fprintf(h, "∂%s%p", op.name, op.lossOp) }

// Hashcode is made of what WriteHash writes.
func (op *gradOp[T]) Hashcode() uint32 { return hashcode(op) }

func (op *gradOp[T]) String() string { return "∂" + op.name }
