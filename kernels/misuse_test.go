package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// A misuse is a call on what New or NewSums did not make, or with a nil that has no
// meaning: an error that names the argument, and no panic.
type misuse struct {
	name string
	run  func() error
	kind error
	arg  string
}

// misusedPlan has every method of a plan that is none.
func misusedPlan(name string, p *kernels.Plan[float32]) []misuse {
	ctx, x, y := context.Background(), make([]float32, 4), kernels.Labels(make([]uint8, 2))
	option := func(name string, run func() error) misuse { return misuse{name, run, kernels.ErrOption, "p"} }
	all := []misuse{
		option("Forward", func() error { _, err := p.Forward(ctx, x, y); return err }),
		option("Backward", func() error { return p.Backward(ctx, x, x, y, kernels.Value{}, once) }),
		option("ForwardBackward", func() error { _, err := p.ForwardBackward(ctx, x, x, y, once); return err }),
		option("Reduce", func() error { return p.Reduce(ctx, new(kernels.Sums), 0, x, y) }),
		option("Reduce into nil", func() error { return p.Reduce(ctx, nil, 0, x, y) }),
		option("Finish", func() error { _, err := p.Finish(new(kernels.Sums), 0); return err }),
		option("Confusion", func() error { return p.Confusion(ctx, new(kernels.Confusion), x, y) }),
		option("SetCoefs", func() error { return p.SetCoefs() }),
		{"Add to its sums", func() error { return p.NewSums(3).Add(p.NewSums(3)) }, kernels.ErrShape, "s"},
	}
	for i := range all {
		all[i].name = name + ": " + all[i].name
	}
	return all
}

func TestMisuse(t *testing.T) {
	ctx, l := context.Background(), mustParse(t, "dice + ce")
	spec := kernels.Spec{N: 1, C: 2, S: 2, Activation: kernels.Softmax}
	p, other := mustNew[float32](t, l, spec), mustNew[float32](t, mustParse(t, "dice"), spec)
	x, dx, y := make([]float32, 4), make([]float32, 4), kernels.Labels(make([]uint8, 2))
	sums, zero, nothing := p.NewSums(1), new(kernels.Sums), (*kernels.Sums)(nil)
	finish := func(s *kernels.Sums, row int) func() error {
		return func() error { _, err := p.Finish(s, row); return err }
	}
	newPlan := func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) func() error {
		return func() error { _, err := kernels.New[float64](l, s, o...); return err }
	}
	parse := func(expr string, custom ...kernels.Region) func() error {
		return func() error { _, err := kernels.Parse(expr, custom...); return err }
	}
	combine := func(terms ...kernels.Term) func() error {
		return func() error { _, err := kernels.Combine(terms...); return err }
	}
	all := append(misusedPlan("nil plan", nil), misusedPlan("zero plan", new(kernels.Plan[float32]))...)
	all = append(all, []misuse{
		{"zero loss", newPlan(kernels.Loss{}, spec), kernels.ErrOption, "l"},
		{"zero spec", newPlan(l, kernels.Spec{}), kernels.ErrShape, "s.C"},
		{"nil option", newPlan(l, spec, kernels.WithClip(1e-3), nil), kernels.ErrOption, "o"},
		{"unknown activation", newPlan(l, kernels.Spec{N: 1, C: 2, S: 2, Activation: 9}), kernels.ErrOption, "s.Activation"},
		{"unknown layout", newPlan(l, kernels.Spec{N: 1, C: 2, S: 2, Layout: 9}), kernels.ErrOption, "s.Layout"},
		{"nil region", parse("dice", mcc{}, nil), kernels.ErrOption, "custom"},
		{"region without a name", parse("dice", named("")), kernels.ErrOption, "custom"},
		{"term without a name", combine(kernels.Term{Coef: 1}), kernels.ErrOption, "terms"},
		{"region without a name in a term", combine(kernels.Term{Coef: 1, Region: named("")}), kernels.ErrOption, "terms"},
		{"no terms", combine(), kernels.ErrOption, "terms"},
		{"nil value of an option", combine(kernels.Term{Coef: 1, Name: "dice", Options: map[string]any{"smooth": nil}}), kernels.ErrOption, "terms"},
		{"zero target", func() error { _, err := p.Forward(ctx, x, kernels.Target{}); return err }, kernels.ErrShape, "t"},
		{"zero value", func() error { return p.Backward(ctx, dx, x, y, kernels.Value{}, once) }, kernels.ErrStale, "v"},
		{"Reduce into no sums", func() error { return p.Reduce(ctx, nothing, 0, x, y) }, kernels.ErrShape, "s"},
		{"Reduce into zero sums", func() error { return p.Reduce(ctx, zero, 0, x, y) }, kernels.ErrShape, "s"},
		{"Reduce into sums of another loss", func() error { return p.Reduce(ctx, other.NewSums(1), 0, x, y) }, kernels.ErrShape, "s"},
		{"Reduce into sums of no rows", func() error { return p.Reduce(ctx, p.NewSums(-1), 0, x, y) }, kernels.ErrShape, "row"},
		{"Reduce at a row far away", func() error { return p.Reduce(ctx, sums, math.MaxInt, x, y) }, kernels.ErrShape, "row"},
		{"Reduce at a row far before", func() error { return p.Reduce(ctx, sums, math.MinInt, x, y) }, kernels.ErrShape, "row"},
		{"Finish of no sums", finish(nothing, 0), kernels.ErrShape, "s"},
		{"Finish of zero sums", finish(zero, 0), kernels.ErrShape, "s"},
		{"Finish of sums of another loss", finish(other.NewSums(1), 0), kernels.ErrShape, "s"},
		{"Finish at a row far away", finish(sums, math.MaxInt), kernels.ErrShape, "row"},
		{"Add nothing", func() error { return sums.Add(nothing) }, kernels.ErrShape, "o"},
		{"Add zero sums", func() error { return sums.Add(zero) }, kernels.ErrShape, "o"},
		{"Add to nothing", func() error { return nothing.Add(sums) }, kernels.ErrShape, "s"},
		{"Add to zero sums", func() error { return zero.Add(sums) }, kernels.ErrShape, "s"},
		{"Add zero to zero", func() error { return zero.Add(new(kernels.Sums)) }, kernels.ErrShape, "s"},
		{"Confusion into nothing", func() error { return p.Confusion(ctx, nil, x, y) }, kernels.ErrOption, "m"},
		{"Confusion of negative classes", func() error { return p.Confusion(ctx, &kernels.Confusion{Classes: -2}, x, y) }, kernels.ErrShape, "m"},
		{"no coefficients", func() error { return p.SetCoefs() }, kernels.ErrShape, "coef"},
		{"activation without a name", func() error { _, err := kernels.ParseActivation(""); return err }, kernels.ErrOption, "activation"},
		{"layout without a name", func() error { _, err := kernels.ParseLayout(""); return err }, kernels.ErrOption, "layout"},
	}...)
	for _, m := range all {
		noPanic(t, m.name, func() {
			err := m.run()
			var a *kernels.ArgError
			if !errors.As(err, &a) || !errors.Is(err, m.kind) || a.Arg != m.arg {
				t.Errorf("%s: error %v; want one about %s that is %q", m.name, err, m.arg, m.kind)
			}
		})
	}
	if _, err := p.Forward(ctx, x, y); err != nil {
		t.Errorf("%v after all that", err)
	}
}

