//go:build linux && !purego

package kernels_test

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// BenchmarkMoves times what brings elements and labels to another layout or
// type, on as many as a tile has: move=…/isa=…/type=…/n=….
func BenchmarkMoves(b *testing.B) {
	for _, s := range instructionSets {
		if s.missing() != "" {
			continue
		}
		f32, f64 := &kernels.MovesAVX2F32, &kernels.MovesAVX2F64
		if s.name == "avx512" {
			f32, f64 = &kernels.MovesAVX512F32, &kernels.MovesAVX512F64
		}
		benchmarkMoves(b, s.name, "f32", f32)
		benchmarkMoves(b, s.name, "f64", f64)
		benchmarkLabels(b, s.name, f32)
	}
}

func benchmarkMoves[T kernels.Float](b *testing.B, isa, elem string, k *kernels.Moves[T]) {
	const n, stride = 512, 512 + 16
	size := int(unsafe.Sizeof(T(0)))
	for _, m := range movesOf(k) {
		src, dst := make([]T, m.c*stride), make([]T, m.c*stride+64/size)
		dst = dst[-uintptr(unsafe.Pointer(&dst[0]))%64/unsafe.Sizeof(dst[0]):]
		b.Run(fmt.Sprintf("move=%s/isa=%s/type=%s/n=%d", m.name, isa, elem, n), func(b *testing.B) {
			b.SetBytes(int64(m.c * n * size))
			for range b.N {
				m.do(&dst[0], &src[0], stride, n)
			}
		})
	}
	b.Run(fmt.Sprintf("move=within/isa=%s/type=%s/n=%d", isa, elem, n), func(b *testing.B) {
		x := make([]T, n)
		b.SetBytes(int64(n * size))
		for range b.N {
			k.Within(x, 80)
		}
	})
}

func benchmarkLabels(b *testing.B, isa string, k *kernels.Moves[float32]) {
	const n = 4096
	y8, y32, y64, dst := make([]uint8, n), make([]int32, n), make([]int64, n), make([]uint8, n)
	for _, m := range []struct {
		name, elem string
		size       int
		do         func()
	}{
		{"labelsMost", "u8", 1, func() { k.LabelsMost(y8) }},
		{"narrow32", "i32", 4, func() { k.Narrow32(dst, y32) }},
		{"narrow64", "i64", 8, func() { k.Narrow64(dst, y64) }},
	} {
		b.Run(fmt.Sprintf("move=%s/isa=%s/type=%s/n=%d", m.name, isa, m.elem, n), func(b *testing.B) {
			b.SetBytes(int64(n * m.size))
			for range b.N {
				m.do()
			}
		})
	}
}
