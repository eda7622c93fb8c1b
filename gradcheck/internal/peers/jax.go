package peers

import "math"

// The step of jax.test_util, and default_gradient_tolerance of float64, which is
// both the absolute and the relative tolerance.
const (
	jaxEps = 1e-4
	jaxTol = 1e-5
)

// jax is jax.test_util.check_grads(f, (x,), order=1, modes=("rev",)) of JAX
// 0.10.2 on float64: check_vjp, numerical_jvp and _assert_numpy_close of
// jax/_src/public_test_util.py. The gradient is compared along one direction of
// normal numbers, not normalised, and both sides are multiplied by a normal
// cotangent w: |w·(g·d) − w·n| ≤ tol + tol·|w·n|. NaN equals NaN.
var jax = Criterion{
	Name:   "jax",
	Source: `jax.test_util.check_grads(order=1, modes=("rev",)), JAX 0.10.2, jax/_src/public_test_util.py`,
	Accepts: func(f func([]float64) float64, grad, x []float64) bool {
		r := newTwister(0) // numpy.random.RandomState(0)
		d := make([]float64, len(x))
		for i := range d {
			d[i] = r.normal()
		}
		w := r.normal()
		plus, minus := along(f, x, jaxEps, d), along(f, x, -jaxEps, d)
		gap := plus - minus
		if plus == minus {
			gap = 0 // also where both are infinite, as _safe_subtract has it
		}
		analytic, numeric := dot(grad, d)*w, gap*(0.5/jaxEps)*w
		if math.IsNaN(analytic) && math.IsNaN(numeric) {
			return true
		}
		return near(analytic, numeric, jaxTol, jaxTol)
	},
}
