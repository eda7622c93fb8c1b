//go:build !purego

package kernels

// primitives is the assembly of one instruction set for elements of type T. Its
// loops are described at the stubs. None of them looks at the length of any but
// its first slice, nor behind a pointer: the rows of the table do.
type primitives[T Float] struct {
	exp    func(w []float64, x []T) bool
	expPow func(w, l []float64, gamma float64)

	probabilities func(p, q []float64, x []T)
	clippedLogs   func(lp, lq, p []float64, clip, least, most float64)
	sigmoid       func(p, q []float64, x []T)
	sigmoidLogs   func(p, q, lp, lq []float64, x []T)
	softmaxFew    [fewClasses + 1]func(p, q *float64, x *T, stride, xstride, n int) bool // by the number of classes
	normalise     func(p, q, work *float64, stride, c, n int)
	oddsLogs      func(out, against, favour []float64) bool

	counts    func(acc *[3]float64, r []T)
	countsV   func(acc *[3]float64, r, v []T)
	region    func(acc *[4]float64, p, q []float64, r []T)
	regionV   func(acc *[4]float64, p, q []float64, r, v []T)
	soft      func(acc *[4]float64, p, q []float64, r []T)
	softV     func(acc *[4]float64, p, q []float64, r, v []T)
	square    func(acc *[3]float64, p, q []float64, r []T)
	squareV   func(acc *[3]float64, p, q []float64, r, v []T)
	logP      func(acc *float64, p, lp []float64, r []T)
	logPV     func(acc *float64, p, lp []float64, r, v []T)
	logQ      func(acc *float64, p, lq []float64, r []T)
	logQV     func(acc *float64, p, lq []float64, r, v []T)
	logAll    func(acc *float64, lp []float64)
	logAllV   func(acc *float64, lp []float64, v []T)
	powRow    func(w, u []float64, k int, clip float64)
	powerSum  func(acc *float64, w, p, lp []float64, r []T, at, sign float64)
	powerSumV func(acc *float64, w, p, lp []float64, r, v []T, at, sign float64)
	expLog    func(acc *float64, p, q, lp, lq []float64, r []T, gamma, clip float64)
	expLogV   func(acc *float64, p, q, lp, lq []float64, r, v []T, gamma, clip float64)

	regionYRow func(acc *[4]float64, p, q []float64, y []int32, c int)
	memberLogs func(w []float64, p, q *float64, y []int32, stride, c int) bool
	sumY       func(acc *float64, w []float64, y []int32, c int)

	regionGrad func(g []float64, r []T, in, out float64)
	softGrad   func(g, p, q []float64, r []T, under, over float64)
	squareGrad func(g, p, q []float64, r []T, byPP, bySQR, bySQB float64)
	logGrad    func(u, p, q []float64, r []T, byLogP, byLogQ, byLogAll float64)
	powerGrad  func(u, w, p, q, lp []float64, r []T, gamma, by, at, sign float64)
	expLogGrad func(u, q, lp, lq []float64, r []T, gamma, by float64)

	chain             func(out []T, g []float64)
	chainU            func(out []T, g, u, p []float64, clip float64)
	sigmoidChain      func(out []T, g, p, q []float64)
	sigmoidChainU     func(out []T, g, p, q, u []float64)
	softmaxChain      func(out *T, p, q, d, work *float64, outStride, stride, c, n int) bool
	softmaxChainU     func(out *T, p, q, d, u, work *float64, outStride, stride, c, n int) bool
	softmaxRegionY    func(out *T, p, q, work, coef *float64, y []int32, outStride, stride, c int)
	softmaxRegionYFew [fewClasses + 1]func(out *T, p, q, coef *float64, y []int32, outStride, stride int) // by the number of classes
}

