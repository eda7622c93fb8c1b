package main

// forwardLabels adds the sums of k vectors from the at-th one on. The sums of
// members and of the others are those of u, the probability of what the label
// says, and v = 1 − u; only where there are no logarithms p and q are as good.
func (b *rowKernel) forwardLabels(at, k int) {
	s := b.sides(at, k)
	b.countMembers(at, s)
	x := b.readFrom(b.x, at, k)
	if !b.takesLogs() {
		p, q := b.probabilities(x)
		if b.region && !b.sigmoid && !b.wide() {
			b.addByProducts(at, s, p, q)
			return
		}
		if b.region {
			b.addIn(sumTP, at, s, p)
			b.addIn(sumFN, at, s, q)
			b.addOut(sumFP, at, s, p)
			if !b.overlap {
				b.addOut(sumTN, at, s, q)
			}
			return
		}
		b.addSquaresLabels(at, s, p, q)
		return
	}
	t := b.truthOf(s, x)
	if b.region {
		b.addIn(sumTP, at, s, t.u)
		b.addIn(sumFN, at, s, t.v)
		b.addOut(sumFP, at, s, t.v)
		b.addOut(sumTN, at, s, t.u)
	}
	if b.logs {
		b.addIn(sumLogP, at, s, t.log)
		b.addOut(sumLogQ, at, s, t.log)
	}
	if b.powers {
		w := b.mul(b.powerOf(t.base, t.baseLog), t.log)
		b.addIn(sumPos, at, s, w)
		b.addOut(sumNeg, at, s, w)
	}
}

// addByProducts adds the region sums as those of a dense target, which takes
// fewer instructions than masks of AVX2.
func (b *rowKernel) addByProducts(at int, s sides, p, q vec) {
	ones := b.ones.times(len(p))
	r := b.where(s.in, ones)
	other := b.withoutMembers(s, ones)
	if b.mixed != nil {
		b.plus(sumR, at, r)
	}
	b.plusProduct(sumTP, at, p, r)
	b.plusProduct(sumFN, at, q, r)
	b.plusProduct(sumFP, at, p, other)
	if !b.overlap {
		b.plusProduct(sumTN, at, q, other)
	}
}

// withoutMembers makes the lanes of members 0.
func (b *rowKernel) withoutMembers(s sides, v vec) vec {
	if s.out == nil {
		return b.unless(s.in, v)
	}
	return b.where(s.out, v)
}

// addSquaresLabels adds p², q² of members and p² of the others.
func (b *rowKernel) addSquaresLabels(at int, s sides, p, q vec) {
	qq := b.where(s.in, q)
	b.plusProduct(sumSQR, at, qq, q)
	b.plusProduct(sumPP, at, b.existing(p), p)
	b.plusProduct(sumSQB, at, b.withoutMembers(s, p), p)
}

// fromMemory reports whether a read of a is the first one of the caller's
// elements.
func (b *rowKernel) fromMemory(a array) bool {
	return a == b.r || a == b.x && (!b.sigmoid || b.filling)
}

// readFrom loads vectors from the at-th one on.
func (b *rowKernel) readFrom(a array, at, k int) vec {
	v := b.regs(k)
	for i := range v {
		m := b.vector(a, at+i)
		switch {
		case b.mixed != nil:
			b.askMixed(a, at+i)
		case b.fromMemory(a) && b.asks(at+i):
			b.PREFETCHT0(b.next(a).mem(b.gen.index, (at+i)*b.lanes()))
		}
		b.readAt(m, a.size, v[i])
	}
	return v
}

// probabilities is p and q without their logarithms.
func (b *rowKernel) probabilities(x vec) (p, q vec) {
	switch {
	case b.ones != nil:
		return x, b.sub(b.ones.times(len(x)), x)
	case !b.sigmoid:
		return x, b.sub(b.load(one).times(len(x)), x)
	}
	if !b.single {
		b.Comment("Of e^x = p/q.")
		p, q = b.taken(0, len(x)), b.taken(1, len(x))
		inverse := b.div(b.load(one).times(len(x)), b.add(p, q))
		return b.existing(b.mul(p, inverse)), b.existing(b.mul(q, inverse)) // not 0/0
	}
	b.Comment("q = 1/(1+e^x), p = e^x q.")
	e := b.exponentials(len(x))
	q = b.div(b.load(one).times(len(x)), b.add(e, one))
	return b.mul(e, q), q
}

// minusOne is added to make 1 − r of the other sign, with the 1 in memory.
var minusOne = number("minusOne", -1)

// forwardDense is forwardLabels with targets between 0 and 1; other is r − 1.
func (b *rowKernel) forwardDense(at, k int) {
	r := b.readFrom(b.r, at, k)
	other := b.existing(b.add(r, minusOne))
	b.plus(sumR, at, r)
	if !b.overlap {
		b.less(sumNR, at, other)
		b.plusProduct(sumRR, at, r, r)
	}
	x := b.readFrom(b.x, at, k)
	if !b.takesLogs() {
		if b.region && !b.sigmoid {
			b.plusProduct(sumTP, at, x, r)
			b.lessProduct(sumFP, at, x, other)
			q := b.add(x, minusOne) // of the other sign
			b.lessProduct(sumFN, at, q, r)
			if !b.overlap {
				b.plusProduct(sumTN, at, q, other)
			}
			return
		}
		p, q := b.probabilities(x)
		if b.region {
			b.addRegion(at, p, q, r, other)
		} else {
			b.addSquares(at, p, q, r, other)
		}
		return
	}
	f := b.featuresOf(x)
	if b.region {
		b.addRegion(at, f.p, f.q, r, other)
	}
	if b.logs {
		b.plusProduct(sumLogP, at, r, f.lp)
		b.lessProduct(sumLogQ, at, other, f.lq)
	}
	if b.powers {
		b.plusProduct(sumPos, at, b.mul(b.powerOf(f.qBase, f.lq), r), f.lp)
		b.lessProduct(sumNeg, at, b.mul(b.powerOf(f.pBase, f.lp), other), f.lq)
	}
}

func (b *rowKernel) addRegion(at int, p, q, r, other vec) {
	b.plusProduct(sumTP, at, p, r)
	b.lessProduct(sumFP, at, p, other)
	b.plusProduct(sumFN, at, q, r)
	b.lessProduct(sumTN, at, q, other)
}

func (b *rowKernel) addSquares(at int, p, q, r, other vec) {
	b.plusProduct(sumPP, at, b.existing(p), p)
	d := b.fromTarget(p, q, r, other)
	d = b.mul(d, d)
	b.plusProduct(sumSQR, at, d, r)
	b.lessProduct(sumSQB, at, d, other)
}

// fromTarget is p − r, or r − p, without cancellation where both are near 1.
func (b *rowKernel) fromTarget(p, q, r, other vec) vec {
	small := b.cmp(lt, p, half)
	return b.choose(small, b.sub(p, r), b.sub(b.xor(other, signBit), q))
}
