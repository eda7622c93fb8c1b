// Package libcuda reaches the CUDA driver of the machine, without cgo and with
// nothing of CUDA at build time. Importing it does nothing: [Load] opens the
// driver's library. Whatever goes wrong, from a machine without a GPU to a
// kernel that crashed, is an error of package driver.
package libcuda

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// oldest is the first version of the driver's interface that serves, in the
// driver's own form: 1000 × major + 10 × minor.
const oldest = 11000

// Driver is the CUDA driver of the machine.
type Driver struct {
	address [symbols]uintptr
}

var _ driver.Driver = (*Driver)(nil)

// Load opens and initialises the driver's library: the one at path, or the
// system's where path is empty. A library stays in the process once it is there;
// to load it again is cheap.
func Load(path string) (*Driver, error) {
	library, err := openLibrary(path)
	if err != nil {
		return nil, &driver.Error{Kind: driver.ErrNoDriver, Text: err.Error(), Advice: installOrCPU}
	}
	d := &Driver{}
	for s := range symbols {
		if d.address[s], err = lookUp(library, names[s]); err != nil || d.address[s] == 0 {
			return nil, &driver.Error{Kind: driver.ErrDriverTooOld, Op: names[s], Text: "not in the driver's library", Advice: newer}
		}
	}
	if err := d.start(); err != nil {
		return nil, err
	}
	return d, nil
}

// start asks for the version first, which the driver knows before it is
// initialised: an old one may fail for its age in ways that hide it.
func (d *Driver) start() error {
	f := newFrame()
	defer f.free()
	if code := d.invoke(cuDriverGetVersion, f, f.result()); code != 0 {
		return d.unusable(cuDriverGetVersion, code)
	}
	if v := f.int(); v < oldest {
		return &driver.Error{
			Kind:   driver.ErrDriverTooOld,
			Text:   fmt.Sprintf("it is for CUDA %d.%d, and %d.%d is needed", v/1000, v%1000/10, oldest/1000, oldest%1000/10),
			Advice: newer,
		}
	}
	if code := d.invoke(cuInit, f, 0); code != 0 {
		return d.unusable(cuInit, code)
	}
	return nil
}

// unusable is a driver that fails from the start: as good as none.
func (d *Driver) unusable(s symbol, code int) error {
	err := d.failure(s, code)
	if err.Kind == nil {
		err.Kind = driver.ErrNoDriver
	}
	if err.Advice == "" {
		err.Advice = installOrCPU
	}
	return err
}

// Devices lists the devices that the driver shows to this process.
func (d *Driver) Devices() ([]driver.Info, error) {
	count, err := d.number(cuDeviceGetCount)
	if err != nil {
		return nil, err
	}
	if count == 0 {
		return nil, &driver.Error{Kind: driver.ErrNoDevice, Text: "the driver shows none", Advice: visible}
	}
	infos := make([]driver.Info, count)
	for i := range infos {
		device, err := d.number(cuDeviceGet, uintptr(i))
		if err != nil {
			return nil, err
		}
		if infos[i], err = d.info(i, device); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// Open retains the primary context of a device, for Close to give back. With
// current it takes the context that is current on the calling thread, and
// nothing is retained: its owner must keep it until after Close, and the caller
// must be locked to its thread ([runtime.LockOSThread]) from before it made the
// context current.
func (d *Driver) Open(device int, current bool) (driver.Context, error) {
	if current {
		return d.openCurrent()
	}
	handle, err := d.number(cuDeviceGet, uintptr(device))
	if err != nil {
		return nil, err
	}
	info, err := d.info(device, handle)
	if err != nil {
		return nil, err
	}
	f := newFrame()
	defer f.free()
	if code := d.invoke(cuDevicePrimaryCtxRetain, f, f.result(), uintptr(handle)); code != 0 {
		return nil, d.failure(cuDevicePrimaryCtxRetain, code)
	}
	return newContext(d, f.handle(), info, handle, true), nil
}

func (d *Driver) openCurrent() (driver.Context, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := newFrame()
	defer f.free()
	if code := d.invoke(cuCtxGetCurrent, f, f.result()); code != 0 {
		return nil, d.failure(cuCtxGetCurrent, code)
	}
	context := f.handle()
	if context == 0 {
		return nil, &driver.Error{
			Kind: driver.ErrNoContext, Op: names[cuCtxGetCurrent], Text: "this thread has none",
			Advice: "make one current, with the goroutine locked to its thread, or open a device by its number",
		}
	}
	device, err := d.number(cuCtxGetDevice)
	if err != nil {
		return nil, err
	}
	index, err := d.index(device)
	if err != nil {
		return nil, err
	}
	info, err := d.info(index, device)
	if err != nil {
		return nil, err
	}
	return newContext(d, context, info, device, false), nil
}

// index finds the number that a device is opened by.
func (d *Driver) index(device int) (int, error) {
	count, err := d.number(cuDeviceGetCount)
	if err != nil {
		return 0, err
	}
	for i := range count {
		handle, err := d.number(cuDeviceGet, uintptr(i))
		if err != nil {
			return 0, err
		}
		if handle == device {
			return i, nil
		}
	}
	return 0, &driver.Error{Kind: driver.ErrNoDevice, Op: names[cuCtxGetDevice], Text: "the context's device is not among those that the driver shows", Advice: visible}
}

// The attributes of a device that are asked for, by the driver's numbers.
const (
	attributeMultiprocessors = 16
	attributeL2              = 38
	attributeMajor           = 75
	attributeMinor           = 76
	attributeSharedPerSM     = 81
	attributeCooperative     = 95
	attributeSharedPerBlock  = 97
)

func (d *Driver) info(index, device int) (driver.Info, error) {
	info := driver.Info{Index: index}
	var cooperative int
	for _, a := range []struct {
		value  *int
		number uintptr
	}{
		{&info.Major, attributeMajor},
		{&info.Minor, attributeMinor},
		{&info.Multiprocessors, attributeMultiprocessors},
		{&info.SharedPerBlock, attributeSharedPerBlock},
		{&info.SharedPerSM, attributeSharedPerSM},
		{&info.L2, attributeL2},
		{&cooperative, attributeCooperative},
	} {
		var err error
		if *a.value, err = d.number(cuDeviceGetAttribute, a.number, uintptr(device)); err != nil {
			return info, err
		}
	}
	info.Cooperative = cooperative != 0
	return info, d.nameAndMemory(&info, device)
}

func (d *Driver) nameAndMemory(info *driver.Info, device int) error {
	f := newFrame()
	defer f.free()
	if code := d.invoke(cuDeviceTotalMem, f, f.result(), uintptr(device)); code != 0 {
		return d.failure(cuDeviceTotalMem, code)
	}
	info.Memory = int(f.handle())
	name := make([]byte, 256)
	if code := d.invoke(cuDeviceGetName, f, f.pin(unsafe.Pointer(&name[0])), uintptr(len(name)), uintptr(device)); code != 0 {
		return d.failure(cuDeviceGetName, code)
	}
	info.Name = text(name)
	return nil
}

// number calls a function that writes a C int to where its first argument
// points.
func (d *Driver) number(s symbol, args ...uintptr) (int, error) {
	f := newFrame()
	defer f.free()
	if code := d.invoke(s, f, append([]uintptr{f.result()}, args...)...); code != 0 {
		return 0, d.failure(s, code)
	}
	return f.int(), nil
}
