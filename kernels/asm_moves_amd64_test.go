//go:build linux && !purego

package kernels_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// forEachMoves runs a test on the moves of every instruction set of the machine.
func forEachMoves(t *testing.T, test func(t *testing.T, f32 *kernels.Moves[float32], f64 *kernels.Moves[float64])) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	forEachISA(t, func(t *testing.T, f32 *kernels.Primitives[float32], _ *kernels.Primitives[float64]) {
		if f32 == &kernels.PrimitivesAVX2F32 {
			test(t, &kernels.MovesAVX2F32, &kernels.MovesAVX2F64)
		} else {
			test(t, &kernels.MovesAVX512F32, &kernels.MovesAVX512F64)
		}
	})
}

// aMove is one that brings n positions of c channels from one layout to another.
type aMove[T kernels.Float] struct {
	name   string
	c      int
	unpack bool
	stream bool // where dst is aligned
	do     func(dst, src *T, stride, n int)
}

func movesOf[T kernels.Float](k *kernels.Moves[T]) (all []aMove[T]) {
	for c := 2; c <= 8; c++ {
		all = append(all,
			aMove[T]{fmt.Sprintf("pack%d", c), c, false, false, k.Pack[c]},
			aMove[T]{fmt.Sprintf("unpack%d", c), c, true, false, k.Unpack[c]},
			aMove[T]{fmt.Sprintf("stream%d", c), c, true, true, k.Stream[c]})
	}
	for _, c := range []int{8, 9, 15, 16, 21} {
		all = append(all,
			aMove[T]{fmt.Sprintf("packMany of %d", c), c, false, false, func(dst, src *T, stride, n int) { k.PackMany(dst, src, stride, c, n) }},
			aMove[T]{fmt.Sprintf("unpackMany of %d", c), c, true, false, func(dst, src *T, stride, n int) { k.UnpackMany(dst, src, stride, c, n) }})
	}
	return all
}

// Every move brings each element to its place, bit for bit, and touches nothing
// else, at every length and alignment.
func TestMoves(t *testing.T) {
	forEachMoves(t, func(t *testing.T, f32 *kernels.Moves[float32], f64 *kernels.Moves[float64]) {
		t.Run("float32", func(t *testing.T) { testMoves[float32, uint32](t, f32) })
		t.Run("float64", func(t *testing.T) { testMoves[float64, uint64](t, f64) })
	})
}

// testMoves looks at elements as numbers B of as many bits.
func testMoves[T kernels.Float, B uint32 | uint64](t *testing.T, k *kernels.Moves[T]) {
	const most, mostChannels = 130, 21
	size := int(unsafe.Sizeof(T(0)))
	src, dst := newGuarded(t, (most+5)*mostChannels*size), newGuarded(t, (most+5)*mostChannels*size)
	want := make([]byte, len(dst))
	rnd := rand.New(rand.NewPCG(41, 42))
	fillWithNaNs[B](rnd, src)
	what := ""
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", what, r)
		}
	}()
	for _, m := range movesOf(k) {
		for n := range most + 1 {
			for place := range 4 {
				what = fmt.Sprintf("%s, n = %d, place %d", m.name, n, place)
				stride := n + n%4
				planar, last := max(0, (m.c-1)*stride+n)*size, m.c*n*size
				if n == 0 {
					planar = 0
				}
				fromSize, toSize := last, planar
				if m.unpack {
					fromSize, toSize = planar, last
				}
				from, to := offset(place, len(src)-fromSize, size, n), offset(place, len(dst)-toSize, size, n/2)
				if m.stream {
					to &^= 63
				}
				fillWithNaNs[B](rnd, dst[to:to+toSize])
				copy(want, dst)
				loopMove(m.c, n, stride, m.unpack, elements[B](want[to:]), elements[B](src[from:]))
				m.do(address[T](dst, to), address[T](src, from), stride, n)
				if !bytes.Equal(dst, want) {
					t.Fatalf("%s: wrong bits", what)
				}
			}
		}
	}
}

// offset is where to put what may start at any byte up to room: at the end, at
// the start, or off any alignment but the elements'.
func offset(place, room, size, n int) int {
	switch place {
	case 0:
		return room
	case 1:
		return 0
	case 2:
		return min(room, size*(1+n%15))
	default:
		return max(0, room-size*(1+n%15))
	}
}

// fillWithNaNs fills memory with random bits, of which some are those of a NaN.
func fillWithNaNs[B uint32 | uint64](rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	bits := elements[B](b)
	for i := range bits {
		if rnd.IntN(4) == 0 {
			bits[i] |= ^B(0) << 24 >> 1 // all of the exponent
		}
	}
}

