// Command losses times every loss of the list, forward and backward, in the L2 of
// one worker, on every backend that this machine has, and in the same rounds the
// portable backend and plain loops in Go: those of bench/plain, which compute what
// the kernels do and nothing else, and those of bench/baseline where it has the
// loss. Labels are bytes; each loss stands under the activation that it is made
// for, and those of regions also take probabilities. It prints medians, ratios as
// medians of the rounds' ratios, and which rows miss what is asked for.
//
//	go run ./bench/losses [-c 4] [-type f32] [-loss dice,…] [-activation none,sigmoid,softmax] [-backend avx2,…]
//	                      [-rounds 9] [-run 1] [-json file]
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/segloss/segloss/bench/internal/list"
	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/plain"
	"github.com/segloss/segloss/kernels"
)

// portable is the backend that every other is compared with.
const portable = "generic"

type options struct {
	classes, rounds, run                 int
	types, losses, activations, backends list.Names
	json                                 string
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	if err := run(os.Stdout, o); err != nil {
		fmt.Fprintf(os.Stderr, "losses: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (*options, error) {
	all := func(names ...string) list.Names { return list.Names{Chosen: names, Of: names} }
	o := &options{
		types:  list.Names{Chosen: []string{"f32"}, Of: []string{"f32", "f64"}},
		losses: all(lossNames()...), backends: all(backends()...),
		activations: all(string(plain.None), string(plain.Sigmoid), string(plain.Softmax)),
	}
	f := flag.NewFlagSet("losses", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.classes, "c", 4, "number of classes")
	f.IntVar(&o.rounds, "rounds", 9, "rounds to take the median of")
	f.IntVar(&o.run, "run", 1, "mean positions side by side of the same label: a branch on a label is guessed right more often in a longer run")
	f.Var(&o.types, "type", "element types")
	f.Var(&o.losses, "loss", "losses")
	f.Var(&o.activations, "activation", "activations")
	f.Var(&o.backends, "backend", "backends, besides the portable one")
	f.StringVar(&o.json, "json", "", "write the figures to this file, too")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.classes < 2 || o.rounds < 1 || o.run < 1 || f.NArg() > 0 {
		f.Usage()
		return nil, errors.New("bad usage")
	}
	return o, nil
}

func lossNames() (names []string) {
	for _, info := range kernels.Losses() {
		names = append(names, info.Name)
	}
	return names
}

// backends lists those of this machine's processor, but the portable one, unless
// there is no other.
func backends() (names []string) {
	for _, b := range kernels.Backends() {
		if b.Err == nil && b.Name != "cuda" && b.Name != portable {
			names = append(names, b.Name)
		}
	}
	if names == nil {
		return []string{portable}
	}
	return names
}

// entry is a loss under an activation.
type entry struct {
	loss string
	by   plain.Activation
}

// entries lists every loss under the activation it is made for. Those of regions
// have two: on their own they take a sigmoid, and probabilities as they are. gdl
// weighs classes against each other, which a softmax makes exclusive.
func entries(o *options) (all []entry) {
	for _, info := range kernels.Losses() {
		by := []plain.Activation{plain.Sigmoid}
		switch {
		case info.Categorical:
			by = []plain.Activation{plain.Softmax}
		case info.Name == "gdl":
			by = []plain.Activation{plain.Softmax, plain.None}
		case info.Kind == "region":
			by = append(by, plain.None)
		}
		for _, a := range by {
			if o.losses.Has(info.Name) && o.activations.Has(string(a)) {
				all = append(all, entry{info.Name, a})
			}
		}
	}
	return all
}

// report is what -json writes.
type report struct {
	Machine string
	Rounds  int
	C       int
	Rows    []row
}

func run(w io.Writer, o *options) error {
	r := &report{Machine: machine.Name(), Rounds: o.rounds, C: o.classes}
	fmt.Fprintln(w, r.Machine)
	if busy := machine.Busy(); busy != "" {
		fmt.Fprintln(w, busy)
	}
	fmt.Fprintf(w, "forward and backward in the L2, one worker, C = %d, uint8 labels in runs of %d; medians of %d interleaved rounds\n", o.classes, o.run, o.rounds)
	for _, t := range o.types.Chosen {
		f := measure[float32]
		if t == "f64" {
			f = measure[float64]
		}
		fmt.Fprintf(w, "\n%s\n", heading)
		for _, e := range entries(o) {
			rows, err := f(e, o)
			if err != nil {
				return err
			}
			for i := range rows {
				fmt.Fprintln(w, &rows[i])
			}
			r.Rows = append(r.Rows, rows...)
		}
	}
	verdict(w, r.Rows, slices.DeleteFunc(slices.Clone(o.backends.Chosen), func(b string) bool { return b == portable }))
	if o.json == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(b, '\n'), 0o644)
}
