package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// finish ends a function.
func (g *gen) finish() {
	g.VZEROUPPER()
	g.RET()
}

func exps(g *gen) {
	g.small = g.elem == "F32"
	w, x, n := g.slice("w"), g.elems("x"), g.length("x")
	ok := g.all()
	g.row(n, 4, func(k int) {
		v := g.read(x, k)
		g.both(ok, g.cmp(le, g.and(v, size), number("plainExp", 300)))
		g.write(w, g.exp(v, inside))
	})
	g.returnAll(ok)
}

// returnAll returns whether m holds in every lane.
func (g *gen) returnAll(m mask) {
	result, bits := g.GP8(), g.GP32()
	if g.wide() {
		fp(g, g.KMOVB, g.KMOVW)(m[0], bits)
	} else {
		fp(g, g.VMOVMSKPD, g.VMOVMSKPS)(m[0], bits)
	}
	g.CMPL(bits, operand.U32(1<<g.lanes()-1))
	g.SETEQ(result)
	g.Store(result, g.ReturnIndex(0))
	g.finish()
}

// few is how many vectors go side by side where a body needs many registers, of
// which AVX-512 has twice as many.
func (g *gen) few(n int) int {
	if g.wide() {
		return 2 * n
	}
	return n
}

// accumulators are sums of the vectors of a body, one register for each.
func (g *gen) accumulators(sums, vectors int) []vec {
	a := make([]vec, sums)
	for i := range a {
		a[i] = g.zero(vectors)
	}
	return a
}

