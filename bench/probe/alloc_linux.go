package probe

import (
	"syscall"
	"unsafe"
)

func pages(size int) ([]byte, func()) {
	const huge = 2 << 20
	all, err := syscall.Mmap(-1, 0, size+2*huge, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	lo := int(-uintptr(unsafe.Pointer(&all[0])) % huge)
	b := all[lo : lo+size]
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // or small pages it is
	return b, func() { _ = syscall.Munmap(all) }
}
