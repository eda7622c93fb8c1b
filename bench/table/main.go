// Command table times the kernels of every backend that this machine has, in
// memory and in the L2, and beside each of them, in turn in every round of the
// same run: what the memory gives for the same traffic (bench/probe), the
// portable backend, the other element type, and the plain loop of bench/baseline
// where that has the loss. Then it times planar against channels-last for C = 2
// to 8. It prints medians; ratios are medians of the rounds' ratios; and at the
// end, what C with intrinsics reached elsewhere and which rows miss the targets.
//
//	go run ./bench/table [-part kernels,layouts] [-c 1,4,19,150] [-in l2,memory] [-workers 1,2] [-type f32,f64]
//	                     [-layout ncs,nsc] [-backend generic,…] [-kernel part of a name] [-rounds 9] [-mib 128]
//	                     [-csv file] [-json file]
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/segloss/segloss/bench/internal/list"
	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/report"
	"github.com/segloss/segloss/kernels"
)

type options struct {
	classes, workers []int
	parts            list.Names
	places, types    list.Names
	layouts          list.Names
	backends         list.Names
	kernel           string
	rounds, mib      int
	baseline         bool
	csv, json        string
	progress, table  io.Writer
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	o.progress, o.table = io.Discard, os.Stdout
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		o.progress = os.Stderr
	}
	if err := run(o); err != nil {
		fmt.Fprintf(os.Stderr, "table: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (*options, error) {
	names := available()
	o := &options{
		classes: []int{1, 4, 19, 150}, workers: []int{1, 2},
		parts:    list.Names{Chosen: []string{"kernels", "layouts"}, Of: []string{"kernels", "layouts"}},
		places:   list.Names{Chosen: []string{"l2", "memory"}, Of: []string{"l2", "memory"}},
		types:    list.Names{Chosen: []string{"f32", "f64"}, Of: []string{"f32", "f64"}},
		layouts:  list.Names{Chosen: []string{"ncs"}, Of: []string{"ncs", "nsc"}},
		backends: list.Names{Chosen: names, Of: names},
	}
	f := flag.NewFlagSet("table", flag.ContinueOnError)
	f.SetOutput(out)
	f.Var(&o.parts, "part", "parts of the run: the kernels with -c, -workers, -type and -layout, and channels-last against planar")
	f.Var((*list.Ints)(&o.classes), "c", "numbers of classes")
	f.Var((*list.Ints)(&o.workers), "workers", "numbers of workers")
	f.Var(&o.places, "in", "where the tensors lie")
	f.Var(&o.types, "type", "element types")
	f.Var(&o.layouts, "layout", "layouts: planar ncs, channels-last nsc")
	f.Var(&o.backends, "backend", "backends")
	f.StringVar(&o.kernel, "kernel", "", "only kernels whose name and operation contain this")
	f.IntVar(&o.rounds, "rounds", 9, "rounds to take the median of")
	f.IntVar(&o.mib, "mib", 128, "MiB of a tensor in memory")
	f.BoolVar(&o.baseline, "baseline", true, "time the plain loops, too")
	f.StringVar(&o.csv, "csv", "", "write the figures to this file, too")
	f.StringVar(&o.json, "json", "", "write the figures to this file, too, for bench/plot")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.mib < 1 || f.NArg() > 0 {
		f.Usage()
		return nil, fmt.Errorf("bad usage")
	}
	return o, nil
}

func available() (names []string) {
	for _, b := range kernels.Backends() {
		if b.Err == nil && b.Name != "cuda" {
			names = append(names, b.Name)
		}
	}
	return names
}

func run(o *options) error {
	r := &report.Report{Machine: machine.Name(), Rounds: o.rounds}
	if busy := machine.Busy(); busy != "" {
		fmt.Fprintln(o.table, busy)
	}
	for _, p := range settings(o) {
		fmt.Fprintf(o.progress, "\r\x1b[K%s, %s, C = %d, %s, %d worker(s)", p.name, p.op, p.c, p.in, p.workers)
		rows, err := measure(&p, o)
		if err != nil {
			return err
		}
		r.Rows = append(r.Rows, rows...)
	}
	fmt.Fprint(o.progress, "\r\x1b[K")
	if err := r.Table(o.table); err != nil {
		return err
	}
	againstC(o.table, r.Rows)
	verdict(o.table, r.Rows)
	if err := save(o.csv, r.CSV); err != nil {
		return err
	}
	return save(o.json, r.JSON)
}

// settings lists what is measured, part by part and kernel by kernel.
func settings(o *options) (all []setting) {
	for _, part := range o.parts.Chosen {
		p := setting{types: o.types.Chosen, backends: o.backends.Chosen}
		classes, workers := o.classes, o.workers
		for _, name := range o.layouts.Chosen {
			p.layouts = append(p.layouts, layoutOf(name))
		}
		if part == "layouts" {
			classes, workers = []int{2, 3, 4, 5, 6, 7, 8}, []int{1}
			p.layouts, p.types = []kernels.Layout{kernels.NCS, kernels.NSC}, p.types[:1]
			p.backends = vectors(p.backends)
		}
		for _, p.kernel = range allKernels() {
			if !strings.Contains(p.name+", "+string(p.op), o.kernel) || part == "layouts" && p.op == both {
				continue
			}
			for _, p.c = range classes {
				for _, p.in = range o.places.Chosen {
					for _, p.workers = range workers {
						if p.c >= p.kernel.classes {
							all = append(all, p)
						}
					}
				}
			}
		}
	}
	return all
}

// vectors leaves out the portable backend where there is another.
func vectors(names []string) []string {
	if v := slices.DeleteFunc(slices.Clone(names), func(b string) bool { return b == portableBackend }); len(v) > 0 {
		return v
	}
	return names
}

func layoutOf(name string) kernels.Layout {
	if name == kernels.NSC.String() {
		return kernels.NSC
	}
	return kernels.NCS
}

func save(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
