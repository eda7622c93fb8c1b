package kernels

import (
	"bytes"
	"syscall"
	"testing"
	"unsafe"
)

// GuardedMemory is memory between two pages that may not be touched.
func GuardedMemory(t testing.TB, size int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no memory map: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	for _, edge := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : page+size]
}

// CopyTo copies x to the end of the memory, or to its start.
func CopyTo[E any](memory []byte, x []E, atEnd bool) []E {
	var e E
	size := len(x) * int(unsafe.Sizeof(e))
	at := 0
	if atEnd {
		at = len(memory) - size
	}
	y := unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(memory[at:]))), len(x))
	copy(y, x)
	return y
}

// fenced is guarded memory whose canaries show what was written.
type fenced []byte

func newFenced(t testing.TB, size int) fenced {
	t.Helper()
	return GuardedMemory(t, size)
}

const canary = 0xa5

// fenceIn copies x to the end of the memory or to its start, among canaries.
func fenceIn[E any](f fenced, x []E, atEnd bool) []E {
	for i := range f {
		f[i] = canary
	}
	return CopyTo(f, x, atEnd)
}

// untouched reports whether the canaries beside size bytes still stand.
func (f fenced) untouched(size int, atEnd bool) bool {
	rest := f[size:]
	if atEnd {
		rest = f[:len(f)-size]
	}
	return len(bytes.Trim(rest, string([]byte{canary}))) == 0
}
