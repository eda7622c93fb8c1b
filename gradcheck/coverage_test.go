package gradcheck

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestCoverage(t *testing.T) {
	n := 13000
	if testing.Short() {
		n = 1300
	}
	r, err := Coverage(context.Background(), n, 7)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.total().Derivatives != n {
		t.Errorf("not covered:\n%s", b.String())
	}
	for _, c := range r.Families {
		if mean := float64(c.Evals) / float64(c.Derivatives); mean > 120 || c.MaxEvals > 400 {
			t.Errorf("%s: %.0f evaluations, %d at most", c.Family, mean, c.MaxEvals)
		}
		if c.Inconclusive > c.Derivatives/5 {
			t.Errorf("%s: %d of %d inconclusive", c.Family, c.Inconclusive, c.Derivatives)
		}
		if !strings.Contains(b.String(), c.Family) {
			t.Errorf("%s is not printed", c.Family)
		}
	}
}

// TestCoverageRepeats asks for the same draws from the same seed.
func TestCoverageRepeats(t *testing.T) {
	var texts [2]string
	for i := range texts {
		r, err := Coverage(context.Background(), 200, 3)
		if err != nil {
			t.Fatal(err)
		}
		r.Elapsed = 0
		var b strings.Builder
		if err := r.Print(&b); err != nil {
			t.Fatal(err)
		}
		texts[i] = b.String()
	}
	if texts[0] != texts[1] {
		t.Errorf("two runs differ:\n%s\n%s", texts[0], texts[1])
	}
}

func TestCoverageCounts(t *testing.T) {
	l := draw{x: []float64{0.5}, r: []float64{1}}
	r := CoverageReport{Families: make([]Covered, 1)}
	r.count(0, l, Estimate{Value: 1, Err: 1e-9, Evals: 10}, 1+1e-10)
	if !r.OK() {
		t.Errorf("one that is right: %+v", r)
	}
	r.count(0, l, Estimate{Value: 1, Err: 0.1, Evals: 20}, 1.01)
	r.count(0, l, Estimate{Value: 1, Err: 1e-9}, 1.01)
	r.count(0, l, Estimate{Value: 1, Err: 1, Kink: true}, 1)
	r.count(0, l, Estimate{Value: inf, Err: inf, Divergent: true, Lo: inf, Hi: inf}, 1)
	r.Families[0].finish()
	c := r.total()
	if c.Derivatives != 5 || c.Within != 4 || c.Kinks != 1 || c.Divergent != 1 || c.MaxEvals != 20 || c.Inconclusive != 2 || len(r.Misses) != 3 {
		t.Errorf("%+v, misses %q", c, r.Misses)
	}
	if r.OK() {
		t.Error("covered in spite of misses")
	}
}

func TestCoverageInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := Coverage(ctx, 1000, 1)
	if !errors.Is(err, context.Canceled) || !r.Partial || r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil || !strings.Contains(b.String(), "partial") {
		t.Errorf("%q, %v", b.String(), err)
	}
}
