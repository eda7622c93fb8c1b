package gradcheck

import (
	"math"
	"slices"
)

const (
	halvings = 40 // of what lies between a function that stands still and one that has changed
	farther  = 16 // between the steps outwards from a plateau
	farthest = 10 // most of them
)

// A ledge is where a function that stands still around x first has another value:
// at that distance, and by so much.
type ledge struct{ distance, jump float64 }

// hides returns the slope that rounding to multiples of the jump could hide on
// the plateau.
func (l ledge) hides() float64 {
	if l.jump == 0 {
		return 0
	}
	return spread / 2 * l.jump / l.distance
}

// ledge narrows down where function i, which has the value at x up to the
// distance still to one side and another at the distance moved, leaves its
// plateau. A function that goes on from there, such as one that was clamped,
// changes by ever less the nearer to the ledge, and one that is rounded by no
// less than a quantum. It looks no further once the jump is no more than enough.
func (d *differ) ledge(i int, x, still, moved, enough float64) ledge {
	jump := math.Abs(d.eval(x + moved)[i] - d.center[i])
	for range halvings {
		mid := still + (moved-still)/2
		if y := x + mid; jump <= enough || y == x+still || y == x+moved {
			break
		}
		if v := d.eval(x + mid)[i]; v == d.center[i] {
			still = mid
		} else {
			moved, jump = mid, math.Abs(v-d.center[i])
		}
	}
	if !finite(jump) || jump > enough && !d.stepped(i, x, moved) {
		jump = 0
	}
	return ledge{math.Abs(moved), jump}
}

// stepped reports whether function i has the same values again right beyond the
// ledge at a distance. One that only jumps there has another with every step.
func (d *differ) stepped(i int, x, distance float64) bool {
	seen := []float64{d.center[i]}
	for k := range 4 {
		v := d.eval(x + distance*(1+float64(k)*guard))[i]
		if slices.Contains(seen, v) {
			return true
		}
		seen = append(seen, v)
	}
	return false
}

// quantum returns by how much function i jumps on the ledge of the plateau that
// a descent ends on, 0 where it ends on none, or on one that the noise known of
// it explains.
func (d *differ) quantum(i int, x float64, g *descent) float64 {
	k := len(g.done) - g.tabs[i].resting
	if k == 0 || k == len(g.done) {
		return 0
	}
	r, next := g.done[k-1], g.done[k]
	enough := 2 * g.tabs[i].noise
	if math.Abs(r.plus[i]-d.center[i]) <= enough && math.Abs(r.minus[i]-d.center[i]) <= enough {
		return 0
	}
	part := 1.0
	if g.side == 0 {
		part = 0.5
	}
	most := 0.0
	for _, side := range []struct{ v, sign float64 }{{r.plus[i], part}, {r.minus[i], -part}} {
		if side.v != d.center[i] {
			most = math.Max(most, d.ledge(i, x, side.sign*next.width, side.sign*r.width, enough).jump)
		}
	}
	return most
}

// hidden looks outwards from a plateau of function i around x, as far as the
// bounds allow, for what shows how its values are rounded, and returns the slope
// that this could hide on the plateau: 0 where there is nothing to be seen.
func (d *differ) hidden(i int, x, lo, hi float64, e Estimate) float64 {
	d.center = d.eval(x)
	most := 0.0
	for _, side := range []float64{-1, 1} {
		still, moved := 0.0, e.Step
		for range farthest {
			y := math.Min(math.Max(x+side*moved, lo), hi)
			moved = math.Abs(y - x)
			if moved <= still {
				break
			}
			if v := d.eval(y)[i]; v != d.center[i] {
				most = math.Max(most, d.ledge(i, x, side*still, side*moved, 2*e.Noise).hides())
				break
			}
			still, moved = moved, farther*moved
		}
	}
	return most
}
