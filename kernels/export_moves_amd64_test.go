//go:build !purego

package kernels

// Moves are the assembly functions of one instruction set that check elements
// and labels or bring them to another layout, for the tests of package
// kernels_test.
type Moves[T Float] struct {
	LabelsMost           func(y []uint8) uint8
	Narrow32             func(dst []uint8, y []int32) uint32
	Narrow64             func(dst []uint8, y []int64) uint64
	Within               func(x []T, limit T) bool
	Pack, Unpack, Stream [9]func(dst, src *T, stride, n int) // by the number of channels
	PackMany, UnpackMany func(dst, src *T, stride, c, n int)
	Fence                func()
}

var (
	MovesAVX2F32 = Moves[float32]{
		LabelsMost: labelsMostAVX2, Narrow32: narrow32AVX2, Narrow64: narrow64AVX2, Within: withinF32AVX2,
		Pack: [9]func(dst, src *float32, stride, n int){
			2: pack2F32AVX2, 3: pack3F32AVX2, 4: pack4F32AVX2, 5: pack5F32AVX2, 6: pack6F32AVX2, 7: pack7F32AVX2, 8: pack8F32AVX2,
		},
		Unpack: [9]func(dst, src *float32, stride, n int){
			2: unpack2F32AVX2, 3: unpack3F32AVX2, 4: unpack4F32AVX2, 5: unpack5F32AVX2, 6: unpack6F32AVX2, 7: unpack7F32AVX2, 8: unpack8F32AVX2,
		},
		Stream: [9]func(dst, src *float32, stride, n int){
			2: stream2F32AVX2, 3: stream3F32AVX2, 4: stream4F32AVX2, 5: stream5F32AVX2, 6: stream6F32AVX2, 7: stream7F32AVX2, 8: stream8F32AVX2,
		},
		PackMany: packManyF32AVX2, UnpackMany: unpackManyF32AVX2, Fence: fenceAVX2,
	}
	MovesAVX2F64 = Moves[float64]{
		LabelsMost: labelsMostAVX2, Narrow32: narrow32AVX2, Narrow64: narrow64AVX2, Within: withinF64AVX2,
		Pack: [9]func(dst, src *float64, stride, n int){
			2: pack2F64AVX2, 3: pack3F64AVX2, 4: pack4F64AVX2, 5: pack5F64AVX2, 6: pack6F64AVX2, 7: pack7F64AVX2, 8: pack8F64AVX2,
		},
		Unpack: [9]func(dst, src *float64, stride, n int){
			2: unpack2F64AVX2, 3: unpack3F64AVX2, 4: unpack4F64AVX2, 5: unpack5F64AVX2, 6: unpack6F64AVX2, 7: unpack7F64AVX2, 8: unpack8F64AVX2,
		},
		Stream: [9]func(dst, src *float64, stride, n int){
			2: stream2F64AVX2, 3: stream3F64AVX2, 4: stream4F64AVX2, 5: stream5F64AVX2, 6: stream6F64AVX2, 7: stream7F64AVX2, 8: stream8F64AVX2,
		},
		PackMany: packManyF64AVX2, UnpackMany: unpackManyF64AVX2, Fence: fenceAVX2,
	}
	MovesAVX512F32 = Moves[float32]{
		LabelsMost: labelsMostAVX512, Narrow32: narrow32AVX512, Narrow64: narrow64AVX512, Within: withinF32AVX512,
		Pack: [9]func(dst, src *float32, stride, n int){
			2: pack2F32AVX512, 3: pack3F32AVX512, 4: pack4F32AVX512, 5: pack5F32AVX512, 6: pack6F32AVX512, 7: pack7F32AVX512, 8: pack8F32AVX512,
		},
		Unpack: [9]func(dst, src *float32, stride, n int){
			2: unpack2F32AVX512, 3: unpack3F32AVX512, 4: unpack4F32AVX512, 5: unpack5F32AVX512, 6: unpack6F32AVX512, 7: unpack7F32AVX512, 8: unpack8F32AVX512,
		},
		Stream: [9]func(dst, src *float32, stride, n int){
			2: stream2F32AVX512, 3: stream3F32AVX512, 4: stream4F32AVX512, 5: stream5F32AVX512, 6: stream6F32AVX512, 7: stream7F32AVX512, 8: stream8F32AVX512,
		},
		PackMany: packManyF32AVX512, UnpackMany: unpackManyF32AVX512, Fence: fenceAVX512,
	}
	MovesAVX512F64 = Moves[float64]{
		LabelsMost: labelsMostAVX512, Narrow32: narrow32AVX512, Narrow64: narrow64AVX512, Within: withinF64AVX512,
		Pack: [9]func(dst, src *float64, stride, n int){
			2: pack2F64AVX512, 3: pack3F64AVX512, 4: pack4F64AVX512, 5: pack5F64AVX512, 6: pack6F64AVX512, 7: pack7F64AVX512, 8: pack8F64AVX512,
		},
		Unpack: [9]func(dst, src *float64, stride, n int){
			2: unpack2F64AVX512, 3: unpack3F64AVX512, 4: unpack4F64AVX512, 5: unpack5F64AVX512, 6: unpack6F64AVX512, 7: unpack7F64AVX512, 8: unpack8F64AVX512,
		},
		Stream: [9]func(dst, src *float64, stride, n int){
			2: stream2F64AVX512, 3: stream3F64AVX512, 4: stream4F64AVX512, 5: stream5F64AVX512, 6: stream6F64AVX512, 7: stream7F64AVX512, 8: stream8F64AVX512,
		},
		PackMany: packManyF64AVX512, UnpackMany: unpackManyF64AVX512, Fence: fenceAVX512,
	}
)
