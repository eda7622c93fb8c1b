//go:build linux && !purego

package kernels_test

import (
	"flag"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var sweepStride = flag.Uint64("sweep.stride", 4099, "of how many float32 numbers one is tried in the functions in float32 lanes; 1 tries all 2³²")

// laneFunction is a function of the lanes with what holds it to its bounds.
type laneFunction struct {
	name  string
	f32   func(k *kernels.Lanes[float32]) func(y, x []float32)
	f64   func(k *kernels.Lanes[float64]) func(y, x []float64)
	near  func(x float64) float64    // right to a few units of the last place of a float64
	exact func(x float64) *big.Float // for finite results that are not 0
	most  float64                    // units of the last place
}

var laneFunctions = []laneFunction{
	{"exp", func(k *kernels.Lanes[float32]) func(y, x []float32) { return k.Exp }, func(k *kernels.Lanes[float64]) func(y, x []float64) { return k.Exp },
		math.Exp, func(x float64) *big.Float { return bigExp(newBig(x)) }, 2},
	{"log", func(k *kernels.Lanes[float32]) func(y, x []float32) { return k.Log }, func(k *kernels.Lanes[float64]) func(y, x []float64) { return k.Log },
		naturalLog, func(x float64) *big.Float { return bigLog(newBig(x), naturalLog(x)) }, 2},
	{"log1p", func(k *kernels.Lanes[float32]) func(y, x []float32) { return k.Log1p }, func(k *kernels.Lanes[float64]) func(y, x []float64) { return k.Log1p },
		math.Log1p, bigLog1p, 2},
	{"sigmoid", func(k *kernels.Lanes[float32]) func(y, x []float32) { return k.Sigmoid }, func(k *kernels.Lanes[float64]) func(y, x []float64) { return k.Sigmoid },
		nearSigmoid, bigSigmoid, 3},
	{"softplus", func(k *kernels.Lanes[float32]) func(y, x []float32) { return k.Softplus }, func(k *kernels.Lanes[float64]) func(y, x []float64) { return k.Softplus },
		nearSoftplus, bigSoftplus, 3},
}

func nearSigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x) // which may be subnormal, but never too small for the reciprocal
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

func nearSoftplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func bigSigmoid(x float64) *big.Float {
	e := bigExp(newBig(-x))
	return prec().Quo(newBig(1), e.Add(e, newBig(1)))
}

// bigSoftplus adds a small exponential to 1 by the series.
func bigSoftplus(x float64) *big.Float {
	e := bigExp(newBig(-math.Abs(x)))
	var l *big.Float
	if math.Abs(x) > 45 {
		l = log1pSeries(e)
	} else {
		l = bigLog(e.Add(e, newBig(1)), nearSoftplus(-math.Abs(x)))
	}
	return l.Add(l, newBig(math.Max(x, 0)))
}

// worst is the largest error among the inputs of a function.
type worst struct {
	ulps  float64
	at    float32
	got   float32
	above int // inputs beyond the bound
}

// Every function in float32 lanes is right to its bound: at all 2³² inputs with
// -sweep.stride=1 (`make sweep`).
func TestLanesFloat32(t *testing.T) {
	names, isas := lanesOf(t, &kernels.LanesAVX2F32, &kernels.LanesAVX512F32)
	stride := *sweepStride
	if testing.Short() {
		stride *= 16
	}
	inputs := (1<<32 + stride - 1) / stride
	for _, f := range laneFunctions {
		t.Run(f.name, func(t *testing.T) {
			for i, w := range f.sweep(isas, stride, inputs) {
				f.report(t, names[i], &w, inputs)
			}
		})
	}
}

// lanesOf picks those of the instruction sets that the machine has.
func lanesOf[T kernels.Float](t *testing.T, avx2, avx512 *kernels.Lanes[T]) (names []string, all []*kernels.Lanes[T]) {
	forEachISA(t, func(t *testing.T, k *kernels.Primitives[float32], _ *kernels.Primitives[float64]) {
		if k == &kernels.PrimitivesAVX2F32 {
			names, all = append(names, "avx2"), append(all, avx2)
		} else {
			names, all = append(names, "avx512"), append(all, avx512)
		}
	})
	return names, all
}

