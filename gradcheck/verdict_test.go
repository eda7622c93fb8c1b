package gradcheck

import (
	"math"
	"strings"
	"testing"
)

// exactly makes estimates of the given values with a small error.
func exactly(v ...float64) []Estimate {
	est := make([]Estimate, len(v))
	for i, a := range v {
		est[i] = Estimate{Value: a, Err: 1e-12 * math.Abs(a)}
	}
	return est
}

func TestJudge(t *testing.T) {
	nan := math.NaN()
	noisy := exactly(1, 2, 3)
	noisy[1].Err, noisy[1].Roundoff = 0.1, 0.02
	coarse := exactly(1, 2, 3)
	coarse[1].Err, coarse[1].Roundoff = 0.1, 0.01
	none := exactly(1, 2, 3)
	none[2] = Estimate{Value: nan, Err: math.Inf(1)}
	kink := exactly(1, 2, 3)
	kink[0] = Estimate{Value: 0, Err: 1, Kink: true, Lo: -1, Hi: 1}
	steep := exactly(1, 2, 3)
	steep[0] = Estimate{Value: inf, Err: inf, Divergent: true, Exponent: -0.5, Lo: inf, Hi: inf}
	cusp := exactly(1, 2, 3)
	cusp[0] = Estimate{Value: nan, Err: inf, Divergent: true, Exponent: -0.25, Lo: -inf, Hi: inf}
	tests := []struct {
		name     string
		numeric  []Estimate
		analytic []float64
		want     Verdict
		reason   string
	}{
		{"right", exactly(1, -2, 3), []float64{1, -2, 3}, Pass, ""},
		{"rounded", exactly(1, -2, 3), []float64{1 + 1e-9, -2, 3}, Pass, ""},
		{"sign", exactly(1, -2, 3), []float64{1, 2, 3}, Fail, "sign"},
		{"zero", exactly(1, -2, 3), []float64{1, -2, 0}, Fail, "zero and should not"},
		{"factor", exactly(1, -2, 3), []float64{1, -2, 3 * 1.0005}, Fail, "factor of 1.0005"},
		{"a millionth", exactly(1, -2, 3), []float64{1, -2, 3 * (1 + 1e-6)}, Fail, ""},
		{"not zero", exactly(1, 0, 3), []float64{1, 1e-3, 3}, Fail, "not zero and should be"},
		{"small element wrong", exactly(1e6, 1e-3), []float64{1e6, 0.02}, Fail, ""},
		{"tiny row, zero", exactly(1e-200, 2e-200), []float64{0, 0}, Fail, "zero and should not"},
		{"tiny row, right", exactly(1e-200, 2e-200), []float64{1e-200, 2e-200}, Pass, ""},
		{"no gradient", exactly(0, 0), []float64{0, 0}, Pass, ""},
		{"no gradient, but one given", exactly(0, 0), []float64{0, 1e-300}, Fail, ""},
		{"not a number", exactly(1, 2), []float64{1, nan}, Fail, "not finite"},
		{"infinite", exactly(1, 2), []float64{math.Inf(1), 2}, Fail, "not finite"},
		{"noise", noisy, []float64{1, 2, 3}, Inconclusive, "noise"},
		{"truncation", coarse, []float64{1, 2, 3}, Inconclusive, "truncation"},
		{"divergent", steep, []float64{100, 2, 3}, Inconclusive, "divergent"},
		{"divergent, zero", steep, []float64{0, 2, 3}, Inconclusive, "power -0.5"},
		{"divergent, infinite", steep, []float64{inf, 2, 3}, Pass, ""},
		{"divergent, other infinity", steep, []float64{-inf, 2, 3}, Fail, "sign"},
		{"divergent, not a number", steep, []float64{nan, 2, 3}, Fail, "not finite"},
		{"divergent, wrong elsewhere", steep, []float64{inf, 5, 3}, Fail, "factor"},
		{"cusp", cusp, []float64{1, 2, 3}, Inconclusive, "divergent"},
		{"cusp, infinite", cusp, []float64{-inf, 2, 3}, Pass, ""},
		{"cusp, not a number", cusp, []float64{nan, 2, 3}, Fail, "not finite"},
		{"noise, but wrong", noisy, []float64{1, 2, -3}, Fail, "sign"},
		{"no estimate", none, []float64{1, 2, 3}, Inconclusive, "domain"},
		{"no estimate, but wrong", none, []float64{1, 5, 3}, Fail, ""},
		{"on a kink", kink, []float64{0.9, 2, 3}, Pass, ""},
		{"outside of a kink", kink, []float64{1.1, 2, 3}, Fail, ""},
		{"nothing", nil, nil, Pass, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := numerically(tt.numeric, tt.analytic).judge()
			if j.verdict != tt.want || !strings.Contains(j.reason, tt.reason) {
				t.Errorf("%v (%s), want %v (%s)", j.verdict, j.reason, tt.want, tt.reason)
			}
		})
	}
}

