package main

import (
	"strings"
	"testing"
)

func TestCoverage(t *testing.T) {
	code, out, stderr := runCommand("coverage", "-n", "260", "-seed", "2")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr %q, %s", code, stderr, out)
	}
	if !strings.Contains(out, "focal_tversky") || !strings.Contains(out, "260 derivatives") {
		t.Error(out)
	}
	if code, _, stderr := runCommand("coverage", "-n", "0"); code != exitUsage || !strings.Contains(stderr, "-n") {
		t.Errorf("-n 0: exit code %d, stderr %q", code, stderr)
	}
}
