package kernels

import "unsafe"

// Row kernels ask the memory for what comes later. The processor's own
// prefetching keeps up with a loop that does nothing else, and it ends where a
// row does; beside this much work it reaches half of the memory's speed.

// ahead is what a kernel asks for while it reads x[0] and r[0], and from there
// on element by element: two addresses.
type ahead = [2]uintptr

// prefetchAhead is how many bytes before they are read elements are asked for.
// columnAhead is the same where few positions of many classes are read together.
const (
	prefetchAhead = 8192
	columnAhead   = 1024
)

// leastCut is how many bytes a sample has at least where it pays to cut rows.
const leastCut = 1 << 20

// cut is where, in a row of class c from its element from on, the part begins that
// asks for the next row: a planar one ends elsewhere than the next one starts.
func (w *worker[T]) cut(c, from int) int {
	s, size := w.span, elementSize[T]()
	_, ok := w.nextRow(c)
	switch {
	case !ok || s.packed || s.keep != nil || w.plan.call.s*w.plan.spec.C*size < leastCut:
		return s.hi - s.lo
	case s.y != nil && !w.readsInput():
		return s.n
	}
	return from + max(0, s.n-from-prefetchAhead/size)&^63
}

// nextRow is the element that is read after the row of class c at hand. Packed rows
// are in the cache: while they are worked on the next ones come, of which each row
// asks for a part.
func (w *worker[T]) nextRow(c int) (at int, ok bool) {
	s, classes := w.span, w.plan.spec.C
	next := w.at(s.b, s.from+s.hi).start
	switch {
	case s.packed:
		next += c * (s.hi - s.lo)
		return next, next < w.at(s.b, s.until).start
	case c+1 < classes:
		return w.classAt(c + 1).start, true
	}
	return next, classes > 1 && s.to < s.until
}

// ask is what the kernel asks for that reads class c from x and r: more of these
// rows, or the next one.
func (w *worker[T]) ask(c int, x, r []T, next bool) *ahead {
	s := w.span
	at, ok := w.nextRow(c)
	if ok && (next || s.packed) {
		s.ahead[0] = address(w.plan.call.x[at:])
		if own := ownDense[T](&w.plan.call.target); own != nil {
			s.ahead[1] = address(own[at:])
		}
		return &s.ahead
	}
	s.ahead = ahead{address(x) + prefetchAhead, address(r) + prefetchAhead}
	return &s.ahead
}

// askLogits is what a kernel asks for that reads all classes of some positions from
// x, up to the j-th of a span: what is so many bytes ahead in these rows, or what is
// to be packed next.
func (w *worker[T]) askLogits(x []T, j, ahead int) uintptr {
	s := w.span
	if s.packed && s.from+j < s.until {
		return address(w.plan.call.x[w.at(s.b, s.from+j).start:])
	}
	return address(x) + uintptr(ahead)
}

func address[T Float](row []T) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(row))) }
