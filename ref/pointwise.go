package ref

import "math"

var pointwiseLosses = table{
	"bce":        BCE,
	"wce":        WCE,
	"ce":         CE,
	"focal":      Focal,
	"focal_ce":   FocalCE,
	"exp_log_ce": ExpLogCE,
}

// BCE is the binary cross-entropy
//
//	−Σ v [h r ln p + (1−r) ln q] / Σ v
//
// over elements, with h the weight of the positive class.
func BCE(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	return b.pointwise(o, b.elements(), func(c int, r, v float64, x logs) (l, u float64) {
		on, off := posWeight(o.PosWeight, c)*(v*r), v*(1-r)
		return -times(on, x.lnp) - times(off, x.lnq), off*x.p - on*x.q
	})
}

// posWeight returns h for class c.
func posWeight(list []float64, c int) float64 {
	if len(list) == 1 {
		return list[0]
	}
	return classWeight(list, c)
}

// WCE is the cross-entropy weighted by background over foreground as predicted,
// for every cell
//
//	−Σ v [w r ln p + (1−r) ln q] / M,   w = (FN + TN)/(I + FP + ε)
//
// of C. H. Sudre et al., DLMIA 2017. In w, FN + TN = Σ v q and I + FP = Σ v p.
func WCE(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	u := make([]float64, len(b.X))
	groups := b.groups(o.Batch)
	cells := float64(len(groups) * b.C)
	for _, samples := range groups {
		for c := range b.C {
			loss += b.wceCell(samples, c, o, cells, u)
		}
	}
	return b.finish(loss, u)
}

// wceCell returns the share of one cell in the loss, and sets its elements of u.
func (b *batch) wceCell(samples []int, c int, o Options, cells float64, u []float64) float64 {
	var m, p, q, on, off float64 // Σ v times 1, p, q, r ln p, (1−r) ln q
	b.each(samples, c, func(i int, v float64) {
		m += v
		p += v * b.p[i]
		q += v * b.q[i]
		on += v * times(b.R[i], b.logs[i].lnp)
		off += v * times(1-b.R[i], b.logs[i].lnq)
	})
	divisor := 1.0
	if !o.isSum() {
		divisor = m * cells
	}
	w, dw := q/(p+o.Eps), 0.0 // dw = dw/dp for v = 1, from dq/dp = −1
	if !o.Detach {
		dw = -(1 + w) / (p + o.Eps)
	}
	b.each(samples, c, func(i int, v float64) {
		r, x := b.R[i], b.logs[i]
		u[i] = v / divisor * (b.byLogOdds(i, (1-r)*x.p-times(r, w)*x.q) - b.byP(i, times(on, dw)))
	})
	return -(times(on, w) + off) / divisor
}

// CE is the cross-entropy over the classes of a position
//
//	−Σ v Σ_c w_c r̃_c ln p_c / Σ v Σ_c w_c r_c,   r̃ = (1−a) r + a/C
//
// with label smoothing a (C. Szegedy et al., CVPR 2016).
func CE(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	largest := 1.0
	if o.Weight != nil && !o.isSum() { // the mean divides by the weights as well
		largest = 0
		for c, f := range b.frequencies() {
			if f != 0 {
				largest = math.Max(largest, o.Weight[c])
			}
		}
	}
	if largest == 0 {
		largest = 1
	}
	divisor := 0.0
	for c, f := range b.frequencies() {
		divisor += times(f, classWeight(o.Weight, c)/largest)
	}
	a := o.LabelSmoothing
	return b.pointwise(o, divisor, func(c int, r, v float64, x logs) (l, u float64) {
		wr := times(v*((1-a)*r+a/float64(b.C)), classWeight(o.Weight, c)/largest)
		return -times(wr, x.lnp), -wr * x.q
	})
}

