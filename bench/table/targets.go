package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/segloss/segloss/bench/internal/report"
)

// theirRead is what one thread reads from the L2, in GB/s, on the machine where
// C's figures were taken.
const theirRead = 117

// inC are the figures of C with intrinsics on a 2-core Zen 4 with 32 MiB of L3,
// float32, planar: ns an element in the L2 with one thread, and the part of the
// ceiling of the same traffic in memory, with one thread and, for AVX-512, two.
var inC = []struct {
	kernel string
	op     op
	avx2   cFigures
	avx512 cFigures
}{
	{"region sums, dense", forward, cFigures{0.068, 0.95, 0}, cFigures{0.069, 0.97, 0.98}},
	{"region sums, labels", forward, cFigures{0.070, 0.86, 0}, cFigures{0.053, 0.97, 0.94}},
	{"region gradient, dense", backward, cFigures{0.155, 1.02, 0}, cFigures{0.152, 1.02, 1.03}},
	{"sigmoid dice", forward, cFigures{0.38, 0.62, 0}, cFigures{0.27, 0.86, 0.95}},
	{"sigmoid dice", backward, cFigures{0.38, 0.87, 0}, cFigures{0.30, 1.00, 0.99}},
	{"bce", forward, cFigures{0.55, 0.50, 0}, cFigures{0.42, 0.62, 0.61}},
	{"bce", backward, cFigures{0.36, 0.79, 0}, cFigures{0.26, 0.95, 0.93}},
	{"focal", forward, cFigures{0.76, 0.37, 0}, cFigures{0.59, 0.47, 0.46}},
	{"focal", backward, cFigures{0.86, 0.39, 0}, cFigures{0.67, 0.49, 0.51}},
	{"softmax dice + ce, labels", forward, cFigures{0.46, 0.32, 0}, cFigures{0.36, 0.39, 0.43}},
	{"softmax dice + ce, labels", backward, cFigures{0.43, 0.43, 0}, cFigures{0.31, 0.58, 0.62}},
}

// cFigures are those of a kernel: 0 is not known.
type cFigures struct{ l2, memory, memory2 float64 }

// Against C's figures: at least this part of its part of the ceiling, and in the
// L2 at most this many times its ns.
const leastOfC, mostOfC = 0.85, 1.2

// comparison is a figure of ours beside C's.
type comparison struct {
	ours, theirs, ratio float64
	asTimed             float64 // our ns to theirs, whatever the machines; 0 if not known
	unit, limit         string
	reached             bool
}

// compareC holds a row to C; false where C has no such figure. C took its figure
// for a softmax at C = 4, and for the others, whose classes are alone, at 1: with
// more of these the work an element is the same, but many need many rows of memory
// at once.
func compareC(r *report.Row) (c comparison, ok bool) {
	if r.Type != "f32" || r.Layout != "ncs" || r.C > 4 {
		return c, false
	}
	for _, k := range inC {
		if k.kernel != r.Kernel || string(k.op) != r.Op {
			continue
		}
		f := map[string]cFigures{"avx2": k.avx2, "avx512": k.avx512}[r.Backend]
		if r.In == "l2" && r.Workers == 1 {
			c = comparison{ours: r.Scaled, theirs: f.l2, unit: "ns, scaled", limit: fmt.Sprintf("at most %g", mostOfC)}
			c.asTimed = r.NS / f.l2
		}
		if r.In == "memory" {
			c = comparison{ours: r.Ceiling, theirs: [...]float64{1: f.memory, 2: f.memory2}[min(r.Workers, 2)], unit: "of ceiling", limit: fmt.Sprintf("at least %g", leastOfC)}
		}
	}
	if c.theirs == 0 || r.Workers > 2 {
		return c, false
	}
	c.ratio = c.ours / c.theirs
	if c.reached = c.ratio >= leastOfC; r.In == "l2" {
		c.reached = c.ratio <= mostOfC
	}
	return c, true
}

// againstC prints C's figures beside ours.
func againstC(w io.Writer, rows []report.Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	reached, all, read := 0, 0, 0.0
	for i := range rows {
		r := &rows[i]
		c, ok := compareC(r)
		if !ok {
			continue
		}
		if all == 0 {
			fmt.Fprintf(w, "\nAgainst C with intrinsics on a 2-core Zen 4, float32. In the L2, ns an element as they would be if one\nthread read %d GB/s there, as it did on that machine, and the ratio of the ns as timed; in memory, the part of each machine's own\nceiling.\n\n", theirRead)
			fmt.Fprintln(t, "kernel\tC\tbackend\tin\tworkers\tours\tin C\t\tratio\twanted\t\tas timed\t")
		}
		if all++; c.reached {
			reached++
		}
		if r.ReadGBs > 0 {
			read = r.ReadGBs
		}
		asTimed := ""
		if c.asTimed > 0 {
			asTimed = fmt.Sprintf("%.2f", c.asTimed)
		}
		fmt.Fprintf(t, "%s, %s\t%d\t%s\t%s\t%d\t%.3f\t%.3f\t%s\t%.2f\t%s\t%s\t%s\t\n", r.Kernel, r.Op, r.C, r.Backend, r.In, r.Workers,
			c.ours, c.theirs, c.unit, c.ratio, c.limit, map[bool]string{true: "reached", false: "missed"}[c.reached], asTimed)
	}
	_ = t.Flush()
	if all > 0 {
		fmt.Fprintf(w, "%d of %d reached", reached, all)
		if read > 0 {
			fmt.Fprintf(w, "; here one thread reads %.0f GB/s in the L2", read)
		}
		fmt.Fprintln(w)
	}
}

// targets are what rows have to reach by themselves. A figure of 0 takes no part.
var targets = []struct {
	what   string
	figure func(r *report.Row) float64
	least  float64 // or most
	most   float64
}{
	{"region losses on probabilities in memory, two workers, at least 0.90 of the ceiling", func(r *report.Row) float64 {
		if !strings.HasPrefix(r.Kernel, "region") || r.In != "memory" || r.Workers != 2 || r.Layout != "ncs" || r.Op == string(both) {
			return 0
		}
		return r.Ceiling
	}, 0.9, 0},
	{"float64 at most 2.3 times the float32 ns", func(r *report.Row) float64 { return r.Single }, 0, 2.3},
	{"channels-last at least 0.6 of the planar speed", func(r *report.Row) float64 { return r.Planar }, 0.6, 0},
}

// verdict prints, for each target, how many rows of the vector backends reach it,
// and the others.
func verdict(w io.Writer, rows []report.Row) {
	for _, t := range targets {
		reached, all := 0, 0
		var missed []string
		for i := range rows {
			r := &rows[i]
			v := t.figure(r)
			if v == 0 || r.Backend == portableBackend {
				continue
			}
			if all++; v >= t.least && (t.most == 0 || v <= t.most) {
				reached++
				continue
			}
			missed = append(missed, fmt.Sprintf("  %.2f  %s, %s, C = %d, %s, %s, %s, %d worker(s), %s", v, r.Kernel, r.Op, r.C, r.Type, r.Layout, r.In, r.Workers, r.Backend))
		}
		if all == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %d of %d rows\n", t.what, reached, all)
		for _, m := range missed {
			fmt.Fprintln(w, m)
		}
	}
}
