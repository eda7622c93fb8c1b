package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
