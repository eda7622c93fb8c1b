package gomlx

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 formulas read as such, as in GoMLX itself
	"github.com/gomlx/gomlx/ml/train/loss"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Option changes a default of LossFn.
type Option func(*config)

type config struct {
	ignore    int64
	hasIgnore bool
}

// WithIgnore names a label, inside or outside [0, C), whose positions do not exist, as
// kernels.WithIgnore does. It is for labels: a dense target beside it is an error.
func WithIgnore(label int64) Option {
	return func(c *config) { c.ignore, c.hasIgnore = label, true }
}

// LossFn returns a loss written in GoMLX's operations, for train.Trainer and for
// whatever takes its loss functions. Of the predictions it reads the first, of shape
// [N, C, …] or [N, …, C] by the layout, or, of one sample, [C, S] or [S, C]. Of the labels
// the first is the target, dense in the prediction's shape and type or of integers
// [N, …]; the second, where there is one, has the weights of the positions [N, …], of
// any type of numbers, or a mask of Bool. A position of weight 0 or whose label is
// ignored does not exist, whatever its values are.
//
// A loss that is not written so, such as a caller's own region, is an error. What does
// not fit when a graph is built, such as labels of another shape, is a panic with the
// error, as in GoMLX's own functions; its executors and trainer return it. What shows in
// the values alone no graph can report: a label out of range, a dense target outside
// [0,1], a weight that is negative or not finite, a NaN, each at a position that exists,
// make the loss NaN, and with it the gradient at all positions that exist. Unlike in
// package kernels, logits must be finite, and 0/0 is NaN. A wrong activation does not
// show; [bridge.New] says what it looks like.
func LossFn(l kernels.Loss, a kernels.Activation, layout kernels.Layout, o ...Option) (loss.LossFn, error) {
	var c config
	for _, set := range o {
		set(&c)
	}
	terms := l.Terms()
	if len(terms) == 0 {
		return nil, &kernels.ArgError{Arg: "loss", Index: -1, Value: l, Err: fmt.Errorf("%w: it has no term", kernels.ErrOption)}
	}
	for i, t := range terms {
		if formulas[t.Name] == nil {
			return nil, &kernels.ArgError{Arg: "loss", Index: i, Value: t.Name,
				Err: fmt.Errorf("%w: it is not written in GoMLX's operations; Step takes it", kernels.ErrOption)}
		}
	}
	return func(labels, predictions []*Node) *Node {
		spec, err := c.check(l, a, layout, labels, predictions[0])
		if err != nil {
			panic(err)
		}
		if spec.N == 0 || spec.S == 0 {
			return ReduceAllSum(predictions[0]) // of nothing, 0
		}
		b := c.newBatch(spec, labels, predictions[0])
		var sum *Node
		for _, t := range terms {
			part := MulScalar(formulas[t.Name](b, options(t.Options)), t.Coef)
			if sum == nil {
				sum = part
			} else {
				sum = Add(sum, part)
			}
		}
		return Mul(sum, b.sound)
	}, nil
}

// check holds a prediction to the rules of package kernels, and the labels to its shape.
func (c *config) check(l kernels.Loss, a kernels.Activation, layout kernels.Layout, labels []*Node, x *Node) (kernels.Spec, error) {
	spec, err := bridge.SpecOf(x.Shape().Dimensions, a, layout)
	if err != nil {
		return spec, err
	}
	one := spec
	one.N, one.S = 1, 1 // a plan of any size has the same rules
	if _, err := kernels.New[float32](l, one); err != nil {
		return spec, err
	}
	if !x.DType().IsFloat() {
		return spec, &kernels.ArgError{Arg: "predictions", Index: 0, Value: x.Shape(), Err: fmt.Errorf("%w: want floats", kernels.ErrShape)}
	}
	if len(labels) != 1 && len(labels) != 2 {
		return spec, &kernels.ArgError{Arg: "labels", Index: -1, Value: len(labels),
			Err: fmt.Errorf("%w: want 1, the target, or 2, with weights", kernels.ErrShape)}
	}
	if c.hasIgnore && !labels[0].DType().IsInt() {
		return spec, &kernels.ArgError{Arg: "labels", Index: 0, Value: labels[0].Shape(),
			Err: fmt.Errorf("%w: the ignore index %d is for integers; want weights to leave positions out", kernels.ErrOption, c.ignore)}
	}
	for i, y := range labels {
		dense := i == 0 && !y.DType().IsInt()
		want := shapes.Make(y.DType(), bridge.TargetShape(x.Shape().Dimensions, layout, dense)...)
		if dense {
			want.DType = x.DType()
		}
		if !y.Shape().Equal(want) {
			return spec, &kernels.ArgError{Arg: "labels", Index: i, Value: y.Shape(),
				Err: fmt.Errorf("%w: want %v for a prediction of %v", kernels.ErrShape, want, x.Shape())}
		}
	}
	return spec, nil
}

