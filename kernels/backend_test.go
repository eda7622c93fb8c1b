package kernels_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// Every backend can be forced by option and by environment, or says why not.
func TestBackends(t *testing.T) {
	l, spec := mustParse(t, "dice"), kernels.Spec{N: 1, C: 1, S: 1}
	for _, b := range kernels.Backends() {
		for _, byEnv := range []bool{false, true} {
			var opts []kernels.Option
			arg := "backend"
			if byEnv {
				t.Setenv("SEGLOSS_BACKEND", b.Name)
				arg = "SEGLOSS_BACKEND"
			} else {
				t.Setenv("SEGLOSS_BACKEND", "")
				opts = []kernels.Option{kernels.WithBackend(b.Name)}
			}
			p64, err64 := kernels.New[float64](l, spec, opts...)
			p32, err32 := kernels.New[float32](l, spec, opts...)
			if b.Err != nil {
				wantArg(t, b.Name, err64, kernels.ErrBackend, arg, -1, b.Name)
				wantArg(t, b.Name, err32, kernels.ErrBackend, arg, -1, b.Name)
				continue
			}
			if err := errors.Join(err64, err32); err != nil || p64.Backend() != b.Name || p32.Backend() != b.Name {
				t.Errorf("%s is available, but: %v", b.Name, err)
			}
		}
	}
}

// The option is heard before the environment, and the best backend taken where
// neither speaks.
func TestBackendPrecedence(t *testing.T) {
	l, spec := mustParse(t, "dice"), kernels.Spec{N: 1, C: 1, S: 1}
	choose := func(want string, opts ...kernels.Option) {
		t.Helper()
		p, err := kernels.New[float64](l, spec, opts...)
		if err != nil || p.Backend() != want {
			t.Errorf("%v; want backend %s", err, want)
		}
	}
	available := availableBackends()
	if len(available) == 0 || available[0] != "generic" {
		t.Fatalf("backends %q", available)
	}
	t.Setenv("SEGLOSS_BACKEND", "")
	choose(available[len(available)-1])
	choose(available[len(available)-1], kernels.WithBackend(""))
	for _, name := range available {
		t.Setenv("SEGLOSS_BACKEND", name)
		choose(name)
		choose("generic", kernels.WithBackend("generic"))
	}
	for _, unknown := range []string{"abacus", "AVX2", " generic", "avx2,avx512"} {
		t.Setenv("SEGLOSS_BACKEND", unknown)
		choose("generic", kernels.WithBackend("generic"))
		_, err := kernels.New[float64](l, spec)
		wantArg(t, "unknown by environment", err, kernels.ErrBackend, "SEGLOSS_BACKEND", -1, unknown)
		_, err = kernels.New[float32](l, spec, kernels.WithBackend(unknown))
		wantArg(t, "unknown by option", err, kernels.ErrBackend, "backend", -1, unknown)
	}
}

// Every build knows the same names, and a reason for each that it lacks.
func TestBackendNames(t *testing.T) {
	var names []string
	for _, b := range kernels.Backends() {
		names = append(names, b.Name)
		if b.Err != nil && (!errors.Is(b.Err, kernels.ErrBackend) || b.Err.Error() == kernels.ErrBackend.Error()) {
			t.Errorf("%s: %v gives no reason", b.Name, b.Err)
		}
	}
	// The loops are in the tests alone.
	if got := strings.Join(names, " "); got != "generic loops avx2 avx512 cuda" {
		t.Errorf("backends %s", got)
	}
}
