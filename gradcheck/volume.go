package gradcheck

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// A volume is one run over the real volume.
type volume struct {
	activation kernels.Activation
	lesion     bool
	directions int
	float32    bool // in float32 too
}

// volumes lists the runs that the options ask for.
func (o Options) volumes() []volume {
	if o.Short {
		return nil
	}
	all := []volume{
		{kernels.Softmax, false, 3, true},
		{kernels.Softmax, true, 2, true},
		{kernels.Sigmoid, false, 1, false},
		{kernels.None, false, 1, false},
	}
	return slices.DeleteFunc(all, func(v volume) bool { return !slices.Contains(o.activations(), v.activation) })
}

// steps returns the number of progress steps of the run.
func (v volume) steps() int { return v.directions + 1 + len(kernels.Losses()) }

func (v volume) String() string {
	if v.lesion {
		return "brain with lesion"
	}
	return "brain"
}

// ways picks the ways to check on the volume: of the two layouts, where there
// is a choice, planar for float64 and channels-last for float32.
func (v volume) ways(ways []way) []way {
	var picked []way
	for _, w := range ways {
		favourite := way{w.backend, w.dtype, kernels.NCS}
		if w.dtype == Float32 {
			favourite.layout = kernels.NSC
		}
		if w.dtype == Float32 && !v.float32 || w != favourite && slices.Contains(ways, favourite) {
			continue
		}
		picked = append(picked, w)
	}
	return picked
}

// check runs every loss with its default options on the volume.
func (v volume) check(ctx context.Context, ways []way, p *progress) ([]Row, error) {
	if ways = v.ways(ways); len(ways) == 0 {
		return nil, nil
	}
	problem, err := volumeProblem(v.activation, v.lesion)
	if err != nil {
		return nil, err
	}
	all, err := listed(problem.c)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v variant) bool { return !v.whole })
	b, err := newBench(ctx, problem, all)
	if err != nil {
		return nil, err
	}
	if err := b.large(ctx, v.directions, v.String(), p); err != nil {
		return nil, err
	}
	var rows []Row
	for i, l := range all {
		more, err := b.rows(ctx, i, ways, "uint8", v.String())
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
		p.step(fmt.Sprintf("%v, %v, %s", v, v.activation, l.text))
	}
	return rows, nil
}

// samples is the number of positions of each class that are looked at.
const samples = 4

// large prepares a check along random directions and at sampled elements.
func (b *bench) large(ctx context.Context, directions int, what string, p *progress) error {
	rng := rand.New(rand.NewPCG(1, uint64(len(b.p.x))))
	for k := range directions {
		d := b.direction(rng)
		b.directions = append(b.directions, d)
		b.along = append(b.along, b.field.along(ctx, d))
		p.step(fmt.Sprintf("%s, %v, direction %d", what, b.p.activation, k+1))
	}
	b.elements = b.sample(rng)
	b.numeric = make([][]Estimate, len(b.variants))
	for _, i := range b.elements {
		for l, e := range b.scope.derivative(ctx, i) {
			b.numeric[l] = append(b.numeric[l], e)
		}
	}
	var err error
	b.scale, err = b.scope.scales(ctx, b.elements)
	p.step(fmt.Sprintf("%s, %v, sampled voxels", what, b.p.activation))
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// direction draws a sign for every element, times the room it has.
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
		d[i] = p.room(n, c, s)
		if bits&1 == 0 {
			d[i] = -d[i]
		}
		bits, left = bits>>1, left-1
	}
	return d
}

// sample picks positions of every class that the target has, the first and the
// last, and of each its class and one of the others.
func (b *bench) sample(rng *rand.Rand) []int {
	p := b.p
	byClass := make([][]int, max(p.c, 2))
	first, last := -1, -1
	for i := range p.n * p.s {
		if !p.exists(i/p.s, i%p.s) {
			continue
		}
		c := p.class(i/p.s, i%p.s)
		byClass[c] = append(byClass[c], i)
		if first < 0 {
			first = i
		}
		last = i
	}
	var picked []int
	if first >= 0 {
		picked = append(picked, first, last)
	}
	for _, at := range byClass {
		for range min(samples, len(at)) {
			picked = append(picked, at[rng.IntN(len(at))])
		}
	}
	var elements []int
	for _, i := range picked {
		n, s := i/p.s, i%p.s
		c := p.class(n, s) % p.c
		elements = append(elements, p.index(n, c, s))
		if p.c > 1 {
			elements = append(elements, p.index(n, (c+1+rng.IntN(p.c-1))%p.c, s))
		}
	}
	slices.Sort(elements)
	return slices.Compact(elements)
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
func (b *bench) compareDirections(row *Row, i int, dx, frozen []float64) {
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
	c := numerically(want, got)
	j := c.judge()
	row.Checks += len(want)
	row.Power = math.Max(row.Power, j.power)
	if j.verdict <= row.Verdict {
		return
	}
	row.Verdict, row.Reason = j.verdict, "along a direction: "+j.reason
	row.Worst = Element{What: "direction", N: j.worst, C: -1, S: -1, Analytic: got[j.worst], Numeric: c.want[j.worst], Err: c.err[j.worst], Tol: c.tol[j.worst]}
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
	c := within(pick(exact, over), pick(got, over), b.bounds(over, scale[i], exact))
	if j := c.judge(); j.verdict == Fail {
		row.Verdict, row.Reason, row.Worst = Fail, j.reason, b.element(c, j.worst, over[j.worst])
	}
	return nil
}