// TestJudgePlateau: a derivative on a plateau has as much room as rounding could hide
// there, and no more.
func TestJudgePlateau(t *testing.T) {
	for hidden, want := range map[float64]Verdict{1e-12: Fail, 1e-3: Inconclusive} {
		c := numerically(append(exactly(1, 2), Estimate{still: true}), []float64{1, 2, 1e-6})
		c.hidden = func(int) float64 { return hidden }
		if got := c.judge().verdict; got != want {
			t.Errorf("%v hidden: %v, want %v", hidden, got, want)
		}
	}
}

// TestJudgeFloor judges derivatives at the zero of a power whose base has a
// floor, by declaration, so that the gradient there is 0.
func TestJudgeFloor(t *testing.T) {
	tests := []struct {
		analytic float64
		want     Verdict
		reason   string
	}{
		{0, Pass, ""},
		{math.Inf(1), Pass, ""},
		{1, Fail, "floor"},
		{-1e300, Fail, "floor"},
		{math.Inf(-1), Fail, "sign"},
		{math.NaN(), Fail, "not finite"},
	}
	for _, tt := range tests {
		e := Derivative(math.Sqrt, 0, 0, 1)
		c := numerically([]Estimate{e, {Value: 2}}, []float64{tt.analytic, 2})
		c.hasFloor = true
		if j := c.judge(); j.verdict != tt.want || !strings.Contains(j.reason, tt.reason) {
			t.Errorf("%g: %v (%s), want %v (%s)", tt.analytic, j.verdict, j.reason, tt.want, tt.reason)
		}
	}
}

func TestJudgeWithin(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		want, got, bound []float64
		verdict          Verdict
	}{
		{[]float64{1, 2}, []float64{1.01, 2}, []float64{0.02, 0}, Pass},
		{[]float64{1, 2}, []float64{1.03, 2}, []float64{0.02, 0}, Fail},
		{[]float64{1, nan}, []float64{1, nan}, []float64{0, 0}, Pass},
		{[]float64{1, nan}, []float64{1, 0}, []float64{0, 1}, Fail},
		{[]float64{1, 2}, []float64{1, 2.5}, []float64{0, nan}, Fail},
	}
	for i, tt := range tests {
		if j := within(tt.want, tt.got, tt.bound).judge(); j.verdict != tt.verdict {
			t.Errorf("%d: %v, want %v", i, j.verdict, tt.verdict)
		}
	}
}

// TestPower asks that a defect of the power's size is caught at any element,
// and one of a tenth of it is not.
func TestPower(t *testing.T) {
	est := exactly(1, 2, 3, 4)
	est[1].Err = 1e-6
	base := []float64{1, 2, 3, 4}
	p := numerically(est, base).judge().power
	if p < 5e-7 || p > 1e-6 {
		t.Fatalf("power %g", p)
	}
	for i := range base {
		got := append([]float64(nil), base...)
		got[i] *= 1 + 1.1*p
		if j := numerically(est, got).judge(); j.verdict != Fail {
			t.Errorf("element %d: a defect of %g passed", i, 1.1*p)
		}
	}
	base[1] *= 1 + p/10
	if j := numerically(est, base).judge(); j.verdict != Pass {
		t.Errorf("a defect of %g failed", p/10)
	}
}

func TestVerdictText(t *testing.T) {
	for _, v := range []Verdict{Pass, Inconclusive, Fail} {
		text, err := v.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Verdict
		if err := got.UnmarshalText(text); err != nil || got != v {
			t.Errorf("%s gives %v, %v", text, got, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("maybe")); err == nil {
		t.Error("no error for an unknown verdict")
	}
}
