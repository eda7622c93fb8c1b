//go:build linux && !purego

package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// BenchmarkFusedRows times each kernel of rows on data that stays in the second
// level of the cache.
func BenchmarkFusedRows(b *testing.B) {
	for _, s := range fusedISAs {
		if s.missing() == "" {
			benchFusedRows(b, s.name, "float32", s.f32)
			benchFusedRows(b, s.name, "float64", s.f64)
		}
	}
}

// fusedSetNames are the sets' names in benchmarks.
var fusedSetNames = [numSets]string{"overlap", "region", "square", "logs", "powers", "any-power", "only-logs", "only-powers", "only-any-power"}

func benchFusedRows[T Float](b *testing.B, isa, elem string, f *fused[T]) {
	const n = 32 << 10
	rnd := rand.New(rand.NewPCG(3, 4))
	out, x, r, y := newFenced(b, 8*n), make([]T, n), make([]T, n), make([]uint8, n)
	dx := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(out))), n)
	for i := range x {
		x[i], y[i] = T(rnd.Float64()), uint8(rnd.IntN(4))
		if y[i] == 1 {
			r[i] = 1
		}
	}
	var acc [numSums]float64
	next := ahead{address(x), address(r)}
	k := [numFactors]T{factorClip: 1e-7, factorLnClip: -16, factorLnRest: -1e-7, factorGamma: 2, factorGamma2: 4}
	by := [numFactors]T{byIn: 1, byOut: 2, byLogP: 1, byLogQ: 1, byPos: 1, byNeg: 1, byGamma: 2, byGamma2: 4, byClip: 1e-7}
	run := func(name string, a Activation, target string, bytes int, kernel func() bool) {
		b.Run(fmt.Sprintf("kernel=%s/isa=%s/type=%s/target=%s", name, isa, elem, target), func(b *testing.B) {
			b.SetBytes(int64(n * bytes))
			for b.Loop() {
				if !kernel() {
					b.Fatal("declined")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
		})
	}
	size := int(unsafe.Sizeof(T(0)))
	for _, a := range []Activation{None, Sigmoid} {
		rows := f.rows[a]
		for s := range numSets {
			name := fmt.Sprintf("%v-%s", a, fusedSetNames[s])
			if !hasRow(a, s, false) {
				continue
			}
			run(name+"-forward", a, "labels", size+1, func() bool { return rows.forwardY[s](&acc, x, y, 1, &k, &next) })
			run(name+"-forward", a, "dense", 2*size, func() bool { return rows.forward[s](&acc, x, r, &k, &next) })
			if !hasRow(a, s, true) {
				continue
			}
			run(name+"-backward", a, "labels", 2*size+1, func() bool { return rows.backwardY[s](dx, x, y, 1, &by, &next, false) })
			run(name+"-backward", a, "dense", 3*size, func() bool { return rows.backward[s](dx, x, r, &by, &next, false) })
		}
	}
}
