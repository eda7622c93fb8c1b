// Package peers holds the acceptance criteria of other gradient checkers, with
// their default steps and tolerances, so that the same gradients can be put to
// all of them. Each is written anew from what the named version does for a
// function of one float64 array with one float64 value; the machinery around it
// (tracing, complex numbers, dtypes, messages) is left out, since it decides
// nothing there.
package peers

import "math"

// Criterion is another checker's test of a gradient, with its defaults.
type Criterion struct {
	Name   string // the checker and its mode
	Source string // function, version and file that the criterion follows

	// Accepts reports whether the checker lets grad, of the length of x, pass as
	// the gradient of f at x. It calls f with an array of its own that f must
	// not keep; none of the checkers knows bounds, so that f is evaluated
	// outside of its domain too. Random directions are those that the checkers
	// draw, whose seeds are fixed, so that the answer is theirs and always the
	// same.
	Accepts func(f func(x []float64) float64, grad, x []float64) bool
}

// All lists the criteria.
var All = []Criterion{torchSlow, torchFast, jax, scipy, ipopt}

// near is the comparison of torch.allclose and numpy.testing.assert_allclose:
// relative to the second number, with an absolute part. Infinities of one sign
// are close, and NaN is close to nothing.
func near(a, b, atol, rtol float64) bool {
	if a == b {
		return true
	}
	gap := math.Abs(a - b)
	return !math.IsInf(gap, 0) && gap <= atol+rtol*math.Abs(b)
}

// along returns f at x + h·d.
func along(f func([]float64) float64, x []float64, h float64, d []float64) float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] + h*d[i]
	}
	return f(y)
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
