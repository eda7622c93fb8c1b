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

// constant is a number in read-only memory, as the bits of a float64 and, for
// lanes of float32, of that.
type constant struct {
	name   string
	bits   uint64
	bits32 uint32
}

func number(name string, v float64) constant {
	return constant{name, math.Float64bits(v), math.Float32bits(float32(v))}
}

// numbers is a constant with a value for each type of lane.
func numbers(name string, v float64, v32 float32) constant {
	return constant{name, math.Float64bits(v), math.Float32bits(v32)}
}

// fp takes the form of an instruction that the lanes need.
func fp[I any](g *gen, pd, ps I) I {
	if g.single {
		return ps
	}
	return pd
}

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
	name := c.name
	if g.single {
		name += "Single"
	}
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	copies := g.lanes()
	if g.wide() {
		copies = 1
	}
	for i := range copies {
		if g.single {
			g.AddDatum(4*i, operand.U32(c.bits32))
		} else {
			g.AddDatum(8*i, operand.U64(c.bits))
		}
	}
	g.constants[name] = m
	return m
}

// load brings a constant into a register, for operations that need one there.
func (g *gen) load(c constant) vec {
	v := g.regs(1)
	if g.wide() {
		fp(g, g.VBROADCASTSD, g.VBROADCASTSS)(g.mem(c), v[0])
	} else {
		fp(g, g.VMOVUPD, g.VMOVUPS)(g.mem(c), v[0])
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
		g.VMOVAPD(a[i], v[i]) // all bits, whatever the lanes are
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
	b = g.shared(b, n)
	for i := range dst {
		if v, ok := b.(vec); ok {
			plain(v.at(i), a.at(i), dst[i])
		} else {
			g.withConstant(plain, broadcast, b, a.at(i), dst[i])
		}
	}
	return dst
}

// shared brings what several vectors take from memory to a register, where the
// body can spare one: only two loads fit in a cycle.
func (g *gen) shared(b any, vectors int) any {
	if c, ok := b.(constant); ok && g.sharing && vectors > 1 {
		return g.load(c)
	}
	return b
}

// everyLane is a number in memory that stands for a vector of it.
type everyLane operand.Mem

// withConstant emits an instruction whose first operand is a constant, or one
// number for every lane.
func (g *gen) withConstant(plain, broadcast instruction, c any, rest ...operand.Op) {
	var first operand.Op
	switch c := c.(type) {
	case constant:
		first = g.mem(c)
	case wholeVector:
		plain(append([]operand.Op{operand.Mem(c)}, rest...)...)
		return
	case everyLane:
		first = operand.Mem(c)
		if !g.wide() {
			first = g.spread(c)[0]
		}
	}
	if g.wide() {
		plain = broadcast
	}
	plain(append([]operand.Op{first}, rest...)...)
}

// wholeVector is a vector in memory.
type wholeVector operand.Mem

// spread brings a number in memory to every lane.
func (g *gen) spread(c everyLane) vec {
	v := g.regs(1)
	fp(g, g.VBROADCASTSD, g.VBROADCASTSS)(operand.Mem(c), v[0])
	return v
}

func (g *gen) add(a vec, b any) vec {
	return g.op2(fp(g, g.VADDPD, g.VADDPS), fp(g, g.VADDPD_BCST, g.VADDPS_BCST), a, b)
}
func (g *gen) sub(a vec, b any) vec {
	return g.op2(fp(g, g.VSUBPD, g.VSUBPS), fp(g, g.VSUBPD_BCST, g.VSUBPS_BCST), a, b)
}
func (g *gen) mul(a vec, b any) vec {
	return g.op2(fp(g, g.VMULPD, g.VMULPS), fp(g, g.VMULPD_BCST, g.VMULPS_BCST), a, b)
}
func (g *gen) div(a vec, b any) vec {
	return g.op2(fp(g, g.VDIVPD, g.VDIVPS), fp(g, g.VDIVPD_BCST, g.VDIVPS_BCST), a, b)
}

// max and min give b where one of the two is a NaN.
func (g *gen) max(a vec, b any) vec {
	return g.op2(fp(g, g.VMAXPD, g.VMAXPS), fp(g, g.VMAXPD_BCST, g.VMAXPS_BCST), a, b)
}
func (g *gen) min(a vec, b any) vec {
	return g.op2(fp(g, g.VMINPD, g.VMINPS), fp(g, g.VMINPD_BCST, g.VMINPS_BCST), a, b)
}

// Operations on the bits of the lanes, as whole numbers.
func (g *gen) addBits(a vec, b any) vec {
	return g.op2(fp(g, g.VPADDQ, g.VPADDD), fp(g, g.VPADDQ_BCST, g.VPADDD_BCST), a, b)
}
func (g *gen) subBits(a vec, b any) vec {
	return g.op2(fp(g, g.VPSUBQ, g.VPSUBD), fp(g, g.VPSUBQ_BCST, g.VPSUBD_BCST), a, b)
}
func (g *gen) and(a vec, b any) vec {
	return g.op2(fp(g, g.VANDPD, g.VANDPS), fp(g, g.VANDPD_BCST, g.VANDPS_BCST), a, b)
}
func (g *gen) or(a vec, b any) vec {
	return g.op2(fp(g, g.VORPD, g.VORPS), fp(g, g.VORPD_BCST, g.VORPS_BCST), a, b)
}
func (g *gen) xor(a vec, b any) vec {
	return g.op2(fp(g, g.VXORPD, g.VXORPS), fp(g, g.VXORPD_BCST, g.VXORPS_BCST), a, b)
}

// shift moves the bits of each lane: left by n, or right by −n, filling with 0.
func (g *gen) shift(a vec, n int) vec {
	dst := g.regs(len(a))
	for i := range dst {
		if n > 0 {
			fp(g, g.VPSLLQ, g.VPSLLD)(operand.U8(n), a[i], dst[i])
		} else {
			fp(g, g.VPSRLQ, g.VPSRLD)(operand.U8(-n), a[i], dst[i])
		}
	}
	return dst
}

// sqrt is the square root.
func (g *gen) sqrt(a vec) vec {
	dst := g.regs(len(a))
	for i := range dst {
		fp(g, g.VSQRTPD, g.VSQRTPS)(a[i], dst[i])
	}
	return dst
}

// op3 emits a fused operation that overwrites its last operand.
func (g *gen) op3(plain, broadcast instruction, x any, y, dst vec) {
	x = g.shared(x, len(dst))
	for i := range dst {
		if v, ok := x.(vec); ok {
			plain(v.at(i), y.at(i), dst[i])
		} else {
			g.withConstant(plain, broadcast, x, y.at(i), dst[i])
		}
	}
}

// addTo is acc += a·b, subFrom acc −= a·b.
func (g *gen) addTo(acc, a vec, b any) {
	g.op3(fp(g, g.VFMADD231PD, g.VFMADD231PS), fp(g, g.VFMADD231PD_BCST, g.VFMADD231PS_BCST), b, a, acc)
}
func (g *gen) subFrom(acc, a vec, b any) {
	g.op3(fp(g, g.VFNMADD231PD, g.VFNMADD231PS), fp(g, g.VFNMADD231PD_BCST, g.VFNMADD231PS_BCST), b, a, acc)
}

// timesPlus is p = p·a + b, the step of a polynomial; minusTimes is
// p = b − p·a, timesMinus p = p·a − b.
func (g *gen) timesPlus(p, a vec, b any) {
	g.op3(fp(g, g.VFMADD213PD, g.VFMADD213PS), fp(g, g.VFMADD213PD_BCST, g.VFMADD213PS_BCST), b, a, p)
}
func (g *gen) minusTimes(p, a vec, b any) {
	g.op3(fp(g, g.VFNMADD213PD, g.VFNMADD213PS), fp(g, g.VFNMADD213PD_BCST, g.VFNMADD213PS_BCST), b, a, p)
}
func (g *gen) timesMinus(p, a vec, b any) {
	g.op3(fp(g, g.VFMSUB213PD, g.VFMSUB213PS), fp(g, g.VFMSUB213PD_BCST, g.VFMSUB213PS_BCST), b, a, p)
}

// Conditions of a comparison, as the instruction counts them.
const (
	eq  = 0x00 // false with a NaN
	lt  = 0x11
	le  = 0x12
	nlt = 0x15 // not less: true with a NaN
	ngt = 0x1a // not greater: true with a NaN
	ge  = 0x1d
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
			plain := fp(g, g.VCMPPD, g.VCMPPS)
			if g.wide() {
				plain = fp(g, g.VCMPPD_BCST, g.VCMPPS_BCST)
			}
			plain(operand.U8(cond), g.mem(c), a.at(i), m[i])
		} else {
			fp(g, g.VCMPPD, g.VCMPPS)(operand.U8(cond), b.(vec).at(i), a.at(i), m[i])
		}
	}
	return m
}

