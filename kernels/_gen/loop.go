package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// loopState is where a loop over a row stands.
type loopState struct {
	index reg.GPVirtual // of the first element of the vectors at hand
	tail  mask          // lanes that exist; nil where all do
	tail4 reg.Register  // the same for elements of 4 bytes; AVX2 only
	count reg.Register  // how many lanes exist, where tail is not nil
	small bool          // whether the function has such elements
	loops int           // of the function, for their labels
	inner int           // the same of the loops over classes

	sharing bool // whether a constant is loaded once for several vectors
}

// array is a row or matrix in memory: its first element and their size.
type array struct {
	base reg.Register
	size int
}

// slice loads the base of a slice parameter, of float64.
func (g *gen) slice(param string) array {
	return array{base: g.Load(g.Param(param).Base(), g.GP64()), size: 8}
}

// elems is a slice of the tensor's element type.
func (g *gen) elems(param string) array {
	a := g.slice(param)
	if g.elem == "F32" {
		a.size = 4
	}
	return a
}

// pointer is a parameter that points to float64.
func (g *gen) pointer(param string) array {
	return array{base: g.Load(g.Param(param), g.GP64()), size: 8}
}

func (g *gen) length(param string) reg.GPVirtual {
	return g.Load(g.Param(param).Len(), g.GP64()).(reg.GPVirtual)
}

func (a array) mem(index reg.Register, disp int) operand.Mem {
	return operand.Mem{Base: a.base, Index: index, Scale: uint8(a.size), Disp: disp * a.size}
}

// row runs body over n positions: unroll vectors at a time, then one at a time,
// of which the last may have fewer lanes.
func (g *gen) row(n reg.GPVirtual, unroll int, body func(vectors int)) {
	g.index = g.GP64()
	g.XORQ(g.index, g.index)
	g.rowOn(n, unroll, body)
}

// rowOn is row from where the index stands.
func (g *gen) rowOn(n reg.GPVirtual, unroll int, body func(vectors int)) {
	step := unroll * g.lanes()
	many, few, done := g.label("many"), g.label("few"), g.label("done")
	g.loops++
	g.CMPQ(n, operand.U32(step))
	g.JL(operand.LabelRef(few))
	g.Label(many)
	g.Commentf("Vectors at a time: %d.", unroll)
	body(unroll)
	g.ADDQ(operand.U32(step), g.index)
	g.SUBQ(operand.U32(step), n)
	g.CMPQ(n, operand.U32(step))
	g.JGE(operand.LabelRef(many))
	g.Label(few)
	g.TESTQ(n, n)
	g.JLE(operand.LabelRef(done))
	g.tailMask(n)
	body(1)
	g.tail, g.tail4 = nil, nil
	g.ADDQ(operand.U32(g.lanes()), g.index)
	g.SUBQ(operand.U32(g.lanes()), n)
	g.JMP(operand.LabelRef(few))
	g.Label(done)
}

func (g *gen) label(what string) string {
	if g.loops == 0 {
		return what
	}
	return fmt.Sprintf("%s%d", what, g.loops+1)
}

// tailMask makes the mask of the next vector, of which min(n, lanes) lanes exist.
func (g *gen) tailMask(n reg.Register) {
	g.Comment("One vector, of which only the first lanes may exist.")
	lanes, table := g.GP64(), g.GP64()
	g.MOVQ(operand.U32(g.lanes()), lanes)
	g.CMPQ(n, lanes)
	g.CMOVQLT(n, lanes)
	g.count = lanes
	g.LEAQ(g.tailTable(), table)
	g.tail = g.masks(1)
	if g.wide() {
		g.KMOVW(operand.Mem{Base: table, Index: lanes, Scale: 2}, g.tail[0])
		return
	}
	from := g.GP64()
	g.MOVQ(lanes, from)
	g.NEGQ(from)
	at := operand.Mem{Base: table, Index: from, Scale: uint8(g.bytes / g.lanes()), Disp: 32}
	g.VMOVDQU(at, g.tail[0])
	if g.small {
		g.tail4 = g.XMM()
		at.Scale, at.Disp = 4, 32
		g.VMOVDQU(at, g.tail4)
	}
}

