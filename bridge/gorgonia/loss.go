// Package gorgonia makes the losses of segloss operations of Gorgonia: Cost adds
// one to the graph, gorgonia.Grad differentiates it symbolically for the tape
// machine, and the Lisp machine goes through it by itself.
//
// With the build tag cuda the tape machine runs it on Gorgonia's GPU, in its context
// and on its stream. What it needs there is freed by the machine's Close, which
// destroys the context. A view has to be materialised before it goes there: the machine
// copies its memory as it lies, and what arrives is no view.
//
// Cost returns errors that errors.Is and errors.As see through. Those of a machine's
// RunAll, such as a label out of range, are wrapped in a way that they do not, and
// have to be unwrapped first:
//
//	var vm interface{ Err() error }
//	if errors.As(err, &vm) {
//		err = vm.Err()
//	}
//
// Gorgonia wants a version of go4.org/unsafe/assume-no-moving-gc that knows the Go
// in use; this module requires one.
package gorgonia

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Cost returns a scalar node, the loss of prediction x, of shape [N, C, …] in
// layout NCS and [N, …, C] in NSC, with elements of float32 or float64. One of two axes
// is one sample, [C, S] or [S, C]: what a classifier gives for a batch has to be reshaped
// to [N, C, 1] or [N, 1, C]. A target of x's type is dense and has x's shape; one of
// integers of 8, 16 or 32 bits or of int64 is a map of labels [N, …], or [S] of one
// sample. The value of x lies in memory in the order of its shape; that of a target which
// does not, such as a transposed view, is copied. A wrong activation is no error;
// [bridge.New] says what it looks like.
func Cost(x, target *G.Node, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) (*G.Node, error) {
	if err := checkNodes(x, target, l); err != nil {
		return nil, err
	}
	if x.Dtype() == tensor.Float32 {
		return cost[float32](x, target, loss, a, l, o)
	}
	return cost[float64](x, target, loss, a, l, o)
}

// checkNodes checks what is known before there are values.
func checkNodes(x, target *G.Node, l kernels.Layout) error {
	switch {
	case x == nil:
		return argError("x", nil, "no node")
	case target == nil:
		return argError("target", nil, "no node")
	}
	if t := x.Dtype(); t != tensor.Float32 && t != tensor.Float64 {
		return badType("x", t)
	}
	dense := target.Dtype() == x.Dtype()
	if _, labels := labelTypes[target.Dtype()]; !dense && !labels {
		return badType("target", target.Dtype())
	}
	return bridge.CheckTarget(x.Shape(), target.Shape(), l, dense)
}

// labelTypes are those that a map of labels may have, with what reads a tensor of one.
var labelTypes = map[tensor.Dtype]func(*tensor.Dense) (kernels.Target, bool){
	tensor.Uint8:  labelsOf[uint8],
	tensor.Int8:   labelsOf[int8],
	tensor.Uint16: labelsOf[uint16],
	tensor.Int16:  labelsOf[int16],
	tensor.Uint32: labelsOf[uint32],
	tensor.Int32:  labelsOf[int32],
	tensor.Int64:  labelsOf[int64],
}

// labelsOf reads a map of labels. A scalar is none.
func labelsOf[L kernels.Label](d *tensor.Dense) (kernels.Target, bool) {
	y, ok := d.Data().([]L)
	if !ok {
		return kernels.Target{}, false
	}
	return kernels.Labels(ordered(d, y)), true
}

func cost[T kernels.Float](x, target *G.Node, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o []kernels.Option) (*G.Node, error) {
	return G.ApplyOp(&lossOp[T]{
		criterion: bridge.New[T](loss, a, l, o...),
		loss:      loss, activation: a, layout: l, options: o,
		name: fmt.Sprintf("segloss{%s, %v, %v}", loss, a, l),
	}, x, target)
}

func badType(arg string, t any) error { return argError(arg, t, "a node of this type cannot be used") }

func argError(arg string, value any, what string) error {
	return &kernels.ArgError{Arg: arg, Index: -1, Value: value, Err: fmt.Errorf("%w: %s", kernels.ErrShape, what)}
}

// lossOp is the loss as an operation. It keeps its last forward pass, whose sums its
// gradient operation needs. In a machine one runs after the other; but a graph and its
// clones share the operation, and their machines may run at the same time.
type lossOp[T kernels.Float] struct {
	criterion  *bridge.Criterion[T]
	loss       kernels.Loss
	activation kernels.Activation
	layout     kernels.Layout
	options    []kernels.Option
	name       string
	//lint:ignore U1000 the tag cuda uses it
	gpu gpu

	mu   sync.Mutex
	pass bridge.Pass[T]
	of   G.Value // the loss that the pass gave
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
	pass, err := op.forward(in[0], in[1])
	if err != nil {
		return nil, err
	}
	loss := scalar(T(pass.Loss()))
	op.mu.Lock()
	defer op.mu.Unlock()
	op.pass, op.of = pass, loss
	return loss, nil
}

