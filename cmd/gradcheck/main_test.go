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
		{"eval -loss dice -dtype f16", "want f32 or f64"},
		{"eval -loss dice -backend=", "want a name"},
		{"eval -loss dice -ignore-index x", "-ignore-index"},
		{"eval -loss dice -clip x", "-clip"},
		{"eval -loss dicee -pred a.npy -target a.npy", "dice"},
		{"eval -loss dice -pred missing.npy -target missing.npy", "-pred open missing.npy"},
		{"check -loss dice( -dtype f64", "-loss"},
		{"check -pred missing.npy", "-pred and -target"},
		{"check -pred missing.npy -target missing.npy", "-pred open missing.npy"},
		{"check -dtype f16", "want f32 or f64"},
		{"list -xml", "-xml"},
		{"list dice", `"dice"`},
	} {
		code, stdout, stderr := runCommand(strings.Fields(tt.args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, exitUsage, tt.want)
		}
	}
}
