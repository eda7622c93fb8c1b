package probe

import (
	"runtime"
	"syscall"
	"testing"
)

func TestPick(t *testing.T) {
	s := cpuSet{1<<3 | 1<<63, 1 << 1}
	for i, want := range []cpuSet{{1 << 3}, {1 << 63}, {0, 1 << 1}} {
		if got, ok := s.pick(i); !ok || got != want {
			t.Errorf("processor %d: %x, %v; want %x", i, got, ok, want)
		}
	}
	if got, ok := s.pick(3); ok {
		t.Errorf("a fourth processor: %x", got)
	}
}

func TestPinIsUndone(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after cpuSet
	affinity(syscall.SYS_SCHED_GETAFFINITY, &before)
	pin(0)()
	affinity(syscall.SYS_SCHED_GETAFFINITY, &after)
	if before != after {
		t.Errorf("processors %x before, %x after", before, after)
	}
}
