package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// interleaves bring elements from channels last to a row for each channel, and
// back: each number of channels that stays in registers, and any above.
func interleaves() []primitive {
	all := []primitive{
		{"packMany", true, true, "(dst, src *T, stride, c, n int)", `
brings n positions of c channels, 8 or more, from channels last to a row
for each channel.

	for i := range n {
		for k := range c {
			dst[k*stride+i] = src[c*i+k]
		}
	}
`, packMany},
		{"unpackMany", true, true, "(dst, src *T, stride, c, n int)", `
brings n positions of c channels, 8 or more, from a row for each channel
to channels last.

	for i := range n {
		for k := range c {
			dst[c*i+k] = src[k*stride+i]
		}
	}
`, unpackMany},
	}
	for c := 2; c <= 8; c++ {
		all = append(all,
			primitive{fmt.Sprintf("pack%d", c), true, true, "(dst, src *T, stride, n int)", fmt.Sprintf(`
brings n positions of %d channels from channels last to a row for each channel.

	for i := range n {
		for c := range %d {
			dst[c*stride+i] = src[%d*i+c]
		}
	}
`, c, c, c), func(g *gen) { pack(g, c) }},
			primitive{fmt.Sprintf("unpack%d", c), true, true, "(dst, src *T, stride, n int)", fmt.Sprintf(`
brings n positions of %d channels from a row for each channel to channels last.

	for i := range n {
		for c := range %d {
			dst[%d*i+c] = src[c*stride+i]
		}
	}
`, c, c, c), func(g *gen) { unpack(g, c) }})
	}
	return all
}

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

// positions of a block: so many vectors as there are channels.
func (l *layouts) positions() int { return l.lanes() }

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
		l.forward(l.positions())
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

// blocks moves n positions, block by block. The last of them is a block too,
// some of which has been moved before; only where there is no whole block do
// positions move one by one.
func (l *layouts) blocks(n reg.GPVirtual, block func(), one func(c int)) {
	many, few, single, done := l.label("many"), l.label("few"), l.label("single"), l.label("done")
	l.loops++
	l.CMPQ(n, operand.U8(l.positions()))
	l.JL(operand.LabelRef(few))
	l.Label(many)
	block()
	l.next()
	l.SUBQ(operand.U8(l.positions()), n)
	l.CMPQ(n, operand.U8(l.positions()))
	l.JGE(operand.LabelRef(many))
	l.TESTQ(n, n)
	l.JE(operand.LabelRef(done))
	l.Comment("The block that ends at the end.")
	l.SUBQ(operand.U8(l.positions()), n)
	l.moveBy(n)
	l.MOVQ(operand.U32(l.positions()), n)
	l.JMP(operand.LabelRef(many))
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
	split := l.step[0] != nil && l.channels*l.elemSize() < 64
	for i, r := range v {
		switch {
		case l.wide() && split:
			l.VBROADCASTF32X8(l.at(64*i), r)
			l.VINSERTF32X8(operand.U8(1), l.at(64*i+32), r, r)
		case l.wide():
			l.VMOVUPS(l.at(64*i), r)
		default:
			l.VBROADCASTF128(l.at(16*i), r)
		}
	}
	if !l.wide() {
		for i, r := range v {
			l.VINSERTF128(operand.U8(1), l.at(16*(l.channels+i)), r, r)
		}
	}
	return v
}

// store is the opposite of load.
func (l *layouts) store(v vec) {
	split := l.step[0] != nil && l.channels*l.elemSize() < 64
	for i := range v {
		switch {
		case l.wide() && split:
			l.VMOVUPS(v[i].(reg.VecVirtual).AsY(), l.at(64*i))
			l.VEXTRACTF32X8(operand.U8(1), v[i], l.at(64*i+32))
		case l.wide():
			l.VMOVUPS(v[i], l.at(64*i))
		default:
			l.VMOVUPS(l.halves(v, 2*i), l.at(32*i))
		}
	}
}

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

func pack(g *gen, channels int) {
	l := g.layouts(channels, "dst", "src")
	l.pack(g.shuffle(channels, false), g.int("n"))
	g.finish()
}

func (l *layouts) pack(s *shuffle, n reg.GPVirtual) {
	l.blocks(n, func() {
		for c, r := range s.pack(l.load()) {
			l.VMOVUPS(r, l.row(c))
		}
	}, func(c int) {
		l.copyOne(operand.Mem{Base: l.last, Disp: c * l.elemSize()}, l.row(c))
	})
}

func unpack(g *gen, channels int) {
	l := g.layouts(channels, "src", "dst")
	l.unpack(g.shuffle(channels, true), g.int("n"))
	g.finish()
}

func (l *layouts) unpack(s *shuffle, n reg.GPVirtual) {
	l.blocks(n, func() {
		v := l.regs(l.channels)
		for c, r := range v {
			l.VMOVUPS(l.row(c), r)
		}
		l.store(s.unpack(v))
	}, func(c int) {
		l.copyOne(l.row(c), operand.Mem{Base: l.last, Disp: c * l.elemSize()})
	})
}

func packMany(g *gen) {
	s := g.shuffle(manyChannels, false)
	g.groups("dst", "src", func(l *layouts, n reg.GPVirtual) { l.pack(s, n) })
}

func unpackMany(g *gen) {
	s := g.shuffle(manyChannels, true)
	g.groups("src", "dst", func(l *layouts, n reg.GPVirtual) { l.unpack(s, n) })
}

// groups moves eight channels after the other; where they do not divide c, the
// last ones are the last eight.
func (g *gen) groups(planar, last string, move func(l *layouts, n reg.GPVirtual)) {
	l := g.layouts(manyChannels, planar, last)
	c, row, element := g.int("c"), l.planar, l.last
	l.planar, l.last = g.GP64(), g.GP64()
	l.step[0], l.step[1] = g.GP64(), g.GP64()
	g.MOVQ(c, l.step[0])
	g.SHLQ(operand.U8(g.elemSize()/4+1), l.step[0])
	g.LEAQ(operand.Mem{Base: l.step[0], Index: l.step[0], Scale: 2}, l.step[1])
	g.Label("group")
	g.MOVQ(row, l.planar)
	g.MOVQ(element, l.last)
	n := g.int("n")
	move(l, n)
	done, ahead := "groupsDone", n
	g.SUBQ(operand.U8(manyChannels), c)
	g.JLE(operand.LabelRef(done))
	g.MOVQ(operand.U32(manyChannels), ahead)
	g.CMPQ(c, ahead)
	g.CMOVQLT(c, ahead)
	g.LEAQ(operand.Mem{Base: element, Index: ahead, Scale: uint8(g.elemSize())}, element)
	g.IMULQ(l.strides[0], ahead)
	g.ADDQ(ahead, row)
	g.MOVQ(operand.U32(manyChannels), n)
	g.CMPQ(c, n)
	g.CMOVQLT(n, c)
	g.JMP(operand.LabelRef("group"))
	g.Label(done)
	g.finish()
}
