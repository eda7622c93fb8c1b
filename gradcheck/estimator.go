package gradcheck

import (
	"cmp"
	"math"
	"slices"
)

// Estimate is a derivative found by finite differences.
type Estimate struct {
	Value    float64 // the derivative; the middle of the subgradients on a kink, ±Inf or NaN where it diverges
	Err      float64 // bound claimed for the distance between Value and the true derivative
	Roundoff float64 // the part of Err that is round-off; the rest is truncation
	Noise    float64 // noise of one evaluation of the function, absolute
	Step     float64 // smallest step that Value is made of
	Evals    int     // evaluations of the function
	OneSided bool    // the steps went to one side only, for lack of room on the other or on a kink

	Kink   bool    // the two sides differ: Value ± Err spans what lies between their slopes
	Lo, Hi float64 // those slopes, on a kink or where one diverges

	still bool // Value is 0 since the function stands still: on a plateau of the width Step

	// Divergent says that the difference quotients grow without bound, like the
	// step to the power Exponent, which lies between -1 and 0.
	Divergent bool
	Exponent  float64
}

const (
	ulp     = 0x1p-52 // of 1, in float64
	rungs   = 60      // most steps of a ladder; each is half of the one before
	guard   = 0x1p-10 // the step that looks for structure finer than the ladder, in units of its last
	lopside = 8       // a one-sided ladder is tried where one side has this much more room
	ladders = 3       // most ladders at a point, each below the one before
)

// Derivative estimates f'(x) from values of f between lo and hi, which may be
// infinite and which x must not lie outside of. Where x lies on a bound, or so
// near to one that a step to the other side reaches much further, the
// differences are one-sided.
//
// Differences at steps that halve are extrapolated to step zero by Neville's
// scheme, as Ridders does, from the widest step that the bounds allow down to
// where round-off takes over. Each entry of the tableau carries the round-off
// of the values it is made of, and the entry with the least sum of truncation
// and round-off is the estimate; so the step needs no tuning, and a function
// that lives on a scale of 1e-9 is as good as one that lives on a scale of 1.
// The noise of f is measured by differences of high order and not assumed, and by
// the jump at the end of a plateau. An estimate that cannot be made has an infinite
// Err.
//
// The values of a central difference and the one at x also give the slopes to
// either side. Where these do not meet, however short the step, x is on a kink,
// and both are estimated; where they, or the central differences, grow like a
// power of the step, the derivative diverges. A kink beside x is seen, and
// stepped around, where its jump times its distance is more than about a
// thousand times the noise; what is less looks like nothing, or like a kink at x.
func Derivative(f func(float64) float64, x, lo, hi float64) Estimate {
	e, _ := single(f).trace(x, lo, hi)
	return e
}

// Step is one rung of a ladder.
type Step struct {
	Width    float64 // distance of the two stored points
	Slope    float64 // their difference quotient
	Value    float64 // extrapolated from this rung and those before
	Err      float64 // error claimed of Value, infinite where there is nothing to compare with
	Roundoff float64 // the part of it that is round-off
}

// Trace is Derivative with the ladder that it climbed. On a kink that is the
// ladder of central differences.
func Trace(f func(float64) float64, x, lo, hi float64) (Estimate, []Step) {
	return single(f).trace(x, lo, hi)
}

// single makes a differ of one function.
func single(f func(float64) float64) *differ {
	return &differ{f: func(x float64, out []float64) { out[0] = f(x) }, m: 1}
}

// A differ differentiates m functions of one variable at once, all of whose
// values come from one evaluation.
type differ struct {
	f     func(x float64, out []float64)
	m     int
	noise []float64 // of each function where it is known; else it is measured at each point

	// least is the noise that each function has at least, nil where nothing is known.
	least []float64

	// enough is the relative error that will do, where an evaluation is so dear
	// that the ladder should end there, and without a look at what lies below
	// once the noise is known.
	enough float64

	// most is the largest number of rungs of a ladder, 0 for as many as it takes.
	most int

	evals  int
	center []float64 // values at x
}

// eval returns the values at x.
func (d *differ) eval(x float64) []float64 {
	out := make([]float64, d.m)
	d.f(x, out)
	d.evals++
	return out
}

// at returns the estimates at x of all functions.
func (d *differ) at(x, lo, hi float64) []Estimate {
	est, _ := d.both(x, lo, hi)
	return est
}

