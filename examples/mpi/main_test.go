package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func run(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines
}

// Four processes, and as many that some have nothing, print what one prints: losses
// to 17 digits and hashes of gradients.
func TestProcesses(t *testing.T) {
	if _, err := exec.LookPath("mpirun"); err != nil {
		t.Skipf("no MPI: %v", err)
	}
	if out, err := exec.Command("pkg-config", "--exists", "ompi-c").CombinedOutput(); err != nil {
		t.Skipf("no headers of Open MPI for pkg-config: %v %s", err, out)
	}
	if run(t, "go", "env", "CGO_ENABLED")[0] != "1" {
		t.Skip("calls of MPI need cgo and a C compiler")
	}
	program := filepath.Join(t.TempDir(), "mpi.out")
	run(t, "go", "build", "-o", program, ".")
	want := run(t, program, "-hashes")
	if len(want) != (samples+1)*len(expressions()) {
		t.Fatalf("one process prints %d lines, want %d", len(want), (samples+1)*len(expressions()))
	}
	run(t, "go", "build", "-tags", "mpi", "-o", program, ".")
	for _, np := range []string{"1", "4", "8"} {
		got := run(t, "mpirun", "--allow-run-as-root", "--oversubscribe", "-np", np, program, "-hashes")
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
