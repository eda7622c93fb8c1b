package gradcheck

import (
	"math"
	"slices"
	"testing"
)

// count returns the integers below n.
func count(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestBisectFindsEach(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000} {
		for bad := range n {
			calls := 0
			got := bisect(count(n), func(subset []int) bool {
				calls++
				if len(subset) == 0 {
					t.Fatal("asked about nothing")
				}
				return slices.Contains(subset, bad)
			})
			if !slices.Equal(got, []int{bad}) {
				t.Fatalf("%v of %d, want %d", got, n, bad)
			}
			if most := 2 * int(math.Ceil(math.Log2(float64(n)))); calls > most {
				t.Errorf("element %d of %d took %d calls, want %d at most", bad, n, calls, most)
			}
		}
	}
}

// TestBisectSums narrows down sums of defects, which may cancel or be too small
// to be seen one by one.
func TestBisectSums(t *testing.T) {
	at := func(n int, defect map[int]float64) []float64 {
		v := make([]float64, n)
		for i, d := range defect {
			v[i] = d
		}
		return v
	}
	even := make([]float64, 16)
	for i := range even {
		even[i] = 1
	}
	for _, tt := range []struct {
		name   string
		defect []float64
		want   []int
	}{
		{"one", at(100, map[int]float64{42: -5}), []int{42}},
		{"the larger of two that cancel in part", at(64, map[int]float64{3: 5, 60: -2}), []int{3}},
		{"neighbours that add up", at(64, map[int]float64{31: 2, 32: 2}), []int{31, 32}},
		{"all a little", even, []int{0, 1, 2, 3}},
		{"neighbours that cancel", []float64{2, -3, 2, -3, 2, -3, 2, -3}, []int{0, 2}},
	} {
		got := bisect(count(len(tt.defect)), func(subset []int) bool {
			sum := 0.0
			for _, i := range subset {
				sum += tt.defect[i]
			}
			return math.Abs(sum) > 3
		})
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
