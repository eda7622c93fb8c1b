package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the functions whose lanes have the tensors' element type, row by row:
// what the fused kernels compute in registers, for tests to hold it to its bounds
// over all inputs.
var lanes = []primitive{
	{"expLanes", true, true, "(y, x []T)", `
is e^x of any x.

	for i, v := range x {
		y[i] = T(math.Exp(float64(v)))
	}
`, lane(func(g *gen, x vec) vec { return g.exp(x, everything) })},
	{"logLanes", true, true, "(y, x []T)", `
is ln x of any x.

	for i, v := range x {
		y[i] = T(math.Log(float64(v)))
	}
`, lane((*gen).log)},
	{"log1pLanes", true, true, "(y, x []T)", `
is ln(1+x) of any x.

	for i, v := range x {
		y[i] = T(math.Log1p(float64(v)))
	}
`, lane((*gen).log1pAny)},
	{"sigmoidLanes", true, true, "(y, x []T)", `
is 1/(1+e^-x) of any x.

	for i, v := range x {
		y[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
`, lane(func(g *gen, x vec) vec { return g.logistic(x, toZero, false).p })},
	{"softplusLanes", true, true, "(y, x []T)", `
is ln(1+e^x) of any x.

	for i, v := range x {
		y[i] = T(max(float64(v), 0) + math.Log1p(math.Exp(-math.Abs(float64(v)))))
	}
`, lane(func(g *gen, x vec) vec {
		l := g.logistic(x, toZero, true).log1p
		zeros := g.zero(1)
		return g.add(g.max(zeros.times(len(x)), x), l)
	})},
}

// lane is the body of a row of y = f(x).
func lane(f func(g *gen, x vec) vec) func(*gen) {
	return func(g *gen) {
		y, x, n := g.elems("y"), g.elems("x"), g.length("y")
		g.row(n, 2, func(k int) { g.write(y, f(g, g.read(x, k))) })
		g.finish()
	}
}

// logistic is what a sigmoid gives of x.
type logistic struct {
	p, q  vec // 1/(1+e^-x) and 1/(1+e^x), the smaller of them from the exponential itself
	log1p vec // ln(1+e^-|x|): ln p = min(x, 0) − log1p, ln q = −max(x, 0) − log1p
}

func (g *gen) logistic(x vec, r expRange, logs bool) (s logistic) {
	negative := g.negative(x)
	e := g.exp(g.or(x, signBit), r) // of −|x|
	a := g.add(e, one)
	ones := g.load(one).times(len(e))
	var larger, ratio vec
	if logs {
		g.Comment("1/(1+e) and e/(2+e) by one division.")
		b := g.add(e, number("two", 2))
		both := g.div(ones, g.mul(a, b))
		larger, ratio = g.mul(both, b), g.mul(g.mul(both, a), e)
		s.log1p = g.log1pUnit(e, ratio)
	} else {
		larger = g.div(ones, a)
	}
	smaller := g.mul(e, larger)
	s.p = g.choose(negative, smaller, larger)
	s.q = g.choose(negative, larger, smaller)
	return s
}

// log1pAny is ln(1+x) for any x.
func (g *gen) log1pAny(x vec) vec {
	var y vec
	if g.wide() {
		y = g.log1p(x)
	} else {
		g.Comment("Large numbers are made smaller: 2^-k would be subnormal.")
		large := g.cmp(gt, x, number("large", 0x1p120))
		y = g.log1p(g.choose(large, g.mul(x, number("downScale", 0x1p-64)), x))
		y = g.add(y, g.where(large, g.load(number("downLog", 64*math.Ln2))))
	}
	g.Comment("Nothing to add to, minus 1 and below, infinite.")
	y = g.choose(g.cmp(lt, g.and(x, size), numbers("tiny", 0x1p-54, 0x1p-25)), x, y)
	minusOne := number("minusOne", -1)
	y = g.choose(g.cmp(eq, x, minusOne), g.load(minusInfinity), y)
	y = g.choose(g.cmp(lt, x, minusOne), g.load(notANumber), y)
	return g.choose(g.cmp(eq, x, infinity), x, y)
}

// byteLabels is a slice parameter of labels, one byte each.
func (g *gen) byteLabels(param string) array {
	return array{base: g.Load(g.Param(param).Base(), g.GP64()), size: 1}
}

