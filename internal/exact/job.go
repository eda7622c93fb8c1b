package exact

import "github.com/segloss/segloss/ref"

// job is a loss at an input: the one forward that every oracle and every fault
// goes through.
//
// A loss is a weighted sum of values of parts, a value is a function of sums
// over positions, and a sum has one feature of every position. So the derivative
// by an element needs the features of its position alone, and the values of the
// parts it is in, on sums whose derivatives are those features'.
type job[T any] struct {
	*arithmetic[T]
	in      ref.Input
	fault   Fault
	logs    bool
	x, r, v []T // r and v hold zeros where the weight is 0

	terms   []term[T]
	scratch []element[T] // of one position
	feats   []T

	zero, one, clip, tiny T
}

// term is a term of the loss with its parts.
type term[T any] struct {
	rule              rule[T]
	options           *ref.Options
	parts             []part[T]
	groups, allGroups int // of samples that are summed together; also of empty ones
}

// part is what has one value: some cells of the samples [lo, hi).
type part[T any] struct {
	lo, hi int
	cells  []cell[T]
	weight T // of the value in the loss
	moved  []cell[T]
}

// cell is a class of some samples.
type cell[T any] struct {
	class   int
	m       T // Σ v
	missing T // the number of positions that do not exist
	r, notR T // Σ v r, Σ v (1−r)
	sums    []T
}

// newJob sums everything up. x and r hold the input as numbers of the
// arithmetic.
func newJob[T any](a *arithmetic[T], in ref.Input, x, r []T, terms []Term, f Fault) *job[T] {
	j := &job[T]{
		arithmetic: a, in: in, fault: f, x: x, r: r,
		scratch: make([]element[T], in.C),
		zero:    a.Num(0), one: a.Num(1), clip: a.Num(in.Clip),
		tiny: a.Num(0x1p-1000),
	}
	j.v = make([]T, in.N*in.S)
	for i := range j.v {
		j.v[i] = j.one
		if in.V != nil {
			j.v[i] = j.Num(in.V[i])
		}
	}
	j.terms = make([]term[T], len(terms))
	for k := range terms {
		t := &j.terms[k]
		t.rule, t.options = a.rules[terms[k].Name], &terms[k].Options
		t.parts = j.parts(t)
		j.logs = j.logs || t.rule.logs
	}
	j.sumUp()
	for k := range j.terms {
		j.weigh(&j.terms[k], j.Num(terms[k].Coef))
	}
	return j
}

// at returns the index of an element.
func (j *job[T]) at(n, c, s int) int { return (n*j.in.C+c)*j.in.S + s }

func exists(in *ref.Input, n, s int) bool { return in.V == nil || in.V[n*in.S+s] != 0 }

// present returns the number of samples that have a position.
func (j *job[T]) present() int {
	count := 0
	for n := range j.in.N {
		if j.hasPosition(n, n+1) {
			count++
		}
	}
	return count
}

func (j *job[T]) hasPosition(lo, hi int) bool {
	for n := lo; n < hi; n++ {
		for s := range j.in.S {
			if exists(&j.in, n, s) {
				return true
			}
		}
	}
	return false
}

// parts lays the cells of a term out, with sums of 0.
func (j *job[T]) parts(t *term[T]) (parts []part[T]) {
	layout, first, step := t.rule.layout, 0, 1
	if layout == perClass || t.options.Batch {
		step = j.in.N
	}
	if (layout == perCell || layout == perSample) && !t.options.Background {
		first = 1
	}
	for lo := 0; lo < j.in.N; lo += step {
		t.allGroups++
		if !j.hasPosition(lo, lo+step) {
			continue
		}
		t.groups++
		whole := part[T]{lo: lo, hi: lo + step}
		for c := first; c < j.in.C; c++ {
			whole.cells = append(whole.cells, cell[T]{class: c, m: j.zero, missing: j.zero, r: j.zero, notR: j.zero})
		}
		if layout == perSample {
			parts = append(parts, whole)
			continue
		}
		for k := range whole.cells {
			parts = append(parts, part[T]{lo: lo, hi: whole.hi, cells: whole.cells[k : k+1 : k+1]})
		}
	}
	return parts
}

