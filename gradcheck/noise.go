package gradcheck

import (
	"math"
	"slices"
)

// coarsest is the largest quantum, relative to the function's values, that is
// taken for rounding: sixteen times that of float32.
const coarsest = 0x1p-20

const (
	leap  = 32 // between the spacings on which noise looks the same and structure does not
	alike = 8  // most that the levels of noise on them differ by
)

// noiseOf returns what is known of a function's noise before it is measured:
// a value is at best rounded.
func (d *differ) noiseOf(i int) float64 {
	floor := ulp / 2 * math.Abs(d.center[i])
	if d.noise != nil {
		return math.Max(floor, d.noise[i])
	}
	return floor
}

// remeasure measures the noise near x and, where it is more than the rounding
// of the value, builds the tableau again with it.
func (d *differ) remeasure(x float64, g *descent) {
	levels := d.levels(x, g.last, g.side)
	for i := range g.tabs {
		t := &g.tabs[i]
		noise := math.Max(levels[i], t.quantum()/2)
		if noise > t.noise {
			*t = g.replay(i, noise, nil)
		}
	}
}

// quantum returns the step between neighbouring values of a function that was
// rounded coarsely: one that stands still on short steps, and on longer ones
// changes by no less than that. It returns 0 for any other.
func (t *tableau) quantum() float64 {
	if t.still && t.jerk <= coarsest*t.largest {
		return t.jerk
	}
	return 0
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

// resolved looks again at the functions that a ladder below g is open for: what
// seems to be structure is noise where it is the same on spacings far apart. A
// function that is made of float32 values stands still on steps shorter than
// their distance, and shows no noise there. The estimates of such functions are
// made again with that noise, and closed; whether any stays open is returned.
func (d *differ) resolved(x, top float64, g *descent, est []Estimate, open []bool) bool {
	side := g.side
	if side == 0 {
		side = math.Copysign(1, x)
	}
	noise := make([]float64, d.m)
	var before []float64
	for h := math.Max(g.last, 0x1p10*ulp*math.Abs(x)); h <= top; h *= leap {
		now := d.measure(x+side*0.27*h, side*0.27*h*0x1.9p-5)
		for i, v := range now {
			if before != nil && noise[i] == 0 && math.Max(v, before[i]) <= alike*math.Min(v, before[i]) {
				noise[i] = math.Max(v, before[i])
			}
		}
		before = now
	}
	again := false
	for i := range open {
		if open[i] && noise[i] > alike*g.tabs[i].noise {
			g.tabs[i] = g.replay(i, noise[i], nil)
			est[i], open[i] = g.estimate(i), false
		}
		again = again || open[i]
	}
	return again
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