// sweep returns the largest error of each instruction set. A reference in float64
// says which that is.
func (f *laneFunction) sweep(isas []*kernels.Lanes[float32], stride, inputs uint64) []worst {
	const block = 1 << 14
	all := make([]worst, len(isas))
	var lock sync.Mutex
	parallel(int((inputs+block-1)/block), func(b int) {
		first := uint64(b) * block
		n := int(min(block, inputs-first))
		x, y, want := make([]float32, n), make([]float32, n), make([]float64, n)
		for i := range x {
			x[i] = math.Float32frombits(uint32((first + uint64(i)) * stride))
			want[i] = f.near(float64(x[i]))
		}
		for k, isa := range isas {
			f.f32(isa)(y, x)
			w := worst{ulps: -1}
			for i, v := range y {
				u := ulps32(v, want[i])
				if !(u <= f.most) {
					w.above++
				}
				if !(u <= w.ulps) {
					w.ulps, w.at, w.got = u, x[i], v
				}
			}
			lock.Lock()
			if w.above += all[k].above; w.ulps < all[k].ulps {
				w.ulps, w.at, w.got = all[k].ulps, all[k].at, all[k].got
			}
			all[k] = w
			lock.Unlock()
		}
	})
	return all
}

// ulps32 is the distance of got from want in units of want's last place as a
// float32, infinite where only one of them is a number. What is beyond the largest
// float32 by half a unit may be infinite.
func ulps32(got float32, want float64) float64 {
	g := float64(got)
	switch {
	case math.IsNaN(want) || math.IsInf(want, 0):
		if g == want || g != g && want != want {
			return 0
		}
		return math.Inf(1)
	case math.IsInf(g, 0) && float32(want) == got:
		return 0
	case math.IsInf(g, 0):
		g = math.Copysign(0x1p128, g)
	}
	_, exponent := math.Frexp(want)
	return math.Abs(g-want) * math.Ldexp(1, -max(exponent-24, -149))
}

// report gives the largest error by the exact function, where that has a number
// that a float32 can hold.
func (f *laneFunction) report(t *testing.T, isa string, w *worst, inputs uint64) {
	t.Helper()
	error := w.ulps
	if x := float64(w.at); f.finite(x) {
		error = bigUlps(float64(w.got), f.exact(x), 24, -149)
	}
	t.Logf("%s: largest error %.4f ulp, at %v (0x%08x); %d inputs", isa, error, w.at, math.Float32bits(w.at), inputs)
	if w.above > 0 || !(error <= f.most) {
		t.Errorf("%s: %d inputs beyond %v ulp: at %v (0x%08x) got %v, an error of %.4f ulp", isa, w.above, f.most, w.at, math.Float32bits(w.at), w.got, error)
	}
}

// finite says that the exact function has a number for x.
func (f *laneFunction) finite(x float64) bool {
	want := f.near(x)
	return want != 0 && math.Abs(want) <= math.MaxFloat32 && math.Abs(x) <= math.MaxFloat32
}

// At the edges the functions in lanes give what they should to the bit, the sign
// of a zero included.
func TestLanesEdges(t *testing.T) {
	names32, isas32 := lanesOf(t, &kernels.LanesAVX2F32, &kernels.LanesAVX512F32)
	_, isas64 := lanesOf(t, &kernels.LanesAVX2F64, &kernels.LanesAVX512F64)
	inf, nan, zero := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	edges := map[string]map[float64]float64{ // NaN is asked for by itself
		"exp":      {inf: inf, -inf: 0, 0: 1, 1000: inf, -1000: 0},
		"log":      {inf: inf, -inf: nan, 0: -inf, 1: 0, -1: nan},
		"log1p":    {inf: inf, -inf: nan, 0: 0, -1: -inf, -2: nan},
		"sigmoid":  {inf: 1, -inf: 0, 0: 0.5, 1000: 1, -1000: 0},
		"softplus": {inf: inf, -inf: 0, 1000: 1000, -1000: 0},
	}
	for i, isa := range names32 {
		for _, f := range laneFunctions {
			x, want := []float64{nan, zero}, []float64{nan, f.near(zero)}
			for _, at := range slices.Sorted(maps.Keys(edges[f.name])) {
				x, want = append(x, at), append(want, edges[f.name][at])
			}
			checkEdges(t, isa+" "+f.name+" float32", f.f32(isas32[i]), x, want)
			checkEdges(t, isa+" "+f.name+" float64", f.f64(isas64[i]), x, want)
		}
	}
}

