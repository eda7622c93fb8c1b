package gradcheck

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDerivativeRounded differentiates functions that are computed in float32,
// in whole or in part, and stand still on short steps. Their errors must cover
// that, and yet leave some digits.
func TestDerivativeRounded(t *testing.T) {
	f32 := func(v float64) float64 { return float64(float32(v)) }
	kinds := []struct {
		name  string
		f, df func(x float64) float64
	}{
		{"sine", func(x float64) float64 { return f32(math.Sin(x)) }, math.Cos},
		{"exponential", func(x float64) float64 { return f32(math.Exp(x)) }, math.Exp},
		{"of a rounded argument", func(x float64) float64 { return f32(math.Exp(f32(x))) }, math.Exp},
		{"scaled sum", func(x float64) float64 { return math.Pi*f32(math.Exp(x)) + math.Sin(3*x) },
			func(x float64) float64 { return math.Pi*math.Exp(x) + 3*math.Cos(3*x) }},
		{"logarithm", func(x float64) float64 { return f32(math.Log(1 + x)) }, func(x float64) float64 { return 1 / (1 + x) }},
		{"constant", func(float64) float64 { return f32(0.1) }, func(float64) float64 { return 0 }},
	}
	rng := rand.New(rand.NewPCG(8, 9))
	for _, k := range kinds {
		missed, worst := 0, 0.0
		for range 1000 {
			x := rng.Float64()
			e := Derivative(k.f, x, -1, 2)
			worst = math.Max(worst, e.Err)
			if e.Kink || e.Divergent {
				t.Errorf("%s at %g: %+v", k.name, x, e)
			}
			if !(math.Abs(e.Value-k.df(x)) <= e.Err) {
				missed++
			}
		}
		t.Logf("%s: %d of 1000 missed, largest error claimed %.2g", k.name, missed, worst)
		if missed > 5 || worst > 1e-3 {
			t.Errorf("%s: %d of 1000 errors are more than claimed; the largest claim is %.2g", k.name, missed, worst)
		}
	}
}

func TestLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sum := 0.0
	for range 1000 {
		var v [7]float64
		for j := range v {
			x := float64(j) * 1e-3
			v[j] = 3 + x - x*x + 1e-9*rng.NormFloat64()
		}
		sum += level(v[:])
	}
	if mean := sum / 1000; mean < 0.7e-9 || mean > 1.2e-9 {
		t.Errorf("level %g of noise of 1e-9", mean)
	}
	if l := level([]float64{1, 1, 1, 1, 2, 2, 3}); l != 0 {
		t.Errorf("level %g of values that stand still", l)
	}
	if l := level([]float64{1, 2, math.NaN(), 4, 5, 6, 7}); !math.IsInf(l, 1) {
		t.Errorf("level %g of what is no number", l)
	}
}
