package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// truth is what a label makes of an element: u is the probability of what it
// says, p for members and q for the others, and v = 1 − u. base and baseLog are
// v, as it enters powers, and its logarithm if that is needed.
type truth struct {
	u, v, log, base, baseLog vec
	inside                   mask // whether neither p nor q is clipped; without activation
}

// truthOf is the truth with its logarithm.
func (b *rowKernel) truthOf(s sides, x vec) truth {
	if b.sigmoid && b.backward && !b.powers {
		var t truth
		p, q := b.probabilities(x)
		t.u, t.v = b.choose(s.in, p, q), b.choose(s.in, q, p)
		return t
	}
	if b.sigmoid {
		return b.sigmoidTruth(b.flipped(s, x))
	}
	return b.plainTruth(s, x)
}

// flipped changes the sign of what is not a member's.
func (b *rowKernel) flipped(s sides, x vec) vec {
	if !b.wide() {
		return b.xor(x, b.unless(s.in, b.load(signBit).times(len(x))))
	}
	z := b.copy(x)
	for i := range z {
		fp(b.gen, b.VXORPD_BCST, b.VXORPS_BCST)(b.mem(signBit), z[i], s.out[i], z[i])
	}
	return z
}

// sigmoidTruth is that of z, the logit of what the label says.
func (b *rowKernel) sigmoidTruth(z vec) (t truth) {
	l := b.sigmoidOf(z, b.needsShares())
	t.u, t.v = l.p, l.q
	t.log = b.lessLog(b.min(b.zero(1).times(len(z)), z), l)
	t.base = t.v
	if b.anyPower {
		t.baseLog = b.minusAbove(z, l)
	}
	return t
}

// needsShares reports whether p and q are needed beside their logarithms.
func (b *rowKernel) needsShares() bool { return b.region || b.backward || b.powers && !b.anyPower }

// minusAbove is −max(z, 0) − l, the logarithm of q.
func (b *rowKernel) minusAbove(z vec, l rowLogistic) vec {
	above := b.max(b.zero(1).times(len(z)), z)
	if b.single {
		return b.xor(b.add(l.log1p, above), signBit)
	}
	b.addTo(above, l.s, l.log1p)
	return b.xor(above, signBit)
}

// rowLogistic is logistic; in lanes of float64 s is e/(2+e), and log1p is what s is
// to be multiplied by, in one step with what the logarithm is added to.
type rowLogistic struct {
	logistic
	s vec
}

// lessLog is v − ln(1+e); it may overwrite v.
func (b *rowKernel) lessLog(v vec, l rowLogistic) vec {
	if b.single {
		return b.sub(v, l.log1p)
	}
	b.subFrom(v, l.s, l.log1p)
	return v
}

// sigmoidOf is logistic for logits within the limit; without p and q if they are
// not asked for.
func (b *rowKernel) sigmoidOf(z vec, pq bool) (s rowLogistic) {
	var smaller, larger vec
	if b.single {
		e := b.exponentials(len(z))
		s.log1p = b.log1pUnit(e, b.div(e, b.add(e, number("two", 2))))
		if !pq {
			return s
		}
		larger = b.div(b.load(one).times(len(e)), b.add(e, one))
		smaller = b.mul(e, larger)
	} else {
		s.s = b.taken(0, len(z))
		s.log1p = b.atanhOf(s.s)
		if !pq {
			return s
		}
		larger = b.taken(1, len(z))
		smaller = b.copy(s.s) // e/(1+e) = s + s/(1+e)
		b.addTo(smaller, s.s, larger)
	}
	negative := b.negative(z)
	s.p = b.choose(negative, smaller, larger)
	s.q = b.choose(negative, larger, smaller)
	return s
}

