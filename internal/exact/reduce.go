package exact

// The functions below set the weight of every part of a term in its loss, and
// return what all weights are divided by. A divisor of 0 makes the loss 0.

// byRegions weighs by the option weight. Cells that absent=skip leaves out have
// the weight 0.
func (j *job[T]) byRegions(t *term[T]) T {
	o := t.options
	kept, all := j.zero, j.zero
	for k := range t.parts {
		p := &t.parts[k]
		w := j.classWeight(o.Weight, p.cells[0].class)
		all = j.add(all, w)
		if o.Absent == "skip" && j.isZero(p.cells[0].r) {
			p.weight = j.zero
			continue
		}
		p.weight = w
		kept = j.add(kept, w)
	}
	if o.Reduction == "sum" {
		return j.samples(t, j.count(t.groups))
	}
	if j.fault == SkippedCounted {
		// Of samples that do not exist, too.
		kept = j.ratio(j.mul(all, j.count(t.allGroups)), j.count(t.groups), 0)
	}
	return j.samples(t, kept)
}

// classWeight returns the weight of a class in a list of one for every class,
// or 1 if there is none.
func (j *job[T]) classWeight(list []float64, c int) T {
	if list == nil {
		return j.one
	}
	return j.num(list[c])
}

func (j *job[T]) count(n int) T { return j.num(float64(n)) }

// samples divides a divisor by the number of samples where a fault forgets it.
func (j *job[T]) samples(t *term[T], divisor T) T {
	if j.fault != SamplesForgotten {
		return divisor
	}
	return j.div(divisor, j.count(max(t.groups, 1)))
}

// bySamples weighs every sample alike.
func (j *job[T]) bySamples(t *term[T]) T {
	for k := range t.parts {
		t.parts[k].weight = j.one
	}
	if j.fault == SkippedCounted {
		return j.samples(t, j.count(t.allGroups))
	}
	return j.samples(t, j.count(t.groups))
}

// byCells is the mean of the cells, each divided by its M.
func (j *job[T]) byCells(t *term[T]) T {
	for k := range t.parts {
		p := &t.parts[k]
		p.weight = j.one
		if t.options.Reduction == "mean" {
			p.weight = j.div(j.one, j.positions(p.cells[0]))
		}
	}
	if t.options.Reduction == "sum" {
		return j.one
	}
	if j.fault == SkippedCounted {
		return j.samples(t, j.count(t.allGroups*j.in.C))
	}
	return j.samples(t, j.count(len(t.parts)))
}

// positions returns M of a cell.
func (j *job[T]) positions(c cell[T]) T {
	if j.fault == IgnoredCounted {
		return j.add(c.m, c.missing)
	}
	return c.m
}

// byElements divides by Σ v over elements.
func (j *job[T]) byElements(t *term[T]) T {
	sum := j.zero
	for k := range t.parts {
		t.parts[k].weight = j.one
		sum = j.add(sum, j.positions(t.parts[k].cells[0]))
	}
	return j.mean(t, sum)
}

// mean returns the divisor of a sum over the batch.
func (j *job[T]) mean(t *term[T], divisor T) T {
	switch {
	case t.options.Reduction == "sum":
		return j.one
	case j.fault == SamplesForgotten:
		return j.div(divisor, j.count(max(j.present(), 1)))
	}
	return divisor
}

// byPositions weighs by the option weight and divides by Σ v over positions.
func (j *job[T]) byPositions(t *term[T]) T {
	m := j.zero
	for k := range t.parts {
		c := t.parts[k].cells[0]
		t.parts[k].weight = j.classWeight(t.options.Weight, c.class)
		m = j.positions(c)
	}
	return j.mean(t, m)
}

// byLabels weighs by the option weight and divides by Σ v Σ_c w_c r_c.
func (j *job[T]) byLabels(t *term[T]) T {
	sum := j.zero
	for k := range t.parts {
		c := t.parts[k].cells[0]
		w := j.classWeight(t.options.Weight, c.class)
		t.parts[k].weight = w
		sum = j.add(sum, j.mul(w, c.r))
		if k == 0 && j.fault == IgnoredCounted {
			sum = j.add(sum, c.missing)
		}
	}
	return j.mean(t, sum)
}

// byFrequencies weighs by (Σ_k f_k/f_c)^½, 0 for f_c = 0, and divides by Σ v
// over positions.
func (j *job[T]) byFrequencies(t *term[T]) T {
	f := make([]T, len(t.parts))
	sum, m := j.zero, j.zero
	for k := range t.parts {
		c := t.parts[k].cells[0]
		f[k] = c.r
		if t.options.Freq != nil {
			f[k] = j.num(t.options.Freq[c.class])
		}
		sum, m = j.add(sum, f[k]), j.positions(c)
	}
	for k := range t.parts {
		t.parts[k].weight = j.zero
		if !j.isZero(f[k]) {
			t.parts[k].weight = j.pow(j.div(sum, f[k]), 0.5)
		}
	}
	return j.mean(t, m)
}
