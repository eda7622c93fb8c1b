package gradcheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is the outcome of a run.
type Report struct {
	Rows    []Row
	Partial bool // the context ended before the work did
	Elapsed time.Duration
	Seed    uint64   // of the inputs
	Thinned *Thinned // nil where nothing was left out that the options ask for
	Stale   []string // lines of the committed list that no row of a full run matches

	SelfTest *SelfTest // of a full run
}

// Row is the outcome for one gradient: of one loss on one input, computed by
// one backend in one type and layout.
type Row struct {
	Group      string  `json:"group"` // the line of [Report.Print] that the row belongs to
	Loss       string  `json:"loss"`  // expression
	Activation string  `json:"activation"`
	Target     string  `json:"target"` // kind of target
	Edge       string  `json:"edge"`   // kind of input
	Backend    string  `json:"backend"`
	DType      string  `json:"dtype"`
	Layout     string  `json:"layout"`
	Verdict    Verdict `json:"verdict"`
	Reason     string  `json:"reason,omitempty"` // why it did not pass
	Listed     bool    `json:"listed,omitempty"` // inconclusive, and on the committed list of such rows
	Oracle     string  `json:"oracle"`           // what said how it should be: differences, and an exact arithmetic if there is one
	Hint       string  `json:"hint,omitempty"`   // the known mistake that a failure resembles
	Power      float64 `json:"power"`            // smallest relative defect that would have been caught at any element
	Checks     int     `json:"checks"`           // derivatives compared
	Floored    int     `json:"floored"`          // of them judged by the floor of the scale alone
	Evals      int     `json:"evals,omitempty"`  // evaluations of a [Function]; 0 for losses, whose rows share them
	Worst      Element `json:"worst"`
	Command    string  `json:"command,omitempty"` // that checks it again; "" where the input or the loss is the caller's
}

// Element is what a derivative was taken by: an element of the prediction or a
// coordinate of a [Function], or a direction in which all of them move, or it is
// the loss itself.
type Element struct {
	What     string  `json:"what"` // "element", "coordinate", "direction" or "loss"; "∂/∂TP" and the like of a region of the caller's
	N        int     `json:"n"`    // sample, class and position of an element; -1, -1 and the place of a coordinate; the number of a direction, -1, -1; sample, class and -1 of a cell
	C        int     `json:"c"`
	S        int     `json:"s"`
	X        float64 `json:"x"`
	R        float64 `json:"r"`
	Analytic float64 `json:"analytic"`
	Numeric  float64 `json:"numeric"` // as it should be; for float32, what float64 gives
	Err      float64 `json:"err"`     // error claimed for Numeric
	Tol      float64 `json:"tol"`     // largest distance of the two that passes
}

// String describes the element in one line.
func (e Element) String() string {
	where := "loss"
	switch e.What {
	case "element":
		where = fmt.Sprintf("[%d, %d, %d] x=%v r=%v", e.N, e.C, e.S, e.X, e.R)
	case "coordinate":
		where = fmt.Sprintf("x[%d]=%v", e.S, e.X)
	case "direction":
		where = fmt.Sprintf("direction %d", e.N)
	case "loss":
	default:
		where = fmt.Sprintf("%s of sample %d, class %d, at %.9g", e.What, e.N, e.C, e.X)
	}
	return fmt.Sprintf("%s: analytic %.12g, numeric %.12g ± %.2g, tolerance %.2g", where, e.Analytic, e.Numeric, e.Err, e.Tol)
}

// Of the rows, one in mostInconclusive may be inconclusive, even if the committed
// list has each of them.
const mostInconclusive = 200

// Verdict returns the worst verdict of the rows and of the self-test, but for
// inconclusive rows of the committed list, as long as no more than one row in 200
// is inconclusive. Without any rows, nothing was shown.
func (r Report) Verdict() Verdict {
	undecided, self := r.Count(Inconclusive), Pass
	if r.SelfTest != nil {
		self = r.SelfTest.Verdict()
	}
	switch {
	case r.Count(Fail) > 0 || self == Fail:
		return Fail
	case self == Inconclusive || undecided > r.listed() || undecided*mostInconclusive > len(r.Rows) || len(r.Rows) == 0 || r.Partial:
		return Inconclusive
	}
	return Pass
}

// listed returns the number of inconclusive rows that are on the committed list.
func (r Report) listed() int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Listed {
			n++
		}
	}
	return n
}

// Count returns the number of rows with a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Verdict == v {
			n++
		}
	}
	return n
}

// maxDetails is the number of rows that Print details.
const maxDetails = 20

