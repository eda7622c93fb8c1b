package driver_test

import (
	"errors"
	"testing"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// An error says what happened and what to do, and leaves out what it lacks.
func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		err  driver.Error
		want string
	}{
		{driver.Error{}, ""},
		{driver.Error{Op: "cuLaunchKernel", Code: 12345}, "cuLaunchKernel: (12345)"},
		{
			driver.Error{Kind: driver.ErrNoDriver, Text: "libcuda.so.1: cannot open", Advice: "install it"},
			"no CUDA driver: libcuda.so.1: cannot open; install it",
		},
		{
			driver.Error{Kind: driver.ErrMemory, Op: "cuMemAlloc_v2", Code: 2, Name: "CUDA_ERROR_OUT_OF_MEMORY", Text: "out of memory"},
			"out of memory for the GPU: cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory",
		},
		{driver.Error{Op: "cuModuleLoadDataEx", Text: "bad", Log: "line 3: error"}, "cuModuleLoadDataEx: bad\nline 3: error"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%+v:\n got %q\nwant %q", test.err, got, test.want)
		}
	}
}

// A sticky error is of its kind and poisons; what follows wraps all of it.
func TestErrorKinds(t *testing.T) {
	plain := &driver.Error{Kind: driver.ErrLaunch}
	if !errors.Is(plain, driver.ErrLaunch) || errors.Is(plain, driver.ErrPoisoned) || errors.Is(&driver.Error{}, driver.ErrLaunch) {
		t.Error("an error matches a kind that it is not of, or misses its own")
	}
	first := &driver.Error{Kind: driver.ErrLaunch, Code: 700, Sticky: true}
	for _, err := range []error{first, driver.Poisoned(first)} {
		var as *driver.Error
		if !errors.Is(err, driver.ErrLaunch) || !errors.Is(err, driver.ErrPoisoned) || !errors.As(err, &as) || as.Code != 700 {
			t.Errorf("%v: lost its kinds", err)
		}
	}
}
