package stat

import (
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{5, 1}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := slices.Clone(c.v)
		if got := Median(c.v); got != c.want || !slices.Equal(c.v, before) {
			t.Errorf("Median(%v) = %v, want %v; left %v", before, got, c.want, c.v)
		}
	}
}

// The median of the ratios, not the ratio of the medians.
func TestRatios(t *testing.T) {
	got := Ratios([]float64{1, 100, 6}, []float64{1, 50, 2})
	if want := (Spread{Median: 2, Min: 1, Max: 3}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInterleave(t *testing.T) {
	var order []int
	note := func(i int) func() float64 {
		return func() float64 {
			order = append(order, i)
			return float64(len(order))
		}
	}
	got := Interleave(2, note(0), note(1), note(2))
	if want := []int{0, 1, 2, 1, 2, 0}; !slices.Equal(order, want) {
		t.Errorf("ran %v, want %v", order, want)
	}
	for i, want := range [][]float64{{1, 6}, {2, 4}, {3, 5}} {
		if !slices.Equal(got[i], want) {
			t.Errorf("function %d: %v, want %v", i, got[i], want)
		}
	}
}
