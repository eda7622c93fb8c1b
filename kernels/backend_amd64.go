//go:build !purego

package kernels

import (
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// assembly lists the instruction sets.
func assembly() []implementation {
	has := cpuid.CPU.Has // only where the operating system keeps the registers
	return []implementation{
		onProcessor("avx2",
			tables[float32]{newTable(&avx2F32), &fusedAVX2F32}, tables[float64]{newTable(&avx2F64), &fusedAVX2F64}, has,
			cpuid.AVX2, cpuid.FMA3),
		onProcessor("avx512",
			tables[float32]{newTable(&avx512F32), &fusedAVX512F32}, tables[float64]{newTable(&avx512F64), &fusedAVX512F64}, has,
			cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL),
	}
}

// onProcessor is an instruction set that needs features of the processor.
func onProcessor(name string, f32 tables[float32], f64 tables[float64], has func(cpuid.FeatureID) bool, needs ...cpuid.FeatureID) implementation {
	var lacks []string
	for _, f := range needs {
		if !has(f) {
			lacks = append(lacks, f.String())
		}
	}
	if len(lacks) > 0 {
		return implementation{Backend: unavailable(name, "not on this processor: lacks "+strings.Join(lacks, ", "))}
	}
	return implementation{Backend{Name: name}, f32, f64}
}
