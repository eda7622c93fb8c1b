// Package ptxsim executes the PTX of package cuda instruction by instruction, so that
// its kernels can be tested on every machine. It knows the instructions that they use
// and nothing else: what it does not know is an error when a module is loaded.
//
// Warps run in lock-step and meet again after a branch where all ways come together.
// What a kernel must not do ends it with a [Fault]: an access out of bounds, misaligned,
// or of memory that nothing has written; a register that nothing has written; a barrier
// or a warp-wide instruction that not all lanes reach; two accesses of different warps
// of which one writes, without anything that orders them.
package ptxsim

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// Options changes how kernels are executed.
type Options struct {
	Seed            uint64 // moves the results of approximate instructions within their bounds; 0: not
	Reverse         bool   // blocks start from the last to the first
	Multiprocessors int    // 2 where 0
	Blocks          int    // that run at a time; 4 where 0. A cooperative grid runs all at once
	Budget          uint64 // instructions of a warp, summed over a launch; 2³² where 0
	NoRaces         bool   // does not look for races
}

// Driver is a machine with one device.
type Driver struct{ options Options }

// New makes a machine.
func New(o Options) *Driver {
	o.Multiprocessors = cmp.Or(o.Multiprocessors, 2)
	o.Blocks = cmp.Or(o.Blocks, 4)
	o.Budget = cmp.Or(o.Budget, 1<<32)
	return &Driver{o}
}

// Limits of the device.
const (
	maxThreads   = 1024
	sharedMemory = 96 << 10
	warpsOfSM    = 64
)

func (d *Driver) info() driver.Info {
	return driver.Info{
		Name: "PTX interpreter", Major: 7, Multiprocessors: d.options.Multiprocessors,
		Memory: 1 << 30, SharedPerBlock: sharedMemory, SharedPerSM: sharedMemory, L2: 1 << 20, Cooperative: true,
	}
}

// Devices lists the one device.
func (d *Driver) Devices() ([]driver.Info, error) { return []driver.Info{d.info()}, nil }

// Open gives the device.
func (d *Driver) Open(device int, current bool) (driver.Context, error) {
	if device != 0 && !current {
		return nil, fmt.Errorf("ptxsim: device %d, want 0", device)
	}
	return &Context{driver: d, options: d.options, memory: memory{end: globalStart}, covered: map[*function][]bool{}}, nil
}

// Context is a device with its memory. What is queued is done at once, in the order of
// the calls; so a fault comes from the launch itself, and from every call after it.
type Context struct {
	driver  *Driver
	options Options

	mu        sync.Mutex
	memory    memory
	functions []*function
	launches  uint64
	steps     uint64
	events    []uint64
	fault     error
	covered   map[*function][]bool
}

// coverage notes which instructions of a function have run in this context.
func (c *Context) coverage(f *function) []bool {
	if c.covered[f] == nil {
		c.covered[f] = make([]bool, len(f.code))
	}
	return c.covered[f]
}

// Lines reports which lines of the modules have been executed, branches and ends apart.
// Modules that share line numbers are not told apart.
func (c *Context) Lines() map[int]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := map[int]bool{}
	for f, covered := range c.covered {
		for i, ran := range covered {
			if ran {
				lines[f.code[i].line] = true
			}
		}
	}
	return lines
}

// order is which block is started next.
func (c *Context) order(i, grid int) int {
	if c.options.Reverse {
		return grid - 1 - i
	}
	return i
}

// nearest describes the allocation next to an address.
func (c *Context) nearest(addr uint64) string {
	for _, a := range slices.Backward(c.memory.areas) {
		if a.base <= addr {
			return fmt.Sprintf(", %d bytes behind one of %d", addr-a.base-uint64(len(a.data)), len(a.data))
		}
	}
	if len(c.memory.areas) > 0 {
		return fmt.Sprintf(", %d bytes before one", c.memory.areas[0].base-addr)
	}
	return ""
}

// lock begins a call; it gives the fault that an earlier one has met.
func (c *Context) lock() error {
	c.mu.Lock()
	return c.fault
}

// Info describes the device.
func (c *Context) Info() driver.Info { return c.driver.info() }

// Module is a module that was loaded.
type Module struct {
	ctx *Context
	m   *module
}

