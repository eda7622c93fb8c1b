package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
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
		"help point", "help cond", "help help", "help -h", "help plot", "plot -h", "plot vcurve -h"} {
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
		{"eval -loss= -pred a.npy -target a.npy", "-loss is given, but empty"},
		{"eval -loss dice -weights= -pred a.npy -target a.npy", "-weights is given, but empty"},
		{"eval -loss dice -grad= -pred a.npy -target a.npy", "-grad is given, but empty"},
		{"check -loss=", "-loss is given, but empty"},
		{"-target=", "-target is given, but empty"},
		{"check -edge=", `-edge ""`},
		{"eval -activation= -loss dice", "-activation"},
		{"point -loss dice -p half -t 1", `"half": want a number in [0, 1]`},
		{"point -loss dice -p 1e-400 -t 1", `"1e-400": want a number in [0, 1]`},
		{"cond -loss dice -p 0.5,,1", `"": want a number in [0, 1]`},
		{"cond -loss dice -smooth -1", `"-1": want a finite number, 0 or more`},
		{"eval -loss dice -clip 0.7", `"0.7": want a number in (0, 0.5)`},
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

// TestInterruptedAnywhere: what can take long looks at the context.
func TestInterruptedAnywhere(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range []string{"", "-selftest", "check -loss dice", "cond -loss dice", "coverage -n 1000"} {
		var out, err bytes.Buffer
		if code := run(ctx, strings.Fields(args), &out, &err); code != exitInconclusive || !strings.Contains(err.String(), "interrupted") {
			t.Errorf("%s: exit code %d, stderr %q", args, code, &err)
		}
	}
}

// broken is an output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestOutputErrors: output that cannot be written is no success.
func TestOutputErrors(t *testing.T) {
	for _, args := range [][]string{
		{"help"}, {"eval", "-h"}, {"list"}, {"list", "-json"}, append([]string{"eval"}, small(t)...), append([]string{"eval", "-json"}, small(t)...),
		append([]string{"check", "-backend", "generic"}, small(t)...), {"point", "-loss", "dice", "-p", "0.5", "-t", "1"},
		{"cond", "-loss", "dice", "-p", "0.5"}, {"coverage", "-n", "100"}, {"plot", "vcurve", "-o", filepath.Join(t.TempDir(), "v.svg")},
	} {
		var err bytes.Buffer
		if code := run(context.Background(), args, broken{}, &err); code != exitUsage || !strings.Contains(err.String(), "no space left") {
			t.Errorf("%q: exit code %d, stderr %q", args, code, &err)
		}
	}
}
