package gomlx

import (
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 formulas read as such, as in GoMLX itself
)

// sums are those of each cell, [N, C], or [1, C] over the batch.
type sums struct {
	m, r, rr, i, fp, fn, tn, pp, sq, sqOn, sqOff *Node
}

func (b *batch) sums(o options) *sums {
	over := func(t *Node) *Node {
		s := b.sum(t)
		if o.is("batch") {
			s = ReduceAndKeep(s, ReduceSum, 0)
		}
		return s
	}
	notR := OneMinus(b.r)
	hit, fp, fn := Mul(b.p, b.r), Mul(b.p, notR), Mul(b.q, b.r)
	miss := Sub(fp, fn) // p − r, with the digits of q
	square := Square(miss)
	s := &sums{
		m: over(OnesLike(b.r)), r: over(b.r), rr: over(Square(b.r)),
		i: over(hit), fp: over(fp), fn: over(fn), tn: over(Mul(b.q, notR)),
		pp: over(Square(b.p)), sq: over(square), sqOn: over(Mul(square, b.r)), sqOff: over(Mul(square, notR)),
	}
	if o.is("soft") {
		above := MulScalar(Add(miss, Mul(miss, Sign(miss))), 0.5) // of slope ½ at 0, as in the core
		s.i, s.fp, s.fn = over(Sub(b.p, above)), over(above), over(Sub(above, miss))
	}
	return s
}

// region is the mean of a value of each cell, or the sum over the samples.
func region(value func(*sums, options) *Node) formula {
	return func(b *batch, o options) *Node {
		s := b.sums(o)
		weight := present(s.m)
		if o["background"] == false {
			weight = Mul(weight, b.foreground())
		}
		if o["absent"] == "skip" {
			weight = Mul(weight, present(s.r))
		}
		if w := o.list(b, "weight"); w != nil {
			weight = Mul(weight, Reshape(w, 1, -1))
		}
		total := ReduceAllSum(Mul(weight, value(s, o)))
		if o["reduction"] == "sum" {
			return ratio(total, samples(s))
		}
		return ratio(total, ReduceAllSum(weight))
	}
}

// samples is the number of those that have a position.
func samples(s *sums) *Node { return ReduceAllSum(present(ReduceMax(s.m, 1))) }

// foreground is 0 for class 0 and 1 for the others, [1, C].
func (b *batch) foreground() *Node {
	c := b.r.Shape().Dim(1)
	mask := make([]float64, c)
	for k := 1; k < c; k++ {
		mask[k] = 1
	}
	return Reshape(ConvertDType(Const(b.p.Graph(), mask), b.p.DType()), 1, c)
}

// overlap is 1 − (aI + s_nr)/(aI + αFP + βFN + s_dr).
func overlap(i, fp, fn *Node, o options, a, alpha, beta float64) *Node {
	miss := Add(MulScalar(fp, alpha), MulScalar(fn, beta))
	nr, dr := o.number("smooth_nr"), o.number("smooth_dr")
	return quotient(miss, dr-nr, Add(MulScalar(i, a), miss), dr)
}

func dice(s *sums, o options) *Node {
	if o.is("squared") {
		nr, dr := o.number("smooth_nr"), o.number("smooth_dr")
		return quotient(s.sq, dr-nr, Add(s.pp, s.rr), dr)
	}
	return overlap(s.i, s.fp, s.fn, o, 2, 1, 1)
}

func dice2(s *sums, o options) *Node {
	eps := o.number("eps")
	miss := Add(s.fp, s.fn)
	half := func(hit *Node) *Node { return quotient(miss, -eps, Add(MulScalar(hit, 2), miss), eps) }
	return MulScalar(Add(half(s.i), half(s.tn)), 0.5)
}

func iou(s *sums, o options) *Node {
	l := overlap(s.i, s.fp, s.fn, o, 1, 1, 1)
	if !o.is("invert_empty") {
		return l
	}
	empty := isZero(s.r)
	inverted := overlap(s.tn, s.fn, s.fp, o, 1, 1, 1)
	return Add(Mul(empty, inverted), Mul(OneMinus(empty), l))
}

func tversky(s *sums, o options) *Node {
	return overlap(s.i, s.fp, s.fn, o, 1, o.number("alpha"), o.number("beta"))
}

func ss(s *sums, o options) *Node {
	eps, lambda := o.number("eps"), o.number("lambda")
	return Add(MulScalar(quotient(s.sqOn, 0, s.r, eps), lambda),
		MulScalar(quotient(s.sqOff, 0, Sub(s.m, s.r), eps), 1-lambda))
}

func expLogDice(s *sums, o options) *Node {
	nr, dr := o.number("smooth_nr"), o.number("smooth_dr")
	return power(Log1P(quotient(Add(s.fp, s.fn), dr-nr, MulScalar(s.i, 2), nr)), o.number("gamma"))
}

// gdl has one value for each sample, or one for the batch.
func gdl(b *batch, o options) *Node {
	s := b.sums(o)
	w := volumeWeights(b, s, o)
	over := func(t *Node) *Node { return ReduceSum(Mul(w, t), 1) }
	nr, dr := o.number("smooth_nr"), o.number("smooth_dr")
	miss := over(Add(s.fp, s.fn))
	value := quotient(miss, dr-nr, Add(over(MulScalar(s.i, 2)), miss), dr)
	return ratio(ReduceAllSum(Mul(value, present(ReduceMax(s.m, 1)))), samples(s))
}

// volumeWeights are gdl's weights of the classes; scaled, the largest is 1.
func volumeWeights(b *batch, s *sums, o options) *Node {
	kept := OnesLike(s.r)
	if o["background"] == false {
		kept = Mul(kept, b.foreground())
	}
	volume := s.r
	switch o["weight_type"] {
	case "square":
		volume = Square(volume)
	case "uniform":
		return kept
	}
	if o["absent_weight"] == "eps" {
		volume = AddScalar(volume, o.number("weight_eps"))
	}
	w := ratio(kept, volume)
	largest := ReduceAndKeep(w, ReduceMax, 1)
	largest = Add(largest, isZero(largest))
	if o["absent_weight"] != "zero" { // with eps there is none to replace, unless that is 0
		w = Add(w, Mul(largest, Mul(kept, isZero(volume))))
	}
	if o.is("scaled") {
		w = Div(w, largest)
	}
	return w
}
