//go:build !linux

package probe

import "runtime"

func pin(int) func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
