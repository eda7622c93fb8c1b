package cpu

import "math"

// The float32 kernels have their own exp and ln, tables and short polynomials
// in float64: their error of about 1e-10 vanishes when a result is rounded to
// float32, and they are right at the tails, where the argument of a logit of
// ±100 lies. The float64 kernels use package math.

const (
	tableBits = 7
	tableSize = 1 << tableBits
	tableMask = tableSize - 1
)

// expTable[i] is 2^(i/tableSize) as bits, less i in the place where the
// exponent of 2^(k/tableSize) will add k.
var expTable = func() (t [tableSize]uint64) {
	for i := range t {
		t[i] = math.Float64bits(math.Exp2(float64(i)/tableSize)) - uint64(i)<<(52-tableBits)
	}
	return t
}()

const (
	expScale = tableSize / math.Ln2
	expStep  = math.Ln2 / tableSize
	expRound = 0x1.8p52 // adding it rounds to an integer, in the low bits

	// expLeast is the least argument: 2^-1021 is as good as 0 in a float32.
	expLeast = -707
)

// exp32 is e^x for x ≤ 700 to a relative 1e-9; 0 for −Inf.
func exp32(x float64) float64 {
	if x < expLeast {
		return 0
	}
	return expInside(x)
}

// expInside is exp32 of an x between −700 and 700.
func expInside(x float64) float64 {
	kd := x*expScale + expRound
	k := math.Float64bits(kd)
	r := x - (kd-expRound)*expStep
	s := math.Float64frombits(expTable[k&tableMask] + k<<(52-tableBits))
	return s + s*r*(1+r*(1./2+r*(1./6)))
}

// logTable holds, for each interval of the mantissa, the reciprocal c of a
// point in it and −ln c. The interval around 1 has c = 1, so that ln x keeps
// its relative accuracy there.
var logTable = func() (t [tableSize]struct{ c, ln float64 }) {
	for i := range t {
		mid := math.Float64frombits(logBase + (2*uint64(i)+1)<<(51-tableBits))
		t[i].c, t[i].ln = 1/mid, math.Log(mid)
	}
	one := (math.Float64bits(1) - logBase) >> (52 - tableBits) & tableMask
	t[one].c, t[one].ln = 1, 0
	return t
}()

// logBase is where the mantissas start, about 0.705, chosen so that 1 lies
// inside an interval.
const logBase = 0x3fe6900000000000

// Log is ln x, also of subnormal numbers, which math.Log takes for others on amd64.
func Log(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log(x*0x1p60) - 60*math.Ln2
	}
	return math.Log(x)
}

// log32 is ln x to a relative 1e-9.
func log32(x float64) float64 {
	if !(x > 1e-300 && x < 1e300) {
		return Log(x)
	}
	bits := math.Float64bits(x)
	off := bits - logBase
	e := &logTable[off>>(52-tableBits)&tableMask]
	r := math.Float64frombits(bits-off&(0xfff<<52))*e.c - 1
	y := float64(int64(off)>>52)*math.Ln2 + e.ln
	return y + (r + r*r*(-1./2+r*(1./3-r*(1./4))))
}

// log1p32 is ln(1+x) for x ≥ 0 to a relative 1e-9.
func log1p32(x float64) float64 {
	if x < 0x1p-10 {
		return x - x*x*(1./2-x*(1./3))
	}
	return log32(1 + x)
}

// expRow replaces each element of w by its exponential, to the accuracy that
// elements of type T need. Whole rows keep the choice out of the loop.
func expRow[T Float](w []float64) {
	if isFloat32[T]() {
		for i, x := range w {
			w[i] = exp32(x)
		}
		return
	}
	for i, x := range w {
		w[i] = math.Exp(x)
	}
}

// log1pRow replaces each element x ≥ 0 of w by ln(1+x).
func log1pRow[T Float](w []float64) {
	if isFloat32[T]() {
		for i, x := range w {
			w[i] = log1p32(x)
		}
		return
	}
	for i, x := range w {
		w[i] = math.Log1p(x)
	}
}
