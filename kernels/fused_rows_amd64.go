//go:build !purego

package kernels

// The kernels of rows, by activation and set.

var rowsAVX2F32 = [2]rowKernels[float32]{
	None: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float32, y []uint8, class uint8, k *[numFactors]float32) bool{
			setRegion:   forwardNoneRegionYF32AVX2,
			setSquare:   forwardNoneSquareYF32AVX2,
			setLogs:     forwardNoneLogsYF32AVX2,
			setPowers:   forwardNonePowersYF32AVX2,
			setAnyPower: forwardNoneAnyPowerYF32AVX2,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float32, k *[numFactors]float32) bool{
			setRegion:   forwardNoneRegionF32AVX2,
			setSquare:   forwardNoneSquareF32AVX2,
			setLogs:     forwardNoneLogsF32AVX2,
			setPowers:   forwardNonePowersF32AVX2,
			setAnyPower: forwardNoneAnyPowerF32AVX2,
		},
		backwardY: [numSets]func(out, x []float32, y []uint8, class uint8, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardNoneRegionYF32AVX2,
			setSquare:   backwardNoneSquareYF32AVX2,
			setLogs:     backwardNoneLogsYF32AVX2,
			setPowers:   backwardNonePowersYF32AVX2,
			setAnyPower: backwardNoneAnyPowerYF32AVX2,
		},
		backward: [numSets]func(out, x, r []float32, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardNoneRegionF32AVX2,
			setSquare:   backwardNoneSquareF32AVX2,
			setLogs:     backwardNoneLogsF32AVX2,
			setPowers:   backwardNonePowersF32AVX2,
			setAnyPower: backwardNoneAnyPowerF32AVX2,
		},
	},
	Sigmoid: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float32, y []uint8, class uint8, k *[numFactors]float32) bool{
			setRegion:   forwardSigmoidRegionYF32AVX2,
			setSquare:   forwardSigmoidSquareYF32AVX2,
			setLogs:     forwardSigmoidLogsYF32AVX2,
			setPowers:   forwardSigmoidPowersYF32AVX2,
			setAnyPower: forwardSigmoidAnyPowerYF32AVX2,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float32, k *[numFactors]float32) bool{
			setRegion:   forwardSigmoidRegionF32AVX2,
			setSquare:   forwardSigmoidSquareF32AVX2,
			setLogs:     forwardSigmoidLogsF32AVX2,
			setPowers:   forwardSigmoidPowersF32AVX2,
			setAnyPower: forwardSigmoidAnyPowerF32AVX2,
		},
		backwardY: [numSets]func(out, x []float32, y []uint8, class uint8, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardSigmoidRegionYF32AVX2,
			setSquare:   backwardSigmoidSquareYF32AVX2,
			setLogs:     backwardSigmoidLogsYF32AVX2,
			setPowers:   backwardSigmoidPowersYF32AVX2,
			setAnyPower: backwardSigmoidAnyPowerYF32AVX2,
		},
		backward: [numSets]func(out, x, r []float32, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardSigmoidRegionF32AVX2,
			setSquare:   backwardSigmoidSquareF32AVX2,
			setLogs:     backwardSigmoidLogsF32AVX2,
			setPowers:   backwardSigmoidPowersF32AVX2,
			setAnyPower: backwardSigmoidAnyPowerF32AVX2,
		},
	},
}

