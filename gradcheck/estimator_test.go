package gradcheck

import (
	"math"
	"math/rand/v2"
	"testing"
)

var inf = math.Inf(1)

func TestDerivative(t *testing.T) {
	dice := func(p float64) float64 { return 1 - 2*p*1e-6/(p+1e-6) }
	tests := []struct {
		name      string
		f         func(float64) float64
		x, lo, hi float64
		want, rel float64
	}{
		{"square", func(x float64) float64 { return x * x }, 3, -inf, inf, 6, 1e-13},
		{"exp", math.Exp, 1, -inf, inf, math.E, 1e-12},
		{"sine far out", math.Sin, 1e4, -inf, inf, math.Cos(1e4), 1e-9},
		{"dice at 1e-6", dice, 1e-6, 0, 1, -0.5, 1e-9},
		{"reciprocal near its pole", func(x float64) float64 { return 1 / x }, 1e-7, -inf, inf, -1e14, 1e-10},
		{"root near its bound", math.Sqrt, 1e-10, 0, inf, 5e4, 1e-10},
		{"power on its bound", func(x float64) float64 { return math.Pow(1+x, 1.5) }, 0, 0, 1, 1.5, 1e-10},
		{"logarithm beside one", func(x float64) float64 { return -math.Log(x) }, 1 - 1e-7, 0, 1, -1 / (1 - 1e-7), 1e-8},
		{"upper bound", math.Exp, 0, -1, 0, 1, 1e-10},
		{"constant", func(float64) float64 { return 2 }, 0.3, 0, 1, 0, 1e-15},
		{"tiny values", func(x float64) float64 { return 1e-300 * x }, 0.3, -inf, inf, 1e-300, 1e-13},
		{"infinite beyond", func(x float64) float64 { return math.Log(x) }, 0.1, -inf, inf, 10, 1e-10},
		{"fine structure", func(x float64) float64 { return x + 1e-4*math.Tanh(x/1e-5) }, 0, -inf, inf, 11, 1e-9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := Derivative(tt.f, tt.x, tt.lo, tt.hi)
			gap := math.Abs(e.Value - tt.want)
			if !(gap <= tt.rel*math.Max(math.Abs(tt.want), 1e-290)) && !(tt.want == 0 && gap <= tt.rel) {
				t.Errorf("value %v, want %v (%.2g off)", e.Value, tt.want, gap/tt.want)
			}
			if gap > e.Err {
				t.Errorf("error %g is more than the claimed %g", gap, e.Err)
			}
			if e.Evals > 130 {
				t.Errorf("%d evaluations", e.Evals)
			}
			t.Logf("%+v true err %g", e, gap)
		})
	}
}

func TestDerivativeStaysInside(t *testing.T) {
	for _, x := range []float64{0, 1e-9, 0.25, 1 - 1e-9, 1} {
		Derivative(func(y float64) float64 {
			if y < 0 || y > 1 {
				t.Fatalf("evaluated at %v for x = %v", y, x)
			}
			return y * y
		}, x, 0, 1)
	}
}

func TestDerivativeWithoutRoom(t *testing.T) {
	for _, e := range []Estimate{
		Derivative(math.Exp, 1, 1, 1),
		Derivative(func(float64) float64 { return math.NaN() }, 1, 0, 2),
	} {
		if !math.IsInf(e.Err, 1) {
			t.Errorf("%+v, want an infinite error", e)
		}
	}
}

// TestDerivativeCancelled differentiates 1 − a/b where the two are almost the
// same: the value keeps the rounding of 1, which is far more than its own, and
// stands still on short steps.
func TestDerivativeCancelled(t *testing.T) {
	p := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	f := func(x float64) float64 { return (1 - 12.25/(12.25+0.75*p(x))) / 3 }
	for _, x := range []float64{-5, -10, -15, -20, -22, -25, -28, -30} {
		d := 12.25 + 0.75*p(x)
		want := 12.25 * 0.75 / (d * d) / 3 * p(x) * (1 - p(x))
		e := Derivative(f, x, x-1, x+1)
		if gap := math.Abs(e.Value - want); e.Kink || !(gap <= e.Err) || e.Err > 1e-13 {
			t.Errorf("at %g: %+v, want %g", x, e, want)
		}
	}
}