// sumUp adds every position to the sums it is in.
func (j *job[T]) sumUp() {
	x := j.x
	if j.fault == StaleSums {
		x = make([]T, len(j.x))
		for i, a := range j.x {
			x[i] = j.Add(j.Mul(j.Num(0.9), a), j.Num(0.05))
		}
	}
	for n := range j.in.N {
		for s := range j.in.S {
			if exists(&j.in, n, s) {
				j.position(x, n, s, -1, j.scratch)
			}
			for k := range j.terms {
				j.include(&j.terms[k], n, s)
			}
		}
	}
	for k := range j.terms {
		for i := range j.terms[k].parts {
			p := &j.terms[k].parts[i]
			p.moved = make([]cell[T], len(p.cells))
		}
	}
}

// include adds a position, whose features are in scratch, to the sums of a term.
func (j *job[T]) include(t *term[T], n, s int) {
	for i := range t.parts {
		p := &t.parts[i]
		if n < p.lo || n >= p.hi {
			continue
		}
		for k := range p.cells {
			c := &p.cells[k]
			if !exists(&j.in, n, s) {
				c.missing = j.Add(c.missing, j.one)
				continue
			}
			v, e := j.v[n*j.in.S+s], &j.scratch[c.class]
			c.m = j.Add(c.m, v)
			c.r = j.Add(c.r, j.weighted(v, e.r))
			c.notR = j.Add(c.notR, j.weighted(v, e.notR))
			c.sums = j.accumulate(c.sums, t, v, e)
		}
	}
}

// accumulate adds the features of an element to sums, nil for none yet.
func (j *job[T]) accumulate(sums []T, t *term[T], v T, e *element[T]) []T {
	j.feats = t.rule.features(j, t.options, e, j.feats[:0])
	if sums == nil {
		sums = make([]T, len(j.feats))
		for k := range sums {
			sums[k] = j.zero
		}
	}
	for k, f := range j.feats {
		sums[k] = j.Add(sums[k], j.weighted(v, f))
	}
	return sums
}

// weighted is v·f for the weight v of a position.
func (j *job[T]) weighted(v, f T) T {
	if j.in.V == nil {
		return f
	}
	w := j.Mul(v, f)
	if j.fault == WeightForgotten {
		w = j.Graft(w, f)
	}
	return w
}

// weigh sets the weights of the parts of a term.
func (j *job[T]) weigh(t *term[T], coef T) {
	divisor := t.rule.weigh(j, t)
	for k := range t.parts {
		p := &t.parts[k]
		if j.IsZero(divisor) {
			p.weight = j.zero
			continue
		}
		p.weight = j.Div(j.Mul(coef, p.weight), divisor)
	}
}

// loss returns the loss, differentiated by what moves in the input.
func (j *job[T]) loss() T {
	sum := j.zero
	for k := range j.terms {
		t := &j.terms[k]
		for i := range t.parts {
			if p := &t.parts[i]; !j.IsZero(p.weight) {
				sum = j.Add(sum, j.Mul(p.weight, t.rule.value(j, t.options, p.cells)))
			}
		}
	}
	return sum
}

// derivative returns a number whose derivative is that of the loss by element
// (n, c, s), at a position that exists.
func (j *job[T]) derivative(n, c, s int) T {
	i := j.at(n, c, s)
	x := j.x[i]
	j.x[i] = j.Vary(x)
	j.position(j.x, n, s, c, j.scratch)
	j.x[i] = x
	sum := j.zero
	for k := range j.terms {
		t := &j.terms[k]
		for i := range t.parts {
			p := &t.parts[i]
			if n < p.lo || n >= p.hi || j.IsZero(p.weight) || !j.move(t, p, n, c, s) {
				continue
			}
			sum = j.Add(sum, j.Mul(p.weight, t.rule.value(j, t.options, p.moved)))
		}
	}
	return sum
}

// move sets p.moved to the cells of p with sums that move as the features in
// scratch do, and reports whether class c moves any.
func (j *job[T]) move(t *term[T], p *part[T], n, c, s int) bool {
	moves := false
	for k := range p.cells {
		from, to := &p.cells[k], &p.moved[k]
		*to = *from
		if j.in.Activation != ref.Softmax && from.class != c {
			continue
		}
		moves = true
		j.feats = t.rule.features(j, t.options, &j.scratch[from.class], j.feats[:0])
		to.sums = make([]T, len(j.feats))
		for i, f := range j.feats {
			to.sums[i] = j.Graft(from.sums[i], j.weighted(j.v[n*j.in.S+s], f))
		}
	}
	return moves
}
