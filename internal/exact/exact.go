// Package exact computes losses and their gradients by differentiating one
// forward automatically, in three arithmetics: fractions, 256-bit numbers and
// float64. It judges what was derived by hand elsewhere. The forward is written
// from the definitions of the losses and shares no formula with packages ref and
// kernels; of ref it takes the types of input and options.
//
// Where min(p, r) and its like have a kink (option soft, at p = r), the
// derivative is the mean of the two slopes.
package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"

	"gonum.org/v1/gonum/num/dual"

	"github.com/segloss/segloss/ref"
)

// Oracle names an arithmetic that derivatives can be computed in.
type Oracle string

// The oracles.
const (
	// Rational is math/big.Rat: exact, for losses that are rational functions of
	// the probabilities, which must be given.
	Rational Oracle = "rational"
	// Big is math/big.Float with 256 bits, for every loss and finite inputs.
	Big Oracle = "big"
	// Dual is gonum/num/dual, float64, for every loss. It is fast.
	Dual Oracle = "dual"
)

// The errors that those of this package wrap.
var (
	ErrInput    = errors.New("bad input")
	ErrUnjudged = errors.New("the oracle cannot judge")
)

// Term is one term of a loss: its name in the list of losses, its coefficient,
// and every option that it has.
type Term struct {
	Coef    float64
	Name    string
	Options ref.Options
}

// Knows reports whether there is a rule for the loss of that name.
func Knows(name string) bool {
	_, ok := floatRules.rules[name]
	return ok
}

// Best returns the oracle to ask about a loss: [Rational] where every term is a
// rational function of given probabilities, else [Dual].
func Best(terms []Term, a ref.Activation) Oracle {
	for _, t := range terms {
		if a != ref.None || !floatRules.rules[t.Name].rational {
			return Dual
		}
	}
	return Rational
}

var (
	floatRules    = newArithmetic[dual.Number](floats{})
	rationalRules = newArithmetic[number[*big.Rat]](newDuals[*big.Rat](rationals{}))
	bigRules      = newArithmetic[number[*big.Float]](newDuals[*big.Float](bigs{}))
)

// Gradient returns the loss and its derivatives by the given elements of in.X,
// all of them for nil, with fault f built in. They are rounded to float64 at the
// very end. The derivative by an element of a position of weight 0 is 0; where
// there is a NaN at any other position, all is NaN.
//
// An error wraps [ErrInput] where the arguments are no loss, and [ErrUnjudged]
// where the oracle has no answer: a logarithm asked of [Rational]; an infinite
// probability, or an infinite logit in any oracle but [Dual]; another number
// than 0 over 0; and in Dual, options below 1e-100 or above 1e100, and a term with
// sums of probabilities where float64 has no room for them: finite logits that are
// 700 apart (340 where they are squared), probabilities, targets and weights below
// 1e-100 or above 1e100.
//
// Where the context ends, the error is the context's. Between two looks at it is the
// work for one element, which grows with the number of classes.
func Gradient(ctx context.Context, o Oracle, in ref.Input, terms []Term, f Fault, elements []int) (loss float64, grad []float64, err error) {
	if in.Clip == 0 {
		in.Clip = 1e-7
	}
	if elements == nil {
		elements = make([]int, len(in.X))
		for i := range elements {
			elements[i] = i
		}
	}
	if f >= faults {
		return 0, nil, fmt.Errorf("exact: %w: %s", ErrInput, f)
	}
	if err := check(&in, terms, elements); err != nil {
		return 0, nil, err
	}
	if holdsNaN(&in) {
		grad = make([]float64, len(elements))
		for k, i := range elements {
			if n, _, s := place(&in, i); exists(&in, n, s) {
				grad[k] = math.NaN()
			}
		}
		return math.NaN(), grad, nil
	}
	if err := judges(o, &in, terms); err != nil {
		return 0, nil, err
	}
	switch o {
	case Rational:
		return gradient(ctx, rationalRules, in, terms, f, elements)
	case Big:
		return gradient(ctx, bigRules, in, terms, f, elements)
	case Dual:
		return gradient(ctx, floatRules, in, terms, f, elements)
	}
	return 0, nil, fmt.Errorf("exact: %w: oracle %q", ErrInput, o)
}

// gradient is Gradient in an arithmetic.
func gradient[T any](ctx context.Context, a *arithmetic[T], in ref.Input, terms []Term, f Fault, elements []int) (loss float64, grad []float64, err error) {
	defer catch(&err)
	x, r := make([]T, len(in.X)), make([]T, len(in.R))
	for i := range x {
		x[i], r[i] = a.Num(0), a.Num(0)
		if n, _, s := place(&in, i); exists(&in, n, s) {
			x[i], r[i] = a.Num(in.X[i]), a.Num(in.R[i])
		}
	}
	j := newJob(a, in, x, r, terms, f)
	loss = a.Float(j.loss())
	bad := math.IsNaN(loss)
	grad = make([]float64, len(elements))
	for k, i := range elements {
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		if n, c, s := place(&in, i); exists(&in, n, s) {
			grad[k] = a.Slope(j.derivative(n, c, s))
			bad = bad || math.IsNaN(grad[k])
		}
	}
	if bad && f == NoFault {
		raise("NaN from numbers")
	}
	return loss, grad, nil
}
