package ptxsim

import "slices"

// clock is a vector clock: what a warp knows of the others.
type clock []uint32

func newClock(n int) clock { return make(clock, n) }

func (c clock) join(o clock) {
	for i, v := range o {
		c[i] = max(c[i], v)
	}
}

// epoch is an access: its launch, its warp and the warp's time. 0 is none.
type epoch uint64

const (
	timeBits = 28
	warpBits = 16
)

// begin is the epoch of the launch at time 0, of its first warp.
func (l *launch) begin() epoch { return epoch(l.number << (timeBits + warpBits)) }

func (w *warp) now() epoch {
	return w.begin | epoch(w.id)<<timeBits | epoch(w.clock[w.id])
}

// knows reports whether an access was before all that the warp does now. Launches are one
// after another.
func (w *warp) knows(e epoch) bool {
	return e < w.begin || uint32(e&(1<<timeBits-1)) <= w.clock[e>>timeBits&(1<<warpBits-1)]
}

// trace is the accesses to one grain of memory that later ones may race with.
type trace struct {
	write, read epoch   // the last of each
	atomic      bool    // the write was
	readers     []epoch // others that are not ordered with the last one
}

// kind is what an access does.
type kind int

const (
	reads kind = iota
	writes
	atomics
)

// touch records an access at a time, and reports one that it races with.
func (t *trace) touch(w *warp, now epoch, k kind) (with string) {
	if k == reads && t.read == now {
		return "" // as another lane did, and nothing has been written since
	}
	if t.write != 0 && !w.knows(t.write) && !(k == atomics && t.atomic) {
		return "a write"
	}
	if k == reads {
		t.reader(w, now)
		return ""
	}
	if t.read != 0 && !w.knows(t.read) {
		return "a read"
	}
	for _, e := range t.readers {
		if !w.knows(e) {
			return "a read"
		}
	}
	t.write, t.atomic, t.read, t.readers = now, k == atomics, 0, nil
	return ""
}

// reader adds a reader, in the place of one that was before.
func (t *trace) reader(w *warp, now epoch) {
	last := t.read
	t.read = now
	if last == 0 || w.knows(last) {
		return
	}
	if i := slices.IndexFunc(t.readers, w.knows); i >= 0 {
		t.readers[i] = last
	} else {
		t.readers = append(t.readers, last)
	}
}

// meeting is what a flag in memory carries from those that release to those that acquire.
type meeting struct{ clock clock }

// order is what an access to a flag does to the order of others.
type order struct{ acquire, release bool }

// synchronise orders the warp with the others that use a flag, before it reads or writes
// it. Without acquire or release, a fence on either side does the same.
func (w *warp) synchronise(m *meeting, o order, read, write bool) {
	if m.clock == nil {
		m.clock = newClock(len(w.clock))
	}
	if read {
		if o.acquire {
			w.clock.join(m.clock)
		} else {
			if w.gained == nil {
				w.gained = newClock(len(w.clock))
			}
			w.gained.join(m.clock)
		}
	}
	if write {
		switch {
		case o.release:
			m.clock.join(w.clock)
		case w.passed != nil:
			m.clock.join(w.passed)
		}
		w.clock[w.id]++
	}
}

// fence orders what the warp did before with what it does after.
func (w *warp) fence() {
	if w.gained != nil {
		w.clock.join(w.gained)
	}
	if w.passed == nil {
		w.passed = newClock(len(w.clock))
	}
	copy(w.passed, w.clock)
	w.clock[w.id]++
}
