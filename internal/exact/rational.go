package exact

import "math/big"

// rationals is the arithmetic of fractions. Nothing is rounded.
type rationals struct{}

func (rationals) Num(x float64) *big.Rat     { return new(big.Rat).SetFloat64(x) }
func (rationals) Add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func (rationals) Sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func (rationals) Mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

func (rationals) Div(a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		raise("%v/0", a)
	}
	return new(big.Rat).Quo(a, b)
}

func (rationals) Exp(*big.Rat) *big.Rat          { return irrational("exp") }
func (rationals) Log(*big.Rat) *big.Rat          { return irrational("log") }
func (rationals) Log1p(*big.Rat) *big.Rat        { return irrational("log1p") }
func (rationals) Pow(*big.Rat, float64) *big.Rat { return irrational("pow") }

// irrational leaves the forward: the result is no fraction.
func irrational(function string) *big.Rat {
	raise("%s is not rational", function)
	return nil
}

func (rationals) Cmp(a, b *big.Rat) int  { return a.Cmp(b) }
func (rationals) IsZero(a *big.Rat) bool { return a.Sign() == 0 }
func (rationals) Blank(a *big.Rat) bool  { return a.Sign() == 0 }
func (rationals) Float(a *big.Rat) float64 {
	x, _ := a.Float64()
	return x
}
