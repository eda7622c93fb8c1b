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
		all = j.Add(all, w)
		if o.Absent == "skip" && j.IsZero(p.cells[0].r) {
			p.weight = j.zero
			continue
		}
		p.weight = w
		kept = j.Add(kept, w)
	}
	if o.Reduction == "sum" {
		return j.samples(t, j.count(t.groups))
	}
	if j.fault == SkippedCounted {
		// Of samples that do not exist, too.
		kept = j.ratio(j.Mul(all, j.count(t.allGroups)), j.count(t.groups), 0)
	}
	return j.samples(t, kept)
}

// classWeight returns the weight of a class in a list of one for every class,
// or 1 if there is none.
func (j *job[T]) classWeight(list []float64, c int) T {
	if list == nil {
		return j.one
	}
	return j.Num(list[c])
}

func (j *job[T]) count(n int) T { return j.Num(float64(n)) }

// samples divides a divisor by the number of samples where a fault forgets it.
func (j *job[T]) samples(t *term[T], divisor T) T {
	if j.fault != SamplesForgotten {
		return divisor
	}
	return j.Div(divisor, j.count(max(t.groups, 1)))
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
			p.weight = j.Div(j.one, j.positions(p.cells[0]))
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
		return j.Add(c.m, c.missing)
	}
	return c.m
}

// byElements divides by Σ v over elements.
func (j *job[T]) byElements(t *term[T]) T {
	sum := j.zero
	for k := range t.parts {
		t.parts[k].weight = j.one
		sum = j.Add(sum, j.positions(t.parts[k].cells[0]))
	}
	return j.mean(t, sum)
}

// mean returns the divisor of a sum over the batch.
func (j *job[T]) mean(t *term[T], divisor T) T {
	switch {
	case t.options.Reduction == "sum":
		return j.one
	case j.fault == SamplesForgotten:
		return j.Div(divisor, j.count(max(j.present(), 1)))
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
		sum = j.Add(sum, j.Mul(w, c.r))
		if k == 0 && j.fault == IgnoredCounted {
			sum = j.Add(sum, c.missing)
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
			f[k] = j.Num(t.options.Freq[c.class])
		}
		sum, m = j.Add(sum, f[k]), j.positions(c)
	}
	for k := range t.parts {
		t.parts[k].weight = j.zero
		if !j.IsZero(f[k]) {
			t.parts[k].weight = j.Pow(j.Div(sum, f[k]), 0.5)
		}
	}
	return j.mean(t, m)
}
