package exact

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/segloss/segloss/ref"
)

// one returns the only term of an expression.
func one(tb testing.TB, expression string) Term {
	tb.Helper()
	ts := terms(tb, expression)
	if len(ts) != 1 {
		tb.Fatalf("%s has %d terms", expression, len(ts))
	}
	return ts[0]
}

// TestAtClosedForms holds single pixels to derivatives in closed form.
func TestAtClosedForms(t *testing.T) {
	type form struct {
		expression string
		dp, dpp    func(p, t float64) float64
	}
	for _, f := range []form{
		{"dice(smooth=0)",
			func(p, t float64) float64 { return -2 * t * t / ((p + t) * (p + t)) },
			func(p, t float64) float64 { return 4 * t * t / math.Pow(p+t, 3) }},
		{"dice(squared=true,smooth=0)",
			func(p, t float64) float64 { return -2 * t * (t*t - p*p) / math.Pow(p*p+t*t, 2) },
			func(p, t float64) float64 { return 4 * p * t * (3*t*t - p*p) / math.Pow(p*p+t*t, 3) }},
		{"iou(smooth=0)", // I = pt, I + FP + FN = p + t − pt
			func(p, t float64) float64 { return -t * t / math.Pow(p+t-p*t, 2) },
			func(p, t float64) float64 { return 2 * t * t * (1 - t) / math.Pow(p+t-p*t, 3) }},
		{"exp_log_dice(gamma=1,smooth=0)", // ln(p+t) − ln(2pt)
			func(p, t float64) float64 { return 1/(p+t) - 1/p },
			func(p, t float64) float64 { return 1/(p*p) - 1/((p+t)*(p+t)) }},
		{"bce",
			func(p, t float64) float64 { return -t/p + (1-t)/(1-p) },
			func(p, t float64) float64 { return t/(p*p) + (1-t)/((1-p)*(1-p)) }},
	} {
		for _, p := range []float64{1e-6, 0.03, 0.5, 0.875} {
			for _, target := range []float64{1e-6, 0.25, 0.75, 1} {
				px, _, err := At(one(t, f.expression), p, target)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range []struct {
					what      string
					got, want float64
				}{{"∂L/∂p", px.DP, f.dp(p, target)}, {"∂²L/∂p²", px.DPP, f.dpp(p, target)}} {
					if !(math.Abs(d.got-d.want) <= 1e-9*math.Abs(d.want)+1e-12) {
						t.Errorf("%s at (%v, %v): %s = %v; want %v", f.expression, p, target, d.what, d.got, d.want)
					}
				}
			}
		}
	}
}

// The Dice gradient that is often said to explode is −½ where p = t.
func TestAtDice(t *testing.T) {
	px, o, err := At(one(t, "dice(smooth=0)"), 1e-6, 1e-6)
	if err != nil {
		t.Fatal(err)
	}
	if px.DP != -0.5 || o != Rational {
		t.Errorf("∂L/∂p = %v by %s; want -0.5 by rational", px.DP, o)
	}
	if px.DPP != 500000 || px.Loss != 1-1e-6 {
		t.Errorf("∂²L/∂p² = %v, L = %v; want 500000 and 0.999999", px.DPP, px.Loss)
	}
}

// TestAtDifferences holds every derivative of every loss to differences of the
// one before.
func TestAtDifferences(t *testing.T) {
	const p, target, h = 0.3125, 0.6875, 0x1p-13
	for _, e := range expressions(1) {
		ts := terms(t, e)
		if len(ts) > 1 {
			continue
		}
		at := func(p, target float64) Pixel {
			px, _, err := At(ts[0], p, target)
			if err != nil {
				t.Errorf("%s: %v", e, err)
			}
			return px
		}
		px := at(p, target)
		up, down, right, left := at(p+h, target), at(p-h, target), at(p, target+h), at(p, target-h)
		for _, d := range []struct {
			what                      string
			derivative, after, before float64
		}{
			{"∂L/∂p", px.DP, up.Loss, down.Loss},
			{"∂²L/∂p²", px.DPP, up.DP, down.DP},
			{"∂L/∂t", px.DT, right.Loss, left.Loss},
			{"∂²L/∂p∂t", px.DPT, right.DP, left.DP},
		} {
			if ts[0].Options.Detach && d.what == "∂L/∂p" {
				continue // not the derivative of its value
			}
			if want := (d.after - d.before) / (2 * h); !(math.Abs(d.derivative-want) <= 1e-6*(1+math.Abs(want))) {
				t.Errorf("%s: %s = %v; want %v", e, d.what, d.derivative, want)
			}
		}
	}
}

func TestAtErrors(t *testing.T) {
	for _, c := range []struct {
		term Term
		p, t float64
		want error
	}{
		{one(t, "dice"), math.NaN(), 0, ErrInput},
		{one(t, "dice"), 0, math.Inf(1), ErrInput},
		{one(t, "ce"), 0.5, 1, ErrInput},
		{Term{1, "dyce", ref.Options{}}, 0.5, 1, ErrInput},
		{one(t, "dice(smooth_dr=0)"), 0, 0, ErrUnjudged},
		{one(t, "exp_log_dice(smooth=0)"), 0, 1, ErrUnjudged},
		{one(t, "focal_tversky(gamma=1.5,smooth=0)"), 1, 1, ErrUnjudged}, // u^1.5 has no second derivative at 0
	} {
		if _, _, err := At(c.term, c.p, c.t); !errors.Is(err, c.want) {
			t.Errorf("At(%s, %v, %v): error %v; want %v", c.term.Name, c.p, c.t, err, c.want)
		}
	}
}

func ExampleAt() {
	dice := Term{Coef: 1, Name: "dice", Options: ref.Options{Reduction: "mean", Background: true, Absent: "keep"}}
	px, oracle, err := At(dice, 1e-6, 1e-6)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: slope %v, curvature %v\n", oracle, px.DP, px.DPP)
	// Output: rational: slope -0.5, curvature 500000
}
