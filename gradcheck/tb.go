package gradcheck

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// TB is what a check reports to: a [testing.T], or anything with these methods.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Check checks the gradient of a function at x, as [Func] does, and reports the
// outcome to t: as an error where a derivative is wrong or could not be decided.
func Check(t TB, f Function, x []float64) Row {
	t.Helper()
	row := Func(f, x)
	if row.Verdict == Pass {
		t.Logf("PASS %s: %d derivatives, %d evaluations; a relative defect of %.1e would have been caught", row.Loss, row.Checks, row.Evals, row.Power)
		return row
	}
	t.Errorf("%v %s: %s%s", row.Verdict, row.Loss, row.Reason, reproduce(f, row))
	return row
}

// reproduce says where a row of a function was judged, and how to see it again.
func reproduce(f Function, row Row) string {
	w := row.Worst
	switch {
	case w.What == "direction":
		return fmt.Sprintf("\n  %v\n  to reproduce: the same x draws the same directions", w)
	case w.What == "":
		return ""
	case w.Tol == 0 && math.IsNaN(w.Numeric):
		return fmt.Sprintf("\n  x[%d]=%v\n  to reproduce: call it at that x", w.S, w.X)
	}
	lo, hi := boundOf(f.Lower, w.S, math.Inf(-1)), boundOf(f.Upper, w.S, math.Inf(1))
	return fmt.Sprintf("\n  %v\n  to reproduce: compare with Derivative of Value by x[%d] at %v, from %v to %v", w, w.S, w.X, lo, hi)
}

// CheckLoss checks a loss, as [Loss] does, and reports the outcome to t: every
// row that did not pass as an error, up to 20 of them, but not the inconclusive
// ones of the committed list. A region loss with a wrong partial derivative has
// one row, which names it. A loss or options that cannot be used are an error
// too.
func CheckLoss(t TB, l kernels.Loss, o Options) Report {
	t.Helper()
	r, err := Loss(context.Background(), l, o)
	if err != nil {
		t.Errorf("%v: %v", l, err)
		return r
	}
	var b strings.Builder
	r.details(&b)
	r.total(&b)
	if r.Verdict() == Pass {
		t.Logf("%v: %s", l, &b)
	} else {
		t.Errorf("%v: %s", l, &b)
	}
	return r
}
