package gradcheck

import (
	"context"
	"fmt"
	"math"

	"github.com/segloss/segloss/kernels"
)

// A scope looks at single elements of a tensor of any size. Every loss is a
// function of sums over positions, so its derivative by an element is that of
// the sums of the one position, taken from a tensor of one position, carried
// through the finish of the whole. Neither step sees the rounding of a pass
// over all positions.
type scope struct {
	f     *field
	total *kernels.Sums
	row   int                    // numbers in one sample's row of sums
	one   *kernels.Plan[float64] // for a single position
	part  *kernels.Sums

	coefs [][]float64  // of each loss by each number of the sums, roughly: ∂L/∂S
	exact [][]Estimate // of each number of the sums where it was asked for, of each loss
}

// scope reduces the field's prediction and returns a scope on it.
func (f *field) scope(ctx context.Context) (*scope, error) {
	s := &scope{f: f, total: f.plan.NewSums(f.p.n)}
	if err := f.plan.Reduce(ctx, s.total, 0, f.b.x, f.b.t); err != nil {
		return nil, err
	}
	var err error
	spec := f.p.spec(kernels.NCS)
	spec.N, spec.S = 1, 1
	if s.one, err = kernels.New[float64](f.sum, spec, f.p.options(f.plan.Backend())...); err != nil {
		return nil, err
	}
	s.part = s.one.NewSums(1)
	s.row = len(s.part.Data())
	if len(s.total.Data()) != s.row*f.p.n {
		return nil, fmt.Errorf("gradcheck: sums of %d samples have %d numbers, of one %d", f.p.n, len(s.total.Data()), s.row)
	}
	s.exact = make([][]Estimate, len(s.total.Data()))
	return s, s.differentiate(ctx)
}

// differentiate estimates the coefficients to some six digits, which is what
// scales and errors need.
func (s *scope) differentiate(ctx context.Context) error {
	data := s.total.Data()
	m := len(s.f.losses)
	s.coefs = make([][]float64, m)
	for l := range s.coefs {
		s.coefs[l] = make([]float64, len(data))
	}
	plus, minus := make([]float64, m), make([]float64, m)
	typical := rms(data)
	for k, v := range data {
		if err := ctx.Err(); err != nil {
			return err
		}
		h := 1e-6 * math.Max(math.Abs(v), 1e-3*typical)
		if h == 0 {
			continue
		}
		up, down := v+h, v-h
		if v == 0 {
			down = 0 // sums of what is never negative have no other side
		}
		data[k] = up
		if err := s.finish(plus, s.f.values); err != nil {
			return err
		}
		data[k] = down
		if err := s.finish(minus, s.f.values); err != nil {
			return err
		}
		data[k] = v
		for l := range m {
			if c := (plus[l] - minus[l]) / (up - down); finite(c) {
				s.coefs[l][k] = c
			}
		}
	}
	return nil
}

// finish writes the losses of the present sums to out, as write has them.
func (s *scope) finish(out []float64, write func(kernels.Value, []float64)) error {
	v, err := s.f.finish(s.total)
	if err != nil {
		return err
	}
	write(v, out)
	return nil
}

// features writes the sums of one position to out.
func (s *scope) features(ctx context.Context, b bound[float64], out []float64) {
	if err := s.one.Reduce(ctx, s.part, 0, b.x, b.t); err != nil {
		for i := range out {
			out[i] = math.NaN()
		}
		return
	}
	copy(out, s.part.Data())
}

