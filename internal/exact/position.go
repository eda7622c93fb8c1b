package exact

import "github.com/segloss/segloss/ref"

// element is one class of one position as the rules see it.
type element[T any] struct {
	r, notR T // r and 1 − r
	p, q    T // q = 1 − p
	// ln p and ln q, clipped where p was given; powers of p and q beside
	// logarithms are made of them. Set only where a term asks for logarithms.
	lnP, lnQ T
	// Where far is set, p is so near 1 that −ln p is e^decay to the last digit.
	decay T
	far   bool
}

// position fills in the elements of one position of the prediction x. vary is
// the class that is differentiated by, −1 for none; it is marked in x by the
// caller, and known here for the faults.
func (j *job[T]) position(x []T, n, s, vary int, to []element[T]) {
	if j.in.Activation == ref.Softmax {
		j.logOdds(x, n, s, to)
	}
	for c := range j.in.C {
		i := j.at(n, c, s)
		e := &to[c]
		switch j.in.Activation {
		case ref.None:
			*e = j.given(x[i])
		case ref.Sigmoid:
			*e = j.logistic(x[i], true)
		default:
			*e = j.logistic(e.decay, c == vary)
		}
		e.r, e.notR = j.r[i], j.Sub(j.one, j.r[i])
	}
}

// given returns the features of a probability that the caller gave.
func (j *job[T]) given(p T) element[T] {
	e := element[T]{p: p, q: j.Sub(j.one, p)}
	switch {
	case !j.logs:
	case j.Cmp(p, j.clip) < 0:
		e.lnP, e.lnQ = j.clipped(p)
	case j.Cmp(e.q, j.clip) < 0:
		e.lnQ, e.lnP = j.clipped(e.q)
	default:
		e.lnP, e.lnQ = j.Log(p), j.Log1p(j.Sub(j.zero, p))
	}
	return e
}

// clipped returns the logarithms of the clip and of 1 less the clip, which a
// probability u below it has.
func (j *job[T]) clipped(u T) (small, large T) {
	clip := j.clip
	if j.fault == ClipKept {
		clip = j.Graft(clip, u)
	}
	return j.Log(clip), j.Log1p(j.Sub(j.zero, clip))
}

// logistic returns the features of the probability with log-odds t, all of them
// made of e^−|t|. own says that t moves because its own logit does.
func (j *job[T]) logistic(t T, own bool) element[T] {
	e := j.fromLogOdds(t)
	switch {
	case j.fault == ChainDropped && own:
		return j.fromLogOdds(j.scaled(t, j.one, j.Mul(e.p, e.q)))
	case j.fault == DiagonalWrong && own && j.in.Activation == ref.Softmax:
		return j.fromLogOdds(j.scaled(t, j.one, e.q))
	case (j.fault == ChainDropped || j.fault == CrossTermsDropped) && !own:
		return j.fromLogOdds(j.hold(t))
	}
	return e
}

// fromLogOdds is logistic without a fault.
func (j *job[T]) fromLogOdds(t T) (e element[T]) {
	positive := j.Cmp(t, j.zero) >= 0
	e.decay = t // −|t|
	if positive {
		e.decay = j.Sub(j.zero, t)
	}
	decay := j.Exp(e.decay)
	sum := j.Add(j.one, decay)
	large, small := j.Div(j.one, sum), j.Div(decay, sum)
	var lnLarge, lnSmall T
	if j.logs {
		lnLarge = j.Sub(j.zero, j.Log1p(decay))
		lnSmall = j.Add(e.decay, lnLarge)
	}
	e.p, e.q, e.lnP, e.lnQ = small, large, lnSmall, lnLarge
	if positive {
		e.p, e.q, e.lnP, e.lnQ = large, small, lnLarge, lnSmall
		e.far = j.Cmp(decay, j.tiny) < 0
	}
	return e
}

// logOdds sets to[c].decay to x_c − ln Σ_{k≠c} e^x_k, the log-odds of class c
// under softmax. The exponentials are relative to the largest of the others, so
// that they vanish neither together nor beside the class itself.
func (j *job[T]) logOdds(x []T, n, s int, to []element[T]) {
	top := 0
	for c := range j.in.C {
		if j.Cmp(x[j.at(n, c, s)], x[j.at(n, top, s)]) > 0 {
			top = c
		}
	}
	rest := j.others(j.exponentials(x, n, s, top, -1))
	for c := range j.in.C {
		m := top
		if c == top {
			m = j.second(x, n, s, top)
			rest[c] = j.zero
			for k, e := range j.exponentials(x, n, s, m, top) {
				if k != top {
					rest[c] = j.Add(rest[c], e)
				}
			}
		}
		d := j.Sub(x[j.at(n, c, s)], j.hold(x[j.at(n, m, s)]))
		to[c].decay = j.Sub(d, j.Log(rest[c]))
	}
}

// others returns for each number the sum of all but it. They are added up from both
// ends: the sum of all less the one would cancel, and a sum for each is slow where the
// classes are many.
func (j *job[T]) others(e []T) []T {
	rest := make([]T, len(e))
	before, behind := j.zero, j.zero
	for c := range e {
		rest[c] = before
		before = j.Add(before, e[c])
	}
	for c := len(e) - 1; c >= 0; c-- {
		rest[c] = j.Add(rest[c], behind)
		behind = j.Add(behind, e[c])
	}
	return rest
}

// second returns the class with the largest logit beside class top.
func (j *job[T]) second(x []T, n, s, top int) int {
	m := -1
	for c := range j.in.C {
		if c != top && (m < 0 || j.Cmp(x[j.at(n, c, s)], x[j.at(n, m, s)]) > 0) {
			m = c
		}
	}
	return m
}

// exponentials returns e^(x_k − x_m) for the classes of a position but without.
func (j *job[T]) exponentials(x []T, n, s, m, without int) []T {
	e := make([]T, j.in.C)
	shift := j.hold(x[j.at(n, m, s)])
	for k := range e {
		if k == without {
			continue
		}
		if v := x[j.at(n, k, s)]; j.Cmp(v, shift) == 0 {
			e[k] = j.Graft(j.one, v) // also where both are −Inf
		} else {
			e[k] = j.Exp(j.Sub(v, shift))
		}
	}
	return e
}

// hold returns a's value without its derivative.
func (j *job[T]) hold(a T) T { return j.Graft(a, j.zero) }

// scaled returns a's value with its derivative times num/den, both taken as
// constants; with derivative 0 where den is 0.
func (j *job[T]) scaled(a, num, den T) T {
	if j.IsZero(den) {
		return j.hold(a)
	}
	return j.Graft(a, j.Mul(a, j.hold(j.Div(num, den))))
}
