package kernels

// Channels-last elements of few classes need not be packed where little is
// computed: a vector takes them as they lie, and each of its lanes has a class.
// After a cycle of vectors, whose length divides the number of classes, the lanes
// have the same classes again.

// mixed is what the kernels of mixed classes take, of one worker.
type mixed[T Float] struct {
	kernels *mixedKernels[T]
	cycle   int          // vectors
	step    int          // positions of a cycle
	class   []uint8      // of each element of mixedPositions
	factors []T          // the coefficients of each of their vectors
	lines   []mixedPlace // of each of their cache lines
	vectors []mixedPlace // and of each vector
	sums    []mixedSums  // of each step of the path, and each vector of a cycle
}

// mixedPositions is how many a gradient does at a time, with the labels in one
// register: whole cycles for every number of classes, and whole cache lines.
const mixedPositions = 16

// newMixed is nil where there are no kernels of mixed classes for the plan, or where
// what they leave of a span does not fit into a block.
func newMixed[T Float](p *Plan[T], block int) *mixed[T] {
	classes, k := p.spec.C, &p.fused.mixed
	few := 1 < classes && classes <= maxUnrolled
	if k.lanes == 0 || p.spec.Layout != NSC || p.spec.Activation != None || !few || block < 2*mixedUnit {
		return nil
	}
	m := &mixed[T]{kernels: k, cycle: 1}
	for m.cycle*k.lanes%classes != 0 {
		m.cycle++
	}
	m.step = m.cycle * k.lanes / classes
	m.class = make([]uint8, mixedPositions*classes)
	for e := range m.class {
		m.class[e] = uint8(e % classes)
	}
	m.lines, m.vectors = m.placesOf(cacheLine/elementSize[T](), classes), m.placesOf(k.lanes, classes)
	m.factors = make([]T, len(m.vectors)*mixedFactors*mixedLanes)
	m.sums = make([]mixedSums, m.cycle*max(len(p.fusedLabels.steps), len(p.fusedDense.steps)))
	return m
}

// placesOf is the places of so many elements after another.
func (m *mixed[T]) placesOf(elements, classes int) []mixedPlace {
	places := make([]mixedPlace, len(m.class)/elements)
	for e, class := range m.class {
		at := &places[e/elements]
		at[e%elements], at[len(at)/2+e%elements] = uint8(e/classes), class
	}
	return places
}

// mixes reports whether the kernels of mixed classes have a set, and can do a call.
func (w *worker[T]) mixes(s set, backward bool) bool {
	m, t := w.span.mixed, &w.plan.call.target
	switch {
	case m == nil || s > setSquare || !w.plan.whole(t):
		return false
	case t.isDense() && ownDense[T](t) == nil:
		return false
	}
	return !backward || m.kernels.backwardY[s] != nil && !w.plan.call.grad.Accumulate
}

// mixedUnit is a number of positions that is an even number of cycles for all
// classes.
const mixedUnit = 64

// mixedUntil is up to which position of the span they do. Labels are read 16 at a
// time, and not beyond the sample: what is in memory there must not change the bits of
// its sums.
func (w *worker[T]) mixedUntil() int {
	s := w.span
	n := s.n / mixedUnit * mixedUnit
	if s.y != nil && s.from+n+mixedPositions > w.plan.call.s {
		n -= mixedUnit
	}
	return max(n, 0)
}

// mixedBlock is how many bytes of elements are summed for one place in the cycle
// before the next place has its turn: they stay in the first cache.
const mixedBlock = 16 << 10

