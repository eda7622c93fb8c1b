// Package driver is what package cuda needs of a machine with GPUs: a small
// part of the CUDA driver's interface. Package libcuda reaches the real driver;
// package ptxsim interprets the kernels where there is none.
package driver

// Ptr is an address in a device's memory; 0 is none.
type Ptr = uintptr

// Stream is a queue of work, a CUstream; 0 is the context's default stream.
type Stream = uintptr

// Function is a kernel of a loaded module, a CUfunction.
type Function uintptr

// Driver is a way to devices.
type Driver interface {
	// Devices lists the devices; there is at least one where there is no error.
	Devices() ([]Info, error)

	// Open retains the primary context of a device; with current it takes the
	// context that is current on the calling thread, whatever its device is.
	Open(device int, current bool) (Context, error)
}

// Info describes a device.
type Info struct {
	Index           int
	Name            string
	Major, Minor    int // compute capability
	Multiprocessors int
	Memory          int // bytes
	SharedPerBlock  int // bytes of shared memory that a block can opt in to
	SharedPerSM     int // and that the blocks of a multiprocessor have together
	L2              int // bytes
	Cooperative     bool
}

// Context is a device under way. Its methods may be called by many goroutines.
// Copies, Set and Launch are queued on the stream and return at once; what they
// were given must stay as it is until they are done. An error of an earlier
// asynchronous call may come from any later method.
type Context interface {
	Info() Info

	// Load compiles a module of PTX text.
	Load(ptx string) (Module, error)

	Alloc(bytes int) (Ptr, error)
	Free(p Ptr) error

	// AllocHost gives memory of the host that copies reach directly.
	AllocHost(bytes int) ([]byte, error)
	FreeHost(b []byte) error

	CopyIn(dst Ptr, src []byte, s Stream) error
	CopyOut(dst []byte, src Ptr, s Stream) error
	Copy(dst, src Ptr, bytes int, s Stream) error
	Set(dst Ptr, value byte, bytes int, s Stream) error

	// Launch queues a kernel whose one parameter is the struct in args; args
	// may be used again as soon as Launch has returned.
	Launch(f Function, c Config, args []byte, s Stream) error

	// Resident is how many blocks of so many threads and bytes of dynamic
	// shared memory one multiprocessor holds at a time.
	Resident(f Function, threads, shared int) (int, error)

	NewStream() (Stream, error)
	CloseStream(s Stream) error

	// Synchronize waits for everything queued on the stream.
	Synchronize(s Stream) error

	// NewEvent makes a mark that Record queues; Elapsed waits for both and
	// gives the milliseconds between them.
	NewEvent() (Event, error)
	Record(e Event, s Stream) error
	Elapsed(from, to Event) (float64, error)
	CloseEvent(e Event) error

	// Close gives the primary context back. Modules and memory are the
	// caller's to free before.
	Close() error
}

// Event is a mark in a stream, a CUevent.
type Event uintptr

// Module is compiled code on a device.
type Module interface {
	Function(name string) (Function, error)
	Unload() error
}

// Config is the shape of a launch, in one dimension.
type Config struct {
	Blocks, Threads int
	Shared          int  // bytes of dynamic shared memory
	Cooperative     bool // all blocks run at once
}
