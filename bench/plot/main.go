// Command plot draws the report of bench/table: for every kernel, the part of
// the machine's ceiling that each backend reaches. It is a module of its own, so
// that the drawing library stays out of the kernels' go.mod.
//
//	go run ./bench/table -json bench.json
//	go run ./bench/plot [-c 4] [-type f32] [-in memory] [-workers 1] [-layout ncs] -o bench.png bench.json
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"

	"gonum.org/v1/plot/vg"

	"github.com/segloss/segloss/bench/internal/report"
)

// choice says which rows are drawn.
type choice struct {
	c, workers       int
	elem, in, layout string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("plot: ")
	var by choice
	flag.IntVar(&by.c, "c", 4, "number of classes")
	flag.IntVar(&by.workers, "workers", 1, "number of workers")
	flag.StringVar(&by.elem, "type", "f32", "element type")
	flag.StringVar(&by.in, "in", "memory", "where the tensors lie: l2, memory")
	flag.StringVar(&by.layout, "layout", "ncs", "layout")
	to := flag.String("o", "bench.png", "picture to write: .png, .svg or .pdf")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *to, by); err != nil {
		log.Fatal(err)
	}
}

func run(from, to string, by choice) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		return err
	}
	b, err := barsOf(r, by)
	if err != nil {
		return err
	}
	p, err := b.draw()
	if err != nil {
		return err
	}
	height := 60 + vg.Length(len(b.kernels))*(14*vg.Length(len(b.backends))+10)
	return p.Save(640, height, to)
}

// bars are the parts of the ceiling by backend and kernel.
type bars struct {
	title             string
	kernels, backends []string
	part              [][]float64 // [backend][kernel]
}

// barsOf picks the rows of one kind; forward and backward together are left out,
// for they are the sum of the others.
func barsOf(r *report.Report, by choice) (*bars, error) {
	b := &bars{title: fmt.Sprintf("%s\n%s, C = %d, %s, %s, %d worker(s)", r.Machine, by.elem, by.c, by.layout, by.in, by.workers)}
	for _, row := range r.Rows {
		if row.C != by.c || row.Workers != by.workers || row.Type != by.elem || row.In != by.in || row.Layout != by.layout || row.Op == "forward+backward" {
			continue
		}
		k := indexOf(&b.kernels, row.Kernel+", "+row.Op)
		i := indexOf(&b.backends, row.Backend)
		for len(b.part) <= i {
			b.part = append(b.part, nil)
		}
		for len(b.part[i]) <= k {
			b.part[i] = append(b.part[i], 0)
		}
		b.part[i][k] = row.Ceiling
	}
	if b.kernels == nil {
		return nil, fmt.Errorf("the report has no rows with %+v", by)
	}
	for i := range b.part {
		for len(b.part[i]) < len(b.kernels) {
			b.part[i] = append(b.part[i], 0)
		}
	}
	return b, nil
}

// indexOf returns the place of s, at the end if it is new.
func indexOf(all *[]string, s string) int {
	if i := slices.Index(*all, s); i >= 0 {
		return i
	}
	*all = append(*all, s)
	return len(*all) - 1
}
