package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
			fp(g, g.VMOVAPD, g.VMOVAPS)(v.at(i), m.at(i), dst[i])
		} else {
			fp(g, g.VBLENDVPD, g.VBLENDVPS)(m.at(i), v.at(i), dst[i], dst[i])
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
	for i := range g.lanes() {
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
