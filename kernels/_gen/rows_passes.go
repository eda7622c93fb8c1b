package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A kernel with a sigmoid goes over a window of its row twice: first it leaves
// the exponentials in its frame, or with lanes of float64 the fractions that it
// takes everything from, then it does what is left. A single pass would
// be a chain of so many steps that the processor could not have enough vectors
// under way at once.

// bufferSize is how many bytes a row of the buffer has.
const bufferSize = 2048

// makeBuffer reserves the buffer in the frame, aligned to a vector: one row, or
// two with lanes of float64.
func (b *rowKernel) makeBuffer() {
	b.Attributes(attr.Attribute(0)) // the frame may need a larger stack
	base := b.GP64()
	b.LEAQ(b.AllocLocal(pick(b.single, 1, 2)*bufferSize+64), base)
	b.ADDQ(operand.U8(63), base)
	b.ANDQ(operand.I8(-64), base)
	b.buffer = array{base: base, size: b.elemSize()}
}

// loop runs body over the n positions of a row.
func (b *rowKernel) loop(n reg.GPVirtual, unroll int, body func(vectors int)) {
	if b.sigmoid {
		b.windows(n, unroll, bufferSize/b.elemSize(), body, func() {})
	} else {
		b.row(n, unroll, body)
	}
}

// windows is loop by windows of so many elements, and what is to be done after
// each.
func (b *rowKernel) windows(n reg.GPVirtual, unroll, window int, body func(vectors int), after func()) {
	left, size := b.GP64(), b.GP64()
	b.gen.index = b.GP64()
	b.XORQ(b.gen.index, b.gen.index)
	b.MOVQ(n, left)
	b.TESTQ(left, left)
	b.JLE(operand.LabelRef("end"))
	b.Label("window")
	b.Commentf("Up to %d elements.", window)
	b.MOVQ(operand.U32(window), size)
	b.CMPQ(left, size)
	b.CMOVQLT(left, size)
	b.SUBQ(size, left)
	if b.sigmoid {
		start, count := b.GP64(), b.GP64()
		b.MOVQ(b.gen.index, start)
		b.MOVQ(size, count)
		b.rowOn(count, b.ahead(), b.fillBuffer)
		b.MOVQ(start, b.gen.index)
	}
	b.rowOn(size, unroll, body)
	if b.sigmoid {
		b.SUBQ(operand.U32(window*b.elemSize()), b.buffer.base)
	}
	after()
	b.TESTQ(left, left)
	b.JG(operand.LabelRef("window"))
	b.Label("end")
}

// ahead is how many vectors of exponentials go side by side.
func (b *rowKernel) ahead() int { return pick(b.wide(), 4, 2) }

// bySize reports whether the exponentials are those of −|x|, for logarithms, and
// not of x.
func (b *rowKernel) bySize() bool { return b.takesLogs() && (b.powers || !b.backward) }

// fillBuffer leaves the exponentials of the next vectors in the buffer. With lanes
// of float64, whose polynomials are longer, it leaves num and den of e^x = num/den,
// from which both probabilities come by one division; or for logarithms, with e =
// e^-|x|, e/(2+e) and, where it is needed, 1/(1+e).
func (b *rowKernel) fillBuffer(vectors int) {
	b.filling = true
	x := b.readFrom(b.x, 0, vectors)
	b.filling = false
	if b.bySize() {
		x = b.or(x, signBit)
		b.watchMinus(x)
	} else {
		b.watchSize(x)
	}
	if b.single {
		b.gen.write(b.buffer, b.expOf(x))
		return
	}
	num, den := b.expFraction(x)
	if !b.bySize() {
		b.keep(0, num)
		b.keep(1, den)
		return
	}
	b.Comment("e/(2+e), and where it is needed 1/(1+e) by the same division.")
	sum := b.add(num, den)
	more := b.add(sum, den)
	if !b.needsShares() {
		b.keep(0, b.div(num, more))
		return
	}
	inverse := b.div(b.load(one).times(len(x)), b.mul(sum, more))
	b.keep(0, b.mul(b.mul(inverse, sum), num))
	b.keep(1, b.mul(b.mul(inverse, more), den))
}

// keep writes to the i-th row of the buffer.
func (b *rowKernel) keep(i int, v vec) {
	for j, r := range v {
		b.writeAt(b.buffer.mem(b.gen.index, (i*bufferSize/b.bytes+j)*b.lanes()), b.buffer.size, r)
	}
}

// taken reads k vectors of the i-th row of the buffer.
func (b *rowKernel) taken(i, k int) vec { return b.readFrom(b.buffer, b.from+i*bufferSize/b.bytes, k) }

// exponentials takes k vectors out of the buffer.
func (b *rowKernel) exponentials(k int) vec { return b.readFrom(b.buffer, b.from, k) }
