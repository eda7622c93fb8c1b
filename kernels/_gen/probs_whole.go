package main

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// probsWhole is what does all of few classes at once: their sums, or the gradient
// from logits.
var probsWhole = slices.Concat(
	ofClasses("softmaxSumsYLanes", sumsYType, sumsYDoc, func(g *gen, c int) { softmaxSumsY(g, c, wholeSums{region: true}) }),
	ofClasses("softmaxLogSumsYLanes", sumsYType, logSumsYDoc, func(g *gen, c int) { softmaxSumsY(g, c, wholeSums{region: true, logs: true}) }),
	ofClasses("softmaxPowerSumsYLanes", powerSumsYType, powerSumsYDoc, func(g *gen, c int) { softmaxSumsY(g, c, wholeSums{region: true, power: true}) }),
	ofClasses("softmaxOnlyPowerSumsYLanes", powerSumsYType, onlyPowerSumsYDoc, func(g *gen, c int) { softmaxSumsY(g, c, wholeSums{power: true}) }),
	ofClasses("softmaxGradYLanes", gradYType, gradYDoc, func(g *gen, c int) { softmaxGradY(g, c, false) }),
	ofClasses("softmaxPowerGradYLanes", powerGradYType, powerGradYDoc, func(g *gen, c int) { softmaxGradY(g, c, true) }),
	ofClasses("softmaxOnlyPowerGradYLanes", powerGradYType, onlyPowerGradYDoc, softmaxOnlyPowerGradY),
)

// ofClasses is a kernel of each number of classes.
func ofClasses(name, signature, doc string, body func(g *gen, classes int)) (all []primitive) {
	for _, c := range []int{2, 3, 4, 8} {
		all = append(all, primitive{fmt.Sprint(name, c), true, true, signature, doc, func(g *gen) { body(g, c) }})
	}
	return all
}

const (
	sumsYType = "(acc *[16]float64, x *T, y []uint8, xstride int, next uintptr) bool"
	sumsYDoc  = `
adds TP, FP, FN and TN of every class, of which the sums follow each
other. It reports false if some logit is a NaN or beyond ±40, or ±150
in float64.

	p, q := softmax(x)
	for i, c := range y {
		for k := range p {
			if int(c) == k {
				acc[16*k] += p[k][i]
				acc[16*k+2] += q[k][i]
			} else {
				acc[16*k+1] += p[k][i]
				acc[16*k+3] += q[k][i]
			}
		}
	}
`
	logSumsYDoc = `
adds TP, FP, FN, TN and LogP of every class, of which the sums follow
each other. It reports false if some logit is a NaN or beyond ±40, or
±150 in float64.

	p, q := softmax(x)
	for i, c := range y {
		for k := range p {
			if int(c) == k {
				acc[16*k] += p[k][i]
				acc[16*k+2] += q[k][i]
				acc[16*k+10] -= log1p(q[k][i]/p[k][i])
			} else {
				acc[16*k+1] += p[k][i]
				acc[16*k+3] += q[k][i]
			}
		}
	}
`
	powerSumsYType = "(acc *[16]float64, x *T, y []uint8, xstride int, next uintptr, gamma T) bool"
	powerSumsYDoc  = `
adds TP, FP, FN, TN and Pos of every class, of which the sums follow
each other; 2 gamma is one of 2 … 16. It reports false if some logit is
a NaN or beyond ±40, or ±150 in float64.

	p, q := softmax(x)
	for i, c := range y {
		for k := range p {
			if int(c) == k {
				acc[16*k] += p[k][i]
				acc[16*k+2] += q[k][i]
				acc[16*k+12] -= pow(q[k][i], gamma) * log1p(q[k][i]/p[k][i])
			} else {
				acc[16*k+1] += p[k][i]
				acc[16*k+3] += q[k][i]
			}
		}
	}
`
	onlyPowerSumsYDoc = `
adds Pos of every class, of which the sums follow each other; 2 gamma
is one of 2 … 16. It reports false if some logit is a NaN or beyond
±40, or ±150 in float64.

	p, q := softmax(x)
	for i, c := range y {
		p, q := p[c][i], q[c][i]
		acc[16*int(c)+12] -= pow(q, gamma) * log1p(q/p)
	}
`
	gradYType = "(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, stream bool) bool"
	gradYDoc  = `
is the gradient through a softmax by labels, from the 8 coefficients of
each class. It reports false, and out is unspecified, if some logit is
a NaN or beyond ±40, or ±150 in float64. out may lie on x.

	p, q := softmax(x)
	h := func(k, i int) T {
		by := coef[8*k:]
		if int(y[i]) == k {
			return p[k][i]*by[0] + by[2]
		}
		return p[k][i] * by[1]
	}
	for i := range y {
		for k := range p {
			others := 0.0
			for o := range p {
				if o != k {
					others += h(o, i)
				}
			}
			out[k*outStride+i] = h(k, i)*q[k][i] - p[k][i]*others
		}
	}
`
	powerGradYType = "(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, gamma T, stream bool) bool"
	powerGradYDoc  = `
is the gradient through a softmax by labels, from the 8 coefficients of
each class, with that of q^γ ln p; 2 gamma is one of 2 … 16. It reports
false, and out is unspecified, if some logit is a NaN or beyond ±40, or
±150 in float64. out may lie on x.

	p, q := softmax(x)
	h := func(k, i int) T {
		by, p, q := coef[8*k:], p[k][i], q[k][i]
		if int(y[i]) == k {
			m := pow(q, gamma-1) * (q + gamma*p*log1p(q/p))
			return p*by[0] + by[2] + by[3]*m
		}
		return p * by[1]
	}
	for i := range y {
		for k := range p {
			others := 0.0
			for o := range p {
				if o != k {
					others += h(o, i)
				}
			}
			out[k*outStride+i] = h(k, i)*q[k][i] - p[k][i]*others
		}
	}
`
	onlyPowerGradYDoc = `
is the gradient through a softmax by labels of what members alone
contribute to, from the 8 coefficients of each class; 2 gamma is one of
2 … 16. It reports false, and out is unspecified, if some logit is a NaN
or beyond ±40, or ±150 in float64. out may lie on x.

	p, q := softmax(x)
	for i, c := range y {
		by, own, others := coef[8*int(c):], p[c][i], q[c][i]
		m := pow(others, gamma-1) * (others + gamma*own*log1p(others/own))
		h := by[2] + by[3]*m
		for k := range p {
			if int(c) == k {
				out[k*outStride+i] = h * others
			} else {
				out[k*outStride+i] = -h * p[k][i]
			}
		}
	}
`
)

