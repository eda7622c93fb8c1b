package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/segloss/segloss/gradcheck"
)

func TestCheck(t *testing.T) {
	args := strings.Fields("check -loss focal_tversky(gamma=0.5) -activation softmax -backend generic -dtype f32")
	code, stdout, stderr := runCommand(args...)
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "focal_tversky") {
		t.Errorf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	code, verbose, _ := runCommand(append(args, "-v")...)
	if code != exitOK || strings.Count(verbose, "generic") <= strings.Count(stdout, "generic") {
		t.Errorf("-v: exit code %d, stdout:\n%s", code, verbose)
	}
}

func TestCheckTensors(t *testing.T) {
	tensors := small(t)[2:] // without -loss
	weights := writeTensor(t, "weights.npy", "|b1", "(1, 3)", []uint8{1, 0, 1})
	dense := writeTensor(t, "dense.npy", "<f8", "(1, 2, 3)", []float64{1, 0.25, 0, 0, 0.75, 1})
	for _, more := range [][]string{
		{"-loss", "dice_ce"},
		{"-loss", "dice", "-ignore-index", "0", "-dtype", "f64"},
		{"-loss", "tversky", "-weights", weights, "-backend", "generic"},
		{"-loss", "ce", "-target", dense},
		{"-dtype", "f64"}, // every loss
	} {
		code, stdout, stderr := runCommand(append(append([]string{"check", "-v"}, tensors...), more...)...)
		if code != exitOK || stderr != "" || !strings.Contains(stdout, "PASS") {
			t.Errorf("%q: exit code %d, stderr %q, stdout:\n%s", more, code, stderr, stdout)
		}
	}
}

func TestCheckErrors(t *testing.T) {
	tensors := small(t)[2:]
	bad := writeTensor(t, "bad.npy", "|u1", "(1, 3)", []uint8{0, 7, 0})
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-backend", "abacus"}, exitBackend, "abacus"},
		{[]string{"-loss", "dice", "-backend", "abacus"}, exitBackend, "abacus"},
		{append([]string{"-loss", "dice", "-backend", "abacus"}, tensors...), exitBackend, "abacus"},
		{[]string{"-loss", "dice", "-clip", "1e-5"}, exitUsage, "-pred and -target"},
		{[]string{"-loss", "dice", "-weights", bad}, exitUsage, "-pred and -target"},
		{append([]string{"-loss", "dice"}, append(tensors, "-target", bad)...), exitUsage, "element [0 1] is 7"},
		{append([]string{"-loss", "dice(weight=[1,2,3])"}, tensors...), exitUsage, "weight"},
	} {
		code, stdout, stderr := runCommand(append([]string{"check"}, tt.args...)...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, tt.code, tt.want)
		}
	}
	t.Setenv("SEGLOSS_BACKEND", "abacus")
	if code, stdout, stderr := runCommand(); code != exitBackend || stdout != "" || !strings.Contains(stderr, "abacus") {
		t.Errorf("SEGLOSS_BACKEND=abacus: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// TestCheckInterrupted: what was done is reported, and the exit code is not 0.
func TestCheckInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{}, {"check", "-loss", "dice"}, append([]string{"check", "-loss", "dice"}, small(t)[2:]...)} {
		var stdout, stderr bytes.Buffer
		code := run(ctx, args, &stdout, &stderr)
		if code != exitInconclusive || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, &stdout, &stderr)
		}
	}
}

// TestCheckEdges: the flag -edge given twice asks for both kinds of input.
func TestCheckEdges(t *testing.T) {
	code, stdout, stderr := runCommand("check", "-loss", "dice", "-v", "-dtype", "f64", "-backend", "generic", "-target", "uint8", "-edge", "tiny", "-edge", "one position")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "  tiny  ") || !strings.Contains(stdout, "  one position  ") {
		t.Errorf("exit code %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
}

// TestFull: a run over every loss says what it leaves out, and with -full, or where an
// input is named, it leaves out nothing.
func TestFull(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for args, thinned := range map[string]bool{
		"": true, "-full": false, "check": true, "check -full": false, "-edge tiny": false, "-target uint8": false, "-backend generic": true,
		"check -loss dice": false, "check -activation softmax": true, "check -full=false": true,
	} {
		var text, lines, stderr bytes.Buffer
		run(ctx, strings.Fields(args), &text, &stderr)
		run(ctx, append(strings.Fields(args), "-json"), &lines, &stderr)
		if said := strings.Contains(text.String(), "\nThinned: "); said != thinned {
			t.Errorf("gradcheck %s: %v that it is thinned\n%s", args, said, &text)
		}
		if said := strings.Contains(lines.String(), `"thinned":{`); said != thinned {
			t.Errorf("gradcheck %s -json: %v that it is thinned\n%s", args, said, &lines)
		}
	}
}

func TestReportCodes(t *testing.T) {
	row := func(v gradcheck.Verdict) gradcheck.Row {
		return gradcheck.Row{Group: "dice", Loss: "dice", Activation: "none", Backend: "generic", DType: "f64", Verdict: v, Reason: "why " + v.String()}
	}
	for _, tt := range []struct {
		rows []gradcheck.Row
		want int
	}{
		{[]gradcheck.Row{row(gradcheck.Pass)}, exitOK},
		{[]gradcheck.Row{row(gradcheck.Pass), row(gradcheck.Inconclusive)}, exitInconclusive},
		{[]gradcheck.Row{row(gradcheck.Fail), row(gradcheck.Inconclusive), row(gradcheck.Pass)}, exitFailed},
		{nil, exitInconclusive},
	} {
		var b bytes.Buffer
		c := checking{verbose: true}
		code, err := c.report(gradcheck.Report{Rows: tt.rows}, &b, nil)
		if code != tt.want || err != nil {
			t.Errorf("%d rows: exit code %d, %v; want %d", len(tt.rows), code, err, tt.want)
		}
		for _, r := range tt.rows {
			if !strings.Contains(b.String(), r.Reason) {
				t.Errorf("no %q in\n%s", r.Reason, &b)
			}
		}
	}
}
