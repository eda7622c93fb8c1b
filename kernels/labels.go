package kernels

import (
	"reflect"
	"unsafe"
)

// Label is the type of an element of a label map.
type Label interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | int64
}

// labelMap is the labels of a target, of one type. It holds a pointer alone, so that
// making a [Target] allocates nothing; their number is beside it.
type labelMap interface {
	at(i int) int64
	name() string                           // of the type
	raw(n int) []byte                       // the memory of n labels
	narrow(dst []uint8, lo int) uint64      // see narrow
	bytes(lo int, p pick[uint8]) (int, int) // see pick
	classes(lo int, p pick[int32]) (int, int)
}

type labelsOf[L Label] struct{ first *L }

func (y labelsOf[L]) slice(lo, hi int) []L { return unsafe.Slice(y.first, hi)[lo:] }

func (y labelsOf[L]) at(i int) int64 { return int64(y.slice(i, i+1)[0]) }

func (y labelsOf[L]) name() string { return reflect.TypeFor[L]().Name() }

func (y labelsOf[L]) raw(n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(y.first)), n*int(unsafe.Sizeof(*y.first)))
}

func (y labelsOf[L]) narrow(dst []uint8, lo int) uint64 {
	return narrow(dst, y.slice(lo, lo+len(dst)))
}

func (y labelsOf[L]) bytes(lo int, p pick[uint8]) (kept, bad int) {
	return pickLabels(y.slice(lo, lo+p.n), p)
}

func (y labelsOf[L]) classes(lo int, p pick[int32]) (kept, bad int) {
	return pickLabels(y.slice(lo, lo+p.n), p)
}

// narrow leaves the low byte of each label in dst and returns the largest label
// as an unsigned number, which a negative one is beyond all others.
func narrow[L Label](dst []uint8, y []L) (most uint64) {
	for i, l := range y {
		dst[i] = uint8(l)
		most = max(most, uint64(l))
	}
	return most
}

// pick is a choice of n labels: of those in keep, which are counted from the first,
// all but the ones to ignore. some and y take them, and their labels.
type pick[D uint8 | int32] struct {
	n      int
	keep   []int32
	some   []int32
	y      []D
	labels uint64 // the number that there are
	config *config
}

// pickLabels returns how many are kept, and the first bad one, or −1.
func pickLabels[L Label, D uint8 | int32](y []L, p pick[D]) (kept, bad int) {
	// The loop has them in registers.
	some, to, labels := p.some[:len(p.keep)], p.y[:len(p.keep)], p.labels
	ignore, ignores := p.config.ignore, p.config.hasIgnore
	for _, at := range p.keep {
		l := int64(y[at])
		if ignores && l == ignore {
			continue
		}
		if uint64(l) >= labels {
			return kept, int(at)
		}
		some[kept], to[kept] = at, D(l)
		kept++
	}
	return kept, -1
}
