package cpu

import "math"

// probabilities takes p = x as it is; the logarithms are those of the clipped
// pair, whose ends are constants of float64 (1−1e-7 does not exist in float32).
func probabilities[T Float](t *Tile[T]) {
	for c := range t.C {
		x, p, q := t.X[c*t.XStride:][:t.N], t.P[c*t.Stride:][:t.N], t.Q[c*t.Stride:][:t.N]
		for i, v := range x {
			p[i] = float64(v)
			q[i] = 1 - float64(v)
		}
		if t.LP != nil {
			clippedLogs(t.LP[c*t.Stride:][:t.N], t.LQ[c*t.Stride:][:t.N], p, t.Clip)
		}
	}
}

func clippedLogs(lp, lq, p []float64, clip float64) {
	least, most := Log(clip), math.Log1p(-clip)
	for i, p := range p {
		switch {
		case p < clip:
			lp[i], lq[i] = least, most
		case 1-p < clip:
			lp[i], lq[i] = most, least
		default:
			lp[i], lq[i] = Log(p), math.Log1p(-p)
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
			p[i], q[i] = bySign(float64(x[i]), larger, e*larger)
		}
		if t.LP == nil {
			continue
		}
		log1pRow[T](w)
		lp, lq := t.LP[c*t.Stride:][:t.N], t.LQ[c*t.Stride:][:t.N]
		for i, l := range w {
			v := float64(x[i])
			lp[i], lq[i] = bySign(v, -l, math.Copysign(v, -1)-l)
		}
	}
}

// bySign returns a, b where x has no sign and b, a where it has one. There is no
// branch, for the signs of logits are hard to foresee.
func bySign(x, a, b float64) (float64, float64) {
	mask := uint64(int64(math.Float64bits(x)) >> 63)
	ab, bb := math.Float64bits(a), math.Float64bits(b)
	swap := (ab ^ bb) & mask
	return math.Float64frombits(ab ^ swap), math.Float64frombits(bb ^ swap)
}

// PlainExp is the size up to which the exponentials of logits and their sums
// stay inside float64 without subtracting the largest logit first.
const PlainExp = 300

// softmax forms q from the exponentials of the other classes: each sum of the
// others is a sum of those before and of those after, so nothing cancels.
func softmax[T Float](t *Tile[T]) {
	n := t.N
	for c := range t.C {
		if !expOf(t.Work[c*n:][:n], t.X[c*t.XStride:][:n]) {
			shiftedExp(t)
			break
		}
	}
	if t.C <= few && t.LP == nil {
		normaliseFew(t)
		return
	}
	sumsBefore(t)
	normalise(t)
	if t.LP != nil {
		softmaxLogs(t)
	}
}

// expOf leaves e^x in w, or reports that some of x is too large for that.
func expOf[T Float](w []float64, x []T) (ok bool) {
	switch x := any(x).(type) {
	case []float32:
		w = w[:len(x)]
		for i, v := range x {
			if !(v >= -PlainExp && v <= PlainExp) { // a NaN too
				return false
			}
			w[i] = expInside(float64(v))
		}
	case []float64:
		w = w[:len(x)]
		for i, v := range x {
			if !(v >= -PlainExp && v <= PlainExp) {
				return false
			}
			w[i] = math.Exp(v)
		}
	}
	return true
}

// shiftedExp is e^(x−max), right for logits of any size.
func shiftedExp[T Float](t *Tile[T]) {
	for i := range t.N {
		top := float64(t.X[i])
		for c := 1; c < t.C; c++ {
			top = max(top, float64(t.X[c*t.XStride+i]))
		}
		for c := range t.C {
			t.Work[c*t.N+i] = math.Exp(float64(t.X[c*t.XStride+i]) - top)
		}
	}
}

// sumsBefore leaves in the second C rows of Work, for each of its first C rows,
// the sum of the rows before it, and in the next row the sum of all.
func sumsBefore[T Float](t *Tile[T]) {
	n := t.N
	sum := t.Work[2*t.C*n:][:n]
	clear(sum)
	for c := range t.C {
		term, before := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		for i, s := range sum {
			before[i] = s
			sum[i] = s + term[i]
		}
	}
}

