package main

import (
	"math"
	"strings"
	"testing"
)

func TestCond(t *testing.T) {
	code, stdout, stderr := runCommand("cond", "-loss", "dice", "-p", "1e-3,1e-6", "-t", "0, 1e-3", "-smooth", "0,1e-5")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"\n1e-3  1e-3  0       -0.5 ", "-0.5    500        1            1\n", "1e-5    1.98 ", "sign, ×4\n", "not 0\n",
		"smooth = 1e-5: of 2 derivatives 2 have another sign and 2 another size;\n    the sign is kept nowhere, the size nowhere; where there was none, up to 8.26e4\n",
		"Largest |∂²L/∂p²|: 3.99e3 with 0, 1.5e10 with 1e-5.\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, " \n") {
		t.Error("blanks at the end of a line")
	}
}

// TestCondDigits: the pixels of the table can be given to point.
func TestCondDigits(t *testing.T) {
	_, stdout, _ := runCommand("cond", "-loss", "dice", "-p", "0.123456789", "-t", "0.30000000000000004", "-smooth", "1.25e-5,0.0123456789012345")
	for _, want := range []string{"0.123456789 ", "0.30000000000000004 ", "1.25e-5 ", "0.0123456789012345 ", "from t = 0.30000000000000004"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestCondDefaults(t *testing.T) {
	for _, loss := range []string{"dice", "focal_tversky", "ss", "exp_log_dice", "dice2"} {
		code, stdout, stderr := runCommand("cond", "-loss", loss)
		if lines := strings.Count(stdout, "\n"); code != exitOK || stderr != "" || lines < 80 || lines > 110 {
			t.Errorf("%s: exit code %d, stderr %q, %d lines", loss, code, stderr, lines)
		}
		if strings.Contains(stdout, "NaN") {
			t.Errorf("%s: a NaN in\n%s", loss, stdout)
		}
	}
}

func TestCondErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"cond", "-loss must be given"},
		{"cond -loss dice(", "-loss"},
		{"cond -loss bce", "no smoothing"},
		{"cond -loss dice+iou", "2 terms"},
		{"cond -loss dice(smooth=1)", "the table varies smooth"},
		{"cond -loss ss(eps=1)", "the table varies eps"},
		{"cond -loss dice -p 1,2", "[0, 1]"},
		{"cond -loss dice -t 0,,1", "-t"},
		{"cond -loss dice -smooth -1", "0 or more"},
		{"cond dice", `"dice"`},
	} {
		code, stdout, stderr := runCommand(strings.Fields(tt.args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, exitUsage, tt.want)
		}
	}
}

func TestEffect(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		without, with float64
		want          string
	}{
		{-2, -2, ""}, {-2, -1.9, ""}, {-2, -1, "×0.5"}, {-2, 2, "sign"}, {-2, 4, "sign, ×2"}, {0, 1, "not 0"}, {0, 0, ""},
		{nan, 1, ""}, {1, nan, ""}, {inf, 1, ""}, {1, 0, "×0"},
	} {
		if got := effectOf(tt.without, tt.with).String(); got != tt.want {
			t.Errorf("%g to %g: %q, want %q", tt.without, tt.with, got, tt.want)
		}
	}
}

// TestCondKept: the least target from which on nothing changes is that of the
// grid below which something does.
func TestCondKept(t *testing.T) {
	x := conditioning{loss: "dice"}
	x.t.v, x.t.set = []float64{1e-6, 1e-3, 1}, true
	g, err := newGrid(&x)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := g.sum(1); s.sign != 1e-3 || s.size != 1e-3 || s.added != 0 || s.all != 12 || s.reversed != 4 {
		t.Errorf("smooth = %g: %+v", g.smooth[1], s)
	}
	if s := g.sum(4); s.sign != 1 || !math.IsNaN(s.size) {
		t.Errorf("smooth = %g: %+v", g.smooth[4], s)
	}
}
