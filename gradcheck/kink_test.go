package gradcheck

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestKink asks that kinks are found, with both of their slopes.
func TestKink(t *testing.T) {
	tests := []struct {
		name         string
		f            func(float64) float64
		x            float64
		below, above float64 // slopes
	}{
		{"absolute value", math.Abs, 0, -1, 1},
		{"on a constant", func(x float64) float64 { return 1 + math.Abs(x) }, 0, -1, 1},
		{"not at zero", func(x float64) float64 { return 3 + math.Abs(x-0.3) }, 0.3, -1, 1},
		{"negative", func(x float64) float64 { return math.Max(x+0.7, 2*(x+0.7)) }, -0.7, 1, 2},
		{"ramp", func(x float64) float64 { return math.Max(x, 0) }, 0, 0, 1},
		{"among others", func(x float64) float64 { return x*x + math.Abs(x) + math.Sin(x) }, 0, 0, 2},
		{"weak", func(x float64) float64 { return math.Exp(x) + 1e-6*math.Abs(x) }, 0, 1 - 1e-6, 1 + 1e-6},
		{"beside curvature", func(x float64) float64 { return math.Exp(10*x) + 0.01*math.Abs(x) }, 0, 9.99, 10.01},
		{"small", func(x float64) float64 { return math.Max(x/1e-6, math.Tanh(x/1e-6)/2) }, 0, 5e5, 1e6},
	}
	for _, tt := range tests {
		e := Derivative(tt.f, tt.x, tt.x-1, tt.x+1)
		rel := 1e-9 * math.Max(math.Abs(tt.below), math.Abs(tt.above))
		if !e.Kink || math.Abs(e.Lo-tt.below) > rel || math.Abs(e.Hi-tt.above) > rel {
			t.Errorf("%s: %+v, want a kink between %g and %g", tt.name, e, tt.below, tt.above)
		}
		if e.Value-e.Err > e.Lo || e.Value+e.Err < e.Hi {
			t.Errorf("%s: %g ± %g does not span the kink", tt.name, e.Value, e.Err)
		}
		if e.Evals > 400 {
			t.Errorf("%s: %d evaluations", tt.name, e.Evals)
		}
	}
}

// claim makes a Function of one with the given derivatives, whatever x is.
func claim(f func([]float64) float64, grad ...float64) Function {
	return Function{Value: f, Gradient: func(dst, _ []float64) { copy(dst, grad) }}
}

// TestKinkVerdict holds gradients against a kink: what lies between its slopes
// is a subgradient, and nothing else.
func TestKinkVerdict(t *testing.T) {
	hinge := func(x []float64) float64 { return math.Max(0, 1-2*x[0]) + 3*x[1] }
	for got, want := range map[float64]Verdict{-2: Pass, -1.3: Pass, 0: Pass, 1e-3: Fail, -2.001: Fail, 2: Fail} {
		if row := Func(claim(hinge, got, 3), []float64{0.5, 1}); row.Verdict != want {
			t.Errorf("%g: %v %s, want %v", got, row.Verdict, row.Reason, want)
		}
	}
}

// TestKinkNearby has kinks within the ladder's reach, beside x: they must not
// be taken for one at x, nor pass unnoticed.
func TestKinkNearby(t *testing.T) {
	for _, jump := range []float64{1e-8, 1e-6, 1e-3, 1} {
		for _, far := range []float64{1e-1, 1e-2, 1e-3, 1e-5, 1e-7, 1e-9} {
			for _, x := range []float64{0, 0.3, -0.004} {
				for _, lo := range []float64{-2, x} {
					if jump*far < 1e-13 {
						continue // a thousand times its rounding is what a function shows of a kink
					}
					f := func(y float64) float64 { return math.Sin(y) + jump*math.Abs(y-x-far) }
					e := Derivative(f, x, lo, 2)
					want := math.Cos(x) - jump
					if gap := math.Abs(e.Value - want); e.Kink || !(gap <= e.Err) {
						t.Errorf("jump %g at %g from %g, bound %g: %+v, want %g", jump, far, x, lo, e, want)
					}
				}
			}
		}
	}
}

