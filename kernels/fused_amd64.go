//go:build !purego

package kernels

// The fused kernels of each instruction set.
var (
	fusedAVX2F32   = fused[float32]{rows: rowsAVX2F32, mixed: mixedAVX2F32, softmax: softmaxAVX2F32, memoryKernels: memoryAVX2F32}
	fusedAVX2F64   = fused[float64]{rows: rowsAVX2F64, mixed: mixedAVX2F64, softmax: softmaxAVX2F64, memoryKernels: memoryAVX2F64}
	fusedAVX512F32 = fused[float32]{rows: rowsAVX512F32, mixed: mixedAVX512F32, softmax: softmaxAVX512F32, memoryKernels: memoryAVX512F32}
	fusedAVX512F64 = fused[float64]{rows: rowsAVX512F64, mixed: mixedAVX512F64, softmax: softmaxAVX512F64, memoryKernels: memoryAVX512F64}
)
