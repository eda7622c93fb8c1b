//go:build linux && !purego

package kernels

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

// fusedISA is the fused kernels of an instruction set and the flags of
// /proc/cpuinfo that it needs.
type fusedISA struct {
	name  string
	flags []string
	f32   *fused[float32]
	f64   *fused[float64]
}

var fusedISAs = []fusedISA{
	{"avx2", []string{"avx2", "fma"}, &fusedAVX2F32, &fusedAVX2F64},
	{"avx512", []string{"avx512f", "avx512bw", "avx512dq", "avx512vl"}, &fusedAVX512F32, &fusedAVX512F64},
}

// missing is the first flag that this machine does not have.
func (s fusedISA) missing() string {
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

// Every kernel of rows does what its loop does, at every length and alignment,
// and touches nothing beside its rows.
func TestFusedRows(t *testing.T) {
	forEachFused(t, func(t *testing.T, s fusedISA) {
		t.Run("float32", func(t *testing.T) { testFusedRows(t, s.f32) })
		t.Run("float64", func(t *testing.T) { testFusedRows(t, s.f64) })
	})
}

// forEachFused runs a test on every instruction set that the processor has; one that
// SEGLOSS_REQUIRE names must be there.
func forEachFused(t *testing.T, test func(t *testing.T, s fusedISA)) {
	for _, s := range fusedISAs {
		t.Run(s.name, func(t *testing.T) {
			SkipAssembly(t)
			if flag := s.missing(); flag != "" {
				if strings.Contains(os.Getenv("SEGLOSS_REQUIRE"), s.name) {
					t.Fatalf("the processor lacks %s", flag)
				}
				t.Skipf("the processor lacks %s", flag)
			}
			test(t, s)
		})
	}
}

// rowTest is the memory and the random numbers of a test of row kernels.
type rowTest[T Float] struct {
	*testing.T
	rnd          *rand.Rand
	out, x, r, y fenced
	ahead        ahead // of nothing: what is asked for there need not exist
}

const longestRow = 2500

func testFusedRows[T Float](t *testing.T, f *fused[T]) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	what := ""
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", what, r)
		}
	}()
	test := rowTest[T]{t, rand.New(rand.NewPCG(1, 2)), newFenced(t, 8*longestRow), newFenced(t, 8*longestRow), newFenced(t, 8*longestRow), newFenced(t, longestRow), ahead{}}
	for _, a := range []Activation{None, Sigmoid} {
		for s := range numSets {
			for _, labels := range []bool{true, false} {
				for n := range 134 {
					if n > 130 {
						n = []int{512, 1100, longestRow}[n-131]
					}
					for _, gamma := range gammas(s, n) {
						what = fmt.Sprintf("%v set %d labels %v n %d gamma %v", a, s, labels, n, gamma)
						row := test.random(a, s, n, gamma)
						if hasRow(a, s, false) {
							test.forward(what, f, row, labels, n%3 != 0)
						}
						if hasRow(a, s, true) {
							test.backward(what, f, row, labels, n%3 != 0)
						}
					}
				}
			}
		}
	}
}

// hasRow reports whether there is such a kernel: setOverlap is forward alone,
// without an activation.
func hasRow(a Activation, s set, backward bool) bool {
	return s != setOverlap || a == None && !backward
}

// gammas are the exponents to try at a length.
func gammas(s set, n int) []float64 {
	switch s {
	case setPowers, setOnlyPowers:
		return []float64{float64(n%9) / 2}
	case setAnyPower, setOnlyAnyPower:
		return []float64{[]float64{0.3, 1.7, 3.3, 6, 0}[n%5]}
	}
	return []float64{0}
}

// fusedRow is the arguments of a row kernel.
type fusedRow[T Float] struct {
	a           Activation
	s           set
	x, r        []T
	y           []uint8
	class       uint8
	k, backward [numFactors]T
}

// ordinary are the elements to meet here and there, at edges of what kernels
// must do.
var ordinary = [2][]float64{
	None:    {0, 1, 1e-7, 1 - 1e-7, 1e-8, 1 - 6e-8, 0x1p-24, 2e-7, -0.5, 1.5, 0.5, 0.75, 1e-30, -3, 4, 1e-7 * (1 + 0x1p-20)},
	Sigmoid: {0, math.Copysign(0, -1), 80, -80, 79.5, -60, 40, 1e-20, -1e-3, 17, -17, 1e-40},
}

func (t *rowTest[T]) random(a Activation, s set, n int, gamma float64) (row fusedRow[T]) {
	row.a, row.s, row.class = a, s, uint8(t.rnd.IntN(4))
	for range n {
		x := t.rnd.Float64()
		if a == Sigmoid {
			x = 6 * t.rnd.NormFloat64()
		}
		if t.rnd.IntN(8) == 0 {
			x = ordinary[a][t.rnd.IntN(len(ordinary[a]))]
		}
		row.x = append(row.x, T(x))
		row.r = append(row.r, T(min(max(0, 3*t.rnd.Float64()-1), 1)))
		row.y = append(row.y, uint8(t.rnd.IntN(4)))
	}
	clip := T(1e-7)
	if float64(clip) < 1e-7 {
		clip = T(math.Nextafter32(float32(clip), 1))
	}
	row.k[factorClip], row.k[factorLnClip], row.k[factorLnRest] = clip, T(math.Log(1e-7)), T(math.Log1p(-1e-7))
	row.k[factorGamma], row.k[factorGamma2] = T(gamma), T(2*gamma)
	for i := range byGamma {
		row.backward[i] = T(t.rnd.NormFloat64())
	}
	row.backward[byGamma], row.backward[byGamma2], row.backward[byClip] = T(gamma), T(2*gamma), clip
	return row
}

