package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sweep runs body over n elements in vectors, unroll of them at a time. The last
// vector ends where the elements end and may overlap the one before; only where
// there is no whole vector does one see elements one by one. fold follows the
// vectors.
func (g *gen) sweep(n reg.GPVirtual, lanes, unroll int, body func(vectors int), fold, one func()) {
	g.index = g.GP64()
	g.XORQ(g.index, g.index)
	g.CMPQ(n, operand.U32(lanes))
	g.JL(operand.LabelRef("few"))
	if unroll > 1 {
		g.CMPQ(n, operand.U32(unroll*lanes))
		g.JL(operand.LabelRef("vector"))
		g.Label("many")
		g.Commentf("Vectors at a time: %d.", unroll)
		body(unroll)
		g.ADDQ(operand.U32(unroll*lanes), g.index)
		g.SUBQ(operand.U32(unroll*lanes), n)
		g.CMPQ(n, operand.U32(unroll*lanes))
		g.JGE(operand.LabelRef("many"))
		g.TESTQ(n, n)
		g.JE(operand.LabelRef("folding"))
	}
	g.Label("vector")
	g.CMPQ(n, operand.U32(lanes))
	g.JGE(operand.LabelRef("whole"))
	g.Comment("The vector that ends at the end.")
	g.LEAQ(operand.Mem{Base: g.index, Index: n, Scale: 1, Disp: -lanes}, g.index)
	g.MOVQ(operand.U32(lanes), n)
	g.Label("whole")
	body(1)
	g.ADDQ(operand.U32(lanes), g.index)
	g.SUBQ(operand.U32(lanes), n)
	g.JNZ(operand.LabelRef("vector"))
	g.Label("folding")
	fold()
	g.JMP(operand.LabelRef("done"))
	g.Label("few")
	g.TESTQ(n, n)
	g.JLE(operand.LabelRef("done"))
	g.Label("single")
	one()
	g.INCQ(g.index)
	g.DECQ(n)
	g.JNZ(operand.LabelRef("single"))
	g.Label("done")
}

// ofSize is a slice whose elements have so many bytes.
func (g *gen) ofSize(param string, size int) array {
	a := g.slice(param)
	a.size = size
	return a
}

// across combines the lanes of v, of so many bytes, in the lowest one.
func (g *gen) across(v vec, lane int, combine func(a, b, dst reg.Register)) reg.Register {
	for _, r := range v[1:] {
		combine(r, v[0], v[0])
	}
	as := func(r reg.Register) reg.VecVirtual { return r.(reg.VecVirtual) }
	if g.wide() {
		high := g.YMM()
		g.VEXTRACTI64X4(operand.U8(1), v[0], high)
		combine(high, as(v[0]).AsY(), as(v[0]).AsY())
	}
	low, high := as(v[0]).AsX(), g.XMM()
	g.VEXTRACTI128(operand.U8(1), as(v[0]).AsY(), high)
	combine(high, low, low)
	for size := 8; size >= lane; size /= 2 {
		g.VPSRLDQ(operand.U8(size), low, high)
		combine(high, low, low)
	}
	return low
}

// narrow takes the labels of so many bytes.
func narrow(g *gen, size int) {
	dst, y, n := g.ofSize("dst", 1), g.ofSize("y", size), g.length("y")
	most := g.GP64()
	g.XORQ(most, most)
	one := func() {
		v := g.GP64()
		if size == 4 {
			g.MOVL(y.mem(g.index, 0), v.As32())
		} else {
			g.MOVQ(y.mem(g.index, 0), v)
		}
		g.MOVB(v.As8(), dst.mem(g.index, 0))
		g.CMPQ(v, most)
		g.CMOVQHI(v, most)
	}
	switch {
	case g.wide():
		g.narrowWide(dst, y, n, most, one)
	case size == 4:
		g.narrow32(dst, y, n, most, one)
	default:
		g.narrow64(dst, y, n, most, one)
	}
	if size == 4 {
		g.Store(most.As32(), g.ReturnIndex(0))
	} else {
		g.Store(most, g.ReturnIndex(0))
	}
	g.finish()
}

