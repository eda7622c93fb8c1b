package gradcheck

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// meanBCE is the mean binary cross-entropy of probabilities and random labels,
// and a point to check it at.
func meanBCE(n int) (Function, []float64) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float64, n), make([]bool, n)
	for i := range x {
		x[i], y[i] = 0.01+0.98*rng.Float64(), rng.IntN(2) == 1
	}
	own := func(p float64, y bool) float64 {
		if y {
			return p
		}
		return 1 - p
	}
	return Function{
		Name: "mean BCE",
		Value: func(x []float64) float64 {
			sum := 0.0
			for i, p := range x {
				sum -= math.Log(own(p, y[i]))
			}
			return sum / float64(len(x))
		},
		Gradient: func(dst, x []float64) {
			for i, p := range x {
				dst[i] = 1 / (own(p, y[i]) * float64(len(x)))
				if y[i] {
					dst[i] = -dst[i]
				}
			}
		},
		Lower: []float64{0}, Upper: []float64{1},
	}, x
}

// altered changes the gradient of a function after it was computed.
func altered(f Function, change func(dst, x []float64)) Function {
	right := f.Gradient
	f.Gradient = func(dst, x []float64) {
		right(dst, x)
		change(dst, x)
	}
	return f
}

// TestFuncMegapixel asks that the mean over a million elements, each of whose
// derivatives is less than many checkers take for zero, is decided.
func TestFuncMegapixel(t *testing.T) {
	n := 1 << 20
	if testing.Short() {
		n = 1 << 14
	}
	for _, tt := range []struct {
		name   string
		change func(dst, x []float64)
		n      int
		want   Verdict
		at     int // coordinate to be named; -1: any
	}{
		{"right", func(_, _ []float64) {}, n, Pass, -1},
		{"all zero", func(dst, _ []float64) { clear(dst) }, n, Fail, -1},
		{"one zero", func(dst, _ []float64) { dst[12345] = 0 }, 1 << 15, Fail, 12345},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, x := meanBCE(tt.n)
			r := Func(altered(f, tt.change), x)
			if r.Verdict != tt.want || tt.at >= 0 && (r.Worst.What != "coordinate" || r.Worst.S != tt.at) {
				t.Errorf("%+v", r)
			}
			t.Logf("%d evaluations, power %.1e, %v", r.Evals, r.Power, r.Worst)
		})
	}
}

// TestFuncLong asks that a wrong derivative among many is found and named, on
// bounds too, where only directions lead inwards.
func TestFuncLong(t *testing.T) {
	f, x := meanBCE(1 << 13)
	onBound := slices.Clone(x)
	for i := range onBound {
		onBound[i] = float64(i % 2)
	}
	square := Function{
		Value: func(x []float64) float64 {
			sum := 0.0
			for _, v := range x {
				sum += v * v * (3 - v)
			}
			return sum
		},
		Gradient: func(dst, x []float64) {
			for i, v := range x {
				dst[i] = 6*v - 3*v*v
			}
		},
		Lower: []float64{0}, Upper: []float64{1},
	}
	for _, tt := range []struct {
		name   string
		f      Function
		x      []float64
		change func(dst, x []float64)
		want   Verdict
		what   string
		at     int
	}{
		{"one of a thousandth", f, x, func(dst, _ []float64) { dst[7654] *= 1.001 }, Fail, "coordinate", 7654},
		{"sign of one", f, x, func(dst, _ []float64) { dst[1] *= -1 }, Fail, "coordinate", 1},
		{"on bounds", square, onBound, func(_, _ []float64) {}, Pass, "coordinate", -1},
		{"one on a bound", square, onBound, func(dst, _ []float64) { dst[4444] = 1 }, Fail, "coordinate", 4444},
		{"unbounded", Function{Value: square.Value, Gradient: square.Gradient}, x, func(_, _ []float64) {}, Pass, "coordinate", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Func(altered(tt.f, tt.change), tt.x)
			if r.Verdict != tt.want || r.Worst.What != tt.what || tt.at >= 0 && r.Worst.S != tt.at {
				t.Errorf("%+v", r)
			}
			if r.Checks < 10 || r.Evals < 10*r.Checks {
				t.Errorf("%d evaluations for %d derivatives", r.Evals, r.Checks)
			}
		})
	}
}

// TestFuncTogether has every derivative off by too little to be seen beside the
// noise of a single one, and all in a direction by enough.
func TestFuncTogether(t *testing.T) {
	const n = 5000
	noise := rand.New(rand.NewPCG(8, 9))
	f := Function{
		Value: func(x []float64) float64 {
			sum := 0.0
			for _, v := range x {
				sum += v * v / 2
			}
			return sum + 1e-6*noise.Float64()
		},
		Gradient: func(dst, x []float64) {
			copy(dst, x)
			for i := 1; i < n-1; i++ {
				dst[i] += 3e-6 * math.Copysign(1, math.Sin(float64(i)))
			}
		},
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = 0.5 + float64(i%7)/10
	}
	if r := Func(f, x); r.Verdict != Fail || r.Worst.What != "direction" || !strings.Contains(r.Reason, "are off together") {
		t.Errorf("%+v", r)
	}
}

