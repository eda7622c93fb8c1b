package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/segloss/segloss/bench/internal/stat"
)

// report is a run on one machine.
type report struct {
	Machine, PyTorch  string
	Shape             string
	Threads, Rounds   int
	GradientBytes     int64
	MissingAllocators []string
	Results           []*result
}

// result is a line of the table.
type result struct {
	Loss, Backend, Setting    string
	Ours, Eager, Best         float64 // ms
	OverEager, OverBest       stat.Spread
	Wanted                    float64 // of OverEager
	Peak, EagerPeak, BestPeak int64   // bytes above the inputs, 0 where the system does not tell
	Tried                     []string
}

const heading = "loss              ours ms  eager ms    ratio  wanted   best ms    ratio  wanted  peak above inputs: ours, eager, best  backend; best setting"

func (r *result) String() string {
	return fmt.Sprintf("%-15s %9.1f %9.1f  %6.1f×%8s %9.1f  %6.1f×%8s  %35s  %s; %s", r.Loss, r.Ours, r.Eager, r.OverEager.Median, wanted(r.OverEager.Median, r.Wanted),
		r.Best, r.OverBest.Median, wanted(r.OverBest.Median, overBest), mib(r.Peak)+", "+mib(r.EagerPeak)+", "+mib(r.BestPeak), r.Backend, r.Setting)
}

// wanted marks what is not reached.
func wanted(ratio, least float64) string {
	mark := ""
	if ratio < least {
		mark = "! "
	}
	return fmt.Sprintf("%s%g×", mark, least)
}

func mib(v int64) string {
	if v <= 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.0f MiB", float64(v)/(1<<20))
}

// verdict prints a line for each target, with the losses that miss it.
func (r *report) verdict(w io.Writer) {
	for _, t := range []struct {
		what    string
		reached func(x *result) bool
		figure  func(x *result) string
	}{
		{"times eager as wanted", func(x *result) bool { return x.OverEager.Median >= x.Wanted }, func(x *result) string {
			return fmt.Sprintf("%s %.1f of %g", x.Loss, x.OverEager.Median, x.Wanted)
		}},
		{fmt.Sprintf("%d times its best settings", overBest), func(x *result) bool { return x.OverBest.Median >= overBest }, func(x *result) string {
			return fmt.Sprintf("%s %.1f", x.Loss, x.OverBest.Median)
		}},
		{fmt.Sprintf("memory beside the gradient below %d MiB", extra>>20), func(x *result) bool { return x.Peak-r.GradientBytes < extra }, func(x *result) string {
			return fmt.Sprintf("%s %s", x.Loss, mib(x.Peak-r.GradientBytes))
		}},
	} {
		var missed []string
		for _, x := range r.Results {
			if !t.reached(x) {
				missed = append(missed, t.figure(x))
			}
		}
		fmt.Fprintf(w, "%s: %d of %d losses", t.what, len(r.Results)-len(missed), len(r.Results))
		if missed != nil {
			fmt.Fprintf(w, "; missed by %s", strings.Join(missed, ", "))
		}
		fmt.Fprintln(w)
	}
}

// markdown writes the table as the README has it.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "%s; PyTorch %s; %s, %d threads, medians of %d interleaved rounds\n\n", r.Machine, r.PyTorch, r.Shape, r.Threads, r.Rounds)
	fmt.Fprintln(w, "| loss | ours, ms | PyTorch eager, ms | ratio | PyTorch at its best, ms | ratio | peak memory above inputs: ours, eager, best |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, x := range r.Results {
		fmt.Fprintf(w, "| `%s` | %.1f | %.0f | %.1f | %.1f (%s) | %.1f | %s, %s, %s |\n", x.Loss, x.Ours, x.Eager, x.OverEager.Median,
			x.Best, x.Setting, x.OverBest.Median, mib(x.Peak), mib(x.EagerPeak), mib(x.BestPeak))
	}
}

// save writes the report as JSON, or as Markdown where the name ends in .md.
func (r *report) save(name string) error {
	if strings.HasSuffix(name, ".md") {
		var b strings.Builder
		r.markdown(&b)
		return os.WriteFile(name, []byte(b.String()), 0o644)
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
