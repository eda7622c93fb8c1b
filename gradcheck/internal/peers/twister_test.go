package peers

import (
	"math"
	"testing"
)

// TestTwister holds the first numbers of seed 0 against those of NumPy
// (RandomState(0).randn, .random_sample) and PyTorch (manual_seed(0), rand), and
// a late one against the C++ standard's: the 10,000th output of seed 5489.
func TestTwister(t *testing.T) {
	g := newTwister(0)
	for i, want := range []float64{1.764052345967664, 0.4001572083672233, 0.9787379841057392, 2.240893199201458, 1.8675579901499675, -0.977277879876411} {
		if got := g.normal(); math.Abs(got-want) > 1e-15 {
			t.Errorf("normal number %d is %v, want %v", i, got, want)
		}
	}
	g = newTwister(0)
	for i, want := range []float64{0.5488135039273248, 0.7151893663724195, 0.6027633760716439} {
		if got := g.float64(); got != want {
			t.Errorf("uniform number %d of 53 bits is %v, want %v", i, got, want)
		}
	}
	g = newTwister(0)
	for i, want := range []float64{0.4963, 0.7682, 0.0885, 0.1320} {
		if got := g.float32(); math.Abs(got-want) > 5e-5 {
			t.Errorf("uniform number %d of 24 bits is %v, want %v", i, got, want)
		}
	}
	g = newTwister(5489)
	for range 9999 {
		g.bits()
	}
	if got := g.bits(); got != 4123659995 {
		t.Errorf("output 10000 of seed 5489 is %d", got)
	}
}
