package main

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		v      float64
		digits int
		want   string
	}{
		{1e-5, 3, "1e-5"}, {0.00012345, 3, "1.23e-4"}, {0.01, 3, "0.01"}, {-0.5, 6, "-0.5"}, {1e5, 3, "1e5"}, {12345, 3, "1.23e4"},
		{100, 3, "100"}, {0, 3, "0"}, {math.Copysign(0, -1), 3, "0"}, {math.Inf(1), 3, "+Inf"}, {math.NaN(), 3, "NaN"}, {9.999e-3, 2, "1e-2"}, {1e-300, 2, "1e-300"},
	} {
		if got := format(tt.v, tt.digits); got != tt.want {
			t.Errorf("format(%g, %d) = %q, want %q", tt.v, tt.digits, got, tt.want)
		}
	}
	for v, want := range map[float64]string{0.1: "0.1", 1e-6: "1e-6", 1 - 1e-9: "0.999999999", math.Nextafter(1, 2): "1.0000000000000002", 1.0 / 3: "0.3333333333333333"} {
		if got := exactly(v); got != want {
			t.Errorf("exactly(%g) = %q, want %q", v, got, want)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, tt := range []struct{ a, b, want float64 }{{0, 0, 0}, {1, 2, 0.5}, {-1, -2, 0.5}, {1, 0, math.Inf(1)}} {
		if got := relative(tt.a, tt.b); got != tt.want {
			t.Errorf("relative(%g, %g) = %g, want %g", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestTidy(t *testing.T) {
	for expr, want := range map[string]string{
		"1e-05*dice(smooth=1e-10)": "1e-5*dice(smooth=1e-10)", "1e+06*bce": "1e6*bce", "dice + tversky(beta=0.5)": "dice + tversky(beta=0.5)", "1e-100*ce": "1e-100*ce",
	} {
		if got := tidy(expr); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
