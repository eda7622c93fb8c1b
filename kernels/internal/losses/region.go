package losses

import "math"

// floor is the least base of a power of a region value with an exponent below
// one; the gradient is zero under it.
const floor = 1e-7

// regionOptions are the options of every region loss, then its own.
func regionOptions(smooth float64, own ...Setting) []Setting {
	s := []Setting{
		{optBatch, false}, {optBackground, true}, {optWeight, nil},
		{optReduction, "mean"}, {optAbsent, "keep"},
	}
	return append(append(s, smoothOptions(smooth)...), own...)
}

func smoothOptions(smooth float64) []Setting {
	if math.IsNaN(smooth) {
		return nil
	}
	return []Setting{{optSmooth, smooth}, {optSmoothNR, smooth}, {optSmoothDR, smooth}}
}

// noSmooth is the argument of regionOptions for a loss without smooth.
var noSmooth = math.NaN()

func tverskyOptions(own ...Setting) []Setting {
	return regionOptions(1e-5, append([]Setting{{optAlpha, 0.3}, {optBeta, 0.7}, {optSoft, false}}, own...)...)
}

func regionNeeds(o *Options) Features { return Features{Region: !o.Soft, Soft: o.Soft} }

// withTN is regionNeeds of a loss that, or an option of which, looks at TN.
func withTN(needed func(o *Options) bool) func(o *Options) Features {
	return func(o *Options) Features {
		f := regionNeeds(o)
		f.TN = needed(o)
		return f
	}
}

var regions = []*Loss{
	{
		Name: "dice", Kind: RegionKind,
		Formula: "1 − (2I + s_nr)/(2I+FP+FN + s_dr); squared: 1 − (2I+s_nr)/(PP+RR+s_dr)",
		Source:  "Milletari 2016 (squared); soft: Wang 2023, Crum 2006",
		Options: regionOptions(1e-5, Setting{optSquared, false}, Setting{optSoft, false}),
		Needs: func(o *Options) Features {
			if o.Squared {
				return Features{Square: true}
			}
			return regionNeeds(o)
		},
		Cell: dice,
	},
	{
		Name: "dice2", Kind: RegionKind,
		Formula: "1 − (I+ε)/(2I+FP+FN+ε) − (TN+ε)/(2TN+FP+FN+ε)",
		Source:  "Sudre 2017, DL₂",
		Options: regionOptions(noSmooth, Setting{optEps, 1e-5}),
		Needs:   withTN(func(*Options) bool { return true }),
		Cell:    dice2,
	},
	{
		Name: "iou", Kind: RegionKind,
		Formula: "1 − (I+s_nr)/(I+FP+FN+s_dr)",
		Source:  "Rahman & Wang 2016",
		Options: regionOptions(1e-6, Setting{optInvertEmpty, false}, Setting{optSoft, false}),
		Needs:   withTN(func(o *Options) bool { return o.InvertEmpty }),
		Cell:    iou,
	},
	{
		Name: "tversky", Kind: RegionKind,
		Formula: "1 − TI, TI = (I+s_nr)/(I + α FP + β FN + s_dr)",
		Source:  "Salehi 2017",
		Options: tverskyOptions(),
		Needs:   regionNeeds,
		Cell:    tversky,
	},
	{
		Name: "focal_tversky", Kind: RegionKind,
		Formula: "(1 − TI)^γ per cell",
		Source:  "Abraham & Khan 2018 (their exponent is 1/γ, γ = 4/3)",
		Options: tverskyOptions(Setting{optGamma, 0.75}),
		Needs:   regionNeeds,
		Cell: func(o *Options, s, d *Cell) float64 {
			u := tversky(o, s, d)
			return power(u, o.Gamma, d)
		},
	},
	{
		Name: "ss", Kind: RegionKind,
		Formula: "λ Σ(r−p)² r/(R+ε) + (1−λ) Σ(r−p)²(1−r)/(M−R+ε)",
		Source:  "Brosch 2015; λ = 0.05 is NiftyNet's",
		Options: regionOptions(noSmooth, Setting{optLambda, 0.05}, Setting{optEps, 1e-5}),
		Needs:   func(*Options) Features { return Features{Square: true} },
		Cell: func(o *Options, s, d *Cell) float64 {
			sens, dSens := quotient(s.SQR, s.R+o.Eps)
			spec, dSpec := quotient(s.SQB, s.NR+o.Eps)
			d.SQR, d.SQB = where(s.SQR, o.Lambda*dSens), where(s.SQB, (1-o.Lambda)*dSpec)
			return o.Lambda*sens + (1-o.Lambda)*spec
		},
	},
	{
		Name: "gdl", Kind: RegionKind,
		Formula: "1 − (2 Σ w_c I_c + s_nr)/(Σ w_c (2I_c+FP_c+FN_c) + s_dr) over the classes of a sample, w_c = (R_min/R_c)², R_min the least R > 0; 1/R_c² with scaled=false",
		Source:  "Crum 2006, Sudre 2017",
		Options: append(append([]Setting{{optBatch, false}, {optBackground, true}, {optReduction, "mean"}}, smoothOptions(1e-5)...),
			Setting{optWeightType, "square"}, Setting{optAbsentW, "max"}, Setting{optWeightEps, 1e-6}, Setting{optScaled, true}),
		Needs:  regionNeeds,
		Sample: generalizedDice,
	},
	{
		Name: "exp_log_dice", Kind: RegionKind,
		Formula: "(−ln D)^γ, D = (2I+s_nr)/(2I+FP+FN+s_dr)",
		Source:  "Wong 2018",
		Options: regionOptions(1, Setting{optGamma, 0.3}),
		Needs:   regionNeeds,
		Cell:    expLogDice,
	},
}