// TestNoKink draws smooth functions that look like a kink on all but the
// shortest steps.
func TestNoKink(t *testing.T) {
	draws := 30000
	if testing.Short() {
		draws = 1000
	}
	rng := rand.New(rand.NewPCG(5, 6))
	kinds := []struct {
		name  string
		f, df func(u float64) float64
	}{
		{"rounded corner", func(u float64) float64 { return math.Sqrt(1 + u*u) }, func(u float64) float64 { return u / math.Sqrt(1+u*u) }},
		{"soft ramp", func(u float64) float64 { return math.Max(u, 0) + math.Log1p(math.Exp(-math.Abs(u))) }, func(u float64) float64 { return 1 / (1 + math.Exp(-u)) }},
		{"bump", func(u float64) float64 { return 1 / (1 + u*u) }, func(u float64) float64 { return -2 * u / ((1 + u*u) * (1 + u*u)) }},
		{"parabola", func(u float64) float64 { return u * u }, func(u float64) float64 { return 2 * u }},
	}
	missed := 0
	for i := range draws {
		k := kinds[i%len(kinds)]
		scale, offset := math.Pow(10, -9*rng.Float64()), 4*rng.Float64()-2
		rest := rng.Float64()
		x := offset * scale
		if i%3 == 0 {
			x = 0
		}
		f := func(y float64) float64 { return rest + scale*k.f(y/scale) }
		e, want := Derivative(f, x, -1, 1), k.df(x/scale)
		if e.Kink || e.Divergent {
			t.Errorf("%s of scale %g at %g on %g: %+v", k.name, scale, x, rest, e)
		}
		if math.Abs(e.Value-want) > e.Err+1e-14*math.Abs(want) {
			missed++
		}
	}
	if missed > draws/5000 {
		t.Errorf("%d of %d errors are more than claimed", missed, draws)
	}
}

// TestDivergent asks that powers below 1 are recognised at their zero.
func TestDivergent(t *testing.T) {
	for _, gamma := range []float64{0.1, 0.3, 0.5, 0.75, 0.9} {
		tests := []struct {
			name   string
			f      func(float64) float64
			x, lo  float64
			hi     float64
			lo1, h float64 // infinities of the sides
		}{
			{"on the lower bound", func(x float64) float64 { return math.Pow(x, gamma) }, 0, 0, 1, inf, inf},
			{"on the upper bound", func(x float64) float64 { return math.Pow(1-x, gamma) }, 1, 0, 1, -inf, -inf},
			{"on a constant", func(x float64) float64 { return 2 + math.Pow(x, gamma) }, 0, 0, 1, inf, inf},
			{"cusp", func(x float64) float64 { return math.Pow(math.Abs(x), gamma) }, 0, -1, 1, -inf, inf},
			{"odd", func(x float64) float64 { return math.Copysign(math.Pow(math.Abs(x), gamma), x) }, 0, -1, 1, inf, inf},
			{"inside", func(x float64) float64 { return x - math.Pow(math.Abs(x-0.3), gamma) }, 0.3, 0, 1, -inf, inf},
		}
		for _, tt := range tests {
			e := Derivative(tt.f, tt.x, tt.lo, tt.hi)
			if !e.Divergent || math.Abs(e.Exponent-(gamma-1)) > 0.02 || e.Lo != tt.lo1 || e.Hi != tt.h {
				t.Errorf("%s, power %g: %+v", tt.name, gamma, e)
			}
		}
	}
}

// TestNotDivergent has functions that look divergent on long steps, or that
// have no derivative for another reason.
func TestNotDivergent(t *testing.T) {
	for _, s := range []float64{1e-3, 1e-6, 1e-9} {
		for name, f := range map[string]func(float64) float64{
			"shifted power": func(x float64) float64 { return math.Pow(x+s, 0.3) },
			"floored power": func(x float64) float64 { return math.Pow(math.Max(x, s), 0.3) },
		} {
			want := 0.0
			if name == "shifted power" {
				want = 0.3 * math.Pow(s, -0.7)
			}
			if e := Derivative(f, 0, 0, 1); e.Divergent || math.Abs(e.Value-want) > e.Err || e.Err > 1e-3*math.Max(want, 1) {
				t.Errorf("%s, %g: %+v, want %g", name, s, e, want)
			}
		}
	}
	jump := func(x float64) float64 { return math.Copysign(1, x-0.5) }
	if e := Derivative(jump, 0.5, 0, 1); e.Divergent || e.Kink || e.Err < math.Abs(e.Value) {
		t.Errorf("jump: %+v", e)
	}
}

func TestMeet(t *testing.T) {
	nan := math.NaN()
	a, b := Estimate{Value: 1, Err: 0.1, Evals: 2}, Estimate{Value: 1.05, Err: 0.01, Evals: 3}
	far := Estimate{Value: 3, Err: 0.2, Roundoff: 0.1}
	steep := Estimate{Value: inf, Err: inf, Divergent: true, Exponent: -0.5, Lo: inf, Hi: inf}
	if got := meet(a, b); got.Value != 1.05 || got.Kink || got.Evals != 5 {
		t.Errorf("agreeing: %+v", got)
	}
	if got := meet(Estimate{Value: nan, Err: inf}, b); got.Value != 1.05 {
		t.Errorf("one without an estimate: %+v", got)
	}
	if got := meet(a, far); !got.Kink || got.Value != 2 || got.Err != 1.2 || got.Roundoff != 0.1 || got.Lo != 1 || got.Hi != 3 {
		t.Errorf("kink: %+v", got)
	}
	if got := meet(steep, a); !got.Divergent || !math.IsNaN(got.Value) || got.Lo != 1 || got.Hi != inf || got.Exponent != -0.5 {
		t.Errorf("one side divergent: %+v", got)
	}
	if got := meet(steep, steep); got.Value != inf {
		t.Errorf("both sides divergent: %+v", got)
	}
}
