package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/kernels"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-labels", "uint8", "-loss", "gdl,bce", "-side", "8"}, io.Discard)
	if err != nil || !o.labels.Has("uint8") || o.losses.Has("dice") || !o.losses.Has("gdl") || o.side != 8 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"-labels", "float"}, {"-labels", "uint8,int64"}, {"-loss", "mse"}, {"-threads", "0"}, {"-side", "1"}, {"-allocator", "mine"}, {"x"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestSaysWhatToInstall(t *testing.T) {
	o, err := parse([]string{"-python", "no-such-python"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var m *missing
	if err := run(io.Discard, o); !errors.As(err, &m) || !strings.Contains(err.Error(), "pip install torch") {
		t.Errorf("error %v", err)
	}
}

func TestDecode(t *testing.T) {
	var p prepared
	err := decode([]byte(`{"name": "eager", "value": 0.5, "peak": 12, "tried": ["eager: 1.0 ms"]}`), &p)
	if err != nil || p.Name != "eager" || p.Value != 0.5 || p.Peak != 12 || len(p.Tried) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := decode([]byte(`{"error": "RuntimeError: no"}`), &p); err == nil || err.Error() != "RuntimeError: no" {
		t.Errorf("error %v", err)
	}
	if decode([]byte("Traceback"), &p) == nil {
		t.Error("took what is no JSON")
	}
}

func TestAgree(t *testing.T) {
	g := []float32{1, -2, 0.5}
	for _, c := range []struct {
		ours, theirs float64
		h            []float32
		ok           bool
	}{
		{1, 1, g, true},
		{1, 1 + 9e-6, []float32{1, -2.0001, 0.5}, true},
		{1, 1 + 2e-5, g, false},
		{1, 1, []float32{1, -2, 0.501}, false},
		{1, 1, g[:2], false},
	} {
		if err := agree(c.ours, c.theirs, g, c.h, 1e-4); (err == nil) != c.ok {
			t.Errorf("%v and %v, %v: %v", c.ours, c.theirs, c.h, err)
		}
	}
}

// Every loss of the list is compared.
func TestLosses(t *testing.T) {
	for _, info := range kernels.Losses() {
		if !slices.Contains(lossNames(), info.Name) {
			t.Errorf("no PyTorch for %s", info.Name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	if env, ok := allocators[0].environment(); !ok || len(env) != 1 {
		t.Errorf("the system's own: %v, %v", env, ok)
	}
	dir := t.TempDir()
	libraries = append(libraries, dir)
	a := allocator{name: "mine", library: "libmine.so", env: []string{"A=b"}}
	if _, ok := a.environment(); ok {
		t.Error("found a library that is not there")
	}
	if err := os.WriteFile(filepath.Join(dir, "libmine.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env, ok := a.environment()
	if want := []string{"A=b", "LD_PRELOAD=" + filepath.Join(dir, "libmine.so")}; !ok || !slices.Equal(env, want) {
		t.Errorf("got %v, %v", env, ok)
	}
}

func TestReport(t *testing.T) {
	r := report{GradientBytes: 100 << 20, Results: []*result{
		{Loss: "dice", Wanted: 5, OverEager: stat.Spread{Median: 6}, OverBest: stat.Spread{Median: 2.5}, Peak: 101 << 20, EagerPeak: 1 << 30},
		{Loss: "focal", Wanted: 15, OverEager: stat.Spread{Median: 14}, OverBest: stat.Spread{Median: 4}, Peak: 110 << 20},
	}}
	var b strings.Builder
	r.verdict(&b)
	const want = `times eager as wanted: 1 of 2 losses; missed by focal 14.0 of 15
3 times its best settings: 1 of 2 losses; missed by dice 2.5
memory beside the gradient below 4 MiB: 1 of 2 losses; missed by focal 10 MiB
`
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
	if line := r.Results[1].String(); !strings.Contains(line, "14.0×   ! 15×") || !strings.Contains(line, "110 MiB, unknown, unknown") {
		t.Errorf("got %s", line)
	}
	dir := t.TempDir()
	for name, part := range map[string]string{"a.md": "| `dice` | 0.0 | 0 | 6.0 |", "a.json": `"Loss": "dice"`} {
		if err := r.save(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s is %s, %v", name, text, err)
		}
	}
}

func TestStatusOf(t *testing.T) {
	s := "Name:\tpeers\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
	if statusOf(s, "VmHWM") != 2<<20 || statusOf(s, "VmRSS") != 1<<20 || statusOf(s, "Vm") != 0 || statusOf(s, "Name") != 0 {
		t.Error("wrong figures")
	}
}

// Both sides read the same numbers.
func TestSave(t *testing.T) {
	for labels, size := range map[string]int64{"uint8": 1, "int64": 8} {
		o, err := parse([]string{"-labels", labels, "-side", "4"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		x, dir := newTensors(o), t.TempDir()
		defer x.free()
		if err := x.save(dir); err != nil {
			t.Fatal(err)
		}
		y, err := os.Stat(filepath.Join(dir, "y"))
		if err != nil || y.Size() != samples*64*size {
			t.Errorf("%s: %v, %v", labels, y, err)
		}
		if err := os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "grad")); err != nil {
			t.Fatal(err)
		}
		g, err := loadGradient(dir)
		if err != nil || agree(1, 1, x.x, g, 1e-4) != nil {
			t.Errorf("%s: x came back as %v, %v", labels, g[:2], err)
		}
	}
}

// The script has a loss for each of ours, and Python can read it.
func TestScript(t *testing.T) {
	for _, l := range losses {
		if !strings.Contains(string(script), "def "+l.name+"(x, y") {
			t.Errorf("peers.py has no %s", l.name)
		}
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	out, err := exec.Command(path, "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", "peers.py").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Where there is torch, all of it runs, on little.
func TestRun(t *testing.T) {
	if testing.Short() || findPython("python3") != nil {
		t.Skip("no torch, or short")
	}
	o, err := parse([]string{"-side", "8", "-rounds", "1", "-loss", "dice_ce"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := run(&b, o); err != nil || !strings.Contains(b.String(), "dice_ce") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