// unit is the rounding of an element.
func unit[T Float]() float64 {
	var t T
	if unsafe.Sizeof(t) == 4 {
		return 0x1p-24
	}
	return 0x1p-53
}

// rowTolerance is how far a result made from x may be off, relative to the sum
// of absolute values: rounding in lanes, and what the logits' tolerance leaves to
// the functions. float64 has more of it.
func rowTolerance[T Float](a Activation, x T) float64 {
	units := float64(map32or64[T](40, 160))
	if a == Sigmoid {
		units += 4 * math.Abs(float64(x))
	}
	return units * unit[T]()
}

func (t *rowTest[T]) forward(what string, f *fused[T], row fusedRow[T], labels, atEnd bool) {
	t.Helper()
	x, r, y := fenceIn(t.x, row.x, atEnd), fenceIn(t.r, row.r, atEnd), fenceIn(t.y, row.y, atEnd)
	var got, want, bounds [numSums]float64
	target, ok := row.r, false
	if labels {
		target = oneHotRow[T](row.y, row.class)
		ok = f.rows[row.a].forwardY[row.s](&got, x, y, row.class, &row.k, &t.ahead)
	} else {
		ok = f.rows[row.a].forward[row.s](&got, x, r, &row.k, &t.ahead)
	}
	if !ok {
		t.Fatalf("forward %s declines", what)
	}
	for i := range row.x {
		var one [numSums]float64
		forwardLoop(row.a, row.s, &one, row.x[i:i+1], target[i:i+1], &row.k, labels)
		for j, v := range one {
			want[j] += v
			bounds[j] += rowTolerance(row.a, row.x[i]) * math.Abs(v)
		}
	}
	for j := range want {
		if bound := bounds[j] + 0x1p-120; !(math.Abs(got[j]-want[j]) <= bound) {
			t.Fatalf("forward %s: sum %d is %v; want %v ± %v", what, j, got[j], want[j], bound)
		}
	}
}

func (t *rowTest[T]) backward(what string, f *fused[T], row fusedRow[T], labels, atEnd bool) {
	t.Helper()
	n := len(row.x)
	stream := atEnd && n*int(unsafe.Sizeof(T(0)))%64 == 0
	x, r, y, out := fenceIn(t.x, row.x, atEnd), fenceIn(t.r, row.r, atEnd), fenceIn(t.y, row.y, atEnd), fenceIn(t.out, row.x, atEnd)
	target, ok := row.r, false
	if labels {
		target = oneHotRow[T](row.y, row.class)
		ok = f.rows[row.a].backwardY[row.s](out, x, y, row.class, &row.backward, &t.ahead, stream)
	} else {
		ok = f.rows[row.a].backward[row.s](out, x, r, &row.backward, &t.ahead, stream)
	}
	if !ok {
		t.Fatalf("backward %s declines", what)
	}
	if !t.out.untouched(n*int(unsafe.Sizeof(T(0))), atEnd) {
		t.Fatalf("backward %s writes beside its row", what)
	}
	size := make([]float64, n)
	part, want := make([]T, n), make([]T, n)
	for i := range byGamma {
		k := row.backward
		clear(k[:byGamma])
		k[i] = row.backward[i]
		backwardLoop(row.a, row.s, part, row.x, target, &k)
		for j, v := range part {
			size[j] += math.Abs(float64(v))
		}
	}
	backwardLoop(row.a, row.s, want, row.x, target, &row.backward)
	for i, v := range want {
		if bound := rowTolerance(row.a, row.x[i])*size[i] + 0x1p-120; !(math.Abs(float64(out[i])-float64(v)) <= bound) {
			t.Fatalf("backward %s: x[%d] = %v, target %v: %v; want %v ± %v", what, i, row.x[i], target[i], out[i], v, bound)
		}
	}
}

// Kernels with logits decline what is too large for them, wherever it stands.
func TestFusedRowsDecline(t *testing.T) {
	for _, s := range fusedISAs {
		if s.missing() == "" {
			t.Run(s.name+"/float32", func(t *testing.T) { testDecline(t, s.f32) })
			t.Run(s.name+"/float64", func(t *testing.T) { testDecline(t, s.f64) })
		}
	}
}

func testDecline[T Float](t *testing.T, f *fused[T]) {
	limit := float64(logitLimit[T](Sigmoid))
	odd := []float64{limit + 0.5, -limit - 0.5, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(math.NaN(), -1)}
	rows := f.rows[Sigmoid]
	for s := range numSets {
		for n := 1; hasRow(Sigmoid, s, false) && n < 70; n++ {
			x, r, y, out := make([]T, n), make([]T, n), make([]uint8, n), make([]T, n)
			x[n/2] = T(odd[n%len(odd)])
			var acc [numSums]float64
			k := [numFactors]T{byIn: 1}
			for i, ok := range []bool{
				rows.forwardY[s](&acc, x, y, 1, &k, &ahead{}), rows.forward[s](&acc, x, r, &k, &ahead{}),
				rows.backwardY[s](out, x, y, 1, &k, &ahead{}, false), rows.backward[s](out, x, r, &k, &ahead{}, false),
			} {
				if ok {
					t.Errorf("set %d, n = %d, kernel %d takes %v", s, n, i, x[n/2])
				}
			}
		}
	}
}
