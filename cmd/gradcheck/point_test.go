package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestPoint(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-loss dice -p 1e-6 -t 1e-6 -smooth 0", []string{"∂L/∂p = −2t²/(p+t)²", "closed form  -0.5 ", "exact        -0.5 ", "in fractions", "naive        -0.6666", "off by 33.3%",
			"multiplied by 1 from p and by 1 from t", "∂²L/∂p² = 500000", "width", "PASS: analytic"}},
		{"-loss dice(squared=true) -p 1e-6 -t 1e-6 -smooth 0", []string{"−2t(t²−p²)/(p²+t²)²", "exact        0 ", "has no relative error", "… "}},
		{"-loss iou -p 1e-3 -t 1", []string{"(s = 1e-6)", "PASS"}},
		{"-loss tversky(smooth=0) -p 1e-6 -t 1e-6 -smooth 1", []string{"tversky(smooth=0)", "−βt²/D²", "-0.7"}},
		{"-loss focal_tversky -p 0.999999999 -t 1 -smooth 0", []string{"in 256 bits", "PASS"}},
		{"-loss exp_log_dice -p 0.25 -t 0.5", []string{"ln D", "s = 1", "PASS"}},
		{"-loss bce -p 1e-7 -t 1", []string{"a kink: the slopes on its sides are -10000000 and 0", "PASS"}},
		{"-loss dice -p 0 -t 0", []string{"one-sided differences", "PASS"}},
		{"-loss dice -p 0 -t 0 -smooth 0", []string{"exact     0", "PASS"}},
		{"-loss wce(detach=true) -p 0.3 -t 0.25", []string{"holds the weight constant", "PASS"}},
		{"-loss gdl() -p 0.25 -t 0.5 -smooth 0.5", []string{"gdl(smooth=0.5)", "PASS"}},
	} {
		code, stdout, stderr := runCommand(append([]string{"point"}, strings.Fields(tt.args)...)...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s: exit code %d, stderr %q", tt.args, code, stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in\n%s", tt.args, want, stdout)
			}
		}
	}
}

func TestPointJSON(t *testing.T) {
	code, stdout, stderr := runCommand("point", "-loss", "dice", "-p", "1e-6", "-t", "1e-6", "-smooth", "0", "-json")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	var r struct {
		Loss, Oracle                     string
		Exact, Analytic, Estimate, Naive float64
		EstimateErr                      float64 `json:"estimate_err"`
		ConditionP                       float64 `json:"condition_p"`
		Right                            bool
		Ladder                           []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Exact != -0.5 || !r.Right || r.Oracle != "rational" || r.ConditionP != 1 || len(r.Ladder) < 4 {
		t.Errorf("%+v", r)
	}
	if math.Abs(r.Estimate+0.5) > r.EstimateErr || math.Abs(r.Naive+2.0/3) > 1e-6 || math.Abs(r.Analytic+0.5) > 1e-15 {
		t.Errorf("estimate %g ± %g, naive %g, analytic %g", r.Estimate, r.EstimateErr, r.Naive, r.Analytic)
	}
}

func TestPointErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"point", "-loss must be given"},
		{"point -loss dice", "-p and -t"},
		{"point -loss dice -p 0.5", "-p and -t"},
		{"point -loss dicee -p 0.5 -t 1", "-loss"},
		{"point -loss dice -p 1.5 -t 1", "[0, 1]"},
		{"point -loss dice -p 0.5 -t NaN", "[0, 1]"},
		{"point -loss dice -p 0.5 -t x", "-t"},
		{"point -loss dice -p 0.5 -t 1 -smooth -1", "0 or more"},
		{"point -loss dice -p 0.5 -t 1 -smooth Inf", "finite"},
		{"point -loss bce -p 0.5 -t 1 -smooth 1", "-smooth"},
		{"point -loss bce_dice -p 0.5 -t 1", "2 terms"},
		{"point -loss ce -p 0.5 -t 1", "at least 2 classes"},
		{"point -loss exp_log_dice -p 0.5 -t 0 -smooth 0", "no derivative at p = 0.5, t = 0"},
		{"point dice", `"dice"`},
	} {
		code, stdout, stderr := runCommand(strings.Fields(tt.args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, exitUsage, tt.want)
		}
	}
}

// TestPointJudge: a wrong value fails, and the bound is at least that of the
// value itself.
func TestPointJudge(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		exact, analytic, bound float64
		want                   bool
	}{
		{1, 1, 0, true}, {1, 1 + 1e-14, 0, true}, {1, 1 + 1e-12, 0, false}, {1, 1.5, 1, true}, {0, 1e-30, 1e-36, false},
		{1, math.NaN(), 1, false}, {1, inf, 1, false}, {inf, inf, 1, true}, {inf, 1, 1, false}, {math.NaN(), math.NaN(), 1, true},
	} {
		r := pointReport{Exact: jsonNumber(tt.exact), Analytic: jsonNumber(tt.analytic)}
		if r.judge(tt.bound); r.Right != tt.want {
			t.Errorf("%g for %g, bound %g: right is %v", tt.analytic, tt.exact, tt.bound, r.Right)
		}
		var b strings.Builder
		if err := r.writeText(&b); err != nil || strings.Contains(b.String(), "FAIL") == tt.want {
			t.Errorf("%v, text\n%s", err, b.String())
		}
	}
}

func TestWithOption(t *testing.T) {
	for expr, want := range map[string]string{
		"dice": "dice(smooth=0.5)", "dice()": "dice(smooth=0.5)", "dice( )": "dice(smooth=0.5 )",
		"2*dice(squared=true)": "2*dice(smooth=0.5, squared=true)", "2*(dice)": "2*(dice(smooth=0.5))",
		"1e-3*(-(2.e3*dice( )))": "1e-3*(-(2.e3*dice(smooth=0.5 )))", "(exp_log_dice(gamma=1))": "(exp_log_dice(smooth=0.5, gamma=1))",
		"(dice) ": "(dice(smooth=0.5)) ",
	} {
		if got := withOption(expr, "smooth", 0.5); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
