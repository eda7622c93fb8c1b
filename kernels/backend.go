package kernels

import (
	"fmt"
	"os"
	"slices"

	"github.com/segloss/segloss/internal/names"
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

// implementation is a backend with its tables, which are there if it is
// available.
type implementation struct {
	Backend
	f32 tables[float32]
	f64 tables[float64]
}

// tables are the kernels of a backend for elements of type T.
type tables[T Float] struct {
	rows  *cpu.Kernels[T]
	fused *fused[T] // nil where there are none
}

// implementations lists the backends, each better than those before it. The
// first one runs everywhere.
var implementations = slices.Concat(
	[]implementation{{Backend{Name: "generic"}, tables[float32]{rows: cpu.Generic[float32]()}, tables[float64]{rows: cpu.Generic[float64]()}}},
	assembly(),
	[]implementation{{Backend: unavailable("cuda", "package cuda has plans of its own, on device memory")}},
)

func unavailable(name, why string) Backend {
	return Backend{name, fmt.Errorf("%w: %s", ErrBackend, why)}
}

// Backends lists the implementations by name, available or not: first the
// portable one, then each better than those before it.
func Backends() []Backend {
	all := make([]Backend, len(implementations))
	for i := range all {
		all[i] = implementations[i].Backend
	}
	return all
}

// chooseBackend finds the tables for a name: the option's, the environment's or
// the best there is.
func chooseBackend[T Float](option string) (name string, t tables[T], err error) {
	arg, name := "backend", option
	if name == "" {
		arg, name = BackendEnv, os.Getenv(BackendEnv)
	}
	best, found := 0, -1
	for i := range implementations {
		if implementations[i].Name == name {
			found = i
		}
		if implementations[i].Err == nil {
			best = i
		}
	}
	switch {
	case name == "":
		found = best
	case found < 0:
		return "", t, argError(arg, -1, name, ErrBackend, "unknown name; %s", names.Suggest(name, backendNames()))
	case implementations[found].Err != nil:
		return "", t, &ArgError{Arg: arg, Index: -1, Value: name, Err: implementations[found].Err}
	}
	b := &implementations[found]
	if t, ok := any(b.f32).(tables[T]); ok {
		return b.Name, t, nil
	}
	return b.Name, any(b.f64).(tables[T]), nil
}

func backendNames() []string {
	all := make([]string, len(implementations))
	for i := range all {
		all[i] = implementations[i].Name
	}
	return all
}
