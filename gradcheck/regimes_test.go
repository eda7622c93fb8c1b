package gradcheck

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// pixel returns a loss of one pixel with the given target, and its gradient, by
// the kernels.
func pixel(t *testing.T, expr string, target float64) (value, slope func(p float64) float64) {
	t.Helper()
	l, err := kernels.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := kernels.New[float64](l, kernels.Spec{N: 1, C: 1, S: 1, Activation: kernels.None})
	if err != nil {
		t.Fatal(err)
	}
	r := kernels.Dense([]float64{target})
	eval := func(p float64) (loss, dx float64) {
		g := []float64{0}
		v, err := plan.ForwardBackward(context.Background(), g, []float64{p}, r, kernels.Grad{Scale: 1})
		if err != nil {
			t.Fatal(err)
		}
		return v.Loss, g[0]
	}
	return func(p float64) float64 { v, _ := eval(p); return v }, func(p float64) float64 { _, dx := eval(p); return dx }
}

// TestDiceOfTinyPixels is where a step of 1e-6 is a third off.
func TestDiceOfTinyPixels(t *testing.T) {
	value, slope := pixel(t, "dice(smooth=0)", 1e-6)
	f := func(x []float64) float64 { return value(x[0]) }
	if got := slope(1e-6); math.Abs(got+0.5) > 1e-12 {
		t.Errorf("the kernels say %g, want -0.5", got)
	}
	for got, want := range map[float64]Verdict{-0.5: Pass, -0.5 * 1.0005: Fail, -0.5 * (1 - 1e-6): Fail, 0.5: Fail, 0: Fail, -0.33: Fail} {
		row := Func(claimInside(f, got), []float64{1e-6})
		if row.Verdict != want || row.Power > maxPower {
			t.Errorf("%g: %v %s, power %.2g, want %v", got, row.Verdict, row.Reason, row.Power, want)
		}
	}
}

// TestFocalTverskyDecided asks for a verdict next to a perfect prediction, on
// either side of the floor of the power: the kernels' gradient passes, and any
// other fails.
func TestFocalTverskyDecided(t *testing.T) {
	for _, expr := range []string{"focal_tversky", "focal_tversky(gamma=0.75,smooth=0)", "focal_tversky(gamma=0.3)", "focal_tversky(alpha=0.5,beta=0.5)"} {
		value, slope := pixel(t, expr, 1)
		f := func(x []float64) float64 { return value(x[0]) }
		flat := 0
		for _, q := range []float64{1e-9, 1e-8, 1.2e-7, 1.5e-7, 3e-7, 1e-6, 1e-3} {
			p := 1 - q
			check := func(g float64) Row { return Func(claimInside(f, g), []float64{p}) }
			right := slope(p)
			if row := check(right); row.Verdict != Pass {
				t.Errorf("%s at 1-%g: the right gradient %g: %v %s; %v", expr, q, right, row.Verdict, row.Reason, row.Worst)
			}
			wrong := []float64{-right, right * 1.0005, 0}
			if right == 0 {
				flat++
				u := 0.7 * q
				wrong = []float64{-0.75 * 0.7 * math.Pow(u, -0.25), 1, math.Inf(1), math.NaN()}
			}
			for _, g := range wrong {
				if row := check(g); row.Verdict != Fail {
					t.Errorf("%s at 1-%g: %g instead of %g: %v %s", expr, q, g, right, row.Verdict, row.Reason)
				}
			}
		}
		if flat < 2 || flat > 5 {
			t.Errorf("%s: %d points below the floor", expr, flat)
		}
	}
}

// claimInside is claim for a probability.
func claimInside(f func([]float64) float64, grad float64) Function {
	c := claim(f, grad)
	c.Lower, c.Upper = []float64{0}, []float64{1}
	return c
}

// TestFuncDivergent checks a loss at its zero, where its derivative diverges: a
// finite one cannot be decided about, unless a floor is declared that makes it 0.
func TestFuncDivergent(t *testing.T) {
	f := func(x []float64) float64 { return math.Pow(1-x[0], 0.75) }
	for got, want := range map[float64]Verdict{0: Inconclusive, -5: Inconclusive, math.Inf(-1): Pass, math.Inf(1): Fail} {
		if row := Func(claimInside(f, got), []float64{1}); row.Verdict != want {
			t.Errorf("%g: %v %s, want %v", got, row.Verdict, row.Reason, want)
		}
	}
	for got, want := range map[float64]Verdict{0: Pass, -5: Fail, math.Inf(-1): Pass, math.Inf(1): Fail} {
		declared := claimInside(f, got)
		declared.Floor = true
		if row := Func(declared, []float64{1}); row.Verdict != want {
			t.Errorf("%g beside a floor: %v %s, want %v", got, row.Verdict, row.Reason, want)
		}
	}
}

// TestTrace asks that the ladder is the estimate's own, and that its truncation
// falls until its round-off has taken over.
func TestTrace(t *testing.T) {
	for _, x := range []float64{0, 1e-6, 0.3} {
		e, steps := Trace(math.Exp, x, 0, 1)
		if same := Derivative(math.Exp, x, 0, 1); same != e {
			t.Errorf("at %g: %+v, and without a trace %+v", x, e, same)
		}
		found := false
		for i, s := range steps {
			if i > 0 && !(s.Width < steps[i-1].Width) {
				t.Errorf("at %g: width %g after %g", x, s.Width, steps[i-1].Width)
			}
			if s.Roundoff > s.Err || math.Abs(s.Value-math.Exp(x)) > s.Err {
				t.Errorf("at %g: %+v", x, s)
			}
			found = found || s.Width == e.Step && s.Value == e.Value
		}
		if !found {
			t.Errorf("at %g: no step of %d is the estimate's, %+v", x, len(steps), e)
		}
	}
	if e, steps := Trace(math.Exp, 1, 1, 1); steps != nil || !math.IsInf(e.Err, 1) {
		t.Errorf("without room: %+v, %d steps", e, len(steps))
	}
}

func ExampleTrace() {
	dice := func(p float64) float64 { return 1 - 2*p*1e-6/(p+1e-6) }
	e, steps := Trace(dice, 1e-6, 0, 1)
	fmt.Printf("first step %.0e, slope %.3f\n", steps[0].Width, steps[0].Slope)
	fmt.Printf("estimate %.6f\n", e.Value)
	// Output:
	// first step 9e-07, slope -0.529
	// estimate -0.500000
}
