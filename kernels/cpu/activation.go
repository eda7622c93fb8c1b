package cpu

import "math"

// probabilities takes p = x as it is; the logarithms are those of the clipped
// pair, whose ends are constants of float64 (1−1e-7 does not exist in float32).
func probabilities[T Float](t *Tile[T]) {
	for c := range t.C {
		x, p, q := t.X[c*t.XStride:][:t.N], t.P[c*t.Stride:][:t.N], t.Q[c*t.Stride:][:t.N]
		for i, v := range x {
			p[i] = v
			q[i] = T(1 - float64(v))
		}
		if t.LP != nil {
			clippedLogs(t.LP[c*t.Stride:][:t.N], t.LQ[c*t.Stride:][:t.N], x, t.Clip)
		}
	}
}

func clippedLogs[T Float](lp, lq, x []T, clip float64) {
	least, most := T(math.Log(clip)), T(math.Log1p(-clip))
	for i, v := range x {
		p := float64(v)
		switch {
		case p < clip:
			lp[i], lq[i] = least, most
		case 1-p < clip:
			lp[i], lq[i] = most, least
		default:
			lp[i], lq[i] = T(math.Log(p)), T(math.Log1p(-p))
		}
	}
}

// sigmoid forms the smaller of p and q from the exponential itself, so that
// both keep their relative accuracy.
func sigmoid[T Float](t *Tile[T]) {
	for c := range t.C {
		x, p, q := t.X[c*t.XStride:][:t.N], t.P[c*t.Stride:][:t.N], t.Q[c*t.Stride:][:t.N]
		w := t.Work[:t.N]
		for i, v := range x {
			w[i] = math.Copysign(float64(v), -1)
		}
		expRow[T](w)
		for i, e := range w {
			larger := 1 / (1 + e)
			p[i], q[i] = bySign(float64(x[i]), T(larger), T(e*larger))
		}
		if t.LP == nil {
			continue
		}
		log1pRow[T](w)
		lp := t.LP[c*t.Stride:][:t.N]
		lq := lp // overwritten below where nobody asks for ln q
		if t.LQ != nil {
			lq = t.LQ[c*t.Stride:][:t.N]
		}
		for i, l := range w {
			near, far := T(-l), T(math.Copysign(float64(x[i]), -1)-l)
			lp[i], lq[i] = bySign(float64(x[i]), near, far)
		}
	}
}

// bySign returns a, b for x ≥ 0 and b, a for x < 0.
func bySign[T Float](x float64, a, b T) (T, T) {
	if math.Signbit(x) {
		return b, a
	}
	return a, b
}

// softmax forms q from the exponentials of the other classes: each sum of the
// others is a sum of those before and of those after, so nothing cancels.
func softmax[T Float](t *Tile[T]) {
	n := t.N
	top := t.Max[:n]
	rowMax(top, t)
	for c := range t.C {
		e := t.Work[c*n:][:n]
		for i, v := range t.X[c*t.XStride:][:n] {
			e[i] = float64(v) - top[i]
		}
	}
	expRow[T](t.Work[:t.C*n])

	// others = Σ of those before, sum = Σ of all.
	sum := t.LogZ[:n]
	clear(sum)
	for c := range t.C {
		e, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		for i, z := range sum {
			others[i] = z
			sum[i] = z + e[i]
		}
	}
	normalise(t, sum)
	if t.LP != nil {
		softmaxLogs(t)
	}
}

// rowMax leaves the largest input of each position in top; a NaN wins.
func rowMax[T Float](top []float64, t *Tile[T]) {
	for i, v := range t.X[:t.N] {
		top[i] = float64(v)
	}
	for c := 1; c < t.C; c++ {
		for i, v := range t.X[c*t.XStride:][:t.N] {
			top[i] = max(top[i], float64(v))
		}
	}
}

// normalise completes the sums of the others, from the last class down, writes
// P and Q, and leaves ln Σ in place of the sum: ln(1 + Σ of all but the
// largest), which is the least of the sums of the others.
func normalise[T Float](t *Tile[T], sum []float64) {
	n := t.N
	after, inv, least := t.Work[2*t.C*n:][:n], t.Work[(2*t.C+1)*n:][:n], t.Work[(2*t.C+2)*n:][:n]
	for i, z := range sum {
		after[i], inv[i], least[i] = 0, 1/z, math.Inf(1)
	}
	for c := t.C - 1; c >= 0; c-- {
		e, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		p, q := t.P[c*t.Stride:][:n], t.Q[c*t.Stride:][:n]
		for i, k := range inv {
			o := others[i] + after[i]
			others[i] = o
			least[i] = min(least[i], o)
			after[i] += e[i]
			p[i], q[i] = T(e[i]*k), T(o*k)
		}
	}
	copy(sum, least)
	log1pRow[T](sum)
}

// softmaxLogs writes LP and LQ, ln q = −ln(1 + p/q). The sum of the others
// underflows against a maximum far above them; there they get a maximum of
// their own.
func softmaxLogs[T Float](t *Tile[T]) {
	n := t.N
	for c := range t.C {
		lp := t.LP[c*t.Stride:][:n]
		for i, v := range t.X[c*t.XStride:][:n] {
			lp[i] = T(float64(v) - t.Max[i] - t.LogZ[i])
		}
		if t.LQ == nil {
			continue
		}
		lq, odds := t.LQ[c*t.Stride:][:n], t.Work[(t.C+c)*n:][:n]
		for i, e := range t.Work[c*n:][:n] {
			odds[i] = e / odds[i]
		}
		log1pRow[T](odds)
		for i, l := range odds {
			if l > 600 {
				l = t.Max[i] + t.LogZ[i] - logSumOthers(t, c, i)
			}
			lq[i] = T(-l)
		}
	}
}

// logSumOthers is ln Σ_{k≠c} exp(x_k) at position i.
func logSumOthers[T Float](t *Tile[T], c, i int) float64 {
	top := math.Inf(-1)
	for k := range t.C {
		if k != c {
			top = max(top, float64(t.X[k*t.XStride+i]))
		}
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for k := range t.C {
		if k != c {
			sum += math.Exp(float64(t.X[k*t.XStride+i]) - top)
		}
	}
	return top + math.Log(sum)
}
