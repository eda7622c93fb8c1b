package ref

import "math"

// Options holds the options of all losses under the names of the expression
// language. It carries no defaults: the caller gives every option that the loss
// reads, Reduction always. A nil list means "not given".
type Options struct {
	// All losses.
	Reduction string `json:"reduction"` // "mean" or "sum"

	// Region losses; Batch also wce; Weight also ce and focal_ce, not gdl.
	Batch      bool      `json:"batch"`
	Background bool      `json:"background"` // false leaves out class 0
	Weight     []float64 `json:"weight"`     // one for every class
	Absent     string    `json:"absent"`     // "keep" or "skip"; not gdl

	// Single losses.
	SmoothNR       float64   `json:"smooth_nr"`
	SmoothDR       float64   `json:"smooth_dr"`
	Squared        bool      `json:"squared"`         // dice
	Soft           bool      `json:"soft"`            // dice, iou, tversky, focal_tversky
	InvertEmpty    bool      `json:"invert_empty"`    // iou
	Eps            float64   `json:"eps"`             // dice2, ss, wce
	Alpha          float64   `json:"alpha"`           // tversky, focal_tversky, focal
	AlphaNone      bool      `json:"alpha_none"`      // focal: alpha=none, Alpha is not read
	Beta           float64   `json:"beta"`            // tversky, focal_tversky
	Gamma          float64   `json:"gamma"`           // focal_tversky, exp_log_dice, focal, focal_ce, exp_log_ce
	Lambda         float64   `json:"lambda"`          // ss
	WeightType     string    `json:"weight_type"`     // gdl: "square", "simple" or "uniform"
	AbsentWeight   string    `json:"absent_weight"`   // gdl: "max", "zero" or "eps"
	WeightEps      float64   `json:"weight_eps"`      // gdl
	Scaled         bool      `json:"scaled"`          // gdl: the largest weight is 1
	PosWeight      []float64 `json:"pos_weight"`      // bce: one for every class, or one for all
	Detach         bool      `json:"detach"`          // wce
	LabelSmoothing float64   `json:"label_smoothing"` // ce
	Freq           []float64 `json:"freq"`            // exp_log_ce
}

var regionLosses = table{
	"dice":          Dice,
	"dice2":         Dice2,
	"iou":           IoU,
	"tversky":       Tversky,
	"focal_tversky": FocalTversky,
	"ss":            SS,
	"gdl":           GDL,
	"exp_log_dice":  ExpLogDice,
}

// cell is one class of one sample, or of the batch: the sums over its
// positions, and what a loss makes of them.
type cell struct {
	samples []int
	c       int
	sums
	partials
	weight float64 // of the cell's value in the loss
}

// sums are sums over the positions of a cell, every one weighted by v.
type sums struct {
	M             float64 // Σ 1
	R, NotR       float64 // Σ r, Σ (1−r)
	RR            float64 // Σ r²
	I, FP, FN, TN float64 // Σ p r, Σ p(1−r), Σ q r, Σ q(1−r), or their soft forms
	PP, SQ        float64 // Σ p², Σ (p−r)²
	SQonR, SQoffR float64 // Σ (p−r)² r, Σ (p−r)² (1−r)
}

// partials are the derivatives of a cell's value by the sums that depend on p.
type partials struct {
	dI, dFP, dFN, dTN, dPP, dSQ, dSQonR, dSQoffR float64
}

// Dice is the Dice loss
//
//	1 − (2I + s_nr)/(2I + FP + FN + s_dr)
//
// (F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016) or, squared, their
//
//	1 − (2I + s_nr)/(Σp² + Σr² + s_dr)
//
// With soft, the products in I, FP and FN are replaced by min(p,r), max(p−r,0)
// and max(r−p,0) (W. R. Crum, O. Camara, D. L. G. Hill, IEEE TMI 2006; Z. Wang
// et al., "Dice Semimetric Losses", MICCAI 2023).
func Dice(in Input, o Options) (loss float64, grad []float64) {
	if !o.Squared {
		return region(in, o, func(s *sums) (float64, partials) {
			return overlap(s, o, 2, 1, 1)
		})
	}
	return region(in, o, func(s *sums) (float64, partials) {
		num := s.SQ + (o.SmoothDR - o.SmoothNR)
		den := s.PP + s.RR + o.SmoothDR
		if num == 0 && den == 0 {
			return 0, partials{}
		}
		return num / den, partials{dSQ: 1 / den, dPP: -num / den / den}
	})
}

