//go:build !purego

package kernels

import (
	"math"

	"github.com/segloss/segloss/kernels/cpu"
	"github.com/segloss/segloss/kernels/internal/losses"
)

func (a *assembled[T]) probabilitiesTile(t *cpu.Tile[T]) {
	n := t.N
	least, most := cpu.Log(t.Clip), math.Log1p(-t.Clip)
	for c := range t.C {
		at := c * t.Stride
		p := t.P[at:][:n]
		a.probabilities(p, t.Q[at:][:n], t.X[c*t.XStride:][:n])
		if t.LP != nil {
			a.clippedLogs(t.LP[at:][:n], t.LQ[at:][:n], p, t.Clip, least, most)
		}
	}
}

func (a *assembled[T]) squareRow(acc []float64, r *cpu.Row[T]) {
	n := len(r.P)
	if r.V == nil {
		a.square((*[3]float64)(acc), r.P, r.Q[:n], r.R[:n])
	} else {
		a.squareV((*[3]float64)(acc), r.P, r.Q[:n], r.R[:n], r.V[:n])
	}
}

func (a *assembled[T]) squareGradRow(r *cpu.Row[T], byPP, bySQR, bySQB float64) {
	n := len(r.G)
	a.squareGrad(r.G, r.P[:n], r.Q[:n], r.R[:n], byPP, bySQR, bySQB)
}

func (a *assembled[T]) logPRow(acc []float64, r *cpu.Row[T]) {
	n := len(r.P)
	if r.V == nil {
		a.logP(&acc[0], r.P, r.LP[:n], r.R[:n])
	} else {
		a.logPV(&acc[0], r.P, r.LP[:n], r.R[:n], r.V[:n])
	}
}

func (a *assembled[T]) logQRow(acc []float64, r *cpu.Row[T]) {
	n := len(r.P)
	if r.V == nil {
		a.logQ(&acc[0], r.P, r.LQ[:n], r.R[:n])
	} else {
		a.logQV(&acc[0], r.P, r.LQ[:n], r.R[:n], r.V[:n])
	}
}

func (a *assembled[T]) logAllRow(acc []float64, r *cpu.Row[T]) {
	if r.V == nil {
		a.logAll(&acc[0], r.LP)
	} else {
		a.logAllV(&acc[0], r.LP, r.V[:len(r.LP)])
	}
}

func (a *assembled[T]) logGradRow(r *cpu.Row[T], byLogP, byLogQ, byLogAll float64) {
	n := len(r.U)
	a.logGrad(r.U, r.P[:n], r.Q[:n], r.R[:n], byLogP, byLogQ, byLogAll)
}

// powers leaves u^γ in w, for u in [0, 1] and its logarithm l.
func (a *assembled[T]) powers(w []float64, gamma float64, u, l []float64, clip float64) {
	switch gamma {
	case 0:
		for i, v := range u {
			w[i] = 1 + 0*v // NaN where it is one
		}
	case 1, 2, 3:
		a.powRow(w, u[:len(w)], int(gamma), clip)
	default:
		a.expPow(w, l[:len(w)], gamma)
	}
}

func (a *assembled[T]) powerRow(pos, neg []float64, gamma float64, r *cpu.Row[T]) {
	if !losses.Plain(gamma) {
		a.portable.Power(pos, neg, gamma, r)
		return
	}
	a.powerSumRow(&pos[0], gamma, r, r.P, r.Q, r.LP, r.LQ, 0, 1)
	if neg != nil {
		a.powerSumRow(&neg[0], gamma, r, r.Q, r.P, r.LQ, r.LP, 1, -1)
	}
}

// powerSumRow adds Σ v (at + sign·r) q^γ ln p.
func (a *assembled[T]) powerSumRow(acc *float64, gamma float64, r *cpu.Row[T], p, q, lp, lq []float64, at, sign float64) {
	n := len(q)
	w := r.Work[:n]
	a.powers(w, gamma, q, lq, r.Clip)
	if r.V == nil {
		a.powerSum(acc, w, p[:n], lp[:n], r.R[:n], at, sign)
	} else {
		a.powerSumV(acc, w, p[:n], lp[:n], r.R[:n], r.V[:n], at, sign)
	}
}

func (a *assembled[T]) powerGradRow(r *cpu.Row[T], gamma, byPos, byNeg float64) {
	if !losses.Plain(gamma) {
		a.portable.PowerGrad(r, gamma, byPos, byNeg)
		return
	}
	if byPos != 0 {
		a.powerDerivative(r, gamma, byPos, r.P, r.Q, r.LP, r.LQ, 0, 1)
	}
	if byNeg != 0 {
		a.powerDerivative(r, gamma, -byNeg, r.Q, r.P, r.LQ, r.LP, 1, -1)
	}
}

func (a *assembled[T]) powerDerivative(r *cpu.Row[T], gamma, by float64, p, q, lp, lq []float64, at, sign float64) {
	n := len(q)
	w := r.Work[:n]
	a.powers(w, gamma, q, lq, 0)
	a.powerGrad(r.U[:n], w, p[:n], q, lp[:n], r.R[:n], gamma, by, at, sign)
}

// expLogRow leaves to the portable row the exponents that need no power, and those out
// of the ordinary.
func (a *assembled[T]) expLogRow(acc []float64, gamma float64, r *cpu.Row[T]) {
	n := len(r.P)
	switch {
	case gamma == 0 || gamma == 1 || !losses.Plain(gamma):
		a.portable.ExpLog(acc, gamma, r)
	case r.V == nil:
		a.expLog(&acc[0], r.P, r.Q[:n], r.LP[:n], r.LQ[:n], r.R[:n], gamma, r.Clip)
	default:
		a.expLogV(&acc[0], r.P, r.Q[:n], r.LP[:n], r.LQ[:n], r.R[:n], r.V[:n], gamma, r.Clip)
	}
}

func (a *assembled[T]) expLogGradRow(r *cpu.Row[T], gamma, by float64) {
	if gamma == 0 || gamma == 1 || !losses.Plain(gamma) {
		a.portable.ExpLogGrad(r, gamma, by)
		return
	}
	n := len(r.U)
	a.expLogGrad(r.U, r.Q[:n], r.LP[:n], r.LQ[:n], r.R[:n], gamma, by)
}
