package libcuda

import (
	"unsafe"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// portable makes memory of the host quick to copy for every context, not only
// for the one that it was allocated in.
const portable = 1

// Alloc gives memory of the device; what is in it is unspecified.
func (c *Context) Alloc(bytes int) (driver.Ptr, error) {
	f := newFrame()
	defer f.free()
	if err := c.call(cuMemAlloc, f, f.result(), uintptr(bytes)); err != nil {
		return 0, err
	}
	return f.handle(), nil
}

// Free gives memory of the device back; 0 is none.
func (c *Context) Free(p driver.Ptr) error {
	if p == 0 {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemFree, f, p)
}

// AllocHost gives memory of the host that is locked in place and that the
// device reaches by itself. It is not the garbage collector's: only FreeHost
// gives it back.
func (c *Context) AllocHost(bytes int) ([]byte, error) {
	f := newFrame()
	defer f.free()
	memory := new(unsafe.Pointer)
	if err := c.call(cuMemHostAlloc, f, f.pin(unsafe.Pointer(memory)), uintptr(bytes), portable); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(*memory), bytes), nil
}

// FreeHost gives memory of AllocHost back; nil is none.
func (c *Context) FreeHost(b []byte) error {
	if b == nil {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemFreeHost, f, f.pin(unsafe.Pointer(unsafe.SliceData(b))))
}

// CopyIn queues a copy to the device. The driver stages a source that is Go's
// memory through memory of its own, and may be done with it when CopyIn
// returns; but it does not have to be: the caller keeps the source alive and
// unchanged until the stream was synchronised.
func (c *Context) CopyIn(dst driver.Ptr, src []byte, s driver.Stream) error {
	if len(src) == 0 {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemcpyHtoDAsync, f, dst, f.pin(unsafe.Pointer(unsafe.SliceData(src))), uintptr(len(src)), s)
}

// CopyOut queues a copy from the device. Where dst is Go's memory the driver
// waits for the stream and the copy; into memory of AllocHost it returns at
// once. Either way the caller keeps dst alive and unread until the stream was
// synchronised.
func (c *Context) CopyOut(dst []byte, src driver.Ptr, s driver.Stream) error {
	if len(dst) == 0 {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemcpyDtoHAsync, f, f.pin(unsafe.Pointer(unsafe.SliceData(dst))), src, uintptr(len(dst)), s)
}

// Copy queues a copy within the device.
func (c *Context) Copy(dst, src driver.Ptr, bytes int, s driver.Stream) error {
	if bytes == 0 {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemcpyDtoDAsync, f, dst, src, uintptr(bytes), s)
}

// Set queues the filling of memory of the device with one byte.
func (c *Context) Set(dst driver.Ptr, value byte, bytes int, s driver.Stream) error {
	if bytes == 0 {
		return c.usable()
	}
	f := newFrame()
	defer f.free()
	return c.call(cuMemsetD8Async, f, dst, uintptr(value), uintptr(bytes), s)
}