// cells is vectors that stay in memory, each on its own cache line or half of
// one, for there are too few registers.
type cells struct {
	at operand.Mem
	n  int
}

func (g *gen) cells(n int) *cells {
	g.Attributes(attr.Attribute(0)) // the frame may need a larger stack
	at := g.AllocLocal((n + 1) * g.bytes)
	base := g.GP64()
	g.LEAQ(at.Offset(g.bytes-1), base)
	g.ANDQ(operand.I8(-g.bytes), base)
	return &cells{at: operand.Mem{Base: base}, n: n}
}

func (c *cells) of(g *gen, i int) operand.Mem { return c.at.Offset(i * g.bytes) }

func (c *cells) write(g *gen, i int, v vec) { g.VMOVUPS(v[0], c.of(g, i)) }

// scratch is rows of so many elements in the frame, aligned to a cache line.
type scratch struct {
	base       reg.GPVirtual
	row, first int // of the matrix that it is
}

func (g *gen) scratch(rows, elements int) *scratch {
	g.Attributes(attr.Attribute(0)) // the frame may need a larger stack
	local := g.AllocLocal(rows*elements*g.elemSize() + 64)
	s := &scratch{base: g.GP64(), row: elements}
	g.LEAQ(local.Offset(63), s.base)
	g.ANDQ(operand.I8(-64), s.base)
	return s
}

// matrix is the rows from the first one on.
func (s *scratch) matrix(first int) *scratch { return &scratch{s.base, s.row, first} }

func (s *scratch) mem(g *gen, class, i int) operand.Mem {
	size := g.elemSize()
	return array{s.base, size}.mem(g.index, (s.first+class)*s.row+i*g.lanes())
}

func (s *scratch) read(g *gen, class, vectors int) vec {
	v := g.regs(vectors)
	for i := range v {
		g.VMOVUPS(s.mem(g, class, i), v[i])
	}
	return v
}

func (s *scratch) write(g *gen, class int, v vec) {
	for i := range v {
		g.VMOVUPS(v[i], s.mem(g, class, i))
	}
}