func checkEdges[T kernels.Float](t *testing.T, name string, f func(y, x []T), x, want []float64) {
	in, out := make([]T, len(x)), make([]T, len(x))
	for i, v := range x {
		in[i] = T(v)
	}
	f(out, in)
	for i, v := range out {
		got := float64(v)
		near := got == float64(T(want[i])) && math.Signbit(got) == math.Signbit(want[i])
		if !near && !(math.IsNaN(got) && math.IsNaN(want[i])) {
			t.Errorf("%s of %v is %v, want %v", name, x[i], got, want[i])
		}
	}
}

// A row gives the same bits for an element at every place of rows of every length,
// and leaves alone what lies beside it.
func TestLanesLengths(t *testing.T) {
	names, isas := lanesOf(t, &kernels.LanesAVX2F32, &kernels.LanesAVX512F32)
	for i, isa := range isas {
		for _, f := range laneFunctions {
			checkLengths(t, names[i]+" "+f.name+" float32", f.f32(isa))
		}
	}
	names, isas64 := lanesOf(t, &kernels.LanesAVX2F64, &kernels.LanesAVX512F64)
	for i, isa := range isas64 {
		for _, f := range laneFunctions {
			checkLengths(t, names[i]+" "+f.name+" float64", f.f64(isa))
		}
	}
}

func checkLengths[T kernels.Float](t *testing.T, name string, f func(y, x []T)) {
	const longest, before = 130, 5
	g, h := newGuarded(t, 8*(longest+before)), newGuarded(t, 8*(longest+before))
	row := make([]T, longest)
	for i := range row {
		row[i] = T(i-longest/2) / 8
	}
	want := make([]T, longest)
	f(want, row)
	same := func(a, b T) bool { return a == b || a != a && b != b }
	for n := range longest + 1 {
		for _, atEnd := range []bool{true, false} {
			x := edge(g, row[:n], atEnd)
			y := edge(h, make([]T, n+before), atEnd)
			if atEnd {
				y = y[before:]
			}
			f(y[:n], x)
			for i := range n {
				if !same(y[i], want[i]) {
					t.Fatalf("%s of %d elements: y[%d] = %v, want %v", name, n, i, y[i], want[i])
				}
			}
			for i, v := range y[n:] {
				if v != 0 {
					t.Fatalf("%s of %d elements wrote %v at %d", name, n, v, n+i)
				}
			}
		}
	}
}

// The functions in float64 lanes are right to the same bounds.
func TestLanesFloat64(t *testing.T) {
	names, isas := lanesOf(t, &kernels.LanesAVX2F64, &kernels.LanesAVX512F64)
	between := func(a, b float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return a + (b-a)*r.Float64() }
	}
	scaled := func(sign, least, most float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 {
			return sign * math.Exp2(least+(most-least)*r.Float64()) * (1 + r.Float64())
		}
	}
	ranges := map[string]map[string]func(*rand.Rand) float64{
		"exp":      {"near 0": between(-1, 1), "to infinity": between(-707, 709), "to 0": between(-745, -707)},
		"log":      {"near 1": between(0.5, 2), "very near 1": between(0.999, 1.001), "any scale": scaled(1, -1074, 1023)},
		"log1p":    {"near 0": between(-0.5, 1), "down to -1": between(-1, 0), "any scale": scaled(1, -1074, 1023), "small": scaled(-1, -1074, -2)},
		"sigmoid":  {"near 0": between(-4, 4), "to 0 and 1": between(-700, 40)},
		"softplus": {"near 0": between(-4, 4), "to 0 and infinity": between(-700, 700)},
	}
	for i, isa := range isas {
		for _, f := range laneFunctions {
			for _, name := range slices.Sorted(maps.Keys(ranges[f.name])) {
				a := accuracyTest{point: ranges[f.name][name], exact: f.exact, most: f.most}
				a.row = func(w []float64) { f.f64(isa)(w, slices.Clone(w)) }
				t.Run(names[i]+", "+f.name+", "+name, a.check)
			}
		}
	}
}
