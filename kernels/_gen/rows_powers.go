package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gammaParts is how a kernel raises v to γ: products and square roots make the
// half-integer part, exp(rest·ln v) what is left of any γ.
type gammaParts struct {
	twice reg.GPVirtual // of the part that products make; nil without
	rest  vec
}

// startPowers takes γ apart. Logits have logarithms small enough, for their
// tolerance, to be multiplied by all of it.
func (b *rowKernel) startPowers() {
	if !b.powers {
		return
	}
	gamma := pick(b.backward, byGamma, factorGamma)
	if !b.anyPower {
		b.exponent.twice = b.GP64()
		fp(b.gen, b.VCVTTSD2SI, b.VCVTTSS2SI)(b.at(gamma+1), b.exponent.twice.As32())
		return
	}
	x := b.XMM()
	fp(b.gen, b.VMOVSD, b.VMOVSS)(b.at(gamma), x)
	if !b.sigmoid {
		b.Comment("Products make the whole part of the exponent, up to 4.")
		whole := b.XMM()
		b.exponent.twice = b.GP64()
		fp(b.gen, b.VMINSD, b.VMINSS)(b.mem(number("four", 4)), x, whole)
		fp(b.gen, b.VCVTTSD2SI, b.VCVTTSS2SI)(whole, b.exponent.twice.As32())
		fp(b.gen, b.VCVTSI2SDL, b.VCVTSI2SSL)(b.exponent.twice.As32(), whole, whole)
		fp(b.gen, b.VSUBSD, b.VSUBSS)(whole, x, x)
		b.ADDL(b.exponent.twice.As32(), b.exponent.twice.As32())
	}
	v := b.regs(1)
	if b.wide() || b.single {
		fp(b.gen, b.VBROADCASTSD, b.VBROADCASTSS)(x, v[0])
	} else {
		b.VBROADCASTSD(x, v[0])
	}
	b.exponent.rest = v
}

// powerOf is v^γ; l is ln v where that is needed.
func (b *rowKernel) powerOf(v, l vec) vec {
	if !b.anyPower {
		y := b.copy(b.load(one).times(len(v)))
		b.timesHalves(y, v)
		return y
	}
	b.Comment("e^(gamma ln v), 0 below the normal numbers.")
	arg := b.mul(l, b.exponent.rest)
	least := numbers("leastNormalExp", -707, -87)
	y := b.expOf(b.max(b.load(least).times(len(l)), arg))
	b.Comment("What rounding took from gamma ln v.")
	lost := b.copy(l)
	b.timesMinus(lost, b.exponent.rest.times(len(l)), arg)
	b.addTo(y, b.copy(y), lost)
	y = b.where(b.cmp(nlt, arg, least), y)
	if !b.sigmoid {
		b.timesHalves(y, v)
	}
	return y
}

// timesHalves multiplies y by v^(twice/2). The branches are the same for the
// whole row.
func (b *rowKernel) timesHalves(y, v vec) {
	b.Comment("The bits of 2 gamma: square root, itself, square, fourth power.")
	b.inner++
	label := func(s string) string { return fmt.Sprintf("%s%d", s, b.inner) }
	when := func(bits uint32, label string) {
		b.TESTL(operand.U32(bits), b.exponent.twice.As32())
		b.JZ(operand.LabelRef(label))
	}
	when(1, label("noRoot"))
	b.multiply(y, b.sqrt(v))
	b.Label(label("noRoot"))
	when(2, label("noFirst"))
	b.multiply(y, v)
	b.Label(label("noFirst"))
	when(12, label("noMore"))
	square := b.mul(v, v)
	when(4, label("noSquare"))
	b.multiply(y, square)
	b.Label(label("noSquare"))
	when(8, label("noMore"))
	b.multiply(y, b.mul(square, square))
	b.Label(label("noMore"))
}

// multiply is y = y·v.
func (g *gen) multiply(y, v vec) {
	for i := range y {
		fp(g, g.VMULPD, g.VMULPS)(v[i], y[i], y[i])
	}
}