// trace returns the estimate of the first function and its ladder.
func (d *differ) trace(x, lo, hi float64) (Estimate, []Step) {
	est, from := d.both(x, lo, hi)
	var steps []Step
	if g := from[0]; g != nil {
		g.replay(0, g.tabs[0].noise, func(s Step) { steps = append(steps, s) })
	}
	return est[0], steps
}

// both estimates by steps to both sides and, where one has much more room, by
// steps to that side alone. It returns the descent of each estimate, too.
func (d *differ) both(x, lo, hi float64) ([]Estimate, []*descent) {
	d.evals = 0
	d.center = d.eval(x)
	left, right := x-lo, hi-x
	near, far := math.Min(left, right), math.Max(left, right)
	est, from := make([]Estimate, d.m), make([]*descent, d.m)
	for i := range est {
		est[i] = Estimate{Value: math.NaN(), Err: math.Inf(1)}
	}
	if near > 0 {
		est, from = d.ladder(x, widest(x, near), 0)
	}
	if far > 0 && far > lopside*near {
		side := 1.0
		if left > right {
			side = -1
		}
		wide, fromWide := d.ladder(x, widest(x, far), side)
		for i := range est {
			best, second := wide[i], true
			if near > 0 {
				if best, second = better(est[i].amid(wide[i].Noise), wide[i]); !second && !est[i].still {
					best = est[i] // which has seen noise of its own
				}
			}
			if est[i] = best; second {
				from[i] = fromWide[i]
			}
		}
	}
	for i := range est {
		est[i].Evals = d.evals
	}
	return est, from
}

// widest returns the first step of a ladder at x with the given room: less than
// half of it, so that a singularity on the bound stays at twice the step's
// distance, and no power of two: on such steps a function that was rounded to
// float32 is rounded alike.
func widest(x, room float64) float64 {
	return 0.471 * math.Min(room, math.Max(1, math.Abs(x)))
}

// better returns, of two estimates, the one with less error. Where b denies a
// or does not resolve the derivative, a stands: its steps are the smaller ones,
// and the function may be smooth on their scale alone. Claims are generous, so
// that a distance of more than a third of a's is a doubt, which b has to
// add to its own. A function that stands still on both scales is known the
// better the wider the steps are.
func better(a, b Estimate) (best Estimate, second bool) {
	gap := math.Abs(a.Value - b.Value)
	if a.Kink || a.Divergent || !(gap <= a.Err+b.Err) {
		return a, false
	}
	if gap > a.Err/3 {
		b.Err += gap
	}
	still := a.Value == 0 && b.Value == 0
	if b.Err < a.Err && (still || b.Err < math.Abs(b.Value)/16) {
		return b, true
	}
	return a, false
}

// rounded returns the estimate with that much round-off more.
func (e Estimate) rounded(more float64) Estimate {
	e.Err, e.Roundoff = e.Err+more, e.Roundoff+more
	return e
}

// amid returns the estimate with the error that it has where there is as much
// noise as was met further out.
func (e Estimate) amid(noise float64) Estimate {
	if noise > e.Noise {
		e = e.rounded(spread * noise / e.Step)
		e.Noise = noise
	}
	return e
}

// climb evaluates one rung at x with a step of about h: to both sides, or to
// the given side alone. The point away from zero is an odd multiple of an ulp,
// since round steps share their rounding and hide a bias; the other is its
// mirror image, exactly, since curvature times a difference of the two steps
// would not extrapolate away. The width is the distance of the points as stored.
func (d *differ) climb(x, h, side float64) rung {
	if side != 0 {
		y := odd(x + side*h)
		return rung{y - x, d.eval(y), d.center}
	}
	out := odd(x + math.Copysign(h, x))
	in := x - (out - x)
	return rung{out - in, d.eval(out), d.eval(in)}
}

// odd sets the last bit of x.
func odd(x float64) float64 { return math.Float64frombits(math.Float64bits(x) | 1) }

// A descent is a ladder that was climbed down: its rungs, and the tableau of
// every function.
type descent struct {
	side float64
	done []rung
	last float64 // step
	tabs []tableau
}

// replay builds the tableau of function i again, for a given noise, and tells
// of every rung.
func (g *descent) replay(i int, noise float64, tell func(Step)) tableau {
	t := newTableau(g.tabs[i].order, noise, g.tabs[i].center)
	for _, r := range g.done {
		t.add(r.width, r.plus[i], r.minus[i])
		if tell != nil {
			tell(Step{math.Abs(r.width), r.slope(i), t.latest.value, t.latest.err, t.latest.roundoff})
		}
	}
	return t
}

