package libcuda

import (
	"bytes"
	"math"
	"sync"
	"unsafe"
)

// frame is the memory of one call. The driver gets addresses as plain numbers,
// which neither keep memory alive nor follow a stack that grows: so everything
// it is pointed to is here, or pinned by it, and a frame is on the heap. Frames
// are used over and over, so that a call allocates nothing.
type frame struct {
	args   [11]uintptr
	out    uint64            // the driver writes its result here
	was    uintptr           // and here the context that it takes off the thread
	params [1]unsafe.Pointer // a kernel's parameters
	pinned [2]unsafe.Pointer // memory that arguments point to
	pins   int
}

var frames = sync.Pool{New: func() any { return new(frame) }}

func newFrame() *frame { return frames.Get().(*frame) }

func (f *frame) free() {
	f.params, f.pinned, f.pins = [1]unsafe.Pointer{}, [2]unsafe.Pointer{}, 0
	frames.Put(f)
}

// pin gives the address of memory that stays where it is until the frame is
// free: what a frame holds is on the heap.
func (f *frame) pin(p unsafe.Pointer) uintptr {
	f.pinned[f.pins] = p
	f.pins++
	return uintptr(p)
}

// result is where the driver writes; it is cleared, for a C int fills half.
func (f *frame) result() uintptr {
	f.out = 0
	return uintptr(unsafe.Pointer(&f.out))
}

func (f *frame) popped() uintptr { return uintptr(unsafe.Pointer(&f.was)) }

func (f *frame) handle() uintptr { return uintptr(f.out) }

func (f *frame) int() int { return int(int32(f.out)) }

func (f *frame) float() float32 { return math.Float32frombits(uint32(f.out)) }

// invoke calls a function and gives its CUresult. The arguments go through the
// frame: a slice that is made for the call would be allocated.
func (d *Driver) invoke(s symbol, f *frame, args ...uintptr) int {
	n := copy(f.args[:], args)
	return int(int32(invoke(d.address[s], f.args[:n])))
}

// text is what a buffer holds up to its first zero.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
