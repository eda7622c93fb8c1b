package main

// backwardLabels writes the gradient of k vectors from the at-th one on.
func (b *rowKernel) backwardLabels(at, k int) {
	s := b.sides(at, k)
	if !b.readsX() {
		b.store(at, b.choose(s.in, b.use(byIn), b.use(byOut)))
		return
	}
	x := b.readFrom(b.x, at, k)
	if !b.takesLogs() {
		p, q := b.probabilities(x)
		h := b.choose(s.in, b.use(byIn), b.use(byOut))
		if b.square {
			h = b.addSquareGradLabels(h, s, p, q)
		}
		if b.sigmoid {
			h = b.mul(b.mul(h, p), q)
		}
		b.store(at, h)
		return
	}
	t := b.truthOf(s, x)
	var u, h vec
	if b.region {
		h = b.choose(s.in, b.use(byIn), b.use(byOut))
	}
	if b.logs {
		u = b.choose(s.in, b.use(byLogP), b.negated(byLogQ))
	}
	if !b.powers && !b.sigmoid {
		b.Comment("The derivative by p, or by q, of its logarithm.")
		b.store(at, b.plusChain(h, b.where(t.inside, b.div(u, t.u))))
		return
	}
	if b.logs {
		u = b.mul(u, t.v)
	}
	if b.powers {
		u = b.addPowerGrad(u, b.choose(s.in, b.use(byPos), b.negated(byNeg)), t.u, t.v, t.log, b.powerOf(t.base, t.baseLog))
	}
	b.store(at, b.chain(h, u, t.u, t.v, t.inside))
}

// addPowerGrad is u + by·w·(v − γ·p·ln p) with w = v^γ and v = 1 − p; u may be nil.
func (b *rowKernel) addPowerGrad(u, by, p, v, l, w vec) vec {
	d := b.mul(p, l)
	b.minusTimes(d, b.use(byGamma).times(len(d)), v)
	by = b.mul(by, w)
	if u == nil {
		return b.mul(by, d)
	}
	b.addTo(u, by, d)
	return u
}

// chain is the gradient by x from h, by p, which may be nil, and u, by the
// log-odds.
func (b *rowKernel) chain(h, u, p, q vec, inside mask) vec {
	switch {
	case !b.sigmoid:
		return b.plusChain(h, b.where(inside, b.div(u, b.mul(p, q))))
	case h != nil:
		b.addTo(u, b.mul(h, p), q)
	}
	return u
}

// plusChain is h + u, of which h may be nil.
func (b *rowKernel) plusChain(h, u vec) vec {
	if h == nil {
		return u
	}
	return b.add(h, u)
}

// addSquareGradLabels is h + 2(byPP·p + (p−r)·bySQR), or bySQB where r = 0.
func (b *rowKernel) addSquareGradLabels(h vec, s sides, p, q vec) vec {
	d := b.choose(s.in, b.xor(q, signBit), p)
	by := b.choose(s.in, b.use(bySQR), b.use(bySQB))
	d = b.mul(d, by)
	b.addTo(d, p, b.use(byPP))
	h = b.copy(h)
	b.addTo(h, d, number("two", 2))
	return h
}

// backwardDense is backwardLabels with targets between 0 and 1; other is 1 − r.
func (b *rowKernel) backwardDense(at, k int) {
	r := b.readFrom(b.r, at, k)
	other := b.sub(b.load(one).times(k), r)
	var h vec
	if b.region || b.square {
		h = b.mul(r, b.use(byIn))
		b.addTo(h, other, b.use(byOut))
	}
	if !b.readsX() {
		b.store(at, h)
		return
	}
	x := b.readFrom(b.x, at, k)
	if !b.takesLogs() {
		p, q := b.probabilities(x)
		if b.square {
			small := b.cmp(lt, p, half)
			d := b.choose(small, b.sub(p, r), b.sub(other, q))
			by := b.mul(r, b.use(bySQR))
			b.addTo(by, other, b.use(bySQB))
			d = b.mul(d, by)
			b.addTo(d, p, b.use(byPP))
			b.addTo(h, d, number("two", 2))
		}
		if b.sigmoid {
			h = b.mul(b.mul(h, p), q)
		}
		b.store(at, h)
		return
	}
	f := b.featuresOf(x)
	var u vec
	if b.logs {
		u = b.mul(b.mul(r, b.use(byLogP)), f.q)
		b.subFrom(u, b.mul(other, b.use(byLogQ)), f.p)
	}
	if b.powers {
		u = b.addPowerGrad(u, b.mul(r, b.use(byPos)), f.p, f.q, f.lp, b.powerOf(f.qBase, f.lq))
		u = b.addPowerGrad(u, b.mul(other, b.negated(byNeg)), f.q, f.p, f.lq, b.powerOf(f.pBase, f.lp))
	}
	b.store(at, b.chain(h, u, f.p, f.q, f.inside))
}

// store writes vectors from the at-th one on.
func (b *rowKernel) store(at int, v vec) {
	b.streamedFrom(b.out, at, v, b.stream)
}
