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
		{"region gradient, dense", backward, 4, 19, 8, "[[r1w1 r1w1nt]]"},
		{"region gradient, dense", both, 4, 19, 16, "[[read2] [r1w1 r1w1nt]]"},
		{"region gradient, labels", backward, 8, 2, 8.5, "[[w1 w1nt]]"},
		{"focal", both, 4, 1, 12, "[[r2w1 r2w1nt]]"},
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
					used := k.resident(size, c) * float64(c*s)
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

func TestResident(t *testing.T) {
	for _, c := range []struct {
		name  string
		op    op
		bytes float64
	}{
		{"focal", both, 12}, {"focal", forward, 8}, {"region gradient, dense", both, 12},
		{"region gradient, labels", backward, 4.25}, {"softmax dice + ce, labels", both, 8.25},
	} {
		k := find(t, c.name, c.op)
		if got := k.resident(4, 4); got != c.bytes {
			t.Errorf("%s, %s: %v bytes an element, want %v", c.name, c.op, got, c.bytes)
		}
	}
}

func TestCeiling(t *testing.T) {
	all := []timedProbe{
		{isa: "avx2", pattern: probe.Read1, pass: reference, bytes: 400},
		{isa: "avx2", pattern: probe.Read1, bytes: 4},
		{isa: "avx512", pattern: probe.Read1, bytes: 4},
		{isa: "avx2", pattern: probe.R1W1, pass: 1, bytes: 8},
		{isa: "avx2", pattern: probe.R1W1NT, pass: 1, bytes: 8},
	}
	c := newCeiling(all, [][]float64{{2, 2, 2}, {2, 2, 9}, {3, 3, 1}, {7, 7, 7}, {5, 6, 4}})
	if c.names != "read1+r1w1nt" || c.isa != "avx2" || c.bytes != 12 || c.ns[0] != 7 || c.ns[1] != 8 || c.ns[2] != 13 {
		t.Errorf("got %+v", c)
	}
	var r report.Row
	c.fill(&r, []float64{1, 1, 1}, 6)
	if r.Ceiling != 4 || r.CeilingGBs != 1.5 || r.ReadGBs != 200 || r.Scaled != 200./theirRead {
		t.Errorf("got %+v", r)
	}
}

// Every kernel of C's has rows here, and targets are seen to be reached or not.
func TestCompareC(t *testing.T) {
	for _, k := range inC {
		find(t, k.kernel, k.op)
	}
	row := report.Row{Kernel: "bce", Op: "forward", Backend: "avx512", Type: "f32", Layout: "ncs", In: "memory", Workers: 2, C: 1, Ceiling: 0.61}
	for _, x := range []struct {
		change  func(r *report.Row)
		ok      bool
		ratio   float64
		reached bool
	}{
		{func(r *report.Row) {}, true, 1, true},
		{func(r *report.Row) { r.Ceiling /= 2 }, true, 0.5, false},
		{func(r *report.Row) { r.In, r.Workers, r.Scaled = "l2", 1, 0.42 }, true, 1, true},
		{func(r *report.Row) { r.In, r.Workers, r.Scaled = "l2", 1, 0.84 }, true, 2, false},
		{func(r *report.Row) { r.In, r.Scaled = "l2", 0.42 }, false, 0, false},
		{func(r *report.Row) { r.Backend = "avx2" }, false, 0, false},
		{func(r *report.Row) { r.Backend = "generic" }, false, 0, false},
		{func(r *report.Row) { r.Type = "f64" }, false, 0, false},
		{func(r *report.Row) { r.Layout = "nsc" }, false, 0, false},
		{func(r *report.Row) { r.Op = "forward+backward" }, false, 0, false},
		{func(r *report.Row) { r.Workers = 4 }, false, 0, false},
	} {
		r := row
		x.change(&r)
		if c, ok := compareC(&r); ok != x.ok || ok && (c.ratio != x.ratio || c.reached != x.reached) {
			t.Errorf("%+v: %+v, %v", r, c, ok)
		}
	}
}

