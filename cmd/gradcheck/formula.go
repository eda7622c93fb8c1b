package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// A formula is the derivative of a loss of one pixel in closed form.
type formula struct {
	text  string
	value func(p, t float64) float64
}

// formulaOf returns the derivative of a term in closed form. There is none
// where the options make another function of it.
func formulaOf(term kernels.Term) (formula, bool) {
	o := numbersOf(term)
	if o.soft || term.Options["weight"] != nil || term.Options["absent"] == "skip" || term.Options["invert_empty"] == true {
		return formula{}, false
	}
	var f formula
	switch term.Name {
	case "dice":
		f = o.dice()
		if term.Options["squared"] == true {
			f = o.squaredDice()
		}
	case "iou":
		f = o.iou()
	case "tversky":
		f = o.tversky()
	case "focal_tversky":
		f = o.focalTversky()
	case "exp_log_dice":
		f = o.expLogDice()
	default:
		return formula{}, false
	}
	return o.times(f), true
}

// numbers are the options of a term that its formula is made of.
type numbers struct {
	coef, nr, dr, alpha, beta, gamma float64
	soft                             bool
}

func numbersOf(term kernels.Term) numbers {
	number := func(name string) float64 {
		v, _ := term.Options[name].(float64) // 0 where the loss has no such option
		return v
	}
	return numbers{
		coef: term.Coef, nr: number("smooth_nr"), dr: number("smooth_dr"),
		alpha: number("alpha"), beta: number("beta"), gamma: number("gamma"), soft: term.Options["soft"] == true,
	}
}

// pick chooses the text for no smoothing, for one constant s, and for two.
func (o numbers) pick(without, one, two string) string {
	switch {
	case o.nr == 0 && o.dr == 0:
		return without
	case o.nr == o.dr:
		return one
	}
	return two
}

func (o numbers) dice() formula {
	return formula{
		o.pick("−2t²/(p+t)²", "−(2t² + (2t−1)s)/(p+t+s)²", "−(2t(t+s_dr) − s_nr)/(p+t+s_dr)²"),
		func(p, t float64) float64 {
			d := p + t + o.dr
			return -(2*t*(t+o.dr) - o.nr) / (d * d)
		},
	}
}

func (o numbers) squaredDice() formula {
	return formula{
		o.pick("−2t(t²−p²)/(p²+t²)²", "−2(t(t²−p²+s) − ps)/(p²+t²+s)²", "−2(t(t²−p²+s_dr) − p·s_nr)/(p²+t²+s_dr)²"),
		func(p, t float64) float64 {
			d := p*p + t*t + o.dr
			return -2 * (t*((t-p)*(t+p)+o.dr) - p*o.nr) / (d * d)
		},
	}
}

func (o numbers) iou() formula {
	return formula{
		o.pick("−t²/(p+t−pt)²", "−(t² + (2t−1)s)/(p+t−pt+s)²", "−(t² + t·s_dr − (1−t)s_nr)/(p+t−pt+s_dr)²"),
		func(p, t float64) float64 {
			d := p + t - p*t + o.dr
			return -(t*t + t*o.dr - (1-t)*o.nr) / (d * d)
		},
	}
}

func (o numbers) tversky() formula {
	return formula{
		o.pick("−βt²/D²,  D = pt + αp(1−t) + β(1−p)t",
			"−(βt² + (βt − α(1−t))s)/D²,  D = pt + αp(1−t) + β(1−p)t + s",
			"−(βt² + t·s_dr − (t + α(1−t) − βt)s_nr)/D²,  D = pt + αp(1−t) + β(1−p)t + s_dr"),
		func(p, t float64) float64 {
			d := o.denominator(p, t)
			return -(o.beta*t*t + t*o.dr - (t+o.alpha*(1-t)-o.beta*t)*o.nr) / (d * d)
		},
	}
}

func (o numbers) denominator(p, t float64) float64 {
	return p*t + o.alpha*p*(1-t) + o.beta*(1-p)*t + o.dr
}

// powerFloor is the least base of a power below 1 of a region value.
const powerFloor = 1e-7

func (o numbers) focalTversky() formula {
	inner := o.tversky()
	head, tail, _ := strings.Cut(inner.text, ",")
	return formula{
		"γ(1−TI)^(γ−1) · (" + head + ")," + tail,
		func(p, t float64) float64 {
			base := (o.alpha*p*(1-t) + o.beta*(1-p)*t + o.dr - o.nr) / o.denominator(p, t)
			return o.power(base) * inner.value(p, t)
		},
	}
}

// power returns the derivative of u^γ.
func (o numbers) power(u float64) float64 {
	if o.gamma < 1 && u < powerFloor {
		return 0
	}
	return o.gamma * math.Pow(u, o.gamma-1)
}

func (o numbers) expLogDice() formula {
	return formula{
		o.pick("−γ(−ln D)^(γ−1) · t/(p(p+t)),  D = 2pt/(p+t)",
			"−γ(−ln D)^(γ−1) · (2t² + (2t−1)s)/((p+t+s)(2pt+s)),  D = (2pt+s)/(p+t+s)",
			"−γ(−ln D)^(γ−1) · (2t(t+s_dr) − s_nr)/((p+t+s_dr)(2pt+s_nr)),  D = (2pt+s_nr)/(p+t+s_dr)"),
		func(p, t float64) float64 {
			n, d := 2*p*t+o.nr, p+t+o.dr
			return -o.power(-math.Log(n/d)) * (2*t*(t+o.dr) - o.nr) / (d * n)
		},
	}
}

// times puts the coefficient in, and what the letters stand for.
func (o numbers) times(f formula) formula {
	if o.coef != 1 {
		inner := f.value
		f.text = exactly(o.coef) + " · (" + f.text + ")"
		f.value = func(p, t float64) float64 { return o.coef * inner(p, t) }
	}
	var with []string
	for _, letter := range []struct {
		name string
		v    float64
	}{{"α", o.alpha}, {"β", o.beta}, {"γ", o.gamma}} {
		if strings.Contains(f.text, letter.name) {
			with = append(with, fmt.Sprintf("%s = %s", letter.name, exactly(letter.v)))
		}
	}
	switch {
	case strings.Contains(f.text, "s_"):
		with = append(with, "s_nr = "+exactly(o.nr), "s_dr = "+exactly(o.dr))
	case o.nr != 0:
		with = append(with, "s = "+exactly(o.nr))
	}
	if len(with) > 0 {
		f.text += "  (" + strings.Join(with, ", ") + ")"
	}
	return f
}
