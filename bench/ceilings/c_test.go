package main

import (
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/segloss/segloss/bench/probe"
)

func TestParse(t *testing.T) {
	got, err := parse([]byte("read1   threads=1  0.1415 ns/float  28.3 GB/s  (min 0.1396 max 0.1457)\n" +
		"r1w1nt  threads=1  0.2513 ns/float  31.8 GB/s  (min 0.2490 max 0.2601)\n"))
	if want := map[string]float64{"read1": 0.1396, "r1w1nt": 0.2490}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "read1 threads=1 0.1", "read1 threads=1 0.1 ns/float 1 GB/s (min x max 1)", "read1 threads=1 0.1 ns/float 1 GB/s (min 0 max 1)", "read1 threads=1 0.1 ns/float 1 GB/s (min nan max 1)"} {
		if _, err := parse([]byte(bad + "\n")); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestBuildSaysWhatIsMissing(t *testing.T) {
	t.Setenv("CC", "no-such-compiler")
	if _, err := build("../ceiling"); err == nil || !strings.Contains(err.Error(), "install gcc") {
		t.Errorf("error %v", err)
	}
}

// Small arrays, one round: that all of it runs, whatever the figures.
func TestAlternate(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler")
	}
	c, err := build("../ceiling")
	if err != nil {
		t.Skip(err) // cc of another architecture
	}
	defer c.remove()
	for _, at := range []place{memory(1), resident()} {
		at.passes = 1
		ours, theirs, err := alternate(1, at, 2, c)
		if err != nil {
			t.Fatal(err)
		}
		for p := range probe.Patterns {
			if p.InC() && (len(theirs[p]) != 1 || theirs[p][0] <= 0) {
				t.Errorf("%s: %v has times %v", at.name, p, theirs[p])
			}
		}
		for k, v := range ours {
			if len(v) != 1 || v[0] <= 0 {
				t.Errorf("%s: %v has times %v", at.name, k, v)
			}
		}
	}
}
