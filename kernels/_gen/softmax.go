package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// frame is a parameter that stays in the frame: registers are short where rows
// of several matrices are walked.
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
		g.readAt(a.mem(cursor, i*g.lanes()), a.size, v[i])
	}
	return v
}

func (g *gen) to(a array, cursor reg.Register, v vec) {
	for i, r := range v {
		g.writeAt(a.mem(cursor, i*g.lanes()), a.size, r)
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
