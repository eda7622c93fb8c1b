package gradcheck

import "math"

const (
	columns = 8 // of an extrapolation tableau: order 16 central, 8 one-sided
	safety  = 3 // what the observed truncation is multiplied by before it is claimed
	spread  = 6 // noise of a difference of two values, in units of the noise of one
)

// A rung is one step of a ladder: the distance of two stored points and the
// values there.
type rung struct {
	width       float64
	plus, minus []float64
}

// slope returns the difference quotient of function i.
func (r rung) slope(i int) float64 { return (r.plus[i] - r.minus[i]) / r.width }

// jump returns the slope to the one side less the slope to the other, of a rung
// whose points lie at the same distance from the center.
func (r rung) jump(i int, center []float64) float64 {
	return ((r.plus[i] - center[i]) - (center[i] - r.minus[i])) / (r.width / 2)
}

// A tableau extrapolates the differences of one function to step zero.
type tableau struct {
	order int     // 2 where the truncation has even powers of the step only, else 1
	noise float64 // of one value

	n     int              // levels in it, at most columns
	width [columns]float64 // of the levels, the latest first
	entry [columns]float64 // of the latest level, by column
	carry [columns]float64 // round-off in entry

	best     mark // the best entry so far
	latest   mark // the best entry of the latest level
	levels   int
	constant bool    // every value was the same
	first    float64 // the first of them
	widest   float64 // first width
	jerk     float64 // least change of value between two rungs' ends that is not zero
	still    bool    // a rung without any change followed one with
	largest  float64 // of the values, without their sign
}

// A mark is an entry of a tableau: a derivative with the error claimed for it,
// the part of that which is round-off, and the step of its level.
type mark struct{ value, err, roundoff, step float64 }

func newTableau(order int, noise float64) tableau {
	none := mark{value: math.NaN(), err: math.Inf(1)}
	return tableau{order: order, noise: noise, best: none, latest: none, constant: true, jerk: math.Inf(1)}
}

// add enters the values at two points a width apart. A level without a finite
// slope starts the tableau anew below it.
func (t *tableau) add(width, plus, minus float64) {
	t.observe(width, plus, minus)
	slope := (plus - minus) / width
	if !finite(slope) {
		t.n, t.best.err = 0, math.Inf(1)
		return
	}
	t.latest = mark{value: slope, err: math.Inf(1), step: math.Abs(width)}
	entry, carry := [columns]float64{slope}, [columns]float64{spread*t.noise/math.Abs(width) + ulp*math.Abs(slope)}
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
		if err := safety*trunc + carry[j]; err < t.latest.err {
			t.latest = mark{entry[j], err, carry[j], math.Abs(width)}
		}
	}
	if t.latest.err < t.best.err {
		t.best = t.latest
	}
	copy(t.width[1:], t.width[:columns-1])
	t.width[0] = width
	t.entry, t.carry = entry, carry
	t.n = min(t.n+1, columns)
}

// observe notes what the values themselves say, before they are divided.
func (t *tableau) observe(width, plus, minus float64) {
	if t.levels == 0 {
		t.first, t.widest = plus, math.Abs(width)
	}
	t.levels++
	t.constant = t.constant && plus == t.first && minus == t.first
	t.largest = math.Max(t.largest, math.Max(math.Abs(plus), math.Abs(minus)))
	change := math.Abs(plus - minus)
	t.still = t.still || change == 0 && finite(t.jerk)
	if change > 0 {
		t.jerk = math.Min(t.jerk, change)
	}
}

// settled reports whether smaller steps cannot improve the estimate, or its
// relative error will do.
func (t *tableau) settled(enough float64) bool {
	if t.constant {
		return t.levels >= columns
	}
	return t.n > 1 && (t.carry[0] > t.best.err || t.best.err <= enough*math.Abs(t.best.value))
}

// estimate returns the best entry. A function that never changed has the
// derivative 0, up to what a change below its last bit could hide.
func (t *tableau) estimate(oneSided bool) Estimate {
	if t.constant && t.levels > 0 {
		hidden := spread * t.noise / t.widest
		return Estimate{Err: hidden, Roundoff: hidden, Noise: t.noise, Step: t.widest, OneSided: oneSided}
	}
	b := t.best
	return Estimate{Value: b.value, Err: b.err, Roundoff: b.roundoff, Noise: t.noise, Step: b.step, OneSided: oneSided}
}
