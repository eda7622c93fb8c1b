//go:build !purego

package kernels

// The fused kernels of a softmax of each instruction set.
var (
	softmaxAVX2F32 = softmaxKernels[float32]{
		few: [maxUnrolled + 1]func(p, q, x *float32, stride, xstride, n int, next uintptr) bool{
			2: softmaxLanes2F32AVX2, 3: softmaxLanes3F32AVX2, 4: softmaxLanes4F32AVX2, 8: softmaxLanes8F32AVX2,
		},
		any:        softmaxLanesF32AVX2,
		memberLogs: memberLogsLanesF32AVX2,
		regionY:    regionYLanesF32AVX2,
		squareY:    squareYLanesF32AVX2,
		sumY:       sumYLanesF32AVX2,
		sumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr) bool{
			2: softmaxSumsYLanes2F32AVX2, 3: softmaxSumsYLanes3F32AVX2, 4: softmaxSumsYLanes4F32AVX2, 8: softmaxSumsYLanes8F32AVX2,
		},
		logSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr) bool{
			2: softmaxLogSumsYLanes2F32AVX2, 3: softmaxLogSumsYLanes3F32AVX2, 4: softmaxLogSumsYLanes4F32AVX2, 8: softmaxLogSumsYLanes8F32AVX2,
		},
		powerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr, gamma float32) bool{
			2: softmaxPowerSumsYLanes2F32AVX2, 3: softmaxPowerSumsYLanes3F32AVX2, 4: softmaxPowerSumsYLanes4F32AVX2, 8: softmaxPowerSumsYLanes8F32AVX2,
		},
		onlyPowerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr, gamma float32) bool{
			2: softmaxOnlyPowerSumsYLanes2F32AVX2, 3: softmaxOnlyPowerSumsYLanes3F32AVX2, 4: softmaxOnlyPowerSumsYLanes4F32AVX2, 8: softmaxOnlyPowerSumsYLanes8F32AVX2,
		},
		gradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, stream bool) bool{
			2: softmaxGradYLanes2F32AVX2, 3: softmaxGradYLanes3F32AVX2, 4: softmaxGradYLanes4F32AVX2, 8: softmaxGradYLanes8F32AVX2,
		},
		powerGradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, gamma float32, stream bool) bool{
			2: softmaxPowerGradYLanes2F32AVX2, 3: softmaxPowerGradYLanes3F32AVX2, 4: softmaxPowerGradYLanes4F32AVX2, 8: softmaxPowerGradYLanes8F32AVX2,
		},
		onlyPowerGradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, gamma float32, stream bool) bool{
			2: softmaxOnlyPowerGradYLanes2F32AVX2, 3: softmaxOnlyPowerGradYLanes3F32AVX2, 4: softmaxOnlyPowerGradYLanes4F32AVX2, 8: softmaxOnlyPowerGradYLanes8F32AVX2,
		},
		memberPowers:     memberPowersLanesF32AVX2,
		memberExpLog:     memberExpLogLanesF32AVX2,
		memberPowersGrad: memberPowersGradLanesF32AVX2,
		memberExpLogGrad: memberExpLogGradLanesF32AVX2,
		chainY: [maxUnrolled + 1]softmaxChain[float32]{
			0: chainYLanesF32AVX2, 2: chainYLanes2F32AVX2, 3: chainYLanes3F32AVX2, 4: chainYLanes4F32AVX2, 8: chainYLanes8F32AVX2,
		},
		squareChainY: [maxUnrolled + 1]softmaxChain[float32]{
			0: squareChainYLanesF32AVX2, 2: squareChainYLanes2F32AVX2, 3: squareChainYLanes3F32AVX2, 4: squareChainYLanes4F32AVX2, 8: squareChainYLanes8F32AVX2,
		},
	}
	softmaxAVX2F64 = softmaxKernels[float64]{
		few: [maxUnrolled + 1]func(p, q, x *float64, stride, xstride, n int, next uintptr) bool{
			2: softmaxLanes2F64AVX2, 3: softmaxLanes3F64AVX2, 4: softmaxLanes4F64AVX2, 8: softmaxLanes8F64AVX2,
		},
		any:        softmaxLanesF64AVX2,
		memberLogs: memberLogsLanesF64AVX2,
		regionY:    regionYLanesF64AVX2,
		squareY:    squareYLanesF64AVX2,
		sumY:       sumYLanesF64AVX2,
		sumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr) bool{
			2: softmaxSumsYLanes2F64AVX2, 3: softmaxSumsYLanes3F64AVX2, 4: softmaxSumsYLanes4F64AVX2, 8: softmaxSumsYLanes8F64AVX2,
		},
		logSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr) bool{
			2: softmaxLogSumsYLanes2F64AVX2, 3: softmaxLogSumsYLanes3F64AVX2, 4: softmaxLogSumsYLanes4F64AVX2, 8: softmaxLogSumsYLanes8F64AVX2,
		},
		powerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr, gamma float64) bool{
			2: softmaxPowerSumsYLanes2F64AVX2, 3: softmaxPowerSumsYLanes3F64AVX2, 4: softmaxPowerSumsYLanes4F64AVX2, 8: softmaxPowerSumsYLanes8F64AVX2,
		},
		onlyPowerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr, gamma float64) bool{
			2: softmaxOnlyPowerSumsYLanes2F64AVX2, 3: softmaxOnlyPowerSumsYLanes3F64AVX2, 4: softmaxOnlyPowerSumsYLanes4F64AVX2, 8: softmaxOnlyPowerSumsYLanes8F64AVX2,
		},
		gradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, stream bool) bool{
			2: softmaxGradYLanes2F64AVX2, 3: softmaxGradYLanes3F64AVX2, 4: softmaxGradYLanes4F64AVX2, 8: softmaxGradYLanes8F64AVX2,
		},
		powerGradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, gamma float64, stream bool) bool{
			2: softmaxPowerGradYLanes2F64AVX2, 3: softmaxPowerGradYLanes3F64AVX2, 4: softmaxPowerGradYLanes4F64AVX2, 8: softmaxPowerGradYLanes8F64AVX2,
		},
		onlyPowerGradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, gamma float64, stream bool) bool{
			2: softmaxOnlyPowerGradYLanes2F64AVX2, 3: softmaxOnlyPowerGradYLanes3F64AVX2, 4: softmaxOnlyPowerGradYLanes4F64AVX2, 8: softmaxOnlyPowerGradYLanes8F64AVX2,
		},
		memberPowers:     memberPowersLanesF64AVX2,
		memberExpLog:     memberExpLogLanesF64AVX2,
		memberPowersGrad: memberPowersGradLanesF64AVX2,
		memberExpLogGrad: memberExpLogGradLanesF64AVX2,
		chainY: [maxUnrolled + 1]softmaxChain[float64]{
			0: chainYLanesF64AVX2, 2: chainYLanes2F64AVX2, 3: chainYLanes3F64AVX2, 4: chainYLanes4F64AVX2, 8: chainYLanes8F64AVX2,
		},
		squareChainY: [maxUnrolled + 1]softmaxChain[float64]{
			0: squareChainYLanesF64AVX2, 2: squareChainYLanes2F64AVX2, 3: squareChainYLanes3F64AVX2, 4: squareChainYLanes4F64AVX2, 8: squareChainYLanes8F64AVX2,
		},
	}
	softmaxAVX512F32 = softmaxKernels[float32]{
		few: [maxUnrolled + 1]func(p, q, x *float32, stride, xstride, n int, next uintptr) bool{
			2: softmaxLanes2F32AVX512, 3: softmaxLanes3F32AVX512, 4: softmaxLanes4F32AVX512, 8: softmaxLanes8F32AVX512,
		},
		any:        softmaxLanesF32AVX512,
		memberLogs: memberLogsLanesF32AVX512,
		regionY:    regionYLanesF32AVX512,
		squareY:    squareYLanesF32AVX512,
		sumY:       sumYLanesF32AVX512,
		sumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr) bool{
			2: softmaxSumsYLanes2F32AVX512, 3: softmaxSumsYLanes3F32AVX512, 4: softmaxSumsYLanes4F32AVX512, 8: softmaxSumsYLanes8F32AVX512,
		},
		logSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr) bool{
			2: softmaxLogSumsYLanes2F32AVX512, 3: softmaxLogSumsYLanes3F32AVX512, 4: softmaxLogSumsYLanes4F32AVX512, 8: softmaxLogSumsYLanes8F32AVX512,
		},
		powerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr, gamma float32) bool{
			2: softmaxPowerSumsYLanes2F32AVX512, 3: softmaxPowerSumsYLanes3F32AVX512, 4: softmaxPowerSumsYLanes4F32AVX512, 8: softmaxPowerSumsYLanes8F32AVX512,
		},
		onlyPowerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float32, y []uint8, xstride int, next uintptr, gamma float32) bool{
			2: softmaxOnlyPowerSumsYLanes2F32AVX512, 3: softmaxOnlyPowerSumsYLanes3F32AVX512, 4: softmaxOnlyPowerSumsYLanes4F32AVX512, 8: softmaxOnlyPowerSumsYLanes8F32AVX512,
		},
		gradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, stream bool) bool{
			2: softmaxGradYLanes2F32AVX512, 3: softmaxGradYLanes3F32AVX512, 4: softmaxGradYLanes4F32AVX512, 8: softmaxGradYLanes8F32AVX512,
		},
		powerGradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, gamma float32, stream bool) bool{
			2: softmaxPowerGradYLanes2F32AVX512, 3: softmaxPowerGradYLanes3F32AVX512, 4: softmaxPowerGradYLanes4F32AVX512, 8: softmaxPowerGradYLanes8F32AVX512,
		},
		onlyPowerGradY: [maxUnrolled + 1]func(out, x, coef *float32, y []uint8, outStride, xstride int, next uintptr, gamma float32, stream bool) bool{
			2: softmaxOnlyPowerGradYLanes2F32AVX512, 3: softmaxOnlyPowerGradYLanes3F32AVX512, 4: softmaxOnlyPowerGradYLanes4F32AVX512, 8: softmaxOnlyPowerGradYLanes8F32AVX512,
		},
		memberPowers:     memberPowersLanesF32AVX512,
		memberExpLog:     memberExpLogLanesF32AVX512,
		memberPowersGrad: memberPowersGradLanesF32AVX512,
		memberExpLogGrad: memberExpLogGradLanesF32AVX512,
		chainY: [maxUnrolled + 1]softmaxChain[float32]{
			0: chainYLanesF32AVX512, 2: chainYLanes2F32AVX512, 3: chainYLanes3F32AVX512, 4: chainYLanes4F32AVX512, 8: chainYLanes8F32AVX512,
		},
		squareChainY: [maxUnrolled + 1]softmaxChain[float32]{
			0: squareChainYLanesF32AVX512, 2: squareChainYLanes2F32AVX512, 3: squareChainYLanes3F32AVX512, 4: squareChainYLanes4F32AVX512, 8: squareChainYLanes8F32AVX512,
		},
	}
	softmaxAVX512F64 = softmaxKernels[float64]{
		few: [maxUnrolled + 1]func(p, q, x *float64, stride, xstride, n int, next uintptr) bool{
			2: softmaxLanes2F64AVX512, 3: softmaxLanes3F64AVX512, 4: softmaxLanes4F64AVX512, 8: softmaxLanes8F64AVX512,
		},
		any:        softmaxLanesF64AVX512,
		memberLogs: memberLogsLanesF64AVX512,
		regionY:    regionYLanesF64AVX512,
		squareY:    squareYLanesF64AVX512,
		sumY:       sumYLanesF64AVX512,
		sumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr) bool{
			2: softmaxSumsYLanes2F64AVX512, 3: softmaxSumsYLanes3F64AVX512, 4: softmaxSumsYLanes4F64AVX512, 8: softmaxSumsYLanes8F64AVX512,
		},
		logSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr) bool{
			2: softmaxLogSumsYLanes2F64AVX512, 3: softmaxLogSumsYLanes3F64AVX512, 4: softmaxLogSumsYLanes4F64AVX512, 8: softmaxLogSumsYLanes8F64AVX512,
		},
		powerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr, gamma float64) bool{
			2: softmaxPowerSumsYLanes2F64AVX512, 3: softmaxPowerSumsYLanes3F64AVX512, 4: softmaxPowerSumsYLanes4F64AVX512, 8: softmaxPowerSumsYLanes8F64AVX512,
		},
		onlyPowerSumsY: [maxUnrolled + 1]func(acc *[numSums]float64, x *float64, y []uint8, xstride int, next uintptr, gamma float64) bool{
			2: softmaxOnlyPowerSumsYLanes2F64AVX512, 3: softmaxOnlyPowerSumsYLanes3F64AVX512, 4: softmaxOnlyPowerSumsYLanes4F64AVX512, 8: softmaxOnlyPowerSumsYLanes8F64AVX512,
		},
		gradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, stream bool) bool{
			2: softmaxGradYLanes2F64AVX512, 3: softmaxGradYLanes3F64AVX512, 4: softmaxGradYLanes4F64AVX512, 8: softmaxGradYLanes8F64AVX512,
		},
		powerGradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, gamma float64, stream bool) bool{
			2: softmaxPowerGradYLanes2F64AVX512, 3: softmaxPowerGradYLanes3F64AVX512, 4: softmaxPowerGradYLanes4F64AVX512, 8: softmaxPowerGradYLanes8F64AVX512,
		},
		onlyPowerGradY: [maxUnrolled + 1]func(out, x, coef *float64, y []uint8, outStride, xstride int, next uintptr, gamma float64, stream bool) bool{
			2: softmaxOnlyPowerGradYLanes2F64AVX512, 3: softmaxOnlyPowerGradYLanes3F64AVX512, 4: softmaxOnlyPowerGradYLanes4F64AVX512, 8: softmaxOnlyPowerGradYLanes8F64AVX512,
		},
		memberPowers:     memberPowersLanesF64AVX512,
		memberExpLog:     memberExpLogLanesF64AVX512,
		memberPowersGrad: memberPowersGradLanesF64AVX512,
		memberExpLogGrad: memberExpLogGradLanesF64AVX512,
		chainY: [maxUnrolled + 1]softmaxChain[float64]{
			0: chainYLanesF64AVX512, 2: chainYLanes2F64AVX512, 3: chainYLanes3F64AVX512, 4: chainYLanes4F64AVX512, 8: chainYLanes8F64AVX512,
		},
		squareChainY: [maxUnrolled + 1]softmaxChain[float64]{
			0: squareChainYLanesF64AVX512, 2: squareChainYLanes2F64AVX512, 3: squareChainYLanes3F64AVX512, 4: squareChainYLanes4F64AVX512, 8: squareChainYLanes8F64AVX512,
		},
	}
)