// plainTruth is that of a probability. One logarithm of u is taken, with the
// digits of 1 − p that u = q has lost.
func (b *rowKernel) plainTruth(s sides, p vec) (t truth) {
	q := b.sub(b.load(one).times(len(p)), p)
	t.u, t.v = b.choose(s.in, p, q), b.choose(s.in, q, p)
	low, high := b.cmp(lt, t.u, b.use(b.clip())), b.cmp(lt, t.v, b.use(b.clip()))
	if b.backward {
		t.inside = b.neither(low, high)
	}
	if b.powers || !b.backward {
		at := b.flipped(s, p)
		y := b.logOfShare(t.u, at, s)
		t.log = b.clipped(y, low, high)
	}
	if b.powers {
		t.base = b.clippedShare(t.v)
	}
	if b.anyPower {
		other := sides{s.out, s.in}
		if !b.wide() {
			other.in = b.masks(len(p))
			for i, m := range s.in {
				b.VPCMPEQD(other.in[i], other.in[i], other.in[i])
				b.VPXOR(m, other.in[i], other.in[i])
			}
		}
		y := b.logOfShare(t.v, b.flipped(other, p), other)
		t.baseLog = b.clipped(y, high, low)
	}
	return t
}

// logOfShare is ln u, u being 1 + a or, for members, a.
func (b *rowKernel) logOfShare(u, a vec, s sides) vec {
	part := b.reciprocal(u)
	f := b.choose(s.in, b.load(minusOne), b.add(part.s, minusOne))
	b.addTo(f, part.s, a)
	return b.logOf(f, part.k)
}

// clipped puts the logarithms of the clip where u or v is below it.
func (b *rowKernel) clipped(y vec, low, high mask) vec {
	if b.backward {
		return y // where it does not matter
	}
	y = b.choose(low, b.use(factorLnClip), y)
	return b.choose(high, b.use(factorLnRest), y)
}

// clippedShare is v as it enters powers.
func (b *rowKernel) clippedShare(v vec) vec {
	least := b.use(b.clip())
	most := b.sub(b.load(one), least)
	return b.min(most.times(len(v)), b.max(least.times(len(v)), v)) // a NaN stays one
}

func (b *rowKernel) clip() int { return pick(b.backward, byClip, factorClip) }

// neither is where none of two masks holds.
func (b *rowKernel) neither(x, y mask) mask {
	m := b.masks(len(x))
	for i := range m {
		if b.wide() {
			b.KORW(x[i], y[i], m[i])
			b.KNOTW(m[i], m[i])
		} else {
			ones := b.all()
			b.VORPS(x[i], y[i], m[i])
			b.VANDNPS(ones[0], m[i], m[i])
		}
	}
	return m
}

// features is p and q with their logarithms and as they enter powers.
type features struct {
	p, q, lp, lq, pBase, qBase vec
	inside                     mask
}

func (b *rowKernel) featuresOf(x vec) (f features) {
	if b.sigmoid && b.backward && !b.powers {
		f.p, f.q = b.probabilities(x)
		return f
	}
	if b.sigmoid {
		l := b.sigmoidOf(x, b.needsShares())
		f.p, f.q, f.pBase, f.qBase = l.p, l.q, l.p, l.q
		f.lp = b.lessLog(b.min(b.zero(1).times(len(x)), x), l)
		f.lq = b.minusAbove(x, l)
		return f
	}
	f.p, f.q = x, b.sub(b.load(one).times(len(x)), x)
	low, high := b.cmp(lt, f.p, b.use(b.clip())), b.cmp(lt, f.q, b.use(b.clip()))
	if b.backward {
		f.inside = b.neither(low, high)
	}
	if b.powers || !b.backward {
		part := b.reciprocal(f.p)
		of := b.mul(f.p, part.s)
		f.lp = b.clipped(b.logOf(b.add(of, minusOne), part.k), low, high)
		part = b.reciprocal(f.q)
		of = b.add(part.s, minusOne)
		b.subFrom(of, part.s, x)
		f.lq = b.clipped(b.logOf(of, part.k), high, low)
	}
	if b.powers {
		f.pBase, f.qBase = b.clippedShare(f.p), b.clippedShare(f.q)
	}
	return f
}

