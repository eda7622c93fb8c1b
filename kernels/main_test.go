package kernels_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// requireEnv names backends, separated by commas, without which the tests fail:
// where an instruction set must be present, its absence is no reason to skip.
const requireEnv = "SEGLOSS_REQUIRE"

func TestMain(m *testing.M) {
	if missing := missingBackends(os.Getenv(requireEnv), kernels.Backends()); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "%s: %s\n", requireEnv, strings.Join(missing, "; "))
		os.Exit(1)
	}
	flag.Parse()
	if testing.Short() { // most tests make plans by the thousand: collecting those takes a third of the time
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}

// missingBackends says which of the required ones are not available, and why.
func missingBackends(required string, all []kernels.Backend) (missing []string) {
	why := map[string]string{}
	for _, b := range all {
		why[b.Name] = ""
		if b.Err != nil {
			why[b.Name] = b.Err.Error()
		}
	}
	for _, name := range strings.Split(required, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		switch reason, known := why[name]; {
		case !known:
			missing = append(missing, name+" is no backend")
		case reason != "":
			missing = append(missing, name+": "+reason)
		}
	}
	return missing
}

func TestMissingBackends(t *testing.T) {
	all := []kernels.Backend{{Name: "a"}, {Name: "b", Err: kernels.ErrBackend}}
	for required, want := range map[string]int{"": 0, "a": 0, "a, b": 1, "b,c": 2, "c": 1, " ,a,": 0} {
		if missing := missingBackends(required, all); len(missing) != want {
			t.Errorf("of %q there is no %q; want %d", required, missing, want)
		}
	}
}

// availableBackends lists those that can run here.
func availableBackends() (names []string) {
	for _, b := range kernels.Backends() {
		if b.Err == nil {
			names = append(names, b.Name)
		}
	}
	return names
}

// onBackends runs a test once on each of testedBackends. All its plans get that
// backend, by the environment.
func onBackends(t *testing.T, f func(t *testing.T)) {
	for _, name := range testedBackends() {
		t.Run("backend="+name, func(t *testing.T) {
			t.Setenv(kernels.BackendEnv, name)
			f(t)
		})
	}
}

// testedBackends are those that a test runs on. The race detector gets the best one
// alone: it slows the tests tenfold, and sees nothing of assembly. A short run leaves
// out the loops in place of assembly.
func testedBackends() []string {
	names := availableBackends()
	if testing.Short() {
		names = slices.DeleteFunc(names, func(name string) bool { return name == kernels.LoopsBackend })
	}
	if kernels.RaceDetector {
		names = names[len(names)-1:]
	}
	return names
}