// byteClass brings the parameter class to every byte of a register.
func (g *gen) byteClass() reg.Register {
	x := g.XMM()
	g.VMOVD(g.Load(g.Param("class"), g.GP64()).(reg.GPVirtual).As32(), x)
	g.VPBROADCASTB(x, x)
	return x
}

// members compares the next labels of y with a class that is in every byte.
func (g *gen) members(y array, class reg.Register, vectors int) mask {
	return g.membersFrom(y, class, 0, vectors)
}

// membersFrom is members of the vectors from the at-th one on.
func (g *gen) membersFrom(y array, class reg.Register, at, vectors int) mask {
	m := g.masks(vectors)
	for i := range m {
		x := g.readBytes(y, at+i)
		switch {
		case g.wide() && g.tail != nil:
			g.VPCMPEQB(x, class, g.tail[0], m[i])
		case g.wide():
			g.VPCMPEQB(x, class, m[i])
		default:
			same := g.XMM()
			g.VPCMPEQB(x, class, same)
			fp(g, g.VPMOVSXBQ, g.VPMOVSXBD)(same, m[i])
			if g.tail != nil {
				g.VANDPS(g.tail[0], m[i], m[i])
			}
		}
	}
	return m
}

// readBytes loads the labels of the i-th vector at the index: as many bytes as
// it has lanes, the rest of the register being 0. It may be an operand in memory.
func (g *gen) readBytes(y array, i int) operand.Op {
	at, x := y.mem(g.index, i*g.lanes()), g.XMM()
	switch {
	case g.tail != nil && g.wide():
		g.VMOVDQU8_Z(at, g.tail[0], x)
	case g.tail != nil:
		g.VMOVQ(g.tailBytes(at), x)
	case g.lanes() == 16:
		return at
	case g.lanes() == 8:
		g.VMOVQ(at, x)
	default:
		g.VMOVD(at, x)
	}
	return x
}

// tailBytes gathers the bytes that exist into a register, the first one lowest.
func (g *gen) tailBytes(at operand.Mem) reg.Register {
	bits, left, b := g.GP64(), g.GP64(), g.GP64()
	g.inner++
	again := fmt.Sprintf("bytes%d", g.inner)
	g.Comment("The labels that exist, one by one.")
	g.XORQ(bits, bits)
	g.MOVQ(g.count, left)
	base := g.GP64()
	g.LEAQ(at, base)
	g.Label(again)
	g.SHLQ(operand.U8(8), bits)
	g.MOVBQZX(operand.Mem{Base: base, Index: left, Scale: 1, Disp: -1}, b)
	g.ORQ(b, bits)
	g.DECQ(left)
	g.JNZ(operand.LabelRef(again))
	return bits
}

// asks reports whether the i-th vector of an iteration starts a cache line, and
// is the one to ask for another.
func (g *gen) asks(i int) bool { return g.tail == nil && i*g.bytes%64 == 0 }

// sumWindow is how many elements are added in lanes of float32 before they go
// to those of float64.
const sumWindow = 512

// laneSums is sums of a row in lanes: each is added up in as many registers as
// vectors go side by side; lanes of float32 are moved to float64, in the frame,
// before their rounding adds up.
type laneSums struct {
	acc    []vec
	totals operand.Mem
}

// sumsRow runs body over the n positions of a row and adds what it adds to the
// sums to the numbers at acc, of which index[i] is that of the i-th.
func (g *gen) sumsRow(n reg.GPVirtual, unroll int, acc reg.Register, index []int, body func(vectors int, s *laneSums)) {
	s := &laneSums{acc: g.accumulators(len(index), unroll)}
	if !g.single {
		g.row(n, unroll, func(k int) { body(k, s) })
		for i, v := range s.acc {
			g.addTotal(acc, index[i], v)
		}
		return
	}
	g.Attributes(attr.Attribute(0)) // the frame may need a larger stack
	s.totals = g.AllocLocal(len(index) * g.bytes)
	zeros := g.zero(1)
	for i := range index {
		g.VMOVUPS(zeros[0], s.totals.Offset(i*g.bytes))
	}
	left, window := g.GP64(), g.GP64()
	again, done := "window", "folded"
	g.index = g.GP64()
	g.XORQ(g.index, g.index)
	g.MOVQ(n, left)
	g.Label(again)
	g.TESTQ(left, left)
	g.JLE(operand.LabelRef(done))
	g.Commentf("%d elements are added in lanes of float32.", sumWindow)
	g.MOVQ(operand.U32(sumWindow), window)
	g.CMPQ(left, window)
	g.CMOVQLT(left, window)
	g.SUBQ(window, left)
	g.rowOn(window, unroll, func(k int) { body(k, s) })
	g.fold(s)
	g.JMP(operand.LabelRef(again))
	g.Label(done)
	for i := range index {
		v := g.regs(1)
		g.VMOVUPD(s.totals.Offset(i*g.bytes), v[0])
		g.addTotal(acc, index[i], v)
	}
}

