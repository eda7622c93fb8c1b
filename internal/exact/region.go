package exact

import "github.com/segloss/segloss/ref"

// The places of the features of confusion in a cell's sums.
const (
	tp = iota // I
	fp
	fn
	tn
)

// confusion appends I, FP, FN and TN: products of p or q with r or 1 − r, or
// with soft the lesser of them and what p − r and r − p are above 0. Where p = r
// each of these has the mean of its two slopes.
func (j *job[T]) confusion(o *ref.Options, e *element[T], to []T) []T {
	i, p, n, t := j.overlaps(o.Soft, e)
	switch j.fault {
	case FPForgotten:
		p = j.hold(p)
	case FNForgotten:
		n = j.hold(n)
	}
	return append(to, i, p, n, t)
}

// overlaps returns what confusion appends, without faults. Soft ones are told
// apart by p − r, which is exact where p and r both round to 1.
func (j *job[T]) overlaps(soft bool, e *element[T]) (i, p, n, t T) {
	if !soft {
		return j.Mul(e.p, e.r), j.Mul(e.p, e.notR), j.Mul(e.q, e.r), j.Mul(e.q, e.notR)
	}
	d := j.difference(e)
	minus := j.Sub(j.zero, d)
	switch j.Cmp(d, j.zero) {
	case -1:
		return e.p, j.zero, minus, e.notR
	case 1:
		return e.r, d, j.zero, e.q
	}
	half := j.Num(0.5)
	return j.Mul(half, j.Add(e.p, e.r)), j.Mul(half, d), j.Mul(half, minus), j.Mul(half, j.Add(e.q, e.notR))
}

// difference is p − r, made of q where that is the smaller.
func (j *job[T]) difference(e *element[T]) T {
	if j.Cmp(e.q, e.p) < 0 {
		return j.Sub(e.notR, e.q)
	}
	return j.Sub(e.p, e.r)
}

// square is a².
func (j *job[T]) square(a T) T {
	s := j.Mul(a, a)
	if j.fault == SquareHalved {
		s = j.scaled(s, j.one, j.Num(2))
	}
	return s
}

// ratio is a/b, and 0 for 0/0. b holds the given smoothing.
func (j *job[T]) ratio(a, b T, smooth float64) T {
	if j.IsZero(a) && j.IsZero(b) {
		return j.zero
	}
	q := j.Div(a, b)
	switch j.fault {
	case QuotientDropped:
		return j.Div(a, j.hold(b))
	case NumeratorHeld:
		return j.Div(j.hold(a), b)
	case SmoothForgotten:
		bare := j.Sub(b, j.Num(smooth))
		if j.IsZero(bare) {
			return j.hold(q)
		}
		return j.Graft(q, j.Div(a, bare))
	}
	return q
}

// share is ratio(a, b, smooth) for b = a + rest, in a form whose derivative has
// a′ rest − a rest′ in it. In a′ b − a b′, more would cancel.
func (j *job[T]) share(a, rest, b T, smooth float64) T {
	switch {
	case j.faultyRatio(smooth), j.Cmp(a, j.zero) <= 0, j.Cmp(rest, j.zero) < 0:
		return j.ratio(a, b, smooth)
	case j.Cmp(rest, a) < 0:
		return j.Div(j.one, j.Add(j.one, j.Div(rest, a)))
	}
	z := j.Div(a, rest)
	return j.Div(z, j.Add(j.one, z))
}

// faultyRatio reports whether quotients with this smoothing have a fault.
func (j *job[T]) faultyRatio(smooth float64) bool {
	return j.fault == QuotientDropped || j.fault == NumeratorHeld || j.fault == SmoothForgotten && smooth != 0
}

// diceSums appends what dice is made of: I and Σ(p−r)² where it is squared.
func (j *job[T]) diceSums(o *ref.Options, e *element[T], to []T) []T {
	if o.Squared {
		return append(to, j.Mul(e.p, e.r), j.square(j.difference(e)))
	}
	return j.confusion(o, e, to)
}

