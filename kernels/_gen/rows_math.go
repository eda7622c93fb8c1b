package main

import "slices"

// The functions of this file are for sums and gradients, whose tolerance is many
// units in the last place and grows with |x|: they take shorter polynomials, one
// part of ln 2, and steps that wait less for each other.

// (eʳ−1−r)/r² for |r| ≤ ½ ln 2, from the highest power: to 1e-15 and 1e-8 of eʳ.
var (
	expPolyRow64 = []float64{
		0x1.28803926c8ea8p-22, 0x1.72c720b2e07bfp-19, 0x1.a019c9ab213aap-16, 0x1.a019adabfb6abp-13,
		0x1.6c16c1738ecf7p-10, 0x1.1111111c45d5bp-7, 0x1.5555555554cb8p-5, 0x1.5555555553b7dp-3, 0x1p-1,
	}
	expPolyRow32 = []float64{0x1.6d10fc0000000p-10, 0x1.120b620000000p-7, 0x1.55551a0000000p-5, 0x1.5554de0000000p-3, 0x1.0000000000000p-1}
)

// 2(atanh(√z)/√z − 1)/z for 0 ≤ z ≤ 1/9, from the highest power.
var unitPolyRow64 = []float64{
	0x1.59830f20005eep-3, 0x1.a6d10853dff56p-4, 0x1.1487294ad8da8p-3, 0x1.3ad83c421c2e9p-3,
	0x1.745f69c23d592p-3, 0x1.c71c64ce7c491p-3, 0x1.24924936a674ep-2, 0x1.9999999986411p-2, 0x1.5555555555571p-1,
}

// expOf is eˣ of what is not beyond the limits.
func (b *rowKernel) expOf(x vec) vec {
	b.Comment("e^x = 2^n e^r: n = round(x log2(e)), r = x - n ln(2).")
	bits := b.copy(b.load(roundBits).times(len(x)))
	b.addTo(bits, x, log2e)
	r := b.copy(x)
	b.subFrom(r, b.sub(bits, roundBits), ln2)
	b.Comment("1 + r + r^2 P(r), by pairs of coefficients.")
	rr := b.mul(r, r)
	c := slices.Clone(pick(b.single, expPolyRow32, expPolyRow64))
	name := pick(b.single, "expRowLane", "expRow")
	at := func(power int) constant { return b.coefficient(name, power, c[len(c)-1-power]) }
	pair := func(power int) vec {
		p := b.copy(b.load(at(power + 1)).times(len(x)))
		b.timesPlus(p, r, at(power))
		return p
	}
	top := len(c) - 1 // even
	y := pair(top - 2)
	b.addTo(y, rr, at(top))
	for power := top - 4; power >= 0; power -= 2 {
		next := pair(power)
		b.addTo(next, y, rr)
		y = next
	}
	sum := b.add(r, one)
	b.addTo(sum, y, rr)
	return b.addBits(sum, b.shift(bits, b.fractionBits()))
}

// log1pOf is ln(1+e) for 0 ≤ e ≤ 1.
func (b *rowKernel) log1pOf(e vec) vec {
	s := b.div(e, b.add(e, number("two", 2)))
	if b.single {
		return b.log1pUnit(e, s)
	}
	z := b.mul(s, s)
	t := b.polynomial("unitRow", unitPolyRow64, z)
	b.minusTimes(t, z, e)
	b.minusTimes(t, s, e)
	return t
}