// fold moves the lanes of float32 to the totals and clears them.
func (g *gen) fold(s *laneSums) {
	g.Comment("The lanes go to float64.")
	for i, v := range s.acc {
		for half := len(v) / 2; half > 0; half /= 2 {
			for j := range half {
				g.VADDPS(v[j+half], v[j], v[j])
			}
		}
		g.foldLanes(v[0], s.totals.Offset(i*g.bytes))
		for j := range v {
			g.VXORPS(v[j], v[j], v[j])
		}
	}
}

// foldLanes adds lanes of float32 to a total, of float64.
func (g *gen) foldLanes(v reg.Register, total operand.Mem) {
	low, high := g.widened(v)
	g.VADDPD(high, low, low)
	g.VADDPD(total, low, low)
	g.VMOVUPD(low, total)
}

// widened are the lower and upper lanes of v, of float32, as float64.
func (g *gen) widened(v reg.Register) (low, high reg.Register) {
	low, high = g.reg(), g.reg()
	if g.wide() {
		y := g.YMM()
		g.VCVTPS2PD(v.(reg.VecVirtual).AsY(), low)
		g.VEXTRACTF64X4(operand.U8(1), v, y)
		g.VCVTPS2PD(y, high)
	} else {
		x := g.XMM()
		g.VCVTPS2PD(v.(reg.VecVirtual).AsX(), low)
		g.VEXTRACTF128(operand.U8(1), v, x)
		g.VCVTPS2PD(x, high)
	}
	return low, high
}

// addTotal adds the lanes of v, of float64, to the number acc[i].
func (g *gen) addTotal(acc reg.Register, i int, v vec) {
	low := g.total(v)
	at := operand.Mem{Base: acc, Disp: 8 * i}
	g.VADDSD(at, low, low)
	g.VMOVSD(low, at)
}

// add adds v to the i-th sum.
func (s *laneSums) add(g *gen, i int, v vec) { g.sum(s.acc[i], v) }

// addIf adds the lanes of v where m holds; where it does not, addUnless.
func (s *laneSums) addIf(g *gen, i int, m mask, v vec) {
	for k := range v {
		if g.wide() {
			fp(g, g.VADDPD, g.VADDPS)(v[k], s.acc[i][k], m.at(k), s.acc[i][k])
		} else {
			g.sum(s.acc[i][k:], g.where(mask{m.at(k)}, v[k:k+1]))
		}
	}
}

func (s *laneSums) addUnless(g *gen, i int, m mask, v vec) {
	if !g.wide() {
		for k := range v {
			g.sum(s.acc[i][k:], g.unless(mask{m.at(k)}, v[k:k+1]))
		}
		return
	}
	s.addIf(g, i, g.not(m), v)
}

// not is where m does not hold, though the lane exists.
func (g *gen) not(m mask) mask {
	n := g.masks(len(m))
	for i := range m {
		fp(g, g.KNOTB, g.KNOTW)(m[i], n[i])
		if g.tail != nil {
			fp(g, g.KANDB, g.KANDW)(g.tail[0], n[i], n[i])
		}
	}
	return n
}

// streamedFrom stores the vectors from the at-th one on to a row, past the caches
// if the flag is set: then the row is aligned to a vector.
func (g *gen) streamedFrom(a array, at int, v vec, flag reg.Register) {
	if g.tail != nil {
		g.write(a, v)
		return
	}
	g.inner++
	ordinary, done := fmt.Sprintf("ordinary%d", g.inner), fmt.Sprintf("stored%d", g.inner)
	g.TESTB(flag, flag)
	g.JZ(operand.LabelRef(ordinary))
	for i, r := range v {
		fp(g, g.VMOVNTPD, g.VMOVNTPS)(r, a.mem(g.index, (at+i)*g.lanes()))
	}
	g.JMP(operand.LabelRef(done))
	g.Label(ordinary)
	for i, r := range v {
		g.writeAt(a.mem(g.index, (at+i)*g.lanes()), a.size, r)
	}
	g.Label(done)
}