// Print writes a line for every loss and activation, the details of rows that
// did not pass, and the total.
func (r Report) Print(w io.Writer) error {
	var b strings.Builder
	r.table(&b)
	r.details(&b)
	r.total(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// A line sums up the rows of one loss and activation.
type line struct {
	group, activation string
	rows, checks      int
	power             [2]float64 // by element type
	use               float64    // the largest part of a tolerance that was used
	verdict           Verdict
}

// lines groups the rows in the order of their first appearance.
func (r Report) lines() []*line {
	var lines []*line
	index := map[[2]string]*line{}
	for i := range r.Rows {
		row := &r.Rows[i]
		key := [2]string{row.Group, row.Activation}
		l := index[key]
		if l == nil {
			l = &line{group: row.Group, activation: row.Activation}
			index[key] = l
			lines = append(lines, l)
		}
		l.rows++
		l.checks += row.Checks
		l.verdict = max(l.verdict, row.Verdict)
		l.use = max(l.use, row.Worst.use())
		t := 0
		if row.DType == Float32.String() {
			t = 1
		}
		l.power[t] = max(l.power[t], row.Power)
	}
	return lines
}

// use returns the part of the tolerance that the element needs.
func (e Element) use() float64 {
	if e.Analytic == e.Numeric || !finite(e.Tol) {
		return 0
	}
	gap := e.Analytic - e.Numeric
	return max(gap, -gap) / e.Tol
}

func (r Report) table(b *strings.Builder) {
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "LOSS\tACTIVATION\tGRADIENTS\tDERIVATIVES\tWORST\tPOWER f64\tPOWER f32\tVERDICT")
	for _, l := range r.lines() {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%.2f\t%s\t%s\t%s\n",
			l.group, l.activation, l.rows, l.checks, l.use, power(l.power[0]), power(l.power[1]), l.verdict)
	}
	tw.Flush() // to memory
}

func power(p float64) string {
	if p == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0e", p)
}

// details describes the rows that did not pass, failures first, but not what
// the committed list has.
func (r Report) details(b *strings.Builder) {
	left := maxDetails
	for _, v := range []Verdict{Fail, Inconclusive} {
		for i := range r.Rows {
			row := &r.Rows[i]
			if row.Verdict != v || row.Listed || left == 0 {
				continue
			}
			left--
			fmt.Fprintf(b, "\n%s %s, %s, %s, %s, backend %s, %s, %s\n  %s\n",
				row.Verdict, row.Loss, row.Activation, row.Target, row.Edge, row.Backend, row.DType, row.Layout, row.Reason)
			if row.Hint != "" {
				fmt.Fprintf(b, "  %s\n", row.Hint)
			}
			if row.Worst.What != "" {
				fmt.Fprintf(b, "  %s\n", row.Worst)
			}
			if row.Command != "" {
				fmt.Fprintf(b, "  %s\n", row.Command)
			}
		}
	}
	if more := r.Count(Fail) + r.Count(Inconclusive) - r.listed() - maxDetails; more > 0 {
		fmt.Fprintf(b, "\n… and %d more\n", more)
	}
}

func (r Report) total(b *strings.Builder) {
	checks := 0
	for i := range r.Rows {
		checks += r.Rows[i].Checks
	}
	fmt.Fprintf(b, "\n%s: %d gradients, %d derivatives; %d passed, %d failed, %d inconclusive (%d listed); %.1f s",
		r.Verdict(), len(r.Rows), checks, r.Count(Pass), r.Count(Fail), r.Count(Inconclusive), r.listed(), r.Elapsed.Seconds())
	if r.Partial {
		b.WriteString("; interrupted, so partial")
	}
	for _, s := range r.Stale {
		fmt.Fprintf(b, "\nThe list of inconclusive rows has one that there is none of any more: %s", s)
	}
	b.WriteString("\nWORST is the largest part of a tolerance that was needed; POWER the smallest relative defect that would have been caught at every element.\n")
	r.judges(b)
	if r.SelfTest != nil {
		fmt.Fprintln(b, r.SelfTest.Summary())
	}
	if r.Thinned != nil {
		fmt.Fprintln(b, r.Thinned)
	}
}

// judges writes what the gradients were held against.
func (r Report) judges(b *strings.Builder) {
	count := map[string]int{}
	floored := 0
	for i := range r.Rows {
		count[r.Rows[i].Oracle]++
		floored += r.Rows[i].Floored
	}
	var parts []string
	for name, n := range count {
		if name != "" {
			parts = append(parts, fmt.Sprintf("%d by %s", n, name))
		}
	}
	slices.Sort(parts)
	if len(parts) > 0 {
		fmt.Fprintf(b, "Judged: %s. %d derivatives were so small that the floor of the scale alone judged them.\n", strings.Join(parts, ", "), floored)
	}
}
