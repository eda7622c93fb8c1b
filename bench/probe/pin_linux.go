package probe

import (
	"runtime"
	"syscall"
	"unsafe"
)

// cpuSet is a mask of processors as the system takes it.
type cpuSet [16]uint64

// pin binds the goroutine to its thread and that to the i-th processor that it
// may use, as ceiling.c does: a system that starts both threads on one processor
// takes milliseconds to part them. The function returned undoes it.
func pin(i int) func() {
	runtime.LockOSThread()
	var old cpuSet
	if affinity(syscall.SYS_SCHED_GETAFFINITY, &old) {
		if one, ok := old.pick(i); ok {
			affinity(syscall.SYS_SCHED_SETAFFINITY, &one)
		}
	}
	return func() {
		if old != (cpuSet{}) {
			affinity(syscall.SYS_SCHED_SETAFFINITY, &old)
		}
		runtime.UnlockOSThread()
	}
}

func affinity(call uintptr, set *cpuSet) bool {
	_, _, errno := syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	return errno == 0
}

// pick returns the set of the i-th processor alone; ok is false without one.
func (s *cpuSet) pick(i int) (one cpuSet, ok bool) {
	for cpu := range len(s) * 64 {
		if s[cpu/64]>>(cpu%64)&1 == 0 {
			continue
		}
		if i == 0 {
			one[cpu/64] = 1 << (cpu % 64)
			return one, true
		}
		i--
	}
	return one, false
}
