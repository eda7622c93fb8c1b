package cuda

import "github.com/segloss/segloss/kernels/cuda/internal/driver"

// Error is what a driver has to say: what was asked, the driver's code with its text, and
// what to do about it. Arguments that cannot be used are a kernels.ArgError instead.
type Error = driver.Error

// The kinds of error that a caller can match with [errors.Is].
var (
	ErrNoDriver     = driver.ErrNoDriver
	ErrNoDevice     = driver.ErrNoDevice
	ErrDriverTooOld = driver.ErrDriverTooOld
	ErrNoContext    = driver.ErrNoContext // no context is current on the thread
	ErrMemory       = driver.ErrMemory    // the device has no more memory
	ErrLaunch       = driver.ErrLaunch    // a kernel failed
	ErrPoisoned     = driver.ErrPoisoned  // an earlier error has made the context useless for good
	ErrClosed       = driver.ErrClosed    // the device or the plan was closed, or never opened
)
