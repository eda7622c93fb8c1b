package gradcheck

import (
	"context"
	"math"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// A union evaluates many losses at once: one expression has the terms of all,
// so that one pass over a tensor gives the value of each.
type union struct {
	losses []kernels.Loss
	sum    kernels.Loss
	shares [][]share // of each loss in the terms of sum
}

// A share is a loss's part in a term of the sum. A frozen one holds something
// constant in its gradient, so that differences say nothing about it.
type share struct {
	term   int
	coef   float64
	frozen bool
}

// frozen reports whether the gradient of a term is, by its option, not the
// derivative of its value.
func frozen(t kernels.Term) bool { return t.Options["detach"] == true }

// newUnion builds the union of the losses. Terms that are equal are shared.
func newUnion(losses []kernels.Loss) (*union, error) {
	u := &union{losses: losses, shares: make([][]share, len(losses))}
	var terms []kernels.Term
	known := map[string]int{}
	for i, l := range losses {
		for _, t := range l.Terms() {
			coef := t.Coef
			t.Coef = 1
			one, err := kernels.Combine(t)
			if err != nil {
				return nil, err
			}
			k, ok := known[one.String()]
			if !ok || t.Region != nil {
				k = len(terms)
				known[one.String()] = k
				terms = append(terms, t)
			}
			u.shares[i] = append(u.shares[i], share{k, coef, frozen(t)})
		}
	}
	var err error
	u.sum, err = kernels.Combine(terms...)
	return u, err
}

// values writes the value of every loss to out.
func (u *union) values(v kernels.Value, out []float64) { u.add(v, out, false) }

// moving writes the value of every loss without its frozen terms to out.
func (u *union) moving(v kernels.Value, out []float64) { u.add(v, out, true) }

func (u *union) add(v kernels.Value, out []float64, moving bool) {
	for i, shares := range u.shares {
		out[i] = 0
		for _, s := range shares {
			if !(moving && s.frozen) {
				out[i] += s.coef * v.Terms[s.term].Value
			}
		}
	}
}

// magnitudes writes the sum of the absolute values of the terms of every loss.
func (u *union) magnitudes(v kernels.Value, out []float64) {
	for i, shares := range u.shares {
		out[i] = 0
		for _, s := range shares {
			out[i] += math.Abs(s.coef * v.Terms[s.term].Value)
		}
	}
}

// A field is a union on one problem: the losses as functions of the prediction,
// by full passes in float64.
type field struct {
	*union
	p    *problem
	plan *kernels.Plan[float64]
	sums *kernels.Sums
	b    bound[float64]

	resting []float64 // the losses at p's own prediction, once a path has started there

	rounding []float64 // noise of each loss by the caller's regions in it
	blur     []float64 // and of its gradient, relative
}

// on makes the field of a problem.
func (u *union) on(p *problem, backend string) (*field, error) {
	plan, err := kernels.New[float64](u.sum, p.spec(kernels.NCS), p.options(backend)...)
	if err != nil {
		return nil, err
	}
	return &field{union: u, p: p, plan: plan, sums: plan.NewSums(p.n), b: bind[float64](p, kernels.NCS)}, nil
}

// finish returns the losses of sums. From a row behind the last one on there are no
// samples to find coefficients of, which cost as much as the values.
func (f *field) finish(s *kernels.Sums) (kernels.Value, error) { return f.plan.Finish(s, f.p.n) }

// eval writes the losses, without frozen terms, at the field's present
// prediction to out, NaN where the kernels return an error: what is wrong with
// the input was found before, and a cancelled context is looked at by the
// caller.
func (f *field) eval(ctx context.Context, out []float64) {
	v, err := kernels.Value{}, f.plan.Reduce(ctx, f.sums, 0, f.b.x, f.b.t)
	if err == nil {
		v, err = f.finish(f.sums)
	}
	if err != nil {
		for i := range out {
			out[i] = math.NaN()
		}
		return
	}
	f.moving(v, out)
}

// derivatives estimates the derivative of every loss by the given elements,
// indexed by loss and element.
func (f *field) derivatives(ctx context.Context, elements []int) [][]Estimate {
	est := make([][]Estimate, len(f.losses))
	for l := range est {
		est[l] = make([]Estimate, len(elements))
	}
	d := differ{m: len(f.losses), least: f.rounding}
	noise := make([]float64, d.m)
	measured := 0
	for j, i := range elements {
		if ctx.Err() != nil {
			break
		}
		n, c, s := f.p.place(i)
		if !f.p.exists(n, s) {
			continue // the derivative is 0, by definition
		}
		x := f.b.x[i]
		d.f = func(v float64, out []float64) {
			f.b.x[i] = v
			f.eval(ctx, out)
		}
		for l, e := range f.p.differentiate(&d, n, c, s) {
			est[l][j] = e
			noise[l] = max(noise[l], e.Noise)
		}
		f.b.x[i] = x
		if measured++; measured == 3 {
			d.noise = noise // it is a property of the function, not of the element
		}
	}
	return est
}

// along estimates the derivative of every loss in a direction, whose elements
// stay inside their intervals for steps up to 1.
func (f *field) along(ctx context.Context, direction []float64) []Estimate {
	eval := f.path(ctx, direction)
	noise := make([]float64, len(f.losses))
	eval(0, noise)
	for l, v := range noise {
		noise[l] = passNoise * math.Abs(v)
	}
	d := differ{m: len(f.losses), f: eval, least: f.rounding, noise: noise, enough: enoughAlong, most: rungsAlong}
	est := d.at(0, -1, 1)
	copy(f.b.x, f.p.x)
	return est
}

// path returns the losses along a direction. All start at one point, where a pass
// over a large tensor is made once.
func (f *field) path(ctx context.Context, direction []float64) func(t float64, out []float64) {
	return func(t float64, out []float64) {
		if t == 0 && f.resting != nil {
			copy(out, f.resting)
			return
		}
		for i, v := range direction {
			f.b.x[i] = f.p.x[i] + t*v
		}
		f.eval(ctx, out)
		if t == 0 {
			f.resting = slices.Clone(out)
		}
	}
}

// hiddenAlong returns the slope of loss l in a direction that rounding could
// hide on the plateau that the estimate found. It looks as far as far.
func (f *field) hiddenAlong(ctx context.Context, l int, direction []float64, far float64, e Estimate) float64 {
	d := differ{m: len(f.losses), f: f.path(ctx, direction)}
	slope := d.hidden(l, 0, -far, far, e)
	copy(f.b.x, f.p.x)
	return slope
}

// A ladder along a direction ends at a relative error of enoughAlong, or after
// rungsAlong, from where on the losses that are not there yet only meet noise.
const (
	enoughAlong = 1e-8
	rungsAlong  = 4
)

// passNoise is taken for the relative noise of a pass over a whole tensor,
// which is too dear to be measured; more than that would show in the scatter
// of the tableau.
const passNoise = 8 * ulp
