package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
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

// The C compiler that cgo has used for this test builds the example and the checks.
func TestC(t *testing.T) {
	dir := filepath.Dir(library(t))
	cc := strings.Fields(run(t, "go", "env", "CC"))
	for source, want := range map[string]string{
		"example/example.c": "loss 0.1012, gradient of the lesion's logit -0.0410\n",
		"testdata/check.c":  "",
	} {
		program := filepath.Join(dir, filepath.Base(source)+".out")
		run(t, cc[0], append(cc[1:], "-std=c99", "-Wall", "-Wextra", "-Werror", source, "-o", program, "-L"+dir, "-lsegloss", "-lm", "-Wl,-rpath,"+dir)...)
		if got := run(t, program); got != want {
			t.Errorf("%s prints %q, want %q", source, got, want)
		}
	}
}

func TestPython(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import torch").CombinedOutput(); err != nil {
		t.Skipf("no python3 with torch: %v: %s", err, out)
	}
	t.Setenv("SEGLOSS_LIB", library(t))
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	run(t, "python3", "python/check.py")
	t.Log(run(t, "python3", "python/example.py"))
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
