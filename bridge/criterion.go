// Package bridge is what the bridges to frameworks have in common, and the place
// to start from for a framework that has none: a Criterion takes a tensor as its
// flat slice and its shape, and gives the loss and, when the framework walks back,
// the gradient.
//
//	c := bridge.New[float32](loss, kernels.Softmax, kernels.NCS)
//	pass, err := c.Forward(shape, x, target)    // in the framework's forward
//	err = pass.Backward(dx, kernels.Grad{Scale: upstream}) // in its backward
//
// A shape is [N, C, …] in layout NCS and [N, …, C] in NSC. One of two axes is a single
// sample, [C, S] or [S, C], as in the command gradcheck; what a classifier gives, N samples
// of one position each, has to be reshaped to [N, C, 1] or [N, 1, C].
//
// A framework whose tensors lie on a GPU hands their device pointers and its stream
// to a plan of package cuda in the same two places.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/segloss/segloss/kernels"
)

// Criterion computes one loss for predictions of any shape. Unlike a Plan, of which
// it makes one for each number of classes, and again for a larger batch, it may be
// used by many goroutines, and several passes may be under way before the first of
// them goes back, as in a graph that holds the loss more than once.
type Criterion[T kernels.Float] struct {
	loss       kernels.Loss
	activation kernels.Activation
	layout     kernels.Layout
	options    []kernels.Option

	mu    sync.Mutex
	rooms map[int]room[T] // by the number of classes
}

// room is a plan, and the samples and positions that it has room for.
type room[T kernels.Float] struct {
	n, s int
	plan *kernels.Plan[T]
}

// New makes a criterion. What cannot be used is reported by the first Forward,
// which knows the number of classes.
//
// A wrong activation is not, since any numbers may be logits. Logits taken for
// probabilities, with None, can make region losses negative or larger than 1, and where the
// logit of the right class is below 0, ce is 16.1 with gradient 0: −ln of the clip,
// 10⁻⁷. Probabilities taken for logits keep ce at or above ln(1 + (C−1)/e) with Softmax,
// however right they are: 0.313 for two classes, 0.551 for three. With Sigmoid they keep
// an element's bce at or above 0.313 where it is of the class, and 0.693 where it is not.
func New[T kernels.Float](loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) *Criterion[T] {
	return &Criterion[T]{loss: loss, activation: a, layout: l, options: o, rooms: map[int]room[T]{}}
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
// NCS and [N, …, C] in NSC, or, of one sample, [C, S] and [S, C].
func (c *Criterion[T]) Forward(shape []int, x []T, t kernels.Target) (Pass[T], error) {
	spec, err := SpecOf(shape, c.activation, c.layout)
	if err != nil {
		return Pass[T]{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	plan, err := c.fit(spec)
	if err != nil {
		return Pass[T]{}, err
	}
	t = t.Sized(spec.N, spec.S)
	v, err := plan.Forward(context.Background(), x, t)
	if err != nil {
		return Pass[T]{}, err
	}
	return Pass[T]{criterion: c, plan: plan, x: x, target: t, value: v}, nil
}

// Loss is the loss of the pass.
func (p Pass[T]) Loss() float64 { return p.value.Loss }

// Backward writes the gradient by the pass's prediction into dx. Where other
// passes have gone forward since, the sums are taken once more.
func (p Pass[T]) Backward(dx []T, g kernels.Grad) error {
	if p.criterion == nil {
		return &kernels.ArgError{Arg: "p", Index: -1, Value: "no value", Err: fmt.Errorf("%w: want the pass of a Forward", kernels.ErrStale)}
	}
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

// SpecOf reads a tensor's shape, [N, C, …] in layout NCS and [N, …, C] in NSC, or, of
// one sample, [C, S] and [S, C].
func SpecOf(shape []int, a kernels.Activation, l kernels.Layout) (kernels.Spec, error) {
	if len(shape) < 2 {
		return kernels.Spec{}, badShape("shape", -1, shape, "a prediction has at least two axes, of classes and positions")
	}
	samples, classes := sampleAxis(shape), classAxis(shape, l)
	spec := kernels.Spec{N: 1, C: shape[classes], S: 1, Activation: a, Layout: l}
	for axis, n := range shape {
		switch {
		case n < 0:
			return kernels.Spec{}, badShape("shape", axis, n, "want >= 0")
		case axis == samples:
			spec.N = n
		case axis == classes:
		case n > 0 && spec.S > math.MaxInt/n:
			return kernels.Spec{}, badShape("shape", axis, n, "too many positions, want <= %d", math.MaxInt)
		default:
			spec.S *= n
		}
	}
	return spec, nil
}

// TargetShape is the shape of a prediction's target: a dense one has the same, labels
// and weights the same without the classes.
func TargetShape(shape []int, l kernels.Layout, dense bool) []int {
	shape = slices.Clone(shape)
	if dense {
		return shape
	}
	classes := classAxis(shape, l)
	return slices.Delete(shape, classes, classes+1)
}

// CheckTarget checks a target's shape against a prediction's. It is for frameworks
// whose targets have a shape; Forward, to which they are flat, checks their length.
func CheckTarget(shape, target []int, l kernels.Layout, dense bool) error {
	if _, err := SpecOf(shape, kernels.None, l); err != nil {
		return err
	}
	want := TargetShape(shape, l, dense)
	if slices.Equal(target, want) {
		return nil
	}
	if sampleAxis(shape) < 0 {
		return badShape("target", -1, target, "want %v for a prediction of %v, which is one sample", want, shape)
	}
	return badShape("target", -1, target, "want %v for a prediction of %v", want, shape)
}

// sampleAxis is the place of the samples in a shape, or -1 in one of two axes, which is
// a single sample.
func sampleAxis(shape []int) int {
	if len(shape) == 2 {
		return -1
	}
	return 0
}

// classAxis is the place of the classes in a shape.
func classAxis(shape []int, l kernels.Layout) int {
	if l == kernels.NSC {
		return len(shape) - 1
	}
	return sampleAxis(shape) + 1
}

func badShape(arg string, index int, value any, format string, args ...any) error {
	return &kernels.ArgError{Arg: arg, Index: index, Value: value,
		Err: fmt.Errorf("%w: %s", kernels.ErrShape, fmt.Sprintf(format, args...))}
}

// fit gives a plan with room for a batch. Where there is none, the new one has room
// for all that the old one had as well, lest two shapes of which neither covers the
// other take turns in replacing each other's plan.
func (c *Criterion[T]) fit(spec kernels.Spec) (*kernels.Plan[T], error) {
	r := c.rooms[spec.C]
	if r.plan != nil && spec.N <= r.n && spec.S <= r.s {
		return r.plan, nil
	}
	grown := r.grow(spec)
	plan, err := kernels.New[T](c.loss, grown, c.options...)
	if err != nil && grown != spec { // each may be possible where both at once are not
		grown = spec
		plan, err = kernels.New[T](c.loss, grown, c.options...)
	}
	if err == nil {
		c.rooms[spec.C] = room[T]{grown.N, grown.S, plan}
	}
	return plan, err
}

// grow is a spec with room for the old batches, too, unless that is out of all
// proportion: thousands of small samples and one large one would make a plan for
// thousands of large ones, whose memory nobody has.
func (r room[T]) grow(spec kernels.Spec) kernels.Spec {
	grown := spec
	grown.N, grown.S = max(spec.N, r.n), max(spec.S, r.s)
	size := func(n, s int) float64 { return float64(n) * float64(s) }
	if size(grown.N, grown.S) > 1000*max(size(spec.N, spec.S), size(r.n, r.s)) {
		return spec
	}
	return grown
}
