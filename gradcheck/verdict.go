package gradcheck

import (
	"fmt"
	"math"
	"slices"
)

// Verdict is the outcome of a check.
type Verdict uint8

// The verdicts, from good to bad.
const (
	Pass         Verdict = iota // no derivative is off, and one that were would have been caught
	Inconclusive                // nothing wrong was found, but something wrong could have been missed
	Fail                        // a derivative is wrong
)

// String returns PASS, INCONCLUSIVE or FAIL.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "PASS"
	case Inconclusive:
		return "INCONCLUSIVE"
	default:
		return "FAIL"
	}
}

// MarshalText returns the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (v *Verdict) UnmarshalText(text []byte) error {
	for _, w := range []Verdict{Pass, Inconclusive, Fail} {
		if w.String() == string(text) {
			*v = w
			return nil
		}
	}
	return fmt.Errorf("gradcheck: unknown verdict %q", text)
}

const (
	tolerance = 1e-7 // of a float64 derivative, relative to its scale
	floor     = 0.1  // least scale of a derivative, relative to the RMS of its row
	maxPower  = 1e-5 // a float64 row that would miss a greater relative defect is inconclusive
)

// A comparison holds derivatives as they should be and as they are, and how
// far they may be apart.
type comparison struct {
	want, err, got []float64
	tol, scale     []float64
	numeric        []Estimate // what want and err come from, if that is finite differences
	hasFloor       bool       // powers are declared to be constant near their zeros, where they would diverge

	// hidden looks closer at derivative i, of a function that stands still, and
	// returns the slope that rounding could hide there. Nil: it was looked at.
	hidden func(i int) float64
}

// numerically compares analytic derivatives with estimates. The scale of each
// comes from the estimates alone, so that a wrong gradient cannot widen its own
// tolerance, and nothing in it is absolute: an all-zero gradient fails however
// small the true one is. Where the function never changed at all, there is no
// scale, and the gradient is held against the function's last bit.
func numerically(numeric []Estimate, analytic []float64) comparison {
	n := len(numeric)
	c := comparison{
		want: make([]float64, n), err: make([]float64, n), got: analytic,
		tol: make([]float64, n), scale: make([]float64, n), numeric: numeric,
	}
	for i, e := range numeric {
		c.want[i], c.err[i] = e.Value, e.Err
	}
	least := floor * rms(c.want)
	for i, v := range c.want {
		c.scale[i] = math.Max(math.Abs(v), least)
		c.tol[i] = tolerance*c.scale[i] + c.err[i]
	}
	return c
}

// within compares derivatives with those of a more accurate computation,
// within the given bounds.
func within(want, got, bound []float64) comparison {
	c := comparison{want: want, err: make([]float64, len(want)), got: got, tol: bound, scale: make([]float64, len(want))}
	least := floor * rms(want)
	for i, v := range want {
		c.scale[i] = math.Max(math.Abs(v), least)
	}
	return c
}

