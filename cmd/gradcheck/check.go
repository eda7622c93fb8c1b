package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/kernels"
)

const usageCheck = `Usage: gradcheck check [flags]
       gradcheck check -pred file -target file [flags]

Check compares losses and gradients with finite differences taken in float64,
and prints a table. Without tensors it runs its own: every combination of what
the flags leave open, and without -loss the real volume too, as gradcheck alone
does. With tensors it checks on those, in float32 and float64 whatever their own
type. Gradcheck help eval says which they are; of two axes, [C,S] or with -layout nsc
[S,C], they are one sample.

Over every loss the check is thinned to take about a minute: each kind of input meets
each kind of target under one activation, and the real volume has fewer directions, and
fewer gradients of all backends but the best. The last lines say how much that is; -full
leaves nothing out, nor does a check with -loss, -edge, -target or tensors.

The flags -edge, -target without -pred, and -seed pick some of the tables' inputs,
or draw others. A row that does not pass is printed with the command that checks
it alone again. With -json the output is lines of JSON: a header, one for every
row, and the total.

Without -backend it checks on every backend of this machine, or on the one that
the environment variable SEGLOSS_BACKEND names. The backend cuda, the first GPU, is
checked only where it is named; with SEGLOSS_CUDA=sim it is the interpreter of the GPU's
kernels, on every machine, and the table is a thinner one without the real volume.
`

// A checking is one run of check.
type checking struct {
	settings
	tensors tensorFlags
	inputs  inputFlags
	verbose bool
	json    bool
	full    bool
	self    bool
}

func setupCheck(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	var c checking
	c.settings.flags(fs, "the loss `expression` (default: every loss)",
		"`none`, sigmoid or softmax (default: all that apply; with -pred none, for values in [0,1])",
		"check `f32` or f64 (default: both)")
	c.tensors.flags(fs)
	fs.Lookup("target").Usage = "with -pred a .npy `file`; else the kind of target to check, such as 'uint8, weights'"
	c.inputs.flags(fs)
	c.outputs(fs)
	return c.run
}

func setupAll(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	var c checking
	c.backend.flagFunc(fs, "backend", "check this backend alone, by `name` (default: all, or SEGLOSS_BACKEND)", parseName)
	fs.StringVar(&c.tensors.target, "target", "", "the `kind` of target to check, such as 'uint8, weights' (default: all)")
	c.inputs.flags(fs)
	c.outputs(fs)
	fs.BoolVar(&c.self, "selftest", false, "put wrong gradients of every loss with every option to the checker, and print what came of it")
	return c.run
}

// outputs defines the flags that say what is printed, and of how much.
func (c *checking) outputs(fs *flag.FlagSet) {
	fs.BoolVar(&c.verbose, "v", false, "print every check")
	fs.BoolVar(&c.json, "json", false, "print lines of JSON instead of tables")
	fs.BoolVar(&c.full, "full", false, "leave nothing out, which takes some three times as long")
}

func (c *checking) run(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	loss, err := c.parseLoss()
	if err != nil {
		return exitUsage, argument("-loss", err)
	}
	o, err := c.checkOptions()
	if err != nil {
		return exitUsage, err
	}
	line := newProgress(stderr)
	o.Progress = line.show
	if c.self {
		s, err := gradcheck.RunSelfTest(ctx, o)
		line.erase()
		return c.selfTest(s, stdout, err)
	}
	var r gradcheck.Report
	switch {
	case c.ownTensors():
		r, err = c.checkTensors(ctx, loss, o)
	case loss != nil:
		r, err = gradcheck.Loss(ctx, *loss, o)
	default:
		r, err = gradcheck.All(ctx, o)
	}
	line.erase()
	if err != nil && !(r.Partial && errors.Is(err, context.Canceled)) {
		return exitUsage, inputError(err)
	}
	return c.report(r, stdout, err)
}

// ownTensors reports whether a flag was given that makes sense with tensors
// only. A target alone is the kind to check.
func (c *checking) ownTensors() bool {
	t := c.tensors
	return t.pred != "" || t.weights != "" || t.ignore.set || c.clip.set
}

// inputError says which flag an error about the kinds of input is about.
func inputError(err error) error {
	var a *kernels.ArgError
	if !errors.As(err, &a) {
		return err
	}
	switch a.Arg {
	case "edges":
		return fmt.Errorf("-edge %v: %w", a.Value, a.Err)
	case "targets":
		return fmt.Errorf("-target %v, without -pred: %w", a.Value, a.Err)
	}
	return err
}

// parseLoss returns nil for every loss.
func (c *checking) parseLoss() (*kernels.Loss, error) {
	if c.loss == "" {
		return nil, nil
	}
	l, err := kernels.Parse(c.loss)
	return &l, err
}

