package cpu

import (
	"math"
	"testing"
)

// relative returns the error of got in units of want; equal values, also
// infinities and two NaNs, have none.
func relative(got, want float64) float64 {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return 0
	}
	if e := math.Abs(got-want) / math.Abs(want); !math.IsNaN(e) {
		return e
	}
	return math.Inf(1)
}

// The functions are held to package math, which is right to an ulp of float64.
const accuracy = 1e-9

// sweep runs f over n points from lo to hi, evenly spaced, each a little off
// the grid that tables have.
func sweep(lo, hi float64, n int, f func(x float64)) {
	f(lo)
	for i := range n {
		f(lo + (hi-lo)*(float64(i)+0.618)/float64(n))
	}
	f(hi)
}

func TestExp32Accuracy(t *testing.T) {
	worst, at := 0.0, 0.0
	try := func(x float64) {
		if e := relative(exp32(x), math.Exp(x)); !(e <= worst) {
			worst, at = e, x
		}
	}
	sweep(expLeast, 700, 500_000, try)
	sweep(-2, 2, 200_000, try)
	for k := -30.; k <= 0; k++ { // around 0
		sweep(-math.Exp2(k), math.Exp2(k), 1000, try)
	}
	for k := -130_000; k <= 129_000; k += 77 { // around the places where the table is left
		x := float64(k) * expStep
		for _, x := range []float64{x, x + expStep/2, math.Nextafter(x+expStep/2, 1e3), math.Nextafter(x+expStep/2, -1e3)} {
			try(x)
		}
	}
	t.Logf("largest error %.2g at %v", worst, at)
	if worst > accuracy {
		t.Errorf("error %.2g at %v; want at most %.0g", worst, at, accuracy)
	}
}

func TestExp32Tails(t *testing.T) {
	for _, tt := range []struct{ x, want float64 }{
		{math.Inf(-1), 0},
		{-1e300, 0},
		{-1e10, 0},
		{-745, 0},
		{-708, 0},
		{math.NaN(), math.NaN()},
		{0, 1},
		{math.Copysign(0, -1), 1},
		{5e-324, 1},
		{-5e-324, 1},
		{1e-300, 1},
		{-90, 8.194012623990515e-40}, // where others go wrong
		{-88, 6.054601895401186e-39},
		{-103.9, math.Exp(-103.9)},
		{90, 1.2204032943178408e39},
		{700, math.Exp(700)},
	} {
		got := exp32(tt.x)
		if relative(got, tt.want) > accuracy || math.Signbit(got) {
			t.Errorf("exp32(%v) = %v; want %v", tt.x, got, tt.want)
		}
	}
}

// logarithm is ln x, also of subnormal numbers, which math.Log takes for others on amd64.
func logarithm(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		m, e := math.Frexp(x)
		return math.Log(m) + float64(e)*math.Ln2
	}
	return math.Log(x)
}

func TestLog32Accuracy(t *testing.T) {
	worst, at := 0.0, 0.0
	try := func(x float64) {
		if e := relative(log32(x), logarithm(x)); !(e <= worst) {
			worst, at = e, x
		}
	}
	sweep(0.5, 2, 500_000, try)
	sweep(0.99, 1.01, 200_000, try)
	for k := -60.; k < 0; k++ { // at 1
		sweep(1-math.Exp2(k), 1+math.Exp2(k), 100, try)
	}
	for k := -1074.; k < 1024; k++ {
		sweep(math.Exp2(k), math.Exp2(k)*1.9999, 50, try)
	}
	for i := uint64(0); i < 2*tableSize; i++ { // the borders of the table
		b := math.Float64frombits(logBase + i<<(52-tableBits))
		for _, x := range []float64{b, math.Nextafter(b, 0), math.Nextafter(b, 9)} {
			try(x)
		}
	}
	t.Logf("largest error %.2g at %v", worst, at)
	if worst > accuracy {
		t.Errorf("error %.2g at %v; want at most %.0g", worst, at, accuracy)
	}
}

func TestLog1p32Accuracy(t *testing.T) {
	worst, at := 0.0, 0.0
	try := func(x float64) {
		if e := relative(log1p32(x), math.Log1p(x)); !(e <= worst) {
			worst, at = e, x
		}
	}
	sweep(0, 1, 500_000, try)
	sweep(0, 0x1p-9, 200_000, try)
	for k := -1074.; k < 1024; k++ {
		sweep(math.Exp2(k), math.Exp2(k)*1.9999, 50, try)
	}
	t.Logf("largest error %.2g at %v", worst, at)
	if worst > accuracy {
		t.Errorf("error %.2g at %v; want at most %.0g", worst, at, accuracy)
	}
}

func TestLogTails(t *testing.T) {
	if got := Log(math.SmallestNonzeroFloat64); relative(got, -1074*math.Ln2) > 1e-15 {
		t.Errorf("ln 2⁻¹⁰⁷⁴ is %v", got)
	}
	for _, x := range []float64{
		0, math.Copysign(0, -1), 5e-324, 1e-310, 1, math.MaxFloat64, math.Inf(1), -1, math.Inf(-1), math.NaN(),
	} {
		if got, want := log32(x), logarithm(x); relative(got, want) > accuracy {
			t.Errorf("log32(%v) = %v; want %v", x, got, want)
		}
	}
	for _, x := range []float64{0, 5e-324, 1e-310, 1, 1e300, math.MaxFloat64, math.Inf(1), math.NaN()} {
		if got, want := log1p32(x), math.Log1p(x); relative(got, want) > accuracy {
			t.Errorf("log1p32(%v) = %v; want %v", x, got, want)
		}
	}
}

// Rows are what their elements are, at every length, for both element types.
func TestRows(t *testing.T) {
	for n := range 70 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i*37%100)/10 + 0.01
		}
		for _, f := range []struct {
			name     string
			row, one func([]float64)
			tol      float64
		}{
			{"exp float32", expRow[float32], eachOf(math.Exp), accuracy},
			{"log1p float32", log1pRow[float32], eachOf(math.Log1p), accuracy},
			{"exp float64", expRow[float64], eachOf(math.Exp), 0},
			{"log1p float64", log1pRow[float64], eachOf(math.Log1p), 0},
		} {
			got, want := append([]float64(nil), x...), append([]float64(nil), x...)
			f.row(got)
			f.one(want)
			for i := range got {
				if relative(got[i], want[i]) > f.tol {
					t.Errorf("%s: row of %d: element %d of %v is %v; want %v", f.name, n, i, x[i], got[i], want[i])
				}
			}
		}
	}
}

func eachOf(f func(float64) float64) func([]float64) {
	return func(w []float64) {
		for i, x := range w {
			w[i] = f(x)
		}
	}
}
