package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/internal/exact"
)

const usagePoint = `Usage: gradcheck point -loss expression -p number -t number [-smooth number] [-json]

Point looks at the derivative of a loss by the probability p of a single pixel
with the target t, such as

	gradcheck point -loss dice -p 1e-6 -t 1e-6 -smooth 0

It prints the derivative in closed form, as the kernels compute it, exactly (in
arithmetic of any precision, rounded at the end), as estimated by finite
differences, with the ladder of steps that the estimate comes from, and by one
central difference with a step of 1e-6; and by how much a relative error of p or
t is multiplied in it. The exit code is 1 where the kernels' value is further
from the exact one than the losses promise.

The loss is one term of any kind that one class is enough for. An option in the
expression wins over -smooth.
`

// A pointing is one run of point.
type pointing struct {
	loss         string
	p, t, smooth optional[float64]
	json         bool
}

func setupPoint(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	var c pointing
	fs.StringVar(&c.loss, "loss", "", "the loss `expression`, of one term, required")
	c.p.flagFunc(fs, "p", "the `probability`, required", parseUnit)
	c.t.flagFunc(fs, "t", "the `target`, required", parseUnit)
	c.smooth.flagFunc(fs, "smooth", "smooth_nr and smooth_dr, a `number` (default: the loss's)", parseSmooth)
	fs.BoolVar(&c.json, "json", false, "write one JSON object")
	return c.run
}

// pointReport is what point writes.
type pointReport struct {
	Loss        string      `json:"loss"`
	P           jsonNumber  `json:"p"`
	T           jsonNumber  `json:"t"`
	Formula     string      `json:"formula,omitempty"`
	ClosedForm  *jsonNumber `json:"closed_form,omitempty"`
	Analytic    jsonNumber  `json:"analytic"`
	Exact       jsonNumber  `json:"exact"`
	Oracle      string      `json:"oracle"` // arithmetic of the exact value
	Estimate    jsonNumber  `json:"estimate"`
	EstimateErr jsonNumber  `json:"estimate_err"` // claimed
	Step        jsonNumber  `json:"step"`
	Evals       int         `json:"evals"`
	Naive       jsonNumber  `json:"naive"`
	ConditionP  jsonNumber  `json:"condition_p"`
	ConditionT  jsonNumber  `json:"condition_t"`
	Second      jsonNumber  `json:"second"` // derivative
	Bound       jsonNumber  `json:"bound"`  // of |analytic − exact|
	Right       bool        `json:"right"`
	Ladder      []pointStep `json:"ladder"`

	estimate gradcheck.Estimate
	frozen   bool // the gradient is, by an option, not the derivative of the loss
}

// pointStep is one step of the ladder.
type pointStep struct {
	Width    jsonNumber `json:"width"`
	Slope    jsonNumber `json:"slope"`
	Value    jsonNumber `json:"value"`
	Err      jsonNumber `json:"err"`
	Roundoff jsonNumber `json:"roundoff"`
}

func (c *pointing) run(ctx context.Context, stdout, _ io.Writer) (int, error) {
	x, err := newPixel(c.loss, c.smooth)
	if err != nil {
		return exitUsage, err
	}
	if !c.p.set || !c.t.set {
		return exitUsage, errors.New("-p and -t must both be given")
	}
	r, err := x.look(ctx, c.p.v, c.t.v)
	if err != nil {
		return exitUsage, err
	}
	code := exitOK
	if !r.Right {
		code = exitFailed
	}
	if c.json {
		return code, writeJSON(stdout, r)
	}
	return code, r.writeText(stdout)
}

// naiveStep is the step of the central difference that is shown for comparison,
// the default of PyTorch's checker.
const naiveStep = 1e-6

// look computes all that there is to say about the derivative at p and t.
func (x *pixel) look(ctx context.Context, p, t float64) (pointReport, error) {
	r := pointReport{Loss: x.loss.String(), P: jsonNumber(p), T: jsonNumber(t)}
	right, by, err := x.exactly(p, t)
	if err != nil {
		return r, err
	}
	bound, err := gradcheck.Bounds(ctx, x.loss, gradcheck.Input{N: 1, C: 1, S: 1, Pred: []float64{p}, Dense: []float64{t}})
	if err != nil {
		return r, argument("-loss", err)
	}
	_, analytic := x.gradient(p, t)
	r.Analytic, r.Exact, r.Oracle = jsonNumber(analytic), jsonNumber(right.DP), string(by)
	r.judge(bound[0])
	r.frozen = x.term.Options["detach"] == true
	if f, ok := formulaOf(x.term); ok {
		v := jsonNumber(f.value(p, t))
		r.Formula, r.ClosedForm = f.text, &v
	}
	f := x.value(t)
	lo, hi := x.room(p, t)
	var ladder []gradcheck.Step
	r.estimate, ladder = gradcheck.Trace(f, p, lo, hi)
	r.Estimate, r.EstimateErr = jsonNumber(r.estimate.Value), jsonNumber(r.estimate.Err)
	r.Step, r.Evals = jsonNumber(r.estimate.Step), r.estimate.Evals
	for _, s := range ladder {
		r.Ladder = append(r.Ladder, pointStep{jsonNumber(s.Width), jsonNumber(s.Slope), jsonNumber(s.Value), jsonNumber(s.Err), jsonNumber(s.Roundoff)})
	}
	r.Naive = jsonNumber((f(p+naiveStep) - f(p-naiveStep)) / (2 * naiveStep))
	r.Second = jsonNumber(right.DPP)
	r.ConditionP = jsonNumber(condition(p, right.DPP, right.DP))
	r.ConditionT = jsonNumber(condition(t, right.DPT, right.DP))
	return r, nil
}