// dice is (FP+FN+s_dr−s_nr)/(2I+FP+FN+s_dr), or (SQ+s_dr−s_nr)/(PP+RR+s_dr)
// with PP + RR = SQ + 2I.
func (j *job[T]) dice(o *ref.Options, cells []cell[T]) T {
	s := cells[0].sums
	if o.Squared {
		return j.overlap(o, j.twice(s[tp]), s[1])
	}
	return j.overlap(o, j.twice(s[tp]), j.Add(s[fp], s[fn]))
}

func (j *job[T]) twice(a T) T { return j.Add(a, a) }

// overlap is 1 − (in + s_nr)/(in + out + s_dr).
func (j *job[T]) overlap(o *ref.Options, in, out T) T {
	b := j.Add(j.Add(in, out), j.Num(o.SmoothDR))
	return j.share(j.Add(out, j.smoothing(o)), j.Add(in, j.Num(o.SmoothNR)), b, o.SmoothDR)
}

// smoothing is s_dr − s_nr.
func (j *job[T]) smoothing(o *ref.Options) T {
	return j.Sub(j.Num(o.SmoothDR), j.Num(o.SmoothNR))
}

// dice2 is ½(FP+FN−ε)(1/(2I+FP+FN+ε) + 1/(2TN+FP+FN+ε)).
func (j *job[T]) dice2(o *ref.Options, cells []cell[T]) T {
	s, eps := cells[0].sums, j.Num(o.Eps)
	out := j.Add(s[fp], s[fn])
	half := func(in T) T {
		in = j.twice(in)
		b := j.Add(j.Add(in, out), eps)
		return j.share(j.Sub(out, eps), j.Add(in, j.twice(eps)), b, o.Eps)
	}
	return j.Div(j.Add(half(s[tp]), half(s[tn])), j.Num(2))
}

// iou is 1 − (I+s_nr)/(I+FP+FN+s_dr), of 1−p and 1−r where it is inverted.
func (j *job[T]) iou(o *ref.Options, cells []cell[T]) T {
	s := cells[0].sums
	in := s[tp]
	if o.InvertEmpty && j.IsZero(cells[0].r) {
		in = s[tn]
	}
	return j.overlap(o, in, j.Add(s[fp], s[fn]))
}

// tversky is 1 − (I+s_nr)/(I+αFP+βFN+s_dr).
func (j *job[T]) tversky(o *ref.Options, cells []cell[T]) T {
	s := cells[0].sums
	out := j.Add(j.Mul(j.Num(o.Alpha), s[fp]), j.Mul(j.Num(o.Beta), s[fn]))
	return j.overlap(o, s[tp], out)
}

func (j *job[T]) focalTversky(o *ref.Options, cells []cell[T]) T {
	return j.floored(j.tversky(o, cells), o.Gamma)
}

// floored is u^γ, for γ < 1 with u kept from falling below the floor.
func (j *job[T]) floored(u T, gamma float64) T {
	const floor = 1e-7
	if f := j.Num(floor); gamma < 1 && j.Cmp(u, f) < 0 {
		if j.fault == FloorKept {
			f = j.Graft(f, u)
		}
		u = f
	}
	return j.power(u, gamma)
}

// power is u^γ.
func (j *job[T]) power(u T, gamma float64) T {
	p := j.Pow(u, gamma)
	switch {
	case j.fault == GammaDropped && gamma != 0:
		return j.scaled(p, j.one, j.Num(gamma))
	case j.fault == GammaOff && j.Cmp(u, j.zero) > 0:
		return j.scaled(p, j.Pow(u, 0.1), j.one)
	}
	return p
}

// squares appends Σ(p−r)² r and Σ(p−r)²(1−r).
func (j *job[T]) squares(_ *ref.Options, e *element[T], to []T) []T {
	s := j.square(j.difference(e))
	return append(to, j.Mul(s, e.r), j.Mul(s, e.notR))
}

