package peers

import "math"

// scipyStep is the default epsilon of check_grad, the root of the machine's
// epsilon.
const scipyStep = 0x1p-26

// scipyTol is the threshold of SciPy's own test of check_grad,
// assert_almost_equal(r, 0) at its 7 decimals (scipy/optimize/tests/
// test_optimize.py, test_check_grad). The function itself returns a norm and
// leaves the judgement to the caller; its documentation shows 3e-8 for a right
// gradient and names no bound.
const scipyTol = 1.5e-7

// scipy is scipy.optimize.check_grad of SciPy 1.17.1 with direction="all", the
// default: check_grad and approx_fprime of scipy/optimize/_optimize.py, and
// _dense_difference of _numdiff.py. Forward differences with the step as
// rounded; the Euclidean norm of the differences, without any scale, must be
// below scipyTol. It calls f len(x)+1 times.
var scipy = Criterion{
	Name:   "scipy",
	Source: "scipy.optimize.check_grad < 1.5e-7, SciPy 1.17.1, scipy/optimize/_optimize.py",
	Accepts: func(f func([]float64) float64, grad, x []float64) bool {
		y := append([]float64(nil), x...)
		f0 := f(y)
		sum := 0.0
		for i := range x {
			y[i] = x[i] + scipyStepAt(x[i])
			gap := grad[i] - (f(y)-f0)/(y[i]-x[i])
			sum += gap * gap
			y[i] = x[i]
		}
		return math.Sqrt(sum) < scipyTol
	},
}

// scipyStepAt returns the step at x: relative to it, and away from zero, where
// the fixed one is lost in rounding.
func scipyStepAt(x float64) float64 {
	if x+scipyStep != x {
		return scipyStep
	}
	return math.Copysign(scipyStep*math.Max(1, math.Abs(x)), x)
}
