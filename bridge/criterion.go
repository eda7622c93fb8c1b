// Package bridge is what the bridges to frameworks have in common, and the place
// to start from for a framework that has none: a Criterion takes a tensor as its
// flat slice and its shape, and gives the loss and, when the framework walks back,
// the gradient.
//
//	c := bridge.New[float32](loss, kernels.Softmax, kernels.NCS)
//	pass, err := c.Forward(shape, x, target)    // in the framework's forward
//	err = pass.Backward(dx, kernels.Grad{Scale: upstream}) // in its backward
//
// A framework whose tensors lie on a GPU hands their device pointers and its stream
// to a plan of package cuda in the same two places.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segloss/segloss/kernels"
)

// Criterion computes one loss for predictions of any shape. Unlike a Plan, which
// it makes for the shape it meets, and again for a larger one, it may be used by
// many goroutines, and several passes may be under way before the first of them
// goes back, as in a graph that holds the loss more than once.
type Criterion[T kernels.Float] struct {
	loss       kernels.Loss
	activation kernels.Activation
	layout     kernels.Layout
	options    []kernels.Option

	mu   sync.Mutex
	spec kernels.Spec
	plan *kernels.Plan[T]
}

// New makes a criterion. What cannot be used is reported by the first Forward,
// which knows the number of classes.
func New[T kernels.Float](loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) *Criterion[T] {
	return &Criterion[T]{loss: loss, activation: a, layout: l, options: o}
}

// Pass is one forward pass of a Criterion. The prediction and the target must not
// change before its Backward.
type Pass[T kernels.Float] struct {
	criterion *Criterion[T]
	plan      *kernels.Plan[T]
	x         []T
	target    kernels.Target
	value     kernels.Value
}

// Forward computes the loss of prediction x, whose shape is [N, C, …] in layout
// NCS and [N, …, C] in NSC.
func (c *Criterion[T]) Forward(shape []int, x []T, t kernels.Target) (Pass[T], error) {
	spec, err := SpecOf(shape, c.activation, c.layout)
	if err != nil {
		return Pass[T]{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fit(spec); err != nil {
		return Pass[T]{}, err
	}
	p := Pass[T]{criterion: c, plan: c.plan, x: x, target: t.Sized(spec.N, spec.S)}
	p.value, err = p.plan.Forward(context.Background(), x, p.target)
	return p, err
}

// Loss is the loss of the pass.
func (p Pass[T]) Loss() float64 { return p.value.Loss }

// Backward writes the gradient by the pass's prediction into dx. Where other
// passes have gone forward since, the sums are taken once more.
func (p Pass[T]) Backward(dx []T, g kernels.Grad) error {
	p.criterion.mu.Lock()
	defer p.criterion.mu.Unlock()
	err := p.plan.Backward(context.Background(), dx, p.x, p.target, p.value, g)
	if !errors.Is(err, kernels.ErrStale) {
		return err
	}
	if p.value, err = p.plan.Forward(context.Background(), p.x, p.target); err != nil {
		return err
	}
	return p.plan.Backward(context.Background(), dx, p.x, p.target, p.value, g)
}

// SpecOf reads a tensor's shape, [N, C, …] in layout NCS and [N, …, C] in NSC.
func SpecOf(shape []int, a kernels.Activation, l kernels.Layout) (kernels.Spec, error) {
	if len(shape) < 2 {
		return kernels.Spec{}, &kernels.ArgError{Arg: "shape", Index: -1, Value: shape,
			Err: fmt.Errorf("%w: a prediction has at least the axes N and C", kernels.ErrShape)}
	}
	last := len(shape) - 1
	spec := kernels.Spec{N: shape[0], C: shape[1], S: 1, Activation: a, Layout: l}
	space := shape[2:]
	if l == kernels.NSC {
		spec.C, space = shape[last], shape[1:last]
	}
	for _, n := range space {
		spec.S *= n
	}
	return spec, nil
}

// fit sees that the plan has room for a batch.
func (c *Criterion[T]) fit(spec kernels.Spec) error {
	if c.plan != nil && spec.C == c.spec.C && spec.N <= c.spec.N && spec.S <= c.spec.S {
		return nil
	}
	plan, err := kernels.New[T](c.loss, spec, c.options...)
	if err != nil {
		return err
	}
	c.plan, c.spec = plan, spec
	return nil
}
