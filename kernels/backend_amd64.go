//go:build !purego

package kernels

import (
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// assembly lists the instruction sets. Package cpuid knows a feature only where
// the operating system keeps its registers.
func assembly() []implementation {
	return []implementation{
		onProcessor("avx2", cpuid.CPU.Has, cpuid.AVX2, cpuid.FMA3),
		onProcessor("avx512", cpuid.CPU.Has, cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL),
	}
}

// onProcessor is an instruction set that needs features of the processor.
func onProcessor(name string, has func(cpuid.FeatureID) bool, needs ...cpuid.FeatureID) implementation {
	var lacks []string
	for _, f := range needs {
		if !has(f) {
			lacks = append(lacks, f.String())
		}
	}
	if len(lacks) > 0 {
		return implementation{Backend: unavailable(name, "not on this processor: lacks "+strings.Join(lacks, ", "))}
	}
	return implementation{Backend: unavailable(name, "this version has portable kernels only")}
}
