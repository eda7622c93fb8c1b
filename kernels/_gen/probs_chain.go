package main

import (
	"github.com/mmcloughlin/avo/operand"
)

var probsChains = []primitive{
	{"chainYLanes2", true, true, chainYType, chainYDoc, func(g *gen) { chainYFew(g, 2, false) }},
	{"chainYLanes3", true, true, chainYType, chainYDoc, func(g *gen) { chainYFew(g, 3, false) }},
	{"chainYLanes4", true, true, chainYType, chainYDoc, func(g *gen) { chainYFew(g, 4, false) }},
	{"chainYLanes8", true, true, chainYType, chainYDoc, func(g *gen) { chainYFew(g, 8, false) }},
	{"chainYLanes", true, true, chainYType, chainYDoc, func(g *gen) { chainY(g, false) }},
	{"squareChainYLanes2", true, true, chainYType, squareChainYDoc, func(g *gen) { chainYFew(g, 2, true) }},
	{"squareChainYLanes3", true, true, chainYType, squareChainYDoc, func(g *gen) { chainYFew(g, 3, true) }},
	{"squareChainYLanes4", true, true, chainYType, squareChainYDoc, func(g *gen) { chainYFew(g, 4, true) }},
	{"squareChainYLanes8", true, true, chainYType, squareChainYDoc, func(g *gen) { chainYFew(g, 8, true) }},
	{"squareChainYLanes", true, true, chainYType, squareChainYDoc, func(g *gen) { chainY(g, true) }},
}

const (
	chainYType = "(out, p, q, m, coef, work *T, y []uint8, outStride, stride, c int, stream bool)"
	chainYDoc  = `
is the gradient through a softmax by labels, from the 8 coefficients of
each class.

	h := func(k, i int) T {
		by, p := coef[8*k:], p[k*stride+i]
		if int(y[i]) == k {
			return p*by[0] + by[2] + by[3]*m[i]
		}
		return p * by[1]
	}
	for i := range y {
		for k := range c {
			others := 0.0
			for o := range c {
				if o != k {
					others += h(o, i)
				}
			}
			out[k*outStride+i] = h(k, i)*q[k*stride+i] - p[k*stride+i]*others
		}
	}
`
	squareChainYDoc = `
is the gradient through a softmax by labels with squares, from the 8
coefficients of each class.

	h := func(k, i int) T {
		by, p, q := coef[8*k:], p[k*stride+i], q[k*stride+i]
		if int(y[i]) == k {
			return p*(by[0]+2*by[4]*p-2*by[5]*q) + by[2] + by[3]*m[i]
		}
		return p * (by[1] + 2*(by[4]+by[6])*p)
	}
	for i := range y {
		for k := range c {
			others := 0.0
			for o := range c {
				if o != k {
					others += h(o, i)
				}
			}
			out[k*outStride+i] = h(k, i)*q[k*stride+i] - p[k*stride+i]*others
		}
	}
`
)

// chainTerms is what a class takes of what its coefficients multiply.
type chainTerms struct {
	coef   array // of the class
	m      func() vec
	square bool
}

// inRegisters is a value that stays there.
func inRegisters(v vec) func() vec { return func() vec { return v } }

func (t *chainTerms) by(class, i int) everyLane {
	return everyLane{Base: t.coef.base, Disp: (8*class + i) * t.coef.size}
}

// h is what a class brings to the others, where member is that of its labels.
func (t *chainTerms) h(g *gen, class int, p, q vec, member mask) vec {
	var own, other vec
	if t.square {
		twice := g.add(p, p)
		s := g.mul(twice, t.by(class, 4))
		own, other = g.add(s, t.by(class, 0)), g.add(s, t.by(class, 1))
		g.subFrom(own, g.add(q, q), t.by(class, 5))
		g.addTo(other, twice, t.by(class, 6))
		own, other = g.mul(own, p), g.mul(other, p)
	} else {
		own, other = g.mul(p, t.by(class, 0)), g.mul(p, t.by(class, 1))
	}
	own = g.add(own, t.by(class, 2))
	g.addTo(own, t.m(), t.by(class, 3))
	return g.choose(member, own, other)
}

// qOf is the q of a class where it is needed.
func (t *chainTerms) qOf(read func() vec) vec {
	if t.square {
		return read()
	}
	return nil
}