// options are those of a term, each of which has a value.
type options map[string]any

func (o options) number(name string) float64 { return o[name].(float64) }
func (o options) is(name string) bool        { v, _ := o[name].(bool); return v }

// list is a node of the numbers of an option, [1, C, 1], or nil without it.
func (o options) list(b *batch, name string) *Node {
	switch v := o[name].(type) {
	case []float64:
		return Reshape(ConvertDType(Const(b.p.Graph(), v), b.p.DType()), 1, len(v), 1)
	case float64:
		return MulScalar(OnesLike(b.classes()), v)
	}
	return nil
}

// batch is the prediction, the target and the weights, [N, C, S], which are all 0 at a
// position that does not exist, and what a loss is multiplied by: 1, or NaN where there
// is a value that cannot be used.
type batch struct {
	p, q, lnP, lnQ, r, v, sound *Node
}

func (c *config) newBatch(spec kernels.Spec, labels []*Node, x *Node) *batch {
	planar := func(t *Node) *Node {
		if spec.Layout == kernels.NSC {
			return TransposeAllAxes(Reshape(t, spec.N, spec.S, spec.C), 0, 2, 1)
		}
		return Reshape(t, spec.N, spec.C, spec.S)
	}
	x = planar(x)
	v := OnesLike(SliceAxis(x, 1, AxisRange(0, 1)))
	if len(labels) > 1 {
		v = Reshape(ConvertDType(labels[1], x.DType()), spec.N, 1, spec.S)
	}
	there, good := NotEqual(v, ZerosLike(v)), LogicalAnd(GreaterOrEqual(v, ZerosLike(v)), IsFinite(v))
	r := labels[0]
	if r.DType().IsInt() {
		y := ConvertDType(Reshape(r, spec.N, 1, spec.S), dtypes.Int64)
		if c.hasIgnore {
			there = LogicalAnd(there, NotEqual(y, Const(y.Graph(), c.ignore)))
		}
		good = LogicalAnd(good, within(y, max(spec.C, 2)-1))
		r = ofClass(y, spec.C, x.DType())
	} else {
		r = planar(r)
		good = LogicalAnd(good, ReduceAndKeep(within(r, 1), ReduceLogicalAnd, 1))
	}
	good = LogicalAnd(good, ReduceAndKeep(LogicalNot(IsNaN(x)), ReduceLogicalAnd, 1))

	keep := func(t *Node) *Node { return Where(BroadcastToShape(there, t.Shape()), t, ZerosLike(t)) }
	b := &batch{r: keep(r), v: keep(v), sound: soundness(there, good, x)}
	b.activate(spec.Activation, keep(x))
	return b
}

// within reports where 0 ≤ t ≤ most; a NaN is not.
func within(t *Node, most int) *Node {
	return LogicalAnd(GreaterOrEqual(t, ZerosLike(t)), LessOrEqual(t, Scalar(t.Graph(), t.DType(), most)))
}

// ofClass is 1 where a position has the label of a class, and 0 elsewhere: [N, C, S].
func ofClass(y *Node, classes int, dtype dtypes.DType) *Node {
	if classes == 1 {
		return ConvertDType(y, dtype)
	}
	return TransposeAllAxes(OneHot(Reshape(y, y.Shape().Dim(0), y.Shape().Dim(2)), classes, dtype), 0, 2, 1)
}

