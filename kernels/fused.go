package kernels

import "unsafe"

// A fused kernel goes from the caller's elements to sums, or to the gradient,
// without a stop in memory: its lanes are of the element type, and labels are
// bytes. It is the fast way for ordinary numbers; whatever it declines or does
// not cover takes the rows of a tile (package cpu), which are float64.

// fused is the fused kernels of one instruction set for elements of type T. An
// entry that is nil is not there. None of the functions looks at the length of
// any slice but its first, nor behind a pointer.
type fused[T Float] struct {
	rows    [2]rowKernels[T] // by activation: None, Sigmoid
	mixed   mixedKernels[T]
	softmax softmaxKernels[T]

	memoryKernels[T]
}

// memoryKernels bring labels and elements into the form that the others take, and
// gradients back.
type memoryKernels[T Float] struct {
	// Labels become bytes. narrow keeps the low byte and returns the largest
	// label as an unsigned number, so that a negative one is huge.
	labelsMost func(y []uint8) uint8
	narrow32   func(dst []uint8, y []int32) uint32
	narrow64   func(dst []uint8, y []int64) uint64

	// within reports whether every |x| ≤ limit; a NaN is not.
	within func(x []T, limit T) bool

	// Channels-last elements become rows and back, by the number of classes:
	// row c of the planar side starts at c·stride.
	pack   [maxUnrolled + 1]func(dst, src *T, stride, n int)
	unpack [maxUnrolled + 1]func(dst, src *T, stride, n int)

	// The same for maxUnrolled classes or more, and unpack with streaming stores
	// to a dst that is aligned to 64 bytes.
	packMany, unpackMany func(dst, src *T, stride, c, n int)
	stream               [maxUnrolled + 1]func(dst, src *T, stride, n int)

	// fence orders streaming stores before what follows.
	fence func()
}

// maxUnrolled is the number of classes up to which kernels may have their own
// code for each.
const maxUnrolled = 8

// A set is what one row kernel computes. A loss takes the smallest that covers
// it. Every set sums the target too: R with labels, R, NR and RR with a dense
// one, of which setOverlap has R alone.
type set int

const (
	setOverlap      set = iota // TP FP FN: forward, without an activation
	setRegion                  // TP FP FN TN
	setSquare                  // PP SQR SQB; its gradient has that of the region sums too
	setLogs                    // region, LogP LogQ
	setPowers                  // region, LogP LogQ, Pos Neg, where 2γ is one of 0 … 8
	setAnyPower                // the same for any γ
	setOnlyLogs                // LogP LogQ
	setOnlyPowers              // Pos Neg, with γ as above
	setOnlyAnyPower            // the same for any γ
	numSets
)

// rowKernels work on one class of a span. They return false, with what they
// write unspecified, where some |x| is beyond the limit or a NaN; without an
// activation they always do their work. Meanwhile they ask the memory for what is at
// next. stream asks for streaming stores: out is aligned to 64 bytes then.
type rowKernels[T Float] struct {
	forwardY  [numSets]func(acc *[numSums]float64, x []T, y []uint8, class uint8, k *[numFactors]T, next *ahead) bool
	forward   [numSets]func(acc *[numSums]float64, x, r []T, k *[numFactors]T, next *ahead) bool
	backwardY [numSets]func(out, x []T, y []uint8, class uint8, k *[numFactors]T, next *ahead, stream bool) bool
	backward  [numSets]func(out, x, r []T, k *[numFactors]T, next *ahead, stream bool) bool
}

// mixedKernels work on channels-last elements as they lie, without an activation
// and without logarithms. The classes of the lanes repeat after a cycle of vectors.
// Labels are read 16 at a time.
type mixedKernels[T Float] struct {
	lanes int // of a vector; 0 where there are no such kernels

	// Sums by lane of n vectors, an even number, stride elements apart, and their
	// labels step bytes apart. Meanwhile the memory is asked for as many bytes of
	// what starts at next.
	forwardY [setSquare + 1]func(acc *mixedSums, x *T, y *uint8, at *mixedPlace, n, stride, step int, next *ahead)
	forward  [setSquare + 1]func(acc *mixedSums, x, r *T, n, stride int, next *ahead)

	// The gradient of n times mixedPositions, which are so many cache lines; at is of
	// each of these lines, and k of each vector of them.
	backwardY [setSquare + 1]func(out, x *T, y *uint8, at *mixedPlace, k *T, lines, n int, stream bool)
	backward  [setSquare + 1]func(out, x, r, k *T, lines, n int, stream bool)
}

// mixedPlace is of each lane of a vector, or element of a cache line, which label is
// its own, counted from the first of them all, and in the second half its class.
type mixedPlace = [32]uint8

// mixedSums are the sums of each lane of a vector.
type mixedSums = [numSums][mixedLanes]float64

// mixedLanes is how many lanes a vector has at most, and mixedFactors how many
// coefficients: those from byIn to bySQB.
const (
	mixedLanes   = 16
	mixedFactors = bySQB + 1
)