// addLanes adds the lanes of sums to acc[index], in float64.
func (g *gen) addLanes(acc reg.Register, index int, v vec) {
	if g.single {
		low, high := g.regs(1), g.regs(1)
		if g.wide() {
			y := g.YMM()
			g.VEXTRACTF64X4(operand.U8(1), v[0], y)
			g.VCVTPS2PD(y, high[0])
			g.VCVTPS2PD(v[0].(reg.VecVirtual).AsY(), low[0])
		} else {
			x := g.XMM()
			g.VEXTRACTF128(operand.U8(1), v[0], x)
			g.VCVTPS2PD(x, high[0])
			g.VCVTPS2PD(v[0].(reg.VecVirtual).AsX(), low[0])
		}
		g.VADDPD(high[0], low[0], low[0])
		v = low
	}
	g.addTotal(acc, index, v)
}

// addWhere adds v where m holds; with AVX2 it returns v there and 0 elsewhere.
func (g *gen) addWhere(sum vec, m mask, v vec) (member vec) {
	if g.wide() {
		fp(g, g.VADDPD, g.VADDPS)(v[0], sum[0], m[0], sum[0])
		return nil
	}
	member = g.where(m, v)
	g.sum(sum, member)
	return member
}

// sumsWindow is how many positions of so many classes lie in the first cache.
func (g *gen) sumsWindow(classes int) int {
	return min(16<<10/(2*classes*g.elemSize())&^63, sumWindow)
}

// windows repeats body for so many positions at a time and moves the parameters
// y and matrices on, for there are few registers. rows walks a window.
func (g *gen) windows(size int, matrices []string, body func(rows func(vectors int, body func(k int)))) {
	window := g.GP64()
	g.Label("window")
	g.Commentf("%d positions at a time.", size)
	g.MOVQ(operand.U32(size), window)
	g.CMPQ(window, g.frameLen("y"))
	g.CMOVQGT(g.frameLen("y"), window)
	body(func(vectors int, body func(k int)) {
		left := g.GP64()
		g.MOVQ(window, left)
		g.row(left, vectors, body)
	})
	g.Comment("The parameters move on.")
	y, err := g.Param("y").Base().Resolve()
	if err != nil {
		panic(err)
	}
	g.ADDQ(window, y.Addr)
	g.SUBQ(window, g.frameLen("y"))
	g.SHLQ(operand.U8(bits.TrailingZeros(uint(g.elemSize()))), window)
	for _, m := range matrices {
		g.ADDQ(window, g.frame(m))
	}
	g.CMPQ(g.frameLen("y"), operand.U8(0))
	g.JG(operand.LabelRef("window"))
}

// wholeSums is which sums a kernel forms: TP FP FN TN, and one of LogP and Pos.
type wholeSums struct{ region, logs, power bool }

// softmaxSumsY takes window after window of positions in three steps, each with
// many vectors on their way: probabilities, sums by labels, and what logarithms
// make of the members' probabilities. Without region sums the first step leaves
// those alone.
func softmaxSumsY(g *gen, classes int, what wholeSums) {
	acc := g.pointer("acc")
	x := g.logitRows(classes)
	size := g.sumsWindow(classes)
	p := g.scratch(2*classes+2, size)
	q, own := p.matrix(classes), p.matrix(2*classes) // of members: p, then q
	to := softmaxRows{p: p, q: q, room: p}
	if !what.region {
		to = softmaxRows{own: own, room: p}
	}
	g.sharing = true
	most := g.zero(1)
	g.windows(size, []string{"x", "next"}, func(rows func(int, func(int))) {
		rows(g.softmaxVectors(classes), func(k int) {
			x.atIndex(g)
			g.softmaxOf(x, to, classes, k, most)
		})
		members := what.logs || what.power
		if what.region {
			together := g.few(2)
			for first := 0; first < classes; first += together {
				g.sumsOfClasses(rows, acc.base, p, q, own, first, min(together, classes-first), members)
			}
		}
		if members {
			g.logsOfClasses(rows, acc.base, own, classes, what.power)
		}
	})
	g.returnWithin(most, softmaxLimit)
}

