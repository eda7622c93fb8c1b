package main

import (
	"github.com/mmcloughlin/avo/operand"
)

// weights reads the weights of a row, or is nil without any.
func (g *gen) weights(v array, k int) vec {
	if v.base == nil {
		return nil
	}
	g.Comment("Times the weights.")
	return g.read(v, k)
}

// weigh is w·a, or a itself without weights.
func (g *gen) weigh(w, a vec) vec {
	if w == nil {
		return a
	}
	return g.mul(w, a)
}

func (g *gen) weightsOf(weighted bool) array {
	if weighted {
		return g.elems("v")
	}
	return array{}
}

// logSum is Σ v r ln p or, with complement, Σ v (1−r) ln q. A position whose
// factor is 0 adds 0·p.
func logSum(g *gen, log string, complement, weighted bool) {
	g.small = g.elem == "F32"
	acc, p, l := g.pointer("acc"), g.slice("p"), g.slice(log)
	r, n, v := g.elems("r"), g.length("p"), g.weightsOf(weighted)
	sums := g.accumulators(1, g.few(2))
	ones, zeros := g.load(one), g.zero(1)
	g.row(n, g.few(2), func(k int) {
		t := g.read(r, k)
		if complement {
			t = g.sub(ones, t)
		}
		none := g.cmp(eq, t, zeros)
		term := g.weigh(g.weights(v, k), t)
		term = g.mul(term, g.read(l, k))
		g.sum(sums[0], g.choose(none, g.mul(g.read(p, k), zeros), term))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func logAll(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, l, n := g.pointer("acc"), g.slice("lp"), g.length("lp")
	v := g.weightsOf(weighted)
	sums := g.accumulators(1, 4)
	g.row(n, 4, func(k int) { g.sum(sums[0], g.weigh(g.weights(v, k), g.read(l, k))) })
	g.addTotals(acc.base, sums...)
	g.finish()
}

// difference is p − r without cancellation where both are near 1.
func (g *gen) difference(p, q, r, other vec) vec {
	small := g.cmp(lt, p, half)
	return g.choose(small, g.sub(p, r), g.sub(other, q))
}

func square(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, p, q := g.pointer("acc"), g.slice("p"), g.slice("q")
	r, n, v := g.elems("r"), g.length("p"), g.weightsOf(weighted)
	unroll := g.few(1)
	sums := g.accumulators(3, unroll)
	ones := g.load(one)
	g.row(n, unroll, func(k int) {
		pp, t := g.read(p, k), g.read(r, k)
		other := g.sub(ones, t)
		d := g.difference(pp, g.read(q, k), t, other)
		w := g.weights(v, k)
		g.addTo(sums[0][:k], pp, g.weigh(w, pp))
		d = g.mul(d, g.weigh(w, d))
		g.addTo(sums[1][:k], d, t)
		g.addTo(sums[2][:k], d, other)
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func soft(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, p, q := g.pointer("acc"), g.slice("p"), g.slice("q")
	r, n, v := g.elems("r"), g.length("p"), g.weightsOf(weighted)
	unroll := g.few(1)
	sums := g.accumulators(4, unroll)
	ones, zeros := g.load(one), g.zero(1)
	g.row(n, unroll, func(k int) {
		pp, qq, t := g.read(p, k), g.read(q, k), g.read(r, k)
		other := g.sub(ones, t)
		d := g.difference(pp, qq, t, other)
		over := g.cmp(gt, d, zeros)
		w := g.weights(v, k)
		d = g.weigh(w, d)
		g.sum(sums[0], g.weigh(w, g.choose(over, t, pp)))
		g.sum(sums[1], g.where(over, d))
		under := g.unless(over, d)
		for i := range under {
			g.VSUBPD(under[i], sums[2][i], sums[2][i])
		}
		g.sum(sums[3], g.existing(g.weigh(w, g.choose(over, qq, other))))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func softGrad(g *gen) {
	g.small = g.elem == "F32"
	d, p, q, r, n := g.slice("g"), g.slice("p"), g.slice("q"), g.elems("r"), g.length("g")
	under, over := g.broadcast("under"), g.broadcast("over")
	ones, zeros := g.load(one), g.zero(1)
	mean := g.mul(g.add(under, over), half)
	g.row(n, g.few(1), func(k int) {
		t := g.read(r, k)
		diff := g.difference(g.read(p, k), g.read(q, k), t, g.sub(ones, t))
		by := g.choose(g.cmp(lt, diff, zeros), under, mean)
		by = g.choose(g.cmp(gt, diff, zeros), over, by)
		g.write(d, g.add(by, g.read(d, k)))
	})
	g.finish()
}

func squareGrad(g *gen) {
	g.small = g.elem == "F32"
	d, p, q, r, n := g.slice("g"), g.slice("p"), g.slice("q"), g.elems("r"), g.length("g")
	byPP, bySQR, bySQB := g.broadcast("byPP"), g.broadcast("bySQR"), g.broadcast("bySQB")
	ones, twos := g.load(one), g.load(number("two", 2))
	g.row(n, g.few(1), func(k int) {
		pp, t := g.read(p, k), g.read(r, k)
		other := g.sub(ones, t)
		diff := g.difference(pp, g.read(q, k), t, other)
		by := g.mul(t, bySQR)
		g.addTo(by, other, bySQB)
		by = g.mul(by, diff)
		g.addTo(by, pp, byPP)
		g.timesPlus(by, twos, g.read(d, k))
		g.write(d, by)
	})
	g.finish()
}

func logGrad(g *gen) {
	g.small = g.elem == "F32"
	u, p, q, r, n := g.slice("u"), g.slice("p"), g.slice("q"), g.elems("r"), g.length("u")
	byLogP, byLogQ, byLogAll := g.broadcast("byLogP"), g.broadcast("byLogQ"), g.broadcast("byLogAll")
	ones := g.load(one)
	g.row(n, g.few(2), func(k int) {
		t := g.read(r, k)
		against := g.mul(g.sub(ones, t), byLogQ)
		t = g.mul(t, byLogP)
		t = g.add(t, byLogAll)
		against = g.mul(against, g.read(p, k))
		g.timesMinus(t, g.read(q, k), against)
		g.write(u, g.add(t, g.read(u, k)))
	})
	g.finish()
}

func powRow(g *gen) {
	w, u, k, n := g.slice("w"), g.slice("u"), g.int("k"), g.length("w")
	least := g.broadcast("clip")
	most := g.sub(g.load(one), least)
	g.row(n, 4, func(vectors int) {
		f := g.min(most, g.max(least, g.read(u, vectors))) // a NaN stays one
		y := g.copy(f)
		done := g.label("power")
		if vectors > 1 {
			done += "s"
		}
		for _, next := range []uint64{2, 3} {
			g.CMPQ(k, operand.U8(next))
			g.JL(operand.LabelRef(done))
			for i := range y {
				g.VMULPD(f[i], y[i], y[i])
			}
		}
		g.Label(done)
		g.write(w, y)
	})
	g.finish()
}

func expPow(g *gen) {
	w, l, n := g.slice("w"), g.slice("l"), g.length("w")
	gamma := g.broadcast("gamma")
	g.row(n, g.few(2), func(k int) { g.write(w, g.exp(g.mul(g.read(l, k), gamma), everything)) })
	g.finish()
}

// limited is f·l, but 0 where f is 0 and the logarithm l infinite.
func (g *gen) limited(f, l vec) vec {
	none := g.cmp(eq, f, g.zero(1))
	g.both(none, g.cmp(eq, l, minusInfinity))
	return g.unless(none, g.mul(f, l))
}

func powerSum(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, w, p, lp := g.pointer("acc"), g.slice("w"), g.slice("p"), g.slice("lp")
	r, n, v := g.elems("r"), g.length("w"), g.weightsOf(weighted)
	at, sign := g.broadcast("at"), g.broadcast("sign")
	unroll := g.few(1)
	sums := g.accumulators(1, unroll)
	zeros := g.zero(1)
	g.row(n, unroll, func(k int) {
		t := g.read(r, k)
		g.timesPlus(t, sign, at)
		none := g.cmp(eq, t, zeros)
		term := g.weigh(g.weights(v, k), t)
		term = g.mul(term, g.limited(g.read(w, k), g.read(lp, k)))
		g.sum(sums[0], g.choose(none, g.mul(g.read(p, k), zeros), term))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func powerGrad(g *gen) {
	g.small = g.elem == "F32"
	u, w, p, q, lp := g.slice("u"), g.slice("w"), g.slice("p"), g.slice("q"), g.slice("lp")
	r, n := g.elems("r"), g.length("u")
	gamma, by, at, sign := g.broadcast("gamma"), g.broadcast("by"), g.broadcast("at"), g.broadcast("sign")
	zeros := g.zero(1)
	g.row(n, g.few(1), func(k int) {
		t := g.read(r, k)
		g.timesPlus(t, sign, at)
		none := g.cmp(eq, t, zeros)
		term := g.mul(g.mul(t, by), g.read(w, k))
		d := g.limited(g.read(p, k), g.read(lp, k))
		g.minusTimes(d, gamma, g.read(q, k))
		g.write(u, g.add(g.unless(none, g.mul(term, d)), g.read(u, k)))
	})
	g.finish()
}

func clippedLogs(g *gen) {
	lp, lq, p, n := g.slice("lp"), g.slice("lq"), g.slice("p"), g.length("lp")
	clip, least, most := g.broadcast("clip"), g.broadcast("least"), g.broadcast("most")
	ones := g.load(one)
	g.row(n, g.few(1), func(k int) {
		pp := g.read(p, k)
		y := g.logTo1(pp)
		g.Comment("At the clip itself, 0 too, the logarithms are those of the clip.")
		qq := g.sub(ones, pp)
		low, high := g.cmp(le, pp, clip), g.cmp(le, qq, clip)
		y = g.choose(high, most, y)
		g.write(lp, g.choose(low, least, y))
		y = g.log1p(g.xor(pp, signBit))
		y = g.choose(high, least, y)
		g.write(lq, g.choose(low, most, y))
	})
	g.finish()
}

// nearOne bounds the q for which −ln p is q + q²/2, to be taken from q and its
// logarithm: −ln p may have underflowed there.
var nearOne = number("nearOne", 1e-8)

// minusLog is ln(−ln p), and where q is near 0.
func (g *gen) minusLog(q, lp, lq vec) (ln vec, small mask) {
	ln = g.log(g.xor(lp, signBit))
	small = g.cmp(lt, q, nearOne)
	return g.choose(small, g.add(lq, g.mul(q, half)), ln), small
}

func expLog(g *gen, weighted bool) {
	g.small = g.elem == "F32"
	acc, p, q, lp, lq := g.pointer("acc"), g.slice("p"), g.slice("q"), g.slice("lp"), g.slice("lq")
	r, n, v := g.elems("r"), g.length("p"), g.weightsOf(weighted)
	gamma, clip := g.broadcast("gamma"), g.broadcast("clip")
	sums := g.accumulators(1, 1)
	g.row(n, 1, func(k int) {
		ln, _ := g.minusLog(g.max(clip, g.read(q, k)), g.read(lp, k), g.read(lq, k))
		y := g.exp(g.mul(ln, gamma), everything)
		t := g.read(r, k)
		none := g.cmp(eq, t, g.zero(1))
		y = g.mul(y, g.weigh(g.weights(v, k), t))
		g.sum(sums[0], g.choose(none, g.mul(g.read(p, k), g.zero(1)), y))
	})
	g.addTotals(acc.base, sums...)
	g.finish()
}

func expLogGrad(g *gen) {
	g.small = g.elem == "F32"
	u, q, lp, lq := g.slice("u"), g.slice("q"), g.slice("lp"), g.slice("lq")
	r, n := g.elems("r"), g.length("u")
	gamma, by := g.broadcast("gamma"), g.broadcast("by")
	by = g.mul(by, gamma)
	g.row(n, 1, func(k int) {
		qq := g.read(q, k)
		ln, small := g.minusLog(qq, g.read(lp, k), g.read(lq, k))
		power := g.choose(small, gamma, g.sub(gamma, one))
		d := g.exp(g.mul(ln, power), everything)
		ratio := g.sub(g.load(one), g.mul(qq, half))
		d = g.mul(d, g.choose(small, ratio, qq))
		t := g.read(r, k)
		none := g.cmp(eq, t, g.zero(1))
		d = g.unless(none, g.mul(d, g.mul(t, by)))
		g.write(u, g.sub(g.read(u, k), d))
	})
	g.finish()
}
