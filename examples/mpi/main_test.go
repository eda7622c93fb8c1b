package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// try runs a program and returns what it prints and, where it fails, what else it says.
func try(name string, args ...string) (out, said string, err error) {
	b, err := exec.Command(name, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		said = string(exit.Stderr)
	}
	return string(b), said, err
}

// run returns the lines that a program prints, sorted.
func run(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, said, err := try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(lines)
	return lines
}

// build builds the example with tags, such as none.
func build(t *testing.T, tags string) (program string) {
	t.Helper()
	for _, file := range []string{"mpi.go", "nocgo.go"} { // go test's cache has to know of them
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(t.TempDir(), "mpi.out")
	run(t, "go", "build", "-tags", tags, "-o", program, ".")
	return program
}

// mpirun is a command of Open MPI for more processes than there are cores.
func mpirun(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("mpirun"); err != nil {
		t.Skipf("no MPI: %v", err)
	}
	if _, said, err := try("pkg-config", "--exists", "ompi-c"); err != nil {
		t.Skipf("no headers of Open MPI for pkg-config: %v %s", err, said)
	}
	if run(t, "go", "env", "CGO_ENABLED")[0] != "1" {
		t.Skip("calls of MPI need cgo and a C compiler")
	}
	return []string{"--allow-run-as-root", "--oversubscribe"}
}

// Four processes, and as many that some have nothing, print what one prints in every
// step: losses to 17 digits and hashes of gradients.
func TestProcesses(t *testing.T) {
	options := mpirun(t)
	want := run(t, build(t, ""), "-hashes")
	if lines := steps * (samples + 1) * len(expressions()); len(want) != lines {
		t.Fatalf("one process prints %d lines, want %d", len(want), lines)
	}
	program := build(t, "mpi")
	for _, np := range []string{"1", "4", "8"} {
		got := run(t, "mpirun", append(options, "-np", np, program, "-hashes")...)
		if i := slices.Compare(got, want); i != 0 {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("%s processes print %q, one prints %q", np, got[i], want[i])
				}
			}
			t.Errorf("%s processes print %d lines, one %d", np, len(got), len(want))
		}
	}
}

// A process that fails ends those that wait for its sums, also where mpirun would not.
func TestAbort(t *testing.T) {
	options := append(mpirun(t), "--mca", "orte_abort_on_non_zero_status", "0", "--timeout", "20")
	program := build(t, "mpi")
	_, said, err := try("mpirun", append(options, "-np", "1", program, "-loss", "dice", ":", "-np", "1", program, "-loss", "dise")...)
	if err == nil || err.Error() != "exit status 1" || !strings.Contains(said, `did you mean "dice"?`) { // 110: time is up
		t.Errorf("%v, %s", err, said)
	}
}

// Without cgo there are no calls of MPI, which the tag asks for.
func TestWithoutCgo(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	if _, said, err := try(build(t, "mpi")); err == nil || !strings.Contains(said, "without cgo") {
		t.Errorf("%v, %s", err, said)
	}
}