// sumsOfClasses adds TP, FP, FN and TN of some classes, and gathers the
// probabilities of members.
func (g *gen) sumsOfClasses(rows func(int, func(int)), acc reg.Register, p, q, own *scratch, first, classes int, gather bool) {
	sums := g.accumulators(4*classes, 1)
	rows(1, func(int) {
		labels := g.labelLanes(g.byteLabels("y"), 1)
		var members []vec
		switch {
		case gather && first == 0:
			members = []vec{g.zero(1), g.zero(1)}
		case gather:
			members = []vec{own.read(g, 0, 1), own.read(g, 1, 1)}
		}
		for c := range classes {
			m := g.isLabel(labels, first+c)
			for i, row := range []*scratch{p, q} {
				v := row.read(g, first+c, 1)
				member := g.addWhere(sums[4*c+2*i], m, v)
				switch {
				case !gather:
				case member == nil:
					g.merge(members[i], m, v)
				default:
					g.VORPS(member[0], members[i][0], members[i][0])
				}
			}
			elsewhere := g.elsewhere(m)
			for i, row := range []*scratch{p, q} {
				g.addElsewhere(sums[4*c+2*i+1], m, elsewhere, row.read(g, first+c, 1))
			}
		}
		for i, v := range members {
			own.write(g, i, v)
		}
	})
	g.Comment("The lanes are added up in float64.")
	for i, v := range sums {
		g.addLanes(acc, 16*(first+i/4)+i%4, v)
	}
}

// elsewhere is where m does not hold, for addElsewhere; nil with AVX2.
func (g *gen) elsewhere(m mask) mask {
	if !g.wide() {
		return nil
	}
	return g.not(m)
}

func (g *gen) addElsewhere(sum vec, m, elsewhere mask, v vec) {
	if g.wide() {
		g.addWhere(sum, elsewhere, v)
		return
	}
	g.sum(sum, g.unless(m, v))
}

// logsOfClasses adds LogP of all classes, or Pos, from the probabilities of members.
func (g *gen) logsOfClasses(rows func(int, func(int)), acc reg.Register, own *scratch, classes int, power bool) {
	sums := g.accumulators(classes, 1)
	var exponent reg.GPVirtual
	if power {
		exponent = g.twice("gamma")
	}
	rows(g.few(2), func(k int) {
		labels := g.labelLanes(g.byteLabels("y"), k)
		p, q := own.read(g, 0, k), own.read(g, 1, k)
		l := g.existing(g.ownLog(p, q))
		if power {
			g.timesHalfPower(l, q, exponent)
		}
		for c := range classes {
			for i, m := range g.isLabel(labels, c) {
				g.addWhere(sums[c], mask{m}, l[i:i+1])
			}
		}
	})
	for c, v := range sums {
		g.addLanes(acc, 16*c+pick(power, sumPos, sumLogP), v)
	}
}

// twice is 2γ, an integer.
func (g *gen) twice(gamma string) reg.GPVirtual {
	x, k := g.XMM(), g.GP64()
	fp(g, g.VMOVSD, g.VMOVSS)(g.frame(gamma), x)
	fp(g, g.VADDSD, g.VADDSS)(x, x, x)
	fp(g, g.VCVTTSD2SIQ, g.VCVTTSS2SIQ)(x, k)
	return k
}

// classCoefs is some of the coefficients of all classes, spread over vectors: in
// registers or, where there are too few, in memory.
type classCoefs [][]any // by the place among the coefficients and the class

func (g *gen) classCoefs(classes int, places ...int) classCoefs {
	coef := g.matrix("coef")
	var room *cells
	if !g.wide() || classes > 4 {
		room = g.cells(len(places) * classes)
	}
	c := make(classCoefs, 8)
	for k := range classes {
		for i, place := range places {
			v := g.spread(everyLane{Base: coef.base, Disp: (8*k + place) * coef.size})
			if room == nil {
				c[place] = append(c[place], v)
				continue
			}
			at := len(places)*k + i
			room.write(g, at, v)
			c[place] = append(c[place], wholeVector(room.of(g, at)))
		}
	}
	return c
}

