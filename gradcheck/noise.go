package gradcheck

import (
	"math"
	"slices"
)

const (
	// coarsest is the most noise, relative to a function's value, that is taken
	// for rounding where short steps show none: 64 times that of float32.
	// On long steps a fast oscillation looks like more.
	coarsest = 0x1p-18

	leap  = 16 // between the spacings on which noise looks the same and structure does not
	alike = 8  // most that the levels of noise on them differ by
)

// noiseOf returns what is known of a function's noise before it is measured:
// a value is at best rounded.
func (d *differ) noiseOf(i int) float64 {
	floor := ulp / 2 * math.Abs(d.center[i])
	if d.least != nil {
		floor = math.Max(floor, d.least[i])
	}
	if d.noise != nil {
		return math.Max(floor, d.noise[i])
	}
	return floor
}

// remeasure measures the noise near x and, where it is more than the rounding
// of the value, builds the tableau again with it. A function that changed on
// long steps and stands still on short ones, or whose slope becomes another
// there, may be rounded coarsely.
func (d *differ) remeasure(x, top float64, g *descent) {
	levels := d.levels(x, g.last, g.side)
	var coarse []float64
	for i := range g.tabs {
		t := &g.tabs[i]
		if levels[i] > t.noise {
			*t = g.replay(i, levels[i], nil)
		}
		if !t.still && !t.turned && (t.resting == 0 || t.constant) {
			continue
		}
		if grain := g.grain(i, d.center[i]); grain/2 > t.noise {
			*t = g.replay(i, grain/2, nil)
		}
		if q := d.quantum(i, x, g); q/2 > t.noise {
			*t = g.replay(i, q/2, nil)
		}
		if coarse == nil {
			coarse = d.coarse(x, top, g)
		}
		if coarse[i] > t.noise {
			*t = g.replay(i, coarse[i], nil)
		}
	}
}

// The changes of a function that are looked at for a grain: those up to so many
// times the least, which are whole multiples of it but for their own rounding,
// and of which there are enough.
const (
	grains    = 64
	whole     = 1e-6
	fewGrains = 6
)

// grain returns the quantum of a function whose values near x are a multiple of
// it apart, 0 where there is none. A difference that cancels, 1 − a/b, has the
// rounding of its parts: far more than its own, and the same near x as anywhere,
// so that the function stands still on steps too short for one quantum. Steps
// that halve make powers of two of a straight line, too, so that another
// multiple is asked for.
func (g *descent) grain(i int, center float64) float64 {
	var changes []float64
	for _, r := range g.done {
		for _, c := range []float64{r.change(i), math.Abs(r.plus[i] - center), math.Abs(r.minus[i] - center)} {
			if c > 0 {
				changes = append(changes, c)
			}
		}
	}
	if len(changes) < fewGrains {
		return 0
	}
	slices.Sort(changes)
	least, odd, n := changes[0], false, 0
	for _, c := range changes {
		m := math.Round(c / least)
		if m > grains {
			break
		}
		if math.Abs(c/least-m) > whole*m {
			return 0
		}
		f, _ := math.Frexp(m)
		odd, n = odd || f != 0.5, n+1
	}
	if !odd || n < fewGrains {
		return 0
	}
	return least
}

// levels measures the noise of every function on three spacings and returns the
// median of those that show any: curvature can only add to the widest one, the
// grid of x to the closest, and a quantum larger than the function's change
// hides in it. The values are taken beside x, not around it, where the function
// may have a kink.
func (d *differ) levels(x, h, side float64) []float64 {
	if side == 0 {
		side = math.Copysign(1, x)
	}
	var by [3][]float64
	start := x + side*0.27*h
	for k, part := range [...]float64{0x1.9p-7, 0x1.5p-10, 0x1.bp-13} {
		spacing := math.Max(0.27*h*part, float64(16+8*k)*ulp*math.Abs(x))
		by[k] = d.measure(start, side*spacing)
	}
	noise := make([]float64, d.m)
	for i := range noise {
		var seen []float64
		for k := range by {
			if v := by[k][i]; v > 0 {
				seen = append(seen, v)
			}
		}
		slices.Sort(seen)
		if len(seen) > 0 {
			noise[i] = seen[(len(seen)-1)/2]
		}
	}
	return noise
}

// A denial is what speaks against an estimate: a disagreement of that size,
// between points that far apart. It is none where the width is 0.
type denial struct{ gap, width float64 }

// explained reports whether noise can be the reason.
func (n denial) explained(e Estimate) bool {
	return n.gap <= e.Err+16*e.Noise/n.width
}

// resolved looks again at the estimates of a descent that are denied: what seems
// to be structure may be noise. Those that are explained by it are made again
// with it; whether any stays denied is returned.
func (d *differ) resolved(x, top float64, g *descent, est []Estimate, denied []denial) bool {
	noise := d.coarse(x, top, g)
	again := false
	for i, n := range denied {
		if n.width == 0 {
			continue
		}
		if noise[i] > alike*g.tabs[i].noise {
			t := g.replay(i, noise[i], nil)
			if e := t.estimate(g.side != 0); n.explained(e) {
				g.tabs[i], est[i], denied[i] = t, e, denial{}
				continue
			}
		}
		again = true
	}
	return again
}

// coarse measures the noise next to the ladder's first step, on spacings from
// far below its last one up, and returns the level that two neighbouring spacings
// agree in, of the widest that do; 0 where none do. Noise is the same on all of
// them and curvature is not, and a function made of float32 values stands still
// on spacings shorter than their distance.
func (d *differ) coarse(x, top float64, g *descent) []float64 {
	side := g.side
	if side == 0 {
		side = math.Copysign(1, x)
	}
	start := x + side*0.54*top
	noise, before := make([]float64, d.m), make([]float64, d.m)
	for h := math.Max(g.last*0x1.9p-10, 0x1p6*ulp*math.Abs(start)); h <= top/leap; h *= leap {
		for i, v := range d.measure(start, side*h) {
			if v == 0 {
				continue // too short, or its multiples are all rounded alike
			}
			low, high := math.Min(v, before[i]), math.Max(v, before[i])
			if high <= alike*low && high <= coarsest*g.tabs[i].size() {
				noise[i] = high
			}
			before[i] = v
		}
	}
	return noise
}

// measure estimates the noise of every function from values at seven points
// from x on, h apart. The distance is that of stored points, for an error of
// the argument would pass for noise of the function.
func (d *differ) measure(x, h float64) []float64 {
	const points = 7
	h = odd(x+h) - x
	vals := make([][]float64, points)
	for j := range vals {
		vals[j] = d.eval(x + float64(j)*h)
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
// s²(2k)!/(k!)². It takes the median of the orders 3 to 5. Where half of the
// values equal their neighbours, the spacing is too small to tell, and the
// noise returned is 0.
func level(v []float64) float64 {
	same := 0
	for j := range len(v) - 1 {
		if v[j+1] == v[j] {
			same++
		}
	}
	if 2*same >= len(v)-1 {
		return 0
	}
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
