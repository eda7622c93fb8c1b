//go:build !purego

package kernels

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// A processor that lacks a feature is told by its name.
func TestLackingFeatures(t *testing.T) {
	needs := []cpuid.FeatureID{cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL}
	for _, lacks := range [][]cpuid.FeatureID{{cpuid.AVX512VL}, {cpuid.AVX512F, cpuid.AVX512BW}, needs} {
		b := onProcessor("avx512", tables[float32]{rows: newTable(&avx512F32)}, tables[float64]{}, func(f cpuid.FeatureID) bool { return !slices.Contains(lacks, f) }, needs...)
		if !errors.Is(b.Err, ErrBackend) || b.f32.rows != nil || b.f64.rows != nil {
			t.Fatalf("%+v", b)
		}
		for _, f := range needs {
			if strings.Contains(b.Err.Error(), f.String()) != slices.Contains(lacks, f) {
				t.Errorf("without %v: %v", lacks, b.Err)
			}
		}
	}
}