// Load parses a module.
func (c *Context) Load(ptx string) (driver.Module, error) {
	m, err := cached(ptx)
	if err != nil {
		return nil, err
	}
	return &Module{c, m}, nil
}

// cache keeps parsed modules, which nothing changes, for tests load the same ones often.
var cache sync.Map

func cached(ptx string) (*module, error) {
	if m, ok := cache.Load(ptx); ok {
		return m.(*module), nil
	}
	m, err := parse(ptx)
	if err == nil {
		cache.Store(ptx, m)
	}
	return m, err
}

// Function finds an entry.
func (m *Module) Function(name string) (driver.Function, error) {
	if err := m.ctx.lock(); err != nil {
		m.ctx.mu.Unlock()
		return 0, err
	}
	defer m.ctx.mu.Unlock()
	f := m.m.funcs[name]
	if f == nil || !f.entry {
		return 0, fmt.Errorf("ptxsim: no entry %s", name)
	}
	m.ctx.functions = append(m.ctx.functions, f)
	return driver.Function(len(m.ctx.functions)), nil
}

// Unload does nothing: a function of an unloaded module stays valid.
func (m *Module) Unload() error { return nil }

// Alloc gives memory that nothing has written.
func (c *Context) Alloc(bytes int) (driver.Ptr, error) {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil {
		return 0, err
	}
	if bytes <= 0 {
		return 0, fmt.Errorf("ptxsim: %d bytes", bytes)
	}
	a := newArea(c, bytes, 2)
	a.base = c.memory.end + redZone
	c.memory.end = uint64(roundUp(int(a.base)+bytes, 512))
	c.memory.areas = append(c.memory.areas, a)
	return driver.Ptr(a.base), nil
}

// Free gives memory back. Its address is not used again.
func (c *Context) Free(p driver.Ptr) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil {
		return err
	}
	for i, a := range c.memory.areas {
		if a.base == uint64(p) {
			c.memory.areas = slices.Delete(c.memory.areas, i, i+1)
			c.memory.last = nil
			return nil
		}
	}
	return fmt.Errorf("ptxsim: %#x is no allocation", p)
}

// AllocHost gives memory of the host.
func (c *Context) AllocHost(bytes int) ([]byte, error) { return make([]byte, bytes), nil }

// FreeHost does nothing.
func (c *Context) FreeHost([]byte) error { return nil }

// region finds memory that the host copies.
func (c *Context) region(p driver.Ptr, bytes int) (a *area, at int, err error) {
	a = c.memory.find(uint64(p))
	if a == nil || uint64(p)-a.base+uint64(bytes) > uint64(len(a.data)) {
		return nil, 0, fmt.Errorf("ptxsim: %d bytes at %#x are not in an allocation", bytes, p)
	}
	return a, int(uint64(p) - a.base), nil
}

// CopyIn copies to the device.
func (c *Context) CopyIn(dst driver.Ptr, src []byte, _ driver.Stream) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil || len(src) == 0 {
		return err
	}
	a, at, err := c.region(dst, len(src))
	if err == nil {
		copy(a.data[at:], src)
		setAll(a.known[at:][:len(src)])
	}
	return err
}

func setAll(b []bool) {
	for i := range b {
		b[i] = true
	}
}

// CopyOut copies from the device.
func (c *Context) CopyOut(dst []byte, src driver.Ptr, _ driver.Stream) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil || len(dst) == 0 {
		return err
	}
	a, at, err := c.region(src, len(dst))
	if err != nil {
		return err
	}
	if i := slices.Index(a.known[at:][:len(dst)], false); i >= 0 {
		return fmt.Errorf("ptxsim: byte %d of %d that the host reads was never written", i, len(dst))
	}
	copy(dst, a.data[at:])
	return nil
}

// Copy copies within the device.
func (c *Context) Copy(dst, src driver.Ptr, bytes int, _ driver.Stream) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil || bytes == 0 {
		return err
	}
	to, at, err := c.region(dst, bytes)
	if err != nil {
		return err
	}
	from, start, err := c.region(src, bytes)
	if err == nil {
		copy(to.data[at:][:bytes], from.data[start:])
		copy(to.known[at:][:bytes], from.known[start:])
	}
	return err
}

