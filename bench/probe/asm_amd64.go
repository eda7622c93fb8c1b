//go:build !purego

package probe

import "github.com/klauspost/cpuid/v2"

// assembly lists the instruction sets that processor and system have.
func assembly() (all []Implementation) {
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		all = append(all, avx2)
	}
	if cpuid.CPU.Supports(cpuid.AVX512F) {
		all = append(all, avx512)
	}
	return all
}

var avx2 = Implementation{
	Name: "avx2", Asm: true, block: 64,
	loops: [Patterns]loop{read1AVX2, read2AVX2, r1w1AVX2, r1w1ntAVX2, r2w1AVX2, r2w1ntAVX2, w1AVX2, w1ntAVX2},
}

var avx512 = Implementation{
	Name: "avx512", Asm: true, block: 128,
	loops: [Patterns]loop{read1AVX512, read2AVX512, r1w1AVX512, r1w1ntAVX512, r2w1AVX512, r2w1ntAVX512, w1AVX512, w1ntAVX512},
}

// Each of these covers the whole blocks of len(a) elements, 64 with AVX2 and
// 128 with AVX-512, and touches nothing beyond them. The streaming ones need o
// at a multiple of the vector's size.

//go:noescape
func read1AVX2(o, a, b []float32) float32

//go:noescape
func read2AVX2(o, a, b []float32) float32

//go:noescape
func r1w1AVX2(o, a, b []float32) float32

//go:noescape
func r1w1ntAVX2(o, a, b []float32) float32

//go:noescape
func r2w1AVX2(o, a, b []float32) float32

//go:noescape
func r2w1ntAVX2(o, a, b []float32) float32

//go:noescape
func read1AVX512(o, a, b []float32) float32

//go:noescape
func read2AVX512(o, a, b []float32) float32

//go:noescape
func r1w1AVX512(o, a, b []float32) float32

//go:noescape
func r1w1ntAVX512(o, a, b []float32) float32

//go:noescape
func r2w1AVX512(o, a, b []float32) float32

//go:noescape
func r2w1ntAVX512(o, a, b []float32) float32

//go:noescape
func w1AVX2(o, a, b []float32) float32

//go:noescape
func w1ntAVX2(o, a, b []float32) float32

//go:noescape
func w1AVX512(o, a, b []float32) float32

//go:noescape
func w1ntAVX512(o, a, b []float32) float32