// softmaxGradY takes window after window of positions in steps, like
// softmaxSumsY.
func softmaxGradY(g *gen, classes int, power bool) {
	x, out := g.logitRows(classes), g.classRows("out", "outStride", classes)
	size := g.sumsWindow(classes)
	p := g.scratch(2*classes, size)
	q := p.matrix(classes)
	to, places := softmaxRows{p: p, q: q, room: p}, []int{0, 1, 2}
	if power {
		to.own, places = g.scratch(2, size), append(places, 3)
	}
	g.sharing = true
	coefs := g.classCoefs(classes, places...)
	most := g.zero(1)
	g.windows(size, []string{"x", "next", "out"}, func(rows func(int, func(int))) {
		rows(g.softmaxVectors(classes), func(k int) {
			x.atIndex(g)
			g.softmaxOf(x, to, classes, k, most)
		})
		if power {
			g.powerSlopes(rows, to.own, func(k int, m, _ vec) { to.own.write(g, 0, m) })
		}
		rows(1, func(k int) {
			labels := g.labelLanes(g.byteLabels("y"), k)
			tree := g.sumsOf(classes, func(c int) vec {
				pp := p.read(g, c, k)
				own := g.loaded(coefs[2][c])
				g.addTo(own, pp, coefs[0][c])
				if power {
					g.addTo(own, to.own.read(g, 0, k), coefs[3][c])
				}
				return g.choose(g.isLabel(labels, c), own, g.mul(pp, coefs[1][c]))
			})
			out.atIndex(g)
			g.Comment("h q minus p times the others.")
			tree.others(g, nil, func(c int, own, others vec) {
				d := g.mul(others, wholeVector(p.mem(g, c, 0)))
				own = g.copy(own)
				g.timesMinus(own, q.read(g, c, k), d)
				g.streamedTo(out.class(g, c, 0), own)
			})
		})
	})
	g.returnWithin(most, softmaxLimit)
}

// softmaxOnlyPowerGradY is softmaxGradY of what members alone contribute to: no
// class has others to add up, and one q of each position is enough.
func softmaxOnlyPowerGradY(g *gen, classes int) {
	x, out := g.logitRows(classes), g.classRows("out", "outStride", classes)
	size := g.sumsWindow(classes)
	p := g.scratch(classes+2, size)
	own := p.matrix(classes)
	g.sharing = true
	coefs := g.classCoefs(classes, 2, 3)
	most := g.zero(1)
	g.windows(size, []string{"x", "next", "out"}, func(rows func(int, func(int))) {
		rows(g.softmaxVectors(classes), func(k int) {
			x.atIndex(g)
			g.softmaxOf(x, softmaxRows{p: p, room: p, own: own}, classes, k, most)
		})
		g.powerSlopes(rows, own, func(k int, m, q vec) {
			h, by := g.zero(k), g.zero(k)
			labels := g.labelLanes(g.byteLabels("y"), k)
			for c := range classes {
				member := g.isLabel(labels, c)
				g.merge(h, member, g.loaded(coefs[2][c]))
				g.merge(by, member, g.loaded(coefs[3][c]))
			}
			g.addTo(h, m, by)
			own.write(g, 0, g.mul(h, q))
			own.write(g, 1, g.xor(h, signBit))
		})
		rows(1, func(k int) {
			labels := g.labelLanes(g.byteLabels("y"), k)
			own, other := own.read(g, 0, k), own.read(g, 1, k)
			out.atIndex(g)
			for c := range classes {
				pp := g.mul(other, wholeVector(p.mem(g, c, 0)))
				g.merge(pp, g.isLabel(labels, c), own)
				g.streamedTo(out.class(g, c, 0), pp)
			}
		})
	})
	g.returnWithin(most, softmaxLimit)
}

// powerSlopes calls use with the derivative of q^γ ln p by the log-odds, over q,
// and with q.
func (g *gen) powerSlopes(rows func(int, func(int)), own *scratch, use func(vectors int, m, q vec)) {
	exponent, gamma := g.twice("gamma"), g.broadcast("gamma")
	g.SUBQ(operand.U8(2), exponent)
	rows(2, func(k int) {
		p, q := own.read(g, 0, k), own.read(g, 1, k)
		l := g.ownLog(p, q)
		g.Comment("q^(gamma-1) (q - gamma p ln(p)).")
		m := g.copy(q)
		g.subFrom(m, g.mul(p, gamma.times(k)), l)
		g.timesHalfPower(m, g.copy(q), exponent)
		use(k, m, q)
	})
}

// loaded is a copy of a vector that is in a register or in memory.
func (g *gen) loaded(v any) vec {
	if v, ok := v.(vec); ok {
		return g.copy(v)
	}
	r := g.regs(1)
	g.VMOVUPS(operand.Mem(v.(wholeVector)), r[0])
	return r
}
