package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/report"
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

func find(t *testing.T, name string, o op) kernel {
	for _, k := range allKernels() {
		if k.name == name && k.op == o {
			return k
		}
	}
	t.Fatalf("no kernel %s, %s", name, o)
	return kernel{}
}

func TestTraffic(t *testing.T) {
	for _, c := range []struct {
		name          string
		op            op
		size, classes int
		bytes         float64
		patterns      string
	}{
		{"region sums, dense", forward, 4, 4, 8, "[[read2]]"},
		{"region sums, labels", forward, 4, 4, 4.25, "[[read1]]"},
		{"region sums, labels", forward, 8, 1, 9, "[[read1]]"},
		{"region gradient, dense", backward, 4, 19, 12, "[[r2w1 r2w1nt]]"},
		{"region gradient, labels", backward, 8, 2, 16.5, "[[r1w1 r1w1nt]]"},
		{"focal", both, 4, 1, 20, "[[read2] [r2w1 r2w1nt]]"},
		{"softmax dice + ce, labels", both, 4, 4, 12.5, "[[read1] [r1w1 r1w1nt]]"},
	} {
		k := find(t, c.name, c.op)
		if got := k.traffic(c.size, c.classes); got != c.bytes {
			t.Errorf("%s, %s: %v bytes an element, want %v", c.name, c.op, got, c.bytes)
		}
		if got := format(k.patterns()); got != c.patterns {
			t.Errorf("%s, %s: patterns %s, want %s", c.name, c.op, got, c.patterns)
		}
	}
}

func format(patterns [][]probe.Pattern) string {
	var parts []string
	for _, part := range patterns {
		var names []string
		for _, p := range part {
			names = append(names, p.String())
		}
		parts = append(parts, "["+strings.Join(names, " ")+"]")
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// What is to lie in a cache fits into it, with a sample for each worker.
func TestShape(t *testing.T) {
	for _, k := range allKernels() {
		for _, c := range []int{1, 4, 19, 150} {
			for _, workers := range []int{1, 2} {
				for _, size := range []int{4, 8} {
					p := setting{kernel: k, c: c, workers: workers, in: "l2"}
					n, s := p.shape(size, 64<<20)
					one := k
					if one.op == both {
						one.op = backward
					}
					used := one.traffic(size, c) * float64(c*s)
					if n != workers || s < 1 || used > float64(machine.L2())/2 {
						t.Errorf("%s, %s, C = %d: %d samples of %d positions, %v bytes each", k.name, k.op, c, n, s, used)
					}
					p.in = "memory"
					if n, s := p.shape(size, 64<<20); n != 1 || c*s*size > 64<<20 || c*(s+1)*size <= 64<<20 {
						t.Errorf("%s, %s, C = %d: %d × %d in memory", k.name, k.op, c, n, s)
					}
				}
			}
		}
	}
}

func TestBestCeiling(t *testing.T) {
	all := []ceiling{
		{probe: "avx2", pattern: probe.Read1, bytes: 4},
		{probe: "avx512", pattern: probe.Read1, bytes: 4},
		{probe: "avx2", pattern: probe.R1W1, part: 1, bytes: 8},
		{probe: "avx2", pattern: probe.R1W1NT, part: 1, bytes: 8},
	}
	l := bestCeiling(all, [][]float64{{2, 2, 9}, {3, 3, 1}, {7, 7, 7}, {5, 6, 4}})
	if l.names != "read1+r1w1nt" || l.probe != "avx2" || l.bytes != 12 || l.ns[0] != 7 || l.ns[1] != 8 || l.ns[2] != 13 {
		t.Errorf("got %+v", l)
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-c", "2,3", "-in", "l2", "-type", "f64", "-workers", "1", "-kernel", "softmax"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := settings(o)
	if len(got) != 6 { // 3 operations × 2 numbers of classes
		t.Fatalf("%d settings: %+v", len(got), got)
	}
	for _, p := range got {
		if p.in != "l2" || p.workers != 1 || p.c != 2 && p.c != 3 || p.layout != kernels.NCS {
			t.Errorf("setting %+v", p)
		}
	}
	for _, bad := range [][]string{{"-c", "0"}, {"-in", "l3"}, {"-rounds", "0"}, {"-mib", "0"}, {"-backend", "cuda"}, {"extra"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// Softmax needs two classes; a single one is left out.
func TestSettingsOfOneClass(t *testing.T) {
	o, err := parse([]string{"-c", "1", "-kernel", "softmax"}, io.Discard)
	if got := settings(o); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A run of everything at a small size: every backend has a row with figures at
// every place, and a baseline where there is one.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("times things")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "bench.json")
	o, err := parse([]string{"-c", "1,4", "-rounds", "1", "-mib", "1", "-workers", "1", "-type", "f32", "-layout", "ncs,nsc", "-json", file, "-csv", filepath.Join(dir, "bench.csv")}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	o.progress, o.table = io.Discard, &b
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(settings(o)) * len(o.backends.Chosen); len(r.Rows) != want {
		t.Errorf("%d rows, want %d", len(r.Rows), want)
	}
	baselines := 0
	for _, row := range r.Rows {
		if row.NS <= 0 || row.GBs <= 0 || row.CeilingGBs <= 0 || row.Ceiling <= 0 || row.Portable <= 0 || row.Min > row.NS || row.Max < row.NS {
			t.Errorf("row %+v", row)
		}
		if row.Baseline > 0 {
			baselines++
		}
	}
	// In both places: dice with one class, focal with one and four, softmax with four.
	if want := 2 * 4 * len(o.backends.Chosen); baselines != want {
		t.Errorf("%d rows with a baseline, want %d", baselines, want)
	}
	if n := strings.Count(b.String(), "\n"); n < len(r.Rows) {
		t.Errorf("a table of %d lines", n)
	}
}