// TestDerivativeNoise gives the estimator a function whose noise is a million
// times its rounding.
func TestDerivativeNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	missed := 0
	for range 500 {
		f := func(x float64) float64 { return math.Sin(x) + 1e-10*rng.NormFloat64() }
		e := Derivative(f, 0.5, -inf, inf)
		gap := math.Abs(e.Value - math.Cos(0.5))
		if gap > e.Err {
			missed++
		}
		if e.Err > 1e-6 {
			t.Fatalf("error %g claimed for noise of 1e-10: %+v", e.Err, e)
		}
	}
	if missed > 5 {
		t.Errorf("%d of 500 errors are more than claimed", missed)
	}
}

// families are functions with known derivatives and parameters drawn over many
// decades: those of the losses of one position, and some others.
var families = []struct {
	name   string
	f, df  func(p, t float64) float64
	lo, hi float64
}{
	{"dice", func(p, t float64) float64 { return 1 - 2*p*t/(p+t) }, func(p, t float64) float64 { return -2 * t * t / ((p + t) * (p + t)) }, 0, 1},
	{"squared dice", func(p, t float64) float64 { return (p - t) * (p - t) / (p*p + t*t) },
		func(p, t float64) float64 { return -2 * t * (t - p) * (t + p) / ((p*p + t*t) * (p*p + t*t)) }, 0, 1},
	{"iou", func(p, t float64) float64 { return 1 - p*t/(p+t-p*t) }, func(p, t float64) float64 { d := p + t - p*t; return -t * t / (d * d) }, 0, 1},
	{"logarithm", func(p, t float64) float64 { return -t * math.Log(p) }, func(p, t float64) float64 { return -t / p }, 0, 1},
	{"power", func(p, t float64) float64 { return math.Pow(p/t, 0.3) }, func(p, t float64) float64 { return 0.3 * math.Pow(p/t, 0.3) / p }, 0, 1},
	{"focal", func(p, t float64) float64 { return -(1 - p) * (1 - p) * math.Log(p) },
		func(p, t float64) float64 { return 2*(1-p)*math.Log(p) - (1-p)*(1-p)/p }, 0, 1},
	{"exp", func(p, t float64) float64 { return math.Exp(p / t / 10) }, func(p, t float64) float64 { return math.Exp(p/t/10) / t / 10 }, -inf, inf},
	{"arctangent", func(p, t float64) float64 { return math.Atan(p / t) }, func(p, t float64) float64 { return t / (t*t + p*p) }, -inf, inf},
}

// TestDerivativeCoverage draws random derivatives and asks that the error lies
// within the claim.
func TestDerivativeCoverage(t *testing.T) {
	draws := 20000
	if testing.Short() {
		draws = 300
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, fam := range families {
		missed, evals := 0, 0
		worst := 0.0
		for range draws {
			p, q := math.Pow(10, -9*rng.Float64()), math.Pow(10, -9*rng.Float64())
			if fam.name == "exp" {
				q = math.Max(q, p/300)
			}
			e := Derivative(func(x float64) float64 { return fam.f(x, q) }, p, fam.lo, fam.hi)
			want := fam.df(p, q)
			evals += e.Evals
			if gap := math.Abs(e.Value - want); gap > e.Err+1e-14*math.Abs(want) {
				missed++
				if missed < 4 {
					t.Logf("%s p=%g t=%g: want %g got %+v (gap %g)", fam.name, p, q, want, e, gap)
				}
			}
			worst = math.Max(worst, e.Err/math.Abs(want))
		}
		t.Logf("%s: %d missed of %d, %d evaluations each, worst claim %.1g", fam.name, missed, draws, evals/draws, worst)
		if missed > draws/1000 {
			t.Errorf("%s: %d of %d errors are more than claimed", fam.name, missed, draws)
		}
	}
}
