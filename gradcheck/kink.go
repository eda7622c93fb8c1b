package gradcheck

import "math"

const (
	stride   = 0x1p-4 // between the steps of a probe
	octaves  = 4      // the same as rungs of a ladder
	probes   = 12     // most steps of one
	sure     = 3      // steps of a probe over which a jump that stays, or grows, is no accident
	steady   = 10     // rungs over which quotients that diverge follow one power of the step
	accurate = 256    // a change of this many times the noise is known well enough for a logarithm
)

// A finding is what a probe says of the difference between the slopes to the
// two sides.
type finding uint8

const (
	smooth  finding = iota // it goes to zero with the step
	below                  // it goes to zero on steps shorter than the ladder's
	blurred                // it stays, but noise hides it before that is certain
	split                  // it stays or grows down to the noise: a kink or a cusp
)

// jump extrapolates the slope to the one side less that to the other to step
// zero, by the last rungs. Of a smooth function the difference has odd powers
// of the step only, and ends at zero; of a kink it ends at something else.
func (g *descent) jump(i int, center []float64) mark {
	best := mark{err: math.Inf(1)}
	var entry, carry [columns]float64 // of the level before
	width, n := 0.0, 0
	for _, r := range g.done[max(0, len(g.done)-columns):] {
		jump := r.jump(i, center)
		if !finite(jump) {
			n = 0
			continue
		}
		next, round := [columns]float64{jump}, [columns]float64{g.tabs[i].jumpNoise(r)}
		for j := range n {
			if j > 0 {
				ratio := math.Pow(width/r.width, float64(2*j-1))
				next[j] = next[j-1] + (next[j-1]-entry[j-1])/(ratio-1)
				round[j] = (ratio*round[j-1] + carry[j-1]) / (ratio - 1)
			}
			trunc := math.Max(math.Abs(next[j]-entry[j]), math.Abs(next[j]-next[max(j-1, 0)]))
			if err := safety*trunc + round[j]; err < best.err {
				best = mark{next[j], err, round[j], math.Abs(r.width)}
			}
		}
		if n > 0 && n < columns { // there is nothing above to compare this one with
			ratio := math.Pow(width/r.width, float64(2*n-1))
			next[n] = next[n-1] + (next[n-1]-entry[n-1])/(ratio-1)
			round[n] = (ratio*round[n-1] + carry[n-1]) / (ratio - 1)
		}
		width, entry, carry = r.width, next, round
		n = min(n+1, columns)
	}
	return best
}

// jumpNoise returns the round-off in the jump of a rung.
func (t *tableau) jumpNoise(r rung) float64 { return 4 * spread * t.noise / math.Abs(r.width) }

// suspect reports whether the slopes to the two sides seem not to meet, and the
// jump that is then looked for on shorter steps.
func (d *differ) suspect(g *descent, i int, e Estimate) (jump float64, suspicious bool) {
	if len(g.done) < 2 || g.tabs[i].constant {
		return 0, false
	}
	last, before := g.done[len(g.done)-1], g.done[len(g.done)-2]
	now, then := math.Abs(last.jump(i, d.center)), math.Abs(before.jump(i, d.center))
	if now > 2*g.tabs[i].jumpNoise(last)+e.Err && now > 0.7*then {
		return last.jump(i, d.center), true
	}
	if m := g.jump(i, d.center); math.Abs(m.value) > m.err+e.Err {
		return m.value, true
	}
	return 0, false
}

// part follows the functions that are suspected of a kink to shorter steps. It
// marks those that have one, as apart, widens the error of those that nobody
// can tell of, and denies those whose kink is beside x. It returns the step of
// the ladder to start from below that, else 0.
func (d *differ) part(x float64, g *descent, est []Estimate, denied []denial, apart []bool) float64 {
	if g.side != 0 {
		return 0
	}
	var trails []*trail
	for i, e := range est {
		if apart[i] || e.Divergent {
			continue
		}
		if jump, ok := d.suspect(g, i, e); ok {
			trails = append(trails, d.trail(g, i, jump))
		}
	}
	if trails == nil {
		return 0
	}
	d.probe(x, g, trails)
	start := 0.0
	for _, t := range trails {
		e := &est[t.i]
		switch t.finding {
		case split:
			apart[t.i] = true
		case below:
			denied[t.i], start = denial{math.Abs(t.first), g.last / 2}, math.Max(start, t.step/2)
			e.Err = math.Max(e.Err, safety*math.Abs(t.first))
		case blurred:
			e.Err = math.Max(e.Err, math.Abs(t.first))
			e.Roundoff = e.Err
		}
	}
	return start
}

// A trail follows the jump of one function down the steps of a probe.
type trail struct {
	i       int
	first   float64 // the jump suspected
	raw     float64 // the latest as it is
	jump    float64 // the latest, less what curvature adds to it
	flat    int     // steps in a row over which it stayed
	growing int     // and over which it grew, by less than the step shrank
	done    bool
	finding finding
	step    float64 // where it ended
}

// trail begins the trail of a jump with what the ladder has shown of it. Where
// that went into the noise, it is all there is.
func (d *differ) trail(g *descent, i int, jump float64) *trail {
	t := &trail{i: i, first: jump, jump: jump, raw: g.done[len(g.done)-1].jump(i, d.center)}
	k := len(g.done) - 1
	for k > 0 && !(8*g.tabs[i].jumpNoise(g.done[k]) < math.Abs(g.done[k].jump(i, d.center))) {
		k--
	}
	noisy := k < len(g.done)-1
	for stays := 0; k > 0; k-- {
		ratio := g.done[k].jump(i, d.center) / g.done[k-1].jump(i, d.center)
		if !(ratio > 0.94 && ratio < 1.06) {
			break
		}
		if stays++; stays == octaves {
			t.flat, stays = t.flat+1, 0
		}
	}
	if noisy {
		t.end()
	}
	return t
}

