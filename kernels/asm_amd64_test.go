//go:build linux && !purego

package kernels_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// rows are the arguments of a primitive, and what it leaves in them.
type rows[T kernels.Float] struct {
	W, P, Q, LP, LQ, G, U []float64
	X, R, V, Out          []T
	Y                     []int32
	Acc                   [4]float64
	Ok                    bool

	C, N, Stride int // of the matrices that P, Q, G, U, X and Out may be
}

// primitiveTest is a primitive and the loop that it stands for.
type primitiveTest[T kernels.Float] struct {
	name      string
	asm, loop func(a *rows[T])
	tol       float64 // relative to the result, or
	floor     float64 // to this, for a result that cancels
}

type instructionSet struct {
	name  string
	flags []string // of /proc/cpuinfo
}

var instructionSets = []instructionSet{
	{"avx2", []string{"avx2", "fma"}},
	{"avx512", []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}},
}

// missing is the first flag that this machine does not have.
func (s instructionSet) missing() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	have := map[string]bool{}
	for _, f := range bytes.Fields(info) {
		have[string(f)] = true
	}
	for _, f := range s.flags {
		if !have[f] {
			return f
		}
	}
	return ""
}

// forEachISA runs a test on every instruction set that the machine has; one
// that SEGLOSS_REQUIRE names must be there.
func forEachISA(t *testing.T, test func(t *testing.T, f32 *kernels.Primitives[float32], f64 *kernels.Primitives[float64])) {
	for _, s := range instructionSets {
		t.Run(s.name, func(t *testing.T) {
			kernels.SkipAssembly(t)
			if flag := s.missing(); flag != "" {
				if strings.Contains(os.Getenv("SEGLOSS_REQUIRE"), s.name) {
					t.Fatalf("the processor lacks %s", flag)
				}
				t.Skipf("the processor lacks %s", flag)
			}
			if s.name == "avx2" {
				test(t, &kernels.PrimitivesAVX2F32, &kernels.PrimitivesAVX2F64)
			} else {
				test(t, &kernels.PrimitivesAVX512F32, &kernels.PrimitivesAVX512F64)
			}
		})
	}
}

// Every primitive is the loop of its documentation, at every length and several
// alignments, and touches nothing beside its rows.
func TestPrimitives(t *testing.T) {
	forEachISA(t, func(t *testing.T, f32 *kernels.Primitives[float32], f64 *kernels.Primitives[float64]) {
		t.Run("float32", func(t *testing.T) { testPrimitives(t, append(rowTests(f32, 1e-9), pointwiseTests(f32, 1e-9)...)) })
		t.Run("float64", func(t *testing.T) { testPrimitives(t, append(rowTests(f64, 2e-15), pointwiseTests(f64, 2e-15)...)) })
	})
}

func testPrimitives[T kernels.Float](t *testing.T, tests []primitiveTest[T]) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	mem := newRowMemory[T](t)
	rnd := rand.New(rand.NewPCG(5, 6))
	what := ""
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", what, r)
		}
	}()
	for n := range 131 {
		for _, withSpecial := range []bool{false, true} {
			a := randomRows[T](rnd, n, withSpecial)
			for i, p := range tests {
				what = fmt.Sprintf("%s, n = %d, special %v", p.name, n, withSpecial)
				got, want := mem.place(a, (n+i)%3 != 0), a.clone()
				p.asm(got)
				p.loop(want)
				if diff := got.differs(want, p.tol, p.floor); diff != "" {
					t.Fatalf("%s: %s", what, diff)
				}
			}
		}
	}
}

// special are values at which a primitive may have to take care.
var special = []float64{0, 1, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1e-300, 5e-324, 250, 0.5}

// randomRows are plausible arguments: probabilities, their logarithms, logits,
// targets with many zeros and ones; with special values here and there if asked.
func randomRows[T kernels.Float](rnd *rand.Rand, n int, withSpecial bool) *rows[T] {
	a := &rows[T]{}
	for _, m := range []*[]float64{&a.W, &a.P, &a.Q, &a.LP, &a.LQ, &a.G, &a.U} {
		*m = make([]float64, n)
	}
	for _, m := range []*[]T{&a.X, &a.R, &a.V, &a.Out} {
		*m = make([]T, n)
	}
	a.Y = make([]int32, n)
	odd := func(v float64) float64 {
		if withSpecial && rnd.IntN(20) == 0 {
			return special[rnd.IntN(len(special))]
		}
		return v
	}
	for i := range n {
		p := rnd.Float64()
		a.P[i], a.Q[i] = odd(p), odd(1-p)
		a.LP[i], a.LQ[i] = math.Log(a.P[i]), math.Log(a.Q[i])
		a.W[i], a.G[i], a.U[i] = odd(10*rnd.Float64()), odd(rnd.NormFloat64()), odd(rnd.NormFloat64())
		a.X[i], a.R[i], a.V[i] = T(odd(5*rnd.NormFloat64())), T(min(max(0, odd(3*rnd.Float64()-1)), 1)), T(3*rnd.Float64())
		a.Y[i] = rnd.Int32N(4)
	}
	for i := range a.Acc {
		a.Acc[i] = rnd.Float64()
	}
	return a
}

