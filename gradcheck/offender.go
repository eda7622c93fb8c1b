package gradcheck

import (
	"context"
	"math"

	"github.com/segloss/segloss/kernels"
)

// A probe differentiates one loss along parts of a direction: those of some
// positions. Only they are reduced again, their sums take the place that they
// had in the whole, and so the cost shrinks with the part.
type probe struct {
	b         *bench
	f         *field // of the one loss
	total     *kernels.Sums
	direction []float64
	analytic  []float64 // the gradient under test, without what is frozen
}

// probe prepares a search along a direction for what is wrong with the gradient
// dx of variant i.
func (b *bench) probe(ctx context.Context, i int, direction, dx, frozen []float64) (*probe, error) {
	u, err := newUnion([]kernels.Loss{b.variants[i].loss})
	if err != nil {
		return nil, err
	}
	f, err := u.on(b.p, reference())
	if err != nil {
		return nil, err
	}
	p := &probe{b: b, f: f, total: f.plan.NewSums(b.p.n), direction: direction, analytic: dx}
	if frozen != nil {
		p.analytic = make([]float64, len(dx))
		for j := range dx {
			p.analytic[j] = dx[j] - frozen[j]
		}
	}
	return p, f.plan.Reduce(ctx, p.total, 0, f.b.x, f.b.t)
}

// positions lists the positions that the direction moves.
func (p *probe) positions() []int {
	var all []int
	for i := range p.b.p.n * p.b.p.s {
		n, s := i/p.b.p.s, i%p.b.p.s
		for c := range p.b.p.c {
			if p.direction[p.b.p.index(n, c, s)] != 0 {
				all = append(all, i)
				break
			}
		}
	}
	return all
}

// fails reports whether the gradient is wrong along the part of the direction
// that moves the given positions, which are in order.
func (p *probe) fails(ctx context.Context, positions []int) bool {
	analytic := 0.0
	var parts []*part
	for from := 0; from < len(positions); {
		n, to := positions[from]/p.b.p.s, from
		for to < len(positions) && positions[to]/p.b.p.s == n {
			to++
		}
		one, err := p.part(ctx, n, positions[from:to])
		if err != nil {
			return false // an interrupt; the direction is reported as it is
		}
		parts, from = append(parts, one), to
		analytic += dot(one.analytic, one.direction)
	}
	base := append([]float64(nil), p.total.Data()...)
	defer copy(p.total.Data(), base)
	value := func(t float64) float64 {
		copy(p.total.Data(), base)
		for _, one := range parts {
			one.move(ctx, t, p.total.Data())
		}
		v, err := p.f.finish(p.total)
		if err != nil {
			return math.NaN()
		}
		out := []float64{0}
		p.f.moving(v, out)
		return out[0]
	}
	d := differ{m: 1, noise: []float64{passNoise * math.Abs(value(0))}, enough: enoughAlong, most: rungsAlong,
		f: func(t float64, out []float64) { out[0] = value(t) }}
	c := numerically(d.at(0, -1, 1), []float64{analytic})
	c.hidden = func(int) float64 { return d.hidden(0, 0, -p.b.wayOut(), p.b.wayOut(), c.numeric[0]) }
	return c.judge().verdict == Fail
}

// A part is some positions of one sample, with their share of the direction
// and of the gradient.
type part struct {
	n                      int
	plan                   *kernels.Plan[float64]
	b                      bound[float64]
	x, direction, analytic []float64
	sums                   *kernels.Sums
	before                 []float64 // their sums where nothing has moved
}

// part prepares positions of sample n.
func (p *probe) part(ctx context.Context, n int, positions []int) (*part, error) {
	whole := p.b.p
	own := make([]int, len(positions))
	for j, i := range positions {
		own[j] = i % whole.s
	}
	sub := whole.gather(n, own)
	plan, err := kernels.New[float64](p.f.sum, sub.spec(kernels.NCS), sub.options(reference())...)
	if err != nil {
		return nil, err
	}
	one := &part{
		n: n, plan: plan, b: bind[float64](sub, kernels.NCS), x: sub.x, sums: plan.NewSums(1),
		direction: whole.elements(p.direction, n, own), analytic: whole.elements(p.analytic, n, own),
	}
	if err := plan.Reduce(ctx, one.sums, 0, one.b.x, one.b.t); err != nil {
		return nil, err
	}
	one.before = append([]float64(nil), one.sums.Data()...)
	return one, nil
}

// move adds to the rows of the whole's sums what a step of t changes.
func (one *part) move(ctx context.Context, t float64, rows []float64) {
	for i, v := range one.direction {
		one.b.x[i] = one.x[i] + t*v
	}
	row := rows[one.n*len(one.before):]
	err := one.plan.Reduce(ctx, one.sums, 0, one.b.x, one.b.t)
	for k, v := range one.sums.Data() {
		row[k] += v - one.before[k]
		if err != nil {
			row[k] = math.NaN()
		}
	}
}

// offender looks for an element that makes the gradient dx of variant i wrong
// along a direction, and returns it with what its derivative should be. Where
// what is wrong is spread too thin to be seen in one element, it finds none.
func (b *bench) offender(ctx context.Context, i int, direction, dx, frozen []float64) (Element, bool) {
	p, err := b.probe(ctx, i, direction, dx, frozen)
	if err != nil {
		return Element{}, false
	}
	at := bisect(p.positions(), func(part []int) bool { return p.fails(ctx, part) })
	if len(at) == 0 || ctx.Err() != nil {
		return Element{}, false
	}
	n, s := at[0]/b.p.s, at[0]%b.p.s
	var est []Estimate
	elements := make([]int, b.p.c)
	for c := range elements {
		elements[c] = b.p.index(n, c, s)
		est = append(est, b.scope.derivative(ctx, elements[c])[i])
	}
	c := numerically(withFrozen(est, frozen, elements), pick(dx, elements))
	j := c.judge()
	if j.verdict != Fail {
		return Element{}, false
	}
	return b.element(c, j.worst, elements[j.worst]), true
}