// Set fills memory.
func (c *Context) Set(dst driver.Ptr, value byte, bytes int, _ driver.Stream) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil || bytes == 0 {
		return err
	}
	a, at, err := c.region(dst, bytes)
	if err == nil {
		for i := range bytes {
			a.data[at+i] = value
		}
		setAll(a.known[at:][:bytes])
	}
	return err
}

// Launch executes a kernel.
func (c *Context) Launch(f driver.Function, k driver.Config, args []byte, _ driver.Stream) error {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil {
		return err
	}
	if f < 1 || int(f) > len(c.functions) {
		return fmt.Errorf("ptxsim: function %d", f)
	}
	entry := c.functions[f-1]
	if err := c.check(entry, k, args); err != nil {
		return err
	}
	c.launches++
	l := &launch{
		ctx: c, entry: entry, args: slices.Clone(args), grid: k.Blocks, threads: k.Threads, shared: k.Shared,
		number: c.launches,
	}
	resident := min(c.options.Blocks, k.Blocks)
	if k.Cooperative {
		resident = k.Blocks
	}
	err := l.run(resident)
	c.steps += l.steps
	c.fault = err
	return err
}

func (c *Context) check(entry *function, k driver.Config, args []byte) error {
	size := 0
	for _, p := range entry.params {
		size = p.offset + p.size
	}
	switch {
	case len(args) != size:
		return fmt.Errorf("ptxsim: %d bytes of arguments; %s takes %d", len(args), entry.name, size)
	case k.Threads < 1 || k.Threads > maxThreads || k.Blocks < 1 || k.Blocks*k.Threads/lanes >= 1<<warpBits:
		return fmt.Errorf("ptxsim: %d blocks of %d threads", k.Blocks, k.Threads)
	case k.Shared < 0 || entry.module.total(k.Shared) > sharedMemory:
		return fmt.Errorf("ptxsim: %d bytes of shared memory", k.Shared)
	case k.Cooperative && k.Blocks > c.options.Multiprocessors*c.resident(entry, k.Threads, k.Shared):
		return fmt.Errorf("ptxsim: %d blocks do not run all at once", k.Blocks)
	}
	return nil
}

// total is the shared memory of a block.
func (m *module) total(dynamic int) int { return dynamicBase(m) + dynamic }

func (c *Context) resident(entry *function, threads, shared int) int {
	return min(warpsOfSM*lanes/threads, sharedMemory/max(entry.module.total(shared), 1))
}

// Resident is how many blocks a multiprocessor holds.
func (c *Context) Resident(f driver.Function, threads, shared int) (int, error) {
	defer c.mu.Unlock()
	if err := c.lock(); err != nil {
		return 0, err
	}
	if f < 1 || int(f) > len(c.functions) || threads < 1 {
		return 0, fmt.Errorf("ptxsim: function %d of %d threads", f, threads)
	}
	return c.resident(c.functions[f-1], threads, shared), nil
}

// NewStream gives a stream; all are done in the order of the calls.
func (c *Context) NewStream() (driver.Stream, error) { return 1, nil }

// CloseStream does nothing.
func (c *Context) CloseStream(driver.Stream) error { return nil }

// Synchronize reports a fault.
func (c *Context) Synchronize(driver.Stream) error {
	defer c.mu.Unlock()
	return c.lock()
}

// NewEvent makes an event.
func (c *Context) NewEvent() (driver.Event, error) {
	defer c.mu.Unlock()
	err := c.lock()
	c.events = append(c.events, 0)
	return driver.Event(len(c.events) - 1), err
}

// Record notes how many instructions have been executed.
func (c *Context) Record(e driver.Event, _ driver.Stream) error {
	defer c.mu.Unlock()
	err := c.lock()
	c.events[e] = c.steps
	return err
}

// Elapsed is a millisecond for every million instructions.
func (c *Context) Elapsed(from, to driver.Event) (float64, error) {
	defer c.mu.Unlock()
	err := c.lock()
	return float64(c.events[to]-c.events[from]) / 1e6, err
}

// CloseEvent does nothing.
func (c *Context) CloseEvent(driver.Event) error { return nil }

// Close ends the use of the device.
func (c *Context) Close() error { return nil }