func (a *rows[T]) clone() *rows[T] {
	b := *a
	eachRow(&b, func(_ string, m reflect.Value) { m.Set(reflect.AppendSlice(reflect.Zero(m.Type()), m)) })
	return &b
}

// eachRow visits the slices of a.
func eachRow[T kernels.Float](a *rows[T], f func(name string, m reflect.Value)) {
	v := reflect.ValueOf(a).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Slice {
			f(v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// rowMemory has room for every row between pages that may not be touched.
type rowMemory[T kernels.Float] map[string]guarded

func newRowMemory[T kernels.Float](t *testing.T) rowMemory[T] {
	m := rowMemory[T]{}
	eachRow(&rows[T]{}, func(name string, _ reflect.Value) { m[name] = newGuarded(t, 2*5*133*8) })
	return m
}

// place copies a to the end of the memory, or to its start.
func (m rowMemory[T]) place(a *rows[T], atEnd bool) *rows[T] {
	b := *a
	eachRow(&b, func(name string, v reflect.Value) {
		switch x := v.Interface().(type) {
		case []float64:
			v.Set(reflect.ValueOf(edge(m[name], x, atEnd)))
		case []float32:
			v.Set(reflect.ValueOf(edge(m[name], x, atEnd)))
		case []int32:
			v.Set(reflect.ValueOf(edge(m[name], x, atEnd)))
		}
	})
	return &b
}

// differs says where a is not b, to a relative error of tol; the elements of the
// tensor's type are held to their own rounding too.
func (a *rows[T]) differs(b *rows[T], tol, floor float64) (diff string) {
	if a.Ok != b.Ok {
		return fmt.Sprintf("returns %v; want %v", a.Ok, b.Ok)
	}
	for i, want := range b.Acc {
		if got := a.Acc[i]; !near(got, want, max(tol, 1e-12), 0) {
			return fmt.Sprintf("sum %d is %v; want %v", i, got, want)
		}
	}
	va := reflect.ValueOf(a).Elem()
	eachRow(b, func(name string, m reflect.Value) {
		if diff != "" {
			return
		}
		i := -1
		switch got := va.FieldByName(name).Interface().(type) {
		case []float64:
			i = firstFar(got, m.Interface().([]float64), tol, floor)
		case []float32:
			i = firstFar(got, m.Interface().([]float32), tol+6e-8, floor)
		}
		if i >= 0 {
			diff = fmt.Sprintf("%s[%d] is %v; want %v", name, i, va.FieldByName(name).Index(i), m.Index(i))
		}
	})
	return diff
}

// firstFar is the first index at which got is not near want, or −1.
func firstFar[E kernels.Float](got, want []E, tol, floor float64) int {
	for i, w := range want {
		if !near(float64(got[i]), float64(w), tol, floor) {
			return i
		}
	}
	return -1
}

func near(got, want, tol, floor float64) bool {
	return got == want || got != got && want != want ||
		math.Abs(got-want) <= tol*max(math.Abs(want), floor, 1e-300) && !math.IsInf(want, 0)
}

func rowTests[T kernels.Float](k *kernels.Primitives[T], tol float64) []primitiveTest[T] {
	// The sums of a row; Inf and NaN as they come.
	sums := func(a *rows[T], f func(i int, acc *[4]float64)) {
		for i := range a.P {
			f(i, &a.Acc)
		}
	}
	return []primitiveTest[T]{
		{"exp", func(a *rows[T]) {
			if a.Ok = k.Exp(a.W, a.X); !a.Ok {
				clear(a.W)
			}
		}, func(a *rows[T]) {
			a.Ok = true
			for i, x := range a.X {
				a.Ok = a.Ok && math.Abs(float64(x)) <= 300
				a.W[i] = math.Exp(float64(x))
			}
			if !a.Ok {
				clear(a.W)
			}
		}, tol, 0},
		{"counts", func(a *rows[T]) { k.Counts((*[3]float64)(a.Acc[:]), a.R) }, func(a *rows[T]) {
			sums(a, func(i int, acc *[4]float64) {
				t := float64(a.R[i])
				acc[0] += t
				acc[1] += 1 - t
				acc[2] += t * t
			})
		}, 0, 0},
		{"countsV", func(a *rows[T]) { k.CountsV((*[3]float64)(a.Acc[:]), a.R, a.V) }, func(a *rows[T]) {
			sums(a, func(i int, acc *[4]float64) {
				w, t := float64(a.V[i]), float64(a.R[i])
				acc[0] += w * t
				acc[1] += w * (1 - t)
				acc[2] += w * t * t
			})
		}, 0, 0},
		{"region", func(a *rows[T]) { k.Region(&a.Acc, a.P, a.Q, a.R) }, func(a *rows[T]) {
			sums(a, func(i int, acc *[4]float64) { addRegion(acc, a.P[i], a.Q[i], float64(a.R[i]), 1) })
		}, 0, 0},
		{"regionV", func(a *rows[T]) { k.RegionV(&a.Acc, a.P, a.Q, a.R, a.V) }, func(a *rows[T]) {
			sums(a, func(i int, acc *[4]float64) { addRegion(acc, a.P[i], a.Q[i], float64(a.R[i]), float64(a.V[i])) })
		}, 0, 0},
		{"regionYRow", func(a *rows[T]) { k.RegionYRow(&a.Acc, a.P, a.Q, a.Y, 2) }, func(a *rows[T]) {
			sums(a, func(i int, acc *[4]float64) {
				if a.Y[i] == 2 {
					acc[0] += a.P[i]
					acc[2] += a.Q[i]
				} else {
					acc[1] += a.P[i]
					acc[3] += a.Q[i]
				}
			})
		}, 0, 0},
		{"regionGrad", func(a *rows[T]) { k.RegionGrad(a.G, a.R, 0.3, 0.7) }, each(func(a *rows[T], i int) {
			t := float64(a.R[i])
			a.G[i] = math.FMA(0.7, 1-t, math.FMA(0.3, t, a.G[i]))
		}), 0, 0},
		{"probabilities", func(a *rows[T]) { k.Probabilities(a.P, a.Q, a.X) }, each(func(a *rows[T], i int) {
			a.P[i], a.Q[i] = float64(a.X[i]), 1-float64(a.X[i])
		}), 0, 0},
		{"chain", func(a *rows[T]) { k.Chain(a.Out, a.G) }, each(func(a *rows[T], i int) { a.Out[i] = T(a.G[i]) }), 0, 0},
		{"chainU", func(a *rows[T]) { k.ChainU(a.Out, a.G, a.U, a.P, 0.1) }, each(func(a *rows[T], i int) {
			d, p := a.G[i], a.P[i]
			if !(p < 0.1 || 1-p < 0.1) {
				d += a.U[i] / (p * (1 - p))
			}
			a.Out[i] = T(d)
		}), 1e-15, 0},
		{"sigmoidChain", func(a *rows[T]) { k.SigmoidChain(a.Out, a.G, a.P, a.Q) }, each(func(a *rows[T], i int) {
			a.Out[i] = T(a.G[i] * a.P[i] * a.Q[i])
		}), 1e-15, 0},
		{"sigmoidChainU", func(a *rows[T]) { k.SigmoidChainU(a.Out, a.G, a.P, a.Q, a.U) }, each(func(a *rows[T], i int) {
			a.Out[i] = T(math.FMA(a.G[i]*a.P[i], a.Q[i], a.U[i]))
		}), 1e-15, 0},
		{"sigmoid", func(a *rows[T]) { k.Sigmoid(a.P, a.Q, a.X) }, each(func(a *rows[T], i int) {
			a.P[i], a.Q[i], _, _ = sigmoidOf(float64(a.X[i]))
		}), tol, 0},
		{"sigmoidLogs", func(a *rows[T]) { k.SigmoidLogs(a.P, a.Q, a.LP, a.LQ, a.X) }, each(func(a *rows[T], i int) {
			a.P[i], a.Q[i], a.LP[i], a.LQ[i] = sigmoidOf(float64(a.X[i]))
		}), tol, 0},
	}
}

// each is a loop over the positions of the rows.
func each[T kernels.Float](f func(a *rows[T], i int)) func(*rows[T]) {
	return func(a *rows[T]) {
		for i := range a.P {
			f(a, i)
		}
	}
}

// naturalLog is math.Log, which on amd64 is wrong for subnormal numbers.
func naturalLog(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

func addRegion(acc *[4]float64, p, q, r, v float64) {
	acc[0] += p * (v * r)
	acc[1] += p * (v * (1 - r))
	acc[2] += q * (v * r)
	acc[3] += q * (v * (1 - r))
}

func sigmoidOf(x float64) (p, q, lp, lq float64) {
	e := math.Exp(math.Copysign(x, -1))
	l := math.Log1p(e)
	p, q, lp, lq = 1/(1+e), e/(1+e), -l, math.Copysign(x, -1)-l
	if math.Signbit(x) {
		return q, p, lq, lp
	}
	return p, q, lp, lq
}