// estimate returns what the descent says of function i.
func (g *descent) estimate(i int) Estimate {
	e := g.tabs[i].estimate(g.side != 0)
	if e.Err < math.Abs(e.Value)/16 {
		return e
	}
	if far, ok := g.diverging(i); ok {
		return far
	}
	return e
}

// ladder estimates with steps from h downwards. Where much smaller steps
// disagree with the outcome, the function has structure that the ladder stepped
// over, and another one starts from below it, for the functions concerned.
// Where it has a kink, the two sides are looked at one by one.
func (d *differ) ladder(x, h, side float64) ([]Estimate, []*descent) {
	est, from := make([]Estimate, d.m), make([]*descent, d.m)
	denied, apart := make([]denial, d.m), make([]bool, d.m)
	top := h
	for k := range ladders {
		g := d.descend(x, h, side)
		for i := range est {
			if k == 0 || denied[i].width > 0 {
				est[i], from[i], denied[i] = g.estimate(i), g, denial{}
			}
		}
		if d.enough > 0 && d.noise != nil {
			break
		}
		h = d.part(x, g, est, denied, apart)
		h = math.Max(h, d.contradicted(x, g, est, from, denied, apart))
		if h == 0 || !d.resolved(x, top, g, est, denied) {
			break
		}
	}
	if slices.Contains(apart, true) {
		left, _ := d.ladder(x, top, -1)
		right, _ := d.ladder(x, top, 1)
		for i, both := range join(left, right) {
			if apart[i] {
				est[i] = both
			}
		}
	}
	return est, from
}

// contradicted looks for functions of which a much smaller step denies the
// estimate, and returns the step of the ladder to start from below it, 0 where
// there is none. Such an estimate has its error widened to the disagreement.
// Where two steps deny it, and each other, there is more noise than is known.
func (d *differ) contradicted(x float64, g *descent, est []Estimate, from []*descent, denied []denial, apart []bool) float64 {
	h := g.last * guard
	if h < 4*ulp*math.Abs(x) {
		return 0
	}
	var second *rung
	r := d.climb(x, h, g.side)
	start := 0.0
	for i := range est {
		e := &est[i]
		if apart[i] || e.Divergent {
			continue
		}
		slope := r.slope(i)
		gap := math.Abs(slope - e.Value)
		n := denial{gap - 4*g.left(i, r), math.Abs(r.width)}
		if n.explained(*e) {
			continue
		}
		if second == nil { // one slope may be an accident of the noise
			again := d.climb(x, h*0.7, g.side)
			second = &again
		}
		if math.Abs(second.slope(i)-slope) < gap/4 {
			e.Err = math.Max(e.Err, safety*gap)
			denied[i], start = n, 8*h
			continue
		}
		other := denial{math.Abs(second.slope(i)-e.Value) - 4*g.left(i, *second), math.Abs(second.width)}
		noise := math.Max(n.gap*n.width, other.gap*other.width) / 2
		if from[i] == g && d.noise == nil && !other.explained(*e) && noise > g.tabs[i].noise {
			g.tabs[i] = g.replay(i, noise, nil)
			*e = g.estimate(i)
		}
	}
	return start
}

// left returns the truncation to be expected of the difference quotient of a
// rung below the descent, from that of its last rung.
func (g *descent) left(i int, r rung) float64 {
	t := &g.tabs[i]
	part := math.Abs(r.width / t.width[0])
	if t.order == 2 {
		part *= part
	}
	if v := part * math.Abs(t.entry[0]-t.best.value); finite(v) {
		return v
	}
	return 0
}

// descend goes down a ladder until round-off exceeds the error reached, for
// every function.
func (d *differ) descend(x, h, side float64) *descent {
	top := h
	g := &descent{side: side, last: h, tabs: make([]tableau, d.m)}
	order := 2
	if side != 0 {
		order = 1
	}
	for i := range g.tabs {
		g.tabs[i] = newTableau(order, d.noiseOf(i), d.center[i])
	}
	for k := 0; k < min(cmp.Or(d.most, rungs), rungs) && h > 4*ulp*math.Abs(x) && h > 0; k++ {
		r := d.climb(x, h, side)
		g.done = append(g.done, r)
		open := false
		for i := range g.tabs {
			g.tabs[i].add(r.width, r.plus[i], r.minus[i])
			open = open || !g.tabs[i].settled(math.Max(d.enough, 4*ulp))
		}
		g.last = h
		if !open {
			break
		}
		h /= 2
	}
	if d.noise == nil {
		d.remeasure(x, top, g)
	}
	return g
}
