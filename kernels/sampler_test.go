package kernels

import (
	"math/rand/v2"
	"os"
	"testing"
)

// Sampler says of many like cases, one after the other, which are tried: in a short run
// one in n, and a third of those on a backend that is neither the portable one nor the
// best of this machine; under the race detector a quarter of that; and otherwise all.
// They are drawn, so that no nesting of loops makes them always the same kind.
func Sampler(n int) func() bool {
	if !testing.Short() {
		return func() bool { return true }
	}
	if name := os.Getenv(BackendEnv); name != "" && name != "generic" && name != best() {
		n *= 3
	}
	if RaceDetector {
		n *= 4
	}
	rnd := rand.New(rand.NewPCG(uint64(n), 0))
	return func() bool { return rnd.IntN(n) == 0 }
}

// best names the backend that a plan gets where nothing is said.
func best() string {
	for i := len(implementations) - 1; i > 0; i-- {
		if b := implementations[i].Backend; b.Err == nil {
			return b.Name
		}
	}
	return implementations[0].Name
}

// SkipAssembly leaves out, under the race detector, a test of assembly in one goroutine:
// the detector sees nothing of it.
func SkipAssembly(t testing.TB) {
	t.Helper()
	if RaceDetector {
		t.Skip("one goroutine in assembly, of which the race detector sees nothing")
	}
}
