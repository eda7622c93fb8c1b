package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowSums is the sums of a forward kernel in lanes. Those of float32 are moved
// to float64, in the frame, before their rounding adds up.
type rowSums struct {
	acc    map[int]vec
	totals operand.Mem
}

// openSums makes all sums 0.
func (b *rowKernel) openSums() {
	b.sums.acc = map[int]vec{}
	for _, i := range b.index() {
		b.sums.acc[i] = b.zero(b.registersOf(i))
	}
}

// takeSum is the lanes of a sum, which begins anew.
func (b *rowKernel) takeSum(i int) vec {
	v := b.sums.acc[i]
	first := b.copy(v[:1])
	for _, r := range v[1:] {
		fp(b.gen, b.VADDPD, b.VADDPS)(r, first[0], first[0])
	}
	for _, r := range v {
		b.VXORPS(r, r, r)
	}
	return first
}

// laneAdditions is how often a lane of float32 is added to before it goes to
// float64.
const laneAdditions = 32

// sumsOver runs body over the n positions of a row and adds what it adds to the
// sums to the numbers at acc.
func (b *rowKernel) sumsOver(n reg.GPVirtual, unroll int, body func(vectors int)) {
	index := b.index()
	b.openSums()
	additions := 1 // of lanes, in an iteration
	if _, group := b.shape(); b.wide() || group == 1 {
		for _, i := range index {
			additions = max(additions, unroll/b.registersOf(i))
		}
	}
	if b.labels {
		b.members = b.GP64()
		b.XORQ(b.members, b.members)
	}
	if b.single {
		b.Attributes(attr.Attribute(0)) // the frame may need a larger stack
		b.sums.totals = b.AllocLocal(len(index) * b.bytes)
		zeros := b.zero(1)
		for j := range index {
			b.VMOVUPS(zeros[0], b.sums.totals.Offset(j*b.bytes))
		}
		b.windows(n, unroll, laneAdditions/additions*unroll*b.lanes(), body, func() {
			b.Comment("The lanes go to float64.")
			for j, i := range index {
				b.foldLanes(b.takeSum(i)[0], b.sums.totals.Offset(j*b.bytes))
			}
		})
	} else {
		b.loop(n, unroll, body)
	}
	b.Comment("Fold the lanes and add to the sums.")
	acc := b.pointer("acc")
	for j, i := range index {
		if b.single {
			v := b.regs(1)
			b.VMOVUPD(b.sums.totals.Offset(j*b.bytes), v[0])
			b.addTotal(acc.base, i, v)
			continue
		}
		b.addTotal(acc.base, i, b.takeSum(i))
	}
	if b.labels {
		b.addCount(acc.base, sumR, b.members)
	}
}

// intoSum changes a sum by each vector, the at-th one and those after it.
func (b *rowKernel) intoSum(i, at, k int, change func(j int, sum vec)) {
	acc := b.sums.acc[i]
	for j := range k {
		change(j, acc[(at+j)%len(acc):][:1])
	}
}

// plus adds to a sum, less subtracts, plusProduct and lessProduct do it with a
// product.
func (b *rowKernel) plus(i, at int, v vec) {
	v = b.together(i, v)
	b.intoSum(i, at, len(v), func(j int, sum vec) {
		fp(b.gen, b.VADDPD, b.VADDPS)(v[j], sum[0], sum[0])
	})
}

func (b *rowKernel) less(i, at int, v vec) {
	v = b.together(i, v)
	b.intoSum(i, at, len(v), func(j int, sum vec) {
		fp(b.gen, b.VSUBPD, b.VSUBPS)(v[j], sum[0], sum[0])
	})
}

func (b *rowKernel) plusProduct(i, at int, v, w vec) {
	if b.joins(i, len(v)) {
		b.plus(i, at, b.productSum(v, w))
		return
	}
	b.intoSum(i, at, len(v), func(j int, sum vec) { b.addTo(sum, v[j:j+1], w[j:j+1]) })
}

func (b *rowKernel) lessProduct(i, at int, v, w vec) {
	if b.joins(i, len(v)) {
		b.less(i, at, b.productSum(v, w))
		return
	}
	b.intoSum(i, at, len(v), func(j int, sum vec) { b.subFrom(sum, v[j:j+1], w[j:j+1]) })
}

// joins reports whether vectors are added to each other before they are added to
// their sum, which is in memory as likely as not.
func (b *rowKernel) joins(i, k int) bool { return !b.wide() && k > 1 && b.registersOf(i) == 1 }

func (b *rowKernel) together(i int, v vec) vec {
	if !b.joins(i, len(v)) {
		return v
	}
	for len(v) > 1 {
		v = append(v[2:], b.add(v[:1], v[1:2])...)
	}
	return v
}

func (b *rowKernel) productSum(v, w vec) vec {
	s := b.mul(v[:1], w[:1])
	for j := 1; j < len(v); j++ {
		b.addTo(s, v[j:j+1], w[j:j+1])
	}
	return s
}

// sides is which positions have the class as their label and which have not:
// out is nil where it is all that are not in.
type sides struct{ in, out mask }

func (b *rowKernel) sides(at, k int) (s sides) {
	if b.mixed != nil {
		s.in = b.lanesOf(at, k)
	} else {
		s.in = b.membersFrom(b.y, b.class, at, k)
	}
	switch {
	case b.wide():
		s.out = b.not(s.in)
	case b.tail != nil:
		s.out = b.masks(k)
		b.VANDNPS(b.tail[0], s.in[0], s.out[0])
	}
	return s
}

// countMembers adds the number of members to R.
func (b *rowKernel) countMembers(at int, s sides) {
	switch {
	case b.mixed != nil && b.region && !b.wide():
		return // addByProducts has them at hand
	case b.mixed != nil:
		b.addIn(sumR, at, s, b.ones.times(len(s.in)))
		return
	}
	for _, m := range s.in {
		bits, wide := b.GP32(), b.GP64()
		if b.wide() {
			fp(b.gen, b.KMOVB, b.KMOVW)(m, bits)
		} else {
			fp(b.gen, b.VMOVMSKPD, b.VMOVMSKPS)(m, bits)
		}
		b.POPCNTL(bits, wide.As32())
		b.ADDQ(wide, b.members)
	}
}

// addIn adds the lanes of members to a sum, addOut those of the others.
func (b *rowKernel) addIn(i, at int, s sides, v vec) {
	if b.wide() {
		b.addMasked(i, at, s.in, v)
		return
	}
	b.plus(i, at, b.where(s.in, v))
}

func (b *rowKernel) addOut(i, at int, s sides, v vec) {
	if b.wide() {
		b.addMasked(i, at, s.out, v)
		return
	}
	b.plus(i, at, b.withoutMembers(s, v))
}

func (b *rowKernel) addMasked(i, at int, m mask, v vec) {
	b.intoSum(i, at, len(v), func(j int, sum vec) {
		fp(b.gen, b.VADDPD, b.VADDPS)(v[j], sum[0], m[j], sum[0])
	})
}
