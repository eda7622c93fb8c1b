package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vec is a value of a body: one register for each of the vectors that it
// computes side by side, or a single one that serves them all. Every operation
// is emitted for all of them in turn, so that independent chains interleave.
type vec []reg.Register

// at returns the register of the i-th vector.
func (v vec) at(i int) reg.Register { return v[i%len(v)] }

// mask is a condition per lane: an opmask register with AVX-512, a vector of
// all-ones and all-zeros lanes with AVX2.
type mask []reg.Register

func (m mask) at(i int) reg.Register { return m[i%len(m)] }

// constant is a float64 in read-only memory.
type constant struct {
	name string
	bits uint64
}

func number(name string, v float64) constant { return constant{name, math.Float64bits(v)} }

func (g *gen) wide() bool { return g.lanes == 8 }

// reg allocates one vector register.
func (g *gen) reg() reg.Register {
	if g.wide() {
		return g.ZMM()
	}
	return g.YMM()
}

func (g *gen) regs(n int) vec {
	v := make(vec, n)
	for i := range v {
		v[i] = g.reg()
	}
	return v
}

func (g *gen) masks(n int) mask {
	m := make(mask, n)
	for i := range m {
		m[i] = g.maskReg()
	}
	return m
}

func (g *gen) maskReg() reg.Register {
	if g.wide() {
		return g.K()
	}
	return g.YMM()
}

