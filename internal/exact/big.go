package exact

import (
	"math"
	"math/big"
	"sync"
)

// bigs is the arithmetic of binary floating point with precision bits.
type bigs struct{}

// precision is that of a result, and working that of what makes up a function.
const (
	precision = 256
	working   = precision + 64
)

func (bigs) Num(x float64) *big.Float { return rounded().SetFloat64(x) }

func rounded() *big.Float { return new(big.Float).SetPrec(precision) }

func (bigs) Add(a, b *big.Float) *big.Float { return rounded().Add(a, b) }
func (bigs) Sub(a, b *big.Float) *big.Float { return rounded().Sub(a, b) }
func (bigs) Mul(a, b *big.Float) *big.Float { return rounded().Mul(a, b) }

func (bigs) Div(a, b *big.Float) *big.Float {
	if b.Sign() == 0 {
		raise("%v/0", a)
	}
	return rounded().Quo(a, b)
}

func (bigs) Cmp(a, b *big.Float) int  { return a.Cmp(b) }
func (bigs) IsZero(a *big.Float) bool { return a.Sign() == 0 }
func (bigs) Blank(a *big.Float) bool  { return a.Sign() == 0 }
func (bigs) Float(a *big.Float) float64 {
	x, _ := a.Float64()
	return x
}

func (bigs) Exp(a *big.Float) *big.Float   { return rounded().Set(exponential(a)) }
func (bigs) Log(a *big.Float) *big.Float   { return rounded().Set(logarithm(a)) }
func (bigs) Log1p(a *big.Float) *big.Float { return rounded().Set(logarithm1p(a)) }

// pow is a^g, with 0^0 = 1.
func (bigs) Pow(a *big.Float, g float64) *big.Float {
	whole := math.Floor(g) == g
	switch sign := a.Sign(); {
	case g == 0:
		return rounded().SetInt64(1)
	case sign == 0 && g < 0, sign < 0 && !whole:
		raise("%v to the power %v", a, g)
	case sign == 0:
		return rounded()
	case g == 1:
		return rounded().Set(a)
	}
	p := logarithm(new(big.Float).Abs(a))
	p = exponential(p.Mul(p, wide().SetFloat64(g)))
	if a.Sign() < 0 && math.Mod(g, 2) != 0 {
		p.Neg(p)
	}
	return rounded().Set(p)
}

func wide() *big.Float { return new(big.Float).SetPrec(working) }

// ln2 is ln 2 = 2 artanh(1/3), with bits to spare for its multiples.
var ln2 = sync.OnceValue(func() *big.Float {
	third := new(big.Float).SetPrec(working + 64).SetInt64(1)
	return artanh2(third.Quo(third, big.NewFloat(3)))
})

// exponential is e^a. With a = k ln 2 + 2^s r, it is (Σ r^n/n!)^(2^s) 2^k.
func exponential(a *big.Float) *big.Float {
	const s = 12
	approximate, _ := a.Float64()
	switch {
	case approximate < -1<<26: // far less than any float64
		return wide()
	case approximate > 1<<26:
		raise("exp(%v)", approximate)
	}
	k := math.Round(approximate / math.Ln2)
	r := wide().SetFloat64(k)
	r.Mul(r.SetPrec(working+64), ln2())
	r.Sub(a, r).SetPrec(working)
	r.SetMantExp(r, -s)
	sum, power := wide().SetInt64(1), wide().SetInt64(1)
	for n := int64(1); power.Sign() != 0 && power.MantExp(nil) > -working; n++ {
		power.Mul(power, r)
		power.Quo(power, wide().SetInt64(n))
		sum.Add(sum, power)
	}
	for range s {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(k))
}

// logarithm is ln a. With a = m 2^k and m next to 1, it is k ln 2 + ln m.
func logarithm(a *big.Float) *big.Float {
	if a.Sign() <= 0 {
		raise("ln %v", a)
	}
	m := wide()
	k := wide().Set(a).MantExp(m)
	if m.Cmp(big.NewFloat(math.Sqrt2/2)) < 0 {
		m.SetMantExp(m, 1)
		k--
	}
	l := wide().SetInt64(int64(k))
	l.Mul(l, ln2())
	return l.Add(l, logarithm1p(m.Sub(m, big.NewFloat(1))))
}

// logarithm1p is ln(1+a) = 2 artanh(a/(2+a)), accurate for small a.
func logarithm1p(a *big.Float) *big.Float {
	if x, _ := a.Float64(); math.Abs(x) > 0.5 {
		return logarithm(wide().Add(a, big.NewFloat(1)))
	}
	y := wide().Add(a, big.NewFloat(2))
	return artanh2(y.Quo(a, y))
}

// artanh2 is 2 artanh y = 2 Σ y^(2n+1)/(2n+1).
func artanh2(y *big.Float) *big.Float {
	bits := y.Prec()
	square := new(big.Float).SetPrec(bits).Mul(y, y)
	power := new(big.Float).SetPrec(bits).Set(y)
	sum := new(big.Float).SetPrec(bits).Set(y)
	for n := int64(3); power.Sign() != 0 && y.MantExp(nil)-power.MantExp(nil) < int(bits); n += 2 {
		power.Mul(power, square)
		sum.Add(sum, new(big.Float).SetPrec(bits).Quo(power, new(big.Float).SetInt64(n)))
	}
	return sum.SetMantExp(sum, 1)
}
