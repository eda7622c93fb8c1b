package probe

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// guarded is memory between two pages that may not be touched.
func guarded(t *testing.T, elements int) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	size := (elements*4 + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	for _, edge := range [][]byte{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&all[page])), size/4)
}

// No loop touches a byte beside the streams: each of them ends, in turn begins,
// at a page that may not be touched, and the others lie at every place beside.
func TestGuardPages(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	room := 131 + places
	arenas := [3][]float32{guarded(t, room), guarded(t, room), guarded(t, room)}
	for _, im := range Available() {
		for p := range Patterns {
			if im.Has(p) {
				guardPages(t, &im, p, arenas)
			}
		}
	}
}

func guardPages(t *testing.T, im *Implementation, p Pattern, arenas [3][]float32) {
	n, at := 0, 0
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s %v of %d at %d: %v", im.Name, p, n, at, r)
		}
	}()
	for n = range 131 {
		for at = range places {
			for exposed := range arenas {
				for _, atEnd := range []bool{true, false} {
					var s [3][]float32
					for k, arena := range arenas {
						lo := at
						switch {
						case k == exposed && atEnd:
							lo = len(arena) - n
						case k == exposed:
							lo = 0
						}
						s[k] = arena[lo : lo+n]
					}
					check(t, im, p, s[0], s[1], s[2])
				}
			}
		}
	}
}
