package gradcheck

import (
	"math"
	"slices"

	"github.com/segloss/segloss/kernels"
)

const (
	defaultClip = 1e-7
	reach       = 1 // how far a logit is moved: the poles of the sigmoid are π away
)

// interval returns bounds around an element between which the losses are
// smooth as functions of it: probabilities do not leave [0,1] nor pass a
// clamp, and nothing passes its target, where the soft region terms have their
// kink. A prediction may lie on such a point, and is then a bound itself.
func (p *problem) interval(n, c, s int) (lo, hi float64) {
	x := p.x[p.index(n, c, s)]
	if p.activation == kernels.None {
		return p.neighbours(x, p.target(n, c, s))
	}
	lo, hi = x-reach, x+reach
	if p.dense == nil {
		return lo, hi // p never reaches 0 or 1
	}
	for k := range p.c {
		if k != c && p.activation == kernels.Sigmoid {
			continue
		}
		r := p.target(n, k, s)
		if r <= 0 || r >= 1 {
			continue
		}
		if at := p.meets(n, c, k, s, r); at < x {
			lo = max(lo, at)
		} else if at > x {
			hi = min(hi, at)
		}
	}
	return lo, hi
}

// farLogit is how far a logit is moved in search of a plateau's end: probabilities
// are 0 or 1 by then.
const farLogit = 64

// domain returns the bounds within which the losses can be evaluated by an
// element at x, smooth or not.
func (p *problem) domain(x float64) (lo, hi float64) {
	if p.activation == kernels.None {
		return math.Min(x, 0), math.Max(x, 1)
	}
	return x - farLogit, x + farLogit
}

// neighbours returns the nearest breakpoints on either side of the probability
// x with target r, which may itself be one.
func (p *problem) neighbours(x, r float64) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	for _, at := range p.breakpoints(r) {
		if at < x {
			lo = max(lo, at)
		} else if at > x {
			hi = min(hi, at)
		}
	}
	return lo, hi
}

// breakpoints lists the probabilities at which a loss need not be smooth.
func (p *problem) breakpoints(r float64) [5]float64 {
	clip := p.clip
	if clip == 0 {
		clip = defaultClip
	}
	return [...]float64{0, clip, r, 1 - clip, 1}
}

// broken reports whether an element lies on a breakpoint, so that its two sides
// have to be looked at one by one.
func (p *problem) broken(n, c, s int) bool {
	if p.activation != kernels.None {
		return false
	}
	points := p.breakpoints(p.target(n, c, s))
	return slices.Contains(points[:], p.x[p.index(n, c, s)])
}

// differentiate applies d to an element, within its interval.
func (p *problem) differentiate(d *differ, n, c, s int) []Estimate {
	x := p.x[p.index(n, c, s)]
	lo, hi := p.interval(n, c, s)
	if p.broken(n, c, s) {
		return join(d.at(x, lo, x), d.at(x, x, hi))
	}
	return d.at(x, lo, hi)
}

// meets returns the logit of class c at which class k of the same position has
// the probability r, or NaN if there is none.
func (p *problem) meets(n, c, k, s int, r float64) float64 {
	x := p.x[p.index(n, c, s)]
	prob, rest := p.probability(n, c, s)
	if k == c {
		return x + math.Log(r/(1-r)) - math.Log(prob/rest)
	}
	other, _ := p.probability(n, k, s)
	return x + math.Log1p((other/r-1)/prob)
}

// room returns how far the element may be moved by a direction that moves all
// others too: half of the way that it could go alone, nowhere from a
// breakpoint.
func (p *problem) room(n, c, s int) float64 {
	if p.broken(n, c, s) {
		return 0
	}
	room := 1.0
	for k := range p.c {
		if k != c && !(p.activation == kernels.Softmax && p.dense != nil) {
			continue
		}
		x := p.x[p.index(n, k, s)]
		lo, hi := p.interval(n, k, s)
		room = min(room, min(x-lo, hi-x)/2)
	}
	return room
}
