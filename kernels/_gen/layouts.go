package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layouts is where a move from channels last to planar rows, or back, stands:
// the addresses of the position at hand.
type layouts struct {
	*gen
	channels int
	planar   reg.GPVirtual    // in the first row
	strides  []reg.GPVirtual  // 1, 3, 5 and 7 rows, in bytes, as far as needed
	last     reg.GPVirtual    // its first channel
	step     [2]reg.GPVirtual // 1 and 3 positions in bytes, where that is no constant
	quarter  int              // positions that last is ahead in a block, where it is none
	stream   bool             // whether stores of whole blocks go past the caches
}

// manyChannels move at a time where their number is no constant.
const manyChannels = 8

// layouts takes parameters planar, last and stride.
func (g *gen) layouts(channels int, planar, last string) *layouts {
	l := &layouts{gen: g, channels: channels, planar: g.int(planar), last: g.int(last)}
	for i := 1; i < channels; i += 2 {
		r := g.GP64()
		switch i {
		case 1:
			g.MOVQ(g.frame("stride"), r)
			g.SHLQ(operand.U8(g.elemSize()/4+1), r)
		case 3:
			g.LEAQ(operand.Mem{Base: l.strides[0], Index: l.strides[0], Scale: 2}, r)
		case 5:
			g.LEAQ(operand.Mem{Base: l.strides[0], Index: l.strides[0], Scale: 4}, r)
		case 7:
			g.LEAQ(operand.Mem{Base: l.strides[1], Index: l.strides[0], Scale: 4}, r)
		}
		l.strides = append(l.strides, r)
	}
	return l
}

// row is the position at hand in the row of a channel.
func (l *layouts) row(c int) operand.Mem {
	m := operand.Mem{Base: l.planar}
	if c > 0 {
		scale := c & -c
		m.Index, m.Scale = l.strides[c/scale/2], uint8(scale)
	}
	return m
}

// at is the address of a byte of the block with the channels last; calls go
// upwards.
func (l *layouts) at(byteOffset int) operand.Mem {
	if l.step[0] == nil {
		return operand.Mem{Base: l.last, Disp: byteOffset}
	}
	size := l.channels * l.elemSize()
	position := byteOffset / size
	l.forward(position / 4 * 4)
	m := operand.Mem{Base: l.last, Disp: byteOffset % size}
	switch position % 4 {
	case 1, 2:
		m.Index, m.Scale = l.step[0], uint8(position%4)
	case 3:
		m.Index, m.Scale = l.step[1], 1
	}
	return m
}

// forward moves last to a position of the block, a multiple of four.
func (l *layouts) forward(position int) {
	for ; l.quarter < position; l.quarter += 4 {
		l.LEAQ(operand.Mem{Base: l.last, Index: l.step[0], Scale: 4}, l.last)
	}
}

// next moves on by a block.
func (l *layouts) next() {
	if l.step[0] == nil {
		l.ADDQ(operand.U32(l.channels*l.bytes), l.last)
	} else {
		l.forward(l.lanes())
		l.quarter = 0
	}
	l.ADDQ(operand.U8(l.bytes), l.planar)
}

// moveBy moves on by a number of positions, which may be negative.
func (l *layouts) moveBy(positions reg.GPVirtual) {
	l.LEAQ(operand.Mem{Base: l.planar, Index: positions, Scale: uint8(l.elemSize())}, l.planar)
	if l.step[0] == nil {
		l.IMUL3Q(operand.U8(l.channels*l.elemSize()), positions, positions)
	} else {
		l.IMULQ(l.step[0], positions)
	}
	l.ADDQ(positions, l.last)
}