// quotient is t/den with its derivative by t; 0/0 is 0 with derivative 0.
func quotient(t, den float64) (value, dt float64) {
	if t == 0 && den == 0 {
		return 0, 0
	}
	return t / den, 1 / den
}

// where is the derivative d by a sum of squares, which is 0 where the sum is: every
// square is at its least. No 0·∞ comes of a denominator near 0.
func where(sum, d float64) float64 {
	if sum == 0 {
		return 0
	}
	return d
}

// overlap finishes a loss t/den = 1 − num/den, given both t and num so that
// nothing cancels. den grows with TP by byTP, and with FP and FN by fp and fn,
// as t does; t does not depend on TP.
func overlap(d *Cell, t, num, den, byTP, fp, fn float64) float64 {
	if t == 0 && den == 0 {
		return 0
	}
	l := t / den
	d.TP = -byTP * (l / den)
	d.FP = fp * (num / den) / den
	d.FN = fn * (num / den) / den
	return l
}

func dice(o *Options, s, d *Cell) float64 {
	if o.Squared {
		t, den := s.SQR+s.SQB+(o.SmoothDR-o.SmoothNR), s.PP+s.RR+o.SmoothDR
		l, dt := quotient(t, den)
		d.SQR, d.SQB = where(s.SQR, dt), where(s.SQB, dt)
		d.PP = where(s.PP, -l*dt)
		return l
	}
	e := s.FP + s.FN
	return overlap(d, e+(o.SmoothDR-o.SmoothNR), 2*s.TP+o.SmoothNR, 2*s.TP+e+o.SmoothDR, 2, 1, 1)
}

func iou(o *Options, s, d *Cell) float64 {
	if o.InvertEmpty && s.R == 0 {
		swapped, ds := *s, Cell{}
		swapped.TP, swapped.FP, swapped.FN = s.TN, s.FN, s.FP
		l := overIoU(o, &swapped, &ds)
		d.TN, d.FN, d.FP = ds.TP, ds.FP, ds.FN
		return l
	}
	return overIoU(o, s, d)
}

func overIoU(o *Options, s, d *Cell) float64 {
	e := s.FP + s.FN
	return overlap(d, e+(o.SmoothDR-o.SmoothNR), s.TP+o.SmoothNR, s.TP+e+o.SmoothDR, 1, 1, 1)
}

// tversky divides everything by a power of two where α FP and β FN might be too large.
func tversky(o *Options, s, d *Cell) float64 {
	one, alpha, beta := 1.0, o.Alpha, o.Beta
	if max(alpha, beta) > 0x1p512 {
		one = 0x1p-600
		alpha, beta = alpha*one, beta*one
	}
	e := alpha*s.FP + beta*s.FN
	tp, nr, dr := one*s.TP, one*o.SmoothNR, one*o.SmoothDR
	return overlap(d, e+(dr-nr), tp+nr, tp+e+dr, one, alpha, beta)
}

