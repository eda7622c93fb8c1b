package exact

import "math/big"

// rationals is the arithmetic of fractions. Nothing is rounded.
type rationals struct{}

func (rationals) num(x float64) *big.Rat     { return new(big.Rat).SetFloat64(x) }
func (rationals) add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func (rationals) sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func (rationals) mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

func (rationals) div(a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		raise("%v/0", a)
	}
	return new(big.Rat).Quo(a, b)
}

func (rationals) exp(*big.Rat) *big.Rat          { return irrational("exp") }
func (rationals) log(*big.Rat) *big.Rat          { return irrational("log") }
func (rationals) log1p(*big.Rat) *big.Rat        { return irrational("log1p") }
func (rationals) pow(*big.Rat, float64) *big.Rat { return irrational("pow") }

// irrational leaves the forward: the result is no fraction.
func irrational(function string) *big.Rat {
	raise("%s is not rational", function)
	return nil
}

func (rationals) cmp(a, b *big.Rat) int  { return a.Cmp(b) }
func (rationals) isZero(a *big.Rat) bool { return a.Sign() == 0 }
func (rationals) blank(a *big.Rat) bool  { return a.Sign() == 0 }
func (rationals) float(a *big.Rat) float64 {
	x, _ := a.Float64()
	return x
}
