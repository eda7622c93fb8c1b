package peers

import "math"

// The defaults of the options derivative_test_perturbation and
// derivative_test_tol.
const (
	ipoptStep = 1e-8
	ipoptTol  = 1e-4
)

// ipopt is Ipopt's derivative_test=first-order, TNLPAdapter::CheckDerivatives of
// src/Interfaces/IpTNLPAdapter.cpp in version 3.14: forward differences n with
// the step 1e-8·max(1, |x|), not as rounded, and an error is reported where
// |n − a| / max(|n|, 1) ≥ 1e-4. A NaN compares as no error, and the option that
// looks for such (check_derivatives_for_naninf) is off by default. Ipopt first
// moves to a random point up to 10 away inside the bounds; that is left out,
// since here the point is the case. It calls f len(x)+1 times.
var ipopt = Criterion{
	Name:   "ipopt",
	Source: "derivative_test=first-order, Ipopt 3.14, src/Interfaces/IpTNLPAdapter.cpp (TNLPAdapter::CheckDerivatives)",
	Accepts: func(f func([]float64) float64, grad, x []float64) bool {
		y := append([]float64(nil), x...)
		f0 := f(y)
		for i := range x {
			step := ipoptStep * math.Max(1, math.Abs(x[i]))
			y[i] = x[i] + step
			numeric := (f(y) - f0) / step
			y[i] = x[i]
			if math.Abs(numeric-grad[i])/math.Max(math.Abs(numeric), 1) >= ipoptTol {
				return false
			}
		}
		return true
	},
}
