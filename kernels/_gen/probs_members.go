package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var probsMembers = []primitive{
	{"memberPowersLanes", true, true, "(w, l, qy []T, gamma T)", `
leaves q^γ ln p of each position's own class.

	for i, q := range qy {
		w[i] = pow(q, gamma) * l[i]
	}
`, memberPowersLanes},
	{"memberPowersGradLanes", true, true, "(m, l, qy []T, gamma T) bool", `
leaves the derivative of q^γ ln p by the log-odds, over q.

	for i, q := range qy {
		m[i] = pow(q, gamma) * (1 - gamma*exp(l[i])*l[i]/q)
	}
	return true
`, memberPowersGradLanes},
	{"memberExpLogLanes", true, true, "(w, l, qy []T, gamma T) bool", `
leaves (−ln p)^γ of each position's own class.

	for i, v := range l {
		w[i] = pow(-v, gamma)
	}
	return true
`, memberExpLogLanes},
	{"memberExpLogGradLanes", true, true, "(m, l, qy []T, gamma T) bool", `
leaves the derivative of (−ln p)^γ by the log-odds, over q.

	for i, v := range l {
		m[i] = -gamma * pow(-v, gamma-1)
	}
	return true
`, memberExpLogGradLanes},
}

// mostHalves is the largest 2γ for which powers are multiplied.
const mostHalves = 16

// halves brings 2γ to a register if it is one of the integers from 0 to
// mostHalves, and jumps to the label where it is not.
func (g *gen) halves(gamma, otherwise string) reg.GPVirtual {
	twice, back, k := g.XMM(), g.XMM(), g.GP64()
	g.Load(g.Param(gamma), twice)
	fp(g, g.VADDSD, g.VADDSS)(twice, twice, twice)
	fp(g, g.VCVTTSD2SIQ, g.VCVTTSS2SIQ)(twice, k)
	g.VXORPS(back, back, back)
	fp(g, g.VCVTSI2SDQ, g.VCVTSI2SSQ)(k, back, back)
	fp(g, g.VUCOMISD, g.VUCOMISS)(back, twice)
	g.JNE(operand.LabelRef(otherwise))
	g.JPS(operand.LabelRef(otherwise))
	g.CMPQ(k, operand.U8(mostHalves))
	g.JHI(operand.LabelRef(otherwise))
	return k
}

// timesHalfPower is w·u^(k/2); u is lost.
func (g *gen) timesHalfPower(w, u vec, k reg.GPVirtual) {
	left := g.GP64()
	g.inner++
	whole, again, square, done := g.numbered("whole"), g.numbered("again"), g.numbered("square"), g.numbered("power")
	g.Comment("Times u^(k/2): a root if k is odd, squares of u for the bits of k/2.")
	g.MOVQ(k, left)
	g.SHRQ(operand.U8(1), left)
	g.JCC(operand.LabelRef(whole))
	g.multiply(w, g.sqrt(u))
	g.Label(whole)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef(done))
	g.Label(again)
	g.SHRQ(operand.U8(1), left)
	g.JCC(operand.LabelRef(square))
	g.multiply(w, u)
	g.Label(square)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef(done))
	g.multiply(u, u)
	g.JMP(operand.LabelRef(again))
	g.Label(done)
}

// memberPower is u^γ for 0 < u ≤ 1.
func (g *gen) memberPower(u, gamma vec) vec {
	return g.exp(g.mul(g.logTo1(u), gamma), toZero)
}

func memberPowersLanes(g *gen) {
	w, l, q, n := g.elems("w"), g.elems("l"), g.elems("qy"), g.length("w")
	k := g.halves("gamma", "anyGamma")
	g.row(n, 4, func(vectors int) {
		v := g.read(l, vectors)
		g.timesHalfPower(v, g.read(q, vectors), k)
		g.write(w, v)
	})
	g.finish()
	g.Label("anyGamma")
	gamma := g.broadcast("gamma")
	g.row(n, g.few(1), func(vectors int) {
		power := g.memberPower(g.read(q, vectors), gamma)
		g.write(w, g.mul(power, g.read(l, vectors)))
	})
	g.finish()
}

// powerShare is 1 − γ p ln p/q.
func (g *gen) powerShare(l, q, gamma vec) vec {
	p := g.exp(l, inside)
	share := g.copy(g.load(one).times(len(l)))
	g.subFrom(share, g.mul(p, gamma), g.div(l, q))
	return share
}

func memberPowersGradLanes(g *gen) {
	m, l, q, n := g.elems("m"), g.elems("l"), g.elems("qy"), g.length("m")
	gamma := g.broadcast("gamma")
	k := g.halves("gamma", "anyGamma")
	g.row(n, 2, func(vectors int) {
		u := g.read(q, vectors)
		v := g.powerShare(g.read(l, vectors), u, gamma)
		g.timesHalfPower(v, u, k)
		g.write(m, v)
	})
	g.returnTrue()
	g.Label("anyGamma")
	g.row(n, 1, func(vectors int) {
		u := g.read(q, vectors)
		share := g.powerShare(g.read(l, vectors), u, gamma)
		g.write(m, g.mul(share, g.memberPower(u, gamma)))
	})
	g.returnTrue()
}

func memberExpLogLanes(g *gen) {
	w, l, n := g.elems("w"), g.elems("l"), g.length("w")
	gamma := g.broadcast("gamma")
	g.row(n, g.few(1), func(k int) {
		ln := g.log(g.xor(g.read(l, k), signBit))
		g.write(w, g.exp(g.mul(ln, gamma), everything))
	})
	g.returnTrue()
}

func memberExpLogGradLanes(g *gen) {
	m, l, n := g.elems("m"), g.elems("l"), g.length("m")
	gamma := g.broadcast("gamma")
	less := g.sub(gamma, one)
	minus := g.xor(gamma, signBit)
	g.row(n, g.few(1), func(k int) {
		ln := g.log(g.xor(g.read(l, k), signBit))
		g.write(m, g.mul(g.exp(g.mul(ln, less), everything), minus))
	})
	g.returnTrue()
}
