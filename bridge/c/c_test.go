package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// library builds the shared library.
func library(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the names of libraries and programs here are those of Unix")
	}
	if strings.TrimSpace(run(t, "go", "env", "CGO_ENABLED")) != "1" {
		t.Skip("a shared library needs cgo and a C compiler")
	}
	path := filepath.Join(t.TempDir(), "libsegloss.so")
	run(t, "go", "build", "-buildmode=c-shared", "-o", path, ".")
	return path
}

// run runs a command and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// source is a file that another program reads; go test's cache has to know of it.
func source(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// The C compiler that cgo has used for this test builds the example and the checks.
func TestC(t *testing.T) {
	dir := filepath.Dir(library(t))
	cc := strings.Fields(run(t, "go", "env", "CC"))
	for file, want := range map[string]string{
		"example/example.c": "loss 0.1012, gradient of the lesion's logit -0.0410\n",
		"testdata/check.c":  "",
	} {
		program := filepath.Join(dir, filepath.Base(file)+".out")
		run(t, cc[0], append(cc[1:], "-std=c99", "-Wall", "-Wextra", "-Werror", "-pthread", source(t, file), "-o", program,
			"-L"+dir, "-lsegloss", "-lm", "-Wl,-rpath,"+dir)...)
		if got := run(t, program); got != want {
			t.Errorf("%s prints %q, want %q", file, got, want)
		}
	}
}

func TestPython(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import torch").CombinedOutput(); err != nil {
		t.Skipf("no python3 with torch: %v: %s", err, out)
	}
	t.Setenv("SEGLOSS_LIB", library(t))
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	source(t, "python/segloss.py")
	run(t, "python3", source(t, "python/check.py"))
	t.Log(run(t, "python3", source(t, "python/example.py")))
}

// A message for C must not outlive its error's kind: every status has one in segloss.h.
func TestStatuses(t *testing.T) {
	header, err := os.ReadFile("segloss.h")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(header), "\tSEGLOSS_ERROR_"), len(statuses)+1; got != want {
		t.Errorf("segloss.h has %d kinds of error, the library %d", got, want)
	}
}

// The sums may be larger than the memory that is left: their size is computed.
func TestSumsSize(t *testing.T) {
	p, err := newPlan[float32]("dice + ce", kernels.Spec{N: 1, C: 3, S: 4, Activation: kernels.Softmax}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { p.sumsSize(1 << 20) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	typed := p.(*typed[float32])
	for _, rows := range []int{-1, 0, 1, 7, math.MaxInt32/typed.stride + 1} {
		if got, want := p.sumsSize(int64(rows)), len(typed.NewSums(rows).Data()); got != want {
			t.Errorf("%d rows have %d numbers, want %d", rows, got, want)
		}
	}
}
