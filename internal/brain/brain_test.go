package brain

import (
	"math"
	"testing"
)

// TestBrain holds the labels to what their notice says of them.
func TestBrain(t *testing.T) {
	_, label, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var count [Classes]float64
	for _, y := range label {
		count[y]++
	}
	for c, want := range []float64{0.895, 0.023, 0.024, 0.0065, 0.025, 0.022, 0.0054} {
		if got := count[c] / Voxels; math.Abs(got-want) > 0.0006 {
			t.Errorf("class %d is %.4f of the volume, want %.4f", c, got, want)
		}
	}
}

func TestVoxelsRejects(t *testing.T) {
	for _, file := range [][]byte{nil, []byte("abc"), make([]byte, 100), t1[:len(t1)-1]} {
		if _, err := voxels(file); err == nil {
			t.Errorf("%d bytes: no error", len(file))
		}
	}
}
