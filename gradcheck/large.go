package gradcheck

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// directions is the number of random directions that a large tensor is checked
// along. Each moves every element that has room, so that a single wrong one
// among millions shows: the sum over a direction is known to a billionth.
const directions = 8

// fewDirections is their number where a run is thinned: each would show a wrong
// element alone, and two wrong ones that cancel along one do not along the other.
const fewDirections = 2

// large prepares a check along n random directions and at single elements of
// every kind.
func (b *bench) large(ctx context.Context, what string, n int, p *progress) error {
	rng := rand.New(rand.NewPCG(1^b.seed, uint64(len(b.p.x))))
	for k := range n {
		d := b.direction(rng)
		b.directions = append(b.directions, d)
		b.along = append(b.along, b.field.along(ctx, d))
		p.step(costOfDirection, fmt.Sprintf("%s, %v, direction %d", what, b.p.activation, k+1))
	}
	var err error
	if b.elements, err = b.strata(ctx, rng); err != nil {
		return err
	}
	b.numeric = make([][]Estimate, len(b.variants))
	for _, i := range b.elements {
		for l, e := range b.scope.derivative(ctx, i) {
			b.numeric[l] = append(b.numeric[l], e)
		}
	}
	b.scale, err = b.scope.scales(ctx, b.elements)
	p.step(costOfElements, fmt.Sprintf("%s, %v, single elements", what, b.p.activation))
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// reachAlong is the length of a direction in units of the room that each element
// has: steps that the losses are nearly straight over, so that few do.
const reachAlong = 0.1

// wayOut is how far along a direction the losses can be evaluated.
func (b *bench) wayOut() float64 {
	_, far := b.p.domain(0)
	return far / reachAlong
}

// direction draws a sign for every element, times its share of the room it has.
func (b *bench) direction(rng *rand.Rand) []float64 {
	p := b.p
	d := make([]float64, len(p.x))
	bits, left := uint64(0), 0
	for i := range d {
		n, c, s := p.place(i)
		if !p.exists(n, s) {
			continue
		}
		if left == 0 {
			bits, left = rng.Uint64(), 64
		}
		d[i] = reachAlong * p.room(n, c, s)
		if bits&1 == 0 {
			d[i] = -d[i]
		}
		bits, left = bits>>1, left-1
	}
	return d
}

const (
	samples  = 4 // positions of each class that are looked at
	extremes = 3 // of the largest derivatives, and of the elements nearest to an edge
)

// seams are the lengths at which code changes its course: vectors of 8 and 16
// float32, a warp, a tile, a block of sums, a unit of work.
var seams = []int{8, 16, 32, 128, 512, 16 << 10}

// strata picks the elements that are looked at one by one: of every class some
// positions, of each its own class and another; the positions at the ends of
// samples and beside seams; the largest derivatives; the extremes of the
// prediction and what is nearest to a clamp.
func (b *bench) strata(ctx context.Context, rng *rand.Rand) ([]int, error) {
	p := b.p
	var elements []int
	for _, i := range append(b.classPositions(rng), p.seamPositions()...) {
		n, s := i/p.s, i%p.s
		c := p.class(n, s) % p.c
		elements = append(elements, p.index(n, c, s))
		if p.c > 1 {
			elements = append(elements, p.index(n, (c+1+rng.IntN(p.c-1))%p.c, s))
		}
	}
	g, err := b.gradient(ctx, b.field.sum, way{backend: reference(), dtype: Float64, layout: kernels.NCS})
	if err != nil {
		return nil, err
	}
	elements = append(elements, p.most(func(i int) float64 { return math.Abs(g.dx[i]) })...)
	for _, rank := range p.extremes() {
		elements = append(elements, p.most(rank)...)
	}
	slices.Sort(elements)
	return slices.Compact(elements), nil
}

// classPositions draws positions of every class that the target has.
func (b *bench) classPositions(rng *rand.Rand) []int {
	p := b.p
	byClass := make([][]int, max(p.c, 2))
	for i := range p.n * p.s {
		if p.exists(i/p.s, i%p.s) {
			c := p.class(i/p.s, i%p.s)
			byClass[c] = append(byClass[c], i)
		}
	}
	var picked []int
	for _, at := range byClass {
		for range min(samples, len(at)) {
			picked = append(picked, at[rng.IntN(len(at))])
		}
	}
	return picked
}

// seamPositions lists the positions that exist at the ends of the first and the
// last sample, on both sides of the first seam of every length and of the last.
func (p *problem) seamPositions() []int {
	at := []int{0, p.s - 1}
	for _, l := range seams {
		at = append(at, l-1, l, p.s-p.s%l-1, p.s-p.s%l)
	}
	var picked []int
	for _, s := range at {
		for _, n := range []int{0, p.n - 1} {
			if s >= 0 && s < p.s && p.exists(n, s) {
				picked = append(picked, n*p.s+s)
			}
		}
	}
	return picked
}

// extremes returns ranks by which elements stand out: the largest and the
// smallest prediction, and for probabilities those next to the clamps of the
// logarithms and to the ends of [0,1].
func (p *problem) extremes() []func(i int) float64 {
	ranks := []func(i int) float64{
		func(i int) float64 { return p.x[i] },
		func(i int) float64 { return -p.x[i] },
	}
	if p.activation == kernels.None {
		for _, at := range p.breakpoints(0) {
			ranks = append(ranks, func(i int) float64 { return -math.Abs(p.x[i] - at) })
		}
	}
	return ranks
}

// most returns the elements that exist and have the largest ranks.
func (p *problem) most(rank func(i int) float64) []int {
	var best []int
	for i := range p.x {
		n, _, s := p.place(i)
		if !p.exists(n, s) {
			continue
		}
		if len(best) == extremes && rank(i) <= rank(best[extremes-1]) {
			continue
		}
		best = append(best, i)
		slices.SortStableFunc(best, func(i, j int) int { return cmp.Compare(rank(j), rank(i)) })
		best = best[:min(len(best), extremes)]
	}
	return best
}

// class returns the class with the largest target at a position.
func (p *problem) class(n, s int) int {
	if p.labels != nil {
		return int(p.labels[n*p.s+s])
	}
	if p.c == 1 {
		return int(math.Round(math.Min(math.Max(p.target(n, 0, s), 0), 1)))
	}
	best := 0
	for c := range p.c {
		if p.target(n, c, s) > p.target(n, best, s) {
			best = c
		}
	}
	return best
}

// compareDirections judges a float64 gradient along the directions.
func (b *bench) compareDirections(ctx context.Context, row *Row, i int, dx, frozen []float64) {
	if len(b.directions) == 0 {
		return
	}
	want, got := make([]Estimate, len(b.directions)), make([]float64, len(b.directions))
	for k, d := range b.directions {
		want[k] = b.along[k][i]
		got[k] = dot(dx, d)
		if frozen != nil {
			f := dot(frozen, d)
			want[k].Value += f
			want[k].Err += oracleError * math.Abs(f)
		}
	}
	typical := rms(values(want)) // one whose elements cancel is rounded like the others
	want = b.blurred(i, want, slices.Repeat([]float64{typical}, len(want)))
	c := numerically(want, got)
	c.hidden = func(k int) float64 { return b.field.hiddenAlong(ctx, i, b.directions[k], b.wayOut(), want[k]) }
	j := c.judge()
	row.Checks += len(want)
	row.Power = math.Max(row.Power, j.power)
	if j.verdict <= row.Verdict {
		return
	}
	row.Verdict, row.Reason = j.verdict, "along a direction: "+j.reason
	row.Worst = Element{What: "direction", N: j.worst, C: -1, S: -1, Analytic: got[j.worst], Numeric: c.want[j.worst], Err: c.err[j.worst], Tol: c.tol[j.worst]}
	if j.verdict != Fail {
		return
	}
	if e, ok := b.offender(ctx, i, b.directions[j.worst], dx, frozen); ok {
		row.Reason += ", traced to an element"
		row.Worst = e
	}
}

// dot returns Σ a·b over the elements that b moves, with the rounding of the
// additions carried along.
func dot(a, b []float64) float64 {
	sum, carry := 0.0, 0.0
	for i, v := range b {
		if v == 0 {
			continue
		}
		t := a[i] * v
		s := sum + t
		z := s - sum
		carry += (sum - (s - z)) + (t - z)
		sum = s
	}
	return sum + carry
}

// compareAll holds every element of a float32 gradient against the exact one.
// The scale of an element is at least the largest derivative at its position,
// of which a softmax makes it; where that is not enough, its own is found.
func (b *bench) compareAll(ctx context.Context, row *Row, i int, exact, got []float64) error {
	p := b.p
	var over []int
	for n := range p.n {
		for s := range p.s {
			if !p.exists(n, s) {
				continue
			}
			scale := 0.0
			for c := range p.c {
				scale = max(scale, math.Abs(exact[p.index(n, c, s)]))
			}
			for c := range p.c {
				e := p.index(n, c, s)
				tol := (kFloat32+4*b.spread[e])*uFloat32*scale + underflow
				if !(math.Abs(got[e]-exact[e]) <= tol) {
					over = append(over, e)
				}
			}
		}
	}
	row.Checks += p.n * p.c * p.s
	if len(over) > smallTensor {
		over = over[:smallTensor]
	}
	if len(over) == 0 || row.Verdict == Fail {
		return nil
	}
	scale, err := b.scope.scales(ctx, over)
	if err != nil {
		return err
	}
	c := within(pick(exact, over), pick(got, over), b.bounds(kFloat32, uFloat32, over, scale[i], exact))
	if j := c.judge(); j.verdict == Fail {
		row.Verdict, row.Reason, row.Worst = Fail, j.reason, b.element(c, j.worst, over[j.worst])
	}
	return nil
}
