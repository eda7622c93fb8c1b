package peers

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A function has a gradient that is right.
type function struct {
	f    func(x []float64) float64
	grad func(x []float64) []float64
}

// waves is smooth, and its values and derivatives are near 1.
var waves = function{
	f: func(x []float64) float64 {
		sum := 0.0
		for i, v := range x {
			sum += math.Sin(v) + v*v/float64(4+2*i)
		}
		return sum
	},
	grad: func(x []float64) []float64 {
		g := make([]float64, len(x))
		for i, v := range x {
			g[i] = math.Cos(v) + 2*v/float64(4+2*i)
		}
		return g
	},
}

// dice is the Dice loss of one pixel with target t, without smoothing.
func dice(t float64) function {
	return function{
		f:    func(x []float64) float64 { return 1 - 2*x[0]*t/(x[0]+t) },
		grad: func(x []float64) []float64 { return []float64{-2 * t * t / ((x[0] + t) * (x[0] + t))} },
	}
}

// share is the part that n elements have in a mean of squares over size.
func share(size int) function {
	return function{
		f: func(x []float64) float64 {
			sum := 0.0
			for _, v := range x {
				sum += v * v
			}
			return sum / float64(size)
		},
		grad: func(x []float64) []float64 { return times(x, 2/float64(size)) },
	}
}

// power is (1−p)^0.75, as focal Tversky has it of a pixel of the class: it ends
// at p = 1.
var power = function{
	f:    func(x []float64) float64 { return math.Pow(1-x[0], 0.75) },
	grad: func(x []float64) []float64 { return []float64{-0.75 * math.Pow(1-x[0], -0.25)} },
}

// lifted is waves far above zero.
var lifted = function{
	f:    func(x []float64) float64 { return 1e4 + waves.f(x) },
	grad: waves.grad,
}

func times(v []float64, by float64) []float64 {
	out := slices.Clone(v)
	for i := range out {
		out[i] *= by
	}
	return out
}

func TestRightGradient(t *testing.T) {
	x := []float64{0.3, -1.2, 0.7, 2.5}
	before := slices.Clone(x)
	grad := waves.grad(x)
	for _, c := range All {
		if !c.Accepts(waves.f, grad, x) {
			t.Errorf("%s refuses a right gradient", c.Name)
		}
		if !slices.Equal(x, before) {
			t.Errorf("%s changed x", c.Name)
		}
		if c.Accepts(waves.f, times(grad, -1), x) || c.Accepts(waves.f, times(grad, 1.01), x) || c.Accepts(waves.f, times(grad, 0), x) {
			t.Errorf("%s accepts a wrong gradient", c.Name)
		}
		if !strings.Contains(c.Source, ".") || !strings.Contains(c.Source, "/") {
			t.Errorf("%s: source %q", c.Name, c.Source)
		}
	}
}

// ramp returns n numbers between 0.5 and 1.5.
func ramp(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 0.5 + float64(i)/float64(n)
	}
	return x
}

func zeroed(i int) func([]float64) []float64 {
	return func(g []float64) []float64 {
		g = slices.Clone(g)
		g[i] = 0
		return g
	}
}

func scaled(by float64) func([]float64) []float64 {
	return func(g []float64) []float64 { return times(g, by) }
}

// TestWeaknesses pins down where the criteria decide wrongly, and which of them
// do not: that is what they are here for. A criterion that is not named decides
// rightly. Those that move every element by itself are not asked about a million
// of them.
func TestWeaknesses(t *testing.T) {
	const megapixel = 1 << 20
	for _, tt := range []struct {
		name  string
		fn    function
		x     []float64
		spoil func([]float64) []float64 // nil: the gradient is right
		wrong string                    // criteria that decide wrongly
		fast  bool                      // ask only those that need a few evaluations
	}{
		{"all-zero gradient of 64 pixels of a megapixel", share(megapixel), ramp(64), scaled(0), "torch slow, torch fast, jax, ipopt", false},
		{"all-zero gradient of a megapixel", share(megapixel), ramp(megapixel), scaled(0), "torch fast", true},
		{"one pixel of a megapixel zeroed", share(megapixel), ramp(megapixel), zeroed(megapixel / 2), "torch fast, jax", true},
		{"five parts in ten thousand", waves, []float64{0.3, -1.2, 0.7, 2.5}, scaled(1.0005), "torch slow, torch fast", false},
		{"five parts in ten thousand of a small gradient", share(16), ramp(4), scaled(1.0005), "torch slow, torch fast, ipopt", false},
		{"Dice at p = t = 1e-6", dice(1e-6), []float64{1e-6}, nil, "torch slow, torch fast, jax, scipy, ipopt", false},
		{"a power at 1-p = 1e-9", power, []float64{1 - 1e-9}, nil, "torch slow, torch fast, jax, scipy", false},
		{"a power at 1-p = 1e-9, wrong", power, []float64{1 - 1e-9}, scaled(-3), "ipopt", false},
		{"a power at 1-p = 1e-9, not a number", power, []float64{1 - 1e-9}, scaled(math.NaN()), "jax, ipopt", false},
		{"not a number", waves, []float64{0.3, -1.2}, scaled(math.NaN()), "ipopt", false},
		{"infinite", waves, []float64{0.3, -1.2}, scaled(math.Inf(1)), "", false},
		{"values far above the differences", lifted, []float64{0.3, -1.2, 0.7, 2.5}, nil, "scipy", false},
		{"many coordinates", share(1), ramp(2000), nil, "scipy", false},
	} {
		grad := tt.fn.grad(tt.x)
		if tt.spoil != nil {
			grad = tt.spoil(grad)
		}
		for _, c := range All {
			if tt.fast && c.Name != "torch fast" && c.Name != "jax" {
				continue
			}
			right := tt.spoil == nil
			want := right != strings.Contains(tt.wrong, c.Name)
			if got := c.Accepts(tt.fn.f, grad, tt.x); got != want {
				t.Errorf("%s: %s accepts: %v, want %v", tt.name, c.Name, got, want)
			}
		}
	}
}

func TestNear(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		a, b float64
		want bool
	}{
		{1, 1.1, true}, {1, 1.2, false}, {0, 0.01, true}, {inf, inf, true}, {inf, -inf, false},
		{1, inf, false}, {inf, 1, false}, {math.NaN(), 1, false}, {math.NaN(), math.NaN(), false},
	} {
		if got := near(tt.a, tt.b, 0.01, 0.1); got != tt.want {
			t.Errorf("near(%v, %v) = %v", tt.a, tt.b, got)
		}
	}
}

// TestStep: SciPy's step is never lost in rounding.
func TestStep(t *testing.T) {
	for _, tt := range []struct{ x, want float64 }{{0, scipyStep}, {-1, scipyStep}, {1e12, scipyStep * 1e12}, {-1e12, -scipyStep * 1e12}} {
		if got := scipyStepAt(tt.x); got != tt.want {
			t.Errorf("step at %g is %g, want %g", tt.x, got, tt.want)
		}
	}
}

// TestInfiniteValues: JAX takes the difference of equal infinities for 0.
func TestInfiniteValues(t *testing.T) {
	if !jax.Accepts(func([]float64) float64 { return math.Inf(1) }, []float64{0}, []float64{1}) {
		t.Error("jax refuses a zero gradient of a function that is infinite everywhere")
	}
}