// mem is the constant in memory: one lane, which AVX-512 instructions
// broadcast, or a whole vector with AVX2.
func (g *gen) mem(c constant) operand.Mem {
	if m, ok := g.constants[c.name]; ok {
		return m
	}
	m := g.StaticGlobal(c.name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	copies := g.lanes
	if g.wide() {
		copies = 1
	}
	for i := range copies {
		g.AddDatum(8*i, operand.U64(c.bits))
	}
	g.constants[c.name] = m
	return m
}

// load brings a constant into a register, for operations that need one there.
func (g *gen) load(c constant) vec {
	v := g.regs(1)
	if g.wide() {
		g.VBROADCASTSD(g.mem(c), v[0])
	} else {
		g.VMOVUPD(g.mem(c), v[0])
	}
	return v
}

// zero is a register of zeros.
func (g *gen) zero(n int) vec {
	v := g.regs(n)
	for _, r := range v {
		if g.wide() {
			g.VPXORQ(r, r, r)
		} else {
			g.VXORPD(r, r, r)
		}
	}
	return v
}

func (g *gen) copy(a vec) vec {
	v := g.regs(len(a))
	for i := range v {
		g.VMOVAPD(a[i], v[i])
	}
	return v
}

type instruction func(ops ...operand.Op)

// op2 emits dst = a op b, where b may be a vec or a constant.
func (g *gen) op2(plain, broadcast instruction, a vec, b any) vec {
	n := len(a)
	if b, ok := b.(vec); ok {
		n = max(n, len(b))
	}
	dst := g.regs(n)
	for i := range dst {
		if c, ok := b.(constant); ok {
			g.withConstant(plain, broadcast, c, a.at(i), dst[i])
		} else {
			plain(b.(vec).at(i), a.at(i), dst[i])
		}
	}
	return dst
}

// withConstant emits an instruction whose first operand is a constant.
func (g *gen) withConstant(plain, broadcast instruction, c constant, rest ...operand.Op) {
	if g.wide() {
		plain = broadcast
	}
	plain(append([]operand.Op{g.mem(c)}, rest...)...)
}

func (g *gen) add(a vec, b any) vec { return g.op2(g.VADDPD, g.VADDPD_BCST, a, b) }
func (g *gen) sub(a vec, b any) vec { return g.op2(g.VSUBPD, g.VSUBPD_BCST, a, b) }
func (g *gen) mul(a vec, b any) vec { return g.op2(g.VMULPD, g.VMULPD_BCST, a, b) }
func (g *gen) div(a vec, b any) vec { return g.op2(g.VDIVPD, g.VDIVPD_BCST, a, b) }

// max and min give b where one of the two is a NaN.
func (g *gen) max(a vec, b any) vec { return g.op2(g.VMAXPD, g.VMAXPD_BCST, a, b) }
func (g *gen) min(a vec, b any) vec { return g.op2(g.VMINPD, g.VMINPD_BCST, a, b) }

// Operations on the bits of the lanes, as 64-bit numbers.
func (g *gen) addBits(a vec, b any) vec { return g.op2(g.VPADDQ, g.VPADDQ_BCST, a, b) }
func (g *gen) subBits(a vec, b any) vec { return g.op2(g.VPSUBQ, g.VPSUBQ_BCST, a, b) }
func (g *gen) and(a vec, b any) vec     { return g.op2(g.VANDPD, g.VANDPD_BCST, a, b) }
func (g *gen) or(a vec, b any) vec      { return g.op2(g.VORPD, g.VORPD_BCST, a, b) }
func (g *gen) xor(a vec, b any) vec     { return g.op2(g.VXORPD, g.VXORPD_BCST, a, b) }

// shift moves the bits of each lane: left by n, or right by −n, filling with 0.
func (g *gen) shift(a vec, n int) vec {
	dst := g.regs(len(a))
	for i := range dst {
		if n > 0 {
			g.VPSLLQ(operand.U8(n), a[i], dst[i])
		} else {
			g.VPSRLQ(operand.U8(-n), a[i], dst[i])
		}
	}
	return dst
}

// op3 emits a fused operation that overwrites its last operand.
func (g *gen) op3(plain, broadcast instruction, x any, y, dst vec) {
	for i := range dst {
		if c, ok := x.(constant); ok {
			g.withConstant(plain, broadcast, c, y.at(i), dst[i])
		} else {
			plain(x.(vec).at(i), y.at(i), dst[i])
		}
	}
}

// addTo is acc += a·b, subFrom acc −= a·b.
func (g *gen) addTo(acc, a vec, b any)   { g.op3(g.VFMADD231PD, g.VFMADD231PD_BCST, b, a, acc) }
func (g *gen) subFrom(acc, a vec, b any) { g.op3(g.VFNMADD231PD, g.VFNMADD231PD_BCST, b, a, acc) }

// timesPlus is p = p·a + b, the step of a polynomial; minusTimes is
// p = b − p·a, timesMinus p = p·a − b.
func (g *gen) timesPlus(p, a vec, b any)  { g.op3(g.VFMADD213PD, g.VFMADD213PD_BCST, b, a, p) }
func (g *gen) minusTimes(p, a vec, b any) { g.op3(g.VFNMADD213PD, g.VFNMADD213PD_BCST, b, a, p) }
func (g *gen) timesMinus(p, a vec, b any) { g.op3(g.VFMSUB213PD, g.VFMSUB213PD_BCST, b, a, p) }

// Conditions of a comparison, as the instruction counts them.
const (
	eq  = 0x00 // false with a NaN
	lt  = 0x11
	le  = 0x12
	nlt = 0x15 // not less: true with a NaN
	ngt = 0x1a // not greater: true with a NaN
	gt  = 0x1e
)

// cmp compares lanes: a cond b.
func (g *gen) cmp(cond int, a vec, b any) mask {
	n := len(a)
	if b, ok := b.(vec); ok {
		n = max(n, len(b))
	}
	m := g.masks(n)
	for i := range m {
		if c, ok := b.(constant); ok {
			plain := instruction(g.VCMPPD)
			if g.wide() {
				plain = g.VCMPPD_BCST
			}
			plain(operand.U8(cond), g.mem(c), a.at(i), m[i])
		} else {
			g.VCMPPD(operand.U8(cond), b.(vec).at(i), a.at(i), m[i])
		}
	}
	return m
}

// choose takes the lanes of yes where m holds, the others of no.
func (g *gen) choose(m mask, yes, no vec) vec {
	dst := g.regs(max(len(m), len(yes), len(no)))
	for i := range dst {
		if g.wide() {
			g.VBLENDMPD(yes.at(i), no.at(i), m.at(i), dst[i])
		} else {
			g.VBLENDVPD(m.at(i), yes.at(i), no.at(i), dst[i])
		}
	}
	return dst
}

// where keeps the lanes of a where m holds and makes the others 0.
func (g *gen) where(m mask, a vec) vec {
	dst := g.regs(max(len(m), len(a)))
	for i := range dst {
		if g.wide() {
			g.VMOVAPD_Z(a.at(i), m.at(i), dst[i])
		} else {
			g.VANDPD(a.at(i), m.at(i), dst[i])
		}
	}
	return dst
}

// unless makes the lanes of a 0 where m holds and keeps the others.
func (g *gen) unless(m mask, a vec) vec {
	dst := g.regs(max(len(m), len(a)))
	for i := range dst {
		if g.wide() {
			k := g.K()
			g.KNOTB(m.at(i), k)
			g.VMOVAPD_Z(a.at(i), k, dst[i])
		} else {
			g.VANDNPD(a.at(i), m.at(i), dst[i])
		}
	}
	return dst
}

// both narrows acc to the lanes where m holds too.
func (g *gen) both(acc, m mask) {
	for i := range m {
		if g.wide() {
			g.KANDB(m[i], acc.at(i), acc.at(i))
		} else {
			g.VANDPD(m[i], acc.at(i), acc.at(i))
		}
	}
}

// all is a mask that holds in every lane.
func (g *gen) all() mask {
	m := g.masks(1)
	if g.wide() {
		g.KXNORB(m[0], m[0], m[0])
	} else {
		g.VPCMPEQD(m[0], m[0], m[0])
	}
	return m
}

// broadcast brings a float64 parameter to every lane.
func (g *gen) broadcast(param string) vec {
	p, err := g.Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	v := g.regs(1)
	g.VBROADCASTSD(p.Addr, v[0])
	return v
}

// total adds the lanes of all registers of v, in an order that does not depend
// on anything, and returns the sum in the lowest lane.
func (g *gen) total(v vec) reg.Register {
	for len(v) > 1 {
		half := len(v) / 2
		for i := range half {
			g.VADDPD(v[i+half], v[i], v[i])
		}
		v = v[:half]
	}
	r := v[0]
	if g.wide() {
		high := g.YMM()
		g.VEXTRACTF64X4(operand.U8(1), r, high)
		low := r.(reg.VecVirtual).AsY()
		g.VADDPD(high, low, low)
	}
	low, high := r.(reg.VecVirtual).AsX(), g.XMM()
	if g.wide() {
		g.VEXTRACTF64X2(operand.U8(1), r.(reg.VecVirtual).AsY(), high)
	} else {
		g.VEXTRACTF128(operand.U8(1), r, high)
	}
	g.VADDPD(high, low, low)
	g.VUNPCKHPD(low, low, high)
	g.VADDSD(high, low, low)
	return low
}

// addTotals adds the sums to the numbers at acc, one after the other.
func (g *gen) addTotals(acc reg.Register, sums ...vec) {
	g.Comment("Fold the lanes and add to the sums.")
	for i, v := range sums {
		low := g.total(v)
		at := operand.Mem{Base: acc, Disp: 8 * i}
		g.VADDSD(at, low, low)
		g.VMOVSD(low, at)
	}
}
