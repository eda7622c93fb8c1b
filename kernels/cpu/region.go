package cpu

// weight is the weight of a position; a row without weights has 1 everywhere.
func weight[T Float](v []T, i int) float64 {
	if v == nil {
		return 1
	}
	return float64(v[i])
}

// counts adds Σ v r, Σ v (1−r) and Σ v r².
func counts[T Float](acc []float64, r *Row[T]) {
	var pos, neg, squares float64
	for i, v := range r.R {
		w, t := weight(r.V, i), float64(v)
		pos += w * t
		neg += w * (1 - t)
		squares += w * t * t
	}
	acc[0] += pos
	acc[1] += neg
	acc[2] += squares
}

// region adds TP, FP, FN and TN.
func region[T Float](acc []float64, r *Row[T]) {
	var tp, fp, fn, tn float64
	for i, v := range r.R {
		w, t, p, q := weight(r.V, i), float64(v), r.P[i], r.Q[i]
		in, out := w*t, w*(1-t)
		tp += p * in
		fp += p * out
		fn += q * in
		tn += q * out
	}
	acc[0] += tp
	acc[1] += fp
	acc[2] += fn
	acc[3] += tn
}

// minus is p − r without cancellation where both are near 1.
func minus(p, q, r float64) float64 {
	if p < 0.5 {
		return p - r
	}
	return (1 - r) - q
}

// soft adds Σ min(p,r), Σ max(p−r,0), Σ max(r−p,0) and Σ min(q,1−r).
func soft[T Float](acc []float64, r *Row[T]) {
	var tp, fp, fn, tn float64
	for i, v := range r.R {
		w, t, p, q := weight(r.V, i), float64(v), r.P[i], r.Q[i]
		d := minus(p, q, t)
		if d > 0 {
			tp += w * t
			fp += w * d
			tn += w * q
		} else { // a NaN stays one
			tp += w * p
			fn -= w * d
			tn += w * (1 - t)
		}
	}
	acc[0] += tp
	acc[1] += fp
	acc[2] += fn
	acc[3] += tn
}

// square adds Σ p², Σ (p−r)² r and Σ (p−r)² (1−r).
func square[T Float](acc []float64, r *Row[T]) {
	var pp, in, out float64
	for i, v := range r.R {
		w, t, p, q := weight(r.V, i), float64(v), r.P[i], r.Q[i]
		d := minus(p, q, t)
		pp += w * p * p
		in += w * d * d * t
		out += w * d * d * (1 - t)
	}
	acc[0] += pp
	acc[1] += in
	acc[2] += out
}

// countsY counts the labels. All counts are whole numbers, so that Σ (1−r) and
// Σ r² of the tile may be had from Σ r before and after it.
func countsY[T Float](acc []float64, k int, t *Tile[T]) {
	for c := range t.C {
		cell := acc[c*k:][:3]
		cell[1] += cell[0] + float64(t.N)
		cell[2] -= cell[0]
	}
	if t.C == 1 {
		acc[0] += float64(members(t.Y[:t.N]))
	} else {
		for _, y := range t.Y[:t.N] {
			if int(y) < t.C {
				acc[int(y)*k]++
			}
		}
	}
	for c := range t.C {
		cell := acc[c*k:][:3]
		cell[1] -= cell[0]
		cell[2] += cell[0]
	}
}

// members counts the positions of class 0 where there is none but that. A branch
// would be hard to foresee.
func members(y []int32) (n int) {
	for _, y := range y {
		n += int(uint32(y-1) >> 31)
	}
	return n
}

// regionY adds TP, FP, FN and TN of each class. Each position's own class is
// taken out of its rows first; what is left of them are FP and TN.
func regionY[T Float](acc []float64, k int, t *Tile[T]) {
	for i, y := range t.Y[:t.N] {
		if int(y) >= t.C {
			continue
		}
		at, cell := int(y)*t.Stride+i, acc[int(y)*k:][:4]
		cell[0] += t.P[at]
		cell[2] += t.Q[at]
		t.P[at], t.Q[at] = 0, 0
	}
	for c := range t.C {
		acc[c*k+1] += sum(t.P[c*t.Stride:][:t.N])
		acc[c*k+3] += sum(t.Q[c*t.Stride:][:t.N])
	}
}

func sum(x []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return s0 + s1 + (s2 + s3)
}

func regionGrad[T Float](r *Row[T], byTP, byFP, byFN, byTN float64) {
	in, out := byTP-byFN, byFP-byTN
	for i, v := range r.R {
		t := float64(v)
		r.G[i] += in*t + out*(1-t)
	}
}

// softGrad takes the mean of both sides' derivatives where p = r.
func softGrad[T Float](r *Row[T], byTP, byFP, byFN, byTN float64) {
	under, over := byTP-byFN, byFP-byTN
	for i, v := range r.R {
		d := minus(r.P[i], r.Q[i], float64(v))
		switch {
		case d < 0:
			r.G[i] += under
		case d > 0:
			r.G[i] += over
		default:
			r.G[i] += (under + over) / 2
		}
	}
}

func squareGrad[T Float](r *Row[T], byPP, bySQR, bySQB float64) {
	for i, v := range r.R {
		t, p, q := float64(v), r.P[i], r.Q[i]
		r.G[i] += 2 * (p*byPP + minus(p, q, t)*(bySQR*t+bySQB*(1-t)))
	}
}
