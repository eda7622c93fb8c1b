package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/segloss/segloss/kernels"
)

const usageEval = `Usage: gradcheck eval -loss expression -pred file -target file [flags]

Eval computes a loss and its gradient with respect to the prediction, such as

	gradcheck eval -loss "gdl + 0.5*ce" -activation softmax -pred logits.npy -target labels.npy

The files are .npy files, in C or Fortran order, of any byte order.

	prediction  float32 or float64: [N,C,S], [N,C,H,W] or [N,C,D,H,W], or [C,S],
	            which is one sample; with -layout nsc [N,S,C], [N,H,W,C],
	            [N,D,H,W,C], or [S,C], which is one sample. Without -activation it
	            has to hold probabilities, in [0,1]
	target      dense: the prediction's shape; float in [0,1], or integer or bool
	            holding 0 and 1; or a label map: integer or bool of the
	            prediction's shape without C (with C = 1 also of its full shape)
	weights     float, integer or bool, of the label map's shape; rounded to
	            float32, which must not make them 0 or infinite

What is at a position of weight 0, or with the label of -ignore-index, does not
matter. Prediction and dense target are rounded to -dtype.

The gradient file has the prediction's shape and -dtype. One that is there is
replaced only when all went well, and keeps its mode; it must be none of the files
above, nor read-only. Links are followed.

With -json, one object: loss (the canonical expression), value, terms (name,
coef, value of each), backend, dtype, shape, grad_norm (Euclidean) and seconds
(of the computation). A number that is not finite is the string "NaN", "+Inf"
or "-Inf".
`

// An evaluation is one run of eval.
type evaluation struct {
	settings
	tensors tensorFlags
	workers int
	grad    string
	json    bool
}

func setupEval(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	var e evaluation
	e.settings.flags(fs, "the loss `expression`, required",
		"`none`, sigmoid or softmax: how the prediction turns into probabilities (default none, for values in [0,1])",
		"compute in `f32` or f64 (default: the prediction's own)")
	e.tensors.flags(fs)
	fs.IntVar(&e.workers, "workers", 0, "`number` of goroutines; 0 is one for each processor")
	fs.StringVar(&e.grad, "grad", "", "write the gradient to this .npy `file`")
	fs.BoolVar(&e.json, "json", false, "write one JSON object")
	return e.run
}

// evalReport is what eval writes.
type evalReport struct {
	Loss     string     `json:"loss"`
	Value    jsonNumber `json:"value"`
	Terms    []evalTerm `json:"terms"`
	Backend  string     `json:"backend"`
	Dtype    string     `json:"dtype"`
	Shape    []int      `json:"shape"`
	GradNorm jsonNumber `json:"grad_norm"`
	Seconds  float64    `json:"seconds"`
}

type evalTerm struct {
	Name  string     `json:"name"`
	Coef  jsonNumber `json:"coef"`
	Value jsonNumber `json:"value"`
}

// A jsonNumber is a number that may be NaN or infinite, which JSON has no
// numbers for: those are strings.
type jsonNumber float64

func (x jsonNumber) String() string { return strconv.FormatFloat(float64(x), 'g', -1, 64) }

func (x jsonNumber) MarshalJSON() ([]byte, error) {
	if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte(strconv.Quote(x.String())), nil
	}
	return []byte(x.String()), nil
}

func (e *evaluation) run(ctx context.Context, stdout, _ io.Writer) (int, error) {
	if e.loss == "" {
		return exitUsage, errors.New("-loss must be given, such as -loss dice")
	}
	loss, err := kernels.Parse(e.loss)
	if err != nil {
		return exitUsage, argument("-loss", err)
	}
	p, err := e.tensors.read(e.activation)
	if err != nil {
		return exitUsage, err
	}
	if err := e.checkGrad(); err != nil {
		return exitUsage, err
	}
	evaluate := evaluateIn[float32]
	if e.dtype.v == "f64" || !e.dtype.set && p.pred.dtype == "float64" {
		evaluate = evaluateIn[float64]
	}
	r, writeGrad, err := evaluate(ctx, e, loss, p)
	if err != nil {
		return exitUsage, err
	}
	if e.grad != "" {
		if err := replaceFile(e.grad, writeGrad); err != nil {
			return exitUsage, argument("-grad", fmt.Errorf("%s: %w", e.grad, err))
		}
	}
	if e.json {
		return exitOK, writeJSON(stdout, r)
	}
	return exitOK, r.writeText(stdout)
}