var rowsAVX2F64 = [2]rowKernels[float64]{
	None: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float64, y []uint8, class uint8, k *[numFactors]float64) bool{
			setRegion:   forwardNoneRegionYF64AVX2,
			setSquare:   forwardNoneSquareYF64AVX2,
			setLogs:     forwardNoneLogsYF64AVX2,
			setPowers:   forwardNonePowersYF64AVX2,
			setAnyPower: forwardNoneAnyPowerYF64AVX2,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float64, k *[numFactors]float64) bool{
			setRegion:   forwardNoneRegionF64AVX2,
			setSquare:   forwardNoneSquareF64AVX2,
			setLogs:     forwardNoneLogsF64AVX2,
			setPowers:   forwardNonePowersF64AVX2,
			setAnyPower: forwardNoneAnyPowerF64AVX2,
		},
		backwardY: [numSets]func(out, x []float64, y []uint8, class uint8, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardNoneRegionYF64AVX2,
			setSquare:   backwardNoneSquareYF64AVX2,
			setLogs:     backwardNoneLogsYF64AVX2,
			setPowers:   backwardNonePowersYF64AVX2,
			setAnyPower: backwardNoneAnyPowerYF64AVX2,
		},
		backward: [numSets]func(out, x, r []float64, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardNoneRegionF64AVX2,
			setSquare:   backwardNoneSquareF64AVX2,
			setLogs:     backwardNoneLogsF64AVX2,
			setPowers:   backwardNonePowersF64AVX2,
			setAnyPower: backwardNoneAnyPowerF64AVX2,
		},
	},
	Sigmoid: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float64, y []uint8, class uint8, k *[numFactors]float64) bool{
			setRegion:   forwardSigmoidRegionYF64AVX2,
			setSquare:   forwardSigmoidSquareYF64AVX2,
			setLogs:     forwardSigmoidLogsYF64AVX2,
			setPowers:   forwardSigmoidPowersYF64AVX2,
			setAnyPower: forwardSigmoidAnyPowerYF64AVX2,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float64, k *[numFactors]float64) bool{
			setRegion:   forwardSigmoidRegionF64AVX2,
			setSquare:   forwardSigmoidSquareF64AVX2,
			setLogs:     forwardSigmoidLogsF64AVX2,
			setPowers:   forwardSigmoidPowersF64AVX2,
			setAnyPower: forwardSigmoidAnyPowerF64AVX2,
		},
		backwardY: [numSets]func(out, x []float64, y []uint8, class uint8, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardSigmoidRegionYF64AVX2,
			setSquare:   backwardSigmoidSquareYF64AVX2,
			setLogs:     backwardSigmoidLogsYF64AVX2,
			setPowers:   backwardSigmoidPowersYF64AVX2,
			setAnyPower: backwardSigmoidAnyPowerYF64AVX2,
		},
		backward: [numSets]func(out, x, r []float64, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardSigmoidRegionF64AVX2,
			setSquare:   backwardSigmoidSquareF64AVX2,
			setLogs:     backwardSigmoidLogsF64AVX2,
			setPowers:   backwardSigmoidPowersF64AVX2,
			setAnyPower: backwardSigmoidAnyPowerF64AVX2,
		},
	},
}

var rowsAVX512F32 = [2]rowKernels[float32]{
	None: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float32, y []uint8, class uint8, k *[numFactors]float32) bool{
			setRegion:   forwardNoneRegionYF32AVX512,
			setSquare:   forwardNoneSquareYF32AVX512,
			setLogs:     forwardNoneLogsYF32AVX512,
			setPowers:   forwardNonePowersYF32AVX512,
			setAnyPower: forwardNoneAnyPowerYF32AVX512,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float32, k *[numFactors]float32) bool{
			setRegion:   forwardNoneRegionF32AVX512,
			setSquare:   forwardNoneSquareF32AVX512,
			setLogs:     forwardNoneLogsF32AVX512,
			setPowers:   forwardNonePowersF32AVX512,
			setAnyPower: forwardNoneAnyPowerF32AVX512,
		},
		backwardY: [numSets]func(out, x []float32, y []uint8, class uint8, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardNoneRegionYF32AVX512,
			setSquare:   backwardNoneSquareYF32AVX512,
			setLogs:     backwardNoneLogsYF32AVX512,
			setPowers:   backwardNonePowersYF32AVX512,
			setAnyPower: backwardNoneAnyPowerYF32AVX512,
		},
		backward: [numSets]func(out, x, r []float32, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardNoneRegionF32AVX512,
			setSquare:   backwardNoneSquareF32AVX512,
			setLogs:     backwardNoneLogsF32AVX512,
			setPowers:   backwardNonePowersF32AVX512,
			setAnyPower: backwardNoneAnyPowerF32AVX512,
		},
	},
	Sigmoid: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float32, y []uint8, class uint8, k *[numFactors]float32) bool{
			setRegion:   forwardSigmoidRegionYF32AVX512,
			setSquare:   forwardSigmoidSquareYF32AVX512,
			setLogs:     forwardSigmoidLogsYF32AVX512,
			setPowers:   forwardSigmoidPowersYF32AVX512,
			setAnyPower: forwardSigmoidAnyPowerYF32AVX512,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float32, k *[numFactors]float32) bool{
			setRegion:   forwardSigmoidRegionF32AVX512,
			setSquare:   forwardSigmoidSquareF32AVX512,
			setLogs:     forwardSigmoidLogsF32AVX512,
			setPowers:   forwardSigmoidPowersF32AVX512,
			setAnyPower: forwardSigmoidAnyPowerF32AVX512,
		},
		backwardY: [numSets]func(out, x []float32, y []uint8, class uint8, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardSigmoidRegionYF32AVX512,
			setSquare:   backwardSigmoidSquareYF32AVX512,
			setLogs:     backwardSigmoidLogsYF32AVX512,
			setPowers:   backwardSigmoidPowersYF32AVX512,
			setAnyPower: backwardSigmoidAnyPowerYF32AVX512,
		},
		backward: [numSets]func(out, x, r []float32, k *[numFactors]float32, stream bool) bool{
			setRegion:   backwardSigmoidRegionF32AVX512,
			setSquare:   backwardSigmoidSquareF32AVX512,
			setLogs:     backwardSigmoidLogsF32AVX512,
			setPowers:   backwardSigmoidPowersF32AVX512,
			setAnyPower: backwardSigmoidAnyPowerF32AVX512,
		},
	},
}

