package losses

import "math"

// Linear is a pointwise loss that is linear in its sums: for each class the
// weights of up to two features, over one divisor. What the weights and the
// divisor depend on is fixed by the target.
type Linear struct {
	// Weights are filled in for each class, in the order of Offsets.
	Weights func(o *Options, t *Totals, w [][2]float64)
	// Offsets of the features within a cell, -1 for none.
	Offsets func(l *Layout, o *Options) [2]int
	// Divisor of reduction=mean.
	Divisor func(o *Options, t *Totals) divisor
}

// Totals is what a pointwise loss may know of the batch's target.
type Totals struct {
	C int
	M float64   // Σ v
	R []float64 // Σ v r of each class
}

func elements(_ *Options, t *Totals) divisor  { return divisor{float64(t.C) * t.M, 0} }
func positions(_ *Options, t *Totals) divisor { return divisor{t.M, 0} }
func logOffsets(l *Layout, _ *Options) [2]int { return [2]int{l.LogP, l.LogQ} }

func pointOptions(own ...Setting) []Setting {
	return append([]Setting{{optReduction, "mean"}}, own...)
}

func powerOf(o *Options, expLog, pos bool) Features {
	return Features{Powers: []Power{{Gamma: o.Gamma, ExpLog: expLog, Pos: pos}}}
}

// at reads a list of weights of C classes, or of one that stands for all; a
// list that is not given has 1 everywhere.
func at(list []float64, c int) float64 {
	switch len(list) {
	case 0:
		return 1
	case 1:
		return list[0]
	}
	return list[c]
}

// powerOffsets finds the sums of the term's exponent.
func powerOffsets(expLog, pos bool) func(l *Layout, o *Options) [2]int {
	return func(l *Layout, o *Options) [2]int {
		off := l.Powers[l.power(Power{Gamma: o.Gamma, ExpLog: expLog})].Off
		if expLog || pos {
			return [2]int{off, -1}
		}
		return [2]int{off, off + 1}
	}
}