// derivative estimates the derivative of every loss by one element.
func (s *scope) derivative(ctx context.Context, i int) []Estimate {
	p := s.f.p
	n, c, pos := p.place(i)
	b := bind[float64](p.at(n, pos), kernels.NCS)
	d := differ{m: s.row, f: func(v float64, out []float64) {
		b.x[c] = v
		s.features(ctx, b, out)
	}}
	slopes := p.differentiate(&d, n, c, pos)
	est := make([]Estimate, len(s.f.losses))
	for k, e := range slopes {
		if e.Value == 0 {
			// The same at every step: a count, or a probability that is flat on
			// the scale of 1, however short the steps were.
			e.Err = min(e.Err, e.Noise)
			e.Roundoff = min(e.Roundoff, e.Err)
		}
		if e.Value == 0 && e.Err == 0 {
			continue
		}
		for l, coef := range s.partial(n*s.row + k) {
			est[l] = est[l].plus(coef, e)
		}
	}
	for l := range est {
		est[l].Evals = d.evals
		rounded := 4 * ulp * math.Abs(est[l].Value)
		est[l].Err += rounded
		est[l].Roundoff += rounded
		est[l].Lo, est[l].Hi = est[l].Value-est[l].Err, est[l].Value+est[l].Err
	}
	return est
}

// plus adds a product of two derivatives to a third. It has a kink where the
// second of them has one, and diverges where either does.
func (e Estimate) plus(a, b Estimate) Estimate {
	e.Value += a.Value * b.Value
	e.Err += math.Abs(a.Value)*b.Err + a.Err*(math.Abs(b.Value)+b.Err)
	e.Roundoff += math.Abs(a.Value)*b.Roundoff + a.Roundoff*(math.Abs(b.Value)+b.Err)
	e.Kink = e.Kink || b.Kink && a.Value != 0
	if a.Divergent && b.Value != 0 || b.Divergent && a.Value != 0 {
		e.Divergent, e.Exponent = true, math.Min(e.Exponent, math.Min(a.Exponent, b.Exponent))
	}
	return e
}

// partial estimates the derivative of every loss by number k of the sums, once.
// No sum changes its sign: where one is next to zero, the steps go away from it.
func (s *scope) partial(k int) []Estimate {
	if s.exact[k] != nil {
		return s.exact[k]
	}
	data := s.total.Data()
	base := data[k]
	lo, hi := 0.0, math.Inf(1)
	if base < 0 {
		lo, hi = math.Inf(-1), 0
	}
	d := differ{m: len(s.f.losses), least: s.f.rounding, f: func(v float64, out []float64) {
		data[k] = v
		if s.finish(out, s.f.moving) != nil {
			for l := range out {
				out[l] = math.NaN()
			}
		}
	}}
	s.exact[k] = d.at(base, lo, hi)
	data[k] = base
	return s.exact[k]
}

// scales returns, for every loss, the sum of the absolute values of the terms
// that make up each of the given elements of its gradient, by loss and element:
// over the sums, of |∂L/∂S·∂S/∂x|. What is made of p−r has the parts of that
// difference counted apart, unless p is given and not computed.
func (s *scope) scales(ctx context.Context, elements []int) ([][]float64, error) {
	scale := make([][]float64, len(s.f.losses))
	for l := range scale {
		scale[l] = make([]float64, len(elements))
	}
	classes, err := s.differences(ctx)
	if err != nil {
		return nil, err
	}
	p := s.f.p
	slopes := make([]float64, s.row)
	for j, i := range elements {
		n, c, pos := p.place(i)
		if !p.exists(n, pos) {
			continue
		}
		one := p.at(n, pos)
		s.slopes(ctx, one, c, p.step(n, c, pos), slopes)
		for k, slope := range slopes {
			if slope = math.Abs(slope); !(slope > 0) {
				continue
			}
			if classes[k] >= 0 {
				slope *= one.contrast(classes[k])
			}
			for l := range scale {
				scale[l][j] += math.Abs(s.coefs[l][n*s.row+k]) * slope
			}
		}
	}
	return scale, ctx.Err()
}

// step returns a step for rough differences by an element, short beside the
// distance to the next point where a feature may change its course.
func (p *problem) step(n, c, s int) float64 {
	x := p.x[p.index(n, c, s)]
	lo, hi := p.interval(n, c, s)
	return min(1e-3, (x-lo)/100, (hi-x)/100)
}