func noPanic(t *testing.T, name string, run func()) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panics with %v", name, r)
		}
	}()
	run()
}

// Where a misuse has no error to return it gives what there is: nothing.
func TestMisuseWithoutError(t *testing.T) {
	var plan *kernels.Plan[float64]
	var sums *kernels.Sums
	var m *kernels.Confusion
	var noContext context.Context
	p := mustNew[float64](t, mustParse(t, "dice"), kernels.Spec{N: 1, C: 2, S: 2})
	x := make([]float64, 4)
	for _, c := range []struct {
		name string
		run  func() any
		want any
	}{
		{"Backend of nil", func() any { return plan.Backend() }, ""},
		{"Backend of zero", func() any { return new(kernels.Plan[float64]).Backend() }, ""},
		{"Data of nil", func() any { return len(sums.Data()) }, 0},
		{"Data of zero", func() any { return len(new(kernels.Sums).Data()) }, 0},
		{"String of nil", func() any { return sums.String() }, "no sums"},
		{"String of zero", func() any { return new(kernels.Sums).String() }, "no sums"},
		{"Dice of nil", func() any { return math.IsNaN(m.Dice(0)) }, true},
		{"Dice before a batch", func() any { return math.IsNaN(new(kernels.Confusion).Dice(0)) }, true},
		{"IoU before a batch", func() any { return math.IsNaN(new(kernels.Confusion).IoU(3)) }, true},
		{"Dice of class -1", func() any { return math.IsNaN((&kernels.Confusion{Classes: 2, Counts: make([]float64, 4)}).Dice(-1)) }, true},
		{"IoU of class 2 of 2", func() any { return math.IsNaN((&kernels.Confusion{Classes: 2, Counts: []float64{1, 1, 1, 1}}).IoU(2)) }, true},
		{"Dice without counts", func() any { return math.IsNaN((&kernels.Confusion{Classes: 2}).Dice(0)) }, true},
		{"Dice of many classes", func() any { return math.IsNaN((&kernels.Confusion{Classes: 1 << 62, Counts: []float64{1}}).Dice(0)) }, true},
		{"Dice of negative classes", func() any { return math.IsNaN((&kernels.Confusion{Classes: -1, Counts: []float64{1}}).Dice(0)) }, true},
		{"terms of no loss", func() any { return fmt.Sprint(len(kernels.Loss{}.Terms()), kernels.Loss{}) }, "0 "},
		{"unknown activation", func() any { return kernels.Activation(200).String() }, "unknown"},
		{"unknown layout", func() any { return kernels.Layout(200).String() }, "unknown"},
		{"no context", func() any { _, err := p.Forward(noContext, x, kernels.Dense(x)); return err }, nil},
		{"sums of no rows", func() any { v, err := p.Finish(p.NewSums(0), 0); return fmt.Sprint(v.Loss, err) }, "0 <nil>"},
		{"row behind the last", func() any { _, err := p.Finish(p.NewSums(1), 1); return err }, nil},
	} {
		noPanic(t, c.name, func() {
			if got := c.run(); got != c.want {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		})
	}
}
