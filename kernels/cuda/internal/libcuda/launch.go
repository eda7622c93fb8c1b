package libcuda

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// freely is how many bytes of shared memory a block has without asking leave.
const freely = 48 << 10

// maxDynamicShared is the attribute of a function that gives leave for more.
const maxDynamicShared = 8

// Launch queues a kernel. The driver copies the parameters before it returns,
// as many bytes as the kernel declares: args must be that long.
func (c *Context) Launch(k driver.Function, shape driver.Config, args []byte, s driver.Stream) error {
	if err := check(shape.Blocks, shape.Threads, shape.Shared); err != nil {
		return err
	}
	if err := c.allow(k, shape.Shared); err != nil {
		return err
	}
	f := newFrame()
	defer f.free()
	f.params[0] = unsafe.Pointer(unsafe.SliceData(args))
	params := uintptr(unsafe.Pointer(&f.params))
	blocks, threads, shared := uintptr(shape.Blocks), uintptr(shape.Threads), uintptr(shape.Shared)
	if shape.Cooperative {
		return c.call(cuLaunchCooperativeKernel, f, uintptr(k), blocks, 1, 1, threads, 1, 1, shared, s, params)
	}
	return c.call(cuLaunchKernel, f, uintptr(k), blocks, 1, 1, threads, 1, 1, shared, s, params, 0)
}

// Resident is how many blocks one multiprocessor holds at a time.
func (c *Context) Resident(k driver.Function, threads, shared int) (int, error) {
	if err := check(1, threads, shared); err != nil {
		return 0, err
	}
	if err := c.allow(k, shared); err != nil {
		return 0, err
	}
	f := newFrame()
	defer f.free()
	if err := c.call(cuOccupancyMaxActiveBlocksPerMultiprocessor, f, f.result(), uintptr(k), uintptr(threads), uintptr(shared)); err != nil {
		return 0, err
	}
	return f.int(), nil
}

// check refuses what the driver would not see: it takes numbers of 32 bits, and
// 2³² + 1 blocks would be one.
func check(blocks, threads, shared int) error {
	if min(blocks, threads, shared) < 0 || max(blocks, threads, shared) > math.MaxInt32 {
		return &driver.Error{
			Kind: driver.ErrLaunch,
			Text: fmt.Sprintf("%d blocks of %d threads and %d bytes of shared memory: out of range", blocks, threads, shared),
		}
	}
	return nil
}

// allow asks leave for a block to have so much dynamic shared memory. Leave is
// only ever widened, or goroutines that launch the same kernel with less would
// take it from one another. Kernels have no static shared memory to speak of.
func (c *Context) allow(k driver.Function, shared int) error {
	if shared <= freely {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if shared <= c.shared[k] {
		return nil
	}
	f := newFrame()
	defer f.free()
	if err := c.call(cuFuncSetAttribute, f, uintptr(k), maxDynamicShared, uintptr(shared)); err != nil {
		return err
	}
	c.shared[k] = shared
	return nil
}

// forget is for functions that are unloaded: another one may have the handle
// next.
func (c *Context) forget(functions []driver.Function) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range functions {
		delete(c.shared, k)
	}
}
