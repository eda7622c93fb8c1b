package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/exact"
)

// TestFormulas holds the closed forms against the exact derivative at random
// pixels, with no constant, one and two.
func TestFormulas(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, loss := range []string{"dice", "-2*dice(squared=true)", "iou", "tversky(alpha=0.2)", "focal_tversky(gamma=1.5)", "0.5*focal_tversky", "exp_log_dice(gamma=2)", "exp_log_dice"} {
		for _, constants := range []string{"smooth=0", "smooth=0.125", "smooth_nr=1e-3, smooth_dr=0.01"} {
			expr := loss + "(" + constants + ")"
			if head, ok := strings.CutSuffix(loss, ")"); ok {
				expr = head + ", " + constants + ")"
			}
			x, err := newPixel(expr, optional[float64]{})
			if err != nil {
				t.Fatal(err)
			}
			f, ok := formulaOf(x.term)
			if !ok {
				t.Fatalf("%s has no formula", x.loss)
			}
			for range 20 {
				p, r := math.Pow(10, -6*rng.Float64()), math.Pow(10, -6*rng.Float64())
				want, _, err := exact.At(x.exact, p, r)
				if err != nil {
					t.Fatal(err)
				}
				scale := math.Abs(want.DP) + math.Abs(x.term.Coef)/(p+r)*math.Max(p, r)
				if got := f.value(p, r); math.Abs(got-want.DP) > 1e-10*scale {
					t.Errorf("%s at p = %g, t = %g: %g by the formula, exactly %g", x.loss, p, r, got, want.DP)
				}
			}
		}
	}
}

func TestFormulaText(t *testing.T) {
	for expr, want := range map[string]string{
		"dice(smooth=0)":                  "−2t²/(p+t)²",
		"dice":                            "−(2t² + (2t−1)s)/(p+t+s)²  (s = 1e-5)",
		"dice(smooth_nr=0)":               "−(2t(t+s_dr) − s_nr)/(p+t+s_dr)²  (s_nr = 0, s_dr = 1e-5)",
		"dice(squared=true,smooth=0)":     "−2t(t²−p²)/(p²+t²)²",
		"0.5*iou(smooth=0)":               "0.5 · (−t²/(p+t−pt)²)",
		"tversky(smooth=0)":               "−βt²/D²,  D = pt + αp(1−t) + β(1−p)t  (α = 0.3, β = 0.7)",
		"focal_tversky(smooth=0,gamma=2)": "γ(1−TI)^(γ−1) · (−βt²/D²),  D = pt + αp(1−t) + β(1−p)t  (α = 0.3, β = 0.7, γ = 2)",
		"exp_log_dice(smooth=0)":          "−γ(−ln D)^(γ−1) · t/(p(p+t)),  D = 2pt/(p+t)  (γ = 0.3)",
		"bce":                             "",
		"dice(soft=true)":                 "",
		"iou(invert_empty=true)":          "",
		"dice(weight=[2])":                "",
		"tversky(absent=skip)":            "",
	} {
		x, err := newPixel(expr, optional[float64]{})
		if err != nil {
			t.Fatal(err)
		}
		f, ok := formulaOf(x.term)
		if f.text != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", expr, f.text, ok, want)
		}
	}
}

// TestFormulaFloor: a power of a base below 1e-7 has the derivative 0.
func TestFormulaFloor(t *testing.T) {
	x, err := newPixel("focal_tversky(smooth=0)", optional[float64]{})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := formulaOf(x.term)
	if got := f.value(1-1e-9, 1); got != 0 {
		t.Errorf("%g, want 0", got)
	}
}