// Focal is the binary focal loss
//
//	−Σ v [a r q^γ ln p + (1−a)(1−r) p^γ ln q] / Σ v
//
// over elements (T.-Y. Lin et al., "Focal loss for dense object detection",
// ICCV 2017). With AlphaNone the factors a and 1−a are 1.
func Focal(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	on, off := o.Alpha, 1-o.Alpha
	if o.AlphaNone {
		on, off = 1, 1
	}
	return b.pointwise(o, b.elements(), func(_ int, r, v float64, x logs) (l, u float64) {
		lp, up := focus(x, o.Gamma)
		lq, uq := focus(logs{p: x.q, q: x.p, lnp: x.lnq, lnq: x.lnp}, o.Gamma)
		// d/dt changes its sign where p and q change places.
		on, off := on*v*r, off*v*(1-r)
		return times(on, lp) + times(off, lq), times(on, up) - times(off, uq)
	})
}

// FocalCE is the focal loss over the classes of a position
//
//	−Σ v Σ_c w_c r_c q_c^γ ln p_c / Σ v
//
// of W. Zhu et al., "AnatomyNet", Medical Physics 2019.
func FocalCE(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	return b.pointwise(o, b.total(), func(c int, r, v float64, x logs) (l, u float64) {
		wr := classWeight(o.Weight, c) * (v * r)
		l, u = focus(x, o.Gamma)
		return times(wr, l), times(wr, u)
	})
}

// focus returns −q^γ ln p and its derivative by t, q^γ (γ p ln p − q).
func focus(x logs, gamma float64) (l, u float64) {
	qg := math.Pow(x.q, gamma)
	return times(-qg, x.lnp), gamma*qg*times(x.p, x.lnp) - qg*x.q
}

// ExpLogCE is the exponential logarithmic cross-entropy
//
//	Σ v Σ_c w_c r_c (−ln p_c)^γ / Σ v,   w_c = (Σ_k f_k/f_c)^½
//
// of K. C. L. Wong et al., MICCAI 2018, with f the frequencies of the labels,
// by default those of the batch.
func ExpLogCE(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	freq := o.Freq
	if freq == nil {
		freq = b.frequencies()
	}
	sum := 0.0 // of the roots' squares: Σ f may be too large
	for _, f := range freq {
		sum = math.Hypot(sum, math.Sqrt(f))
	}
	return b.pointwise(o, b.total(), func(c int, r, v float64, x logs) (l, u float64) {
		if freq[c] == 0 {
			return 0, 0
		}
		wr := sum / math.Sqrt(freq[c]) * (v * r)
		l, u = logPower(x, o.Gamma)
		return times(wr, l), times(wr, u)
	})
}

// logPower returns (−ln p)^γ and its derivative by t, −γ (−ln p)^(γ−1) q, which
// goes to 0 with −ln p, as q does.
func logPower(x logs, gamma float64) (l, u float64) {
	l = math.Pow(-x.lnp, gamma)
	if x.lnp != 0 && gamma != 0 {
		u = -gamma * math.Pow(-x.lnp, gamma-1) * x.q
	}
	return l, u
}

// pointwise sums f over all elements. f returns its value and its derivative by t,
// times v, which is the weight of the position, over divisor if the reduction is the
// mean.
func (b *batch) pointwise(o Options, divisor float64, f func(c int, r, v float64, x logs) (l, u float64)) (float64, []float64) {
	if o.isSum() {
		divisor = 1
	}
	loss := 0.0
	grad := make([]float64, len(b.X))
	if divisor != 0 {
		for c := range b.C {
			b.each(b.samples(), c, func(i int, v float64) {
				l, u := f(c, b.R[i], v/divisor, b.logs[i])
				loss += l
				grad[i] = b.byLogOdds(i, u)
			})
		}
	}
	return b.finish(loss, grad)
}

// samples returns the indices of all samples.
func (b *batch) samples() []int {
	all := make([]int, b.N)
	for n := range all {
		all[n] = n
	}
	return all
}

// total returns Σ v over the positions of the batch.
func (b *batch) total() float64 {
	sum := 0.0
	for _, v := range b.v {
		sum += v
	}
	return sum
}

// elements returns Σ v over the elements of the batch.
func (b *batch) elements() float64 { return float64(b.C) * b.total() }

// frequencies returns Σ v r of every class.
func (b *batch) frequencies() []float64 {
	f := make([]float64, b.C)
	for c := range f {
		b.each(b.samples(), c, func(i int, v float64) { f[c] += v * b.R[i] })
	}
	return f
}
