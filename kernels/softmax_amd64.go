//go:build !purego

package kernels

import "github.com/segloss/segloss/kernels/cpu"

// first is the address of a matrix for a primitive that walks it by its stride,
// once the last element is known to be there.
func first[E any](m []E, stride, rows, n int) *E {
	_ = m[(rows-1)*stride+n-1]
	return &m[0]
}

// fewClasses is the number of classes up to which a position's stay in registers.
const fewClasses = 4

func (a *assembled[T]) softmaxTile(t *cpu.Tile[T]) {
	if t.N == 0 {
		return
	}
	p, q := first(t.P, t.Stride, t.C, t.N), first(t.Q, t.Stride, t.C, t.N)
	if t.C <= fewClasses && t.LP == nil {
		x := first(t.X, t.XStride, t.C, t.N)
		if !a.softmaxFew[t.C](p, q, x, t.Stride, t.XStride, t.N) {
			a.portable.Softmax(t)
		}
		return
	}
	for c := range t.C {
		if !a.exp(t.Work[c*t.N:][:t.N], t.X[c*t.XStride:][:t.N]) {
			a.portable.Softmax(t)
			return
		}
	}
	a.normalise(p, q, first(t.Work, t.N, 2*t.C, t.N), t.Stride, t.C, t.N)
	if t.LP != nil {
		a.softmaxLogs(t)
	}
}

// softmaxLogs takes the exponentials from the first C rows of Work, and the sums
// of the others from the next.
func (a *assembled[T]) softmaxLogs(t *cpu.Tile[T]) {
	n := t.N
	for c := range t.C {
		e, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		a.oddsLogsRow(t, t.LP[c*t.Stride:][:n], others, e, c, 1)
		if t.LQ != nil {
			a.oddsLogsRow(t, t.LQ[c*t.Stride:][:n], e, others, c, -1)
		}
	}
}

// oddsLogsRow writes −ln(1 + against/favour), where sign is what FarOdds takes
// for that.
func (a *assembled[T]) oddsLogsRow(t *cpu.Tile[T], out, against, favour []float64, c int, sign float64) {
	if a.oddsLogs(out, against, favour) {
		return
	}
	for i, l := range out {
		if -l > cpu.PlainExp {
			out[i] = -cpu.FarOdds(t, c, i, sign)
		}
	}
}

// sumsInRegisters is the number of classes up to which sums by label are formed
// class by class.
const sumsInRegisters = 8

func (a *assembled[T]) logPYTile(acc []float64, k int, t *cpu.Tile[T]) {
	if t.N == 0 {
		return
	}
	w, y := t.Work[:t.N], t.Y[:t.N]
	p, q := first(t.P, t.Stride, t.C, t.N), first(t.Q, t.Stride, t.C, t.N)
	if !a.memberLogs(w, p, q, y, t.Stride, t.C) {
		for i, l := range w {
			if l > cpu.PlainExp {
				w[i] = cpu.FarOdds(t, int(y[i]), i, 1)
			}
		}
	}
	if t.C > sumsInRegisters {
		for i, l := range w {
			acc[int(y[i])*k] -= l
		}
		return
	}
	sum := &t.Spare[0]
	for c := range t.C {
		*sum = 0
		a.sumY(sum, w, y, c)
		acc[c*k] -= *sum
	}
}

func (a *assembled[T]) softmaxChainTile(t *cpu.Tile[T]) {
	if t.N == 0 {
		return
	}
	out, work := first(t.Out, t.OutStride, t.C, t.N), first(t.Work, t.N, 2*t.C, t.N)
	p, q, g := first(t.P, t.Stride, t.C, t.N), first(t.Q, t.Stride, t.C, t.N), first(t.G, t.Stride, t.C, t.N)
	done := false
	if t.U == nil {
		done = a.softmaxChain(out, p, q, g, work, t.OutStride, t.Stride, t.C, t.N)
	} else {
		done = a.softmaxChainU(out, p, q, g, first(t.U, t.Stride, t.C, t.N), work, t.OutStride, t.Stride, t.C, t.N)
	}
	if !done {
		a.portable.SoftmaxChain(t)
	}
}

func (a *assembled[T]) softmaxRegionYTile(t *cpu.Tile[T], coef []float64) {
	if t.N == 0 {
		return
	}
	out, k := first(t.Out, t.OutStride, t.C, t.N), first(coef, 4, t.C, 4)
	p, q := first(t.P, t.Stride, t.C, t.N), first(t.Q, t.Stride, t.C, t.N)
	if t.C <= fewClasses {
		a.softmaxRegionYFew[t.C](out, p, q, k, t.Y[:t.N], t.OutStride, t.Stride)
		return
	}
	work := first(t.Work, t.N, t.C, t.N)
	a.softmaxRegionY(out, p, q, work, k, t.Y[:t.N], t.OutStride, t.Stride, t.C)
}