// normalise completes the sums of the others, from the last class down, and
// writes P and Q.
func normalise[T Float](t *Tile[T]) {
	n := t.N
	inv, after := t.Work[2*t.C*n:][:n], t.Work[(2*t.C+1)*n:][:n]
	for i, sum := range inv {
		inv[i] = 1 / sum
	}
	clear(after)
	for c := t.C - 1; c >= 0; c-- {
		e, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		p, q := t.P[c*t.Stride:][:n], t.Q[c*t.Stride:][:n]
		for i, k := range inv {
			o := others[i] + after[i]
			others[i] = o
			after[i] += e[i]
			p[i], q[i] = e[i]*k, o*k
		}
	}
}

// few is the number of classes that normaliseFew holds in registers.
const few = 4

// normaliseFew writes P and Q of up to 4 classes, all of a position at once. A
// class that is not there has exponentials of 0, and its results go nowhere.
func normaliseFew[T Float](t *Tile[T]) {
	n := t.N
	var e, p, q [few][]float64
	none, nowhere := t.Work[t.C*n:][:n], t.Spare[:n]
	clear(none)
	for c := range few {
		e[c], p[c], q[c] = none, nowhere, nowhere
		if c < t.C {
			e[c], p[c], q[c] = t.Work[c*n:][:n], t.P[c*t.Stride:][:n], t.Q[c*t.Stride:][:n]
		}
	}
	e0, e1, e2, e3 := e[0][:n], e[1][:n], e[2][:n], e[3][:n]
	p0, p1, p2, p3 := p[0][:n], p[1][:n], p[2][:n], p[3][:n]
	q0, q1, q2, q3 := q[0][:n], q[1][:n], q[2][:n], q[3][:n]
	for i, a := range e0 {
		b, c, d := e1[i], e2[i], e3[i]
		ab, cd := a+b, c+d
		k := 1 / (ab + cd)
		p0[i], p1[i], p2[i], p3[i] = a*k, b*k, c*k, d*k
		q0[i], q1[i], q2[i], q3[i] = (b+cd)*k, (a+cd)*k, (ab+d)*k, (ab+c)*k
	}
}

// softmaxLogs writes LP and LQ: ln p = −ln(1 + q/p), ln q = −ln(1 + p/q).
func softmaxLogs[T Float](t *Tile[T]) {
	n := t.N
	for c := range t.C {
		e, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		oddsLogs(t, t.LP[c*t.Stride:][:n], others, e, c, 1)
		if t.LQ != nil {
			oddsLogs(t, t.LQ[c*t.Stride:][:n], e, others, c, -1)
		}
	}
}

// oddsLogs writes −ln(1 + against/in favour) of class c; sign is what FarOdds
// takes for that.
func oddsLogs[T Float](t *Tile[T], out, against, favour []float64, c int, sign float64) {
	odds := t.Work[2*t.C*t.N:][:t.N]
	for i, a := range against {
		odds[i] = a / favour[i]
	}
	log1pRow[T](odds)
	for i, l := range odds {
		if l > PlainExp {
			l = FarOdds(t, c, i, sign)
		}
		out[i] = -l
	}
}

// FarOdds is ln(1 + q/p) of class c at position i, or with sign −1 ln(1 + p/q),
// where the odds are so long that one of their exponentials may have
// underflowed: there it is ln(q/p) or its negative. The other classes get a
// maximum of their own.
func FarOdds[T Float](t *Tile[T], c, i int, sign float64) float64 {
	top := math.Inf(-1)
	for k := range t.C {
		if k != c {
			top = max(top, float64(t.X[k*t.XStride+i]))
		}
	}
	sum := 0.0
	for k := range t.C {
		if k != c {
			sum += math.Exp(float64(t.X[k*t.XStride+i]) - top)
		}
	}
	if math.IsInf(top, -1) {
		sum = 1
	}
	return sign * (top + math.Log(sum) - float64(t.X[c*t.XStride+i]))
}
