package losses

import "math"

// Term is a loss of the list with its options and its coefficient.
type Term struct {
	*Loss
	Coef float64
	Opt  Options
}

// Program is a sum of terms compiled for C classes. It is immutable but for
// the coefficients, and holds no sums.
type Program struct {
	Layout
	C     int
	Terms []Term
}

// Compile lays out the sums that the terms need.
func Compile(terms []Term, c int) *Program {
	var f Features
	for i := range terms {
		f.merge(terms[i].Needs(&terms[i].Opt))
	}
	return &Program{Layout: newLayout(f), C: c, Terms: terms}
}

// Stride is the length of a row: Σ v of the sample, then its cells.
func (p *Program) Stride() int { return 1 + p.C*p.K }

// Batch holds the sums of a batch and what finishing them gives. All its
// memory is allocated at once.
type Batch struct {
	Program *Program
	Rows    int
	Data    []float64   // Rows × Stride
	Values  []float64   // of each term
	Cells   [][]float64 // of each region term, nil for others

	coef    []float64 // where Finish puts ∂L/∂sum
	total   []float64 // one row: the sum of all rows in order
	classR  []float64
	weights [][2]float64 // of a pointwise term
	totals  Totals
	sums, d []Cell
}

// NewBatch allocates a batch of rows samples.
func (p *Program) NewBatch(rows int) *Batch {
	b := &Batch{
		Program: p,
		Rows:    rows,
		Data:    make([]float64, rows*p.Stride()),
		Values:  make([]float64, len(p.Terms)),
		Cells:   make([][]float64, len(p.Terms)),
		total:   make([]float64, p.Stride()),
		classR:  make([]float64, p.C),
		weights: make([][2]float64, p.C),
		sums:    make([]Cell, p.C),
		d:       make([]Cell, p.C),
	}
	for i := range p.Terms {
		if t := &p.Terms[i]; t.Kind == RegionKind {
			b.Cells[i] = make([]float64, t.rows(rows)*t.perRow(p.C))
		}
	}
	return b
}

// rows is how many samples the term sees: the batch counts as one.
func (t *Term) rows(rows int) int {
	if t.Opt.Batch {
		return min(rows, 1)
	}
	return rows
}

// perRow is how many values the term has for one sample.
func (t *Term) perRow(c int) int {
	if t.Cell != nil {
		return c
	}
	return 1
}

// Row is the sums of one sample.
func (b *Batch) Row(i int) []float64 {
	n := b.Program.Stride()
	return b.Data[i*n : (i+1)*n]
}

// Finish computes the loss from the first rows rows and the value of each
// term. It fills coef, n × C × K, with ∂L/∂sum of the n samples from first on.
func (b *Batch) Finish(coef []float64, rows, first, n int) (loss float64) {
	p := b.Program
	clear(b.total)
	nan := false
	for i := range rows {
		for k, v := range b.Row(i) {
			b.total[k] += v
			nan = nan || v != v
		}
	}
	b.coef = coef[:n*p.C*p.K]
	clear(b.coef)
	for i := range p.Terms {
		t := &p.Terms[i]
		if t.Linear != nil {
			b.Values[i] = b.linear(t, n)
		} else {
			b.Values[i] = b.region(t, b.Cells[i], rows, first, n)
		}
		if nan {
			b.Values[i] = math.NaN()
		}
		if t.Coef != 0 || nan {
			loss += t.Coef * b.Values[i]
		}
	}
	for s := range n {
		b.dropEmpty(b.coef[s*p.C*p.K:][:p.C*p.K], b.Row(first + s)[1:])
	}
	return loss
}

// ample is a number that float32 has room for, with some to spare.
const ample = 0x1p100

// dropEmpty clears the coefficients of a sample that are too large of sums in which no
// position has a share, since r or 1−r is 0 at all of them: the gradient would make 0·∞.
func (b *Batch) dropEmpty(coef, sums []float64) {
	k := b.Program.K
	for i, v := range coef {
		if math.Abs(v) <= ample {
			continue
		}
		if n := b.Program.Factors[i%k]; n >= 0 && sums[i-i%k+n] == 0 {
			coef[i] = 0
		}
	}
}

// Foresee fills coef as Finish does, before there are sums, if it can: the terms are
// pointwise ones, whose coefficients depend on the target alone, and of that on its
// number of positions, m, which is taken to be the number of elements that the target
// says are there.
func (b *Batch) Foresee(coef []float64, m float64, n int) (ok bool) {
	p := b.Program
	clear(b.total)
	b.total[0], b.total[1+OffR] = m, m
	b.coef = coef[:n*p.C*p.K]
	clear(b.coef)
	for i := range p.Terms {
		if p.Terms[i].Linear == nil {
			return false
		}
		b.linear(&p.Terms[i], n)
	}
	return true
}

