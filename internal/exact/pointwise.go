package exact

import "github.com/segloss/segloss/ref"

// logSums appends r ln p and (1−r) ln q.
func (j *job[T]) logSums(_ *ref.Options, e *element[T], to []T) []T {
	return append(to, j.Mul(e.r, e.lnP), j.Mul(e.notR, j.logOfRest(e)))
}

// logOfRest is ln q where it is no part of a power.
func (j *job[T]) logOfRest(e *element[T]) T {
	if j.fault == LogsSwapped {
		return j.scaled(e.lnQ, e.q, e.p)
	}
	return e.lnQ
}

// bce is −(h Σ r ln p + Σ (1−r) ln q).
func (j *job[T]) bce(o *ref.Options, cells []cell[T]) T {
	h := 1.0
	switch c := cells[0].class; {
	case len(o.PosWeight) == 1:
		h = o.PosWeight[0]
	case o.PosWeight != nil:
		h = o.PosWeight[c]
	}
	return j.crossEntropy(j.Num(h), cells[0].sums)
}

// crossEntropy is −(w on + off).
func (j *job[T]) crossEntropy(w T, s []T) T {
	return j.Sub(j.zero, j.Add(j.Mul(w, s[0]), s[1]))
}

// wceSums appends I, FP, FN and TN, and then what logSums does.
func (j *job[T]) wceSums(_ *ref.Options, e *element[T], to []T) []T {
	return j.logSums(nil, e, j.confusion(&ref.Options{}, e, to))
}

// wce is −(w Σ r ln p + Σ (1−r) ln q) with w = (FN+TN)/(I+FP+ε).
func (j *job[T]) wce(o *ref.Options, cells []cell[T]) T {
	s := cells[0].sums
	w := j.ratio(j.Add(s[fn], s[tn]), j.Add(j.Add(s[tp], s[fp]), j.Num(o.Eps)), o.Eps)
	if o.Detach || j.fault == WeightHeld {
		w = j.hold(w)
	}
	return j.crossEntropy(w, s[tn+1:])
}

// sum is the value of a loss that is a plain sum.
func (j *job[T]) sum(_ *ref.Options, cells []cell[T]) T { return cells[0].sums[0] }

// ceSum appends −r̃ ln p with r̃ = (1−a) r + a/C.
func (j *job[T]) ceSum(o *ref.Options, e *element[T], to []T) []T {
	r := e.r
	if o.LabelSmoothing != 0 {
		a := j.Num(o.LabelSmoothing)
		r = j.Add(j.Mul(j.Sub(j.one, a), r), j.Div(a, j.Num(float64(j.in.C))))
	}
	return append(to, j.Sub(j.zero, j.Mul(r, e.lnP)))
}

// focalSum appends −(a r q^γ ln p + (1−a)(1−r) p^γ ln q).
func (j *job[T]) focalSum(o *ref.Options, e *element[T], to []T) []T {
	on, off := e.r, e.notR
	if !o.AlphaNone {
		a := j.Num(o.Alpha)
		on, off = j.Mul(a, on), j.Mul(j.Sub(j.one, a), off)
	}
	l := j.Add(j.Mul(on, j.focus(o.Gamma, e.lnQ, e.lnP)), j.Mul(off, j.focus(o.Gamma, e.lnP, j.logOfRest(e))))
	return append(to, j.Sub(j.zero, l))
}

// focalCESum appends −r q^γ ln p.
func (j *job[T]) focalCESum(o *ref.Options, e *element[T], to []T) []T {
	return append(to, j.Sub(j.zero, j.Mul(e.r, j.focus(o.Gamma, e.lnQ, e.lnP))))
}

// focus is u^γ ln p, given ln u and ln p.
func (j *job[T]) focus(gamma float64, lnU, lnP T) T {
	m := j.powerOf(lnU, gamma)
	if j.fault == ModulationHeld {
		m = j.hold(m)
	}
	return j.Mul(m, lnP)
}

// powerOf is u^γ, given ln u.
func (j *job[T]) powerOf(lnU T, gamma float64) T {
	if gamma == 0 {
		return j.one // also for u = 0
	}
	p := j.Exp(j.Mul(j.Num(gamma), lnU))
	switch j.fault {
	case GammaDropped:
		return j.scaled(p, j.one, j.Num(gamma))
	case GammaOff:
		return j.scaled(p, j.Exp(j.Mul(j.Num(0.1), lnU)), j.one)
	}
	return p
}

// expLogSum appends r (−ln p)^γ.
func (j *job[T]) expLogSum(o *ref.Options, e *element[T], to []T) []T {
	var u T
	if e.far {
		u = j.powerOf(e.decay, o.Gamma)
	} else {
		u = j.power(j.Sub(j.zero, e.lnP), o.Gamma)
	}
	return append(to, j.Mul(e.r, u))
}