// blocks moves n positions, block by block, of one vector for each channel. The
// last of them is a block too, some of which has been moved before; only where
// there is no whole block do positions move one by one.
func (l *layouts) blocks(n reg.GPVirtual, block func(), one func(c int)) {
	many, few, single, done := l.label("many"), l.label("few"), l.label("single"), l.label("done")
	l.loops++
	l.CMPQ(n, operand.U8(l.lanes()))
	l.JL(operand.LabelRef(few))
	l.Label(many)
	block()
	l.next()
	l.SUBQ(operand.U8(l.lanes()), n)
	l.CMPQ(n, operand.U8(l.lanes()))
	l.JGE(operand.LabelRef(many))
	l.TESTQ(n, n)
	l.JE(operand.LabelRef(done))
	l.Comment("The block that ends at the end.")
	l.SUBQ(operand.U8(l.lanes()), n)
	l.moveBy(n)
	if l.stream { // which it is not aligned for
		l.stream = false
		block()
		l.JMP(operand.LabelRef(done))
	} else {
		l.MOVQ(operand.U32(l.lanes()), n)
		l.JMP(operand.LabelRef(many))
	}
	l.Label(few)
	l.TESTQ(n, n)
	l.JLE(operand.LabelRef(done))
	l.Label(single)
	for c := range l.channels {
		one(c)
	}
	l.ADDQ(operand.U8(l.elemSize()), l.planar)
	if l.step[0] == nil {
		l.ADDQ(operand.U8(l.channels*l.elemSize()), l.last)
	} else {
		l.ADDQ(l.step[0], l.last)
	}
	l.DECQ(n)
	l.JNZ(operand.LabelRef(single))
	l.Label(done)
}

// copyOne moves one element.
func (l *layouts) copyOne(from, to operand.Mem) {
	r := l.GP64()
	if l.single {
		l.MOVL(from, r.As32())
		l.MOVL(r.As32(), to)
	} else {
		l.MOVQ(from, r)
		l.MOVQ(r, to)
	}
}

// load brings a block with the channels last into registers, as shuffle takes
// it. What is loaded by halves is broadcast first, which costs no more.
func (l *layouts) load() vec {
	v := l.regs(l.channels)
	for i, r := range v {
		switch {
		case l.wide() && l.split():
			l.VBROADCASTF32X8(l.asked(64*i), r)
			l.VINSERTF32X8(operand.U8(1), l.at(64*i+32), r, r)
		case l.wide():
			l.VMOVUPS(l.asked(64*i), r)
		default:
			l.VBROADCASTF128(l.asked(16*i), r)
		}
	}
	if !l.wide() {
		for i, r := range v {
			l.VINSERTF128(operand.U8(1), l.asked(16*(l.channels+i)), r, r)
		}
	}
	return v
}

// prefetchAhead is how many bytes before they are read channels-last elements are
// asked for.
const prefetchAhead = 8192

// asked is at, and asks for what a span of positions ahead has there, a cache line
// at a time: memory works on while the rows of this span are in use.
func (l *layouts) asked(byteOffset int) operand.Mem {
	m := l.at(byteOffset)
	if byteOffset%64 == 0 {
		l.PREFETCHT0(m.Offset(prefetchAhead))
	}
	return m
}

// store is the opposite of load.
func (l *layouts) store(v vec) {
	for i := range v {
		switch {
		case l.wide() && l.split():
			l.put(v[i].(reg.VecVirtual).AsY(), l.at(64*i))
			l.VEXTRACTF32X8(operand.U8(1), v[i], l.at(64*i+32))
		case l.wide():
			l.put(v[i], l.at(64*i))
		default:
			l.put(l.halves(v, 2*i), l.at(32*i))
		}
	}
}

func (l *layouts) put(r reg.Register, to operand.Mem) {
	if l.stream {
		l.VMOVNTPS(r, to)
	} else {
		l.VMOVUPS(r, to)
	}
}

// split reports whether the halves of a vector lie apart.
func (l *layouts) split() bool { return l.step[0] != nil && l.channels*l.elemSize() < l.bytes }

// halves is a vector of the halves i and i+1 of v: first come the lower ones.
func (l *layouts) halves(v vec, i int) reg.Register {
	c := len(v)
	a, b := v[i%c], v[(i+1)%c]
	r := l.YMM()
	switch {
	case i+1 < c:
		l.VINSERTF128(operand.U8(1), b.(reg.VecVirtual).AsX(), a, r)
	case i >= c:
		l.VPERM2F128(operand.U8(0x31), b, a, r)
	default:
		l.VBLENDPS(operand.U8(0xf0), b, a, r)
	}
	return r
}
