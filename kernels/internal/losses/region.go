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
			d.SQR, d.SQB = o.Lambda*dSens, (1-o.Lambda)*dSpec
			return o.Lambda*sens + (1-o.Lambda)*spec
		},
	},
	{
		Name: "gdl", Kind: RegionKind,
		Formula: "1 − (2 Σ w_c I_c + s_nr)/(Σ w_c (2I_c+FP_c+FN_c) + s_dr) over the classes of a sample",
		Source:  "Crum 2006, Sudre 2017",
		Options: append(append([]Setting{{optBatch, false}, {optBackground, true}, {optReduction, "mean"}}, smoothOptions(1e-5)...),
			Setting{optWeightType, "square"}, Setting{optAbsentW, "max"}, Setting{optWeightEps, 1e-6}),
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

// overlap finishes a loss t/den = 1 − num/den, given both t and num so that
// nothing cancels. den grows with TP by byTP, and with FP and FN by fp and fn,
// as t does; t does not depend on TP.
func overlap(d *Cell, t, num, den, byTP, fp, fn float64) float64 {
	if t == 0 && den == 0 {
		return 0
	}
	l := t / den
	d.TP = -byTP * l / den
	d.FP = fp * (num / den) / den
	d.FN = fn * (num / den) / den
	return l
}

func dice(o *Options, s, d *Cell) float64 {
	if o.Squared {
		t, den := s.SQR+s.SQB+(o.SmoothDR-o.SmoothNR), s.PP+s.RR+o.SmoothDR
		l, dt := quotient(t, den)
		d.SQR, d.SQB = dt, dt
		d.PP = -l * dt
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

func tversky(o *Options, s, d *Cell) float64 {
	e := o.Alpha*s.FP + o.Beta*s.FN
	return overlap(d, e+(o.SmoothDR-o.SmoothNR), s.TP+o.SmoothNR, s.TP+e+o.SmoothDR, 1, o.Alpha, o.Beta)
}

// dice2 is ½(FP+FN−ε)(1/A + 1/B) with A = 2I+FP+FN+ε and B = 2TN+FP+FN+ε.
func dice2(o *Options, s, d *Cell) float64 {
	e := s.FP + s.FN
	t := (e - o.Eps) / 2
	a, b := 2*s.TP+e+o.Eps, 2*s.TN+e+o.Eps
	la, da := quotient(t, a)
	lb, db := quotient(t, b)
	d.TP, d.TN = -2*la*da, -2*lb*db
	d.FP = (s.TP+o.Eps)*da*da + (s.TN+o.Eps)*db*db
	d.FN = d.FP
	return la + lb
}

// expLogDice is u^γ with u = −ln D = ln(1 + t/num), t = FP+FN+(s_dr−s_nr).
func expLogDice(o *Options, s, d *Cell) float64 {
	e := s.FP + s.FN
	t, num, den := e+(o.SmoothDR-o.SmoothNR), 2*s.TP+o.SmoothNR, 2*s.TP+e+o.SmoothDR
	ratio, _ := quotient(t, num)
	if t != 0 || num != 0 {
		d.TP = -2 * ratio / den
		d.FP, d.FN = 1/den, 1/den
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
	d.TP, d.FP, d.FN, d.TN = by*d.TP, by*d.FP, by*d.FN, by*d.TN
	return math.Pow(u, gamma)
}

func generalizedDice(o *Options, s, d []Cell) float64 {
	if !o.Background {
		s, d = s[1:], d[1:]
	}
	largest := 0.0
	for c := range s {
		largest = max(largest, gdlWeight(o, s[c].R, 0))
	}
	if largest == 0 {
		largest = 1
	}
	absent := largest
	if o.AbsentWeight == "zero" {
		absent = 0
	}
	t, num, den := o.SmoothDR-o.SmoothNR, o.SmoothNR, o.SmoothDR
	for c := range s {
		w := gdlWeight(o, s[c].R, absent) / largest
		t += w * (s[c].FP + s[c].FN)
		num += w * 2 * s[c].TP
		den += w * (2*s[c].TP + s[c].FP + s[c].FN)
	}
	var sum Cell
	l := overlap(&sum, t, num, den, 2, 1, 1)
	for c := range s {
		w := gdlWeight(o, s[c].R, absent) / largest
		d[c].TP, d[c].FP, d[c].FN = w*sum.TP, w*sum.FP, w*sum.FN
	}
	return l
}

// gdlWeight is the weight of a class before the division by the largest. A
// class whose weight would be infinite is an absent one.
func gdlWeight(o *Options, r, absent float64) float64 {
	switch {
	case o.WeightType == "uniform":
		return 1
	case o.WeightType == "square":
		r *= r
	}
	if o.AbsentWeight == "eps" {
		r += o.WeightEps
	}
	if w := 1 / r; !math.IsInf(w, 1) {
		return w
	}
	return absent
}
