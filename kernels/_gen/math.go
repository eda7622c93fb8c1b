package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// The coefficients of this file are those of polynomials through the Chebyshev
// nodes of their interval, rounded to float64.

var (
	one     = number("one", 1)
	half    = number("half", 0.5)
	signBit = constant{"signBit", 1 << 63, 1 << 31}
	size    = constant{"absBits", 1<<63 - 1, 1<<31 - 1}

	log2e = number("log2e", math.Log2E)
	ln2   = number("ln2", math.Ln2)
	ln2Hi = numbers("ln2Hi", 0x1.62e42feep-1, 0x1.62e4p-1) // 32 or 16 bits, so that products with exponents are exact
	ln2Lo = numbers("ln2Lo", 0x1.a39ef35793c76p-33, 0x1.7f7d1cp-20)

	// Adding it rounds to an integer, in the low bits.
	roundBits = numbers("roundBits", 0x1.8p52, 0x1.8p23)
)

// precision is what a body's results are good for.
type precision struct {
	name           string
	exp, log, unit []float64
	fewBits        bool // whether ln 2 needs one part only
}

// precision distinguishes results that are float64, results that end as float32
// though the lanes are float64, and lanes of float32.
func (g *gen) precision() precision {
	switch {
	case g.single:
		return precision{"Lane", expPolyLane, logPolyLane, unitPolyLane, false}
	case g.elem == "F32":
		return precision{"32", expPoly32, logPoly32, unitPoly32, true}
	}
	return precision{"64", expPoly64, logPoly64, unitPoly64, false}
}

// (eʳ−1)/r for |r| ≤ ½ ln 2, from the highest power: to 1e-17 for float64
// results, to 1e-10 where they end as float32, to 2e-9 in lanes of float32.
var (
	expPoly64 = []float64{
		0x1.af4de97ca4194p-26, 0x1.28a2ca617b969p-22, 0x1.71de0231960ebp-19, 0x1.a019a6611cad5p-16,
		0x1.a01a01abe7fe1p-13, 0x1.6c16c17f46982p-10, 0x1.11111111100dcp-7, 0x1.55555555520a4p-5,
		0x1.5555555555557p-3, 0x1.0000000000005p-1, 1,
	}
	expPoly32 = []float64{
		0x1.a15179d80ae96p-13, 0x1.6d7543e4127b8p-10, 0x1.1110c632a3088p-7, 0x1.5554accfdb593p-5,
		0x1.55555567532adp-3, 0x1.000000287f871p-1, 1,
	}
	expPolyLane = []float64{0x1.6d110ap-10, 0x1.120b6ep-7, 0x1.55551ap-5, 0x1.5554dcp-3, 0x1p-1, 1}
)

// 2(atanh(√z)/√z − 1)/z for 0 ≤ z ≤ 0.04, from the highest power.
var (
	logPoly64 = []float64{
		0x1.3587371ccaae7p-3, 0x1.390565d08943ep-3, 0x1.746b9dab90793p-3, 0x1.c71c3d608a2f4p-3,
		0x1.24924951743bbp-2, 0x1.999999997cd24p-2, 0x1.555555555556dp-1,
	}
	logPoly32 = []float64{
		0x1.e6587a4cb4546p-3, 0x1.242ce0e1e295fp-2, 0x1.999a6a7a105a8p-2, 0x1.55555533e0aa5p-1,
	}
	logPolyLane = []float64{0x1.32c83cp-2, 0x1.99625p-2, 0x1.555566p-1}
)