// slopes writes rough derivatives of the sums of one position by class c to out.
func (s *scope) slopes(ctx context.Context, one *problem, c int, h float64, out []float64) {
	b := bind[float64](one, kernels.NCS)
	x := b.x[c]
	plus, minus := make([]float64, s.row), make([]float64, s.row)
	b.x[c] = x + h
	s.features(ctx, b, plus)
	b.x[c] = x - h
	s.features(ctx, b, minus)
	for k := range out {
		out[k] = (plus[k] - minus[k]) / (2 * h)
	}
}

// contrast returns (p+r)/|p−r| of a class of a single position.
func (p *problem) contrast(c int) float64 {
	if p.activation == kernels.None {
		return 1
	}
	prob, rest := p.probability(0, c, 0)
	r := p.target(0, c, 0)
	gap := math.Abs(prob - r)
	if r == 1 {
		gap = rest
	}
	if gap == 0 {
		return 1
	}
	return (prob + r) / gap
}

// differences finds the sums whose derivatives are made of p−r, and returns
// their classes, -1 for other sums. Where the target is the prediction, such a
// derivative is zero; and the class of a sum is the one whose target moves it.
func (s *scope) differences(ctx context.Context) ([]int, error) {
	p := &problem{n: 1, c: s.f.p.c, s: 1, activation: s.f.p.activation}
	p.x, p.dense = make([]float64, p.c), make([]float64, p.c)
	for c := range p.x {
		p.x[c] = 0.2 + 0.5*float64(c)/float64(p.c)
	}
	classes := make([]int, s.row)
	for k := range classes {
		classes[k] = -1
	}
	for c := range p.dense {
		p.dense[c], _ = p.probability(0, c, 0)
	}
	same, other := make([]float64, s.row), make([]float64, s.row)
	for c := range p.c {
		s.slopes(ctx, p, c, 1e-4, same)
		r := p.dense[c]
		p.dense[c] = r / 2
		s.slopes(ctx, p, c, 1e-4, other)
		p.dense[c] = r
		for k := range classes {
			if math.Abs(same[k]) < 1e-6*math.Abs(other[k]) {
				classes[k] = c
			}
		}
	}
	return classes, ctx.Err()
}

// magnitude returns, for every loss, the sum of the absolute values of what it
// is made of: its terms, and over the sums |∂L/∂S·S|, where sums of differences
// have their parts counted apart as in scales.
func (s *scope) magnitude(ctx context.Context) ([]float64, error) {
	v, err := s.f.finish(s.total)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(s.f.losses))
	s.f.magnitudes(v, out)
	sums, err := s.absolute(ctx)
	if err != nil {
		return nil, err
	}
	for l := range out {
		for k, a := range sums {
			if finite(a) {
				out[l] += math.Abs(s.coefs[l][k]) * a
			}
		}
	}
	return out, nil
}

// absolute returns the sums of the absolute values of the features. Positions
// are looked at one by one for the differences only where they are few: among
// many, the large gaps make the sum.
func (s *scope) absolute(ctx context.Context) ([]float64, error) {
	p := s.f.p
	sums := append([]float64(nil), s.total.Data()...)
	for k := range sums {
		sums[k] = math.Abs(sums[k])
	}
	classes, err := s.differences(ctx)
	if err != nil || p.n*p.s > smallTensor {
		return sums, err
	}
	part := make([]float64, s.row)
	for i := range p.n * p.s {
		n, pos := i/p.s, i%p.s
		if !p.exists(n, pos) {
			continue
		}
		one := p.at(n, pos)
		s.features(ctx, bind[float64](one, kernels.NCS), part)
		for k, a := range part {
			if classes[k] >= 0 {
				sums[n*s.row+k] += math.Abs(a) * one.contrast(classes[k])
			}
		}
	}
	return sums, nil
}
