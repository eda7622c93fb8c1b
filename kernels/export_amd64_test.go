//go:build !purego

package kernels

// Primitives are the assembly functions of one instruction set, for the tests
// of package kernels_test.
type Primitives[T Float] struct {
	Exp             func(w []float64, x []T) bool
	Counts          func(acc *[3]float64, r []T)
	CountsV         func(acc *[3]float64, r []T, v []T)
	Region          func(acc *[4]float64, p []float64, q []float64, r []T)
	RegionV         func(acc *[4]float64, p []float64, q []float64, r []T, v []T)
	RegionGrad      func(g []float64, r []T, in float64, out float64)
	Probabilities   func(p []float64, q []float64, x []T)
	Chain           func(out []T, g []float64)
	ChainU          func(out []T, g []float64, u []float64, p []float64, clip float64)
	SigmoidChain    func(out []T, g []float64, p []float64, q []float64)
	SigmoidChainU   func(out []T, g []float64, p []float64, q []float64, u []float64)
	Sigmoid         func(p []float64, q []float64, x []T)
	SigmoidLogs     func(p []float64, q []float64, lp []float64, lq []float64, x []T)
	Softmax2        func(p *float64, q *float64, x *T, stride int, xstride int, n int) bool
	Softmax3        func(p *float64, q *float64, x *T, stride int, xstride int, n int) bool
	Softmax4        func(p *float64, q *float64, x *T, stride int, xstride int, n int) bool
	OddsLogs        func(out []float64, against []float64, favour []float64) bool
	MemberLogs      func(w []float64, p *float64, q *float64, y []int32, stride int, c int) bool
	SoftmaxRegionY  func(out *T, p *float64, q *float64, work *float64, coef *float64, y []int32, outStride int, stride int, c int)
	SoftmaxRegionY2 func(out *T, p *float64, q *float64, coef *float64, y []int32, outStride int, stride int)
	SoftmaxRegionY3 func(out *T, p *float64, q *float64, coef *float64, y []int32, outStride int, stride int)
	SoftmaxRegionY4 func(out *T, p *float64, q *float64, coef *float64, y []int32, outStride int, stride int)
	SoftmaxChain    func(out *T, p *float64, q *float64, d *float64, work *float64, outStride int, stride int, c int, n int) bool
	SoftmaxChainU   func(out *T, p *float64, q *float64, d *float64, u *float64, work *float64, outStride int, stride int, c int, n int) bool
	Square          func(acc *[3]float64, p []float64, q []float64, r []T)
	Soft            func(acc *[4]float64, p []float64, q []float64, r []T)
	LogP            func(acc *float64, p []float64, lp []float64, r []T)
	LogQ            func(acc *float64, p []float64, lq []float64, r []T)
	PowerSum        func(acc *float64, w []float64, p []float64, lp []float64, r []T, at float64, sign float64)
	SquareV         func(acc *[3]float64, p []float64, q []float64, r []T, v []T)
	SoftV           func(acc *[4]float64, p []float64, q []float64, r []T, v []T)
	LogPV           func(acc *float64, p []float64, lp []float64, r []T, v []T)
	LogQV           func(acc *float64, p []float64, lq []float64, r []T, v []T)
	LogAllV         func(acc *float64, lp []float64, v []T)
	PowerSumV       func(acc *float64, w []float64, p []float64, lp []float64, r []T, v []T, at float64, sign float64)
	SoftGrad        func(g []float64, p []float64, q []float64, r []T, under float64, over float64)
	SquareGrad      func(g []float64, p []float64, q []float64, r []T, byPP float64, bySQR float64, bySQB float64)
	LogGrad         func(u []float64, p []float64, q []float64, r []T, byLogP float64, byLogQ float64, byLogAll float64)
	ExpPow          func(w []float64, l []float64, gamma float64)
	PowerGrad       func(u []float64, w []float64, p []float64, q []float64, lp []float64, r []T, gamma float64, by float64, at float64, sign float64)
	ClippedLogs     func(lp []float64, lq []float64, p []float64, clip float64, least float64, most float64)
	ExpLog          func(acc *float64, p []float64, q []float64, lp []float64, lq []float64, r []T, gamma float64, clip float64)
	ExpLogV         func(acc *float64, p []float64, q []float64, lp []float64, lq []float64, r []T, v []T, gamma float64, clip float64)
	ExpLogGrad      func(u []float64, q []float64, lp []float64, lq []float64, r []T, gamma float64, by float64)
	RegionYRow      func(acc *[4]float64, p []float64, q []float64, y []int32, c int)
	Normalise       func(p *float64, q *float64, work *float64, stride int, c int, n int)
	SumY            func(acc *float64, w []float64, y []int32, c int)
	LogAll          func(acc *float64, lp []float64)
	PowRow          func(w []float64, u []float64, k int, clip float64)
}

