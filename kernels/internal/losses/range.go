package losses

import "math"

// Weights, coefficients and frequencies are numbers of the caller's, of any size that
// float64 has. What follows keeps a sum or a product of them from leaving its range
// where the result does not; numbers that stay within it give the same bits.

// divisor is sum·2^shift.
type divisor struct {
	sum   float64
	shift int
}

// exponent is a power of two, as an exponent, that brings x ≥ 0 near 1. It is even: half
// of it is that of the root.
func exponent(x float64) int {
	if x >= 1 && x < 4 { // it mostly is
		return 0
	}
	_, e := math.Frexp(x)
	return (e - 1) &^ 1
}

// Exponent is that of the largest of a list, by its absolute value; 0 for an empty one.
func Exponent(list []float64) int {
	largest := 0.0
	for _, v := range list {
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 {
		return 0
	}
	return exponent(largest)
}

// shifted is x·2^n.
func shifted(x float64, n int) float64 {
	if n == 0 {
		return x
	}
	return math.Ldexp(x, n)
}

// scaled is a·b/d.
func scaled(a, b float64, d divisor) float64 {
	if p := a * b; d.shift == 0 && ordinary(p) && ordinary(p/d.sum) {
		return p / d.sum
	}
	x, i := math.Frexp(a)
	y, j := math.Frexp(b)
	z, k := math.Frexp(d.sum)
	return math.Ldexp(x*y/z, i+j-k-d.shift)
}

// ordinary reports whether x is far from where float64 has no more numbers.
func ordinary(x float64) bool { return math.Abs(x) >= 0x1p-1000 && math.Abs(x) <= 0x1p1000 }

// addUp is Σ w n over two lists of numbers ≥ 0, of which the first may be nil for 1. The
// weight of a class that is not there may be too large beside those that are.
func addUp(weights, counts []float64) (d divisor) {
	weight, count := 0.0, 0.0 // the largest that take part
	for c, n := range counts {
		if n != 0 {
			weight, count = max(weight, at(weights, c)), max(count, n)
		}
	}
	i, j := exponent(weight), exponent(count)
	for c, n := range counts {
		if n != 0 {
			d.sum += shifted(at(weights, c), -i) * shifted(n, -j)
		}
	}
	d.shift = i + j
	return d
}
