package kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/segloss/segloss/kernels/cpu"
)

// Backend is an implementation of the kernels.
type Backend struct {
	Name string
	Err  error // why it is not available on this machine, matching ErrBackend; nil if it is
}

// BackendEnv is the environment variable that forces a backend where no option
// does.
const BackendEnv = "SEGLOSS_BACKEND"

var errPortableOnly = fmt.Errorf("%w: this version has portable kernels only", ErrBackend)

// backends lists the implementations, the preferred one first among those
// available.
var backends = []Backend{
	{Name: "generic"},
	{Name: "avx2", Err: errPortableOnly},
	{Name: "avx512", Err: errPortableOnly},
	{Name: "cuda", Err: errPortableOnly},
}

// Backends lists the implementations by name, available or not.
func Backends() []Backend { return slices.Clone(backends) }

// chooseBackend finds the table for a name: the option's, the environment's or
// the best there is.
func chooseBackend[T Float](name string) (string, *cpu.Kernels[T], error) {
	arg := "backend"
	if name == "" {
		arg, name = BackendEnv, os.Getenv(BackendEnv)
	}
	if name == "" {
		name = backends[slices.IndexFunc(backends, func(b Backend) bool { return b.Err == nil })].Name
	}
	i := slices.IndexFunc(backends, func(b Backend) bool { return b.Name == name })
	if i < 0 {
		names := make([]string, len(backends))
		for i, b := range backends {
			names[i] = b.Name
		}
		return "", nil, argError(arg, -1, name, ErrBackend, "unknown name, want one of %s", strings.Join(names, ", "))
	}
	if err := backends[i].Err; err != nil {
		return "", nil, &ArgError{Arg: arg, Index: -1, Value: name, Err: err}
	}
	return name, cpu.Generic[T](), nil
}