func (op *lossOp[T]) forward(x, target G.Value) (bridge.Pass[T], error) {
	e, err := elements[T]("x", x)
	if err != nil {
		return bridge.Pass[T]{}, err
	}
	t, err := targetOf[T](target)
	if err != nil {
		return bridge.Pass[T]{}, err
	}
	if err := bridge.CheckTarget(x.Shape(), target.Shape(), op.layout, target.Dtype() == x.Dtype()); err != nil {
		return bridge.Pass[T]{}, err
	}
	return op.criterion.Forward(x.Shape(), e, t)
}

// backward is the gradient of a loss that Do gave for x and target. Every loss is a
// value of its own, which tells whether the pass kept is still the one of it.
func (op *lossOp[T]) backward(dx []T, x, target, loss G.Value, g kernels.Grad) (err error) {
	op.mu.Lock()
	pass, own := op.pass, op.of == loss
	op.mu.Unlock()
	if !own {
		if pass, err = op.forward(x, target); err != nil {
			return err
		}
	}
	return pass.Backward(dx, g)
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

// elements is the memory of a tensor, in the order of its shape.
func elements[T kernels.Float](arg string, v G.Value) ([]T, error) {
	d, err := direct(arg, v)
	if err != nil {
		return nil, err
	}
	e, ok := d.Data().([]T)
	if !ok {
		return nil, badType(arg, d.Dtype())
	}
	return e, nil
}

// direct is a tensor whose memory may be handed on as it is.
func direct(arg string, v G.Value) (*tensor.Dense, error) {
	d, err := unmasked(arg, v)
	if err == nil && !inOrder(d) {
		err = argError(arg, d.Strides(), "strides of a view, transposed, in columns or with gaps; want a copy in the order of the shape")
	}
	return d, err
}

// unmasked is a tensor all of whose elements count. Gorgonia panics at the memory of one
// that has none.
func unmasked(arg string, v G.Value) (*tensor.Dense, error) {
	d, ok := v.(*tensor.Dense)
	if !ok || d == nil {
		return nil, badType(arg, fmt.Sprintf("%T", v))
	}
	if d.Shape().TotalSize() == 0 {
		return nil, argError(arg, d.Shape(), "a tensor without elements")
	}
	if len(d.Mask()) > 0 {
		return nil, argError(arg, d.Shape(), "a masked tensor, whose mask would not be read")
	}
	return d, nil
}

// inOrder reports whether elements lie in memory in the order of the shape and without
// gaps. An axis of one element has no say, and may lack a stride.
func inOrder(d *tensor.Dense) bool {
	shape, strides := d.Shape(), d.Strides()
	next := 1
	for axis := len(shape) - 1; axis >= 0; axis-- {
		if shape[axis] != 1 && axis < len(strides) && strides[axis] != next {
			return false
		}
		next *= shape[axis]
	}
	return true
}

// targetOf reads what a target's type says it is.
func targetOf[T kernels.Float](v G.Value) (kernels.Target, error) {
	d, err := unmasked("target", v)
	if err != nil {
		return kernels.Target{}, err
	}
	if r, ok := d.Data().([]T); ok {
		return kernels.Dense(ordered(d, r)), nil
	}
	if read := labelTypes[d.Dtype()]; read != nil {
		if t, ok := read(d); ok {
			return t, nil
		}
	}
	return kernels.Target{}, badType("target", d.Dtype())
}

// ordered is a tensor's memory, or a copy in the order of its shape. (Materialize makes
// none of a tensor in columns that is no view.)
func ordered[E any](d *tensor.Dense, memory []E) []E {
	if inOrder(d) {
		return memory
	}
	return gather(make([]E, 0, d.Shape().TotalSize()), memory, d.Shape(), d.Strides())
}

func gather[E any](to, from []E, shape, strides []int) []E {
	if len(shape) == 0 {
		return append(to, from[0])
	}
	for i := range shape[0] {
		to = gather(to, from[i*strides[0]:], shape[1:], strides[1:])
	}
	return to
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
	return op.backward(dx, in[0].Value(), in[1].Value(), loss.Value(), kernels.Grad{Scale: scale, Accumulate: true})
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
	return dx, op.backward(e, in[0], in[1], in[2], kernels.Grad{Scale: scale})
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
