package machine

import (
	"runtime"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for bytes, want := range map[int]string{-1: "unknown", 0: "unknown", 512 << 10: "512 KiB", 1 << 20: "1 MiB", 5 << 19: "2.5 MiB"} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", bytes, got, want)
		}
	}
}

func TestName(t *testing.T) {
	if n := Name(); !strings.Contains(n, runtime.Version()) {
		t.Errorf("%q does not name the Go version", n)
	}
	if L2() < 64<<10 {
		t.Errorf("a second cache of %d bytes", L2())
	}
}

func TestLoadOf(t *testing.T) {
	for s, want := range map[string]float64{"": 0, "1.25 3.10 2.00 1/100 4242\n": 1.25, "none": 0} {
		if got := loadOf(s); got != want {
			t.Errorf("%q: load %v, want %v", s, got, want)
		}
	}
}
