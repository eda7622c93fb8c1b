//go:build amd64 || arm64

package libcuda

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// fake is a driver on a library of our own, and what the library lets tests do.
type fake struct {
	*Driver
	fail     func(name string, code, after int)
	count    func(what int) int
	launched func(i int) uint64
	arg      func(i int) int
	current  func(context uintptr)
	granted  func() int
}

// What fake.count counts.
const (
	pushed = iota
	popped
	retained
	released
	launches
	cooperative
)

// compile builds the fake library; each flag leaves something out.
func compile(t testing.TB, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		if strings.Contains(os.Getenv("SEGLOSS_REQUIRE"), "cc") {
			t.Fatal(err)
		}
		t.Skip("the fake driver needs a C compiler:", err)
	}
	path := filepath.Join(t.TempDir(), "libfakecuda.so")
	args := append([]string{"-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, "testdata/fakecuda.c"}, flags...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func newFake(t testing.TB) fake {
	t.Helper()
	path := compile(t)
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, args ...uintptr) uintptr {
		f, err := purego.Dlsym(library, name)
		if err != nil {
			t.Fatal(err)
		}
		r, _, _ := purego.SyscallN(f, args...)
		return r
	}
	return fake{
		Driver: d,
		fail: func(name string, code, after int) {
			text := append([]byte(name), 0)
			call("fake_fail", uintptr(unsafe.Pointer(&text[0])), uintptr(code), uintptr(after))
		},
		count:    func(what int) int { return int(call("fake_count", uintptr(what))) },
		launched: func(i int) uint64 { return uint64(call("fake_launched", uintptr(i))) },
		arg:      func(i int) int { return int(call("fake_arg", uintptr(i))) },
		current:  func(c uintptr) { call("fake_current", c) },
		granted:  func() int { return int(call("fake_granted")) },
	}
}