func TestFuncShort(t *testing.T) {
	value := func(x []float64) float64 { return x[0]*x[0] + math.Sqrt(x[1]) }
	gradient := func(dst, x []float64) { dst[0], dst[1] = 2*x[0], 1/(2*math.Sqrt(x[1])) }
	right := Function{Value: value, Gradient: gradient}
	bounded := Function{Name: "bounded", Value: value, Gradient: gradient, Lower: []float64{-5, 0}, Upper: []float64{3}}
	noisy := rand.New(rand.NewPCG(1, 2))
	calls := 0
	for _, tt := range []struct {
		name   string
		f      Function
		want   Verdict
		reason string
		at     int // coordinate that is named; -1: none
	}{
		{"right", right, Pass, "", 0},
		{"bounded", bounded, Pass, "", 0},
		{"a thousandth off", altered(right, func(dst, _ []float64) { dst[1] *= 1.001 }), Fail, "factor of 1.001", 1},
		{"not finite", altered(right, func(dst, _ []float64) { dst[1] = math.NaN() }), Fail, "not finite", 1},
		{"not written", Function{Value: value, Gradient: func(dst, x []float64) { dst[0] = 2 * x[0] }}, Fail, "does not write", 1},
		{"added", Function{Value: value, Gradient: func(dst, x []float64) { dst[0] += 2 * x[0]; dst[1] = 1 }}, Fail, "adds it", 0},
		{"other the second time", altered(right, func(dst, _ []float64) { calls++; dst[1] += float64(calls) * 1e-15 }), Fail, "not deterministic", 1},
		{"gradient that changes x", altered(right, func(_, x []float64) { x[1] = 7 }), Fail, "Gradient changes x", 1},
		{"value that changes x", Function{Value: func(x []float64) float64 { x[0]++; return x[0] }, Gradient: gradient}, Fail, "Value changes x", 0},
		{"value that changes x elsewhere", Function{Value: func(x []float64) float64 {
			v := value(x)
			if x[0] != 3 {
				x[1] = 0.2
			}
			return v
		}, Gradient: gradient}, Fail, "Value changes x", 1},
		{"noise", Function{Value: func(x []float64) float64 { return value(x) + 1e-4*noisy.Float64() }, Gradient: gradient}, Inconclusive, "noise", 1},
		{"no value there", Function{Value: func([]float64) float64 { return math.Inf(1) }, Gradient: gradient}, Inconclusive, "domain: the value at x is +Inf", -1},
		{"no value", Function{Gradient: gradient}, Inconclusive, "input: Value is nil", -1},
		{"no gradient", Function{Value: value}, Inconclusive, "input: Gradient is nil", -1},
		{"lower bounds", Function{Value: value, Gradient: gradient, Lower: make([]float64, 3)}, Inconclusive, "3 lower bounds for 2", -1},
		{"upper bounds", Function{Value: value, Gradient: gradient, Upper: make([]float64, 3)}, Inconclusive, "3 upper bounds for 2", -1},
		{"out of bounds", Function{Value: value, Gradient: gradient, Upper: []float64{1}}, Inconclusive, "x[0] = 3 is not between its bounds -Inf and 1", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := []float64{3, 0.25}
			r := Func(tt.f, x)
			if r.Verdict != tt.want || (r.Reason == "") != (tt.want == Pass) || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%+v", r)
			}
			if named := r.Worst.What == "coordinate"; tt.want != Pass && (named != (tt.at >= 0) || named && r.Worst.S != tt.at) {
				t.Errorf("%+v names another coordinate than %d", r.Worst, tt.at)
			}
			if x[0] != 3 || x[1] != 0.25 {
				t.Errorf("the caller's x is %v", x)
			}
			if want := max(tt.f.Name, "function"); tt.f.Name == "" && r.Loss != want || tt.f.Name != "" && r.Loss != tt.f.Name {
				t.Errorf("a row of %q", r.Loss)
			}
		})
	}
	if r := Func(right, nil); r.Verdict != Inconclusive || !strings.Contains(r.Reason, "no coordinates") {
		t.Errorf("%+v", r)
	}
	if r := Func(right, []float64{math.NaN(), 1}); r.Verdict != Inconclusive || !strings.Contains(r.Reason, "x[0] = NaN") {
		t.Errorf("%+v", r)
	}
}