// dice2 is ½(FP+FN−ε)(1/A + 1/B) with A = 2I+FP+FN+ε and B = 2TN+FP+FN+ε.
func dice2(o *Options, s, d *Cell) float64 {
	e := s.FP + s.FN
	t := e - o.Eps
	a, b := 2*s.TP+e+o.Eps, 2*s.TN+e+o.Eps
	la, da := quotient(t, a)
	lb, db := quotient(t, b)
	d.TP, d.TN = -la*da, -lb*db
	d.FP = (s.TP+o.Eps)*da*da + (s.TN+o.Eps)*db*db
	d.FN = d.FP
	return (la + lb) / 2
}

// expLogDice is u^γ with u = −ln D = ln(1 + t/num), t = FP+FN+(s_dr−s_nr), and where
// t/num has lost what matters, ln den − ln num.
func expLogDice(o *Options, s, d *Cell) float64 {
	e := s.FP + s.FN
	t, num, den := e+(o.SmoothDR-o.SmoothNR), 2*s.TP+o.SmoothNR, 2*s.TP+e+o.SmoothDR
	ratio, _ := quotient(t, num)
	if t != 0 || num != 0 {
		d.TP = -2 * (t / den) / num
		d.FP, d.FN = 1/den, 1/den
	}
	if ratio < -0.5 || math.IsInf(ratio, 1) {
		// math.Log takes no subnormal number.
		return power(math.Ln2*(math.Log2(den)-math.Log2(num)), o.Gamma, d)
	}
	return power(math.Log1p(ratio), o.Gamma, d)
}

// power turns a region value u with derivatives d into u^γ.
func power(u, gamma float64, d *Cell) float64 {
	if gamma == 1 {
		return u
	}
	if gamma < 1 && u < floor {
		*d = Cell{}
		return math.Pow(floor, gamma)
	}
	by := gamma * math.Pow(u, gamma-1)
	for _, v := range []*float64{&d.TP, &d.FP, &d.FN} {
		if *v != 0 { // no 0·∞
			*v *= by
		}
	}
	return math.Pow(u, gamma)
}

func generalizedDice(o *Options, s, d []Cell) float64 {
	if !o.Background {
		s, d = s[1:], d[1:]
	}
	least := math.Inf(1) // the side of the smallest class that is there
	for c := range s {
		if side := gdlSide(o, s[c].R); side > 0 {
			least = min(least, side)
		}
	}
	if math.IsInf(least, 1) {
		least = 1
	}
	// The largest weight is 1. Without scaled it is that of a side of 1, and below that
	// side the smoothing is divided instead: 1/R² may be too large.
	unit, nr, dr := least, o.SmoothNR, o.SmoothDR
	if !o.Scaled {
		unit = min(least, 1)
		nr, dr = gdlTimes(o, nr, unit), gdlTimes(o, dr, unit)
	}
	t, num, den := dr-nr, nr, dr
	for c := range s {
		w := gdlWeight(o, s[c].R, unit, least)
		t += w * (s[c].FP + s[c].FN)
		num += w * 2 * s[c].TP
		den += w * (2*s[c].TP + s[c].FP + s[c].FN)
	}
	l := 0.0
	for c := range s {
		w := gdlWeight(o, s[c].R, unit, least)
		l = overlap(&d[c], t, num, den, 2*w, w, w)
	}
	return l
}

// gdlSide is one over the root of the weight of a class of volume r, 0 for an absent
// one; with weight_type=simple one over the weight itself. Of a small r there may be no
// square.
func gdlSide(o *Options, r float64) float64 {
	eps := 0.0
	if o.AbsentWeight == "eps" {
		eps = o.WeightEps
	}
	switch o.WeightType {
	case "uniform":
		return 1
	case "simple":
		return r + eps
	}
	if eps == 0 {
		return r
	}
	return math.Hypot(r, math.Sqrt(eps))
}

// gdlWeight is the weight of a class relative to that of a class of side unit; an absent
// one may have that of the least side there is.
func gdlWeight(o *Options, r, unit, least float64) float64 {
	side := gdlSide(o, r)
	if side == 0 {
		if o.AbsentWeight == "zero" {
			return 0
		}
		side = least
	}
	return gdlTimes(o, 1, unit/side)
}

// gdlTimes is v times the volume of a side.
func gdlTimes(o *Options, v, side float64) float64 {
	if o.WeightType == "square" {
		v *= side
	}
	return v * side
}
