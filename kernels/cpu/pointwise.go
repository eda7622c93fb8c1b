package cpu

import "math"

// logP adds Σ v r ln p. A position with r = 0 adds 0 even where ln p is
// infinite, but NaN where p is NaN.
func logP[T Float](acc []float64, r *Row[T]) {
	s := 0.0
	for i, v := range r.R {
		if v == 0 {
			s += 0 * r.P[i]
			continue
		}
		s += weight(r.V, i) * float64(v) * r.LP[i]
	}
	acc[0] += s
}

// logQ adds Σ v (1−r) ln q, with the same rule at r = 1.
func logQ[T Float](acc []float64, r *Row[T]) {
	s := 0.0
	for i, v := range r.R {
		if v == 1 {
			s += 0 * r.P[i]
			continue
		}
		s += weight(r.V, i) * (1 - float64(v)) * r.LQ[i]
	}
	acc[0] += s
}

// logAll adds Σ v ln p.
func logAll[T Float](acc []float64, r *Row[T]) {
	s := 0.0
	for i, l := range r.LP {
		s += weight(r.V, i) * l
	}
	acc[0] += s
}

// logPY adds Σ ln p = −Σ ln(1 + q/p) of the members of each class, under
// softmax.
func logPY[T Float](acc []float64, k int, t *Tile[T]) {
	w := t.Work[:t.N]
	for i, y := range t.Y[:t.N] {
		at := int(y)*t.Stride + i
		w[i] = t.Q[at] / t.P[at]
	}
	log1pRow[T](w)
	for i, y := range t.Y[:t.N] {
		l := w[i]
		if l > PlainExp {
			l = FarOdds(t, int(y), i, 1)
		}
		acc[int(y)*k] -= l
	}
}

// powers leaves u^γ in w, for u in [0, 1] and its logarithm l. Small whole
// exponents need no exponential.
func powers[T Float](w []float64, gamma float64, u, l []float64, clip float64) {
	switch gamma {
	case 0:
		for i, v := range u {
			w[i] = 1 + 0*v
		}
	case 1, 2, 3:
		for i, v := range u {
			f := min(max(v, clip), 1-clip)
			w[i] = f
			for range int(gamma) - 1 {
				w[i] *= f
			}
		}
	default:
		for i, v := range l {
			w[i] = gamma * v
		}
		expRow[T](w)
	}
}

// power adds Σ v r q^γ ln p to pos and Σ v (1−r) p^γ ln q to neg.
func power[T Float](pos, neg []float64, gamma float64, r *Row[T]) {
	pos[0] += powerSum(gamma, r, r.P, r.Q, r.LP, r.LQ, 0, 1)
	if neg != nil {
		neg[0] += powerSum(gamma, r, r.Q, r.P, r.LQ, r.LP, 1, -1)
	}
}

// powerSum is Σ v (at + sign·r) q^γ ln p.
func powerSum[T Float](gamma float64, r *Row[T], p, q, lp, lq []float64, at, sign float64) (s float64) {
	w := r.Work[:len(q)]
	powers[T](w, gamma, q, lq, r.Clip)
	for i, v := range r.R {
		t := at + sign*float64(v)
		if t == 0 {
			s += 0 * p[i]
			continue
		}
		s += weight(r.V, i) * t * times(w[i], lp[i])
	}
	return s
}

// times is the product of a factor that may be 0 and a logarithm that may be
// −∞: the limit of such a product is 0 here.
func times(f, l float64) float64 {
	if f == 0 && math.IsInf(l, -1) {
		return 0
	}
	return f * l
}

// nearOne bounds the q for which −ln p = q + q²/2 to full accuracy.
const nearOne = 1e-8

// minusLog returns ln(−ln p) and q/(−ln p). For q near 0 they come from q and
// its logarithm, for −ln p may have underflowed there.
func minusLog(q, lp, lq float64) (ln, ratio float64) {
	if q < nearOne {
		return lq + q/2, 1 - q/2
	}
	return math.Log(-lp), q / -lp
}

// expLog adds Σ v r (−ln p)^γ.
func expLog[T Float](acc []float64, gamma float64, r *Row[T]) {
	s := 0.0
	for i, v := range r.R {
		if v == 0 {
			s += 0 * r.P[i]
			continue
		}
		s += weight(r.V, i) * float64(v) * minusLogPower(gamma, max(r.Q[i], r.Clip), r.LP[i], r.LQ[i])
	}
	acc[0] += s
}

func minusLogPower(gamma, q, lp, lq float64) float64 {
	switch {
	case gamma == 1 || lp != lp:
		return -lp
	case gamma == 0:
		return 1
	}
	ln, _ := minusLog(q, lp, lq)
	return math.Exp(gamma * ln)
}

// logGrad adds the derivatives of r ln p, (1−r) ln q and ln p.
func logGrad[T Float](r *Row[T], byLogP, byLogQ, byLogAll float64) {
	for i, v := range r.R {
		t, p, q := float64(v), r.P[i], r.Q[i]
		r.U[i] += (byLogP*t+byLogAll)*q - byLogQ*(1-t)*p
	}
}

// powerGrad adds the derivatives q^γ (q − γ p ln p) of r q^γ ln p and
// −p^γ (p − γ q ln q) of (1−r) p^γ ln q.
func powerGrad[T Float](r *Row[T], gamma, byPos, byNeg float64) {
	if byPos != 0 {
		powerDerivative(r, gamma, byPos, r.P, r.Q, r.LP, r.LQ, 0, 1)
	}
	if byNeg != 0 {
		powerDerivative(r, gamma, -byNeg, r.Q, r.P, r.LQ, r.LP, 1, -1)
	}
}

func powerDerivative[T Float](r *Row[T], gamma, by float64, p, q, lp, lq []float64, at, sign float64) {
	w := r.Work[:len(q)]
	powers[T](w, gamma, q, lq, 0)
	for i, v := range r.R {
		t := at + sign*float64(v)
		if t != 0 { // γ w is small where γ is large, and γ ln p alone may be infinite
			r.U[i] += by * t * (w[i]*q[i] - gamma*w[i]*times(p[i], lp[i]))
		}
	}
}

// expLogGrad adds the derivative −γ (−ln p)^γ q/(−ln p) of r (−ln p)^γ.
func expLogGrad[T Float](r *Row[T], gamma, by float64) {
	for i, v := range r.R {
		if v == 0 {
			continue
		}
		q, lp, lq := r.Q[i], r.LP[i], r.LQ[i]
		d := gamma * q // −∂/∂log-odds with γ = 1
		if ln, ratio := minusLog(q, lp, lq); q < nearOne {
			d = gamma * minusLogPower(gamma, q, lp, lq) * ratio
		} else if gamma != 1 {
			d *= math.Exp((gamma - 1) * ln)
		}
		r.U[i] -= by * float64(v) * d
	}
}