// choose takes the lanes of yes where m holds, the others of no.
func (g *gen) choose(m mask, yes, no vec) vec {
	dst := g.regs(max(len(m), len(yes), len(no)))
	for i := range dst {
		if g.wide() {
			fp(g, g.VBLENDMPD, g.VBLENDMPS)(yes.at(i), no.at(i), m.at(i), dst[i])
		} else {
			fp(g, g.VBLENDVPD, g.VBLENDVPS)(m.at(i), yes.at(i), no.at(i), dst[i])
		}
	}
	return dst
}

// where keeps the lanes of a where m holds and makes the others 0.
func (g *gen) where(m mask, a vec) vec {
	dst := g.regs(max(len(m), len(a)))
	for i := range dst {
		if g.wide() {
			fp(g, g.VMOVAPD_Z, g.VMOVAPS_Z)(a.at(i), m.at(i), dst[i])
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
			fp(g, g.KNOTB, g.KNOTW)(m.at(i), k)
			fp(g, g.VMOVAPD_Z, g.VMOVAPS_Z)(a.at(i), k, dst[i])
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
			fp(g, g.KANDB, g.KANDW)(m[i], acc.at(i), acc.at(i))
		} else {
			g.VANDPD(m[i], acc.at(i), acc.at(i))
		}
	}
}

// all is a mask that holds in every lane.
func (g *gen) all() mask {
	m := g.masks(1)
	if g.wide() {
		fp(g, g.KXNORB, g.KXNORW)(m[0], m[0], m[0])
	} else {
		g.VPCMPEQD(m[0], m[0], m[0])
	}
	return m
}

// broadcast brings a parameter to every lane, whose type it has.
func (g *gen) broadcast(param string) vec {
	p, err := g.Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	v := g.regs(1)
	fp(g, g.VBROADCASTSD, g.VBROADCASTSS)(p.Addr, v[0])
	return v
}

// total adds the float64 lanes of all registers of v, in an order that does not depend
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
