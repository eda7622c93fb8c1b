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

// 2 atanh(√z)/√z for 0 ≤ z ≤ 1/9, from the highest power: to 5e-17.
var atanhPoly64 = []float64{
	0x1.6c7b8e80864b7p-3, 0x1.94628cdc759f6p-4, 0x1.16626d8b5f494p-3, 0x1.3aa4eb458657cp-3, 0x1.74629de7262a0p-3,
	0x1.c71c470c977fep-3, 0x1.2492498323589p-2, 0x1.99999998c57f3p-2, 0x1.5555555555b17p-1, 2,
}

// eʳ = (a+b)/(a−b) with a = A(r²) and b = r B(r²), |r| ≤ ½ ln 2, from the highest
// power: to 4e-18.
var (
	expEven = []float64{1, 0x1.c01fb25513cf9p+6, 0x1.f82727b5db8a8p+9}
	expOdd  = []float64{0x1.10f1474cbe821p-5, 0x1.c0165f6f5b461p+3, 0x1.f82727b5db8a8p+8}
)

// expOf is eˣ of what is not beyond the limits.
func (b *rowKernel) expOf(x vec) vec {
	if b.wide() && !b.single {
		return b.expByTable(x)
	}
	bits, r := b.powerAndRest(x)
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

// expFraction is eˣ as a fraction, of what is not beyond the limits: what a
// sigmoid divides by is the sum of the two.
func (b *rowKernel) expFraction(x vec) (num, den vec) {
	bits, r := b.powerAndRest(x)
	b.Comment("e^r = (a+b)/(a-b), a even and b odd.")
	rr := b.mul(r, r)
	even := b.add(rr, number("expEvenb", expEven[1]))
	odd := b.polynomial("expOdd", expOdd, rr)
	b.timesPlus(even, rr, number("expEvena", expEven[2]))
	odd = b.mul(odd, r)
	num, den = b.add(even, odd), b.sub(even, odd)
	return b.addBits(num, b.shift(bits, b.fractionBits())), den
}

// atanhOf is 2 atanh(s)/s for 0 ≤ s ≤ ⅓, by pairs of coefficients.
func (b *rowKernel) atanhOf(s vec) vec {
	z := b.mul(s, s)
	zz := b.mul(z, z)
	c := atanhPoly64 // an even number
	at := func(i int) constant { return b.coefficient("atanh", len(c)-1-i, c[i]) }
	pair := func(i int) vec {
		p := b.copy(b.load(at(i)).times(len(z)))
		b.timesPlus(p, z, at(i+1))
		return p
	}
	y := pair(0)
	for i := 2; i < len(c); i += 2 {
		next := pair(i)
		b.addTo(next, y, zz)
		y = next
	}
	return y
}
