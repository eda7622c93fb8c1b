// Package stat compares times that are taken in turn.
package stat

import "slices"

// Median returns the middle of v, which is not empty.
func Median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Spread is a median with the range around it.
type Spread struct {
	Median, Min, Max float64
}

// Of returns the spread of v, which is not empty.
func Of(v []float64) Spread { return Spread{Median(v), slices.Min(v), slices.Max(v)} }

// Ratios returns the spread of a[i]/b[i]: each pair stems from one round, so
// that a slow moment of the machine falls on both.
func Ratios(a, b []float64) Spread {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return Of(r)
}

// Interleave runs every function once a round, each round from another one on,
// and returns their results by function and round.
func Interleave(rounds int, run ...func() float64) [][]float64 {
	all := make([][]float64, len(run))
	for i := range all {
		all[i] = make([]float64, rounds)
	}
	for r := range rounds {
		for k := range run {
			i := (r + k) % len(run)
			all[i][r] = run[i]()
		}
	}
	return all
}