func TestVerdict(t *testing.T) {
	rows := []report.Row{
		{Kernel: "region sums, dense", Op: "forward", Backend: "avx2", Type: "f32", Layout: "ncs", In: "memory", Workers: 2, C: 4, Ceiling: 0.95},
		{Kernel: "region sums, dense", Op: "forward", Backend: "avx2", Type: "f64", Layout: "ncs", In: "memory", Workers: 2, C: 4, Ceiling: 0.5, Single: 2},
		{Kernel: "region sums, dense", Op: "forward", Backend: "generic", Type: "f64", Layout: "ncs", In: "memory", Workers: 2, C: 4, Ceiling: 0.1, Single: 9},
		{Kernel: "bce", Op: "forward", Backend: "avx2", Type: "f32", Layout: "nsc", In: "l2", Workers: 1, C: 3, Planar: 0.7},
	}
	var b strings.Builder
	verdict(&b, rows)
	const want = `
region losses on probabilities in memory, two workers, at least 0.90 of the ceiling: 1 of 2 rows
  0.50  region sums, dense, forward, C = 4, f64, ncs, memory, 2 worker(s), avx2

float64 at most 2.3 times the float32 ns: 1 of 1 rows

channels-last at least 0.6 of the planar speed: 1 of 1 rows
`
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-c", "2,3", "-in", "l2", "-type", "f64", "-workers", "1", "-kernel", "softmax", "-part", "kernels"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := settings(o)
	if len(got) != 6 { // 3 operations × 2 numbers of classes
		t.Fatalf("%d settings: %+v", len(got), got)
	}
	for _, p := range got {
		if p.in != "l2" || p.workers != 1 || p.c != 2 && p.c != 3 || len(p.layouts) != 1 || p.layouts[0] != kernels.NCS || p.types[0] != "f64" {
			t.Errorf("setting %+v", p)
		}
	}
	for _, bad := range [][]string{{"-c", "0"}, {"-in", "l3"}, {"-rounds", "0"}, {"-mib", "0"}, {"-backend", "cuda"}, {"-part", "x"}, {"extra"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// Softmax needs two classes; a single one is left out.
func TestSettingsOfOneClass(t *testing.T) {
	o, err := parse([]string{"-c", "1", "-kernel", "softmax", "-part", "kernels"}, io.Discard)
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
	o, r, table := runTable(t, "-c", "1,4", "-workers", "1", "-part", "kernels", "-csv", filepath.Join(dir, "bench.csv"))
	baselines, double := 0, 0
	for _, row := range r.Rows {
		if row.NS <= 0 || row.GBs <= 0 || row.CeilingGBs <= 0 || row.Ceiling <= 0 || row.Min > row.NS || row.Max < row.NS || (row.Scaled > 0) != (row.In == "l2") {
			t.Errorf("row %+v", row)
		}
		if row.Baseline > 0 {
			baselines++
		}
		if row.Single > 0 {
			double++
		}
	}
	// In both places: dice with one class, focal with one and four, softmax with four.
	if want := 2 * 4 * len(o.backends.Chosen); baselines != want {
		t.Errorf("%d rows with a baseline, want %d", baselines, want)
	}
	if double != len(r.Rows)/2 {
		t.Errorf("%d of %d rows have a ratio to float32", double, len(r.Rows))
	}
	if n := strings.Count(table, "\n"); n < len(r.Rows) {
		t.Errorf("a table of %d lines", n)
	}
}

// Channels-last stands beside planar, with its part of the latter's speed.
func TestLayouts(t *testing.T) {
	if testing.Short() {
		t.Skip("times things")
	}
	_, r, _ := runTable(t, "-kernel", "bce", "-in", "l2", "-part", "layouts")
	for _, row := range r.Rows {
		if row.C < 2 || row.C > 8 || (row.Planar > 0) != (row.Layout == "nsc") {
			t.Errorf("row %+v", row)
		}
	}
}

// runTable runs the command and returns its report, which has all rows.
func runTable(t *testing.T, args ...string) (o *options, r *report.Report, table string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bench.json")
	o, err := parse(append(args, "-rounds", "1", "-mib", "1", "-json", file), io.Discard)
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
	if r, err = report.Read(f); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, p := range settings(o) {
		want += len(p.backends) * len(p.types) * len(p.layouts)
	}
	if len(r.Rows) != want || want == 0 {
		t.Errorf("%d rows, want %d", len(r.Rows), want)
	}
	return o, r, b.String()
}