// reduceMixed adds the sums of the first positions of the span, and returns how
// many.
func (w *worker[T]) reduceMixed() (done int) {
	s, classes := w.span, w.plan.spec.C
	for i := range s.path.steps {
		if !w.mixes(s.path.steps[i].set, false) {
			return 0
		}
	}
	m, until := s.mixed, w.mixedUntil()
	block := mixedBlock / (classes * elementSize[T]()) / mixedUnit * mixedUnit
	for from := 0; from < until; from += block {
		for i := range s.path.steps {
			w.addMixed(i, from, min(from+block, until))
		}
	}
	for i := range s.path.steps {
		m.settle(s.acc[i*classes:], m.sums[i*m.cycle:][:m.cycle], s.path.steps[i].set, s.y != nil)
	}
	return until
}

// addMixed adds the positions [from, to) to the lanes of the i-th step. Each place in
// the cycle asks the memory for its part of what comes next.
func (w *worker[T]) addMixed(i, from, to int) {
	s, c := w.span, &w.plan.call
	m, set := s.mixed, s.path.steps[i].set
	start, n, stride := w.at(s.b, s.from+from).start, (to-from)/m.step, m.cycle*m.kernels.lanes
	x, r := c.x[start:], []T(nil)
	if s.y == nil {
		r = ownDense[T](&c.target)[start:]
	}
	next := (to - from) * w.plan.spec.C * elementSize[T]()
	for j := range m.cycle {
		acc, at, ask := &m.sums[i*m.cycle+j], j*m.kernels.lanes, uintptr(next+j*next/m.cycle)
		s.ahead = ahead{address(x) + ask, address(r) + ask}
		if s.y != nil {
			m.kernels.forwardY[set](acc, &x[at], &s.y[from], &m.vectors[j], n, stride, m.step, &s.ahead)
		} else {
			m.kernels.forward[set](acc, &x[at], &r[at], n, stride, &s.ahead)
		}
	}
}

// settle moves the lanes of a step to the sums of the classes.
func (m *mixed[T]) settle(acc [][numSums]float64, sums []mixedSums, s set, labels bool) {
	lanes := m.kernels.lanes
	for j := range sums {
		for _, i := range mixedIndex(s, labels) {
			for l, class := range m.class[j*lanes:][:lanes] {
				acc[class][i] += sums[j][i][l]
			}
			sums[j][i] = [mixedLanes]float64{}
		}
	}
}

// mixedIndex is the sums that a kernel of mixed classes forms.
func mixedIndex(s set, labels bool) []int {
	all := [...][]int{
		setOverlap: {sumR, sumTP, sumFP, sumFN, sumNR, sumRR},
		setRegion:  {sumR, sumTP, sumFP, sumFN, sumTN, sumNR, sumRR},
		setSquare:  {sumR, sumPP, sumSQR, sumSQB, sumNR, sumRR},
	}[s]
	if labels || s == setOverlap {
		return all[:len(all)-2]
	}
	return all
}

// setMixed spreads the coefficients of the classes to the lanes.
func (s *span[T]) setMixed() {
	m := s.mixed
	for e, class := range m.class {
		at := e/m.kernels.lanes*mixedFactors*mixedLanes + e%m.kernels.lanes
		for i := range mixedFactors {
			m.factors[at+i*mixedLanes] = s.k[class][i]
		}
	}
}

// differentiateMixed writes the gradient of the first positions of the span, and
// returns how many.
func (w *worker[T]) differentiateMixed() (done int) {
	s, c := w.span, &w.plan.call
	if !w.mixes(s.path.set, true) {
		return 0
	}
	m, until := s.mixed, w.mixedUntil()
	if until == 0 {
		return 0
	}
	at, n, lines := w.at(s.b, s.from).start, until/mixedPositions, len(m.lines)
	out, x, k := c.dx[at:], &c.x[at], &m.factors[0]
	stream := c.stream && misaligned(out) == 0
	if s.y != nil {
		m.kernels.backwardY[s.path.set](&out[0], x, &s.y[0], &m.lines[0], k, lines, n, stream)
	} else {
		m.kernels.backward[s.path.set](&out[0], x, &ownDense[T](&c.target)[at], k, lines, n, stream)
	}
	return until
}
