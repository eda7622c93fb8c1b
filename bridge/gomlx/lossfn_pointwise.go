package gomlx

import (
	. "github.com/gomlx/gomlx/core/graph" //lint:ignore ST1001 formulas read as such, as in GoMLX itself
)

// reduce is a sum over all elements, divided by the divisor for the mean.
func (o options) reduce(sum, divisor *Node) *Node {
	if o["reduction"] == "sum" {
		return sum
	}
	return ratio(sum, divisor)
}

// elements is Σ v over classes and positions; positions over the latter.
func (b *batch) elements() *Node  { return ReduceAllSum(b.sum(OnesLike(b.r))) }
func (b *batch) positions() *Node { return ReduceAllSum(b.v) }

func bce(b *batch, o options) *Node {
	hit := Mul(b.r, b.lnP)
	if h := o.list(b, "pos_weight"); h != nil {
		hit = Mul(h, hit)
	}
	l := Neg(Add(hit, Mul(OneMinus(b.r), b.lnQ)))
	return o.reduce(ReduceAllSum(b.sum(l)), b.elements())
}

func wce(b *batch, o options) *Node {
	s := b.sums(o)
	w := Div(Add(s.fn, s.tn), AddScalar(Add(s.i, s.fp), o.number("eps")))
	if o.is("detach") {
		w = StopGradient(w)
	}
	over := func(t *Node) *Node {
		t = b.sum(t)
		if o.is("batch") {
			t = ReduceAndKeep(t, ReduceSum, 0)
		}
		return t
	}
	cell := Neg(Add(Mul(w, over(Mul(b.r, b.lnP))), over(Mul(OneMinus(b.r), b.lnQ))))
	if o["reduction"] == "sum" {
		return ReduceAllSum(cell)
	}
	return ratio(ReduceAllSum(ratio(cell, s.m)), ReduceAllSum(present(s.m)))
}

func ce(b *batch, o options) *Node {
	r, a := b.r, o.number("label_smoothing")
	soft := AddScalar(MulScalar(r, 1-a), a/float64(r.Shape().Dim(1)))
	if w := o.list(b, "weight"); w != nil {
		r, soft = Mul(w, r), Mul(w, soft)
	}
	return o.reduce(Neg(ReduceAllSum(b.sum(Mul(soft, b.lnP)))), ReduceAllSum(b.sum(r)))
}

// raised is u^γ from ln u.
func raised(ln *Node, gamma float64) *Node { return Exp(MulScalar(ln, gamma)) }

func focal(b *batch, o options) *Node {
	gamma, hit, miss := o.number("gamma"), 1.0, 1.0
	if a, ok := o["alpha"].(float64); ok {
		hit, miss = a, 1-a
	}
	l := Neg(Add(MulScalar(Mul(b.r, Mul(raised(b.lnQ, gamma), b.lnP)), hit),
		MulScalar(Mul(OneMinus(b.r), Mul(raised(b.lnP, gamma), b.lnQ)), miss)))
	return o.reduce(ReduceAllSum(b.sum(l)), b.elements())
}

func focalCE(b *batch, o options) *Node {
	l := Neg(Mul(b.r, Mul(raised(b.lnQ, o.number("gamma")), b.lnP)))
	if w := o.list(b, "weight"); w != nil {
		l = Mul(w, l)
	}
	return o.reduce(ReduceAllSum(b.sum(l)), b.positions())
}

func expLogCE(b *batch, o options) *Node {
	freq := o.list(b, "freq")
	if freq == nil {
		freq = InsertAxes(ReduceAndKeep(b.sum(b.r), ReduceSum, 0), -1)
	}
	w := Sqrt(ratio(MulScalar(OnesLike(freq), 1), freq))
	w = Mul(w, Sqrt(ReduceAllSum(freq)))
	l := Mul(w, Mul(b.r, raised(b.lnMinusLnP(), o.number("gamma"))))
	return o.reduce(ReduceAllSum(b.sum(l)), b.positions())
}

// lnMinusLnP is ln(−ln p), which is ln q to all digits where q is small, and stays
// finite there.
func (b *batch) lnMinusLnP() *Node {
	sure := LessThan(b.lnQ, Scalar(b.lnQ.Graph(), b.lnQ.DType(), -40))
	return Where(sure, b.lnQ, Log(Where(sure, OnesLike(b.lnP), Neg(b.lnP))))
}
