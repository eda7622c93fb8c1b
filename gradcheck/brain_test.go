package gradcheck

import (
	"math"
	"testing"
)

// TestBrain holds the labels to what their notice says of them.
func TestBrain(t *testing.T) {
	label, err := voxels(brainLabels)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := voxels(brainT1); err != nil {
		t.Fatal(err)
	}
	var count [brainClasses]float64
	for _, y := range label {
		count[y]++
	}
	for c, want := range []float64{0.895, 0.023, 0.024, 0.0065, 0.025, 0.022, 0.0054} {
		if got := count[c] / brainVoxels; math.Abs(got-want) > 0.0006 {
			t.Errorf("class %d is %.4f of the volume, want %.4f", c, got, want)
		}
	}
}

func TestVoxelsRejects(t *testing.T) {
	for _, file := range [][]byte{nil, []byte("abc"), make([]byte, 100), brainT1[:len(brainT1)-1]} {
		if _, err := voxels(file); err == nil {
			t.Errorf("%d bytes: no error", len(file))
		}
	}
}
