// Command ceilings holds the probes of bench/probe, by which kernels are
// measured, to those in C of bench/ceiling, which nobody here may tune. It
// builds them with cc, runs both in turn, in memory and in the L2, and prints
// for every pattern of traffic the median of the pairs' ratios. It fails where the
// best of ours stays below 0.95: the ceiling would hang too low.
//
//	go run ./bench/ceilings [-rounds 9] [-mib 256] [-threads 1,2]
//
// Exit status: 0 all reached, 1 one below, 2 bad usage, 3 no C compiler.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/segloss/segloss/bench/internal/list"
	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
)

const enough = 0.95

type options struct {
	rounds, mib int
	threads     []int
}

func main() {
	o := options{threads: []int{1, 2}}
	flag.IntVar(&o.rounds, "rounds", 9, "pairs to take the median of")
	flag.IntVar(&o.mib, "mib", 256, "size of an array in memory; in the L2 it is an eighth of that cache")
	flag.Var((*list.Ints)(&o.threads), "threads", "numbers of threads")
	dir := flag.String("dir", "bench/ceiling", "folder of ceiling.c and resident.c")
	flag.Parse()
	if o.rounds < 1 || o.mib < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	fmt.Println(machine.Name())
	if busy := machine.Busy(); busy != "" {
		fmt.Println(busy)
	}
	c, err := build(*dir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ceilings: %v\n", err)
		os.Exit(3)
	}
	err = compare(os.Stdout, o, c)
	c.remove()
	if err != nil {
		fmt.Fprintf(os.Stderr, "ceilings: %v\n", err)
		os.Exit(1)
	}
}

// compare prints a line for every probe, without a ratio where C has no such
// pattern. A pattern is low where none of the probes in assembly reaches C's
// figure, for the ceiling is the best of them.
func compare(w io.Writer, o options, c *programs) error {
	var low []string
	for _, at := range []place{memory(o.mib), resident()} {
		for _, threads := range o.threads {
			ours, theirs, err := alternate(o.rounds, at, threads, c)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "\n%s, %d KiB an array, %d thread(s)\n", at.name, at.bytes(threads)>>10, threads)
			best := lines(w, ours, theirs)
			for p := range probe.Patterns {
				if p.InC() && best[p] < enough {
					low = append(low, fmt.Sprintf("%v in %s with %d thread(s): %.2f", p, at.name, threads, best[p]))
				}
			}
		}
	}
	switch {
	case len(probe.Available()) == 1:
		fmt.Fprintln(w, "\nno assembly here: these are loops in Go, without streaming stores, and no ceiling")
	case low != nil:
		return fmt.Errorf("below %v of C: %s", enough, strings.Join(low, "; "))
	}
	return nil
}

// lines prints the ratio of each probe to C's and returns the best by pattern.
func lines(w io.Writer, ours map[key][]float64, theirs map[probe.Pattern][]float64) (best [probe.Patterns]float64) {
	fmt.Fprintf(w, "%-7s  %-7s  %8s  %8s  %8s  %s\n", "probe", "pattern", "GB/s", "C GB/s", "ratio", "range")
	for _, im := range probe.Available() {
		for p := range probe.Patterns {
			if !im.Has(p) {
				continue
			}
			t := ours[key{im.Name, p}]
			gbs := func(ns []float64) float64 { return float64(4*p.Arrays()) / stat.Median(ns) }
			if !p.InC() {
				fmt.Fprintf(w, "%-7s  %-7v  %8.1f  %8s  %8s\n", im.Name, p, gbs(t), "-", "-")
				continue
			}
			r := stat.Ratios(theirs[p], t)
			best[p] = max(best[p], r.Median)
			fmt.Fprintf(w, "%-7s  %-7v  %8.1f  %8.1f  %8.2f  %.2f … %.2f\n", im.Name, p, gbs(t), gbs(theirs[p]), r.Median, r.Min, r.Max)
		}
	}
	return best
}
