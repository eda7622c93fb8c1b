package kernels

import (
	"bytes"
	"unsafe"
)

// span is a run of positions of one sample as the fused kernels take it, and
// the memory of a worker for that. The caller's own rows are used wherever
// they can be.
type span[T Float] struct {
	b, from, to int
	n           int     // positions that exist
	lo, hi      int     // those at hand
	keep        []int32 // these, counted from the first; nil where all do
	y           []uint8 // their labels; nil with a dense target

	path   *fusedPath[T]
	packed bool // x, r and out hold all classes of the span
	direct bool // the gradient is formed in the caller's buffer
	until  int  // the position of the sample up to which this worker goes on
	ahead  ahead
	size   int // positions of a span
	block  int // positions packed, or of a softmax, at a time; a gradient's span is one block
	stride int // of the rows below

	x, r, out []T
	bytes     []uint8 // for y
	all, some []int32 // for keep

	acc  [][numSums]float64 // of each step and class
	cell []float64          // sums of the span, C × K
	k    [][numFactors]T    // of the gradient's row kernels, by class

	mixed *mixed[T] // nil where elements are never taken as they lie

	coef []T // of the gradient's chain

	p, q, work []T     // under softmax
	l, qy, m   []T     // of the members
	class      []uint8 // each class, to count its members
}

// spanSizes are how many positions are a span, and how many of them a block.
// They depend on the shape and the loss alone. The rows of planar elements are
// walked one by one, and the labels again for each. Channels-last elements are
// packed for all classes at once, for the second cache, or for the first one where
// there is little to compute; and the probabilities of a softmax stay in the first
// cache, unless they stay in registers.
func (p *Plan[T]) spanSizes() (span, block int) {
	c := p.spec.C
	row := c * elementSize[T]() // bytes of all classes
	switch whole := &p.fusedLabels; {
	case whole.sums != nil && whole.grad != nil:
		return 4096, 2048
	case p.spec.Activation == Softmax:
		return 4096, clamp64(24<<10/(2*row), 64, 512)
	case p.spec.Layout == NSC && c > 1:
		switch {
		case p.spec.Activation != None:
			return 4096, clamp64(64<<10/row, 256, 4096)
		case p.program.Features.NeedsLogs() || c > maxUnrolled:
			return 4096, clamp64(16<<10/row, 256, 4096)
		}
		return 16 << 10, clamp64(16<<10/row, 256, 4096) // packed for masks alone
	}
	return 16 << 10, 16 << 10
}

// clamp64 brings n between two bounds and down to a multiple of 64.
func clamp64(n, least, most int) int { return min(max(n, least), most) &^ 63 }

func newSpan[T Float](p *Plan[T], size, block int) *span[T] {
	classes, rows := p.spec.C, 1
	packs := p.spec.Layout == NSC && classes > 1
	if packs || p.spec.Activation == Softmax {
		rows = classes
	}
	// One line more, for rows a multiple of 4 KiB apart share a place in the cache.
	stride := (block+63)&^63 + cacheLine/elementSize[T]()
	s := &span[T]{
		size: size, block: block, stride: stride, packed: packs,
		x: aligned[T](rows * stride), r: aligned[T](rows * stride), out: aligned[T](rows * stride),
		bytes: make([]uint8, size, size+mixedPositions), all: make([]int32, size), some: make([]int32, size),
		acc:  make([][numSums]float64, classes*max(1, len(p.fusedLabels.steps), len(p.fusedDense.steps))),
		cell: make([]float64, classes*p.program.K),
	}
	for i := range s.all {
		s.all[i] = int32(i)
	}
	if p.spec.Activation != Softmax {
		s.k = make([][numFactors]T, classes)
		s.mixed = newMixed(p, block)
		return s
	}
	if p.fusedLabels.sums == nil || p.fusedLabels.grad == nil {
		s.p, s.q, s.work = aligned[T](classes*stride), aligned[T](classes*stride), aligned[T]((classes+2)*stride)
		s.l, s.qy, s.m = aligned[T](stride), aligned[T](stride), aligned[T](stride)
	}
	s.coef = aligned[T](numCoefs * classes)
	for c := range min(classes, maxLabelClasses) {
		s.class = append(s.class, uint8(c))
	}
	return s
}

// cacheLine is the alignment of streaming stores and of the memory of spans.
const cacheLine = 64

// aligned makes n elements that start a cache line.
func aligned[T Float](n int) []T {
	m := make([]T, n+cacheLine/elementSize[T]())
	return m[misaligned(m):][:n:n]
}

