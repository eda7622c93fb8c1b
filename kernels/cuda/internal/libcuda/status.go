package libcuda

import (
	"strings"
	"unsafe"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// Pieces of advice that more than one error gives.
const (
	installOrCPU = "install NVIDIA's driver, or use the CPU plans of package kernels"
	newer        = "install a newer NVIDIA driver (450 or later), or use the CPU plans of package kernels"
	visible      = "see what nvidia-smi lists and what CUDA_VISIBLE_DEVICES hides, or use the CPU plans of package kernels"
	lost         = "end the process: nothing in this context works again"
	mismatch     = "restart the machine: the driver was updated under the running kernel, or a container has another one's library"
	compiler     = "install libnvidia-ptxjitcompiler of the driver; a container gets it by NVIDIA_DRIVER_CAPABILITIES=compute,utility"
)

// meaning is what a CUresult is to a caller.
type meaning struct {
	kind   error
	sticky bool // the context is lost
	advice string
}

// meanings tells of the codes of which there is more to tell than the driver's
// own text.
var meanings = map[int]meaning{
	2:   {kind: driver.ErrMemory, advice: "free device memory, or use smaller batches"},
	4:   {sticky: true},                                                                          // deinitialised
	34:  {kind: driver.ErrNoDriver, advice: "take the toolkit's stubs out of the library path"},  // stub library
	36:  {kind: driver.ErrDriverTooOld, advice: newer},                                           // call requires a newer driver
	100: {kind: driver.ErrNoDevice, advice: visible},                                             // no device
	101: {kind: driver.ErrNoDevice, advice: visible},                                             // invalid device
	214: {sticky: true},                                                                          // uncorrectable ECC error
	220: {sticky: true},                                                                          // uncorrectable NVLink error
	221: {advice: compiler},                                                                      // JIT compiler not found
	222: {kind: driver.ErrDriverTooOld, advice: newer},                                           // PTX of a later version
	700: {kind: driver.ErrLaunch, sticky: true},                                                  // illegal address
	701: {kind: driver.ErrLaunch, advice: "launch fewer threads a block, or less shared memory"}, // out of resources
	702: {kind: driver.ErrLaunch, sticky: true},                                                  // timeout
	709: {sticky: true},                                                                          // context is destroyed
	710: {kind: driver.ErrLaunch, sticky: true},                                                  // assert
	714: {kind: driver.ErrLaunch, sticky: true},                                                  // hardware stack error
	715: {kind: driver.ErrLaunch, sticky: true},                                                  // illegal instruction
	716: {kind: driver.ErrLaunch, sticky: true},                                                  // misaligned address
	717: {kind: driver.ErrLaunch, sticky: true},                                                  // invalid address space
	718: {kind: driver.ErrLaunch, sticky: true},                                                  // invalid program counter
	719: {kind: driver.ErrLaunch, sticky: true},                                                  // launch failed
	720: {kind: driver.ErrLaunch, advice: "launch as many blocks as the device holds at a time"}, // cooperative launch too large
	721: {kind: driver.ErrLaunch, sticky: true},                                                  // tensor memory leak
	803: {advice: mismatch},                                                                      // library and kernel module differ
	804: {advice: "take the CUDA compatibility package out of the library path"},                 // compatibility not supported here
	999: {sticky: true},                                                                          // unknown
}

// failure is the error that a code stands for where no context is at stake.
func (d *Driver) failure(s symbol, code int) *driver.Error {
	m := meanings[code]
	return &driver.Error{
		Kind: m.kind, Op: names[s], Code: code, Advice: m.advice,
		Name: d.describe(cuGetErrorName, code), Text: d.describe(cuGetErrorString, code),
	}
}

// describe asks the driver for its words; it has none for a code that it does
// not know.
func (d *Driver) describe(s symbol, code int) string {
	f := newFrame()
	defer f.free()
	words := new(*byte)
	if d.invoke(s, f, uintptr(code), f.pin(unsafe.Pointer(words))) != 0 || *words == nil {
		return ""
	}
	return cString(*words)
}

// cString copies a string of the driver's.
func cString(p *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return strings.Clone(unsafe.String(p, n))
}
