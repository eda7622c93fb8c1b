package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels/cuda"
)

// TestDry runs every row on the interpreter.
func TestDry(t *testing.T) {
	t.Setenv(cuda.Env, "sim")
	file := filepath.Join(t.TempDir(), "out.json")
	o, err := parse([]string{"-dry", "-json", file})
	if err != nil {
		t.Fatal(err)
	}
	o.jit = false
	d, err := cuda.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{options: o, dev: d}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	defer b.close()
	rows, err := b.size(o.sizes[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := len(list) * len(passes) * len(o.types); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		if r.Seconds <= 0 || r.Moved <= 0 || r.Ceiling <= 0 || !strings.HasPrefix(r.Name, "loss=") {
			t.Errorf("%+v", r)
		}
	}
	if ms, err := firstPlan(d); err != nil || ms <= 0 {
		t.Error(ms, err)
	}
}

// TestNoGPU: without one there is an error, and with an interpreter, too.
func TestNoGPU(t *testing.T) {
	for env, want := range map[string]string{"/nowhere/libcuda.so": "no CUDA driver", "sim": "interpreter"} {
		t.Setenv(cuda.Env, env)
		if err := run(options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", env, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"-bytes=x", "-bytes=1MM", "-bytes=0", "-type=float8"} {
		if _, err := parse([]string{bad}); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
	o, err := parse([]string{"-bytes", "2K,3M,1G", "-type", "float64", "-loss", "dice,ce"})
	if err != nil || o.sizes[0] != 2<<10 || o.sizes[1] != 3<<20 || o.sizes[2] != 1<<30 || len(o.losses) != 2 || o.types[0] != cuda.Float64 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestPeersExist: the peers that rows name are in bench/peers.
func TestPeersExist(t *testing.T) {
	text, err := os.ReadFile("../peers/peers.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.peer != "" && !strings.Contains(string(text), "\ndef "+m.peer+"(x, y") {
			t.Errorf("%s is not in bench/peers/peers.py", m.peer)
		}
	}
}