// misaligned is how many elements of m lie before the first that starts a
// cache line.
func misaligned[T Float](m []T) int {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
	return int(-at%cacheLine) / elementSize[T]()
}

func elementSize[T Float]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

// look finds the positions [from, to) of sample b that exist, and their labels.
// It reports false where they have to be done tile by tile: for a weight other
// than 0 and 1, or for what is bad about one of them.
func (w *worker[T]) look(b, from, to int) (ok bool) {
	c, s := &w.plan.call, w.span
	s.b, s.from, s.to = b, from, to
	s.n, s.keep, s.y = to-from, nil, nil
	lo := b*c.s + from
	if !s.keepExisting(&c.target, lo) {
		return false
	}
	if c.target.isDense() {
		return true
	}
	if w.plan.spec.C > maxLabelClasses {
		return false
	}
	if most := w.narrowLabels(lo); s.keep == nil && most < w.labels() && !w.ignores(s.y) {
		return true
	}
	return w.pickLabels(lo)
}

// keepExisting keeps what the mask and weights from lo on keep.
func (s *span[T]) keepExisting(t *Target, lo int) (ok bool) {
	var mask []uint8
	if t.mask != nil && bytes.IndexByte(t.mask[lo:][:s.n], 0) >= 0 {
		mask = t.mask[lo:]
	}
	if mask == nil && t.weights == nil {
		return true
	}
	kept := 0
	for i := range s.n {
		if mask != nil && mask[i] == 0 {
			continue
		}
		if t.weights != nil {
			switch t.weights[lo+i] {
			case 0:
				continue
			case 1:
			default:
				return false
			}
		}
		s.some[kept] = int32(i)
		kept++
	}
	s.keepFirst(kept)
	return true
}

// keepFirst keeps the first positions that some lists.
func (s *span[T]) keepFirst(kept int) {
	s.keep = s.some[:kept]
	if s.n = kept; kept == s.to-s.from {
		s.keep = nil
	}
}

// kept lists the positions that exist.
func (s *span[T]) kept() []int32 {
	if s.keep != nil {
		return s.keep
	}
	return s.all[:s.n]
}

// labels is the number of labels that there are.
func (w *worker[T]) labels() uint64 { return uint64(max(w.plan.spec.C, 2)) }

// keepLabels has the first pass over targets t leave the labels as bytes for the
// later ones, if they are wider and fused kernels take all of them. The first pass
// then narrows every span, also one that goes tile by tile in the end.
func (p *Plan[T]) keepLabels(t *Target) {
	path, room := &p.fusedLabels, p.spec.N*p.spec.S
	_, bytes := t.labels.(labelsOf[uint8])
	wide := t.labels != nil && !bytes
	fused := len(path.steps) > 0 && path.gradient
	if !wide || !fused || !p.whole(t) || room > p.config.thresholds.bytes {
		return
	}
	if p.bytes == nil {
		p.bytes = make([]uint8, room)
	}
	n, s := t.size(p.spec)
	p.call.bytes = p.bytes[:n*s]
}

// dropLabels ends what keepLabels began: the next call has labels of its own.
func (p *Plan[T]) dropLabels() { p.call.bytes = nil }

// whole reports whether all positions exist, each with a weight of 1.
func (p *Plan[T]) whole(t *Target) bool {
	return t.mask == nil && t.weights == nil && !p.config.hasIgnore
}

// narrowLabels makes the labels from lo on bytes, and returns the largest, or 0
// where an earlier pass has found them good.
func (w *worker[T]) narrowLabels(lo int) (most uint64) {
	c, s, k := &w.plan.call, w.span, w.plan.fused
	t, n := &c.target, s.to-s.from
	s.y = s.bytes[:n]
	if c.bytes != nil {
		s.y = c.bytes[lo:][:n]
	}
	// No call with labels starts with a pass that makes a gradient.
	good := (c.phase == phaseBackward || c.phase == phaseBoth) && !w.plan.config.hasIgnore
	if good && c.bytes != nil {
		return 0
	}
	switch y := t.labels.(type) {
	case labelsOf[uint8]:
		s.y = y.slice(lo, lo+n)
		if good {
			return 0
		}
		if k.labelsMost != nil {
			return uint64(k.labelsMost(s.y))
		}
		return narrow(s.bytes, s.y)
	case labelsOf[int32]:
		if k.narrow32 != nil {
			return uint64(k.narrow32(s.y, y.slice(lo, lo+n)))
		}
	case labelsOf[int64]:
		if k.narrow64 != nil {
			return k.narrow64(s.y, y.slice(lo, lo+n))
		}
	}
	return t.labels.narrow(s.y, lo)
}

