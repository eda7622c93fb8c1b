package gomlx

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 formulas read as such, as in GoMLX itself
	"github.com/gomlx/gomlx/ml/train/loss"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// LossFn returns a loss written in GoMLX's operations, for train.Trainer and for
// whatever takes its loss functions. Of the predictions it reads the first, of shape
// [N, C, …] or [N, …, C] by the layout, or, of one sample, [C, S] or [S, C]. Of the labels
// the first is the target, dense in the prediction's shape and type or of integers
// [N, …], and the second, where there is one, has the weights [N, …] of the positions.
//
// A loss that is not written so, such as a caller's own region, is an error. What does
// not fit when a graph is built, such as labels of another shape, is a panic with the
// error, as in GoMLX's own functions; its executors and trainer return it. Unlike in
// package kernels, a position of weight 0 must hold numbers and logits must be finite,
// labels are not searched for ones out of range, and 0/0 is NaN.
func LossFn(l kernels.Loss, a kernels.Activation, layout kernels.Layout) (loss.LossFn, error) {
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
		spec, err := check(l, a, layout, labels, predictions[0])
		if err != nil {
			panic(err)
		}
		b := newBatch(spec, labels, predictions[0])
		var sum *Node
		for _, t := range terms {
			part := MulScalar(formulas[t.Name](b, options(t.Options)), t.Coef)
			if sum == nil {
				sum = part
			} else {
				sum = Add(sum, part)
			}
		}
		return sum
	}, nil
}

// check holds a prediction to the rules of package kernels, and the labels to its shape.
func check(l kernels.Loss, a kernels.Activation, layout kernels.Layout, labels []*Node, x *Node) (kernels.Spec, error) {
	spec, err := bridge.SpecOf(x.Shape().Dimensions, a, layout)
	if err != nil {
		return spec, err
	}
	one := spec
	one.N, one.S = 1, 1 // a plan of any size has the same rules
	if _, err := kernels.New[float32](l, one); err != nil {
		return spec, err
	}
	if len(labels) != 1 && len(labels) != 2 {
		return spec, &kernels.ArgError{Arg: "labels", Index: -1, Value: len(labels),
			Err: fmt.Errorf("%w: want 1, the target, or 2, with weights", kernels.ErrShape)}
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

// batch is the prediction, the target and the weights, [N, C, S].
type batch struct {
	p, q, lnP, lnQ, r, v *Node
}

func newBatch(spec kernels.Spec, labels []*Node, x *Node) *batch {
	n, c := spec.N, spec.C
	planar := func(t *Node) *Node {
		if spec.Layout == kernels.NSC {
			return TransposeAllAxes(Reshape(t, n, -1, c), 0, 2, 1)
		}
		return Reshape(t, n, c, -1)
	}
	r := labels[0]
	switch {
	case !r.DType().IsInt():
		r = planar(r)
	case c == 1:
		r = ConvertDType(Reshape(r, n, 1, -1), x.DType())
	default:
		r = TransposeAllAxes(OneHot(Reshape(r, n, -1), c, x.DType()), 0, 2, 1)
	}
	b := &batch{r: r, v: OnesLike(SliceAxis(r, 1, AxisRange(0, 1)))}
	if len(labels) > 1 {
		b.v = Reshape(ConvertDType(labels[1], x.DType()), n, 1, -1)
	}
	b.activate(spec.Activation, planar(x))
	return b
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
