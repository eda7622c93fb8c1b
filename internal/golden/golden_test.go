package golden

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	cases := Load(t)
	if len(cases) < 1019 {
		t.Errorf("%d cases; want at least the 1019 the definitions came with", len(cases))
	}
	for _, c := range cases {
		if _, err := c.Check(K64, U64, c.Value, c.Grad); err != nil {
			t.Errorf("a case does not pass its own check: %v", err)
		}
	}
}

const whole = `{"id":"a", "loss":"dice", "activation":"none", "shape":[1,1,2], "pred":[0.5,0.25],
	"labels":[0,1], "value":0.5, "value_scale":1, "grad":[1,2], "scale":[1,2]}`

func TestLoadDirRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", `"id"`, `"colour":1, "id"`, "unknown field"},
		{"short pred", `[0.5,0.25]`, `[0.5]`, "pred has 1 numbers; want 2"},
		{"short labels", `[0,1]`, `[0]`, "labels has 1 numbers; want 2"},
		{"short scale", `"scale":[1,2]`, `"scale":[1]`, "scale has 1 numbers; want 2"},
		{"label out of range", `[0,1]`, `[0,2]`, "labels[1] = 2"},
		{"no value", `"value":0.5, `, ``, "no value"},
		{"no target", `"labels":[0,1],`, ``, "not one of target and labels"},
		{"two targets", `"labels"`, `"target":[0,1], "labels"`, "not one of target and labels"},
		{"empty labels", `[0,1]`, `[]`, "labels has 0 numbers; want 2"},
		{"empty mask", `"labels"`, `"mask":[], "labels"`, "mask has 0 numbers; want 2"},
		{"mask of twos", `"labels"`, `"mask":[1,2], "labels"`, "mask[1] = 2"},
		{"short shape", `[1,1,2]`, `[1,2]`, "three numbers"},
		{"activation", `"none"`, `"tanh"`, `activation "tanh"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, "["+strings.Replace(whole, tt.old, tt.new, 1)+"]")
			if _, err := LoadDir(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one with %q", err, tt.want)
			}
		})
	}
	if _, err := LoadDir(write(t, "["+whole+","+whole+"]")); err == nil {
		t.Error("no error for an id that occurs twice")
	}
	if _, err := LoadDir(write(t, "[]")); err == nil {
		t.Error("no error for a directory without a case")
	}
	if _, err := LoadDir(t.TempDir()); err == nil {
		t.Error("no error for an empty directory")
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDense(t *testing.T) {
	ignore := int64(1) // inside [0, C)
	c := Case{N: 1, C: 2, S: 4, Labels: []int64{1, 0, 1, 0}, IgnoreIndex: &ignore, Mask: []uint8{1, 0, 1, 1}}
	target, weights := c.Dense()
	if want := []float64{0, 0, 0, 1, 0, 0, 0, 0}; !slices.Equal(target, want) {
		t.Errorf("target %v; want %v", target, want)
	}
	if want := []float64{0, 0, 0, 1}; !slices.Equal(weights, want) {
		t.Errorf("weights %v; want %v", weights, want)
	}
	c = Case{N: 2, C: 1, S: 2, Labels: []int64{1, 0, 0, 1}, Weights: []float64{1, 2, 3, 0.5}}
	target, weights = c.Dense()
	if want := []float64{1, 0, 0, 1}; !slices.Equal(target, want) {
		t.Errorf("binary target %v; want %v", target, want)
	}
	if !slices.Equal(weights, c.Weights) {
		t.Errorf("weights %v; want %v", weights, c.Weights)
	}
}

func TestSpread(t *testing.T) {
	c := Case{N: 1, C: 2, S: 3, Pred: []float64{1, -2, 50, 4, 5, -50}, Target: make([]float64, 6), Mask: []uint8{1, 1, 0}}
	for _, tt := range []struct {
		activation string
		want       []float64
	}{
		{"none", []float64{0, 0, 0, 0, 0, 0}},
		{"sigmoid", []float64{1, 2, 0, 4, 5, 0}},
		{"softmax", []float64{3, 7, 0, 3, 7, 0}},
	} {
		c.Activation = tt.activation
		if got := c.Spread(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: spread %v; want %v", tt.activation, got, tt.want)
		}
		if got := c.MaxSpread(); got != slices.Max(tt.want) {
			t.Errorf("%s: largest spread %v; want %v", tt.activation, got, slices.Max(tt.want))
		}
	}
}

func TestCheck(t *testing.T) {
	c := Case{N: 1, C: 1, S: 2, Activation: "none", Value: 1, ValueScale: 1, Grad: []float64{1, 0}, Scale: []float64{1, 0},
		Pred: []float64{0.5, 0.5}, Target: []float64{0, 1}}
	off := 1 + 600*U64 // beyond float64's bound, well inside float32's
	for _, tt := range []struct {
		name string
		k, u float64
		loss float64
		grad []float64
		ok   bool
	}{
		{"exact", K64, U64, 1, []float64{1, 0}, true},
		{"loss off", K64, U64, off, []float64{1, 0}, false},
		{"loss off in float32", K32, U32, off, []float64{1, 0}, true},
		{"grad off", K64, U64, 1, []float64{off, 0}, false},
		{"grad not 0", K64, U64, 1, []float64{1, 0x1p-119}, false},
		{"NaN loss", K64, U64, math.NaN(), []float64{1, 0}, false},
		{"NaN grad", K64, U64, 1, []float64{1, math.NaN()}, false},
		{"short grad", K64, U64, 1, []float64{1}, false},
	} {
		if worst, err := c.Check(tt.k, tt.u, tt.loss, tt.grad); (err == nil) != tt.ok || (worst <= 1) != tt.ok {
			t.Errorf("%s: %v times the bound, error %v", tt.name, worst, err)
		}
	}
}