// overlap is 1 − (aI + s_nr)/(aI + αFP + βFN + s_dr), with the difference
// written out so that it does not cancel:
//
//	(αFP + βFN + s_dr − s_nr)/(aI + αFP + βFN + s_dr)
//
// All is divided by a number: products of α and β may be too large.
func overlap(s *sums, o Options, a, alpha, beta float64) (float64, partials) {
	unit := math.Sqrt(math.Max(1, math.Max(alpha, beta)))
	a, alpha, beta = a/unit, alpha/unit, beta/unit
	nr, dr := o.SmoothNR/unit, o.SmoothDR/unit
	num := alpha*s.FP + beta*s.FN + (dr - nr)
	den := a*s.I + alpha*s.FP + beta*s.FN + dr
	if num == 0 && den == 0 {
		return 0, partials{}
	}
	rest := a*s.I + nr // den − num
	return num / den, partials{
		dI:  -a * (num / den) / den,
		dFP: alpha * (rest / den) / den,
		dFN: beta * (rest / den) / den,
	}
}

// Dice2 is the loss DL₂
//
//	1 − (I+ε)/(2I+FP+FN+ε) − (TN+ε)/(2TN+FP+FN+ε)
//	  = ½(FP+FN−ε) (1/(2I+FP+FN+ε) + 1/(2TN+FP+FN+ε))
//
// of C. H. Sudre et al., "Generalised Dice overlap as a deep learning loss
// function for highly unbalanced segmentations", DLMIA 2017.
func Dice2(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (l float64, d partials) {
		num := s.FP + s.FN - o.Eps
		if den := 2*s.I + s.FP + s.FN + o.Eps; num != 0 || den != 0 {
			l += num / den / 2
			d.dI -= num / den / den
			d.dFP += (s.I + o.Eps) / den / den
		}
		if den := 2*s.TN + s.FP + s.FN + o.Eps; num != 0 || den != 0 {
			l += num / den / 2
			d.dTN -= num / den / den
			d.dFP += (s.TN + o.Eps) / den / den
		}
		d.dFN = d.dFP
		return l, d
	})
}

// IoU is the Jaccard loss
//
//	1 − (I + s_nr)/(I + FP + FN + s_dr)
//
// of M. A. Rahman, Y. Wang, "Optimizing Intersection-Over-Union in Deep Neural
// Networks for Image Segmentation", ISVC 2016. With invert_empty, a cell with
// R = 0 is computed on (1−p, 1−r).
func IoU(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (float64, partials) {
		if !o.InvertEmpty || s.R != 0 {
			return overlap(s, o, 1, 1, 1)
		}
		l, d := overlap(&sums{I: s.TN, FP: s.FN, FN: s.FP}, o, 1, 1, 1)
		return l, partials{dTN: d.dI, dFN: d.dFP, dFP: d.dFN}
	})
}

// Tversky is the Tversky loss
//
//	1 − (I + s_nr)/(I + αFP + βFN + s_dr)
//
// of S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for
// image segmentation using 3D fully convolutional deep networks", MLMI 2017.
func Tversky(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (float64, partials) {
		return overlap(s, o, 1, o.Alpha, o.Beta)
	})
}

// FocalTversky is the Tversky loss of every cell to the power γ (N. Abraham,
// N. M. Khan, "A novel focal Tversky loss function with improved attention
// U-Net for lesion segmentation", ISBI 2019; their exponent is 1/γ).
func FocalTversky(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (float64, partials) {
		u, d := overlap(s, o, 1, o.Alpha, o.Beta)
		return power(u, o.Gamma, d)
	})
}

// power returns u^γ and its partial derivatives from those of u. For γ < 1,
// where the slope at 0 is infinite, u has a floor with slope 0 below it.
func power(u, gamma float64, d partials) (float64, partials) {
	const floor = 1e-7
	if gamma < 1 && u < floor {
		return math.Pow(floor, gamma), partials{}
	}
	slope := gamma * math.Pow(u, gamma-1)
	return math.Pow(u, gamma), partials{dI: times(d.dI, slope), dFP: times(d.dFP, slope), dFN: times(d.dFN, slope)}
}

// SS is the sensitivity–specificity loss
//
//	λ Σ(r−p)² r / (R+ε) + (1−λ) Σ(r−p)² (1−r) / (M−R+ε)
//
// of T. Brosch et al., "Deep convolutional encoder networks for multiple
// sclerosis lesion segmentation", MICCAI 2015.
func SS(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (l float64, d partials) {
		if den := s.R + o.Eps; s.SQonR != 0 || den != 0 {
			l += o.Lambda * s.SQonR / den
			d.dSQonR = o.Lambda / den
		}
		if den := s.NotR + o.Eps; s.SQoffR != 0 || den != 0 {
			l += (1 - o.Lambda) * s.SQoffR / den
			d.dSQoffR = (1 - o.Lambda) / den
		}
		return l, d
	})
}

