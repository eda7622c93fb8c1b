package libcuda

import "github.com/segloss/segloss/kernels/cuda/internal/driver"

// NewStream makes a queue that keeps order with the default stream: work that
// its owner queues there before is done before.
func (c *Context) NewStream() (driver.Stream, error) {
	f := newFrame()
	defer f.free()
	if err := c.call(cuStreamCreate, f, f.result(), 0); err != nil {
		return 0, err
	}
	return f.handle(), nil
}

// CloseStream gives a stream back; what is queued there is still done.
func (c *Context) CloseStream(s driver.Stream) error {
	f := newFrame()
	defer f.free()
	return c.call(cuStreamDestroy, f, s)
}

// Synchronize waits for everything queued on the stream.
func (c *Context) Synchronize(s driver.Stream) error {
	f := newFrame()
	defer f.free()
	return c.call(cuStreamSynchronize, f, s)
}

// NewEvent makes a mark in time.
func (c *Context) NewEvent() (driver.Event, error) {
	f := newFrame()
	defer f.free()
	if err := c.call(cuEventCreate, f, f.result(), 0); err != nil {
		return 0, err
	}
	return driver.Event(f.handle()), nil
}

// Record queues a mark.
func (c *Context) Record(e driver.Event, s driver.Stream) error {
	f := newFrame()
	defer f.free()
	return c.call(cuEventRecord, f, uintptr(e), s)
}

// Elapsed waits for both marks and gives the milliseconds between them.
func (c *Context) Elapsed(from, to driver.Event) (float64, error) {
	f := newFrame()
	defer f.free()
	for _, e := range []driver.Event{from, to} {
		if err := c.call(cuEventSynchronize, f, uintptr(e)); err != nil {
			return 0, err
		}
	}
	if err := c.call(cuEventElapsedTime, f, f.result(), uintptr(from), uintptr(to)); err != nil {
		return 0, err
	}
	return float64(f.float()), nil
}

// CloseEvent gives a mark back, which may still be queued.
func (c *Context) CloseEvent(e driver.Event) error {
	f := newFrame()
	defer f.free()
	return c.call(cuEventDestroy, f, uintptr(e))
}