// The same for 0 ≤ z ≤ 1/9.
var (
	unitPoly64 = []float64{
		0x1.4b0a26c5f2aefp-3, 0x1.687a6e7c95176p-4, 0x1.eb905e8575054p-4, 0x1.10ac75dc602b1p-3, 0x1.3b18b294bebf9p-3,
		0x1.745cf0b0e03bdp-3, 0x1.c71c727143318p-3, 0x1.24924923d44c6p-2, 0x1.999999999a3ddp-2, 0x1.5555555555555p-1,
	}
	unitPoly32 = []float64{
		0x1.a9bafb0c93ac9p-3, 0x1.65ad56d9e0064p-3, 0x1.c7fb3587cdba6p-3,
		0x1.248f579c7d0d0p-2, 0x1.9999a0d3dcfedp-2, 0x1.55555553e7594p-1,
	}
	unitPolyLane = []float64{0x1.12f598p-2, 0x1.21249ap-2, 0x1.99ad6cp-2, 0x1.55554cp-1}
)

// polynomial evaluates by Horner's rule; name distinguishes its constants.
func (g *gen) polynomial(name string, c []float64, x vec) vec {
	first := g.load(g.coefficient(name, len(c)-1, c[0]))
	p := g.regs(len(x))
	for i := range p {
		g.VMOVAPD(first[0], p[i])
	}
	for i, v := range c[1:] {
		g.timesPlus(p, x, g.coefficient(name, len(c)-2-i, v))
	}
	return p
}

func (g *gen) coefficient(name string, power int, v float64) constant {
	if v == 1 {
		return one
	}
	return number(name+string(rune('a'+power)), v)
}

// fractionBits is where a lane's exponent begins.
func (g *gen) fractionBits() int {
	if g.single {
		return 23
	}
	return 52
}

// Ranges that an exponential's argument is known to lie in.
type expRange int

const (
	inside     expRange = iota // |x| ≤ 300 where the result is used
	toZero                     // x ≤ 0, −∞ and NaN included
	everything                 // any float64
)

// exp is eˣ = 2ⁿ·eʳ with n = round(x·log₂e).
func (g *gen) exp(x vec, r expRange) vec {
	arg := x
	if r != inside {
		g.Comment("Arguments beyond the range of float64 are brought to its ends; NaN stays.")
		arg = g.max(g.load(g.leastExp(r)), x)
		if r == everything {
			arg = g.min(g.load(numbers("mostExp", 710, 89)), arg)
		}
	}
	g.Comment("e^x = 2^n e^r: n = round(x log2(e)), r = x - n ln(2).")
	var n, rounded vec
	if g.wide() {
		n = g.mul(arg, log2e)
		for i := range n {
			fp(g, g.VRNDSCALEPD, g.VRNDSCALEPS)(operand.U8(8), n[i], n[i]) // to nearest, exceptions suppressed
		}
	} else {
		rounded = g.copy(g.load(roundBits).times(len(arg)))
		g.addTo(rounded, arg, log2e)
		n = g.sub(rounded, roundBits)
	}
	rest, to := g.copy(arg), g.precision()
	if to.fewBits {
		g.subFrom(rest, n, ln2)
	} else {
		g.subFrom(rest, n, ln2Hi)
		g.subFrom(rest, n, ln2Lo)
	}
	g.Comment("A polynomial of e^r.")
	y := g.polynomial("exp"+to.name, to.exp, rest)
	g.timesPlus(y, rest, one)
	if g.wide() {
		for i := range y {
			fp(g, g.VSCALEFPD, g.VSCALEFPS)(n[i], y[i], y[i])
		}
		return y
	}
	return g.scale(y, x, n, rounded, r)
}

// leastExp is where the exponential becomes 0.
func (g *gen) leastExp(r expRange) constant {
	if g.flushes(r) {
		return numbers("leastNormalExp", -707, -87)
	}
	return numbers("leastExp", -746, -104)
}

// flushes reports whether results below the normal numbers are 0.
func (g *gen) flushes(r expRange) bool {
	return !g.wide() && g.precision().fewBits && r == toZero
}

