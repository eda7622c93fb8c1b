package libcuda

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// Context is a device under way. What is queued on a stream and fails there is
// reported by whichever call comes next.
type Context struct {
	driver   *Driver
	handle   uintptr
	info     driver.Info
	device   int  // the driver's handle of it
	retained bool // the primary context, to be released

	gone   atomic.Pointer[error] // why no method works any more
	closed sync.Once

	mu     sync.Mutex
	shared map[driver.Function]int // bytes of dynamic shared memory that were asked leave for
}

var _ driver.Context = (*Context)(nil)

func newContext(d *Driver, handle uintptr, info driver.Info, device int, retained bool) *Context {
	return &Context{driver: d, handle: handle, info: info, device: device, retained: retained, shared: map[driver.Function]int{}}
}

// Info describes the context's device.
func (c *Context) Info() driver.Info { return c.info }

// call is the way of every method to the driver: the context is current on the
// thread for as long as the one call takes, and the thread has its own back
// afterwards, also where the call fails.
func (c *Context) call(s symbol, f *frame, args ...uintptr) error {
	if err := c.usable(); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if code := c.driver.invoke(cuCtxPushCurrent, f, c.handle); code != 0 {
		return c.failed(cuCtxPushCurrent, code)
	}
	code := c.driver.invoke(s, f, args...)
	popped := c.driver.invoke(cuCtxPopCurrent, f, f.popped())
	if code != 0 {
		return c.failed(s, code)
	}
	if popped != 0 {
		return c.failed(cuCtxPopCurrent, popped)
	}
	return nil
}

// usable is nil as long as the context is neither closed nor lost.
func (c *Context) usable() error {
	if gone := c.gone.Load(); gone != nil {
		return *gone
	}
	return nil
}

// failed is the error of a code. The first one that the context does not
// survive is what its methods say from then on.
func (c *Context) failed(s symbol, code int) *driver.Error {
	err := c.driver.failure(s, code)
	if meanings[code].sticky {
		err.Sticky, err.Advice = true, lost
		gone := driver.Poisoned(err)
		c.gone.CompareAndSwap(nil, &gone)
	}
	return err
}

// Close gives a primary context back, once; another time it does nothing. A
// context that is lost is given back, too, and Close still says that it is lost.
func (c *Context) Close() error {
	var err error
	c.closed.Do(func() { err = c.release() })
	return err
}

func (c *Context) release() error {
	lost := c.usable()
	closed := error(driver.ErrClosed)
	c.gone.CompareAndSwap(nil, &closed)
	if !c.retained {
		return lost
	}
	f := newFrame()
	defer f.free()
	if code := c.driver.invoke(cuDevicePrimaryCtxRelease, f, uintptr(c.device)); code != 0 && lost == nil {
		return c.driver.failure(cuDevicePrimaryCtxRelease, code)
	}
	return lost
}
