//go:build !linux

package probe

import "unsafe"

func pages(size int) ([]byte, func()) {
	v := make([]uint64, (size+7)/8) // of the greatest alignment that an element needs
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), size), func() {}
}
