package cuda

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/driver"
	"github.com/segloss/segloss/kernels/cuda/internal/libcuda"
	"github.com/segloss/segloss/kernels/cuda/internal/modules"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
	"github.com/segloss/segloss/kernels/internal/share"
)

// Env is the environment variable that says which driver is used: none for the system's,
// "sim" for the interpreter of the tests, which is some ten thousand times slower than a
// GPU and finds kernels' mistakes, or the path of a library.
const Env = "SEGLOSS_CUDA"

// Info describes a device.
type Info = driver.Info

// Stream is a queue of work on a device, a CUstream; 0 is the default one.
type Stream = driver.Stream

// systemDriver is the driver that the environment asks for.
func systemDriver() (driver.Driver, error) {
	switch path := os.Getenv(Env); path {
	case "sim":
		return ptxsim.New(ptxsim.Options{}), nil
	default:
		return libcuda.Load(path)
	}
}

// Devices lists the machine's devices. Without a driver or a device it is an error, which
// says what is missing.
func Devices() ([]Info, error) {
	d, err := systemDriver()
	if err != nil {
		return nil, err
	}
	return d.Devices()
}

// OpenOption changes what [Open] does.
type OpenOption func(*opening)

type opening struct {
	current bool
	driver  driver.Driver
}

// WithCurrentContext takes the context that is current on the calling thread, as a
// framework has made it, in place of the device's primary one. The device's number is not
// read then.
func WithCurrentContext() OpenOption { return func(o *opening) { o.current = true } }

// withDriver is for tests.
func withDriver(d driver.Driver) OpenOption { return func(o *opening) { o.driver = d } }

// Device is a GPU with the kernels that plans have loaded on it. It may be used by many
// goroutines.
type Device struct {
	ctx  driver.Context
	info Info

	mu      sync.Mutex
	modules map[string]loaded
	closed  bool
}

type loaded struct {
	module driver.Module
	run    driver.Function
}

// Open opens a device by its number. Close gives it back.
func Open(device int, options ...OpenOption) (*Device, error) {
	var o opening
	for i, set := range options {
		if set == nil {
			return nil, share.Error("options", i, "nil", kernels.ErrOption, "want an option")
		}
		set(&o)
	}
	if o.driver == nil {
		d, err := systemDriver()
		if err != nil {
			return nil, err
		}
		o.driver = d
	}
	if !o.current {
		all, err := o.driver.Devices()
		if err != nil {
			return nil, err
		}
		if device < 0 || device >= len(all) {
			return nil, share.Error("device", -1, device, kernels.ErrOption, "want 0 … %d", len(all)-1)
		}
	}
	ctx, err := o.driver.Open(device, o.current)
	if err != nil {
		return nil, err
	}
	return &Device{ctx: ctx, info: ctx.Info(), modules: map[string]loaded{}}, nil
}

// context is the device's, or a closed one where Open did not make the device.
func (d *Device) context() driver.Context {
	if d == nil || d.ctx == nil {
		return driver.Closed{}
	}
	return d.ctx
}

// Info describes the device.
func (d *Device) Info() Info { return d.context().Info() }

// Close unloads the kernels. Plans of the device must be closed before.
func (d *Device) Close() error {
	if d == nil || d.ctx == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, m := range d.modules {
		errs = append(errs, m.module.Unload())
	}
	d.modules = nil
	return errors.Join(append(errs, d.ctx.Close())...)
}

// load gives the kernel of a module, which it compiles where no plan has before.
func (d *Device) load(name string) (driver.Function, error) {
	if d == nil || d.ctx == nil {
		return 0, ErrClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, ErrClosed
	}
	if m, ok := d.modules[name]; ok {
		return m.run, nil
	}
	text, err := modules.PTX(name)
	if err != nil {
		return 0, err
	}
	m, err := d.ctx.Load(text)
	if err != nil {
		return 0, fmt.Errorf("module %s: %w", name, err)
	}
	f, err := m.Function(modules.Entry)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("module %s: %w", name, err), m.Unload())
	}
	d.modules[name] = loaded{m, f}
	return f, nil
}

// Alloc gives so many bytes of device memory.
func (d *Device) Alloc(bytes int) (uintptr, error) {
	if err := checkBytes(bytes); err != nil {
		return 0, err
	}
	return d.context().Alloc(bytes)
}

func checkBytes(bytes int) error {
	if bytes < 0 {
		return share.Error("bytes", -1, bytes, kernels.ErrShape, "want >= 0")
	}
	return nil
}

// Free gives memory back.
func (d *Device) Free(p uintptr) error { return d.context().Free(p) }

// CopyIn queues a copy of src to the device. src must stay as it is until the stream is
// done with it.
func (d *Device) CopyIn(dst uintptr, src []byte, s Stream) error {
	return d.context().CopyIn(dst, src, s)
}

// CopyOut queues a copy from the device to dst.
func (d *Device) CopyOut(dst []byte, src uintptr, s Stream) error {
	return d.context().CopyOut(dst, src, s)
}

// Synchronize waits for everything queued on a stream.
func (d *Device) Synchronize(s Stream) error { return d.context().Synchronize(s) }
