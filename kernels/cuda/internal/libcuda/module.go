package libcuda

import (
	"errors"
	"strings"
	"sync"
	"unsafe"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// The options of the driver's compiler that say where its complaints go.
const (
	jitErrorLog      = 5
	jitErrorLogBytes = 6
)

// compilation is what the compiler is given. The driver writes into values, so
// they are numbers to Go's garbage collector.
type compilation struct {
	options [2]uint32
	values  [2]uintptr
	log     [8 << 10]byte
}

// module is compiled code in a context.
type module struct {
	context *Context
	handle  uintptr

	mu        sync.Mutex
	functions []driver.Function
}

// Load compiles a module of PTX text. Where the text is at fault, the error has
// the compiler's words.
func (c *Context) Load(ptx string) (driver.Module, error) {
	f := newFrame()
	defer f.free()
	job := &compilation{options: [2]uint32{jitErrorLog, jitErrorLogBytes}}
	at := f.pin(unsafe.Pointer(job))
	job.values = [2]uintptr{at + unsafe.Offsetof(job.log), uintptr(len(job.log))}
	image := terminated(ptx)
	err := c.call(cuModuleLoadDataEx, f, f.result(), f.pin(unsafe.Pointer(&image[0])), uintptr(len(job.options)),
		at+unsafe.Offsetof(job.options), at+unsafe.Offsetof(job.values))
	if err != nil {
		var status *driver.Error
		if errors.As(err, &status) && !errors.Is(c.usable(), status) {
			status.Log = strings.TrimSpace(text(job.log[:]))
		}
		return nil, err
	}
	return &module{context: c, handle: f.handle()}, nil
}

// Function finds a kernel by its name.
func (m *module) Function(name string) (driver.Function, error) {
	f := newFrame()
	defer f.free()
	image := terminated(name)
	if err := m.context.call(cuModuleGetFunction, f, f.result(), m.handle, f.pin(unsafe.Pointer(&image[0]))); err != nil {
		return 0, err
	}
	k := driver.Function(f.handle())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.functions = append(m.functions, k)
	return k, nil
}

// Unload gives the code back; its functions are no more.
func (m *module) Unload() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.context.forget(m.functions)
	m.functions = nil
	f := newFrame()
	defer f.free()
	return m.context.call(cuModuleUnload, f, m.handle)
}

// terminated is a string of C.
func terminated(s string) []byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return b
}
