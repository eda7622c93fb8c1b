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

// change returns by how much function i differs at the two points.
func (r rung) change(i int) float64 { return math.Abs(r.plus[i] - r.minus[i]) }

// jump returns the slope to the one side less the slope to the other, of a rung
// whose points lie at the same distance from the center.
func (r rung) jump(i int, center []float64) float64 {
	return ((r.plus[i] - center[i]) - (center[i] - r.minus[i])) / (r.width / 2)
}

// A tableau extrapolates the differences of one function to step zero.
type tableau struct {
	order  int     // 2 where the truncation has even powers of the step only, else 1
	noise  float64 // of one value near x
	center float64 // value at x

	n     int              // levels in it, at most columns
	width [columns]float64 // of the levels, the latest first
	entry [columns]float64 // of the latest level, by column
	carry [columns]float64 // round-off in entry
	above float64          // round-off in the first entry of the level before

	best     mark // the best entry so far
	latest   mark // the best entry of the latest level
	levels   int
	constant bool    // every value was the same as at x
	moved    bool    // a rung had values that differ
	still    bool    // and a later one had none
	resting  int     // of the latest rungs in a row, those that have the value at x on both sides
	plateau  float64 // the width of the first of them
	turned   bool    // shorter steps denied an estimate that was good to a digit
}

// A mark is an entry of a tableau: a derivative with the error claimed for it,
// the part of that which is round-off, and the step of its level.
type mark struct{ value, err, roundoff, step float64 }

// denies reports whether an entry of shorter steps contradicts an earlier one,
// which then happened to agree with its neighbours.
func (m mark) denies(earlier mark) bool {
	return math.Abs(m.value-earlier.value) > m.err+earlier.err
}

func newTableau(order int, noise, center float64) tableau {
	none := mark{value: math.NaN(), err: math.Inf(1)}
	return tableau{order: order, noise: noise, center: center, best: none, latest: none, constant: true}
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
	noise := math.Max(t.noise, ulp/2*math.Max(math.Abs(plus), math.Abs(minus)))
	entry, carry := [columns]float64{slope}, [columns]float64{spread*noise/math.Abs(width) + ulp*math.Abs(slope)}
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
	denied := t.latest.denies(t.best)
	t.turned = t.turned || denied && t.best.err < math.Abs(t.best.value)/16
	if denied || t.latest.err < t.best.err {
		t.best = t.latest
	}
	copy(t.width[1:], t.width[:columns-1])
	t.width[0] = width
	t.above, t.entry, t.carry = t.carry[0], entry, carry
	t.n = min(t.n+1, columns)
}

// observe notes what the values themselves say, before they are divided.
func (t *tableau) observe(width, plus, minus float64) {
	t.levels++
	t.constant = t.constant && plus == t.center && minus == t.center
	t.still = t.still || t.moved && plus == minus
	t.moved = t.moved || plus != minus
	switch {
	case plus != t.center || minus != t.center:
		t.resting = 0
	case t.resting == 0:
		t.resting, t.plateau = 1, math.Abs(width)
	default:
		t.resting++
	}
}

// settled reports whether smaller steps cannot improve the estimate, or its
// relative error will do.
func (t *tableau) settled(enough float64) bool {
	if t.constant {
		return t.levels >= columns
	}
	rounded := t.n > 3 && t.best.err <= 2*t.best.roundoff && t.carry[0] >= t.above
	return t.n > 1 && (rounded || t.carry[0] > t.best.err || t.best.err <= enough*math.Abs(t.best.value))
}

// size returns the size of the values that the best entry is made of.
func (t *tableau) size() float64 {
	v := math.Abs(t.center)
	if change := math.Abs(t.best.value) * t.best.step; finite(change) {
		v += change
	}
	return v
}

// flat is the number of rungs on which a function that changes further out has
// to stand still to be on a plateau.
const flat = 3

// estimate returns the best entry. A function that never changed, or does not
// on the whole of a plateau, has the derivative 0, up to what a change below its
// last bit could hide.
func (t *tableau) estimate(oneSided bool) Estimate {
	b := t.best
	hidden := spread * t.noise / t.plateau
	if t.constant && t.levels > 0 || t.resting >= flat && b.value == 0 && hidden < b.err {
		return Estimate{Err: hidden, Roundoff: hidden, Noise: t.noise, Step: t.plateau, OneSided: oneSided, still: true}
	}
	return Estimate{Value: b.value, Err: b.err, Roundoff: b.roundoff, Noise: t.noise, Step: b.step, OneSided: oneSided}
}