// checkOptions narrows the check to what the flags say.
func (c *checking) checkOptions() (o gradcheck.Options, err error) {
	if c.activation.set {
		o.Activations = []kernels.Activation{c.activation.v}
	}
	if c.tensors.layout.set {
		o.Layouts = []kernels.Layout{c.tensors.layout.v}
	}
	if c.dtype.set {
		d, err := gradcheck.ParseDType(c.dtype.v)
		if err != nil {
			return o, argument("-dtype", err)
		}
		o.DTypes = []gradcheck.DType{d}
	}
	if c.backend.set {
		o.Backends = []string{c.backend.v}
	} else if name := os.Getenv(kernels.BackendEnv); name != "" {
		o.Backends = []string{name}
	}
	if slices.Contains(o.Backends, cudaBackend) {
		d, err := cudaDevice()
		if err != nil {
			return o, &kernels.ArgError{Arg: "backend", Index: -1, Value: cudaBackend, Err: err}
		}
		o.Devices = []gradcheck.Device{d}
		if interpreted() {
			o.Level = gradcheck.Short
		}
	}
	if c.full {
		o.Level = gradcheck.Full
	}
	o.Edges, o.Seed = c.inputs.edges, c.inputs.seed
	switch {
	case c.ownTensors() && o.Edges != nil:
		return o, argument("-edge", errors.New("the tensors of the other flags are all the input"))
	case c.tensors.target != "" && !c.ownTensors():
		o.Targets = []string{c.tensors.target}
	}
	return o, nil
}

// checkTensors checks one loss, or every one that the shape allows, on the
// tensors of the flags.
func (c *checking) checkTensors(ctx context.Context, loss *kernels.Loss, o gradcheck.Options) (r gradcheck.Report, err error) {
	p, err := c.tensors.read(c.activation)
	if err != nil {
		return r, err
	}
	in, err := p.input()
	if err != nil {
		return r, err
	}
	in.Clip = c.clip.v
	if c.tensors.ignore.set {
		in.Ignore = &c.tensors.ignore.v
	}
	losses := []kernels.Loss{}
	if loss != nil {
		losses = append(losses, *loss)
	} else if losses, err = allLosses(in.C); err != nil {
		return r, err
	}
	tell := o.Progress
	for i, l := range losses {
		o.Progress = func(done, total int, what string) {
			tell(i*total+done, len(losses)*total, l.String()+", "+what)
		}
		one, err := gradcheck.Tensors(ctx, l, in, o)
		for i := range one.Rows {
			one.Rows[i].Command = c.tensorsCommand(one.Rows[i])
		}
		r.Seed = one.Seed
		r.Rows = append(r.Rows, one.Rows...)
		r.Elapsed += one.Elapsed
		r.Partial = one.Partial
		if err != nil {
			return r, p.locate(err)
		}
	}
	return r, nil
}

// allLosses returns every loss that can be computed on c classes.
func allLosses(c int) (losses []kernels.Loss, err error) {
	for _, in := range kernels.Losses() {
		if in.Categorical && c < 2 {
			continue
		}
		l, err := kernels.Parse(in.Name)
		if err != nil {
			return nil, err
		}
		losses = append(losses, l)
	}
	return losses, nil
}

// input is the problem as the library takes it.
func (p *problem) input() (gradcheck.Input, error) {
	in := gradcheck.Input{
		N: p.spec.N, C: p.spec.C, S: p.spec.S,
		Activation: p.spec.Activation, Layout: p.spec.Layout,
		Pred: floats[float64](p.pred),
	}
	if p.labels {
		var err error
		if in.Labels, err = integers(p.target); err != nil {
			return in, argument("-target", err)
		}
	} else {
		in.Dense = floats[float64](p.target)
	}
	if p.weights != nil {
		in.Weights = floats[float32](p.weights)
	}
	return in, nil
}

// report prints what was found, and returns the exit code. The error is that
// of an interrupted check.
func (c *checking) report(r gradcheck.Report, stdout io.Writer, interrupted error) (int, error) {
	var b bytes.Buffer
	write := r.Print
	if c.json {
		write = r.JSON
	} else if c.verbose {
		writeRows(&b, r.Rows)
	}
	if err := write(&b); err != nil {
		return exitUsage, err
	}
	if _, err := stdout.Write(b.Bytes()); err != nil {
		return exitUsage, err
	}
	return exitCode(r.Verdict()), interrupted
}

// selfTest prints the outcome of the self-test alone, and returns the exit code.
func (c *checking) selfTest(s *gradcheck.SelfTest, stdout io.Writer, err error) (int, error) {
	if err != nil && !s.Partial {
		return exitUsage, err
	}
	var b bytes.Buffer
	write := s.Print
	if c.json {
		write = gradcheck.Report{SelfTest: s, Partial: s.Partial, Elapsed: s.Elapsed}.JSON
	}
	if err := write(&b); err != nil {
		return exitUsage, err
	}
	if _, err := stdout.Write(b.Bytes()); err != nil {
		return exitUsage, err
	}
	return exitCode(s.Verdict()), err
}

// exitCode is the exit code of a verdict.
func exitCode(v gradcheck.Verdict) int {
	switch v {
	case gradcheck.Fail:
		return exitFailed
	case gradcheck.Inconclusive:
		return exitInconclusive
	}
	return exitOK
}

// writeRows prints every check on a line of its own.
func writeRows(w io.Writer, rows []gradcheck.Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "verdict\tloss\tactivation\ttarget\tedge\tbackend\tdtype\tlayout\tchecks\tpower\treason")
	for _, r := range rows {
		fmt.Fprintf(t, "%v\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%.1e\t%s\n",
			r.Verdict, r.Loss, r.Activation, r.Target, r.Edge, r.Backend, r.DType, r.Layout, r.Checks, r.Power, r.Reason)
	}
	t.Flush()
	fmt.Fprintln(w)
}
