package gradcheck

import (
	"context"
	"math"
	"slices"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/kernels"
)

// Bounds returns how far each element of the float64 gradient of l on in may be
// from the exact one, by the accuracy that the losses promise: (K + 4·spread)·u
// of the sum of the absolute values of the terms that make it up. The elements
// are in planar order, and the bound is 0 where there is no position. The error
// is that of the kernels where they refuse the input, or that of the context.
func Bounds(ctx context.Context, l kernels.Loss, in Input) ([]float64, error) {
	p, err := in.problem()
	if err != nil {
		return nil, err
	}
	b, err := newBench(ctx, p, custom(l))
	if err != nil {
		return nil, err
	}
	scale, err := b.allScales(ctx)
	if err != nil {
		return nil, err
	}
	return b.bounds(kFloat64, uFloat64, b.elements, scale[0], make([]float64, len(p.x))), nil
}

// allScales returns the scales of every element, by loss.
func (b *bench) allScales(ctx context.Context) ([][]float64, error) {
	b.elements = make([]int, len(b.p.x))
	for i := range b.elements {
		b.elements[i] = i
	}
	return b.scope.scales(ctx, b.elements)
}

// Rounding is the rounding errors of the gradients that one backend computes in
// one type. An error is (computed − right) / (u·scale), with u the type's unit
// roundoff and scale the sum of the absolute values of the terms that make the
// element up: what the losses promise to keep below K, which is 64 for float32
// and 512 for float64, and 4·spread more under an activation.
type Rounding struct {
	Backend string
	DType   DType
	K       float64   // what is promised, for given probabilities
	Errors  []float64 // of all elements that are not exactly 0 in every arithmetic
}

// Roundings measures the rounding errors of l, or of every loss with its default
// options where l is nil, over the table of small tensors, by backend and type.
// A float64 gradient is held against the exact one, a float32 one against that
// of float64. Elements that no oracle answers for are left out. The error is as
// for [All]; of Options, the layouts are not used.
func Roundings(ctx context.Context, l *kernels.Loss, o Options) ([]Rounding, error) {
	o.Layouts = nil
	ways, err := o.ways(kernels.NCS)
	if err != nil {
		return nil, err
	}
	out := make([]Rounding, len(ways))
	for i, w := range ways {
		out[i] = Rounding{Backend: w.backend, DType: w.dtype, K: kFloat64}
		if w.dtype == Float32 {
			out[i].K = kFloat32
		}
	}
	tests := o.testcases()
	p := &progress{tell: o.Progress, total: len(tests)}
	for _, t := range tests {
		vs, err := t.plain(l)
		if err != nil {
			return nil, err
		}
		if len(vs) > 0 {
			if err := t.roundings(ctx, vs, ways, out); err != nil {
				return nil, err
			}
		}
		p.step(costOfCase, edges[t.edge].name)
	}
	return out, nil
}

// plain returns the given loss where it fits the case, or every loss that does,
// with its default options.
func (t testcase) plain(l *kernels.Loss) ([]variant, error) {
	if l != nil {
		if fits(*l, t.activation, t.classes()) != nil {
			return nil, nil
		}
		return custom(*l), nil
	}
	all, err := listed(t.classes())
	return slices.DeleteFunc(all, func(v variant) bool { return !v.whole }), err
}

// roundings adds the errors of one case to those of each way.
func (t testcase) roundings(ctx context.Context, vs []variant, ways []way, out []Rounding) error {
	b, err := newBench(ctx, t.problem(), vs)
	if err != nil {
		return err
	}
	scale, err := b.allScales(ctx)
	if err != nil {
		return err
	}
	for i, v := range vs {
		double, err := b.gradient(ctx, v.loss, way{backend: reference(), dtype: Float64, layout: kernels.NCS})
		if err != nil {
			return err
		}
		_, right, err := b.p.ask(ctx, v.loss, exact.Big) // whose own error does not count
		if err != nil {
			return err
		}
		for k, w := range ways {
			g, err := b.gradient(ctx, v.loss, w)
			if err != nil {
				return err
			}
			u, want := uFloat64, right
			if w.dtype == Float32 {
				u, want = uFloat32, double.dx
			}
			out[k].add(want, g.dx, scale[i], u)
		}
	}
	return nil
}

// add enters the errors of one gradient. There are none to enter where want is
// nil.
func (r *Rounding) add(want, got, scale []float64, u float64) {
	for i, w := range want {
		own, gap := max(scale[i], math.Abs(w)), got[i]-w
		if !(own > 0) || !finite(gap) {
			continue
		}
		if math.Abs(gap) <= underflow {
			gap = 0 // granted beside
		}
		r.Errors = append(r.Errors, gap/(u*own))
	}
}
