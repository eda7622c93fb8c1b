// Package report writes the figures of a run of bench/table, and reads them
// again for the plot.
package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Report is one run on one machine.
type Report struct {
	Machine string
	Rounds  int
	Rows    []Row
}

// Row is one kernel on one backend. What was not measured is 0.
type Row struct {
	Kernel  string // "region sums, labels"
	Loss    string // the expression
	Op      string // forward, backward, forward+backward
	Backend string
	Type    string // f32, f64
	Layout  string // ncs, nsc
	In      string // l2, memory
	Workers int
	N, C, S int

	NS, Min, Max float64 // nanoseconds an element of [N, C, S]: median and range
	GBs          float64 // of the least traffic that the call needs
	Traffic      string  // the probe with the same streams that was the fastest
	Probe        string  // its instruction set
	CeilingGBs   float64 // what it reached
	Ceiling      float64 // part of it that the kernel reaches
	ReadGBs      float64 // what one thread reads in the L2
	Scaled       float64 // NS as it would be if that were 117 GB/s, as it was where C's figures were taken
	Portable     float64 // times as fast as the portable backend
	Baseline     float64 // times as fast as bench/baseline
	Single       float64 // times the float32 ns, for float64
	Planar       float64 // part of the speed of the planar layout, for channels-last
}

var columns = []struct {
	name   string
	number func(r *Row) float64
	digits int
}{
	{"ns/elem", func(r *Row) float64 { return r.NS }, 3},
	{"GB/s", func(r *Row) float64 { return r.GBs }, 1},
	{"ceiling GB/s", func(r *Row) float64 { return r.CeilingGBs }, 1},
	{"of ceiling", func(r *Row) float64 { return r.Ceiling }, 3},
	{"scaled ns", func(r *Row) float64 { return r.Scaled }, 3},
	{"× portable", func(r *Row) float64 { return r.Portable }, 2},
	{"× baseline", func(r *Row) float64 { return r.Baseline }, 2},
	{"× f32 ns", func(r *Row) float64 { return r.Single }, 2},
	{"of planar", func(r *Row) float64 { return r.Planar }, 2},
}

// Table writes the rows for readers, with a heading for each kernel.
func (r *Report) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s; medians of %d interleaved rounds\n", r.Machine, r.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := ""
	for i := range r.Rows {
		row := &r.Rows[i]
		if h := row.Kernel + ", " + row.Op; h != heading {
			heading = h
			_ = t.Flush()
			fmt.Fprintf(w, "\n%s: %s\n", h, row.Loss)
			fmt.Fprint(t, "C\ttype\tlayout\tin\tworkers\tbackend")
			for _, c := range columns {
				fmt.Fprintf(t, "\t%s", c.name)
			}
			fmt.Fprintln(t, "\ttraffic")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%d\t%s", row.C, row.Type, row.Layout, row.In, row.Workers, row.Backend)
		for _, c := range columns {
			fmt.Fprintf(t, "\t%s", figure(c.number(row), c.digits))
		}
		fmt.Fprintf(t, "\t%s %s\n", row.Traffic, row.Probe)
	}
	return t.Flush()
}

// figure leaves a place empty for what was not measured.
func figure(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// CSV writes a line for every row.
func (r *Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"kernel", "loss", "op", "backend", "type", "layout", "in", "workers", "n", "c", "s", "ns", "ns_min", "ns_max",
		"gbs", "traffic", "probe", "ceiling_gbs", "of_ceiling", "l2_read_gbs", "ns_scaled", "times_portable", "times_baseline", "times_f32_ns", "of_planar"})
	for _, row := range r.Rows {
		f := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
		_ = c.Write([]string{row.Kernel, row.Loss, row.Op, row.Backend, row.Type, row.Layout, row.In, strconv.Itoa(row.Workers),
			strconv.Itoa(row.N), strconv.Itoa(row.C), strconv.Itoa(row.S), f(row.NS), f(row.Min), f(row.Max), f(row.GBs),
			row.Traffic, row.Probe, f(row.CeilingGBs), f(row.Ceiling), f(row.ReadGBs), f(row.Scaled),
			f(row.Portable), f(row.Baseline), f(row.Single), f(row.Planar)})
	}
	c.Flush()
	return c.Error()
}

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Read reads what JSON wrote.
func Read(from io.Reader) (*Report, error) {
	r := new(Report)
	d := json.NewDecoder(from)
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("not a report of bench/table: %w", err)
	}
	return r, nil
}
