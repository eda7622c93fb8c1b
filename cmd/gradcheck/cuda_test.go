package main

import (
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels/cuda"
)

// TestCUDA checks the kernels of package cuda where they are interpreted, which they can
// be on every machine.
func TestCUDA(t *testing.T) {
	t.Setenv(cuda.Env, "sim")
	code, stdout, stderr := runCommand("check", "-backend", "cuda", "-loss", "dice_ce", "-activation", "softmax", "-v")
	if code != exitOK || !strings.Contains(stdout, "cuda") || !strings.Contains(stdout, "\nPASS: ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := runCommand("list"); code != exitOK || !strings.Contains(stdout, "cuda      available") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

// TestCUDANotThere: without a driver nothing is checked in its place.
func TestCUDANotThere(t *testing.T) {
	t.Setenv(cuda.Env, "/nowhere/libcuda.so")
	for _, command := range [][]string{{"-backend", "cuda"}, {"check", "-backend", "cuda", "-loss", "dice"}} {
		code, stdout, stderr := runCommand(command...)
		if code != exitBackend || stdout != "" || !strings.Contains(stderr, "no CUDA driver") {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
	}
}