// ExpLogDice is the exponential logarithmic Dice loss
//
//	(−ln D)^γ,   D = (2I + s_nr)/(2I + FP + FN + s_dr)
//
// of K. C. L. Wong et al., "3D segmentation with exponential logarithmic loss
// for highly unbalanced object sizes", MICCAI 2018. With D = num/den, it is
// computed as −ln D = ln(1 + (den−num)/num).
func ExpLogDice(in Input, o Options) (loss float64, grad []float64) {
	return region(in, o, func(s *sums) (float64, partials) {
		num := 2*s.I + o.SmoothNR
		den := 2*s.I + s.FP + s.FN + o.SmoothDR
		diff := s.FP + s.FN + (o.SmoothDR - o.SmoothNR) // den − num
		if num == 0 && diff == 0 {
			return power(0, o.Gamma, partials{})
		}
		u := math.Log1p(diff / num)
		if diff/num < -0.5 || num != 0 && math.IsInf(u, 1) { // of −1 and ∞ not much is left
			u = ln(den) - ln(num)
		}
		return power(u, o.Gamma, partials{
			dI:  -2 * (diff / den) / num,
			dFP: 1 / den,
			dFN: 1 / den,
		})
	})
}

// GDL is the generalised Dice loss over the classes of a sample
//
//	1 − (2 Σ w_c I_c + s_nr)/(Σ w_c (2I_c + FP_c + FN_c) + s_dr)
//
// with w_c = 1/R_c², 1/R_c or 1 (Crum 2006; C. H. Sudre et al., DLMIA 2017), of an
// absent class the largest of the others, 0, or by adding ε to R_c² or R_c. Scaled,
// all w_c are divided by the largest, so that s_nr and s_dr mean the same at any
// volume; in the papers they are not. Reduction makes no difference: both divide the
// sum over the samples by the number of those that have a position.
func GDL(in Input, o Options) (loss float64, grad []float64) {
	b := newBatch(in)
	rows := b.cells(o)
	for _, row := range rows {
		w, unit := volumeWeights(row, o)
		nr, dr := o.SmoothNR*unit*unit, o.SmoothDR*unit*unit
		num, den, rest := dr-nr, dr, nr // rest = den − num
		for k, cl := range row {
			num += w[k] * (cl.FP + cl.FN)
			den += w[k] * (2*cl.I + cl.FP + cl.FN)
			rest += w[k] * 2 * cl.I
		}
		if num == 0 && den == 0 {
			continue
		}
		loss += num / den / float64(len(rows))
		for k := range row {
			row[k].weight = 1 / float64(len(rows))
			row[k].partials = partials{
				dI:  -2 * w[k] * (num / den) / den,
				dFP: w[k] * (rest / den) / den,
				dFN: w[k] * (rest / den) / den,
			}
		}
	}
	return b.finish(loss, b.regionGradient(rows, o))
}

// volumeWeights returns gdl's weights of the classes of one row times unit², for a
// volume may have no square. Scaled, unit is 1 and stands for nothing.
func volumeWeights(row []cell, o Options) (w []float64, unit float64) {
	side := make([]float64, len(row)) // w is one over its square
	least := math.Inf(1)
	for k, cl := range row {
		side[k] = volumeSide(cl.R, o)
		if side[k] > 0 {
			least = math.Min(least, side[k])
		}
	}
	if math.IsInf(least, 1) {
		least = 1
	}
	unit = math.Min(least, 1)
	if o.Scaled {
		unit = least
	}
	w = make([]float64, len(row))
	for k, s := range side {
		switch {
		case s > 0:
			w[k] = (unit / s) * (unit / s)
		case o.AbsentWeight != "zero":
			w[k] = (unit / least) * (unit / least)
		}
	}
	if o.Scaled {
		return w, 1
	}
	return w, unit
}

// volumeSide returns the root of what gdl's weight of a class with volume r is one
// over; it is 0 where the weight is to be replaced.
func volumeSide(r float64, o Options) float64 {
	eps := 0.0
	switch o.AbsentWeight {
	case "max", "zero":
	case "eps":
		eps = o.WeightEps
	default:
		panic("ref: unknown absent_weight " + o.AbsentWeight)
	}
	switch o.WeightType {
	case "square":
		return math.Hypot(r, math.Sqrt(eps))
	case "simple":
		return math.Sqrt(r + eps)
	case "uniform":
		return 1
	}
	panic("ref: unknown weight_type " + o.WeightType)
}