// tailTable holds the opmasks of 0 to 16 lanes, or ones before zeros, from which
// a window takes as many ones as there are lanes.
func (g *gen) tailTable() operand.Mem {
	const name = "tailMasks"
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	if g.wide() {
		for n := range 17 {
			g.AddDatum(2*n, operand.U16(1<<n-1))
		}
	} else {
		for i := range 8 {
			ones := ^uint64(0)
			if i >= 4 {
				ones = 0
			}
			g.AddDatum(8*i, operand.U64(ones))
		}
	}
	g.constants[name] = m
	return m
}

// read loads the next vectors of a row, as float64 unless the lanes have its
// element type.
func (g *gen) read(a array, vectors int) vec {
	v := g.regs(vectors)
	for i := range v {
		g.readAt(a.mem(g.index, i*g.lanes()), a.size, v[i])
	}
	return v
}

// readAt loads one vector; lanes that do not exist are 0.
func (g *gen) readAt(m operand.Mem, size int, dst reg.Register) {
	switch {
	case g.single && g.tail == nil:
		g.VMOVUPS(m, dst)
	case g.single && g.wide():
		g.VMOVUPS_Z(m, g.tail[0], dst)
	case g.single:
		g.VMASKMOVPS(m, g.tail[0], dst)
	case g.tail == nil && size == 8:
		g.VMOVUPD(m, dst)
	case g.tail == nil:
		g.VCVTPS2PD(m, dst)
	case g.wide() && size == 8:
		g.VMOVUPD_Z(m, g.tail[0], dst)
	case g.wide():
		g.VCVTPS2PD_Z(m, g.tail[0], dst)
	case size == 8:
		g.VMASKMOVPD(m, g.tail[0], dst)
	default:
		x := g.XMM()
		g.VMASKMOVPS(m, g.tail4, x)
		g.VCVTPS2PD(x, dst)
	}
}

// write stores vectors to a row, rounded to its element type.
func (g *gen) write(a array, v vec) {
	for i, r := range v {
		g.writeAt(a.mem(g.index, i*g.lanes()), a.size, r)
	}
}

func (g *gen) writeAt(m operand.Mem, size int, r reg.Register) {
	if size == 4 && !g.single {
		r = g.narrow(r)
	}
	switch {
	case g.single && g.tail == nil:
		g.VMOVUPS(r, m)
	case g.single && g.wide():
		g.VMOVUPS(r, g.tail[0], m)
	case g.single:
		g.VMASKMOVPS(r, g.tail[0], m)
	case g.tail == nil && size == 8:
		g.VMOVUPD(r, m)
	case g.tail == nil:
		g.VMOVUPS(r, m)
	case g.wide() && size == 8:
		g.VMOVUPD(r, g.tail[0], m)
	case g.wide():
		g.VMOVUPS(r, g.tail[0], m)
	case size == 8:
		g.VMASKMOVPD(r, g.tail[0], m)
	default:
		g.VMASKMOVPS(r, g.tail4, m)
	}
}

// narrow rounds a vector to float32.
func (g *gen) narrow(r reg.Register) reg.Register {
	if g.wide() {
		y := g.YMM()
		g.VCVTPD2PS(r, y)
		return y
	}
	x := g.XMM()
	g.VCVTPD2PSY(r, x)
	return x
}

// isClass compares the next labels of y with a class, given as a vector of them.
func (g *gen) isClass(y array, class reg.Register, vectors int) mask {
	m := g.masks(vectors)
	for i := range m {
		at := y.mem(g.index, i*g.lanes())
		if g.wide() {
			labels := g.YMM()
			if g.tail == nil {
				g.VPCMPEQD(at, class, m[i])
			} else {
				g.VMOVDQU32_Z(at, g.tail[0], labels)
				g.VPCMPEQD(labels, class, g.tail[0], m[i])
			}
			continue
		}
		labels := g.XMM()
		if g.tail == nil {
			g.VPCMPEQD(at, class, labels)
		} else {
			g.VPMASKMOVD(at, g.tail4, labels)
			g.VPCMPEQD(labels, class, labels)
			g.VPAND(labels, g.tail4, labels)
		}
		g.VPMOVSXDQ(labels, m[i])
	}
	return m
}

// existing makes 0 the lanes that do not exist.
func (g *gen) existing(v vec) vec {
	if g.tail == nil {
		return v
	}
	return g.where(g.tail, v)
}