var pointwise = []*Loss{
	{
		Name: "bce", Kind: PointwiseKind,
		Formula: "−Σ v[h r ln p + (1−r) ln q] / Σ v over elements",
		Source:  "log loss",
		Options: pointOptions(Setting{optPosWeight, 1.0}),
		Needs:   func(*Options) Features { return Features{LogP: true, LogQ: true} },
		Linear: &Linear{
			Weights: byClass(func(o *Options, _ *Totals, c int) [2]float64 { return [2]float64{-at(o.PosWeight, c), -1} }),
			Offsets: logOffsets,
			Divisor: elements,
		},
	},
	{
		Name: "wce", Kind: PointwiseKind,
		Formula: "per cell −Σ v[w r ln p + (1−r) ln q] / M, w = (FN+TN)/(I+FP+ε)",
		Source:  "cross-entropy weighted by background over foreground, as predicted",
		Options: []Setting{{optBatch, false}, {optReduction, "mean"}, {optEps, 1e-5}, {optDetach, false}},
		Needs:   func(*Options) Features { return Features{Region: true, TN: true, LogP: true, LogQ: true} },
		Cell:    weightedCE,
	},
	{
		Name: "ce", Kind: PointwiseKind, Categorical: true,
		Formula: "−Σ v Σ_c w_c r̃_c ln p_c / Σ v Σ_c w_c r_c, r̃ = (1−a) r + a/C",
		Source:  "cross-entropy; label smoothing: Szegedy 2016",
		Options: pointOptions(Setting{optWeight, nil}, Setting{optLabelSmooth, 0.0}),
		Needs:   func(o *Options) Features { return Features{LogP: true, LogAll: o.LabelSmoothing > 0} },
		Linear: &Linear{
			Weights: byClass(func(o *Options, t *Totals, c int) [2]float64 {
				w := at(o.Weight, c)
				return [2]float64{-w * (1 - o.LabelSmoothing), -w * o.LabelSmoothing / float64(t.C)}
			}),
			Offsets: func(l *Layout, o *Options) [2]int {
				if o.LabelSmoothing == 0 {
					return [2]int{l.LogP, -1}
				}
				return [2]int{l.LogP, l.LogAll}
			},
			Divisor: func(o *Options, t *Totals) divisor { return addUp(o.Weight, t.R) },
		},
	},
	{
		Name: "focal", Kind: PointwiseKind,
		Formula: "−Σ v[a r q^γ ln p + (1−a)(1−r) p^γ ln q] / Σ v over elements",
		Source:  "Lin 2017",
		Options: pointOptions(Setting{optGamma, 2.0}, Setting{optFocalAlpha, 0.25}),
		Needs:   func(o *Options) Features { return powerOf(o, false, false) },
		Linear: &Linear{
			Weights: byClass(func(o *Options, _ *Totals, _ int) [2]float64 {
				if math.IsNaN(o.Alpha) { // alpha=none
					return [2]float64{-1, -1}
				}
				return [2]float64{-o.Alpha, -(1 - o.Alpha)}
			}),
			Offsets: powerOffsets(false, false),
			Divisor: elements,
		},
	},
	{
		Name: "focal_ce", Kind: PointwiseKind, Categorical: true,
		Formula: "−Σ v Σ_c w_c r q^γ ln p / Σ v over positions",
		Source:  "Lin 2017, Zhu 2018",
		Options: pointOptions(Setting{optGamma, 2.0}, Setting{optWeight, nil}),
		Needs:   func(o *Options) Features { return powerOf(o, false, true) },
		Linear: &Linear{
			Weights: byClass(func(o *Options, _ *Totals, c int) [2]float64 { return [2]float64{-at(o.Weight, c)} }),
			Offsets: powerOffsets(false, true),
			Divisor: positions,
		},
	},
	{
		Name: "exp_log_ce", Kind: PointwiseKind, Categorical: true,
		Formula: "Σ v Σ_c w_c r (−ln p)^γ / Σ v over positions, w_c = (Σ_k f_k/f_c)^½",
		Source:  "Wong 2018",
		Options: pointOptions(Setting{optGamma, 0.3}, Setting{optFreq, nil}),
		Needs:   func(o *Options) Features { return powerOf(o, true, false) },
		Linear: &Linear{
			Weights: frequencyWeights,
			Offsets: powerOffsets(true, false),
			Divisor: positions,
		},
	},
}

// byClass fills in the weights class by class.
func byClass(f func(o *Options, t *Totals, c int) [2]float64) func(*Options, *Totals, [][2]float64) {
	return func(o *Options, t *Totals, w [][2]float64) {
		for c := range w {
			w[c] = f(o, t, c)
		}
	}
}

// frequencyWeights are (Σ_k f_k/f_c)^½. The quotient may be too large where its root is not.
func frequencyWeights(o *Options, t *Totals, w [][2]float64) {
	f := o.Freq
	if f == nil {
		f = t.R
	}
	all := addUp(nil, f)
	for c := range w {
		w[c] = [2]float64{}
		if f[c] != 0 {
			e := exponent(f[c])
			w[c][0] = math.Ldexp(math.Sqrt(all.sum/math.Ldexp(f[c], -e)), (all.shift-e)/2)
		}
	}
}

// weightedCE is −(w LP + LQ), over M unless the cells are summed plainly. With
// no positive LP is 0 and wins over a w that may be infinite.
func weightedCE(o *Options, s, d *Cell) float64 {
	m := s.M
	if o.Reduction == "sum" {
		m = 1
	}
	d.LQ = -1 / m
	if s.LP == 0 {
		return -s.LQ / m
	}
	w, dw := quotient(s.FN+s.TN, s.TP+s.FP+o.Eps)
	d.LP = -w / m
	if !o.Detach {
		d.FN, d.TN = -s.LP/m*dw, -s.LP/m*dw
		d.TP, d.FP = s.LP/m*w*dw, s.LP/m*w*dw
	}
	if w == 0 { // no 0·∞
		return -s.LQ / m
	}
	return -(w*s.LP + s.LQ) / m
}