// linear finishes a pointwise term; its coefficients are those of every sample.
func (b *Batch) linear(t *Term, n int) (value float64) {
	p := b.Program
	for c := range p.C {
		b.classR[c] = b.total[1+c*p.K+OffR]
	}
	totals := &b.totals
	*totals = Totals{C: p.C, M: b.total[0], R: b.classR}
	div := divisor{1, 0}
	if t.Opt.Reduction == "mean" {
		div = t.Linear.Divisor(&t.Opt, totals)
	}
	if div.sum == 0 {
		return 0
	}
	off := t.Linear.Offsets(&p.Layout, &t.Opt)
	t.Linear.Weights(&t.Opt, totals, b.weights)
	largest := 0.0
	for c := range p.C {
		for k, o := range off {
			if o >= 0 && b.total[1+c*p.K+o] != 0 {
				largest = max(largest, math.Abs(b.weights[c][k]))
			}
		}
	}
	shift := exponent(largest)
	for c, w := range b.weights {
		for k, o := range off {
			if o < 0 || w[k] == 0 {
				continue
			}
			if sum := b.total[1+c*p.K+o]; sum != 0 {
				value += shifted(w[k], -shift) * sum
			}
			by := scaled(t.Coef, w[k], div)
			for s := range n {
				b.coef[(s*p.C+c)*p.K+o] += by
			}
		}
	}
	return shifted(value/div.sum, shift-div.shift)
}

// region finishes a term that is a mean or a sum of values of cells or samples.
func (b *Batch) region(t *Term, cells []float64, rows, first, n int) float64 {
	num, div := 0.0, b.weigh(t, rows)
	per := t.perRow(b.Program.C)
	for i := range t.rows(rows) {
		row := b.termRow(t, i)
		for c := range per {
			w := b.weight(t, row, c)
			v := math.NaN()
			if w >= 0 {
				v = b.eval(t, row, c)
			}
			if w > 0 {
				num += shifted(w, -div.shift) * v
			}
			if cells != nil {
				cells[i*per+c] = v
			}
		}
	}
	back := 0
	if t.Opt.Reduction == "sum" {
		back, div = div.shift, divisor{b.samples(t, rows), 0}
	}
	if div.sum == 0 {
		return 0
	}
	if t.Coef != 0 {
		b.differentiate(t, div, first, n)
	}
	return shifted(num/div.sum, back)
}

// weigh adds up the weights of the cells that take part.
func (b *Batch) weigh(t *Term, rows int) (d divisor) {
	per := t.perRow(b.Program.C)
	each := func(f func(w float64)) {
		for i := range t.rows(rows) {
			for c := range per {
				if w := b.weight(t, b.termRow(t, i), c); w > 0 {
					f(w)
				}
			}
		}
	}
	largest := 0.0
	each(func(w float64) { largest = max(largest, w) })
	d.shift = exponent(largest)
	each(func(w float64) { d.sum += shifted(w, -d.shift) })
	return d
}

// samples is what divides a sum: of region terms the number of samples that have a
// position.
func (b *Batch) samples(t *Term, rows int) (n float64) {
	if t.Kind == PointwiseKind {
		return 1
	}
	for i := range t.rows(rows) {
		if m := b.termRow(t, i)[0]; m > 0 || m != m {
			n++
		}
	}
	return n
}

// differentiate adds the term's coefficients of the samples [first, first+n).
func (b *Batch) differentiate(t *Term, div divisor, first, n int) {
	p := b.Program
	for s := range n {
		i := first + s
		if t.Opt.Batch {
			i = 0
		}
		row := b.termRow(t, i)
		for c := range t.perRow(p.C) {
			w := b.weight(t, row, c)
			if w <= 0 {
				continue
			}
			b.eval(t, row, c)
			scale := scaled(t.Coef, w, div)
			if t.Cell != nil {
				p.store(b.coef[(s*p.C+c)*p.K:], &b.d[0], scale, t.Opt.Soft)
				continue
			}
			for k := range b.d {
				p.store(b.coef[(s*p.C+k)*p.K:], &b.d[k], scale, t.Opt.Soft)
			}
		}
	}
}

// termRow is the sums of sample i as the term sees them.
func (b *Batch) termRow(t *Term, i int) []float64 {
	if t.Opt.Batch {
		return b.total
	}
	return b.Row(i)
}

// weight is the weight of a cell in its term's mean, or −1 where the cell takes
// no part: no position, the background left out, or an absent class skipped.
func (b *Batch) weight(t *Term, row []float64, c int) float64 {
	if row[0] == 0 {
		return -1
	}
	if t.Cell == nil || t.Kind == PointwiseKind {
		return 1
	}
	if c == 0 && !t.Opt.Background {
		return -1
	}
	if t.Opt.Absent == "skip" && row[1+c*b.Program.K+OffR] == 0 {
		return -1
	}
	return at(t.Opt.Weight, c)
}

// eval is the value of cell c of a row (of all its cells for a loss of whole
// samples); the partial derivatives are left in b.d.
func (b *Batch) eval(t *Term, row []float64, c int) float64 {
	p := b.Program
	if t.Cell != nil {
		p.load(&b.sums[0], row[0], row[1+c*p.K:], t.Opt.Soft)
		b.d[0] = Cell{}
		return t.Cell(&t.Opt, &b.sums[0], &b.d[0])
	}
	clear(b.d)
	for k := range p.C {
		p.load(&b.sums[k], row[0], row[1+k*p.K:], t.Opt.Soft)
	}
	return t.Sample(&t.Opt, b.sums, b.d)
}

// CellsOf returns the values of the cells of region term i that the last
// Finish of rows rows found, or nil.
func (b *Batch) CellsOf(i, rows int) []float64 {
	t := &b.Program.Terms[i]
	if b.Cells[i] == nil {
		return nil
	}
	return b.Cells[i][:t.rows(rows)*t.perRow(b.Program.C)]
}
