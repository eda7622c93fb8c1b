package exact

import (
	"fmt"
	"math"
	"math/big"

	"github.com/segloss/segloss/ref"
)

// Pixel is the loss of one pixel of given probability p and target t, with its
// derivatives. Those by t count everything that depends on the target, gdl's
// weights too.
type Pixel struct {
	Loss float64
	DP   float64 // ∂L/∂p
	DT   float64 // ∂L/∂t
	DPP  float64 // ∂²L/∂p²
	DPT  float64 // ∂²L/∂p∂t
}

// Two derivatives, one after the other.
var (
	rationalTwice = newArithmetic[number[number[*big.Rat]]](newDuals[number[*big.Rat]](newDuals[*big.Rat](rationals{})))
	bigTwice      = newArithmetic[number[number[*big.Float]]](newDuals[number[*big.Float]](newDuals[*big.Float](bigs{})))
)

// At returns a term at one pixel (N = C = S = 1, activation none), computed by
// [Rational] where that can and by [Big] elsewhere, and rounded at the end.
// Where a derivative is infinite, as beside 0/0, the error wraps [ErrUnjudged];
// at a kink (soft, at p = t), derivatives are means of those of both sides.
func At(t Term, p, target float64) (Pixel, Oracle, error) {
	in := ref.Input{N: 1, C: 1, S: 1, X: []float64{p}, R: []float64{target}, Clip: 1e-7}
	terms := []Term{t}
	if err := check(&in, terms, nil); err != nil {
		return Pixel{}, "", err
	}
	for _, x := range []float64{p, target} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return Pixel{}, "", fmt.Errorf("exact: %w: a pixel of %v and %v", ErrInput, p, target)
		}
	}
	if floatRules.rules[t.Name].rational {
		px, err := pixel(rationalTwice, rationals{}, in, terms)
		return px, Rational, err
	}
	px, err := pixel(bigTwice, bigs{}, in, terms)
	return px, Big, err
}

// pixel is At in an arithmetic of duals of duals over another. The outer
// derivative is by p, the inner one by p and then by t.
func pixel[T any](a *arithmetic[number[number[T]]], over field[T], in ref.Input, terms []Term) (px Pixel, err error) {
	defer catch(&err)
	zero, one := over.Num(0), over.Num(1)
	at := func(dp, dt T) number[number[T]] {
		p := number[number[T]]{number[T]{over.Num(in.X[0]), dp}, number[T]{one, zero}}
		t := number[number[T]]{number[T]{over.Num(in.R[0]), dt}, number[T]{zero, zero}}
		return newJob(a, in, []number[number[T]]{p}, []number[number[T]]{t}, terms, NoFault).loss()
	}
	byP, byT := at(one, zero), at(zero, one)
	return Pixel{
		Loss: over.Float(byP.v.v),
		DP:   over.Float(byP.d.v), DT: over.Float(byT.v.d),
		DPP: over.Float(byP.d.d), DPT: over.Float(byT.d.d),
	}, nil
}
