package gradcheck

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A long x is looked at along this many directions that move every coordinate
// with room to both sides, along as many that move those on a bound inwards,
// and by at most this many coordinates of each sort.
const (
	functionDirections = 8
	inwardDirections   = 2
	functionSamples    = 6
)

// enough is the relative error that a derivative of a function of many
// coordinates needs: well below the tolerance.
const enough = 1e-8

// large checks coordinates of every sort and, unless one of them fails, random
// directions. Where a direction fails, the coordinate at fault is looked for.
func (c *funcCheck) large() {
	rng := rand.New(rand.NewPCG(1, uint64(len(c.x))))
	picked := c.sample(rng)
	var noise meter
	est := make([]Estimate, len(picked))
	for j, i := range picked {
		est[j] = noise.take(c.by(i, noise.differ()))
	}
	c.judge(est, picked)
	if c.row.Verdict == Fail {
		return
	}
	noise = meter{}
	directions := c.directions(rng)
	along, got := make([]Estimate, len(directions)), make([]float64, len(directions))
	for k, d := range directions {
		along[k] = noise.take(c.along(d, noise.differ()))
		got[k] = dot(c.grad, d.by)
	}
	held := numerically(along, got)
	held.hidden = func(k int) float64 { return c.hiddenAlong(directions[k], along[k]) }
	j := held.judge()
	c.row.Checks += len(along)
	c.row.Power = math.Max(c.row.Power, j.power)
	if j.verdict <= c.row.Verdict {
		return
	}
	reason := "along a direction: " + j.reason
	if j.verdict == Fail {
		culprits := c.find(directions[j.worst], noise.differ())
		if c.accuse(culprits) {
			return
		}
		reason += fmt.Sprintf("; %d of the coordinates from %d to %d are off together", len(culprits), culprits[0], culprits[len(culprits)-1])
	}
	c.row.Verdict, c.row.Reason = j.verdict, reason
	c.row.Worst = Element{What: "direction", N: j.worst, C: -1, S: -1, Analytic: got[j.worst], Numeric: held.want[j.worst], Err: held.err[j.worst], Tol: held.tol[j.worst]}
}

// A meter measures noise on the first few derivatives and spares the others
// the evaluations.
type meter struct {
	taken int
	noise float64
}

// measured is the number of derivatives that noise is measured on.
const measured = 2

// differ returns what the next derivative is to be taken with.
func (m *meter) differ() differ {
	d := differ{m: 1, enough: enough}
	if m.taken >= measured {
		d.noise = []float64{m.noise}
	}
	return d
}

func (m *meter) take(e Estimate) Estimate {
	m.taken++
	m.noise = math.Max(m.noise, e.Noise)
	return e
}

// sample picks coordinates: those with the largest derivatives, the first and
// the last, the first on a lower and on an upper bound, and random ones.
func (c *funcCheck) sample(rng *rand.Rand) []int {
	picked := []int{0, len(c.x) - 1}
	picked = append(picked, c.steepest()...)
	var low, high []int
	for i, v := range c.x {
		switch lo, hi := c.interval(i); {
		case v == lo && len(low) < functionSamples:
			low = append(low, i)
		case v == hi && len(high) < functionSamples:
			high = append(high, i)
		}
	}
	picked = append(picked, low...)
	picked = append(picked, high...)
	for range functionSamples {
		picked = append(picked, rng.IntN(len(c.x)))
	}
	slices.Sort(picked)
	return slices.Compact(picked)
}

// steepest returns the coordinates with the largest derivatives.
func (c *funcCheck) steepest() []int {
	var best []int
	size := func(i int) float64 { return math.Abs(c.grad[i]) }
	for i := range c.grad {
		if len(best) == functionSamples && size(i) <= size(best[len(best)-1]) {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, size(i), func(j int, v float64) int { return cmp.Compare(v, size(j)) })
		best = slices.Insert(best, at, i)
		best = best[:min(len(best), functionSamples)]
	}
	return best
}

// A direction is a move of all coordinates at once that stays inside the
// bounds for steps up to 1, forth and, unless it is inward, back.
type direction struct {
	by     []float64
	inward bool
}

// directions draws a sign for every coordinate that can move to both sides,
// times the room it has, and moves inward half of those that are on a bound.
func (c *funcCheck) directions(rng *rand.Rand) []direction {
	var all []direction
	for k := range functionDirections + inwardDirections {
		d := direction{by: make([]float64, len(c.x)), inward: k >= functionDirections}
		moves := false
		for i, v := range c.x {
			lo, hi := c.interval(i)
			room := math.Max(1, math.Abs(v))
			left, right := math.Min(v-lo, room), math.Min(hi-v, room)
			switch {
			case left > 0 && right > 0:
				if d.inward {
					continue
				}
				d.by[i] = math.Min(left, right)
				if rng.Uint64()&1 == 0 {
					d.by[i] = -d.by[i]
				}
			case d.inward && rng.Uint64()&1 == 0:
				d.by[i] = right - left
			}
			moves = moves || d.by[i] != 0
		}
		if moves {
			all = append(all, d)
		}
	}
	return all
}

// along estimates the derivative in a direction, in the way that d is set up.
func (c *funcCheck) along(dir direction, d differ) Estimate {
	d.f = c.path(dir)
	e := d.at(0, dir.back(), 1)[0]
	copy(c.at, c.x)
	return e
}

// hiddenAlong is hidden for a direction.
func (c *funcCheck) hiddenAlong(dir direction, e Estimate) float64 {
	d := differ{m: 1, f: c.path(dir)}
	slope := d.hidden(0, 0, dir.back(), 1, e)
	copy(c.at, c.x)
	return slope
}

// path returns the function along a direction.
func (c *funcCheck) path(dir direction) func(t float64, out []float64) {
	return func(t float64, out []float64) {
		for i, v := range dir.by {
			c.at[i] = c.x[i] + t*v
		}
		out[0] = c.value()
	}
}

// back returns the last step back that the direction has room for.
func (d direction) back() float64 {
	if d.inward {
		return 0
	}
	return -1
}

// find narrows a failing direction down to as few coordinates as fail together.
func (c *funcCheck) find(dir direction, d differ) []int {
	var moved []int
	for i, v := range dir.by {
		if v != 0 {
			moved = append(moved, i)
		}
	}
	part := direction{inward: dir.inward, by: make([]float64, len(dir.by))}
	return bisect(moved, func(subset []int) bool {
		clear(part.by)
		for _, i := range subset {
			part.by[i] = dir.by[i]
		}
		est := []Estimate{c.along(part, d)}
		held := numerically(est, []float64{dot(c.grad, part.by)})
		held.hidden = func(int) float64 { return c.hiddenAlong(part, est[0]) }
		return held.judge().verdict == Fail
	})
}

// accuse fails the row for the first of the coordinates whose derivative is
// wrong by itself, and reports whether one is.
func (c *funcCheck) accuse(coordinates []int) bool {
	before := c.row
	for _, i := range coordinates[:min(len(coordinates), functionSamples)] {
		c.judge([]Estimate{c.by(i, differ{m: 1})}, []int{i})
		if c.row.Verdict == Fail {
			c.row.Power, c.row.Floored = before.Power, before.Floored
			return true
		}
		c.row = before
	}
	return false
}
