//go:build linux && !purego

package kernels_test

import (
	"flag"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var accuracyPoints = flag.Int("accuracy.points", 2000, "points at which the vector exp, log and log1p are held to math/big, in each range")

// bits is the precision of the references.
const bits = 320

func newBig(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }
func prec() *big.Float            { return new(big.Float).SetPrec(bits) }

// bigExp is eˣ: a Taylor series of x/2¹⁶, squared 16 times.
func bigExp(x *big.Float) *big.Float {
	const halvings = 16
	r := prec().SetMantExp(x, -halvings)
	sum, term := newBig(1), newBig(1)
	for k := 1; k < 60; k++ {
		term.Mul(term, r)
		term.Quo(term, newBig(float64(k)))
		if term.Sign() == 0 || term.MantExp(nil) < -bits {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog is ln x, from an approximate y: y + ln(1+d) with d = x e^−y − 1.
func bigLog(x *big.Float, y float64) *big.Float {
	d := prec().Mul(x, bigExp(newBig(-y)))
	d.Sub(d, newBig(1))
	return d.Add(log1pSeries(d), newBig(y))
}

// log1pSeries is ln(1+d) for a small d.
func log1pSeries(d *big.Float) *big.Float {
	sum, power := prec(), newBig(-1)
	for k := 1; k < 6; k++ {
		power.Mul(power, d)
		power.Neg(power)
		sum.Add(sum, prec().Quo(power, newBig(float64(k))))
	}
	return sum
}

func bigLog1p(x float64) *big.Float {
	if math.Abs(x) < 0x1p-60 {
		return log1pSeries(newBig(x))
	}
	return bigLog(prec().Add(newBig(1), newBig(x)), math.Log1p(x))
}

// ulps is the distance of got from want in units of want's last place.
func ulps(got float64, want *big.Float) float64 { return bigUlps(got, want, 53, -1074) }

// bigUlps is the same with numbers of that many bits, the least of them 2^least.
func bigUlps(got float64, want *big.Float, bits, least int) float64 {
	d, _ := prec().Sub(newBig(got), want).Float64()
	return math.Ldexp(math.Abs(d), -max(want.MantExp(nil)-bits, least))
}

type accuracyTest struct {
	name  string
	row   func(w []float64)
	point func(r *rand.Rand) float64
	exact func(x float64) *big.Float
	most  float64 // in ulps
}

func accuracyTests(k *kernels.Primitives[float64]) []accuracyTest {
	exps := func(w []float64) { k.Exp(w, slices.Clone(w)) }
	anyExps := func(w []float64) { k.ExpPow(w, slices.Clone(w), 1) }
	logs := func(w []float64) { k.ClippedLogs(w, make([]float64, len(w)), slices.Clone(w), 0, math.Inf(-1), 0) }
	complements := func(w []float64) { k.ClippedLogs(make([]float64, len(w)), w, slices.Clone(w), 0, math.Inf(-1), 0) }
	odds := func(w []float64) {
		ones := make([]float64, len(w))
		for i := range ones {
			ones[i] = 1
		}
		k.OddsLogs(w, slices.Clone(w), ones)
	}
	between := func(a, b float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return a + (b-a)*r.Float64() }
	}
	anyScale := func(least, most float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return math.Exp2(least+(most-least)*r.Float64()) * (1 + r.Float64()) }
	}
	exp := func(x float64) *big.Float { return bigExp(newBig(x)) }
	log := func(x float64) *big.Float { return bigLog(newBig(x), naturalLog(x)) }
	minusLog1p := func(x float64) *big.Float { return prec().Neg(bigLog1p(x)) }
	complement := func(x float64) *big.Float {
		if x < 0x1p-60 {
			return log1pSeries(newBig(-x))
		}
		return bigLog(prec().Sub(newBig(1), newBig(x)), math.Log1p(-x))
	}
	return []accuracyTest{
		{"exp up to 300", exps, between(-300, 300), exp, 1.5},
		{"exp near 0", exps, between(-1, 1), exp, 1.5},
		{"exp, full range", anyExps, between(-707, 709), exp, 1.5},
		{"exp, subnormal", anyExps, between(-745, -707), exp, 1.5},
		{"log up to 1", logs, anyScale(-1074, -1), log, 2},
		{"log near 1", logs, between(0.5, 1), log, 2},
		{"log very near 1", logs, between(0.999, 1), log, 2},
		{"log of the complement", complements, between(0, 1), complement, 2},
		{"log of the complement near 1", complements, anyScale(-100, -2), complement, 2},
		{"log1p to 1", odds, between(0, 1), minusLog1p, 2},
		{"log1p to 10", odds, between(0, 10), minusLog1p, 2},
		{"log1p, large and small", odds, anyScale(-1074, 990), minusLog1p, 2},
	}
}

// exp, log and log1p are right to 2 units of the last place of a float64.
func TestPrimitiveAccuracy(t *testing.T) {
	forEachISA(t, func(t *testing.T, _ *kernels.Primitives[float32], f64 *kernels.Primitives[float64]) {
		for _, a := range accuracyTests(f64) {
			t.Run(a.name, func(t *testing.T) { a.check(t) })
		}
	})
}

// check holds the row to the exact function at random points.
func (a *accuracyTest) check(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	points := *accuracyPoints
	if testing.Short() {
		points /= 10
	}
	x := make([]float64, points)
	for i := range x {
		x[i] = a.point(rnd)
	}
	got := append([]float64(nil), x...)
	a.row(got)
	errors := make([]float64, points)
	parallel(points, func(i int) { errors[i] = ulps(got[i], a.exact(x[i])) })
	worst := 0
	for i, u := range errors {
		if !(u <= errors[worst]) {
			worst = i
		}
	}
	t.Logf("largest error %.3f ulp, at %v", errors[worst], x[worst])
	if !(errors[worst] <= a.most) {
		t.Errorf("error of %.3f ulp at %v; want at most %v", errors[worst], x[worst], a.most)
	}
}

// parallel runs f for 0 … n−1, on all processors.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		}()
	}
	wait.Wait()
}
