package kernels

import (
	"math"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// reduceSpan adds the sums of the positions [from, to) of sample b. It reports
// false, with sums as they were, where that has to be done tile by tile.
func (w *worker[T]) reduceSpan(sums []float64, b, from, to int) (ok bool) {
	s := w.span
	s.path = w.plan.fusedPath()
	if len(s.path.steps) == 0 || !w.look(b, from, to) {
		return false
	}
	if s.n == 0 {
		return true
	}
	if w.plan.spec.Activation == Softmax {
		ok = w.reduceSoftmax()
	} else {
		ok = w.reduceRows()
	}
	if !ok {
		return false
	}
	sums[0] += float64(s.n)
	for i, v := range s.cell {
		sums[1+i] += v
	}
	return true
}

// fusedPath is the one for the target of the call under way.
func (p *Plan[T]) fusedPath() *fusedPath[T] {
	if p.call.target.isDense() {
		return &p.fusedDense
	}
	return &p.fusedLabels
}

func (w *worker[T]) reduceRows() (ok bool) {
	s, classes := w.span, w.plan.spec.C
	clear(s.acc)
	for from := w.reduceMixed(); from < s.n; from = s.hi {
		w.loadRows(from)
		for c := range classes {
			if !w.reduceClass(c) {
				return false
			}
		}
	}
	for c := range classes {
		for i := range s.path.steps {
			if !w.settle(&s.path.steps[i], c, &s.acc[i*classes+c]) {
				return false
			}
		}
	}
	return true
}

// reduceClass adds the sums of a class, step by step.
func (w *worker[T]) reduceClass(c int) (ok bool) {
	s, classes := w.span, w.plan.spec.C
	x, r := w.input(c), []T(nil)
	if s.y == nil {
		r = w.target(c)
	}
	cut := w.cut(c, 0)
	for i := range s.path.steps {
		step, acc := &s.path.steps[i], &s.acc[i*classes+c]
		if !w.reducePart(step, acc, c, x[:cut], r, 0) || cut < len(x) && !w.reducePart(step, acc, c, x[cut:], r, cut) {
			return false
		}
	}
	return true
}

// reducePart adds elements x of a class, from position from of those at hand on.
func (w *worker[T]) reducePart(step *step[T], acc *[numSums]float64, class int, x, r []T, from int) bool {
	s, k, next := w.span, &w.plan.fused.rows[w.plan.spec.Activation], from > 0
	if s.y != nil {
		y := s.y[s.lo+from:][:len(x)]
		return k.forwardY[step.set](acc, x, y, w.label(class), &step.factors, w.ask(class, x, nil, next))
	}
	r = r[from:][:len(x)]
	return k.forward[step.set](acc, x, r, &step.factors, w.ask(class, x, r, next))
}

// label is the label of the members of class c: of a single class it is 1.
func (w *worker[T]) label(c int) uint8 {
	if w.plan.spec.C == 1 {
		return 1
	}
	return uint8(c)
}

// settle moves the sums of a step to the cell of class c. It reports false
// where one of them is not to be trusted, or where one that the loss does not
// ask for shows a NaN.
func (w *worker[T]) settle(step *step[T], c int, acc *[numSums]float64) (ok bool) {
	s := w.span
	for _, v := range acc {
		if math.IsNaN(v) {
			return false
		}
	}
	switch {
	case s.y != nil:
		acc[sumNR], acc[sumRR] = float64(s.n)-acc[sumR], acc[sumR]
	case step.set == setOverlap: // good enough to see whether there is any
		acc[sumNR] = float64(s.n) - acc[sumR]
	}
	// Without an activation, sums of the caller's own numbers by label are
	// what they are: no product is formed.
	asGiven := s.y != nil && w.plan.spec.Activation == None
	cell := s.cell[c*w.plan.program.K:]
	for _, m := range step.moves {
		v := acc[m.sum]
		if a := math.Abs(v); !(a >= leastSum[T]() && a <= math.MaxFloat64) && !exact[T](acc, m.sum, asGiven) {
			return false
		}
		cell[m.off] = v
	}
	return true
}

// leastSum bounds the sums whose terms may have underflowed. The subnormal
// numbers of float32 err by 2^-149 each, which a sum from 2^-90 on does not
// feel.
func leastSum[T Float]() float64 { return float64(map32or64[T](0x1p-90, 0x1p-900)) }

// exact reports whether a sum so small is right all the same: it is 0 where no
// position makes a term, or it adds numbers of the caller's own, which asGiven
// says of the region sums.
func exact[T Float](acc *[numSums]float64, sum int, asGiven bool) bool {
	v := acc[sum]
	if !(math.Abs(v) < leastSum[T]()) {
		return false
	}
	switch sum {
	case sumR, sumNR:
		return true
	case sumTP, sumFN:
		return asGiven || v == 0 && acc[sumR] == 0
	case sumFP, sumTN:
		return asGiven || v == 0 && acc[sumNR] == 0
	case sumRR, sumSQR, sumLogP, sumPos:
		return v == 0 && acc[sumR] == 0
	case sumSQB, sumLogQ, sumNeg:
		return v == 0 && acc[sumNR] == 0
	}
	return false
}

// prepareGradient makes what the kernels take of the coefficients of a sample.
// It reports false where the sample's gradient has to be done tile by tile.
func (w *worker[T]) prepareGradient(coef []float64) (ok bool) {
	if w.span == nil {
		return false
	}
	w.span.path = w.plan.fusedPath()
	if !w.span.path.gradient {
		return false
	}
	for c := range w.plan.spec.C {
		by := w.derivatives(coef[c*w.plan.program.K:])
		for _, v := range by {
			ok := math.Abs(v) <= float64(map32or64[T](0x1p28, 0x1p500))
			if !ok || w.plan.spec.Activation == None && v != 0 && math.Abs(v) < leastNormal[T]() {
				return false
			}
		}
		if w.plan.spec.Activation == Softmax {
			w.span.setCoefs(c, &by)
		} else {
			w.span.setFactors(c, &by, w.plan.config.clip)
		}
	}
	if w.span.mixed != nil {
		w.span.setMixed()
	}
	return true
}

// leastNormal is the least number with all its digits.
func leastNormal[T Float]() float64 { return float64(map32or64[T](0x1p-126, 0x1p-1022)) }

// derivatives is the upstream gradient times the coefficients of a cell, in the
// order that row kernels take them.
//
// A coefficient beyond a bound is for the rows of a tile: an error of 2^-149,
// where a product of probabilities is subnormal, becomes one of the gradient
// that its bounds do not allow. Without an activation the prediction may be
// large, and a subnormal coefficient lacks digits.
func (w *worker[T]) derivatives(cell []float64) (by [byNeg + 1]float64) {
	l, scale := &w.plan.program.Layout, w.plan.call.grad.Scale
	set := func(i, off int) {
		if off >= 0 {
			by[i] = scale * cell[off]
		}
	}
	for _, o := range []int{l.Region, l.Soft} {
		if o >= 0 {
			by[byIn] += scale*cell[o+losses.TP] - scale*cell[o+losses.FN]
			by[byOut] += scale*cell[o+losses.FP] - scale*cell[o+losses.TN]
		}
	}
	if o := l.Square; o >= 0 {
		set(byPP, o+losses.PP)
		set(bySQR, o+losses.SQR)
		set(bySQB, o+losses.SQB)
	}
	set(byLogP, l.LogP)
	set(byLogQ, l.LogQ)
	if p := w.span.path.power; p != nil {
		set(byPos, p.Off)
		if !p.Pos && !p.ExpLog {
			set(byNeg, p.Off+1)
		}
	}
	return by
}

func (s *span[T]) setFactors(c int, by *[byNeg + 1]float64, clip float64) {
	k := &s.k[c]
	for i, v := range by {
		k[i] = T(v)
	}
	if p := s.path.power; p != nil {
		k[byGamma], k[byGamma2] = T(p.Gamma), T(2*p.Gamma)
	}
	k[byClip] = roundUp[T](clip)
}

func (s *span[T]) setCoefs(c int, by *[byNeg + 1]float64) {
	for i, from := range [...]int{coefIn: byIn, coefOut: byOut, coefA: byLogP, coefB: byPos, coefPP: byPP, coefSQR: bySQR, coefSQB: bySQB} {
		s.coef[numCoefs*c+i] = T(by[from])
	}
}

// differentiateSpan writes the gradient of the positions [from, to) of sample
// b. It reports false where that has to be done tile by tile; what it has
// written until then is written anew.
func (w *worker[T]) differentiateSpan(b, from, to int) (ok bool) {
	s, c := w.span, &w.plan.call
	if !w.look(b, from, to) {
		return false
	}
	s.direct = !s.packed && s.keep == nil && !c.grad.Accumulate
	if s.n == 0 {
		for k := range w.plan.spec.C {
			w.storeRow(k, nil)
		}
		return true
	}
	if done := w.differentiateMixed(); done > 0 {
		return from+done == to || w.differentiateSpan(b, from+done, to)
	}
	if w.plan.spec.Activation == Softmax {
		ok = w.differentiateSoftmax()
	} else {
		ok = w.differentiateRows()
	}
	if ok && (s.packed || w.plan.spec.Activation == Softmax) {
		w.storeSpan()
	}
	return ok
}

func (w *worker[T]) differentiateRows() bool {
	s, c := w.span, &w.plan.call
	w.loadRows(0)
	if !s.packed && (c.inPlace || c.grad.Accumulate) && !w.ordinary() {
		return false
	}
	stream := s.direct && c.stream
	for class := range w.plan.spec.C {
		out := w.output(class)
		at := 0
		if stream { // from the first cache line on
			at = min(misaligned(out), s.n)
		}
		cut := w.cut(class, at)
		if !w.differentiatePart(class, out, 0, at, false, false) ||
			!w.differentiatePart(class, out, at, cut, stream, false) ||
			!w.differentiatePart(class, out, cut, s.n, stream, true) {
			return false
		}
		if !s.packed {
			w.storeRow(class, out)
		}
	}
	return true
}

// ordinary reports whether no kernel will decline: writing only a part of the
// gradient would destroy what it is computed from, or add it twice.
func (w *worker[T]) ordinary() bool {
	a, k := w.plan.spec.Activation, w.plan.fused
	if a == None {
		return true
	}
	for class := range w.plan.spec.C {
		if k.within == nil || !k.within(w.input(class), logitLimit[T](a)) {
			return false
		}
	}
	return true
}

// differentiatePart forms the elements [from, to) of a class.
func (w *worker[T]) differentiatePart(class int, out []T, from, to int, stream, next bool) bool {
	if from == to {
		return true
	}
	s, k := w.span, &w.plan.fused.rows[w.plan.spec.Activation]
	x := w.input(class)[from:to]
	if s.y != nil {
		return k.backwardY[s.path.set](out[from:to], x, s.y[from:to], w.label(class), &s.k[class], w.ask(class, x, nil, next), stream)
	}
	r := w.target(class)[from:to]
	return k.backward[s.path.set](out[from:to], x, r, &s.k[class], w.ask(class, x, r, next), stream)
}

// output is where class c of the gradient is formed.
func (w *worker[T]) output(c int) []T {
	s := w.span
	switch {
	case s.direct:
		return w.plan.call.dx[w.classAt(c).start:][:s.n]
	case s.packed:
		return s.out[c*s.stride:][:s.n]
	}
	return s.out[:s.n]
}

// storeRow brings class c of the gradient, formed in out, to the caller.
func (w *worker[T]) storeRow(c int, out []T) {
	if s := w.span; !s.direct {
		at := w.classAt(c)
		scatter(w.plan.call.dx[at.start:], at.position, s.to-s.from, out, s.kept(), w.plan.call.grad.Accumulate)
	}
}

// storeSpan brings all classes of the gradient to the caller.
func (w *worker[T]) storeSpan() {
	s, c, k := w.span, &w.plan.call, w.plan.fused
	if s.direct {
		return
	}
	classes, at := w.plan.spec.C, w.at(s.b, s.from)
	if s.packed && s.keep == nil && !c.grad.Accumulate {
		to, few := c.dx[at.start:], classes <= maxUnrolled
		switch {
		case few && c.stream && misaligned(to) == 0 && k.stream[classes] != nil:
			k.stream[classes](&to[0], &s.out[0], s.stride, s.n)
			return
		case few && k.unpack[classes] != nil:
			k.unpack[classes](&to[0], &s.out[0], s.stride, s.n)
			return
		case !few && k.unpackMany != nil:
			k.unpackMany(&to[0], &s.out[0], s.stride, classes, s.n)
			return
		}
	}
	for k := range classes {
		w.storeRow(k, s.out[k*s.stride:][:s.n])
	}
}