var avx2F32 = primitives[float32]{
	exp:               expF32AVX2,
	expPow:            expPowF32AVX2,
	probabilities:     probabilitiesF32AVX2,
	clippedLogs:       clippedLogsF32AVX2,
	sigmoid:           sigmoidF32AVX2,
	sigmoidLogs:       sigmoidLogsF32AVX2,
	softmaxFew:        [...]func(p, q *float64, x *float32, stride, xstride, n int) bool{2: softmax2F32AVX2, 3: softmax3F32AVX2, 4: softmax4F32AVX2},
	normalise:         normaliseAVX2,
	oddsLogs:          oddsLogsF32AVX2,
	counts:            countsF32AVX2,
	countsV:           countsVF32AVX2,
	region:            regionF32AVX2,
	regionV:           regionVF32AVX2,
	soft:              softF32AVX2,
	softV:             softVF32AVX2,
	square:            squareF32AVX2,
	squareV:           squareVF32AVX2,
	logP:              logPF32AVX2,
	logPV:             logPVF32AVX2,
	logQ:              logQF32AVX2,
	logQV:             logQVF32AVX2,
	logAll:            logAllAVX2,
	logAllV:           logAllVF32AVX2,
	powRow:            powRowAVX2,
	powerSum:          powerSumF32AVX2,
	powerSumV:         powerSumVF32AVX2,
	expLog:            expLogF32AVX2,
	expLogV:           expLogVF32AVX2,
	regionYRow:        regionYRowAVX2,
	memberLogs:        memberLogsF32AVX2,
	sumY:              sumYAVX2,
	regionGrad:        regionGradF32AVX2,
	softGrad:          softGradF32AVX2,
	squareGrad:        squareGradF32AVX2,
	logGrad:           logGradF32AVX2,
	powerGrad:         powerGradF32AVX2,
	expLogGrad:        expLogGradF32AVX2,
	chain:             chainF32AVX2,
	chainU:            chainUF32AVX2,
	sigmoidChain:      sigmoidChainF32AVX2,
	sigmoidChainU:     sigmoidChainUF32AVX2,
	softmaxChain:      softmaxChainF32AVX2,
	softmaxChainU:     softmaxChainUF32AVX2,
	softmaxRegionY:    softmaxRegionYF32AVX2,
	softmaxRegionYFew: [...]func(out *float32, p, q, coef *float64, y []int32, outStride, stride int){2: softmaxRegionY2F32AVX2, 3: softmaxRegionY3F32AVX2, 4: softmaxRegionY4F32AVX2},
}

var avx2F64 = primitives[float64]{
	exp:               expF64AVX2,
	expPow:            expPowF64AVX2,
	probabilities:     probabilitiesF64AVX2,
	clippedLogs:       clippedLogsF64AVX2,
	sigmoid:           sigmoidF64AVX2,
	sigmoidLogs:       sigmoidLogsF64AVX2,
	softmaxFew:        [...]func(p, q, x *float64, stride, xstride, n int) bool{2: softmax2F64AVX2, 3: softmax3F64AVX2, 4: softmax4F64AVX2},
	normalise:         normaliseAVX2,
	oddsLogs:          oddsLogsF64AVX2,
	counts:            countsF64AVX2,
	countsV:           countsVF64AVX2,
	region:            regionF64AVX2,
	regionV:           regionVF64AVX2,
	soft:              softF64AVX2,
	softV:             softVF64AVX2,
	square:            squareF64AVX2,
	squareV:           squareVF64AVX2,
	logP:              logPF64AVX2,
	logPV:             logPVF64AVX2,
	logQ:              logQF64AVX2,
	logQV:             logQVF64AVX2,
	logAll:            logAllAVX2,
	logAllV:           logAllVF64AVX2,
	powRow:            powRowAVX2,
	powerSum:          powerSumF64AVX2,
	powerSumV:         powerSumVF64AVX2,
	expLog:            expLogF64AVX2,
	expLogV:           expLogVF64AVX2,
	regionYRow:        regionYRowAVX2,
	memberLogs:        memberLogsF64AVX2,
	sumY:              sumYAVX2,
	regionGrad:        regionGradF64AVX2,
	softGrad:          softGradF64AVX2,
	squareGrad:        squareGradF64AVX2,
	logGrad:           logGradF64AVX2,
	powerGrad:         powerGradF64AVX2,
	expLogGrad:        expLogGradF64AVX2,
	chain:             chainF64AVX2,
	chainU:            chainUF64AVX2,
	sigmoidChain:      sigmoidChainF64AVX2,
	sigmoidChainU:     sigmoidChainUF64AVX2,
	softmaxChain:      softmaxChainF64AVX2,
	softmaxChainU:     softmaxChainUF64AVX2,
	softmaxRegionY:    softmaxRegionYF64AVX2,
	softmaxRegionYFew: [...]func(out, p, q, coef *float64, y []int32, outStride, stride int){2: softmaxRegionY2F64AVX2, 3: softmaxRegionY3F64AVX2, 4: softmaxRegionY4F64AVX2},
}

