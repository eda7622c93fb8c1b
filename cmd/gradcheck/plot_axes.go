package main

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// decades labels an axis whose values are decimal logarithms: powers of ten,
// thinned out to about the given number, and between them short ticks.
type decades struct{ labels int }

var _ plot.Ticker = decades{}

// Ticks implements plot.Ticker.
func (d decades) Ticks(lo, hi float64) []plot.Tick {
	const slack = 1e-9 // an end of the axis that was rounded is still on it
	every := max(1, int(math.Ceil((hi-lo)/float64(d.labels))))
	var ticks []plot.Tick
	for e := int(math.Floor(lo)); float64(e) <= hi+slack; e++ {
		if at := float64(e); at >= lo-slack {
			label := ""
			if mod(e, every) == 0 {
				label = power10(e)
			}
			ticks = append(ticks, plot.Tick{Value: at, Label: label})
		}
		for m := 2; m < 10 && every == 1; m++ {
			if at := float64(e) + math.Log10(float64(m)); at >= lo-slack && at <= hi+slack {
				ticks = append(ticks, plot.Tick{Value: at})
			}
		}
	}
	return ticks
}

func mod(a, b int) int { return ((a % b) + b) % b }

// power10 writes 10^e: 1e-5, and 0.1, 1 and 10.
func power10(e int) string {
	switch e {
	case -1:
		return "0.1"
	case 0:
		return "1"
	case 1:
		return "10"
	}
	return "1e" + strconv.Itoa(e)
}

// log returns the decimal logarithm, NaN for what has none.
func log(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return math.NaN()
	}
	return math.Log10(v)
}

// runs splits points where one is not finite.
func runs(xys plotter.XYs) []plotter.XYs {
	var all []plotter.XYs
	open := false
	for _, v := range xys {
		if s := v.X + v.Y; math.IsNaN(s) || math.IsInf(s, 0) {
			open = false
			continue
		}
		if !open {
			all = append(all, nil)
			open = true
		}
		all[len(all)-1] = append(all[len(all)-1], v)
	}
	return all
}

// logarithmic makes an axis of decimal logarithms.
func logarithmic(a *plot.Axis, lo, hi float64, labels int) {
	a.Min, a.Max = lo, hi
	a.Tick.Marker = decades{labels}
}

// logspace returns n numbers from 10^lo to 10^hi, evenly spaced in between.
func logspace(lo, hi float64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Pow(10, lo+(hi-lo)*float64(i)/float64(n-1))
	}
	return v
}
