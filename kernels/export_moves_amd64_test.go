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
	MovesAVX2F32   = movesOf(&fusedAVX2F32)
	MovesAVX2F64   = movesOf(&fusedAVX2F64)
	MovesAVX512F32 = movesOf(&fusedAVX512F32)
	MovesAVX512F64 = movesOf(&fusedAVX512F64)
)

func movesOf[T Float](f *fused[T]) Moves[T] {
	m := &f.memoryKernels
	return Moves[T]{
		LabelsMost: m.labelsMost, Narrow32: m.narrow32, Narrow64: m.narrow64, Within: m.within,
		Pack: m.pack, Unpack: m.unpack, Stream: m.stream,
		PackMany: m.packMany, UnpackMany: m.unpackMany, Fence: m.fence,
	}
}
