//go:build linux && !purego

package kernels_test

import (
	"math"

	"github.com/segloss/segloss/kernels"
)

// minus is p − r as the kernels form it.
func minus(p, q, r float64) float64 {
	if p < 0.5 {
		return p - r
	}
	return (1 - r) - q
}

// times is f·l, but 0 where f is 0 and l is −∞.
func times(f, l float64) float64 {
	if f == 0 && math.IsInf(l, -1) {
		return 0
	}
	return f * l
}

// unlessNone is a term with the factor f, or 0·p where that is 0.
func unlessNone(f, p, term float64) float64 {
	if f == 0 {
		return 0 * p
	}
	return term
}

// minusLogPower is (−ln p)^γ from the logarithm that has its digits.
func minusLogPower(gamma, q, lp, lq float64) float64 {
	if q < 1e-8 {
		return math.Exp(gamma * (lq + q/2))
	}
	return math.Exp(gamma * naturalLog(-lp))
}

// pointwiseTests are those of the sums and derivatives beside the region's.
func pointwiseTests[T kernels.Float](k *kernels.Primitives[T], tol float64) []primitiveTest[T] {
	tests := []primitiveTest[T]{
		{"softGrad", func(a *rows[T]) { k.SoftGrad(a.G, a.P, a.Q, a.R, 0.3, 0.7) }, each(func(a *rows[T], i int) {
			switch d := minus(a.P[i], a.Q[i], float64(a.R[i])); {
			case d < 0:
				a.G[i] += 0.3
			case d > 0:
				a.G[i] += 0.7
			default:
				a.G[i] += 0.5
			}
		}), 1e-15, 0},
		{"squareGrad", func(a *rows[T]) { k.SquareGrad(a.G, a.P, a.Q, a.R, 0.1, 0.2, 0.3) }, each(func(a *rows[T], i int) {
			t, p := float64(a.R[i]), a.P[i]
			a.G[i] += 2 * (p*0.1 + minus(p, a.Q[i], t)*(0.2*t+0.3*(1-t)))
		}), 1e-14, 1},
		{"logGrad", func(a *rows[T]) { k.LogGrad(a.U, a.P, a.Q, a.R, 0.1, 0.2, 0.3) }, each(func(a *rows[T], i int) {
			t := float64(a.R[i])
			a.U[i] += (0.1*t+0.3)*a.Q[i] - 0.2*(1-t)*a.P[i]
		}), 1e-14, 1},
		{"expPow", func(a *rows[T]) { k.ExpPow(a.W, a.LP, 1.5) }, each(func(a *rows[T], i int) {
			a.W[i] = math.Exp(1.5 * a.LP[i])
		}), tol, 0},
		{"expLogGrad", func(a *rows[T]) { k.ExpLogGrad(a.U, a.Q, a.LP, a.LQ, a.R, 0.3, 0.7) }, each(func(a *rows[T], i int) {
			q := a.Q[i]
			d := q * minusLogPower(0.3-1, q, a.LP[i], a.LQ[i])
			if q < 1e-8 {
				d = (1 - q/2) * minusLogPower(0.3, q, a.LP[i], a.LQ[i])
			}
			if t := float64(a.R[i]); t != 0 {
				a.U[i] -= 0.3 * 0.7 * t * d
			}
		}), tol, 1},
		{"clippedLogs", clippedLogs(k, 0.1), clippedLogsLoop[T](0.1), tol, 0},
		{"clippedLogs at 0", clippedLogs(k, 0), clippedLogsLoop[T](0), tol, 0},
		{"oddsLogs", func(a *rows[T]) {
			a.Ok = k.OddsLogs(a.W, a.P, a.Q)
			a.capLogs()
		}, func(a *rows[T]) {
			a.Ok = true
			for i, p := range a.P {
				a.W[i] = -math.Log1p(p / a.Q[i])
				a.Ok = a.Ok && !(-a.W[i] > 300)
			}
			a.capLogs()
		}, tol, 0},
		{"sumY", func(a *rows[T]) { k.SumY(&a.Acc[0], a.W, a.Y, 2) }, each(func(a *rows[T], i int) {
			if a.Y[i] == 2 {
				a.Acc[0] += a.W[i]
			}
		}), 0, 0},
		{"logAll", func(a *rows[T]) { k.LogAll(&a.Acc[0], a.LP) }, each(func(a *rows[T], i int) {
			a.Acc[0] += a.LP[i]
		}), 0, 0},
		{"logAllV", func(a *rows[T]) { k.LogAllV(&a.Acc[0], a.LP, a.V) }, each(func(a *rows[T], i int) {
			a.Acc[0] += float64(a.V[i]) * a.LP[i]
		}), 0, 0},
	}
	for n := range 3 {
		for _, clip := range []float64{0, 0.1} {
			tests = append(tests, primitiveTest[T]{"powRow", func(a *rows[T]) {
				k.PowRow(a.W, a.P, n+1, clip)
			}, each(func(a *rows[T], i int) {
				a.W[i] = 1
				for range n + 1 {
					a.W[i] *= min(max(a.P[i], clip), 1-clip)
				}
			}), 0, 0})
		}
	}
	for _, weighted := range []bool{false, true} {
		tests = append(tests, weightedTests(k, weighted, tol)...)
	}
	for _, side := range [][2]float64{{0, 1}, {1, -1}} {
		at, sign := side[0], side[1]
		tests = append(tests, primitiveTest[T]{"powerGrad", func(a *rows[T]) {
			k.PowerGrad(a.U, a.W, a.P, a.Q, a.LP, a.R, 1.5, 0.3, at, sign)
		}, each(func(a *rows[T], i int) {
			if f := at + sign*float64(a.R[i]); f != 0 {
				a.U[i] += 0.3 * f * a.W[i] * (a.Q[i] - 1.5*times(a.P[i], a.LP[i]))
			}
		}), 1e-14, 10})
	}
	return tests
}