func (f fake) open(t testing.TB) driver.Context {
	t.Helper()
	c, err := f.Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError fails the test unless err is of a kind and says something.
func wantError(t testing.TB, err, kind error, words ...string) {
	t.Helper()
	if err == nil || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("error %v, want one that is %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// TestLoad: a driver that cannot be used is an error that says why.
func TestLoad(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.so"))
	wantError(t, err, driver.ErrNoDriver, "no CUDA driver", "none.so", "install NVIDIA's driver")
	for _, c := range []struct {
		flag  string
		kind  error
		words string
	}{
		{"-DVERSION=10020", driver.ErrDriverTooOld, "CUDA 10.2"},
		{"-DLACKS", driver.ErrDriverTooOld, "cuLaunchCooperativeKernel"},
		{"-DINIT=100", driver.ErrNoDevice, "CUDA_VISIBLE_DEVICES"},
		{"-DINIT=803", driver.ErrNoDriver, "restart the machine"},
		{"-DINIT=999", driver.ErrNoDriver, "cuInit"},
	} {
		_, err := Load(compile(t, c.flag))
		wantError(t, err, c.kind, c.words)
	}
	d, err := Load(compile(t, "-DNO_DEVICE"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Devices()
	wantError(t, err, driver.ErrNoDevice)
}

func TestDevices(t *testing.T) {
	f := newFake(t)
	infos, err := f.Devices()
	if err != nil || len(infos) != 2 {
		t.Fatal(infos, err)
	}
	want := driver.Info{
		Index: 1, Name: "Fake 1", Major: 75, Minor: 76, Multiprocessors: 16, Memory: 5 << 32,
		SharedPerBlock: 97, SharedPerSM: 81, L2: 38, Cooperative: true,
	}
	if infos[1] != want {
		t.Errorf("%+v, want %+v", infos[1], want)
	}
	for _, name := range []string{"cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute"} {
		f.fail(name, 101, 0)
		_, err := f.Devices()
		wantError(t, err, driver.ErrNoDevice, name, "101")
	}
}

// TestCalls makes every call of a context, and has each fail.
func TestCalls(t *testing.T) {
	f := newFake(t)
	c := f.open(t)
	m, err := c.Load("text")
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Function("run")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	host := make([]byte, 64)
	pinned, err := c.AllocHost(64)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct {
		name string
		run  func() error
	}{
		{"cuModuleGetFunction", func() error { _, err := m.Function("run"); return err }},
		{"cuMemAlloc_v2", func() error { p, err := c.Alloc(8); return errors.Join(err, c.Free(p)) }},
		{"cuMemHostAlloc", func() error { b, err := c.AllocHost(8); return errors.Join(err, c.FreeHost(b)) }},
		{"cuMemcpyHtoDAsync_v2", func() error { return c.CopyIn(p, host, 0) }},
		{"cuMemcpyDtoHAsync_v2", func() error { return c.CopyOut(host, p, 0) }},
		{"cuMemcpyDtoDAsync_v2", func() error { return c.Copy(p, p+32, 32, 0) }},
		{"cuMemsetD8Async", func() error { return c.Set(p, 7, 64, 0) }},
		{"cuLaunchKernel", func() error { return c.Launch(k, driver.Config{Blocks: 1, Threads: 32}, host, 0) }},
		{"cuLaunchCooperativeKernel", func() error {
			return c.Launch(k, driver.Config{Blocks: 1, Threads: 32, Cooperative: true}, host, 0)
		}},
		{"cuOccupancyMaxActiveBlocksPerMultiprocessor", func() error { _, err := c.Resident(k, 256, 0); return err }},
		{"cuFuncSetAttribute", func() error { _, err := c.Resident(k, 256, 90<<10); return err }},
		{"cuStreamCreate", func() error { _, err := c.NewStream(); return err }},
		{"cuStreamDestroy_v2", func() error { return c.CloseStream(0x4000) }},
		{"cuStreamSynchronize", func() error { return c.Synchronize(0) }},
		{"cuEventCreate", func() error { _, err := c.NewEvent(); return err }},
		{"cuEventRecord", func() error { return c.Record(0x5000, 0) }},
		{"cuEventSynchronize", func() error { _, err := c.Elapsed(0x5000, 0x5000); return err }},
		{"cuEventElapsedTime", func() error { _, err := c.Elapsed(0x5000, 0x5000); return err }},
		{"cuEventDestroy_v2", func() error { return c.CloseEvent(0x5000) }},
		{"cuCtxPushCurrent_v2", func() error { return c.Synchronize(0) }},
		{"cuCtxPopCurrent_v2", func() error { return c.Synchronize(0) }},
		{"cuMemFree_v2", func() error { return c.Free(p) }},
		{"cuMemFreeHost", func() error { return c.FreeHost(pinned) }},
		{"cuModuleUnload", m.Unload},
	} {
		f.fail(call.name, 2, 0)
		wantError(t, call.run(), driver.ErrMemory, call.name, "CUDA_ERROR_OUT_OF_MEMORY (2)", "smaller batches")
		f.fail("", 0, 0)
		if err := call.run(); err != nil {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	if a, b := f.count(pushed), f.count(popped); a-b != 1 { // the one that failed to pop
		t.Errorf("the context was made current %d times and taken off %d times", a, b)
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil || f.count(retained) != 1 || f.count(released) != 1 {
		t.Errorf("%v; retained %d, released %d; want 1 and 1", err, f.count(retained), f.count(released))
	}
	wantError(t, c.Synchronize(0), driver.ErrClosed)
}

// TestLaunch: the numbers and the parameters arrive.
func TestLaunch(t *testing.T) {
	f := newFake(t)
	c := f.open(t)
	args := make([]byte, 64)
	for i := range args {
		args[i] = byte(3 * i)
	}
	if err := c.Launch(0x3000, driver.Config{Blocks: 9, Threads: 256, Shared: 60 << 10, Cooperative: true}, args, 0x4000); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{0x3000, 9, 1, 1, 256, 1, 1, 60 << 10, 0x4000} {
		if got := f.launched(i); got != want {
			t.Errorf("argument %d is %d, want %d", i, got, want)
		}
	}
	for i := range args {
		if f.arg(i) != int(args[i]) {
			t.Fatalf("byte %d of the parameters is %d", i, f.arg(i))
		}
	}
	if f.count(cooperative) != 1 || f.granted() != 60<<10 {
		t.Errorf("%d cooperative launches with leave for %d bytes", f.count(cooperative), f.granted())
	}
	wantError(t, c.Launch(0x3000, driver.Config{Blocks: 1 << 40, Threads: 1}, args, 0), driver.ErrLaunch)
}

func TestCompileError(t *testing.T) {
	f := newFake(t)
	f.fail("cuModuleLoadDataEx", 218, 0)
	_, err := f.open(t).Load("nonsense")
	wantError(t, err, nil, "ptxas fatal: line 7", "(218)")
}

// TestPoisoned: after an error that a context does not survive, every call says so.
func TestPoisoned(t *testing.T) {
	f := newFake(t)
	c := f.open(t)
	f.fail("cuStreamSynchronize", 700, 0)
	wantError(t, c.Synchronize(0), driver.ErrPoisoned, "CUDA_ERROR_ILLEGAL_ADDRESS (700)", "end the process")
	f.fail("", 0, 0)
	_, err := c.Alloc(8)
	wantError(t, err, driver.ErrPoisoned, "earlier", "CUDA_ERROR_ILLEGAL_ADDRESS (700)")
	wantError(t, err, driver.ErrLaunch)
	wantError(t, c.Close(), driver.ErrPoisoned)
	if f.count(released) != 1 {
		t.Errorf("released %d times", f.count(released))
	}
}

func TestCurrentContext(t *testing.T) {
	f := newFake(t)
	_, err := f.Open(0, true)
	wantError(t, err, driver.ErrNoContext, "this thread has none")
	f.current(0x6000)
	c, err := f.Open(0, true)
	if err != nil || c.Info().Name != "Fake 1" {
		t.Fatal(c, err)
	}
	if err := c.Close(); err != nil || f.count(retained)+f.count(released) != 0 {
		t.Errorf("%v; another's context was retained or released", err)
	}
}

// TestAllocations: the calls of every step of a training allocate nothing.
func TestAllocations(t *testing.T) {
	f := newFake(t)
	c := f.open(t)
	p, err := c.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	args := make([]byte, 64)
	n := testing.AllocsPerRun(100, func() {
		err = errors.Join(
			c.Launch(0x3000, driver.Config{Blocks: 1, Threads: 256, Shared: 60 << 10}, args, 0), c.Set(p, 1, 64, 0),
			c.CopyIn(p, args, 0), c.CopyOut(args, p, 0), c.Synchronize(0), c.Record(0x5000, 0),
		)
	})
	if raceDetector { // sync.Pool forgets some of its items on purpose then
		n = 0
	}
	if err != nil || n > 0 {
		t.Errorf("%v allocations, %v", n, err)
	}
}

func TestConcurrent(t *testing.T) {
	f := newFake(t)
	c := f.open(t)
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			p, err := c.Alloc(64)
			if err != nil {
				t.Error(err)
				return
			}
			in, out := make([]byte, 64), make([]byte, 64)
			for i := range 200 {
				in[i%64] = byte(g + i)
				if err := errors.Join(c.CopyIn(p, in, 0), c.CopyOut(out, p, 0)); err != nil || out[i%64] != in[i%64] {
					t.Error(err, out[i%64], in[i%64])
					return
				}
			}
		}()
	}
	wait.Wait()
	if a, b := f.count(pushed), f.count(popped); a != b {
		t.Errorf("the context was made current %d times and taken off %d times", a, b)
	}
}
