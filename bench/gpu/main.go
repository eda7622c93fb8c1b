// Command gpu times the losses on a GPU against the speed at which it copies memory, and
// against PyTorch where that is installed. Without a GPU it says so and fails.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/segloss/segloss/kernels/cuda"
)

// options are what the flags say.
type options struct {
	sizes   []int
	types   []cuda.DType
	losses  []string
	repeats int
	json    string
	python  string
	dry     bool
	jit     bool
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench-gpu: %v; nothing more was measured\n", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench-gpu", flag.ContinueOnError)
	sizes := fs.String("bytes", "8M,64M,1G", "`sizes` of the prediction")
	types := fs.String("type", "float32,bfloat16", "`types` of its elements")
	losses := fs.String("loss", "", "`losses` of the list (default: all)")
	fs.IntVar(&o.repeats, "repeats", 30, "`times` that each is timed; the median counts")
	fs.StringVar(&o.json, "json", "", "write the results to this `file`")
	fs.StringVar(&o.python, "python", "python3", "`program` that has PyTorch")
	fs.BoolVar(&o.dry, "dry", false, "run one small size on whatever SEGLOSS_CUDA names, to see that everything runs")
	fs.BoolVar(&o.jit, "jit", false, "print the milliseconds that the first plan takes, and nothing else")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	for _, s := range strings.Split(*sizes, ",") {
		n, err := parseBytes(s)
		if err != nil {
			return o, err
		}
		o.sizes = append(o.sizes, n)
	}
	for _, s := range strings.Split(*types, ",") {
		i := slices.IndexFunc(dtypes, func(t cuda.DType) bool { return t.String() == s })
		if i < 0 {
			return o, fmt.Errorf("-type %s: want some of %v", s, dtypes)
		}
		o.types = append(o.types, dtypes[i])
	}
	if *losses != "" {
		o.losses = strings.Split(*losses, ",")
	}
	if o.dry {
		o.sizes, o.repeats = []int{4 << 10}, 1
	}
	return o, nil
}

var dtypes = []cuda.DType{cuda.Float32, cuda.Float16, cuda.BFloat16, cuda.Float64}

// parseBytes reads a number with K, M or G behind it.
func parseBytes(s string) (int, error) {
	shift := map[byte]int{'K': 10, 'M': 20, 'G': 30}
	digits := strings.TrimRight(s, "KMG")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || len(s)-len(digits) > 1 {
		return 0, fmt.Errorf("-bytes %s: want a number such as 64M", s)
	}
	if len(digits) < len(s) {
		n <<= shift[s[len(s)-1]]
	}
	return n, nil
}

// run measures everything and prints a table for each size.
func run(o options) error {
	if os.Getenv(cuda.Env) == "sim" && !o.dry {
		return errors.New("SEGLOSS_CUDA=sim: an interpreter's time says nothing")
	}
	d, err := cuda.Open(0)
	if err != nil {
		return err
	}
	defer d.Close()
	if o.jit {
		ms, err := firstPlan(d)
		fmt.Println(ms)
		return err
	}
	b := &bench{options: o, dev: d}
	if err := b.start(); err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%s, compute capability %d.%d, %d multiprocessors\n", d.Info().Name, d.Info().Major, d.Info().Minor, d.Info().Multiprocessors)
	var all []result
	for _, size := range o.sizes {
		rows, err := b.size(size)
		if err != nil {
			return err
		}
		if err := printTable(rows); err != nil {
			return err
		}
		all = append(all, rows...)
	}
	b.footer()
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o644)
}

// result is one row.
type result struct {
	Name     string  `json:"name"`    // loss=dice/pass=forward/type=float32/bytes=…
	Seconds  float64 `json:"seconds"` // median
	Moved    int     `json:"moved"`   // bytes that the call has to read and write
	Ceiling  float64 `json:"ceiling"` // bytes a second that a copy reads and writes
	Eager    float64 `json:"eager,omitempty"`
	Compiled float64 `json:"compiled,omitempty"` // seconds of PyTorch
}

func (r result) speed() float64 { return float64(r.Moved) / r.Seconds }

func printTable(rows []result) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nNAME\tMS\tGB/S\tOF A COPY\tEAGER\tCOMPILED")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%.4f\t%.0f\t%.2f\t%s\t%s\n", r.Name, 1e3*r.Seconds, r.speed()/1e9, r.speed()/r.Ceiling, times(r.Eager, r.Seconds), times(r.Compiled, r.Seconds))
	}
	return t.Flush()
}

// times is how many times ours a peer takes.
func times(peer, ours float64) string {
	if peer == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f×", peer/ours)
}
