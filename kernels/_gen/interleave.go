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
`, c, c, c), func(g *gen) { unpack(g, c, false) }},
			primitive{fmt.Sprintf("stream%d", c), true, true, "(dst, src *T, stride, n int)", fmt.Sprintf(`
is unpack%d with streaming stores: dst is aligned to 64 bytes.

	for i := range n {
		for c := range %d {
			dst[%d*i+c] = src[c*stride+i]
		}
	}
`, c, c, c), func(g *gen) { unpack(g, c, true) }})
	}
	return all
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

func unpack(g *gen, channels int, stream bool) {
	l := g.layouts(channels, "src", "dst")
	l.stream = stream
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