// scale multiplies y by 2ⁿ with AVX2.
func (g *gen) scale(y, x, n, rounded vec, r expRange) vec {
	if r == inside {
		return g.addBits(y, g.shift(rounded, g.fractionBits()))
	}
	if g.flushes(r) {
		y = g.addBits(y, g.shift(rounded, g.fractionBits()))
		g.Comment("Below the normal numbers it is 0.")
		return g.where(g.cmp(nlt, x, g.leastExp(r)), y)
	}
	g.Comment("Times 2^(n/2) twice, for 2^n may be beyond the range.")
	halfBits := g.mul(n, half)
	halfBits = g.add(halfBits, roundBits)
	other := g.subBits(rounded, halfBits)
	y = g.mul(y, g.power(halfBits))
	return g.mul(y, g.power(other))
}

// power is 2^k of an integer in the low bits of a lane.
func (g *gen) power(k vec) vec { return g.addBits(g.shift(k, g.fractionBits()), one) }

// parts is a positive u = 2^k m with m in [¾, 1½).
type parts struct {
	m vec // nil unless asked for
	k vec // with AVX-512 it is −k
	s vec // 2^−k; nil unless asked for
}

var (
	quarterUp    = constant{"quarterUp", 0x0008000000000000, 0x00400000} // moves the borders of exponents from 1 to ¾
	threeQuart   = number("threeQuarters", 0.75)
	fraction     = constant{"fractionBits", 1<<52 - 1, 1<<23 - 1}
	exponent     = constant{"exponentBits", 0x7ff0000000000000, 0x7f800000}
	twiceBias    = constant{"twiceBias", 2046 << 52, 254 << 23}
	integerBits  = numbers("integerBits", 1<<52, 1<<23)          // an integer in its low bits is added to it
	integerBias  = numbers("integerBias", 1<<52+1023, 1<<23+127) // what that conversion adds
	mantissaForm = operand.U8(0b1011)                            // of VGETMANT: in [¾, 1½), NaN for a negative
)

func (g *gen) mantissa(u vec) parts {
	g.Comment("u = 2^k m, with m in [3/4, 3/2).")
	if g.wide() {
		p := parts{m: g.regs(len(u)), k: g.regs(len(u))}
		for i := range u {
			fp(g, g.VGETMANTPD, g.VGETMANTPS)(mantissaForm, u[i], p.m[i])
		}
		e := g.regs(len(u))
		for i := range u {
			fp(g, g.VGETEXPPD, g.VGETEXPPS)(u[i], e[i])
			fp(g, g.VGETEXPPD, g.VGETEXPPS)(p.m[i], p.k[i])
		}
		p.k = g.sub(p.k, e)
		return p
	}
	up := g.addBits(u, quarterUp)
	return parts{m: g.addBits(g.and(up, fraction), threeQuart), k: g.exponentOf(up)}
}

// reciprocal is mantissa with 2^−k in place of m.
func (g *gen) reciprocal(u vec) parts {
	if g.wide() {
		p := g.mantissa(u)
		p.s = g.regs(len(u))
		ones := g.load(one)
		for i := range u {
			fp(g, g.VSCALEFPD, g.VSCALEFPS)(p.k[i], ones[0], p.s[i])
		}
		return p
	}
	g.Comment("u = 2^k m, with m in [3/4, 3/2).")
	up := g.addBits(u, quarterUp)
	twice := g.load(twiceBias)
	return parts{s: g.subBits(twice, g.and(up, exponent)), k: g.exponentOf(up)}
}

// exponentOf is the exponent in the bits of positive numbers, as float64.
func (g *gen) exponentOf(bits vec) vec {
	return g.sub(g.or(g.shift(bits, -g.fractionBits()), integerBits), integerBias)
}