// region is the mean, or the sum over samples, of a value of every cell. eval
// returns that value and its derivatives.
func region(in Input, o Options, eval func(*sums) (float64, partials)) (float64, []float64) {
	b := newBatch(in)
	rows := b.cells(o)
	var kept []*cell
	largest := 0.0
	for _, row := range rows {
		for k := range row {
			if cl := &row[k]; !o.skips(cl) {
				cl.weight = classWeight(o.Weight, cl.c)
				largest = math.Max(largest, cl.weight)
				kept = append(kept, cl)
			}
		}
	}
	weights := 0.0 // over the largest: their sum may be too large
	for _, cl := range kept {
		weights += over(cl.weight, largest)
	}
	loss := 0.0
	for _, cl := range kept {
		value, d := eval(&cl.sums)
		cl.partials = d
		if o.isSum() {
			cl.weight /= float64(len(rows))
		} else {
			cl.weight = over(over(cl.weight, largest), weights)
		}
		loss += times(cl.weight, value)
	}
	return b.finish(loss, b.regionGradient(rows, o))
}

// skips reports whether absent=skip leaves the cell out.
func (o *Options) skips(c *cell) bool {
	switch o.Absent {
	case "keep":
		return false
	case "skip":
		return c.R == 0
	}
	panic("ref: unknown absent " + o.Absent)
}

// cells returns the cells of the classes that take part: a row for every sample
// that has a position, or one row for the batch.
func (b *batch) cells(o Options) [][]cell {
	first := 0
	if !o.Background {
		first = 1
	}
	var rows [][]cell
	for _, samples := range b.groups(o.Batch) {
		var row []cell
		for c := first; c < b.C; c++ {
			row = append(row, cell{samples: samples, c: c, sums: b.sums(samples, c, o.Soft)})
		}
		rows = append(rows, row)
	}
	return rows
}

// sums adds up one cell.
func (b *batch) sums(samples []int, c int, soft bool) sums {
	var s sums
	b.each(samples, c, func(i int, v float64) {
		p, q, r, d := b.p[i], b.q[i], b.R[i], b.difference(i)
		s.M += v
		s.R += v * r
		s.NotR += v * (1 - r)
		s.RR += v * r * r
		if soft {
			s.I += v * math.Min(p, r)
			s.FP += v * math.Max(d, 0)
			s.FN += v * math.Max(-d, 0)
			s.TN += v * math.Min(q, 1-r)
		} else {
			s.I += v * p * r
			s.FP += v * p * (1 - r)
			s.FN += v * q * r
			s.TN += v * q * (1 - r)
		}
		s.PP += v * p * p
		s.SQ += v * d * d
		s.SQonR += v * d * d * r
		s.SQoffR += v * d * d * (1 - r)
	})
	return s
}

// difference returns p − r, from q where that is the smaller.
func (b *batch) difference(i int) float64 {
	if b.q[i] < b.p[i] {
		return (1 - b.R[i]) - b.q[i]
	}
	return b.p[i] - b.R[i]
}

// regionGradient carries the derivatives by the sums of every cell over to its
// elements, in the form that batch.finish takes.
func (b *batch) regionGradient(rows [][]cell, o Options) []float64 {
	u := make([]float64, len(b.X))
	for _, row := range rows {
		for _, cl := range row {
			if cl.weight == 0 {
				continue
			}
			b.each(cl.samples, cl.c, func(i int, v float64) {
				u[i] = b.byP(i, cl.weight*v*b.slope(i, &cl.partials, o.Soft))
			})
		}
	}
	return u
}

// slope returns the derivative of a cell's value by p[i], for v = 1.
func (b *batch) slope(i int, d *partials, soft bool) float64 {
	p, r, diff := b.p[i], b.R[i], b.difference(i)
	on := r // dI/dp; and dFN/dp = −on, dFP/dp = 1 − on, dTN/dp = −(1 − on)
	if soft {
		switch {
		case diff < 0:
			on = 1
		case diff == 0: // the kink of min(p,r): the mean of its one-sided slopes
			on = 0.5
		default:
			on = 0
		}
	}
	return times(on, d.dI-d.dFN) + times(1-on, d.dFP-d.dTN) + times(2*p, d.dPP) +
		times(2*diff, d.dSQ+times(r, d.dSQonR)+times(1-r, d.dSQoffR))
}
