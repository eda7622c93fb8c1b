//go:build !purego

package kernels

// What brings labels and elements into place, by instruction set.

var memoryAVX2F32 = memoryKernels[float32]{
	labelsMost: labelsMostAVX2, narrow32: narrow32AVX2, narrow64: narrow64AVX2,
	within: withinF32AVX2,
	pack: [...]func(dst, src *float32, stride, n int){
		2: pack2F32AVX2, 3: pack3F32AVX2, 4: pack4F32AVX2, 5: pack5F32AVX2, 6: pack6F32AVX2, 7: pack7F32AVX2, 8: pack8F32AVX2,
	},
	unpack: [...]func(dst, src *float32, stride, n int){
		2: unpack2F32AVX2, 3: unpack3F32AVX2, 4: unpack4F32AVX2, 5: unpack5F32AVX2, 6: unpack6F32AVX2, 7: unpack7F32AVX2, 8: unpack8F32AVX2,
	},
	packMany: packManyF32AVX2, unpackMany: unpackManyF32AVX2,
	stream: [...]func(dst, src *float32, stride, n int){
		2: stream2F32AVX2, 3: stream3F32AVX2, 4: stream4F32AVX2, 5: stream5F32AVX2, 6: stream6F32AVX2, 7: stream7F32AVX2, 8: stream8F32AVX2,
	},
	fence: fenceAVX2,
}

var memoryAVX2F64 = memoryKernels[float64]{
	labelsMost: labelsMostAVX2, narrow32: narrow32AVX2, narrow64: narrow64AVX2,
	within: withinF64AVX2,
	pack: [...]func(dst, src *float64, stride, n int){
		2: pack2F64AVX2, 3: pack3F64AVX2, 4: pack4F64AVX2, 5: pack5F64AVX2, 6: pack6F64AVX2, 7: pack7F64AVX2, 8: pack8F64AVX2,
	},
	unpack: [...]func(dst, src *float64, stride, n int){
		2: unpack2F64AVX2, 3: unpack3F64AVX2, 4: unpack4F64AVX2, 5: unpack5F64AVX2, 6: unpack6F64AVX2, 7: unpack7F64AVX2, 8: unpack8F64AVX2,
	},
	packMany: packManyF64AVX2, unpackMany: unpackManyF64AVX2,
	stream: [...]func(dst, src *float64, stride, n int){
		2: stream2F64AVX2, 3: stream3F64AVX2, 4: stream4F64AVX2, 5: stream5F64AVX2, 6: stream6F64AVX2, 7: stream7F64AVX2, 8: stream8F64AVX2,
	},
	fence: fenceAVX2,
}

var memoryAVX512F32 = memoryKernels[float32]{
	labelsMost: labelsMostAVX512, narrow32: narrow32AVX512, narrow64: narrow64AVX512,
	within: withinF32AVX512,
	pack: [...]func(dst, src *float32, stride, n int){
		2: pack2F32AVX512, 3: pack3F32AVX512, 4: pack4F32AVX512, 5: pack5F32AVX512, 6: pack6F32AVX512, 7: pack7F32AVX512, 8: pack8F32AVX512,
	},
	unpack: [...]func(dst, src *float32, stride, n int){
		2: unpack2F32AVX512, 3: unpack3F32AVX512, 4: unpack4F32AVX512, 5: unpack5F32AVX512, 6: unpack6F32AVX512, 7: unpack7F32AVX512, 8: unpack8F32AVX512,
	},
	packMany: packManyF32AVX512, unpackMany: unpackManyF32AVX512,
	stream: [...]func(dst, src *float32, stride, n int){
		2: stream2F32AVX512, 3: stream3F32AVX512, 4: stream4F32AVX512, 5: stream5F32AVX512, 6: stream6F32AVX512, 7: stream7F32AVX512, 8: stream8F32AVX512,
	},
	fence: fenceAVX512,
}

var memoryAVX512F64 = memoryKernels[float64]{
	labelsMost: labelsMostAVX512, narrow32: narrow32AVX512, narrow64: narrow64AVX512,
	within: withinF64AVX512,
	pack: [...]func(dst, src *float64, stride, n int){
		2: pack2F64AVX512, 3: pack3F64AVX512, 4: pack4F64AVX512, 5: pack5F64AVX512, 6: pack6F64AVX512, 7: pack7F64AVX512, 8: pack8F64AVX512,
	},
	unpack: [...]func(dst, src *float64, stride, n int){
		2: unpack2F64AVX512, 3: unpack3F64AVX512, 4: unpack4F64AVX512, 5: unpack5F64AVX512, 6: unpack6F64AVX512, 7: unpack7F64AVX512, 8: unpack8F64AVX512,
	},
	packMany: packManyF64AVX512, unpackMany: unpackManyF64AVX512,
	stream: [...]func(dst, src *float64, stride, n int){
		2: stream2F64AVX512, 3: stream3F64AVX512, 4: stream4F64AVX512, 5: stream5F64AVX512, 6: stream6F64AVX512, 7: stream7F64AVX512, 8: stream8F64AVX512,
	},
	fence: fenceAVX512,
}