var avx512F32 = primitives[float32]{
	exp:               expF32AVX512,
	expPow:            expPowF32AVX512,
	probabilities:     probabilitiesF32AVX512,
	clippedLogs:       clippedLogsF32AVX512,
	sigmoid:           sigmoidF32AVX512,
	sigmoidLogs:       sigmoidLogsF32AVX512,
	softmaxFew:        [...]func(p, q *float64, x *float32, stride, xstride, n int) bool{2: softmax2F32AVX512, 3: softmax3F32AVX512, 4: softmax4F32AVX512},
	normalise:         normaliseAVX512,
	oddsLogs:          oddsLogsF32AVX512,
	counts:            countsF32AVX512,
	countsV:           countsVF32AVX512,
	region:            regionF32AVX512,
	regionV:           regionVF32AVX512,
	soft:              softF32AVX512,
	softV:             softVF32AVX512,
	square:            squareF32AVX512,
	squareV:           squareVF32AVX512,
	logP:              logPF32AVX512,
	logPV:             logPVF32AVX512,
	logQ:              logQF32AVX512,
	logQV:             logQVF32AVX512,
	logAll:            logAllAVX512,
	logAllV:           logAllVF32AVX512,
	powRow:            powRowAVX512,
	powerSum:          powerSumF32AVX512,
	powerSumV:         powerSumVF32AVX512,
	expLog:            expLogF32AVX512,
	expLogV:           expLogVF32AVX512,
	regionYRow:        regionYRowAVX512,
	memberLogs:        memberLogsF32AVX512,
	sumY:              sumYAVX512,
	regionGrad:        regionGradF32AVX512,
	softGrad:          softGradF32AVX512,
	squareGrad:        squareGradF32AVX512,
	logGrad:           logGradF32AVX512,
	powerGrad:         powerGradF32AVX512,
	expLogGrad:        expLogGradF32AVX512,
	chain:             chainF32AVX512,
	chainU:            chainUF32AVX512,
	sigmoidChain:      sigmoidChainF32AVX512,
	sigmoidChainU:     sigmoidChainUF32AVX512,
	softmaxChain:      softmaxChainF32AVX512,
	softmaxChainU:     softmaxChainUF32AVX512,
	softmaxRegionY:    softmaxRegionYF32AVX512,
	softmaxRegionYFew: [...]func(out *float32, p, q, coef *float64, y []int32, outStride, stride int){2: softmaxRegionY2F32AVX512, 3: softmaxRegionY3F32AVX512, 4: softmaxRegionY4F32AVX512},
}

var avx512F64 = primitives[float64]{
	exp:               expF64AVX512,
	expPow:            expPowF64AVX512,
	probabilities:     probabilitiesF64AVX512,
	clippedLogs:       clippedLogsF64AVX512,
	sigmoid:           sigmoidF64AVX512,
	sigmoidLogs:       sigmoidLogsF64AVX512,
	softmaxFew:        [...]func(p, q, x *float64, stride, xstride, n int) bool{2: softmax2F64AVX512, 3: softmax3F64AVX512, 4: softmax4F64AVX512},
	normalise:         normaliseAVX512,
	oddsLogs:          oddsLogsF64AVX512,
	counts:            countsF64AVX512,
	countsV:           countsVF64AVX512,
	region:            regionF64AVX512,
	regionV:           regionVF64AVX512,
	soft:              softF64AVX512,
	softV:             softVF64AVX512,
	square:            squareF64AVX512,
	squareV:           squareVF64AVX512,
	logP:              logPF64AVX512,
	logPV:             logPVF64AVX512,
	logQ:              logQF64AVX512,
	logQV:             logQVF64AVX512,
	logAll:            logAllAVX512,
	logAllV:           logAllVF64AVX512,
	powRow:            powRowAVX512,
	powerSum:          powerSumF64AVX512,
	powerSumV:         powerSumVF64AVX512,
	expLog:            expLogF64AVX512,
	expLogV:           expLogVF64AVX512,
	regionYRow:        regionYRowAVX512,
	memberLogs:        memberLogsF64AVX512,
	sumY:              sumYAVX512,
	regionGrad:        regionGradF64AVX512,
	softGrad:          softGradF64AVX512,
	squareGrad:        squareGradF64AVX512,
	logGrad:           logGradF64AVX512,
	powerGrad:         powerGradF64AVX512,
	expLogGrad:        expLogGradF64AVX512,
	chain:             chainF64AVX512,
	chainU:            chainUF64AVX512,
	sigmoidChain:      sigmoidChainF64AVX512,
	sigmoidChainU:     sigmoidChainUF64AVX512,
	softmaxChain:      softmaxChainF64AVX512,
	softmaxChainU:     softmaxChainUF64AVX512,
	softmaxRegionY:    softmaxRegionYF64AVX512,
	softmaxRegionYFew: [...]func(out, p, q, coef *float64, y []int32, outStride, stride int){2: softmaxRegionY2F64AVX512, 3: softmaxRegionY3F64AVX512, 4: softmaxRegionY4F64AVX512},
}