var rowsAVX512F64 = [2]rowKernels[float64]{
	None: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float64, y []uint8, class uint8, k *[numFactors]float64) bool{
			setRegion:   forwardNoneRegionYF64AVX512,
			setSquare:   forwardNoneSquareYF64AVX512,
			setLogs:     forwardNoneLogsYF64AVX512,
			setPowers:   forwardNonePowersYF64AVX512,
			setAnyPower: forwardNoneAnyPowerYF64AVX512,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float64, k *[numFactors]float64) bool{
			setRegion:   forwardNoneRegionF64AVX512,
			setSquare:   forwardNoneSquareF64AVX512,
			setLogs:     forwardNoneLogsF64AVX512,
			setPowers:   forwardNonePowersF64AVX512,
			setAnyPower: forwardNoneAnyPowerF64AVX512,
		},
		backwardY: [numSets]func(out, x []float64, y []uint8, class uint8, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardNoneRegionYF64AVX512,
			setSquare:   backwardNoneSquareYF64AVX512,
			setLogs:     backwardNoneLogsYF64AVX512,
			setPowers:   backwardNonePowersYF64AVX512,
			setAnyPower: backwardNoneAnyPowerYF64AVX512,
		},
		backward: [numSets]func(out, x, r []float64, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardNoneRegionF64AVX512,
			setSquare:   backwardNoneSquareF64AVX512,
			setLogs:     backwardNoneLogsF64AVX512,
			setPowers:   backwardNonePowersF64AVX512,
			setAnyPower: backwardNoneAnyPowerF64AVX512,
		},
	},
	Sigmoid: {
		forwardY: [numSets]func(acc *[numSums]float64, x []float64, y []uint8, class uint8, k *[numFactors]float64) bool{
			setRegion:   forwardSigmoidRegionYF64AVX512,
			setSquare:   forwardSigmoidSquareYF64AVX512,
			setLogs:     forwardSigmoidLogsYF64AVX512,
			setPowers:   forwardSigmoidPowersYF64AVX512,
			setAnyPower: forwardSigmoidAnyPowerYF64AVX512,
		},
		forward: [numSets]func(acc *[numSums]float64, x, r []float64, k *[numFactors]float64) bool{
			setRegion:   forwardSigmoidRegionF64AVX512,
			setSquare:   forwardSigmoidSquareF64AVX512,
			setLogs:     forwardSigmoidLogsF64AVX512,
			setPowers:   forwardSigmoidPowersF64AVX512,
			setAnyPower: forwardSigmoidAnyPowerF64AVX512,
		},
		backwardY: [numSets]func(out, x []float64, y []uint8, class uint8, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardSigmoidRegionYF64AVX512,
			setSquare:   backwardSigmoidSquareYF64AVX512,
			setLogs:     backwardSigmoidLogsYF64AVX512,
			setPowers:   backwardSigmoidPowersYF64AVX512,
			setAnyPower: backwardSigmoidAnyPowerYF64AVX512,
		},
		backward: [numSets]func(out, x, r []float64, k *[numFactors]float64, stream bool) bool{
			setRegion:   backwardSigmoidRegionF64AVX512,
			setSquare:   backwardSigmoidSquareF64AVX512,
			setLogs:     backwardSigmoidLogsF64AVX512,
			setPowers:   backwardSigmoidPowersF64AVX512,
			setAnyPower: backwardSigmoidAnyPowerF64AVX512,
		},
	},
}