var (
	PrimitivesAVX2F32 = Primitives[float32]{
		Exp:             expF32AVX2,
		Counts:          countsF32AVX2,
		CountsV:         countsVF32AVX2,
		Region:          regionF32AVX2,
		RegionV:         regionVF32AVX2,
		RegionGrad:      regionGradF32AVX2,
		Probabilities:   probabilitiesF32AVX2,
		Chain:           chainF32AVX2,
		ChainU:          chainUF32AVX2,
		SigmoidChain:    sigmoidChainF32AVX2,
		SigmoidChainU:   sigmoidChainUF32AVX2,
		Sigmoid:         sigmoidF32AVX2,
		SigmoidLogs:     sigmoidLogsF32AVX2,
		Softmax2:        softmax2F32AVX2,
		Softmax3:        softmax3F32AVX2,
		Softmax4:        softmax4F32AVX2,
		OddsLogs:        oddsLogsF32AVX2,
		MemberLogs:      memberLogsF32AVX2,
		SoftmaxRegionY:  softmaxRegionYF32AVX2,
		SoftmaxRegionY2: softmaxRegionY2F32AVX2,
		SoftmaxRegionY3: softmaxRegionY3F32AVX2,
		SoftmaxRegionY4: softmaxRegionY4F32AVX2,
		SoftmaxChain:    softmaxChainF32AVX2,
		SoftmaxChainU:   softmaxChainUF32AVX2,
		Square:          squareF32AVX2,
		Soft:            softF32AVX2,
		LogP:            logPF32AVX2,
		LogQ:            logQF32AVX2,
		PowerSum:        powerSumF32AVX2,
		SquareV:         squareVF32AVX2,
		SoftV:           softVF32AVX2,
		LogPV:           logPVF32AVX2,
		LogQV:           logQVF32AVX2,
		LogAllV:         logAllVF32AVX2,
		PowerSumV:       powerSumVF32AVX2,
		SoftGrad:        softGradF32AVX2,
		SquareGrad:      squareGradF32AVX2,
		LogGrad:         logGradF32AVX2,
		ExpPow:          expPowF32AVX2,
		PowerGrad:       powerGradF32AVX2,
		ClippedLogs:     clippedLogsF32AVX2,
		ExpLog:          expLogF32AVX2,
		ExpLogV:         expLogVF32AVX2,
		ExpLogGrad:      expLogGradF32AVX2,
		RegionYRow:      regionYRowAVX2,
		Normalise:       normaliseAVX2,
		SumY:            sumYAVX2,
		LogAll:          logAllAVX2,
		PowRow:          powRowAVX2,
	}
	PrimitivesAVX2F64 = Primitives[float64]{
		Exp:             expF64AVX2,
		Counts:          countsF64AVX2,
		CountsV:         countsVF64AVX2,
		Region:          regionF64AVX2,
		RegionV:         regionVF64AVX2,
		RegionGrad:      regionGradF64AVX2,
		Probabilities:   probabilitiesF64AVX2,
		Chain:           chainF64AVX2,
		ChainU:          chainUF64AVX2,
		SigmoidChain:    sigmoidChainF64AVX2,
		SigmoidChainU:   sigmoidChainUF64AVX2,
		Sigmoid:         sigmoidF64AVX2,
		SigmoidLogs:     sigmoidLogsF64AVX2,
		Softmax2:        softmax2F64AVX2,
		Softmax3:        softmax3F64AVX2,
		Softmax4:        softmax4F64AVX2,
		OddsLogs:        oddsLogsF64AVX2,
		MemberLogs:      memberLogsF64AVX2,
		SoftmaxRegionY:  softmaxRegionYF64AVX2,
		SoftmaxRegionY2: softmaxRegionY2F64AVX2,
		SoftmaxRegionY3: softmaxRegionY3F64AVX2,
		SoftmaxRegionY4: softmaxRegionY4F64AVX2,
		SoftmaxChain:    softmaxChainF64AVX2,
		SoftmaxChainU:   softmaxChainUF64AVX2,
		Square:          squareF64AVX2,
		Soft:            softF64AVX2,
		LogP:            logPF64AVX2,
		LogQ:            logQF64AVX2,
		PowerSum:        powerSumF64AVX2,
		SquareV:         squareVF64AVX2,
		SoftV:           softVF64AVX2,
		LogPV:           logPVF64AVX2,
		LogQV:           logQVF64AVX2,
		LogAllV:         logAllVF64AVX2,
		PowerSumV:       powerSumVF64AVX2,
		SoftGrad:        softGradF64AVX2,
		SquareGrad:      squareGradF64AVX2,
		LogGrad:         logGradF64AVX2,
		ExpPow:          expPowF64AVX2,
		PowerGrad:       powerGradF64AVX2,
		ClippedLogs:     clippedLogsF64AVX2,
		ExpLog:          expLogF64AVX2,
		ExpLogV:         expLogVF64AVX2,
		ExpLogGrad:      expLogGradF64AVX2,
		RegionYRow:      regionYRowAVX2,
		Normalise:       normaliseAVX2,
		SumY:            sumYAVX2,
		LogAll:          logAllAVX2,
		PowRow:          powRowAVX2,
	}
	PrimitivesAVX512F32 = Primitives[float32]{
		Exp:             expF32AVX512,
		Counts:          countsF32AVX512,
		CountsV:         countsVF32AVX512,
		Region:          regionF32AVX512,
		RegionV:         regionVF32AVX512,
		RegionGrad:      regionGradF32AVX512,
		Probabilities:   probabilitiesF32AVX512,
		Chain:           chainF32AVX512,
		ChainU:          chainUF32AVX512,
		SigmoidChain:    sigmoidChainF32AVX512,
		SigmoidChainU:   sigmoidChainUF32AVX512,
		Sigmoid:         sigmoidF32AVX512,
		SigmoidLogs:     sigmoidLogsF32AVX512,
		Softmax2:        softmax2F32AVX512,
		Softmax3:        softmax3F32AVX512,
		Softmax4:        softmax4F32AVX512,
		OddsLogs:        oddsLogsF32AVX512,
		MemberLogs:      memberLogsF32AVX512,
		SoftmaxRegionY:  softmaxRegionYF32AVX512,
		SoftmaxRegionY2: softmaxRegionY2F32AVX512,
		SoftmaxRegionY3: softmaxRegionY3F32AVX512,
		SoftmaxRegionY4: softmaxRegionY4F32AVX512,
		SoftmaxChain:    softmaxChainF32AVX512,
		SoftmaxChainU:   softmaxChainUF32AVX512,
		Square:          squareF32AVX512,
		Soft:            softF32AVX512,
		LogP:            logPF32AVX512,
		LogQ:            logQF32AVX512,
		PowerSum:        powerSumF32AVX512,
		SquareV:         squareVF32AVX512,
		SoftV:           softVF32AVX512,
		LogPV:           logPVF32AVX512,
		LogQV:           logQVF32AVX512,
		LogAllV:         logAllVF32AVX512,
		PowerSumV:       powerSumVF32AVX512,
		SoftGrad:        softGradF32AVX512,
		SquareGrad:      squareGradF32AVX512,
		LogGrad:         logGradF32AVX512,
		ExpPow:          expPowF32AVX512,
		PowerGrad:       powerGradF32AVX512,
		ClippedLogs:     clippedLogsF32AVX512,
		ExpLog:          expLogF32AVX512,
		ExpLogV:         expLogVF32AVX512,
		ExpLogGrad:      expLogGradF32AVX512,
		RegionYRow:      regionYRowAVX512,
		Normalise:       normaliseAVX512,
		SumY:            sumYAVX512,
		LogAll:          logAllAVX512,
		PowRow:          powRowAVX512,
	}
	PrimitivesAVX512F64 = Primitives[float64]{
		Exp:             expF64AVX512,
		Counts:          countsF64AVX512,
		CountsV:         countsVF64AVX512,
		Region:          regionF64AVX512,
		RegionV:         regionVF64AVX512,
		RegionGrad:      regionGradF64AVX512,
		Probabilities:   probabilitiesF64AVX512,
		Chain:           chainF64AVX512,
		ChainU:          chainUF64AVX512,
		SigmoidChain:    sigmoidChainF64AVX512,
		SigmoidChainU:   sigmoidChainUF64AVX512,
		Sigmoid:         sigmoidF64AVX512,
		SigmoidLogs:     sigmoidLogsF64AVX512,
		Softmax2:        softmax2F64AVX512,
		Softmax3:        softmax3F64AVX512,
		Softmax4:        softmax4F64AVX512,
		OddsLogs:        oddsLogsF64AVX512,
		MemberLogs:      memberLogsF64AVX512,
		SoftmaxRegionY:  softmaxRegionYF64AVX512,
		SoftmaxRegionY2: softmaxRegionY2F64AVX512,
		SoftmaxRegionY3: softmaxRegionY3F64AVX512,
		SoftmaxRegionY4: softmaxRegionY4F64AVX512,
		SoftmaxChain:    softmaxChainF64AVX512,
		SoftmaxChainU:   softmaxChainUF64AVX512,
		Square:          squareF64AVX512,
		Soft:            softF64AVX512,
		LogP:            logPF64AVX512,
		LogQ:            logQF64AVX512,
		PowerSum:        powerSumF64AVX512,
		SquareV:         squareVF64AVX512,
		SoftV:           softVF64AVX512,
		LogPV:           logPVF64AVX512,
		LogQV:           logQVF64AVX512,
		LogAllV:         logAllVF64AVX512,
		PowerSumV:       powerSumVF64AVX512,
		SoftGrad:        softGradF64AVX512,
		SquareGrad:      squareGradF64AVX512,
		LogGrad:         logGradF64AVX512,
		ExpPow:          expPowF64AVX512,
		PowerGrad:       powerGradF64AVX512,
		ClippedLogs:     clippedLogsF64AVX512,
		ExpLog:          expLogF64AVX512,
		ExpLogV:         expLogVF64AVX512,
		ExpLogGrad:      expLogGradF64AVX512,
		RegionYRow:      regionYRowAVX512,
		Normalise:       normaliseAVX512,
		SumY:            sumYAVX512,
		LogAll:          logAllAVX512,
		PowRow:          powRowAVX512,
	}
)