// checkGrad looks at where the gradient is to go, before it is computed.
func (e *evaluation) checkGrad() error {
	if e.grad == "" {
		return nil
	}
	at, err := destination(e.grad)
	if err != nil {
		return argument("-grad", fmt.Errorf("%s: %w", e.grad, err))
	}
	for _, in := range []struct{ flag, file string }{{"-pred", e.tensors.pred}, {"-target", e.tensors.target}, {"-weights", e.tensors.weights}} {
		if at.is(in.file) {
			return argument("-grad", fmt.Errorf("%s is the file of %s, %s, which the gradient would replace", e.grad, in.flag, in.file))
		}
	}
	if report, err := os.Stdout.Stat(); err == nil && at.info != nil && at.info.Mode().IsRegular() && os.SameFile(at.info, report) {
		return argument("-grad", fmt.Errorf("%s is where the standard output goes, which the gradient would replace", e.grad))
	}
	return nil
}

// evaluateIn computes the loss and its gradient in T. The function returned
// with the report writes the gradient as a .npy file.
func evaluateIn[T kernels.Float](ctx context.Context, e *evaluation, loss kernels.Loss, p *problem) (*evalReport, func(io.Writer) error, error) {
	o := append(e.options(), kernels.WithWorkers(e.workers))
	if e.tensors.ignore.set {
		o = append(o, kernels.WithIgnore(e.tensors.ignore.v))
	}
	plan, err := kernels.New[T](loss, p.spec, o...)
	if err != nil {
		return nil, nil, p.locate(err)
	}
	target, err := targetOf[T](p)
	if err != nil {
		return nil, nil, err
	}
	x := floats[T](p.pred)
	dx := make([]T, len(x))
	start := time.Now()
	v, err := plan.ForwardBackward(ctx, dx, x, target, kernels.Grad{Scale: 1})
	if err != nil {
		return nil, nil, p.locate(err)
	}
	r := &evalReport{
		Seconds:  time.Since(start).Seconds(),
		Loss:     loss.String(),
		Value:    jsonNumber(v.Loss),
		Terms:    []evalTerm{},
		Backend:  plan.Backend(),
		Dtype:    dtypeOf(dx),
		Shape:    p.pred.shape,
		GradNorm: jsonNumber(norm(dx)),
	}
	for _, t := range v.Terms {
		r.Terms = append(r.Terms, evalTerm{t.Name, jsonNumber(t.Coef), jsonNumber(t.Value)})
	}
	return r, func(w io.Writer) error { return writeNPY(w, p.pred.shape, dx) }, nil
}

func dtypeOf[T kernels.Float](v []T) string {
	if _, ok := any(v).([]float32); ok {
		return "f32"
	}
	return "f64"
}

// norm returns the Euclidean norm of v, also where the squares are out of range.
func norm[T kernels.Float](v []T) float64 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x))) // NaN where there is one
	}
	if largest == 0 || math.IsInf(largest, 0) || math.IsNaN(largest) {
		return largest
	}
	sum := 0.0
	for _, x := range v {
		y := float64(x) / largest
		sum += y * y
	}
	return largest * math.Sqrt(sum)
}

func (r *evalReport) writeText(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t= %v\n", r.Loss, r.Value)
	for _, term := range r.Terms {
		fmt.Fprintf(t, "  %v * %s\t%v\n", term.Coef, term.Name, term.Value)
	}
	fmt.Fprintf(t, "shape\t%v\n", r.Shape)
	fmt.Fprintf(t, "dtype\t%s\n", r.Dtype)
	fmt.Fprintf(t, "backend\t%s\n", r.Backend)
	fmt.Fprintf(t, "gradient norm\t%v\n", r.GradNorm)
	fmt.Fprintf(t, "time\t%v\n", time.Duration(r.Seconds*1e9).Round(time.Microsecond))
	t.Flush()
	_, err := w.Write(b.Bytes())
	return err
}
