//go:build !purego

package kernels

// primitives is the assembly of one instruction set for elements of type T. Its
// loops are described at the stubs. None of them looks at the length of any but
// its first slice, nor behind a pointer: the rows of the table do.
type primitives[T Float] struct {
	exp           func(w []float64, x []T) bool
	expRow        func(w []float64)
	log1pRow      func(w []float64)
	probabilities func(p []float64, q []float64, x []T)
	sigmoid       func(p []float64, q []float64, x []T)
	sigmoidLogs   func(p []float64, q []float64, lp []float64, lq []float64, x []T)
	counts        func(acc *[3]float64, r []T)
	countsV       func(acc *[3]float64, r []T, v []T)
	region        func(acc *[4]float64, p []float64, q []float64, r []T)
	regionV       func(acc *[4]float64, p []float64, q []float64, r []T, v []T)
	regionYRow    func(acc *[4]float64, p []float64, q []float64, y []int32, c int)
	regionGrad    func(g []float64, r []T, in float64, out float64)
	chain         func(out []T, g []float64)
	chainU        func(out []T, g []float64, u []float64, p []float64, clip float64)
	sigmoidChain  func(out []T, g []float64, p []float64, q []float64)
	sigmoidChainU func(out []T, g []float64, p []float64, q []float64, u []float64)
}

var avx2F32 = primitives[float32]{
	exp:           expF32AVX2,
	expRow:        expRowAVX2,
	log1pRow:      log1pRowAVX2,
	probabilities: probabilitiesF32AVX2,
	sigmoid:       sigmoidF32AVX2,
	sigmoidLogs:   sigmoidLogsF32AVX2,
	counts:        countsF32AVX2,
	countsV:       countsVF32AVX2,
	region:        regionF32AVX2,
	regionV:       regionVF32AVX2,
	regionYRow:    regionYRowAVX2,
	regionGrad:    regionGradF32AVX2,
	chain:         chainF32AVX2,
	chainU:        chainUF32AVX2,
	sigmoidChain:  sigmoidChainF32AVX2,
	sigmoidChainU: sigmoidChainUF32AVX2,
}

var avx2F64 = primitives[float64]{
	exp:           expF64AVX2,
	expRow:        expRowAVX2,
	log1pRow:      log1pRowAVX2,
	probabilities: probabilitiesF64AVX2,
	sigmoid:       sigmoidF64AVX2,
	sigmoidLogs:   sigmoidLogsF64AVX2,
	counts:        countsF64AVX2,
	countsV:       countsVF64AVX2,
	region:        regionF64AVX2,
	regionV:       regionVF64AVX2,
	regionYRow:    regionYRowAVX2,
	regionGrad:    regionGradF64AVX2,
	chain:         chainF64AVX2,
	chainU:        chainUF64AVX2,
	sigmoidChain:  sigmoidChainF64AVX2,
	sigmoidChainU: sigmoidChainUF64AVX2,
}

var avx512F32 = primitives[float32]{
	exp:           expF32AVX512,
	expRow:        expRowAVX512,
	log1pRow:      log1pRowAVX512,
	probabilities: probabilitiesF32AVX512,
	sigmoid:       sigmoidF32AVX512,
	sigmoidLogs:   sigmoidLogsF32AVX512,
	counts:        countsF32AVX512,
	countsV:       countsVF32AVX512,
	region:        regionF32AVX512,
	regionV:       regionVF32AVX512,
	regionYRow:    regionYRowAVX512,
	regionGrad:    regionGradF32AVX512,
	chain:         chainF32AVX512,
	chainU:        chainUF32AVX512,
	sigmoidChain:  sigmoidChainF32AVX512,
	sigmoidChainU: sigmoidChainUF32AVX512,
}

var avx512F64 = primitives[float64]{
	exp:           expF64AVX512,
	expRow:        expRowAVX512,
	log1pRow:      log1pRowAVX512,
	probabilities: probabilitiesF64AVX512,
	sigmoid:       sigmoidF64AVX512,
	sigmoidLogs:   sigmoidLogsF64AVX512,
	counts:        countsF64AVX512,
	countsV:       countsVF64AVX512,
	region:        regionF64AVX512,
	regionV:       regionVF64AVX512,
	regionYRow:    regionYRowAVX512,
	regionGrad:    regionGradF64AVX512,
	chain:         chainF64AVX512,
	chainU:        chainUF64AVX512,
	sigmoidChain:  sigmoidChainF64AVX512,
	sigmoidChainU: sigmoidChainUF64AVX512,
}
