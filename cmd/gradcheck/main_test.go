package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// runCommand runs the program in this process.
func runCommand(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "-h", "--help", "help check", "check -h", "help eval", "eval -h", "help list", "list --help",
		"help point", "help cond", "help plot", "plot -h", "plot vcurve -h"} {
		code, stdout, stderr := runCommand(strings.Fields(args)...)
		if code != exitOK || !strings.Contains(stdout, "gradcheck") || !strings.Contains(stdout, "Flags:") || stderr != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"evaluate", `unknown command "evaluate"`},
		{"help nothing", `unknown command "nothing"`},
		{"-x", "-x"},
		{"-v extra", `"extra"`},
		{"list -json extra", `"extra"`},
		{"eval -x", "-x"},
		{"eval dice", `"dice"`},
		{"eval", "-loss must be given"},
		{"eval -loss dice", "-pred and -target"},
		{"eval -loss dice -pred a.npy", "-pred and -target"},
		{"eval -loss dice -layout nhwc", "-layout"},
		{"eval -loss dice -activation relu", "-activation"},
		{"eval -loss dice -dtype f16", "want one of f64, f32"},
		{"eval -loss dice -backend=", "want a name"},
		{"eval -loss dice -ignore-index x", "-ignore-index"},
		{"eval -loss dice -clip x", "-clip"},
		{"eval -loss dicee -pred a.npy -target a.npy", "dice"},
		{"eval -loss dice -pred missing.npy -target missing.npy", "-pred open missing.npy"},
		{"check -loss dice( -dtype f64", "-loss"},
		{"check -pred missing.npy", "-pred and -target"},
		{"check -pred missing.npy -target missing.npy", "-pred open missing.npy"},
		{"check -dtype f16", "want one of f64, f32"},
		{"list -xml", "-xml"},
		{"list dice", `"dice"`},
	} {
		code, stdout, stderr := runCommand(strings.Fields(tt.args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, exitUsage, tt.want)
		}
	}
}

// TestNearest: a mistyped name of a fixed set is answered by the nearest and by all.
func TestNearest(t *testing.T) {
	t.Setenv("SEGLOSS_BACKEND", "")
	tensors := strings.Join(small(t), "|")
	for _, tt := range []struct {
		args, near string
		allowed    []string
	}{
		{"evaal", `"eval"`, []string{"check", "list", "point", "cond", "plot", "coverage", "help"}},
		{"help|evl", `"eval"`, []string{"check", "coverage"}},
		{"check|-edge|singel", `"single pixel"`, []string{"ordinary", `"brain with lesion"`}},
		{"-edge|brian", `"brain"`, []string{"ordinary", `"brain with lesion"`}},
		{"check|-target|unit8", `"uint8"`, []string{"dense", `"int64, ignore"`}},
		{"check|-loss|dice|-backend|genric", `"generic"`, []string{"avx2", "avx512", "cuda"}},
		{"-backend|avx22", `"avx2"`, []string{"generic", "avx512", "cuda"}},
		{"eval|" + tensors + "|-backend|genric", `"generic"`, []string{"avx2", "avx512", "cuda"}},
		{"eval|-activation|sofmax", `"softmax"`, []string{"none", "sigmoid"}},
		{"check|-activation|sigmiod", `"sigmoid"`, []string{"none", "softmax"}},
		{"check|-layout|nsx", `"nsc"`, []string{"ncs"}},
		{"check|-dtype|f31", `"f32"`, []string{"f64"}},
		{"eval|-los|dice", `"-loss"`, []string{"-activation", "-grad", "-workers"}},
		{"check|-ignore|0", `"-ignore-index"`, []string{"-edge", "-seed", "-json"}},
		{"plot|vcurv", `"vcurve"`, []string{"heatmap", "taylor", "ulp"}},
	} {
		code, stdout, stderr := runCommand(strings.FieldsFunc(tt.args, func(r rune) bool { return r == '|' })...)
		if (code != exitUsage && code != exitBackend) || stdout != "" || !strings.Contains(stderr, "did you mean "+tt.near) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want the nearest, %s", tt.args, code, stdout, stderr, tt.near)
		}
		for _, name := range tt.allowed {
			if _, list, _ := strings.Cut(stderr, "want one of "); !strings.Contains(list, name) {
				t.Errorf("%s: %s is not among the allowed in %q", tt.args, name, stderr)
			}
		}
	}
}

// TestExitCodesDocumented: the help says what go run makes of them.
func TestExitCodesDocumented(t *testing.T) {
	_, stdout, _ := runCommand("help")
	if !strings.Contains(stdout, "go run") || !strings.Contains(stdout, "go build") {
		t.Errorf("no word about go run in\n%s", stdout)
	}
}
