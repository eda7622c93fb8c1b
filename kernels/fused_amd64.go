//go:build !purego

package kernels

// The fused kernels of each instruction set.
var (
	fusedAVX2F32   = fused[float32]{}
	fusedAVX2F64   = fused[float64]{}
	fusedAVX512F32 = fused[float32]{}
	fusedAVX512F64 = fused[float64]{}
)