// watch is the largest |x| of a kernel that declines large ones: as bits, which
// as whole numbers are in the same order and a NaN's above all; or with AVX2 and
// float64 whether all are within the limit.
type watch struct {
	bits reg.Register
	ok   mask
	how  watched
}

type watched int

const (
	doubled watched = iota // bits of x without the sign, moved up by one
	minus                  // bits of −|x|
)

// Limits of |x| and its bits in either form.
var (
	sizeLimit    = numbers("sizeLimit", 300, 80)
	doubledLimit = constant{"doubledLimit", sizeLimit.bits << 1, sizeLimit.bits32 << 1}
	minusLimit   = numbers("minusLimit", -300, -80)
)

func (b *rowKernel) startWatch() {
	if b.single || b.wide() {
		b.most.bits = b.zero(1)[0]
	} else {
		b.most.ok = b.all()
	}
}

// watchSize looks at the size of x, watchMinus at that of −|x|.
func (b *rowKernel) watchSize(x vec) {
	b.most.how = doubled
	if b.most.bits == nil {
		b.both(b.most.ok, b.cmp(le, b.and(x, size), sizeLimit))
		return
	}
	b.watchBits(b.addBits(x, x))
}

func (b *rowKernel) watchMinus(x vec) {
	b.most.how = minus
	if b.most.bits == nil {
		b.both(b.most.ok, b.cmp(ge, x, minusLimit))
		return
	}
	b.watchBits(x)
}

func (b *rowKernel) watchBits(v vec) {
	for _, r := range v {
		fp(b.gen, b.VPMAXUQ, b.VPMAXUD)(r, b.most.bits, b.most.bits)
	}
}

// finishWatch ends the function and returns whether all sizes were within the
// limit.
func (b *rowKernel) finishWatch() {
	if !b.sigmoid {
		result := b.GP8()
		b.MOVB(operand.U8(1), result)
		b.Store(result, b.ReturnIndex(0))
		b.finish()
		return
	}
	if b.most.bits == nil {
		b.returnAll(b.most.ok)
		return
	}
	b.Comment("Within the limit if that is still the largest.")
	limit := b.load(pick(b.most.how == minus, minusLimit, doubledLimit))
	b.watchBits(limit)
	m := b.masks(1)
	fp(b.gen, b.VPCMPEQQ, b.VPCMPEQD)(limit[0], b.most.bits, m[0])
	b.returnAll(m)
}

// keepFactors loads the factors that the kernel needs. Some are wanted with the
// other sign.
func (b *rowKernel) keepFactors() {
	b.kept = map[int]vec{}
	for _, f := range b.factors() {
		v := b.regs(1)
		fp(b.gen, b.VBROADCASTSD, b.VBROADCASTSS)(b.at(f), v[0])
		if b.backward && (f == byLogQ && b.labels || f == byNeg) {
			v = b.xor(v, signBit)
		}
		b.kept[f] = v
	}
}

// factors is the list of what the kernel takes from k.
func (b *rowKernel) factors() (list []int) {
	if b.backward {
		if b.region || b.square {
			list = append(list, byIn, byOut)
		}
		if b.square {
			list = append(list, byPP, bySQR, bySQB)
		}
		if b.logs {
			list = append(list, byLogP, byLogQ)
		}
		if b.powers {
			list = append(list, byPos, byNeg, byGamma)
		}
		if b.takesLogs() && !b.sigmoid {
			list = append(list, byClip)
		}
		return list
	}
	if b.takesLogs() && !b.sigmoid {
		list = append(list, factorClip, factorLnClip, factorLnRest)
	}
	return list
}

// use is a factor.
func (b *rowKernel) use(factor int) vec {
	if b.mixed != nil {
		return b.laneFactor(factor, 64/b.bytes)
	}
	return b.kept[factor]
}

// negated is a factor that was kept with the other sign.
func (b *rowKernel) negated(factor int) vec { return b.kept[factor] }