// ignores reports whether one of the labels, none of which is bad, is to be
// ignored.
func (w *worker[T]) ignores(y []uint8) bool {
	c := &w.plan.config
	return c.hasIgnore && uint64(c.ignore) < w.labels() && bytes.IndexByte(y, uint8(c.ignore)) >= 0
}

// pickLabels drops the positions to ignore and packs the labels of the others.
func (w *worker[T]) pickLabels(lo int) (ok bool) {
	s, t := w.span, &w.plan.call.target
	kept, bad := t.labels.bytes(lo, pick[uint8]{s.to - s.from, s.kept(), s.some, s.bytes, w.labels(), &w.plan.config})
	if bad >= 0 {
		return false
	}
	s.keepFirst(kept)
	s.y = s.bytes[:kept]
	return true
}

// loadRows puts the positions from lo on at hand: the rest of a span, or of
// channels-last tensors a block, which it brings into rows.
func (w *worker[T]) loadRows(lo int) {
	s := w.span
	s.lo, s.hi = lo, s.n
	if !s.packed {
		return
	}
	s.hi = min(lo+s.block, s.n)
	if w.readsInput() {
		w.pack(s.x, w.plan.call.x, lo, s.hi)
	}
	if t := &w.plan.call.target; t.isDense() {
		if own := ownDense[T](t); own != nil {
			w.pack(s.r, own, lo, s.hi)
		} else {
			w.convertDense(s.r, w.at(s.b, s.from))
		}
	}
}

// pack brings the elements [i, j) of those that exist into rows, all classes.
func (w *worker[T]) pack(rows, src []T, i, j int) {
	s, k, at := w.span, w.plan.fused, w.at(w.span.b, w.span.from)
	if s.packed && s.keep == nil {
		from := &src[at.start+i*at.classes]
		switch {
		case at.classes <= maxUnrolled && k.pack[at.classes] != nil:
			k.pack[at.classes](&rows[0], from, s.stride, j-i)
			return
		case at.classes > maxUnrolled && k.packMany != nil:
			k.packMany(&rows[0], from, s.stride, at.classes, j-i)
			return
		}
	}
	gather(rows, s.stride, src, s.kept()[i:j], at)
}

// ownDense is the dense target if its elements are those of the prediction.
func ownDense[T Float](t *Target) []T {
	if own, ok := any(t.dense64).([]T); ok {
		return own
	}
	own, _ := any(t.dense32).([]T)
	return own
}

func (w *worker[T]) convertDense(rows []T, at place) {
	s, t := w.span, &w.plan.call.target
	kept := s.kept()[s.lo:s.hi]
	if t.dense32 != nil {
		gather(rows, s.stride, t.dense32, kept, at)
	} else {
		gather(rows, s.stride, t.dense64, kept, at)
	}
}

// classAt is where class c of the span lies in a planar tensor.
func (w *worker[T]) classAt(c int) place {
	at := w.at(w.span.b, w.span.from)
	return place{at.start + c*at.class, at.class, at.position, 1}
}

// input is class c of the prediction.
func (w *worker[T]) input(c int) []T {
	s, x := w.span, w.plan.call.x
	switch {
	case s.packed:
		return s.x[c*s.stride:][:s.hi-s.lo]
	case s.keep == nil:
		return x[w.classAt(c).start:][:s.n]
	case w.readsInput():
		gather(s.x, s.stride, x, s.keep, w.classAt(c))
	}
	return s.x[:s.n]
}

// readsInput reports whether the pass depends on the prediction. The gradient
// of the sums of probabilities depends on the target alone.
func (w *worker[T]) readsInput() bool {
	p := w.plan
	return w.phase != phaseBackward || p.spec.Activation != None || w.span.path.set != setRegion
}

// target is class c of a dense target.
func (w *worker[T]) target(c int) []T {
	s, own := w.span, ownDense[T](&w.plan.call.target)
	switch {
	case s.packed:
		return s.r[c*s.stride:][:s.hi-s.lo]
	case own != nil && s.keep == nil:
		return own[w.classAt(c).start:][:s.n]
	}
	w.convertDense(s.r, w.classAt(c))
	return s.r[:s.n]
}

// inputs is all classes of the predictions [i, j) of those that exist, with
// their stride.
func (w *worker[T]) inputs(i, j int) (x []T, stride int) {
	s := w.span
	if !s.packed && s.keep == nil {
		at := w.at(s.b, s.from)
		return w.plan.call.x[at.start+i:], at.class
	}
	w.pack(s.x, w.plan.call.x, i, j)
	return s.x, s.stride
}