// probe looks at shorter steps than the ladder's for what suspects become of.
func (d *differ) probe(x float64, g *descent, trails []*trail) {
	h := g.last * stride
	for k := 0; k < probes && h > 16*ulp*math.Abs(x); k++ {
		r := d.climb(x, h, 0)
		open := false
		for _, t := range trails {
			if !t.done {
				t.follow(r.jump(t.i, d.center), g.tabs[t.i].jumpNoise(r), h, k > 0)
				open = open || !t.done
			}
		}
		if !open {
			return
		}
		h *= stride
	}
	for _, t := range trails {
		if !t.done {
			t.end()
		}
	}
}

// follow takes in the jump at step h, with its noise; later says that the one
// before was of a probe, too, and not extrapolated from the ladder. Curvature
// adds to a jump in proportion to the step, so that two tell how much.
func (t *trail) follow(raw, noise, h float64, later bool) {
	was, jump := t.jump, (raw-stride*t.raw)/(1-stride)
	t.raw, t.jump, t.step = raw, jump, h
	switch ratio := jump / was; {
	case math.Abs(jump)+noise < math.Abs(was)/2:
		t.done, t.finding = true, smooth
		if later || noise < math.Abs(was)/16 {
			t.finding = below
		}
	case !(noise < math.Abs(was)/4):
		t.end()
	case ratio > 0.8 && ratio < 1.25:
		t.flat, t.growing = t.flat+1, 0
	case ratio >= 1.25 && ratio < 0.95/stride:
		t.flat, t.growing = 0, t.growing+1
	default:
		t.flat, t.growing = 0, 0
	}
}

// end decides a trail that noise hides further down.
func (t *trail) end() {
	t.done = true
	switch {
	case t.flat >= sure || t.growing >= sure:
		t.finding = split
	case t.flat+t.growing > 0:
		t.finding = blurred
	}
}

// diverging reports whether the quotients of function i grow like a power of
// the step between -1 and 0, all the way down to the noise, and that power. A
// function with |x|^γ in it, γ below 1, does that at its zero.
func (g *descent) diverging(i int) (e Estimate, ok bool) {
	done := g.done
	noise := g.tabs[i].noise
	for len(done) > 0 && done[len(done)-1].change(i) <= accurate*noise {
		done = done[:len(done)-1]
	}
	if len(done) < steady || len(done) < len(g.done) && done[len(done)-1].change(i) > 4*accurate*noise {
		return e, false // too few, or it was not into the noise that the changes vanished
	}
	done = done[len(done)-steady:]
	lo, hi := math.Inf(1), math.Inf(-1)
	for k := 1; k < steady; k++ {
		a, b := done[k-1], done[k]
		growth := math.Log(b.slope(i)/a.slope(i)) / math.Log(a.width/b.width)
		if math.IsNaN(growth) {
			return e, false
		}
		lo, hi = math.Min(lo, growth), math.Max(hi, growth)
	}
	if !(lo > 0.02 && hi < 0.98 && hi-lo < 0.05) {
		return e, false
	}
	at := math.Inf(1)
	if done[0].slope(i) < 0 {
		at = -at
	}
	return Estimate{
		Value: at, Err: math.Inf(1), Noise: noise, Step: math.Abs(done[steady-1].width), OneSided: g.side != 0,
		Divergent: true, Exponent: -(lo + hi) / 2, Lo: at, Hi: at,
	}, true
}

// join returns the estimates at a point that two pieces of the functions meet
// in, from those of either side: the better one where they agree, else what
// spans both.
func join(a, b []Estimate) []Estimate {
	out := make([]Estimate, len(a))
	for i := range a {
		out[i] = meet(a[i], b[i])
	}
	return out
}

// meet joins two estimates.
func meet(a, b Estimate) Estimate {
	gap := math.Abs(a.Value - b.Value)
	evals := a.Evals + b.Evals
	switch {
	case a.Divergent || b.Divergent:
		return cusp(a, b)
	case !(gap > a.Err+b.Err):
		if !(a.Err <= b.Err) {
			a = b
		}
		a.Evals = evals
		return a
	}
	widest := a
	if b.Err > a.Err {
		widest = b
	}
	return Estimate{
		Value: a.Value + (b.Value-a.Value)/2, Err: gap/2 + widest.Err, Roundoff: widest.Roundoff,
		Noise: math.Max(a.Noise, b.Noise), Step: math.Max(a.Step, b.Step), Evals: evals,
		OneSided: true, Kink: true, Lo: math.Min(a.Value, b.Value), Hi: math.Max(a.Value, b.Value),
	}
}

// cusp joins two estimates of which one diverges at least. There is a value
// where both go to the same infinity.
func cusp(a, b Estimate) Estimate {
	c := Estimate{
		Value: a.Value, Err: math.Inf(1), Noise: math.Max(a.Noise, b.Noise), Step: math.Min(a.Step, b.Step),
		Evals: a.Evals + b.Evals, OneSided: true, Divergent: true, Exponent: math.Min(a.Exponent, b.Exponent),
		Lo: math.Min(a.Value, b.Value), Hi: math.Max(a.Value, b.Value),
	}
	if a.Value != b.Value {
		c.Value = math.NaN()
	}
	return c
}
