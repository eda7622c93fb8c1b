package gradcheck

import "math"

// Estimate is a derivative found by finite differences.
type Estimate struct {
	Value    float64 // the derivative
	Err      float64 // bound claimed for the distance between Value and the true derivative
	Noise    float64 // noise of one evaluation of the function, absolute
	Step     float64 // smallest step that Value is made of
	Evals    int     // evaluations of the function
	OneSided bool    // the steps went to one side only, for lack of room on the other
	Kink     bool    // the two sides differ: Value ± Err spans what lies between their slopes
}

const (
	ulp     = 0x1p-52 // of 1, in float64
	columns = 8       // of an extrapolation tableau: order 16 central, 8 one-sided
	rungs   = 60      // most steps of a ladder; each is half of the one before
	safety  = 3       // what the observed truncation is multiplied by before it is claimed
	guard   = 0x1p-10 // the step that looks for structure finer than the ladder, in units of its last
	lopside = 8       // a one-sided ladder is tried where one side has this much more room
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
// The noise of f is measured by differences of high order and not assumed. An
// estimate that cannot be made has an infinite Err.
func Derivative(f func(float64) float64, x, lo, hi float64) Estimate {
	d := differ{f: func(x float64, out []float64) { out[0] = f(x) }, m: 1}
	return d.at(x, lo, hi)[0]
}

// A differ differentiates m functions of one variable at once, all of whose
// values come from one evaluation.
type differ struct {
	f     func(x float64, out []float64)
	m     int
	noise []float64 // of each function where it is known; else it is measured at each point

	// enough is the relative error that will do, where an evaluation is so dear
	// that the ladder should end there, and without a look at what lies below.
	enough float64

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
	d.evals = 0
	d.center = d.eval(x)
	left, right := x-lo, hi-x
	near, far := math.Min(left, right), math.Max(left, right)
	var est []Estimate
	if near > 0 {
		est = d.ladder(x, widest(x, near), 0)
	}
	if far > 0 && far > lopside*near {
		side := 1.0
		if left > right {
			side = -1
		}
		est = better(est, d.ladder(x, widest(x, far), side))
	}
	if est == nil {
		est = make([]Estimate, d.m)
		for i := range est {
			est[i] = Estimate{Value: math.NaN(), Err: math.Inf(1)}
		}
	}
	for i := range est {
		est[i].Evals = d.evals
	}
	return est
}

// join returns the estimates at a point that two pieces of the functions meet
// in, from those of either side: the better one where they agree, else what
// spans both.
func join(a, b []Estimate) []Estimate {
	for i := range a {
		gap := math.Abs(a[i].Value - b[i].Value)
		switch {
		case !(gap > a[i].Err+b[i].Err):
			if !(a[i].Err <= b[i].Err) {
				a[i] = b[i]
			}
		default:
			a[i] = Estimate{
				Value: a[i].Value + (b[i].Value-a[i].Value)/2, Err: gap/2 + max(a[i].Err, b[i].Err),
				Noise: max(a[i].Noise, b[i].Noise), Step: max(a[i].Step, b[i].Step), Evals: a[i].Evals + b[i].Evals,
				OneSided: true, Kink: true,
			}
		}
	}
	return a
}

// widest returns the first step of a ladder at x with the given room: half of
// it, so that a singularity on the bound stays at twice the step's distance.
func widest(x, room float64) float64 {
	return math.Min(room/2, math.Max(1, math.Abs(x))/2)
}

// better returns, of two estimates of each function, the one with less error.
// Where b denies a or does not resolve the derivative, a stands: its steps are
// the smaller ones, and the function may be smooth on their scale alone.
func better(a, b []Estimate) []Estimate {
	if a == nil {
		return b
	}
	for i := range a {
		agree := math.Abs(a[i].Value-b[i].Value) <= a[i].Err+b[i].Err
		if agree && b[i].Err < a[i].Err && b[i].Err < math.Abs(b[i].Value)/16 {
			a[i] = b[i]
		}
	}
	return a
}

// A rung is one step of a ladder: the distance of two stored points and the
// values there.
type rung struct {
	width       float64
	plus, minus []float64
}

// slope returns the difference quotient of function i.
func (r rung) slope(i int) float64 { return (r.plus[i] - r.minus[i]) / r.width }

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

// ladder estimates with steps from h downwards. Should a much smaller step
// disagree with the outcome, the function has structure that the ladder
// stepped over, and a second one starts from below it.
func (d *differ) ladder(x, h, side float64) []Estimate {
	var est []Estimate
	for range 3 {
		tabs, last := d.descend(x, h, side)
		est = make([]Estimate, d.m)
		for i := range tabs {
			est[i] = tabs[i].estimate(side != 0)
		}
		h = last * guard
		if d.enough > 0 || h < 4*ulp*math.Abs(x) || !d.contradicts(x, h, side, est) {
			break
		}
		h *= 8
	}
	return est
}

// contradicts reports whether small steps deny an estimate: two of them, for
// one may be an accident of the noise, by more than their errors and their own
// truncation allow. Such an estimate has its error widened to the disagreement.
func (d *differ) contradicts(x, h, side float64, est []Estimate) bool {
	found := false
	var second *rung
	r := d.climb(x, h, side)
	for i := range est {
		e := &est[i]
		slope := r.slope(i)
		gap := math.Abs(slope - e.Value)
		if !(gap > 8*(e.Err+2*e.Noise/math.Abs(r.width))+1e-4*math.Abs(e.Value)) {
			continue
		}
		if second == nil {
			again := d.climb(x, h*0.7, side)
			second = &again
		}
		if math.Abs(second.slope(i)-slope) < gap/4 {
			e.Err = math.Max(e.Err, safety*gap)
			found = true
		}
	}
	return found
}

// descend goes down a ladder until round-off exceeds the error reached, for
// every function, and returns the tableaus and the last step.
func (d *differ) descend(x, h, side float64) ([]tableau, float64) {
	order := 2
	if side != 0 {
		order = 1
	}
	tabs := make([]tableau, d.m)
	for i := range tabs {
		tabs[i] = newTableau(order, d.noiseOf(i))
	}
	var done []rung
	last := h
	for k := 0; k < rungs && h > 4*ulp*math.Abs(x) && h > 0; k++ {
		r := d.climb(x, h, side)
		done = append(done, r)
		open := false
		for i := range tabs {
			tabs[i].add(r.width, r.plus[i], r.minus[i])
			open = open || !tabs[i].settled(math.Max(d.enough, 4*ulp))
		}
		last = h
		if !open {
			break
		}
		h /= 2
	}
	if d.noise == nil {
		d.remeasure(x, last, side, tabs, done)
	}
	return tabs, last
}

// noiseOf returns what is known of a function's noise before it is measured:
// a value is at best rounded.
func (d *differ) noiseOf(i int) float64 {
	floor := ulp / 2 * math.Abs(d.center[i])
	if d.noise != nil {
		return math.Max(floor, d.noise[i])
	}
	return floor
}

// remeasure measures the noise around x and, where it is more than the rounding
// of the value, builds the tableau again with it. Two spacings are measured,
// since curvature can only add to the one and the grid of x to the other; both
// are off the powers of two, on which arguments round alike.
func (d *differ) remeasure(x, h, side float64, tabs []tableau, done []rung) {
	wide := d.measure(x, h*0.27, side)
	fine := d.measure(x, math.Max(h*guard, 16*ulp*math.Abs(x))*0.83, side)
	for i := range tabs {
		noise := math.Min(wide[i], fine[i])
		if !(noise > tabs[i].noise) {
			continue
		}
		t := newTableau(tabs[i].order, noise)
		for _, r := range done {
			t.add(r.width, r.plus[i], r.minus[i])
		}
		tabs[i] = t
	}
}

// measure estimates the noise of every function from values at seven points a
// distance of h apart.
func (d *differ) measure(x, h, side float64) []float64 {
	const points = 7
	vals := make([][]float64, points)
	for j := range vals {
		offset := float64(j - points/2)
		if side != 0 {
			offset = side * float64(j)
		}
		vals[j] = d.eval(x + offset*h)
	}
	noise := make([]float64, d.m)
	for i := range noise {
		var v [points]float64
		for j := range vals {
			v[j] = vals[j][i]
		}
		noise[i] = level(v[:])
	}
	return noise
}

// level returns the noise of equidistant values, which it overwrites, by the
// method of Moré and Wild (ECNoise): differences of order k leave next to
// nothing of a smooth function, and of noise of variance s² a variance of
// s²(2k)!/(k!)². It takes the median of the orders 3 to 5.
func level(v []float64) float64 {
	var by [3]float64
	gamma := 1.0
	for k := 1; k <= 5; k++ {
		sum := 0.0
		for j := range len(v) - k {
			v[j] = v[j+1] - v[j]
			sum += v[j] * v[j]
		}
		gamma *= float64(k) / float64(2*(2*k-1))
		if k >= 3 {
			by[k-3] = math.Sqrt(gamma * sum / float64(len(v)-k))
		}
	}
	median := math.Max(math.Min(by[0], by[1]), math.Min(math.Max(by[0], by[1]), by[2]))
	if math.IsNaN(median) {
		return math.Inf(1)
	}
	return median
}

// A tableau extrapolates the differences of one function to step zero.
type tableau struct {
	order int     // 2 where the truncation has even powers of the step only, else 1
	noise float64 // of one value

	n     int              // levels in it, at most columns
	width [columns]float64 // of the levels, the latest first
	entry [columns]float64 // of the latest level, by column
	carry [columns]float64 // round-off in entry

	value, err, step float64 // the best entry so far
	levels           int
	constant         bool    // every value was the same
	first            float64 // the first of them
	widest           float64 // first width
}

func newTableau(order int, noise float64) tableau {
	return tableau{order: order, noise: noise, err: math.Inf(1), value: math.NaN(), constant: true}
}

// add enters the values at two points a width apart. A level without a finite
// slope starts the tableau anew below it.
func (t *tableau) add(width, plus, minus float64) {
	if t.levels == 0 {
		t.first, t.widest = plus, math.Abs(width)
	}
	t.levels++
	t.constant = t.constant && plus == t.first && minus == t.first
	slope := (plus - minus) / width
	if math.IsNaN(slope) || math.IsInf(slope, 0) {
		t.n, t.err = 0, math.Inf(1)
		return
	}
	entry, carry := [columns]float64{slope}, [columns]float64{6*t.noise/math.Abs(width) + ulp*math.Abs(slope)}
	for j := 1; j < min(t.n+1, columns); j++ {
		r := t.width[j-1] / width
		if t.order == 2 {
			r *= r
		}
		entry[j] = entry[j-1] + (entry[j-1]-t.entry[j-1])/(r-1)
		carry[j] = (r*carry[j-1] + t.carry[j-1]) / (r - 1)
		if j >= t.n {
			continue // no entry above to compare with
		}
		trunc := math.Max(math.Abs(entry[j]-entry[j-1]), math.Abs(entry[j]-t.entry[j]))
		if err := safety*trunc + carry[j]; err < t.err {
			t.value, t.err, t.step = entry[j], err, math.Abs(width)
		}
	}
	copy(t.width[1:], t.width[:columns-1])
	t.width[0] = width
	t.entry, t.carry = entry, carry
	t.n = min(t.n+1, columns)
}

// settled reports whether smaller steps cannot improve the estimate, or its
// relative error will do.
func (t *tableau) settled(enough float64) bool {
	if t.constant {
		return t.levels >= columns
	}
	return t.n > 1 && (t.carry[0] > t.err || t.err <= enough*math.Abs(t.value))
}

// estimate returns the best entry. A function that never changed has the
// derivative 0, up to what a change below its last bit could hide.
func (t *tableau) estimate(oneSided bool) Estimate {
	if t.constant && t.levels > 0 {
		return Estimate{Err: 6 * t.noise / t.widest, Noise: t.noise, Step: t.widest, OneSided: oneSided}
	}
	return Estimate{Value: t.value, Err: t.err, Noise: t.noise, Step: t.step, OneSided: oneSided}
}
