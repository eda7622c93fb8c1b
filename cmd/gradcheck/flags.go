package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/internal/shell"
	"github.com/segloss/segloss/kernels"
)

// An optional is the value of a flag that may not be given.
type optional[T any] struct {
	v   T
	set bool
}

// flagFunc defines a flag that parse reads.
func (o *optional[T]) flagFunc(fs *flag.FlagSet, name, usage string, parse func(string) (T, error)) {
	fs.Func(name, usage, func(s string) (err error) {
		o.v, err = parse(s)
		o.set = err == nil
		return err
	})
}

// settings are the flags that say what is computed, where and how.
type settings struct {
	loss       string
	activation optional[kernels.Activation]
	backend    optional[string]
	dtype      optional[string]
	clip       optional[float64]
}

func (s *settings) flags(fs *flag.FlagSet, lossUsage, activationUsage, dtypeUsage string) {
	fs.StringVar(&s.loss, "loss", "", lossUsage)
	s.activation.flagFunc(fs, "activation", activationUsage, kernels.ParseActivation)
	s.backend.flagFunc(fs, "backend", "`name` of the backend (default: SEGLOSS_BACKEND, else the best of this machine)", parseName)
	s.dtype.flagFunc(fs, "dtype", dtypeUsage, parseDtype)
	s.clip.flagFunc(fs, "clip", "the `bound` of probabilities in logarithms and powers, activation none only (default 1e-7)", parseClip)
}

func parseName(s string) (string, error) {
	if s == "" {
		return "", errors.New("want a name; gradcheck list shows them")
	}
	return s, nil
}

func parseDtype(s string) (string, error) {
	d, err := gradcheck.ParseDType(s)
	return d.String(), err
}

// options are the settings as a plan takes them.
func (s *settings) options() []kernels.Option {
	var o []kernels.Option
	if s.backend.set {
		o = append(o, kernels.WithBackend(s.backend.v))
	}
	if s.clip.set {
		o = append(o, kernels.WithClip(s.clip.v))
	}
	return o
}

// tensorFlags are the flags that say which tensors.
type tensorFlags struct {
	pred, target, weights string
	ignore                optional[int64]
	layout                optional[kernels.Layout]
}

func (f *tensorFlags) flags(fs *flag.FlagSet) {
	fs.StringVar(&f.pred, "pred", "", "prediction, a .npy `file`")
	fs.StringVar(&f.target, "target", "", "target, a .npy `file`")
	fs.StringVar(&f.weights, "weights", "", "weight of each position, a .npy `file`")
	f.ignore.flagFunc(fs, "ignore-index", "the `label` of positions that do not count",
		func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	f.layout.flagFunc(fs, "layout", "`ncs` or nsc, the order of channels and positions (default of tensors: ncs)", kernels.ParseLayout)
}

// read reads the tensors. Where no activation was given, the prediction has to be
// what none is for.
func (f *tensorFlags) read(act optional[kernels.Activation]) (*problem, error) {
	if f.pred == "" || f.target == "" {
		return nil, errors.New("-pred and -target must both be given")
	}
	p, err := readProblem(f.pred, f.target, f.weights, act.v, f.layout.v)
	if err != nil {
		return nil, err
	}
	if f.ignore.set && !p.labels {
		return nil, argument("-ignore-index", fmt.Errorf("%d: %s is a dense target, which has no labels; leave positions out by -weights", f.ignore.v, f.target))
	}
	exists, err := p.existing(f.ignore)
	if err != nil {
		return nil, err
	}
	if !act.set {
		if err := p.checkProbabilities(exists); err != nil {
			return nil, argument("-pred", err)
		}
	}
	if p.labels {
		return p, nil
	}
	if err := p.checkDense(exists); err != nil {
		return nil, argument("-target", err)
	}
	return p, nil
}

// inputFlags are the flags that say which inputs of the table are checked.
type inputFlags struct {
	edges []string
	seed  uint64
}

func (f *inputFlags) flags(fs *flag.FlagSet) {
	fs.Func("edge", "the `kind` of input to check, such as 'single pixel' or brain; may be given several times (default: all)",
		func(s string) error {
			f.edges = append(f.edges, s)
			return nil
		})
	fs.Uint64Var(&f.seed, "seed", 0, "`number` that draws other inputs, directions and samples")
}

// tensorsCommand returns the command line that checks a row on the tensors again. It
// has -dtype only where that was given, since values are rounded to float32
// where both types are checked.
func (c *checking) tensorsCommand(r gradcheck.Row) string {
	args := []string{"gradcheck", "check", "-loss", r.Loss, "-pred", c.tensors.pred, "-target", c.tensors.target}
	add := func(set bool, flag string, value any) {
		if set {
			args = append(args, flag, fmt.Sprint(value))
		}
	}
	add(c.tensors.weights != "", "-weights", c.tensors.weights)
	add(c.tensors.ignore.set, "-ignore-index", c.tensors.ignore.v)
	add(true, "-activation", r.Activation)
	add(c.clip.set, "-clip", c.clip.v)
	add(true, "-backend", r.Backend)
	add(c.dtype.set, "-dtype", c.dtype.v)
	add(true, "-layout", r.Layout)
	add(true, "-seed", c.inputs.seed)
	return shell.Join(args...)
}