// The sums of a class, in the order of acc. A kernel adds those of its set and
// leaves the others alone.
const (
	sumTP = iota
	sumFP
	sumFN
	sumTN
	sumR
	sumNR
	sumRR
	sumPP
	sumSQR
	sumSQB
	sumLogP
	sumLogQ
	sumPos  // Σ r q^γ ln p
	sumNeg  // Σ (1−r) p^γ ln q
	numSums = 16
)

// What a row kernel takes beside its rows: forward the first five, backward
// the others, which start at 0 again. Every by… is multiplied by the upstream
// gradient already.
const (
	factorClip   = iota // least probability of a logarithm
	factorLnClip        // its logarithm
	factorLnRest        // ln(1 − clip)
	factorGamma         // γ
	factorGamma2        // 2γ
	numFactors   = 16
	byIn         = 0 // by p where r = 1: by TP less by FN
	byOut        = 1 // by p where r = 0: by FP less by TN
	byPP         = 2
	bySQR        = 3
	bySQB        = 4
	byLogP       = 5
	byLogQ       = 6
	byPos        = 7
	byNeg        = 8
	byGamma      = 9  // γ
	byGamma2     = 10 // 2γ
	byClip       = 11
)

// softmaxKernels work on all classes of a block with labels. p and q are C rows
// of stride elements. What reads logits asks the memory meanwhile for those that
// start at next, with their stride.
type softmaxKernels[T Float] struct {
	// Probabilities by the number of classes, and for any; false as above.
	// work has (C+2)·stride elements.
	few [maxUnrolled + 1]func(p, q, x *T, stride, xstride, n int, next uintptr) bool
	any func(p, q, x, work *T, stride, xstride, c, n int, next uintptr) bool

	// l[i] and qy[i] are ln p and q of the class y[i].
	memberLogs func(l, qy []T, p, q *T, y []uint8, stride, c int) bool

	// Sums of one class: TP FP FN TN and R; PP SQR SQB; row[i] of its members.
	regionY func(acc *[numSums]float64, p, q []T, y []uint8, class uint8)
	squareY func(acc *[numSums]float64, p, q []T, y []uint8, class uint8)
	sumY    func(acc *float64, row []T, y []uint8, class uint8)

	// From logits at once, by the number of classes: TP FP FN TN, and LogP too,
	// of all classes, whose acc follow each other; R is left to the caller. The
	// gradient of what needs no m, where out may lie on x.
	sumsY, logSumsY [maxUnrolled + 1]func(acc *[numSums]float64, x *T, y []uint8, xstride int, next uintptr) bool
	gradY           [maxUnrolled + 1]func(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, stream bool) bool

	// The same with q^γ ln p of members, where 2γ is one of 2 … 16: region sums
	// and Pos, or Pos alone; and the gradients, of which the second takes coefIn
	// and coefOut for 0.
	powerSumsY, onlyPowerSumsY [maxUnrolled + 1]func(acc *[numSums]float64, x *T, y []uint8, xstride int, next uintptr, gamma T) bool
	powerGradY, onlyPowerGradY [maxUnrolled + 1]func(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, gamma T, stream bool) bool

	// Features of members, from l and qy: q^γ ln p and (−ln p)^γ, and their
	// derivatives by the log-odds over q.
	memberPowers     func(w, l, qy []T, gamma T)
	memberExpLog     func(w, l, qy []T, gamma T) bool
	memberPowersGrad func(m, l, qy []T, gamma T) bool
	memberExpLogGrad func(m, l, qy []T, gamma T) bool

	// The gradient, by the number of classes and at 0 for any: with h as below
	// it is h_k q_k − p_k Σ_{c≠k} h_c. work is needed for any number of classes
	// alone; m is never nil.
	chainY       [maxUnrolled + 1]softmaxChain[T]
	squareChainY [maxUnrolled + 1]softmaxChain[T]
}

type softmaxChain[T Float] func(out, p, q, m, coef, work *T, y []uint8, outStride, stride, c int, stream bool)

// The coefficients of class c of a softmaxChain start at coef[8c]. h is
//
//	p (in + 2 byPP p − 2 bySQR q) + a + b m[i]   for the class of the label
//	p (out + 2 (byPP + bySQB) p)                 for another
//
// and chainY has no byPP, bySQR and bySQB.
const (
	coefIn = iota
	coefOut
	coefA
	coefB
	coefPP
	coefSQR
	coefSQB
	numCoefs = 8
)

// The limits of |x| up to which a kernel with logits must do its work. The
// exponentials and their sums, quotients and products with each other stay
// among the normal numbers: those of ±80 do in float32, and under softmax a
// difference of two logits takes the place of one.
func logitLimit[T Float](a Activation) T {
	limit := map32or64[T](80, 300)
	if a == Softmax {
		limit /= 2
	}
	return limit
}

// map32or64 returns the number for the element type.
func map32or64[T Float](f32, f64 float64) T {
	var t T
	if unsafe.Sizeof(t) == 4 {
		return T(f32)
	}
	return T(f64)
}
