//go:build !purego

package kernels

// Lanes are functions in lanes of the element type as the assembly of one
// instruction set has them, for the tests of package kernels_test.
type Lanes[T Float] struct {
	Exp, Log, Log1p, Sigmoid, Softplus func(y, x []T)
}

var (
	LanesAVX2F32   = Lanes[float32]{expLanesF32AVX2, logLanesF32AVX2, log1pLanesF32AVX2, sigmoidLanesF32AVX2, softplusLanesF32AVX2}
	LanesAVX2F64   = Lanes[float64]{expLanesF64AVX2, logLanesF64AVX2, log1pLanesF64AVX2, sigmoidLanesF64AVX2, softplusLanesF64AVX2}
	LanesAVX512F32 = Lanes[float32]{expLanesF32AVX512, logLanesF32AVX512, log1pLanesF32AVX512, sigmoidLanesF32AVX512, softplusLanesF32AVX512}
	LanesAVX512F64 = Lanes[float64]{expLanesF64AVX512, logLanesF64AVX512, log1pLanesF64AVX512, sigmoidLanesF64AVX512, softplusLanesF64AVX512}
)
