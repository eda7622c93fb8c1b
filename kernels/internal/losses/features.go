// Package losses is the list of losses: what each is called, which options it
// takes, which sums of pointwise features it needs, and how its value and its
// partial derivatives follow from those sums. It sees no positions and no
// backends; every backend reduces the same sums and asks the same finish.
package losses

import "slices"

// Offsets of the sums that every cell has. They do not depend on the prediction.
const (
	OffR  = iota // Σ v r
	OffNR        // Σ v (1−r)
	OffRR        // Σ v r²
	numCounts
)

// Offsets within the region, soft and square groups of a cell.
const (
	TP, FP, FN, TN = 0, 1, 2, 3
	PP, SQR, SQB   = 0, 1, 2 // Σ v p², Σ v (p−r)² r, Σ v (p−r)² (1−r)
)

// Features is what a loss asks of the positions. The zero value asks for the
// counts alone.
type Features struct {
	Region bool    // TP, FP, FN
	TN     bool    // and TN, which a backend may leave at 0 otherwise
	Soft   bool    // the same four with min and max in place of the products
	Square bool    // PP, SQR, SQB
	LogP   bool    // Σ v r ln p
	LogQ   bool    // Σ v (1−r) ln q
	LogAll bool    // Σ v ln p, whatever r
	Powers []Power // the features with an exponent
}

// Power is a pointwise feature with an exponent: Σ v r q^γ ln p and, unless
// Pos, Σ v (1−r) p^γ ln q; or, with ExpLog, Σ v r (−ln p)^γ alone.
type Power struct {
	Gamma  float64
	ExpLog bool
	Pos    bool
	Off    int // of its first sum within the cell; set by Layout
}

// Plain reports whether float32 serves an exponent: the error of γ ln u grows with γ,
// and float32 has no numbers as large or as small as float64.
func Plain(gamma float64) bool { return gamma == 0 || gamma >= 0x1p-60 && gamma <= 16 }

func (p Power) sums() int {
	if p.ExpLog || p.Pos {
		return 1
	}
	return 2
}

// merge adds what g asks to f.
func (f *Features) merge(g Features) {
	f.Region = f.Region || g.Region
	f.TN = f.TN || g.TN
	f.Soft = f.Soft || g.Soft
	f.Square = f.Square || g.Square
	f.LogP = f.LogP || g.LogP
	f.LogQ = f.LogQ || g.LogQ
	f.LogAll = f.LogAll || g.LogAll
	for _, p := range g.Powers {
		if i := f.power(p); i < 0 {
			f.Powers = append(f.Powers, p)
		} else if !p.Pos {
			f.Powers[i].Pos = false
		}
	}
}

func (f *Features) power(p Power) int {
	return slices.IndexFunc(f.Powers, func(o Power) bool { return o.Gamma == p.Gamma && o.ExpLog == p.ExpLog })
}

// NeedsLogs reports whether a backend must form ln p or ln q at all.
func (f *Features) NeedsLogs() bool {
	return f.LogP || f.LogQ || f.LogAll || len(f.Powers) > 0
}

// Layout places the sums of one cell. An offset of −1 means not asked for.
type Layout struct {
	Features
	Region, Soft, Square, LogP, LogQ, LogAll int
	K                                        int // sums per cell

	Factors []int // OffR of a sum with a factor r, OffNR of one with 1−r, else −1
}

func newLayout(f Features) Layout {
	l := Layout{Features: f, K: numCounts}
	place := func(asked bool, n int) int {
		if !asked {
			return -1
		}
		l.K += n
		return l.K - n
	}
	l.Region = place(f.Region, 4)
	l.Soft = place(f.Soft, 4)
	l.Square = place(f.Square, 3)
	l.LogP = place(f.LogP, 1)
	l.LogQ = place(f.LogQ, 1)
	l.LogAll = place(f.LogAll, 1)
	l.Powers = slices.Clone(f.Powers)
	for i := range l.Powers {
		l.Powers[i].Off = place(true, l.Powers[i].sums())
	}
	l.Factors = slices.Repeat([]int{-1}, l.K)
	l.factor(l.Region, OffR, OffNR, OffR, OffNR)
	l.factor(l.Square, -1, OffR, OffNR)
	l.factor(l.LogP, OffR)
	l.factor(l.LogQ, OffNR)
	for _, p := range l.Powers {
		l.factor(p.Off, []int{OffR, OffNR}[:p.sums()]...)
	}
	return l
}

// factor notes the factors of the sums from o on.
func (l *Layout) factor(o int, of ...int) {
	if o >= 0 {
		copy(l.Factors[o:], of)
	}
}

// Cell is the sums of one (sample, class) pair by name, or, as a result of a
// finish, the partial derivatives of the loss by them.
type Cell struct {
	M, R, NR, RR   float64
	TP, FP, FN, TN float64 // the soft ones where the term says soft=true
	PP, SQR, SQB   float64
	LP, LQ         float64
}

// load reads a cell out of the row of a sample.
func (l *Layout) load(c *Cell, m float64, s []float64, soft bool) {
	*c = Cell{M: m, R: s[OffR], NR: s[OffNR], RR: s[OffRR]}
	if o := l.regionOff(soft); o >= 0 {
		c.TP, c.FP, c.FN, c.TN = s[o+TP], s[o+FP], s[o+FN], s[o+TN]
	}
	if o := l.Square; o >= 0 {
		c.PP, c.SQR, c.SQB = s[o+PP], s[o+SQR], s[o+SQB]
	}
	if l.LogP >= 0 {
		c.LP = s[l.LogP]
	}
	if l.LogQ >= 0 {
		c.LQ = s[l.LogQ]
	}
}

// store adds scale times the partial derivatives d to the coefficients of a cell.
func (l *Layout) store(coef []float64, d *Cell, scale float64, soft bool) {
	if o := l.regionOff(soft); o >= 0 {
		addScaled(coef[o:], scale, d.TP, d.FP, d.FN, d.TN)
	}
	if o := l.Square; o >= 0 {
		addScaled(coef[o:], scale, d.PP, d.SQR, d.SQB)
	}
	if l.LogP >= 0 {
		addScaled(coef[l.LogP:], scale, d.LP)
	}
	if l.LogQ >= 0 {
		addScaled(coef[l.LogQ:], scale, d.LQ)
	}
}

func (l *Layout) regionOff(soft bool) int {
	if soft {
		return l.Soft
	}
	return l.Region
}

// addScaled leaves a sum alone where the derivative is zero, so that an
// infinite scale does not turn "does not depend" into NaN.
func addScaled(dst []float64, scale float64, d ...float64) {
	for i, v := range d {
		if v != 0 {
			dst[i] += scale * v
		}
	}
}
