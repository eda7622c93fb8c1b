package exact

import (
	"math"

	"gonum.org/v1/gonum/num/dual"
)

// floats is the arithmetic of float64 with one derivative. It takes gonum's
// functions where they are right to the last digits; [dual.Inv], whose square
// underflows, and [dual.PowReal], which takes 1e-15 for any smaller base, are not.
type floats struct{}

func (floats) Num(x float64) dual.Number        { return dual.Number{Real: x} }
func (floats) Add(a, b dual.Number) dual.Number { return dual.Add(a, b) }
func (floats) Sub(a, b dual.Number) dual.Number { return dual.Sub(a, b) }

func (floats) Mul(a, b dual.Number) dual.Number {
	if c := dual.Mul(a, b); !math.IsNaN(c.Real) && !math.IsNaN(c.Emag) {
		return c
	}
	return dual.Number{
		Real: product(a.Real, b.Real),
		Emag: product(a.Real, b.Emag) + product(a.Emag, b.Real),
	}
}

// product is a·b, and 0 for 0·∞.
func product(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

func (floats) Div(a, b dual.Number) dual.Number {
	if b.Real == 0 {
		raise("%v/0", a.Real)
	}
	q := a.Real / b.Real
	return dual.Number{Real: q, Emag: (a.Emag - product(q, b.Emag)) / b.Real}
}

func (floats) Exp(a dual.Number) dual.Number {
	e := dual.Exp(a)
	e.Emag = product(e.Real, a.Emag)
	return e
}

func (floats) Log(a dual.Number) dual.Number {
	if a.Real <= 0 {
		raise("ln %v", a.Real)
	}
	return dual.Log(a)
}

func (floats) Log1p(a dual.Number) dual.Number {
	return dual.Number{Real: math.Log1p(a.Real), Emag: a.Emag / (1 + a.Real)}
}

func (floats) Pow(a dual.Number, g float64) dual.Number {
	p := dual.Number{Real: math.Pow(a.Real, g)}
	if g != 0 && a.Emag != 0 {
		p.Emag = product(g*math.Pow(a.Real, g-1), a.Emag)
	}
	return p
}

func (floats) Cmp(a, b dual.Number) int {
	switch {
	case a.Real < b.Real:
		return -1
	case a.Real > b.Real:
		return 1
	}
	return 0
}

func (floats) IsZero(a dual.Number) bool          { return a.Real == 0 }
func (floats) Float(a dual.Number) float64        { return a.Real }
func (floats) Vary(a dual.Number) dual.Number     { return dual.Number{Real: a.Real, Emag: 1} }
func (floats) Slope(a dual.Number) float64        { return a.Emag }
func (floats) Graft(a, b dual.Number) dual.Number { return dual.Number{Real: a.Real, Emag: b.Emag} }
