package gradcheck

import "math"

// Func checks the gradient of any function at x by every coordinate. The
// bounds, which f is not evaluated outside of, may be nil for none. The length
// of grad and of bounds that are given must be that of x; where it is not, the
// row is inconclusive.
func Func(f func(x []float64) float64, grad, x, lo, hi []float64) Row {
	row := Row{Group: "function", Loss: "function", DType: Float64.String(), Checks: len(x)}
	if len(grad) != len(x) || lo != nil && len(lo) != len(x) || hi != nil && len(hi) != len(x) {
		row.Verdict, row.Reason = Inconclusive, "the lengths of x, its gradient and its bounds differ"
		return row
	}
	at := append([]float64(nil), x...)
	est := make([]Estimate, len(x))
	for i, v := range x {
		from, to := math.Inf(-1), math.Inf(1)
		if lo != nil {
			from = lo[i]
		}
		if hi != nil {
			to = hi[i]
		}
		est[i] = Derivative(func(y float64) float64 {
			at[i] = y
			return f(at)
		}, v, from, to)
		at[i] = v
	}
	c := numerically(est, grad)
	j := c.judge()
	row.Verdict, row.Reason, row.Power, row.Floored = j.verdict, j.reason, j.power, j.floored
	if i := j.worst; i >= 0 {
		row.Worst = Element{What: "element", C: -1, N: -1, S: i, X: x[i], Analytic: grad[i], Numeric: c.want[i], Err: c.err[i], Tol: c.tol[i]}
	}
	return row
}