func (g *gen) narrowWide(dst, y array, n, most reg.GPVirtual, one func()) {
	lanes := 64 / y.size
	acc := g.zero(4)
	larger := func(a, b operand.Op, dst reg.Register) {
		if y.size == 4 {
			g.VPMAXUD(a, b, dst)
		} else {
			g.VPMAXUQ(a, b, dst)
		}
	}
	g.sweep(n, lanes, 4, func(vectors int) {
		for i := range vectors {
			v, bytes := g.ZMM(), g.XMM()
			g.VMOVDQU64(y.mem(g.index, i*lanes), v)
			larger(v, acc[i], acc[i])
			if y.size == 4 {
				g.VPMOVDB(v, bytes)
				g.VMOVDQU(bytes, dst.mem(g.index, i*lanes))
			} else {
				g.VPMOVQB(v, bytes)
				g.VMOVQ(bytes, dst.mem(g.index, i*lanes))
			}
		}
	}, func() {
		g.VMOVQ(g.across(acc, y.size, func(a, b, dst reg.Register) { larger(a, b, dst) }), most)
	}, one)
}

// narrowed is the number of labels that AVX2 narrows at a time, to a vector of
// bytes.
const narrowed = 32

func (g *gen) narrow32(dst, y array, n, most reg.GPVirtual, one func()) {
	acc, bytes, order := g.zero(4), g.lowBytes(), g.halvesInTurn()
	larger := func(a, b, dst reg.Register) { g.VPMAXUD(a, b, dst) }
	g.sweep(n, narrowed, 1, func(int) {
		v := g.regs(4)
		for i := range v {
			g.VMOVDQU(y.mem(g.index, 8*i), v[i])
			larger(v[i], acc[i], acc[i])
		}
		g.VMOVDQU(g.packBytes(v, bytes, order), dst.mem(g.index, 0))
	}, func() { g.VMOVD(g.across(acc, 4, larger), most.As32()) }, one)
}

// lowBytes is a register with the lowest byte of each 32-bit lane set.
func (g *gen) lowBytes() reg.Register {
	r := g.YMM()
	g.VPCMPEQD(r, r, r)
	g.VPSRLD(operand.U8(24), r, r)
	return r
}

// halvesInTurn is the order that alternates between the halves of a vector.
func (g *gen) halvesInTurn() reg.Register {
	r := g.YMM()
	g.VPMOVZXBD(g.table("halvesInTurn", 0, 4, 1, 5, 2, 6, 3, 7), r)
	return r
}

// packBytes keeps the lowest bytes of 32-bit lanes.
func (g *gen) packBytes(v vec, bytes, order reg.Register) reg.Register {
	for _, r := range v {
		g.VPAND(bytes, r, r)
	}
	g.VPACKUSDW(v[1], v[0], v[0])
	g.VPACKUSDW(v[3], v[2], v[2])
	g.VPACKUSWB(v[2], v[0], v[0])
	g.VPERMD(v[0], order, v[0])
	return v[0]
}

// narrow64 compares labels with their signs flipped, for want of an instruction
// that compares them without.
func (g *gen) narrow64(dst, y array, n, most reg.GPVirtual, one func()) {
	sign := g.YMM()
	g.VPCMPEQD(sign, sign, sign)
	g.VPSLLQ(operand.U8(63), sign, sign)
	acc := g.copy(vec{sign}.times(4))
	bytes, order := g.lowBytes(), g.halvesInTurn()
	g.sweep(n, narrowed, 1, func(int) {
		v := g.regs(4)
		for i := range v {
			a, b := g.YMM(), g.YMM()
			for j, r := range []reg.Register{a, b} {
				flipped := g.YMM()
				g.VMOVDQU(y.mem(g.index, 8*i+4*j), r)
				g.VPXOR(sign, r, flipped)
				g.larger64(flipped, acc[(2*i+j)%4], acc[(2*i+j)%4])
			}
			g.VSHUFPS(operand.U8(0x88), b, a, v[i])
		}
		packed := g.packBytes(v, bytes, order)
		g.Comment("Labels of 64 bits come as 0 1 4 5 2 3 6 7.")
		g.VPSHUFLW(operand.U8(0xd8), packed, packed)
		g.VPSHUFHW(operand.U8(0xd8), packed, packed)
		g.VMOVDQU(packed, dst.mem(g.index, 0))
	}, func() {
		low := g.across(acc, 8, g.larger64)
		g.VPXOR(sign.AsX(), low, low)
		g.VMOVQ(low, most)
	}, one)
}

// larger64 is the larger of two numbers with a sign.
func (g *gen) larger64(a, b, dst reg.Register) {
	isLarger := reg.Register(g.YMM())
	if dst.Size() == 16 {
		isLarger = g.XMM()
	}
	g.VPCMPGTQ(b, a, isLarger)
	g.VBLENDVPD(isLarger, a, b, dst)
}

// table is bytes in memory.
func (g *gen) table(name string, values ...int) operand.Mem {
	m, ok := g.constants[name]
	if !ok {
		m = g.StaticGlobal(name)
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for i, v := range values {
			g.AddDatum(i, operand.U8(v))
		}
		g.constants[name] = m
	}
	return m
}