// logOf is ln(1+f) + k ln 2 with |f| at most ½: with s = f/(2+f) and z = s²,
// ln(1+f) = f − s(f − z P(z)).
func (g *gen) logOf(f, k vec) vec {
	g.Comment("ln(1+f) = f - s (f - z P(z)), s = f/(2+f), z = s^2.")
	s := g.div(f, g.add(f, number("two", 2)))
	z := g.mul(s, s)
	to := g.precision()
	t := g.polynomial("log"+to.name, to.log, z)
	g.minusTimes(t, z, f)
	g.Comment("Add k ln(2).")
	addK := g.addTo
	if g.wide() { // which has −k
		addK = g.subFrom
	}
	if to.fewBits {
		g.minusTimes(t, s, f)
		addK(t, k, ln2)
		return t
	}
	low := g.zero(1)
	kLow := g.regs(len(f))
	for i := range kLow {
		g.VMOVAPD(low[0], kLow[i])
	}
	addK(kLow, k, ln2Lo)
	g.timesMinus(t, s, kLow)
	t = g.sub(f, t)
	addK(t, k, ln2Hi)
	return t
}

// log1p is ln(1+x) for 0 ≤ x ≤ 2^1000, or NaN.
func (g *gen) log1p(x vec) vec {
	p := g.reciprocal(g.add(x, one))
	return g.logOf(g.reduced(x, p), p.k)
}

// log1pUnit is ln(1+f) for 0 ≤ f ≤ 1, or NaN, from s = f/(2+f): longer
// polynomials than logOf's save what it takes to reduce the argument.
func (g *gen) log1pUnit(f, s vec) vec {
	g.Comment("ln(1+f) = f - s (f - z P(z)), s = f/(2+f), z = s^2.")
	z := g.mul(s, s)
	to := g.precision()
	t := g.polynomial("unit"+to.name, to.unit, z)
	g.minusTimes(t, z, f)
	g.minusTimes(t, s, f)
	return t
}

// reduced is f = (1+x) 2^−k − 1, from x rather than from the rounded 1 + x.
func (g *gen) reduced(x vec, p parts) vec {
	f := g.sub(p.s, one)
	g.addTo(f, p.s, x)
	return f
}

var (
	infinity      = number("infinity", math.Inf(1))
	minusInfinity = number("minusInfinity", math.Inf(-1))
	notANumber    = constant{"notANumber", 0x7ff8000000000001, 0x7fc00001}

	// Subnormal numbers are multiplied by 2^54, or 2^25, before they are taken apart.
	upScale     = numbers("upScale", 0x1p54, 0x1p25)
	upLog2      = numbers("upLog2", 54, 25)
	leastNormal = numbers("leastNormal", 0x1p-1022, 0x1p-126)
)

// logTo1 is ln x for 0 < x ≤ 1, or NaN.
func (g *gen) logTo1(x vec) vec {
	if g.wide() {
		p := g.mantissa(x)
		return g.logOf(g.sub(p.m, one), p.k)
	}
	p := g.mantissa(g.mul(x, upScale)) // for what is subnormal
	y := g.logOf(g.sub(p.m, one), g.sub(p.k, upLog2))
	return g.choose(g.cmp(nlt, x, infinity), x, y)
}

// log is ln x for any x.
func (g *gen) log(x vec) vec {
	if g.wide() {
		p := g.mantissa(x)
		y := g.logOf(g.sub(p.m, one), p.k)
		return g.choose(g.cmp(eq, x, infinity), x, y)
	}
	g.Comment("Subnormal numbers are brought among the normal ones.")
	below := g.cmp(lt, x, leastNormal)
	p := g.mantissa(g.choose(below, g.mul(x, upScale), x))
	k := g.sub(p.k, g.where(below, g.load(upLog2)))
	y := g.logOf(g.sub(p.m, one), k)
	g.Comment("Zero, negative, infinite, NaN.")
	zeros := g.zero(1)
	y = g.choose(g.cmp(nlt, x, infinity), x, y)
	y = g.choose(g.cmp(lt, x, zeros), g.load(notANumber), y)
	return g.choose(g.cmp(eq, x, zeros), g.load(minusInfinity), y)
}