// weightedTests are the sums that come with and without weights.
func weightedTests[T kernels.Float](k *kernels.Primitives[T], weighted bool, tol float64) []primitiveTest[T] {
	v := func(a *rows[T], i int) float64 {
		if weighted {
			return float64(a.V[i])
		}
		return 1
	}
	either := func(plain, with func(a *rows[T])) func(a *rows[T]) {
		if weighted {
			return with
		}
		return plain
	}
	tests := []primitiveTest[T]{
		{"square", either(
			func(a *rows[T]) { k.Square((*[3]float64)(a.Acc[:]), a.P, a.Q, a.R) },
			func(a *rows[T]) { k.SquareV((*[3]float64)(a.Acc[:]), a.P, a.Q, a.R, a.V) },
		), each(func(a *rows[T], i int) {
			w, t, p := v(a, i), float64(a.R[i]), a.P[i]
			d := minus(p, a.Q[i], t)
			a.Acc[0] += w * p * p
			a.Acc[1] += w * d * d * t
			a.Acc[2] += w * d * d * (1 - t)
		}), 0, 0},
		{"soft", either(
			func(a *rows[T]) { k.Soft(&a.Acc, a.P, a.Q, a.R) },
			func(a *rows[T]) { k.SoftV(&a.Acc, a.P, a.Q, a.R, a.V) },
		), each(func(a *rows[T], i int) {
			w, t, p, q := v(a, i), float64(a.R[i]), a.P[i], a.Q[i]
			if d := minus(p, q, t); d > 0 {
				a.Acc[0] += w * t
				a.Acc[1] += w * d
				a.Acc[3] += w * q
			} else {
				a.Acc[0] += w * p
				a.Acc[2] -= w * d
				a.Acc[3] += w * (1 - t)
			}
		}), 0, 0},
		{"logP", either(
			func(a *rows[T]) { k.LogP(&a.Acc[0], a.P, a.LP, a.R) },
			func(a *rows[T]) { k.LogPV(&a.Acc[0], a.P, a.LP, a.R, a.V) },
		), each(func(a *rows[T], i int) {
			t := float64(a.R[i])
			a.Acc[0] += unlessNone(t, a.P[i], v(a, i)*t*a.LP[i])
		}), 0, 0},
		{"logQ", either(
			func(a *rows[T]) { k.LogQ(&a.Acc[0], a.P, a.LQ, a.R) },
			func(a *rows[T]) { k.LogQV(&a.Acc[0], a.P, a.LQ, a.R, a.V) },
		), each(func(a *rows[T], i int) {
			t := 1 - float64(a.R[i])
			a.Acc[0] += unlessNone(t, a.P[i], v(a, i)*t*a.LQ[i])
		}), 0, 0},
	}
	for _, clip := range []float64{0, 0.1} {
		tests = append(tests, primitiveTest[T]{"expLog", either(
			func(a *rows[T]) { k.ExpLog(&a.Acc[0], a.P, a.Q, a.LP, a.LQ, a.R, 0.3, clip) },
			func(a *rows[T]) { k.ExpLogV(&a.Acc[0], a.P, a.Q, a.LP, a.LQ, a.R, a.V, 0.3, clip) },
		), each(func(a *rows[T], i int) {
			t := float64(a.R[i])
			y := minusLogPower(0.3, max(a.Q[i], clip), a.LP[i], a.LQ[i])
			a.Acc[0] += unlessNone(t, a.P[i], v(a, i)*t*y)
		}), tol, 0})
	}
	for _, side := range [][2]float64{{0, 1}, {1, -1}} {
		at, sign := side[0], side[1]
		tests = append(tests, primitiveTest[T]{"powerSum", either(
			func(a *rows[T]) { k.PowerSum(&a.Acc[0], a.W, a.P, a.LP, a.R, at, sign) },
			func(a *rows[T]) { k.PowerSumV(&a.Acc[0], a.W, a.P, a.LP, a.R, a.V, at, sign) },
		), each(func(a *rows[T], i int) {
			f := at + sign*float64(a.R[i])
			a.Acc[0] += unlessNone(f, a.P[i], v(a, i)*f*times(a.W[i], a.LP[i]))
		}), 0, 0})
	}
	return tests
}

func clippedLogs[T kernels.Float](k *kernels.Primitives[T], clip float64) func(a *rows[T]) {
	return func(a *rows[T]) { k.ClippedLogs(a.LP, a.LQ, a.P, clip, math.Log(clip), math.Log1p(-clip)) }
}

func clippedLogsLoop[T kernels.Float](clip float64) func(a *rows[T]) {
	least, most := math.Log(clip), math.Log1p(-clip)
	return each(func(a *rows[T], i int) {
		switch p := a.P[i]; {
		case p < clip:
			a.LP[i], a.LQ[i] = least, most
		case 1-p < clip:
			a.LP[i], a.LQ[i] = most, least
		default:
			a.LP[i], a.LQ[i] = naturalLog(p), math.Log1p(-p)
		}
	})
}

// capLogs drops what only is to be reported as below −300.
func (a *rows[T]) capLogs() {
	for i, l := range a.W {
		if l < -300 {
			a.W[i] = -301
		}
	}
}