func chainYFew(g *gen, classes int, square bool) {
	out, p := g.classRows("out", "outStride", classes), g.classRows("p", "stride", classes)
	q := p.beside(g, "q")
	n := g.length("y")
	unroll := 1
	if classes == 2 {
		unroll = g.few(1)
	}
	g.row(n, unroll, func(k int) {
		labels := g.labelLanes(g.byteLabels("y"), k)
		m := g.matrix("m")
		t := &chainTerms{coef: g.matrix("coef"), m: func() vec { return g.read(m, k) }, square: square}
		if classes <= 4 || g.wide() {
			t.m = inRegisters(t.m())
		}
		p.atIndex(g)
		q.atIndex(g)
		h := func(c int) vec {
			qq := t.qOf(func() vec { return q.read(g, c, k) })
			return t.h(g, c, p.read(g, c, k), qq, g.isLabel(labels, c))
		}
		tree := g.sumsOf(classes, h)
		out.atIndex(g)
		g.Comment("h q minus p times the others.")
		tree.others(g, nil, func(c int, own, others vec) {
			d := g.mul(others, p.read(g, c, k))
			own = g.copy(own)
			g.timesMinus(own, q.read(g, c, k), d)
			g.streamedTo(out.class(g, c, 0), own)
		})
	})
	g.finish()
}

// sumsOf is the tree of as many values; where there are too few registers for
// all, each is computed again when it is used.
func (g *gen) sumsOf(classes int, value func(class int) vec) *classTree {
	parts := make([]*classTree, classes)
	for c := range parts {
		parts[c] = &classTree{class: c, sum: value(c)}
		if c%2 == 0 || classes <= 4 || g.wide() {
			continue
		}
		pair := g.join(parts[c-1], parts[c])
		pair.forget(value)
		parts[c/2] = pair
	}
	if classes > 4 && !g.wide() {
		parts = parts[:classes/2]
	}
	return g.joinAll(parts)
}

// streamedTo stores vectors of the element type one after the other, past the
// caches if the parameter stream says so.
func (g *gen) streamedTo(m operand.Mem, v vec) {
	ordinary := func() {
		for i := range v {
			g.writeAt(m.Offset(i*g.bytes), g.elemSize(), v[i])
		}
	}
	if g.tail != nil {
		ordinary()
		return
	}
	g.inner++
	usual, done := g.numbered("usual"), g.numbered("stored")
	g.CMPB(g.frame("stream"), operand.U8(0))
	g.JEQ(operand.LabelRef(usual))
	for i := range v {
		fp(g, g.VMOVNTPD, g.VMOVNTPS)(v[i], m.Offset(i*g.bytes))
	}
	g.JMP(operand.LabelRef(done))
	g.Label(usual)
	ordinary()
	g.Label(done)
}

func chainY(g *gen, square bool) {
	out, p, q, work := g.matrix("out"), g.matrix("p"), g.matrix("q"), g.matrix("work")
	n, coef := g.length("y"), g.matrix("coef")
	stride, outStride := g.frame("stride"), g.frame("outStride")
	coefs := operand.U8(8 * coef.size)
	g.row(n, g.few(1), func(k int) {
		labels := g.labelLanes(g.byteLabels("y"), k)
		t := &chainTerms{coef: coef, m: inRegisters(g.read(g.matrix("m"), k)), square: square}
		at, to := g.cursor(), g.cursor()
		sum := g.zero(k)
		class, step := g.laneCounter()
		h := func() vec {
			qq := t.qOf(func() vec { return g.from(q, at, k) })
			return t.h(g, 0, g.from(p, at, k), qq, g.isLabel(labels, class))
		}
		g.Comment("Upwards: h of each class, and the sum of those before it.")
		g.classes(func() {
			g.to(work, at, sum)
			g.sum(sum, h())
			g.stepUp(class, step)
			g.ADDQ(coefs, coef.base)
			g.ADDQ(stride, at)
			g.ADDQ(outStride, to)
		})
		after := g.zero(k)
		g.Comment("Downwards: h q minus p times the others.")
		g.classes(func() {
			g.stepDown(class, step)
			g.SUBQ(coefs, coef.base)
			g.SUBQ(stride, at)
			g.SUBQ(outStride, to)
			own := h()
			d := g.mul(g.add(g.from(work, at, k), after), g.from(p, at, k))
			g.sum(after, own)
			g.timesMinus(own, g.from(q, at, k), d)
			g.streamedTo(out.mem(to, 0), own)
		})
	})
	g.finish()
}