func elements[B uint32 | uint64](b []byte) []B {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*B)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(B(0))))
}

// address is that of the byte at an offset, which may be the end.
func address[T kernels.Float](g guarded, offset int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(g)), offset))
}

func loopMove[B uint32 | uint64](channels, n, stride int, unpack bool, dst, src []B) {
	for i := range n {
		for c := range channels {
			if unpack {
				dst[channels*i+c] = src[c*stride+i]
			} else {
				dst[c*stride+i] = src[channels*i+c]
			}
		}
	}
}

// The largest label is found wherever it is, and labels keep their lowest byte.
func TestMovesLabels(t *testing.T) {
	const most = 200
	forEachMoves(t, func(t *testing.T, k *kernels.Moves[float32], _ *kernels.Moves[float64]) {
		rnd, tried := rand.New(rand.NewPCG(43, 44)), kernels.Sampler(4)
		memory, memory8 := newGuarded(t, 8*most), newGuarded(t, most)
		for n := range most + 1 {
			y := make([]int64, n)
			for i := range y {
				y[i] = rnd.Int64N(100)
			}
			for at := range max(n, 1) {
				for _, value := range []int64{100 + rnd.Int64N(156), 1 << 20, math.MinInt32, math.MaxInt32, math.MinInt64, -1, 1 << 33} {
					if !tried() {
						continue
					}
					if n > 0 {
						y[at] = value
					}
					testNarrow(t, k.Narrow32, func(l int32) uint32 { return uint32(l) }, convert[int32](y), memory, memory8, at%2 == 0)
					testNarrow(t, k.Narrow64, func(l int64) uint64 { return uint64(l) }, y, memory, memory8, at%2 == 0)
				}
				testMost(t, k.LabelsMost, edge(memory8, convert[uint8](y), at%2 == 0))
				if n > 0 {
					y[at] = rnd.Int64N(100)
				}
			}
		}
		k.Fence()
	})
}

func testMost(t *testing.T, most func([]uint8) uint8, y []uint8) {
	t.Helper()
	want := uint8(0)
	for _, l := range y {
		want = max(want, l)
	}
	if got := most(y); got != want {
		t.Fatalf("the largest of %d labels is %d; want %d", len(y), got, want)
	}
}

func testNarrow[L int32 | int64, U uint32 | uint64](t *testing.T, narrow func([]uint8, []L) U, unsigned func(L) U, y []L, memory, memory8 guarded, atEnd bool) {
	t.Helper()
	y = edge(memory, y, atEnd)
	for i := range memory8 {
		memory8[i] = 0xa5
	}
	want, at := bytes.Clone(memory8), 0
	if atEnd {
		at = len(memory8) - len(y)
	}
	largest := U(0)
	for i, l := range y {
		want[at+i] = uint8(l)
		largest = max(largest, unsigned(l))
	}
	if got := narrow(memory8[at:at+len(y)], y); got != largest {
		t.Fatalf("%T: the largest of %d is %d; want %d", y, len(y), got, largest)
	}
	if !bytes.Equal(memory8, want) {
		t.Fatalf("%T: %d labels came out wrong", y, len(y))
	}
}

// A single element beyond the limit is noticed wherever it is.
func TestMovesWithin(t *testing.T) {
	forEachMoves(t, func(t *testing.T, f32 *kernels.Moves[float32], f64 *kernels.Moves[float64]) {
		testWithin(t, f32.Within, float32(math.Nextafter32(80, 81)))
		testWithin(t, f64.Within, math.Nextafter(80, 81))
	})
}

func testWithin[T kernels.Float](t *testing.T, within func(x []T, limit T) bool, beyond T) {
	const most = 130
	rnd := rand.New(rand.NewPCG(45, 46))
	memory := newGuarded(t, most*8)
	for n := range most + 1 {
		x := make([]T, n)
		for i := range x {
			x[i] = T(160*rnd.Float64() - 80)
		}
		for _, atEnd := range []bool{true, false} {
			x := edge(memory, x, atEnd)
			if !within(x, 80) {
				t.Fatalf("%T: %d elements are beyond 80", x, n)
			}
			for i, old := range x {
				for value, want := range map[T]bool{80: true, -80: true, 0: true, beyond: false, -beyond: false, T(math.Inf(1)): false, T(math.Inf(-1)): false, T(math.NaN()): false} {
					x[i] = value
					if within(x, 80) != want {
						t.Fatalf("%T: element %d of %d is %v: %v", x, i, n, value, !want)
					}
				}
				x[i] = old
			}
		}
	}
}
