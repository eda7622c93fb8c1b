package probe

import "unsafe"

// Alloc returns n zero elements that start a page of 2 MiB, in pages of that
// size where the system grants them, and a function that gives them back. The
// probes and the tensors of a measurement lie in such memory: with small pages
// both would wait for the page tables.
func Alloc[E uint8 | int64 | float32 | float64](n int) (v []E, free func()) {
	if n == 0 {
		return nil, func() {}
	}
	var e E
	b, free := pages(n * int(unsafe.Sizeof(e)))
	return unsafe.Slice((*E)(unsafe.Pointer(&b[0])), n), free
}
