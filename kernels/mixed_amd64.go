//go:build !purego

package kernels

// The kernels of mixed classes, by instruction set.

var mixedAVX2F32 = mixedKernels[float32]{
	lanes: 8,
	forwardY: [setSquare + 1]func(acc *mixedSums, x *float32, y *uint8, at *mixedPlace, n, stride, step int, next *ahead){
		setOverlap: forwardMixedOverlapYF32AVX2, setRegion: forwardMixedRegionYF32AVX2, setSquare: forwardMixedSquareYF32AVX2,
	},
	forward: [setSquare + 1]func(acc *mixedSums, x, r *float32, n, stride int, next *ahead){
		setOverlap: forwardMixedOverlapF32AVX2, setRegion: forwardMixedRegionF32AVX2, setSquare: forwardMixedSquareF32AVX2,
	},
	backwardY: [setSquare + 1]func(out, x *float32, y *uint8, at *mixedPlace, k *float32, lines, n int, stream bool){
		setRegion: backwardMixedRegionYF32AVX2, setSquare: backwardMixedSquareYF32AVX2,
	},
	backward: [setSquare + 1]func(out, x, r, k *float32, lines, n int, stream bool){
		setRegion: backwardMixedRegionF32AVX2, setSquare: backwardMixedSquareF32AVX2,
	},
}

var mixedAVX2F64 = mixedKernels[float64]{
	lanes: 4,
	forwardY: [setSquare + 1]func(acc *mixedSums, x *float64, y *uint8, at *mixedPlace, n, stride, step int, next *ahead){
		setOverlap: forwardMixedOverlapYF64AVX2, setRegion: forwardMixedRegionYF64AVX2, setSquare: forwardMixedSquareYF64AVX2,
	},
	forward: [setSquare + 1]func(acc *mixedSums, x, r *float64, n, stride int, next *ahead){
		setOverlap: forwardMixedOverlapF64AVX2, setRegion: forwardMixedRegionF64AVX2, setSquare: forwardMixedSquareF64AVX2,
	},
	backwardY: [setSquare + 1]func(out, x *float64, y *uint8, at *mixedPlace, k *float64, lines, n int, stream bool){
		setRegion: backwardMixedRegionYF64AVX2, setSquare: backwardMixedSquareYF64AVX2,
	},
	backward: [setSquare + 1]func(out, x, r, k *float64, lines, n int, stream bool){
		setRegion: backwardMixedRegionF64AVX2, setSquare: backwardMixedSquareF64AVX2,
	},
}

var mixedAVX512F32 = mixedKernels[float32]{
	lanes: 16,
	forwardY: [setSquare + 1]func(acc *mixedSums, x *float32, y *uint8, at *mixedPlace, n, stride, step int, next *ahead){
		setOverlap: forwardMixedOverlapYF32AVX512, setRegion: forwardMixedRegionYF32AVX512, setSquare: forwardMixedSquareYF32AVX512,
	},
	forward: [setSquare + 1]func(acc *mixedSums, x, r *float32, n, stride int, next *ahead){
		setOverlap: forwardMixedOverlapF32AVX512, setRegion: forwardMixedRegionF32AVX512, setSquare: forwardMixedSquareF32AVX512,
	},
	backwardY: [setSquare + 1]func(out, x *float32, y *uint8, at *mixedPlace, k *float32, lines, n int, stream bool){
		setRegion: backwardMixedRegionYF32AVX512, setSquare: backwardMixedSquareYF32AVX512,
	},
	backward: [setSquare + 1]func(out, x, r, k *float32, lines, n int, stream bool){
		setRegion: backwardMixedRegionF32AVX512, setSquare: backwardMixedSquareF32AVX512,
	},
}

var mixedAVX512F64 = mixedKernels[float64]{
	lanes: 8,
	forwardY: [setSquare + 1]func(acc *mixedSums, x *float64, y *uint8, at *mixedPlace, n, stride, step int, next *ahead){
		setOverlap: forwardMixedOverlapYF64AVX512, setRegion: forwardMixedRegionYF64AVX512, setSquare: forwardMixedSquareYF64AVX512,
	},
	forward: [setSquare + 1]func(acc *mixedSums, x, r *float64, n, stride int, next *ahead){
		setOverlap: forwardMixedOverlapF64AVX512, setRegion: forwardMixedRegionF64AVX512, setSquare: forwardMixedSquareF64AVX512,
	},
	backwardY: [setSquare + 1]func(out, x *float64, y *uint8, at *mixedPlace, k *float64, lines, n int, stream bool){
		setRegion: backwardMixedRegionYF64AVX512, setSquare: backwardMixedSquareYF64AVX512,
	},
	backward: [setSquare + 1]func(out, x, r, k *float64, lines, n int, stream bool){
		setRegion: backwardMixedRegionF64AVX512, setSquare: backwardMixedSquareF64AVX512,
	},
}
