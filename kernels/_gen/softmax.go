package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// frame is a parameter that stays in the frame: registers are short where rows of
// several matrices are walked.
func (g *gen) frame(param string) operand.Mem {
	p, err := g.Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

func (g *gen) frameLen(param string) operand.Mem {
	p, err := g.Param(param).Len().Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// matrix is a pointer parameter to elements of the tensor's type.
func (g *gen) matrix(param string) array {
	a := g.pointer(param)
	if g.elem == "F32" {
		a.size = 4
	}
	return a
}

func (g *gen) int(param string) reg.GPVirtual {
	return g.Load(g.Param(param), g.GP64()).(reg.GPVirtual)
}

// cursor is a new index, at first that of the positions at hand: in the first
// row of a matrix.
func (g *gen) cursor() reg.GPVirtual {
	c := g.GP64()
	g.MOVQ(g.index, c)
	return c
}

// from reads at a cursor instead of at the index.
func (g *gen) from(a array, cursor reg.Register, vectors int) vec {
	v := g.regs(vectors)
	for i := range v {
		g.readAt(a.mem(cursor, i*g.lanes), a.size, v[i])
	}
	return v
}

func (g *gen) to(a array, cursor reg.Register, v vec) {
	for i, r := range v {
		g.writeAt(a.mem(cursor, i*g.lanes), a.size, r)
	}
}

// classes repeats body as often as the parameter c says, at least once.
func (g *gen) classes(body func()) {
	left := g.GP64()
	g.MOVQ(g.frame("c"), left)
	g.inner++
	label := fmt.Sprintf("classes%d", g.inner)
	g.Label(label)
	body()
	g.DECQ(left)
	g.JNZ(operand.LabelRef(label))
}

// softmaxFew is a softmax of so many classes: those of a position lie in
// registers side by side.
func softmaxFew(g *gen, classes int) {
	g.small = g.elem == "F32"
	p, q, x := g.pointer("p"), g.pointer("q"), g.matrix("x")
	stride, xStride, n := g.int("stride"), g.int("xstride"), g.int("n")
	ok := g.all()
	g.row(n, 1, func(int) {
		var logits vec
		at := g.cursor()
		for c := range classes {
			logits = append(logits, g.from(x, at, 1)...)
			if c < classes-1 {
				g.ADDQ(xStride, at)
			}
		}
		g.both(ok, g.cmp(le, g.and(logits, size), number("plainExp", 300)))
		e := g.exp(logits, inside)
		g.Comment("Each sum of the others adds up: nothing cancels.")
		others, all := g.othersOf(e)
		inverse := g.div(g.load(one), all)
		at = g.cursor()
		for c := range classes {
			g.to(p, at, g.mul(e[c:c+1], inverse))
			g.to(q, at, g.mul(others[c:c+1], inverse))
			if c < classes-1 {
				g.ADDQ(stride, at)
			}
		}
	})
	g.returnAll(ok)
}

// othersOf gives, for each of 2 to 4 registers, the sum of the others, and the
// sum of all.
func (g *gen) othersOf(e vec) (others, all vec) {
	one := func(i int) vec { return e[i : i+1] }
	switch len(e) {
	case 2:
		return vec{e[1], e[0]}, g.add(one(0), one(1))
	case 3:
		ab := g.add(one(0), one(1))
		others = append(others, g.add(one(1), one(2))...)
		others = append(others, g.add(one(0), one(2))...)
		return append(others, ab...), g.add(ab, one(2))
	}
	ab, cd := g.add(one(0), one(1)), g.add(one(2), one(3))
	others = append(others, g.add(one(1), cd)...)
	others = append(others, g.add(one(0), cd)...)
	others = append(others, g.add(ab, one(3))...)
	return append(others, g.add(ab, one(2))...), g.add(ab, cd)
}

// below is the matrix of c rows of n that follows that of work.
func (g *gen) below(work array, n reg.Register) array {
	b := array{base: g.GP64(), size: 8}
	g.MOVQ(n, b.base)
	g.IMULQ(g.frame("c"), b.base)
	g.LEAQ(operand.Mem{Base: work.base, Index: b.base, Scale: 8}, b.base)
	return b
}

func normalise(g *gen) {
	p, q, work, n := g.pointer("p"), g.pointer("q"), g.pointer("work"), g.int("n")
	stride, width := g.int("stride"), g.frame("n")
	others := g.below(work, n)
	g.row(n, 2, func(k int) {
		at, to := g.cursor(), g.cursor()
		sum := g.zero(k)
		g.Comment("Upwards: the sum of the classes before each.")
		g.classes(func() {
			g.to(others, at, sum)
			g.sum(sum, g.from(work, at, k))
			g.ADDQ(width, at)
			g.ADDQ(stride, to)
		})
		inverse := g.div(g.load(one).times(k), sum)
		after := g.zero(k)
		g.Comment("Downwards: the sum of those after it is added.")
		g.classes(func() {
			g.SUBQ(width, at)
			g.SUBQ(stride, to)
			o := g.add(g.from(others, at, k), after)
			g.to(others, at, o)
			g.to(q, to, g.mul(o, inverse))
			e := g.from(work, at, k)
			g.sum(after, e)
			g.to(p, to, g.mul(e, inverse))
		})
	})
	g.finish()
}

// largeOdds is the most that log1p is given; its logarithm is reported as large.
var largeOdds = number("largeOdds", 0x1p1000)

// oddsLog is ln(1+a/b). ok loses the lanes where it is above 300.
func (g *gen) oddsLog(a, b vec, ok mask) vec {
	g.Comment("Odds that are infinite are reported like large ones; NaN stays.")
	odds := g.min(g.load(largeOdds), g.div(a, b))
	l := g.log1p(odds)
	g.both(ok, g.cmp(ngt, l, number("plainExp", 300)))
	return l
}

func oddsLogs(g *gen) {
	out, against, favour, n := g.slice("out"), g.slice("against"), g.slice("favour"), g.length("out")
	ok := g.all()
	g.row(n, 2, func(k int) {
		l := g.oddsLog(g.read(against, k), g.read(favour, k), ok)
		g.write(out, g.xor(l, signBit))
	})
	g.returnAll(ok)
}

// classCounter is 0 in every lane of labels, and a register of ones to step it.
func (g *gen) classCounter() (class, step reg.Register) {
	if g.wide() {
		class, step = g.YMM(), g.YMM()
	} else {
		class, step = g.XMM(), g.XMM()
	}
	g.VPXOR(class, class, class)
	g.VPCMPEQD(step, step, step)
	return class, step // a step of −1 is subtracted
}

func memberLogs(g *gen) {
	g.small = true
	w, p, q, y, n := g.slice("w"), g.pointer("p"), g.pointer("q"), g.labels("y"), g.length("w")
	stride := g.int("stride")
	ok := g.all()
	g.row(n, 2, func(k int) {
		at := g.cursor()
		class, step := g.classCounter()
		pp, qq := g.zero(k), g.zero(k)
		g.Comment("The probability of each position's own class.")
		g.classes(func() {
			member := g.isClass(y, class, k)
			g.merge(pp, member, g.from(p, at, k))
			g.merge(qq, member, g.from(q, at, k))
			g.ADDQ(stride, at)
			g.VPSUBD(step, class, class)
		})
		g.write(w, g.oddsLog(qq, pp, ok))
	})
	g.returnAll(ok)
}

// merge puts the lanes of v where m holds into dst.
func (g *gen) merge(dst vec, m mask, v vec) {
	for i := range dst {
		if g.wide() {
			g.VMOVAPD(v.at(i), m.at(i), dst[i])
		} else {
			g.VBLENDVPD(m.at(i), v.at(i), dst[i], dst[i])
		}
	}
}

func sumY(g *gen) {
	g.small = true
	acc, w, y, n := g.pointer("acc"), g.slice("w"), g.labels("y"), g.length("w")
	class := g.class()
	sums := g.accumulators(1, 4)
	g.row(n, 4, func(k int) {
		member := g.isClass(y, class, k)
		g.sum(sums[0], g.where(member, g.read(w, k)))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

// byLabel is h = ∂L/∂p p + a r of the class at coef, where in, out and a are its
// coefficients.
func (g *gen) byLabel(coef array, class int, p vec, member mask) vec {
	at := func(i int) vec {
		v := g.regs(1)
		g.VBROADCASTSD(operand.Mem{Base: coef.base, Disp: 32*class + 8*i}, v[0])
		return v
	}
	own := at(0).times(len(p))
	own = g.mul(own, p)
	own = g.add(own, at(2))
	return g.choose(member, own, g.mul(p, at(1)))
}

func softmaxRegionYFew(g *gen, classes int) {
	g.small = true
	out, p, q, coef := g.matrix("out"), g.pointer("p"), g.pointer("q"), g.pointer("coef")
	y, n, stride, outStride := g.labels("y"), g.length("y"), g.int("stride"), g.int("outStride")
	g.row(n, 1, func(int) {
		labels := g.readLabels(y)
		at := g.cursor()
		var h vec
		for c := range classes {
			pp := g.from(p, at, 1)
			h = append(h, g.byLabel(coef, c, pp, g.isNumber(labels, c))...)
			if c < classes-1 {
				g.ADDQ(stride, at)
			}
		}
		others, _ := g.othersOf(h)
		g.Comment("h q minus p times the others.")
		at = g.cursor()
		to := g.cursor()
		for c := range classes {
			d := g.mul(g.from(p, at, 1), others[c:c+1])
			hq := g.from(q, at, 1)
			g.timesMinus(hq, h[c:c+1], d)
			g.to(out, to, hq)
			if c < classes-1 {
				g.ADDQ(stride, at)
				g.ADDQ(outStride, to)
			}
		}
	})
	g.finish()
}

// readLabels loads one vector of labels; those that do not exist are 0.
func (g *gen) readLabels(y array) reg.Register {
	at := y.mem(g.index, 0)
	if g.wide() {
		labels := g.YMM()
		if g.tail == nil {
			g.VMOVDQU(at, labels)
		} else {
			g.VMOVDQU32_Z(at, g.tail[0], labels)
		}
		return labels
	}
	labels := g.XMM()
	if g.tail == nil {
		g.VMOVDQU(at, labels)
	} else {
		g.VPMASKMOVD(at, g.tail4, labels)
	}
	return labels
}

// isNumber compares labels with a class that is known when generating.
func (g *gen) isNumber(labels reg.Register, class int) mask {
	m := g.masks(1)
	if g.wide() {
		g.VPCMPEQD(g.classes8(class), labels, m[0])
		return m
	}
	same := g.XMM()
	g.VPCMPEQD(g.classes8(class), labels, same)
	g.VPMOVSXDQ(same, m[0])
	return m
}

// classes8 is a class number for every lane, in memory.
func (g *gen) classes8(class int) operand.Mem {
	name := fmt.Sprintf("class%d", class)
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range g.lanes {
		g.AddDatum(4*i, operand.U32(class))
	}
	g.constants[name] = m
	return m
}

func softmaxRegionY(g *gen) {
	g.small = true
	out, p, q, work, coef := g.matrix("out"), g.pointer("p"), g.pointer("q"), g.pointer("work"), g.pointer("coef")
	y, n, stride := g.labels("y"), g.length("y"), g.int("stride")
	width, outStride := g.frameLen("y"), g.frame("outStride")
	g.row(n, 2, func(k int) {
		at, from, to := g.cursor(), g.cursor(), g.cursor()
		sum := g.zero(k)
		class, step := g.classCounter()
		g.Comment("Upwards: h of each class, and the sum of those before it.")
		g.classes(func() {
			pp := g.from(p, from, k)
			g.to(work, at, sum)
			g.sum(sum, g.byLabel(coef, 0, pp, g.isClass(y, class, k)))
			g.VPSUBD(step, class, class)
			g.ADDQ(operand.U8(32), coef.base)
			g.ADDQ(width, at)
			g.ADDQ(stride, from)
			g.ADDQ(outStride, to)
		})
		after := g.zero(k)
		g.Comment("Downwards: h q minus p times the others.")
		g.classes(func() {
			g.VPADDD(step, class, class)
			g.SUBQ(operand.U8(32), coef.base)
			g.SUBQ(width, at)
			g.SUBQ(stride, from)
			g.SUBQ(outStride, to)
			pp := g.from(p, from, k)
			h := g.byLabel(coef, 0, pp, g.isClass(y, class, k))
			others := g.add(g.from(work, at, k), after)
			g.sum(after, h)
			d := g.from(q, from, k)
			g.timesMinus(d, h, g.mul(pp, others))
			g.to(out, to, d)
		})
	})
	g.finish()
}

// softmaxChain is written where nothing has underflowed: the first sweep makes
// sure of it before anything is stored.
func softmaxChain(g *gen, logOdds bool) {
	g.small = g.elem == "F32"
	p, q, n := g.pointer("p"), g.pointer("q"), g.int("n")
	g.allAbove(p, q, n)
	out, d, work := g.matrix("out"), g.pointer("d"), g.pointer("work")
	var u array
	if logOdds {
		u = g.pointer("u")
	}
	g.MOVQ(g.frame("n"), n)
	stride, width, outStride := g.frame("stride"), g.frame("n"), g.frame("outStride")
	others := g.below(work, n)
	g.row(n, g.few(1), func(k int) {
		from := g.cursor()
		g.Comment("The class with the largest probability.")
		top, topClass, class := g.from(p, from, k), g.zero(k), g.zero(1)
		ones := g.load(one)
		g.classes(func() {
			pp := g.from(p, from, k)
			larger := g.cmp(gt, pp, top)
			g.merge(top, larger, pp)
			g.merge(topClass, larger, class)
			g.sum(class, ones)
			g.ADDQ(stride, from)
		})
		at := g.cursor()
		g.MOVQ(g.index, from)
		class, rest, topU, topQ := g.zero(1), g.zero(k), g.zero(k), g.zero(k)
		g.Comment("u = d p q + U of each, and the sum of u/q but for the largest.")
		g.classes(func() {
			v, qq := g.mul(g.from(d, from, k), g.from(p, from, k)), g.from(q, from, k)
			if logOdds {
				g.timesPlus(v, qq, g.from(u, from, k))
			} else {
				v = g.mul(v, qq)
			}
			ratio := g.div(v, qq)
			isTop := g.cmp(eq, class, topClass)
			g.merge(topU, isTop, v)
			g.merge(topQ, isTop, qq)
			g.to(work, at, v)
			g.to(others, at, ratio)
			g.sum(rest, g.unless(isTop, ratio))
			g.sum(class, ones)
			g.ADDQ(width, at)
			g.ADDQ(stride, from)
		})
		topQ = g.div(ones.times(k), topQ)
		g.MOVQ(g.index, from)
		g.MOVQ(g.index, at)
		to := g.cursor()
		class = g.zero(1)
		g.Comment("The largest takes p of the rest; the others what remains and p/q of the largest.")
		g.classes(func() {
			isTop := g.cmp(eq, class, topClass)
			pp := g.from(p, from, k)
			remains := g.sub(rest, g.unless(isTop, g.from(others, at, k)))
			v := g.from(work, at, k)
			g.subFrom(v, pp, remains)
			v = g.sub(v, g.unless(isTop, g.mul(topU, g.mul(pp, topQ))))
			g.to(out, to, v)
			g.sum(class, ones)
			g.ADDQ(width, at)
			g.ADDQ(stride, from)
			g.ADDQ(outStride, to)
		})
	})
	g.returnTrue()
}

// allAbove returns false from the function unless every p and q is a number
// that still has all its digits.
func (g *gen) allAbove(p, q array, n reg.GPVirtual) {
	g.Comment("Nothing may have underflowed.")
	low := g.all()
	tiny := number("tiny", 1e-290)
	g.row(n, 1, func(int) {
		from := g.cursor()
		g.classes(func() {
			for _, m := range []array{p, q} {
				above := g.cmp(gt, g.from(m, from, 1), tiny)
				g.orMissing(above)
				g.both(low, above)
			}
			g.ADDQ(g.frame("stride"), from)
		})
	})
	g.jumpIfAll(low, "sound")
	result := g.GP8()
	g.XORB(result, result)
	g.Store(result, g.ReturnIndex(0))
	g.finish()
	g.Label("sound")
}

// orMissing makes m hold in the lanes that do not exist.
func (g *gen) orMissing(m mask) {
	if g.tail == nil {
		return
	}
	if g.wide() {
		missing := g.K()
		g.KNOTB(g.tail[0], missing)
		g.KORB(missing, m[0], m[0])
		return
	}
	ones := g.all()
	missing := g.YMM()
	g.VANDNPD(ones[0], g.tail[0], missing)
	g.VORPD(missing, m[0], m[0])
}

func (g *gen) jumpIfAll(m mask, label string) {
	bits := g.GP32()
	if g.wide() {
		g.KMOVB(m[0], bits)
		g.CMPB(bits.As8(), operand.U8(0xff))
	} else {
		g.VMOVMSKPD(m[0], bits)
		g.CMPL(bits, operand.U8(0xf))
	}
	g.JEQ(operand.LabelRef(label))
}

func (g *gen) returnTrue() {
	result := g.GP8()
	g.MOVB(operand.U8(1), result)
	g.Store(result, g.ReturnIndex(0))
	g.finish()
}
