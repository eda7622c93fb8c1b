package peers

import "math"

// The defaults of torch.autograd.gradcheck.
const (
	torchEps  = 1e-6
	torchAtol = 1e-5
	torchRtol = 1e-3
)

// torchSlow is torch.autograd.gradcheck of PyTorch 2.15 with fast_mode=False,
// the default: _slow_gradcheck, _compute_numerical_gradient and
// _allclose_with_type_promotion of torch/autograd/gradcheck.py. Every element is
// moved by ±eps, and each difference quotient n must satisfy
// |a − n| ≤ atol + rtol·|n|. The divisor is 2·eps, not the distance of the
// points as rounded. It calls f 2·len(x) times.
var torchSlow = Criterion{
	Name:   "torch slow",
	Source: "torch.autograd.gradcheck(fast_mode=False), PyTorch 2.15, torch/autograd/gradcheck.py",
	Accepts: func(f func([]float64) float64, grad, x []float64) bool {
		y := append([]float64(nil), x...)
		for i := range x {
			y[i] = x[i] - torchEps
			minus := f(y)
			y[i] = x[i] + torchEps
			plus := f(y)
			y[i] = x[i]
			if !near(grad[i], (plus-minus)/(2*torchEps), torchAtol, torchRtol) {
				return false
			}
		}
		return true
	},
}

// torchFast is torch.autograd.gradcheck of PyTorch 2.15 with fast_mode=True:
// _fast_gradcheck, _vec_from_tensor and _adjusted_atol of
// torch/autograd/gradcheck.py. The gradient is compared along one random
// direction u of uniform numbers in [0, 1), drawn in float32 and divided by
// their norm; since u holds no negative number, atol is multiplied by Σ u, which
// grows like the root of the number of elements. (The random vector v of a
// single output is 1.)
var torchFast = Criterion{
	Name:   "torch fast",
	Source: "torch.autograd.gradcheck(fast_mode=True), PyTorch 2.15, torch/autograd/gradcheck.py",
	Accepts: func(f func([]float64) float64, grad, x []float64) bool {
		u, sum := torchDirection(len(x))
		numeric := (along(f, x, torchEps, u) - along(f, x, -torchEps, u)) / (2 * torchEps)
		return near(dot(grad, u), numeric, torchAtol*sum, torchRtol)
	},
}

// torchDirection draws the direction of n elements and returns its sum too.
func torchDirection(n int) (u []float64, sum float64) {
	const seed = 67280421310721 // of a torch.Generator that nobody has seeded
	r := newTwister(seed & math.MaxUint32)
	u = make([]float64, n)
	for i := range u {
		u[i] = r.float32()
	}
	norm := math.Sqrt(dot(u, u))
	for i := range u {
		u[i] /= norm
		sum += u[i]
	}
	return u, sum
}