// rms returns the root mean square of the finite values, which may be as small
// or as large as float64 has them.
func rms(v []float64) float64 {
	largest, n := 0.0, 0
	for _, a := range v {
		if finite(a) {
			largest = math.Max(largest, math.Abs(a))
			n++
		}
	}
	if largest == 0 {
		return 0
	}
	sum := 0.0
	for _, a := range v {
		if finite(a) {
			sum += (a / largest) * (a / largest)
		}
	}
	return largest * math.Sqrt(sum/float64(n))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// A judgement is the outcome of a comparison.
type judgement struct {
	verdict Verdict
	reason  string
	power   float64 // smallest relative defect that would have been caught wherever it was, but on a kink
	floored int     // derivatives that only the floor of the scale judged
	worst   int     // the one furthest from right, in units of its tolerance, or least decided; -1 if there is none
}

// judge decides a comparison. Of plateaus that speak against the derivatives it
// asks first whether rounding is what made them.
func (c comparison) judge() judgement {
	j := c.decide()
	if j.verdict != Fail || c.hidden == nil {
		return j
	}
	var still []int
	for i := range c.want {
		if c.excess(i) > 1 && c.numeric[i].still && finite(c.got[i]) {
			still = append(still, i)
		}
	}
	c.numeric = slices.Clone(c.numeric)
	for _, i := range still {
		e := &c.numeric[i]
		e.Err = math.Max(e.Err, c.hidden(i))
		e.Roundoff = e.Err
		c.err[i], c.tol[i] = e.Err, tolerance*c.scale[i]+e.Err
	}
	return c.decide()
}

// decide decides a comparison by what is known.
func (c comparison) decide() judgement {
	j := judgement{worst: -1}
	worst, unresolved, weakest := -1.0, -1, -1
	for i := range c.want {
		excess := c.excess(i)
		if excess > worst {
			worst, j.worst = excess, i
		}
		if c.undecided(i) {
			unresolved = i
		}
		if c.numeric != nil && !(finite(c.want[i]) && finite(c.err[i])) {
			continue
		}
		if p := c.tol[i] / c.scale[i]; c.scale[i] > 0 && !c.kink(i) && finite(c.tol[i]) && p > j.power {
			j.power, weakest = p, i
		}
		if math.Abs(c.want[i]) < c.scale[i] {
			j.floored++
		}
	}
	switch {
	case worst > 1:
		j.verdict, j.reason = Fail, c.describe(j.worst)
	case unresolved >= 0:
		j.verdict, j.worst, j.reason = Inconclusive, unresolved, c.numeric[unresolved].obstacle()
	case c.numeric != nil && j.power > maxPower:
		j.verdict, j.worst = Inconclusive, weakest
		j.reason = fmt.Sprintf("%s: a relative defect of %.2g could have been missed", c.numeric[weakest].obstacle(), j.power)
	}
	return j
}

// obstacle names what keeps an estimate from being better, the reasons of a
// comparison that is inconclusive: a derivative that diverges, or of which no
// difference could be formed, and else the greater part of its error.
func (e Estimate) obstacle() string {
	switch {
	case e.Divergent:
		return fmt.Sprintf("divergent: difference quotients grow like the step to the power %.3g", e.Exponent)
	case !(finite(e.Value) && finite(e.Err)):
		return "domain: no finite difference could be formed"
	case e.still:
		return fmt.Sprintf("noise: the value stands still over a width of %.2g, on which its rounding could hide a slope of %.2g", e.Step, e.Err)
	case e.Roundoff >= e.Err/8: // noise makes neighbouring entries differ, too
		return "noise"
	default:
		return "truncation"
	}
}

// kink reports whether derivative i has two sides.
func (c comparison) kink(i int) bool { return c.numeric != nil && c.numeric[i].Kink }

// undecided reports whether derivative i is right or wrong, nobody knows which.
// A divergent one is decided where it is infinite or zero by a declared floor,
// and one without a scale, as nothing changes anywhere, where it is zero.
func (c comparison) undecided(i int) bool {
	switch {
	case c.numeric == nil:
		return false
	case c.numeric[i].Divergent:
		return !c.hasFloor && finite(c.got[i])
	case c.scale[i] == 0 && c.got[i] != c.want[i]:
		return true
	}
	return !(finite(c.want[i]) && finite(c.err[i]))
}

// excess returns the distance of derivative i from right in units of its
// tolerance: infinite where only one of the two is finite.
func (c comparison) excess(i int) float64 {
	want, got := c.want[i], c.got[i]
	switch {
	case c.numeric != nil && c.numeric[i].Divergent:
		return c.astray(i)
	case math.IsNaN(want) && c.numeric != nil:
		return 0 // no estimate: nothing to hold against the gradient
	case math.IsNaN(want) && math.IsNaN(got), want == got:
		return 0
	case !finite(want) || !finite(got) || !(c.tol[i] > 0):
		return math.Inf(1)
	}
	return math.Abs(want-got) / c.tol[i]
}

// astray is excess for a derivative that diverges. The infinity of either side
// is right, and so is 0 where a floor holds the power constant there; another
// number is wrong beside a floor, and without one it may be anything.
func (c comparison) astray(i int) float64 {
	got, e := c.got[i], c.numeric[i]
	switch {
	case math.IsInf(got, 0) && (got == e.Lo || got == e.Hi):
		return 0
	case finite(got) && (!c.hasFloor || got == 0):
		return 0
	}
	return math.Inf(1)
}

// describe says in words how derivative i is wrong.
func (c comparison) describe(i int) string {
	want, got := c.want[i], c.got[i]
	switch {
	case c.numeric != nil && c.numeric[i].Divergent && finite(got):
		return "the derivative is neither infinite nor zero, beside a floor of the power"
	case c.numeric != nil && c.numeric[i].Divergent && math.IsInf(got, 0):
		return "the derivative has the wrong sign"
	case !finite(got):
		return "the derivative is not finite"
	case got == 0:
		return "the derivative is zero and should not be"
	case want != 0 && math.Abs(got+want) <= 2*c.tol[i]:
		return "the derivative has the wrong sign"
	case math.Abs(want) > c.tol[i]:
		return fmt.Sprintf("the derivative is off by a factor of %.6g", got/want)
	}
	return "the derivative is not zero and should be"
}
