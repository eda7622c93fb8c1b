//go:build !purego

package kernels

import "github.com/segloss/segloss/kernels/cpu"

// assembled is the rows of a table that an instruction set has assembly for: one
// piece of code for all of them, over the primitives of each. What a primitive
// cannot do it leaves to the portable row. Every row of a tile has N elements;
// that is what is checked here before a primitive gets it.
type assembled[T Float] struct {
	primitives[T]
	portable *cpu.Kernels[T]
}

// newTable is the portable table with the rows of an instruction set in it.
func newTable[T Float](p *primitives[T]) *cpu.Kernels[T] {
	a := &assembled[T]{*p, cpu.Generic[T]()}
	k := cpu.Generic[T]()
	k.Probabilities, k.Sigmoid, k.Softmax = a.probabilitiesTile, a.sigmoidTile, a.softmaxTile
	k.Counts, k.Region, k.Soft, k.Square = a.countsRow, a.regionRow, a.softRow, a.squareRow
	k.LogP, k.LogQ, k.LogAll = a.logPRow, a.logQRow, a.logAllRow
	k.Power, k.ExpLog = a.powerRow, a.expLogRow
	k.RegionY, k.LogPY = a.regionYTile, a.logPYTile
	k.RegionGrad, k.SoftGrad, k.SquareGrad = a.regionGradRow, a.softGradRow, a.squareGradRow
	k.LogGrad, k.PowerGrad, k.ExpLogGrad = a.logGradRow, a.powerGradRow, a.expLogGradRow
	k.ProbabilitiesChain, k.SigmoidChain, k.SoftmaxChain = a.probabilitiesChainTile, a.sigmoidChainTile, a.softmaxChainTile
	k.SoftmaxRegionY = a.softmaxRegionYTile
	return k
}

func (a *assembled[T]) sigmoidTile(t *cpu.Tile[T]) {
	n := t.N
	for c := range t.C {
		at := c * t.Stride
		x, p, q := t.X[c*t.XStride:][:n], t.P[at:][:n], t.Q[at:][:n]
		if t.LP == nil {
			a.sigmoid(p, q, x)
		} else {
			a.sigmoidLogs(p, q, t.LP[at:][:n], t.LQ[at:][:n], x)
		}
	}
}

func (a *assembled[T]) countsRow(acc []float64, r *cpu.Row[T]) {
	if r.V == nil {
		a.counts((*[3]float64)(acc), r.R)
	} else {
		a.countsV((*[3]float64)(acc), r.R, r.V[:len(r.R)])
	}
}

func (a *assembled[T]) regionRow(acc []float64, r *cpu.Row[T]) {
	n := len(r.P)
	if r.V == nil {
		a.region((*[4]float64)(acc), r.P, r.Q[:n], r.R[:n])
	} else {
		a.regionV((*[4]float64)(acc), r.P, r.Q[:n], r.R[:n], r.V[:n])
	}
}

func (a *assembled[T]) regionYTile(acc []float64, k int, t *cpu.Tile[T]) {
	y := t.Y[:t.N]
	for c := range t.C {
		at := c * t.Stride
		a.regionYRow((*[4]float64)(acc[c*k:]), t.P[at:][:t.N], t.Q[at:][:t.N], y, c)
	}
}

func (a *assembled[T]) regionGradRow(r *cpu.Row[T], byTP, byFP, byFN, byTN float64) {
	a.regionGrad(r.G, r.R[:len(r.G)], byTP-byFN, byFP-byTN)
}

func (a *assembled[T]) probabilitiesChainTile(t *cpu.Tile[T]) {
	n := t.N
	for c := range t.C {
		at := c * t.Stride
		out, g := t.Out[c*t.OutStride:][:n], t.G[at:][:n]
		if t.U == nil {
			a.chain(out, g)
		} else {
			a.chainU(out, g, t.U[at:][:n], t.P[at:][:n], t.Clip)
		}
	}
}

func (a *assembled[T]) sigmoidChainTile(t *cpu.Tile[T]) {
	n := t.N
	for c := range t.C {
		at := c * t.Stride
		out, g, p, q := t.Out[c*t.OutStride:][:n], t.G[at:][:n], t.P[at:][:n], t.Q[at:][:n]
		if t.U == nil {
			a.sigmoidChain(out, g, p, q)
		} else {
			a.sigmoidChainU(out, g, p, q, t.U[at:][:n])
		}
	}
}

func (a *assembled[T]) softRow(acc []float64, r *cpu.Row[T]) {
	n := len(r.P)
	if r.V == nil {
		a.soft((*[4]float64)(acc), r.P, r.Q[:n], r.R[:n])
	} else {
		a.softV((*[4]float64)(acc), r.P, r.Q[:n], r.R[:n], r.V[:n])
	}
}

func (a *assembled[T]) softGradRow(r *cpu.Row[T], byTP, byFP, byFN, byTN float64) {
	n := len(r.G)
	a.softGrad(r.G, r.P[:n], r.Q[:n], r.R[:n], byTP-byFN, byFP-byTN)
}