// soundness is 1, or NaN where a position that is there is not good.
func soundness(there, good, x *Node) *Node {
	all := LogicalAll(LogicalOr(LogicalNot(there), good))
	return Where(all, ScalarOne(x.Graph(), x.DType()), Scalar(x.Graph(), x.DType(), math.NaN()))
}

// activate computes p, q and their logarithms, all from the smaller of p and q and its
// logarithm: the larger rounds to 1, and its logarithm to 0, where the smaller has digits.
func (b *batch) activate(a kernels.Activation, x *Node) {
	number := func(v float64) *Node { return Scalar(x.Graph(), x.DType(), v) }
	var high, ln, small *Node // where q is the smaller; the logarithm; the smaller
	switch a {
	case kernels.Sigmoid:
		high = GreaterThan(x, number(0))
		z := Where(high, Neg(x), x)
		ln = Sub(z, Log1P(Exp(z)))
		small = Exp(ln)
	case kernels.Softmax:
		ln = LogSoftmax(x, 1)
		// Well above half, so that no rounding has two classes there.
		high = GreaterThan(ln, number(math.Log(0.55)))
		ln = Where(high, lnOthers(ln, high), ln)
		small = Exp(ln)
	default:
		high = GreaterThan(x, number(0.5))
		small = MaxScalar(Where(high, OneMinus(x), x), 1e-7)
		ln = Log(small)
	}
	large, lnLarge := OneMinus(small), Log1P(Neg(small))
	b.lnP, b.lnQ = Where(high, lnLarge, ln), Where(high, ln, lnLarge)
	b.p, b.q = Where(high, large, small), Where(high, small, large)
	if a == kernels.None { // only the logarithms are of what was clipped
		b.p, b.q = x, OneMinus(x)
	}
}

// lnOthers is the logarithm of the sum of the classes but the high one, from theirs.
func lnOthers(ln, high *Node) *Node {
	ln = Where(high, Infinity(ln.Graph(), ln.DType(), -1), ln)
	most := StopGradient(ReduceAndKeep(ln, ReduceMax, 1))
	sum := ReduceAndKeep(Exp(Sub(ln, most)), ReduceSum, 1)
	return BroadcastToShape(Add(most, Log(sum)), ln.Shape())
}

// sum is Σ v t over the positions: [N, C].
func (b *batch) sum(t *Node) *Node { return ReduceSum(Mul(b.v, t), 2) }

// classes is of shape [1, C, 1].
func (b *batch) classes() *Node {
	return SliceAxis(SliceAxis(b.r, 0, AxisRange(0, 1)), 2, AxisRange(0, 1))
}

// formula gives the value of a term.
type formula func(*batch, options) *Node

// formulas are those of the list, by name.
var formulas = map[string]formula{
	"dice":          region(dice),
	"dice2":         region(dice2),
	"iou":           region(iou),
	"tversky":       region(tversky),
	"focal_tversky": region(func(s *sums, o options) *Node { return power(tversky(s, o), o.number("gamma")) }),
	"ss":            region(ss),
	"exp_log_dice":  region(expLogDice),
	"gdl":           gdl,
	"bce":           bce,
	"wce":           wce,
	"ce":            ce,
	"focal":         focal,
	"focal_ce":      focalCE,
	"exp_log_ce":    expLogCE,
}

// quotient is (num + a)/(den + b).
func quotient(num *Node, a float64, den *Node, b float64) *Node {
	return Div(AddScalar(num, a), AddScalar(den, b))
}

// power is u^γ, of at least 1e-7 for γ < 1, where the slope at 0 is infinite.
func power(u *Node, gamma float64) *Node {
	if gamma < 1 {
		u = MaxScalar(u, 1e-7)
	}
	return PowScalar(u, gamma)
}

// isZero is 1 where a node is 0, and 0 elsewhere.
func isZero(x *Node) *Node { return ConvertDType(Equal(x, ZerosLike(x)), x.DType()) }

// present is the opposite.
func present(x *Node) *Node { return OneMinus(isZero(x)) }

// ratio is a/b, and 0 where b is.
func ratio(a, b *Node) *Node {
	zero := isZero(b)
	return Mul(Div(a, Add(b, zero)), OneMinus(zero))
}