func counts(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc := g.pointer("acc")
	r, n := g.elems("r"), g.length("r")
	var v array
	if weighted {
		v = g.elems("v")
	}
	unroll := g.few(2)
	sums := g.accumulators(3, unroll)
	ones := g.load(one)
	g.row(n, unroll, func(k int) {
		t := g.read(r, k)
		w := t
		out := g.sub(ones, t)
		if weighted {
			g.Comment("Times the weights.")
			weights := g.read(v, k)
			w, out = g.mul(weights, t), g.mul(weights, out)
		}
		g.sum(sums[0], w)
		g.sum(sums[1], g.existing(out))
		g.addTo(sums[2][:k], w, t)
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

// sum adds vectors to as many of the accumulators.
func (g *gen) sum(acc, v vec) {
	for i := range v {
		fp(g, g.VADDPD, g.VADDPS)(v[i], acc[i], acc[i])
	}
}

func region(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, p, q := g.pointer("acc"), g.slice("p"), g.slice("q")
	r, n := g.elems("r"), g.length("p")
	var v array
	if weighted {
		v = g.elems("v")
	}
	sums := g.accumulators(4, 2)
	ones := g.load(one)
	g.row(n, 2, func(k int) {
		in := g.read(r, k)
		out := g.sub(ones, in)
		if weighted {
			g.Comment("Times the weights.")
			weights := g.read(v, k)
			in, out = g.mul(weights, in), g.mul(weights, out)
		}
		pp := g.read(p, k)
		g.addTo(sums[0][:k], pp, in)
		g.addTo(sums[1][:k], pp, out)
		qq := g.read(q, k)
		g.addTo(sums[2][:k], qq, in)
		g.addTo(sums[3][:k], qq, out)
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

// class brings the class of parameter c to every lane of labels.
func (g *gen) class() reg.Register {
	x := g.XMM()
	g.VMOVD(g.Load(g.Param("c"), g.GP64()).(reg.GPVirtual).As32(), x)
	if g.wide() {
		y := g.YMM()
		g.VPBROADCASTD(x, y)
		return y
	}
	g.VPBROADCASTD(x, x)
	return x
}

func (g *gen) labels(param string) array {
	a := g.slice(param)
	a.size = 4
	return a
}

func regionYRow(g *gen) {
	g.small = true
	acc, p, q, y, n := g.pointer("acc"), g.slice("p"), g.slice("q"), g.labels("y"), g.length("y")
	class := g.class()
	sums := g.accumulators(4, 2)
	g.row(n, 2, func(k int) {
		member := g.isClass(y, class, k)
		pp := g.read(p, k)
		g.sum(sums[0], g.where(member, pp))
		g.sum(sums[1], g.unless(member, pp))
		qq := g.read(q, k)
		g.sum(sums[2], g.where(member, qq))
		g.sum(sums[3], g.unless(member, qq))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func regionGrad(g *gen) {
	g.small = g.elem == "F32"
	d, r, n := g.slice("g"), g.elems("r"), g.length("g")
	in, out := g.broadcast("in"), g.broadcast("out")
	ones := g.load(one)
	g.row(n, 4, func(k int) {
		t, y := g.read(r, k), g.read(d, k)
		other := g.sub(ones, t)
		y = g.copy(y)
		g.addTo(y, in.times(k), t)
		g.addTo(y, out.times(k), other)
		g.write(d, y)
	})
	g.finish()
}

// times repeats a single register.
func (v vec) times(n int) vec {
	w := make(vec, n)
	for i := range w {
		w[i] = v.at(i)
	}
	return w
}

func probabilities(g *gen) {
	g.small = g.elem == "F32"
	p, q, x, n := g.slice("p"), g.slice("q"), g.elems("x"), g.length("x")
	ones := g.load(one)
	g.row(n, 4, func(k int) {
		v := g.read(x, k)
		g.write(p, v)
		g.write(q, g.sub(ones, v))
	})
	g.finish()
}

func chain(g *gen) {
	g.small = g.elem == "F32"
	out, d, n := g.elems("out"), g.slice("g"), g.length("g")
	g.row(n, 4, func(k int) { g.write(out, g.read(d, k)) })
	g.finish()
}

func chainU(g *gen) {
	g.small = g.elem == "F32"
	out, d, u, p, n := g.elems("out"), g.slice("g"), g.slice("u"), g.slice("p"), g.length("g")
	clip := g.broadcast("clip")
	ones := g.load(one)
	g.row(n, 2, func(k int) {
		pp := g.read(p, k)
		qq := g.sub(ones, pp)
		y := g.div(g.read(u, k), g.mul(pp, qq))
		g.Comment("Where p or q is clipped, nothing is added.")
		y = g.where(g.cmp(nlt, pp, clip), y)
		y = g.where(g.cmp(nlt, qq, clip), y)
		g.write(out, g.add(y, g.read(d, k)))
	})
	g.finish()
}

func sigmoidChain(g *gen, logOdds bool) {
	g.small = g.elem == "F32"
	out, d, p, q, n := g.elems("out"), g.slice("g"), g.slice("p"), g.slice("q"), g.length("g")
	var u array
	if logOdds {
		u = g.slice("u")
	}
	g.row(n, 4, func(k int) {
		y := g.mul(g.read(d, k), g.read(p, k))
		if logOdds {
			g.timesPlus(y, g.read(q, k), g.read(u, k))
		} else {
			y = g.mul(y, g.read(q, k))
		}
		g.write(out, y)
	})
	g.finish()
}

func sigmoid(g *gen, logs bool) {
	g.small = g.elem == "F32"
	p, q, x, n := g.slice("p"), g.slice("q"), g.elems("x"), g.length("x")
	var lp, lq array
	unroll := g.few(2)
	if logs {
		lp, lq = g.slice("lp"), g.slice("lq")
		unroll = 2
	}
	g.row(n, unroll, func(k int) {
		v := g.read(x, k)
		negative := g.negative(v)
		v = g.or(v, signBit) // −|x|
		e := g.exp(v, toZero)
		larger, ratio := g.sigmoidRatios(e, logs)
		smaller := g.mul(e, larger)
		g.write(p, g.choose(negative, smaller, larger))
		g.write(q, g.choose(negative, larger, smaller))
		if !logs {
			return
		}
		g.Comment("ln of the larger is -ln(1+e), of the smaller -|x| - ln(1+e).")
		l := g.log1pUnit(e, ratio)
		far := g.sub(v, l)
		near := g.xor(l, signBit)
		g.write(lp, g.choose(negative, far, near))
		g.write(lq, g.choose(negative, near, far))
	})
	g.finish()
}

// sigmoidRatios is 1/(1+e) and, for the logarithms, e/(2+e). What ends as
// float32 makes do with one division.
func (g *gen) sigmoidRatios(e vec, logs bool) (larger, ratio vec) {
	a := g.add(e, one)
	ones := g.load(one)
	if !logs {
		return g.div(ones.times(len(e)), a), nil
	}
	b := g.add(e, number("two", 2))
	if !g.precision().fewBits {
		return g.div(ones.times(len(e)), a), g.div(e, b)
	}
	both := g.div(ones.times(len(e)), g.mul(a, b))
	return g.mul(both, b), g.mul(g.mul(both, a), e)
}

// negative is where the sign bit is set.
func (g *gen) negative(v vec) mask {
	if !g.wide() {
		return mask(v) // VBLENDV looks at the sign alone
	}
	m := g.masks(len(v))
	for i := range m {
		fp(g, g.VPMOVQ2M, g.VPMOVD2M)(v[i], m[i])
	}
	return m
}
