// Command peers puts the same tensors through PyTorch and through this module,
// forward and backward: [2,4,96³] float32 logits with labels. The losses on the
// other side are peers.py, written as a PyTorch user would. Both must agree
// before anything is timed; then they run in turn, and what is printed is the
// median of the rounds, against PyTorch as it comes (eager) and at the best of
// its settings: compiled or not, planar or channels-last, and whichever of the
// allocators that are here keeps memory best. It tries them all for each loss.
//
//	go run ./bench/peers [-threads 2] [-labels int64] [-loss dice,…] [-allocator glibc,jemalloc,tcmalloc]
//	                     [-rounds 9] [-side 96] [-python python3] [-o peers.json,peers.md] [-v]
//
// Exit status: 0 measured, 1 failed, 2 bad usage, 3 python3 or torch is missing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/segloss/segloss/bench/internal/list"
	"github.com/segloss/segloss/bench/internal/machine"
)

const samples, classes = 2, 4

type options struct {
	threads, rounds, side int
	labels, losses        list.Names
	allocators            list.Names
	out                   string
	python                string
	verbose               bool
}

func parse(args []string, out io.Writer) (*options, error) {
	names := lossNames()
	o := &options{
		labels: list.Names{Chosen: []string{"int64"}, Of: []string{"uint8", "int64"}},
		losses: list.Names{Chosen: names, Of: names}, allocators: allocatorNames(),
	}
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of PyTorch, and our workers")
	f.IntVar(&o.rounds, "rounds", 9, "rounds to take the median of")
	f.IntVar(&o.side, "side", 96, "voxels along each axis")
	f.Var(&o.labels, "labels", "type of the labels: int64, which PyTorch wants, or uint8, which it converts")
	f.Var(&o.losses, "loss", "losses")
	f.Var(&o.allocators, "allocator", "allocators to try for PyTorch at its best, where they are here")
	f.StringVar(&o.out, "o", "", "files to write the figures to as well, with commas between: .md a table, others JSON")
	f.StringVar(&o.python, "python", "python3", "Python with torch")
	f.BoolVar(&o.verbose, "v", false, "print the time of every setting that was tried")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.threads < 1 || o.rounds < 1 || o.side < 2 || len(o.labels.Chosen) != 1 || f.NArg() > 0 {
		f.Usage()
		return nil, errors.New("bad usage")
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	var m *missing
	switch err := run(os.Stdout, o); {
	case errors.As(err, &m):
		fmt.Fprintln(os.Stderr, m)
		os.Exit(3)
	case err != nil:
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}

// missing says that there is nobody to compare with.
type missing struct{ why string }

func (m *missing) Error() string {
	return fmt.Sprintf(`peers: %s
Install PyTorch, for instance

    python3 -m venv ~/torch && ~/torch/bin/pip install torch numpy
    go run ./bench/peers -python ~/torch/bin/python

(--index-url https://download.pytorch.org/whl/cpu fetches a smaller build without
CUDA; a C++ compiler lets torch.compile run) or Debian's python3-torch. Where
libjemalloc2 and libtcmalloc-minimal4 are installed, PyTorch may use them.`, m.why)
}

// findPython checks that there are Python and torch.
func findPython(name string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return &missing{fmt.Sprintf("there is no %s here", name)}
	}
	if out, err := exec.Command(path, "-c", "import torch, numpy").CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return &missing{fmt.Sprintf("%s has no torch with numpy: %s", path, lines[len(lines)-1])}
	}
	return nil
}

func run(w io.Writer, o *options) error {
	if err := findPython(o.python); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t := newTensors(o)
	defer t.free()
	if err := t.save(dir); err != nil {
		return err
	}
	eager, err := start(o, dir, nil)
	if err != nil {
		return err
	}
	defer eager.close()
	tuned, absent, err := startBest(o, dir)
	if err != nil {
		return err
	}
	defer closeAll(tuned)
	if tuned == nil {
		return fmt.Errorf("none of the allocators is here: %s", strings.Join(absent, ", "))
	}

	rep := &report{
		Machine: machine.Name(), PyTorch: fmt.Sprintf("%s (%s)", eager.Version, eager.Capability), Threads: eager.Threads, Rounds: o.rounds,
		Shape:         fmt.Sprintf("forward and backward on [%d,%d,%d³] float32, %s labels", samples, classes, o.side, o.labels.Chosen[0]),
		GradientBytes: int64(4 * len(t.dx)), MissingAllocators: absent,
	}
	fmt.Fprintln(w, rep.Machine)
	if busy := machine.Busy(); busy != "" {
		fmt.Fprintln(w, busy)
	}
	fmt.Fprintf(w, "PyTorch %s, %d threads; %s, medians of %d interleaved rounds\n", rep.PyTorch, rep.Threads, rep.Shape, rep.Rounds)
	if absent != nil {
		fmt.Fprintf(w, "not here and left out: %s\n", strings.Join(absent, ", "))
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	for _, l := range losses {
		if !o.losses.Has(l.name) {
			continue
		}
		r, err := compare(&l, o, t, dir, eager, tuned)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		fmt.Fprintln(w, r)
		if o.verbose {
			fmt.Fprintf(w, "                tried %s\n", strings.Join(r.Tried, "; "))
		}
		rep.Results = append(rep.Results, r)
	}
	fmt.Fprintln(w)
	rep.verdict(w)
	for _, name := range strings.Split(o.out, ",") {
		if name == "" {
			continue
		}
		if err := rep.save(name); err != nil {
			return err
		}
	}
	return nil
}