// judge compares the kernels' value with the exact one. The bound grows with
// what the value is made of, and at least with the value.
func (r *pointReport) judge(bound float64) {
	want, got := float64(r.Exact), float64(r.Analytic)
	bound = math.Max(bound, 512*0x1p-53*math.Abs(want))
	r.Bound = jsonNumber(bound)
	same := want == got || math.IsNaN(want) && math.IsNaN(got)
	r.Right = same || math.Abs(want-got) <= bound && !math.IsInf(want, 0)
}

func (r *pointReport) writeText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s of one pixel, p = %s, t = %s\n\n", tidy(r.Loss), exactly(float64(r.P)), exactly(float64(r.T)))
	if r.Formula != "" {
		fmt.Fprintf(&b, "∂L/∂p = %s\n\n", r.Formula)
	}
	r.writeValues(&b)
	fmt.Fprintf(&b, "\n∂²L/∂p² = %s. %s\n\n", format(float64(r.Second), 6), r.conditions())
	r.writeLadder(&b)
	verdict := "PASS"
	if !r.Right {
		verdict = "FAIL"
	}
	fmt.Fprintf(&b, "\n%s: analytic and exact value are %s apart; the losses promise %s.\n",
		verdict, format(math.Abs(float64(r.Analytic)-float64(r.Exact)), 3), format(float64(r.Bound), 3))
	_, err := w.Write(trailing.ReplaceAll(b.Bytes(), nil))
	return err
}

// writeValues prints the derivative from every source, with how far it is off.
func (r *pointReport) writeValues(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	right := float64(r.Exact)
	if r.ClosedForm != nil && !math.IsNaN(float64(*r.ClosedForm)) {
		fmt.Fprintf(t, "closed form\t%s\toff by %s\tin float64\n", exactly(float64(*r.ClosedForm)), off(float64(*r.ClosedForm), right))
	}
	fmt.Fprintf(t, "analytic\t%s\toff by %s\tby the kernels, in float64\n", exactly(float64(r.Analytic)), off(float64(r.Analytic), right))
	fmt.Fprintf(t, "exact\t%s\t\t%s, rounded at the end\n", exactly(right), arithmetics[exact.Oracle(r.Oracle)])
	fmt.Fprintf(t, "estimate\t%s ± %s\toff by %s\t%s\n", exactly(float64(r.Estimate)), format(float64(r.EstimateErr), 2), off(float64(r.Estimate), right), r.how())
	fmt.Fprintf(t, "naive\t%s\toff by %s\tone central difference with step %s\n", format(float64(r.Naive), 12), off(float64(r.Naive), right), format(naiveStep, 2))
	t.Flush()
	if r.frozen {
		fmt.Fprintln(w, "With detach=true the gradient holds the weight constant, which no difference does.")
	}
}

// conditions says what an error of p or t does to the derivative.
func (r *pointReport) conditions() string {
	if r.Exact == 0 {
		return "A derivative of 0 has no relative error."
	}
	return fmt.Sprintf("A relative error is multiplied by %s from p and by %s from t.", short(float64(r.ConditionP)), short(float64(r.ConditionT)))
}

// arithmetics says how an oracle computes.
var arithmetics = map[exact.Oracle]string{exact.Rational: "in fractions", exact.Big: "in 256 bits"}

// how says how the estimate was made.
func (r *pointReport) how() string {
	e := r.estimate
	switch {
	case e.Divergent:
		return fmt.Sprintf("the differences diverge like step^%s", format(e.Exponent, 3))
	case e.Kink:
		return fmt.Sprintf("a kink: the slopes on its sides are %s and %s", format(e.Lo, 9), format(e.Hi, 9))
	}
	sides := "differences"
	if e.OneSided {
		sides = "one-sided differences"
	}
	return fmt.Sprintf("%s down to a step of %s, %d evaluations", sides, format(e.Step, 2), e.Evals)
}

// off says how far a value is from the right one: in per cent where that is
// much, else relative to it.
func off(v, right float64) string {
	switch d := relative(v, right); {
	case d == 0:
		return "0"
	case math.IsNaN(d) || math.IsInf(d, 0):
		return format(math.Abs(v-right), 2)
	case d >= 0.001:
		return format(100*d, 3) + "%"
	default:
		return format(d, 2)
	}
}

// longest is the number of steps that are printed; of more, the middle ones are
// left out.
const longest = 20

// writeLadder prints the steps, the widest first.
func (r *pointReport) writeLadder(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "width\tslope\textrapolated\tclaimed error\tround-off\ttrue error")
	for i, s := range r.Ladder {
		if skip := len(r.Ladder) - longest; skip > 0 && i >= longest/2 && i < longest/2+skip {
			if i == longest/2 {
				fmt.Fprintf(t, "… %d more\t\t\t\t\t\n", skip)
			}
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", format(float64(s.Width), 3), format(float64(s.Slope), 12), format(float64(s.Value), 15),
			format(float64(s.Err), 2), format(float64(s.Roundoff), 2), format(math.Abs(float64(s.Value-r.Exact)), 2))
	}
	t.Flush()
}