// ss is λ Σ(r−p)² r/(R+ε) + (1−λ) Σ(r−p)²(1−r)/(M−R+ε).
func (j *job[T]) ss(o *ref.Options, cells []cell[T]) T {
	c, eps, lambda := cells[0], j.Num(o.Eps), j.Num(o.Lambda)
	notR := c.notR
	if j.fault == IgnoredCounted {
		notR = j.Add(notR, c.missing)
	}
	on := j.ratio(c.sums[0], j.Add(c.r, eps), o.Eps)
	off := j.ratio(c.sums[1], j.Add(notR, eps), o.Eps)
	return j.Add(j.Mul(lambda, on), j.Mul(j.Sub(j.one, lambda), off))
}

// expLogDice is (−ln D)^γ, where −ln D = ln(1 + (FP+FN+s_dr−s_nr)/(2I+s_nr)).
func (j *job[T]) expLogDice(o *ref.Options, cells []cell[T]) T {
	s := cells[0].sums
	a := j.Add(j.Add(s[fp], s[fn]), j.smoothing(o))
	rest := j.Add(j.twice(s[tp]), j.Num(o.SmoothNR))
	b := j.Add(j.Add(j.twice(s[tp]), j.Add(s[fp], s[fn])), j.Num(o.SmoothDR))
	var u T
	switch {
	case j.IsZero(a) && j.IsZero(rest):
		u = j.zero
	case j.Cmp(b, rest) < 0:
		u = j.Log(j.Div(b, rest))
	default:
		u = j.Log1p(j.Div(a, rest))
	}
	if j.faultyRatio(o.SmoothDR) && !j.IsZero(u) {
		u = j.Graft(u, j.faultyLog(rest, b, o.SmoothDR))
	}
	return j.floored(u, o.Gamma)
}

// faultyLog is −ln a + ln b, which has the derivative of −ln(a/b), with the
// fault that a/b has.
func (j *job[T]) faultyLog(a, b T, smooth float64) T {
	switch j.fault {
	case QuotientDropped:
		b = j.hold(b)
	case NumeratorHeld:
		a = j.hold(a)
	default:
		if bare := j.Sub(b, j.Num(smooth)); j.Cmp(bare, j.zero) > 0 {
			b = bare
		}
	}
	return j.Sub(j.Log(b), j.Log(a))
}

// gdl is 1 − (2 Σ w_c I_c + s_nr)/(Σ w_c (2I_c+FP_c+FN_c) + s_dr).
func (j *job[T]) gdl(o *ref.Options, cells []cell[T]) T {
	in, out := j.zero, j.zero
	for k, w := range j.volumeWeights(o, cells) {
		s := cells[k].sums
		in = j.Add(in, j.Mul(w, j.twice(s[tp])))
		out = j.Add(out, j.Mul(w, j.Add(s[fp], s[fn])))
	}
	return j.overlap(o, in, out)
}

// volumeWeights returns the weights w_c of gdl; scaled, the largest is 1.
func (j *job[T]) volumeWeights(o *ref.Options, cells []cell[T]) []T {
	w := make([]T, len(cells))
	absent := make([]bool, len(cells))
	largest := j.zero
	for k, c := range cells {
		v := j.volume(o, c.r)
		if absent[k] = j.IsZero(v); absent[k] {
			continue
		}
		w[k] = j.Div(j.one, v)
		if j.Cmp(w[k], largest) > 0 {
			largest = w[k]
		}
	}
	if j.IsZero(largest) {
		largest = j.one
	}
	for k := range w {
		switch {
		case !absent[k]:
		case o.AbsentWeight == "zero":
			w[k] = j.zero
		default:
			w[k] = largest
		}
		if o.Scaled {
			w[k] = j.Div(w[k], largest)
		}
	}
	return w
}

// volume is what gdl's weight of a class is one over: R², R or 1; 0 where the
// class is absent and its weight is to be replaced.
func (j *job[T]) volume(o *ref.Options, r T) T {
	v := j.one
	switch o.WeightType {
	case "uniform":
		return v
	case "square":
		v = j.Mul(r, r)
	case "simple":
		v = r
	}
	if o.AbsentWeight == "eps" {
		v = j.Add(v, j.Num(o.WeightEps))
	}
	return v
}
