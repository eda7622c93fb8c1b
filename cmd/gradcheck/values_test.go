package main

import (
	"math"
	"strings"
	"testing"
)

// TestLogitsForProbabilities: without -activation, a prediction outside [0, 1] is
// refused; where it says none, such values are what losses.md allows.
func TestLogitsForProbabilities(t *testing.T) {
	labels := writeTensor(t, "labels.npy", "|u1", "(1, 3)", []uint8{0, 1, 1})
	weights := writeTensor(t, "weights.npy", "<f4", "(1, 3)", []float32{1, 0, 1})
	nan := float32(math.NaN())
	for _, tt := range []struct {
		pred []float32
		more []string
		want string // "": accepted
	}{
		{[]float32{0.5, 1, 0, 0.5, 1, 1}, nil, ""},
		{[]float32{0.5, nan, 0, 0.5, 1, 1}, nil, ""},
		{[]float32{0.5, 1, 0, 0.5, -6.28, 7}, nil, "element [0 1 1] is -6.28, no probability"},
		{[]float32{0.5, 1, 0, 1.0001, 1, 1}, nil, "element [0 1 0] is 1.0001, no probability"},
		{[]float32{0.5, 1, float32(math.Inf(-1)), 0.5, 1, 1}, nil, "element [0 0 2] is -Inf, no probability"},
		{[]float32{0.5, 7, 0, 0.5, -7, 1}, []string{"-weights", weights}, ""},
		{[]float32{0.5, 7, 7, 0.5, -7, 1}, []string{"-weights", weights}, "element [0 0 2] is 7"},
		{[]float32{0.5, 7, 7, 0.5, 1, -1}, []string{"-ignore-index", "1"}, ""},
		{[]float32{2, 7, 7, 0.5, 1, -1}, []string{"-ignore-index", "1"}, "element [0 0 0] is 2"},
		{[]float32{0.5, 7, 0, 0.5, -6.28, 1}, []string{"-activation", "none"}, ""},
		{[]float32{0.5, 7, 0, 0.5, -6.28, 1}, []string{"-activation", "sigmoid"}, ""},
	} {
		args := append([]string{"-loss", "dice", "-target", labels, "-pred", writeTensor(t, "pred.npy", "<f4", "(1, 2, 3)", tt.pred)}, tt.more...)
		expectRefusal(t, append([]string{"eval"}, args...), tt.want, "-activation", "-pred")
		if tt.want != "" {
			expectRefusal(t, append([]string{"check"}, args...), tt.want, "-activation", "-pred")
		}
	}
	// Channels-last, the position of an element is another.
	pred := writeTensor(t, "nsc.npy", "<f4", "(1, 3, 2)", []float32{0.5, 0.5, 7, -7, 0, 1})
	expectRefusal(t, []string{"eval", "-loss", "dice", "-layout", "nsc", "-pred", pred, "-target", labels}, "element [0 1 0] is 7")
	expectRefusal(t, []string{"eval", "-loss", "dice", "-layout", "nsc", "-pred", pred, "-target", labels, "-weights", weights}, "")
}

// expectRefusal runs a command that is wrong usage or input, or right where wants
// begin with "".
func expectRefusal(t *testing.T, args []string, wants ...string) {
	t.Helper()
	code, stdout, stderr := runCommand(args...)
	if wants[0] == "" {
		if code != exitOK || stderr != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr)
		}
		return
	}
	for _, want := range wants {
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and an error with %q", args, code, stdout, stderr, exitUsage, want)
		}
	}
}

// TestDenseRange: a dense target outside [0, 1] is refused where its position exists.
func TestDenseRange(t *testing.T) {
	pred := writeTensor(t, "pred.npy", "<f4", "(1, 2, 3)", []float32{1, 2, 3, 3, 2, 1})
	weights := writeTensor(t, "weights.npy", "|b1", "(1, 3)", []uint8{1, 0, 1})
	const hint = "divide a mask of 0 and 255 by 255"
	for _, tt := range []struct {
		descr string
		v     any
		more  []string
		wants []string
	}{
		{"<f8", []float64{1, 0.25, 0, 0, 0.75, 1}, nil, []string{""}},
		{"<f8", []float64{1, math.NaN(), 0, 0, 0.75, 1}, nil, []string{""}},
		{"<f4", []float32{255, 0, 0, 0, 255, 255}, nil, []string{"-target", "element [0 0 0] is 255", "[0, 1]", hint}},
		{"<f8", []float64{1, 0.25, 0, 0, 1.0000001, 1}, nil, []string{"-target", "element [0 1 1] is 1.0000001"}},
		{"<f4", []float32{1, 0, 0, 0, 0, -0.1}, nil, []string{"-target", "element [0 1 2] is -0.1, want"}},
		{"<f8", []float64{1, 0, 0, 0, 0, math.Inf(1)}, nil, []string{"-target", "element [0 1 2] is +Inf"}},
		{"|u1", []uint8{1, 0, 0, 0, 255, 1}, nil, []string{"-target", "element [0 1 1] is 255", "0 or 1", hint}},
		{"|u1", []uint8{1, 255, 0, 0, 255, 1}, []string{"-weights", weights}, []string{""}},
		{"<f4", []float32{1, 255, 0, 0, -1, 1}, []string{"-weights", weights}, []string{""}},
		{"<f4", []float32{1, 255, 7, 0, -1, 1}, []string{"-weights", weights}, []string{"-target", "element [0 0 2] is 7"}},
	} {
		args := append([]string{"-loss", "dice", "-activation", "sigmoid", "-pred", pred, "-target", writeTensor(t, "target.npy", tt.descr, "(1, 2, 3)", tt.v)}, tt.more...)
		expectRefusal(t, append([]string{"eval"}, args...), tt.wants...)
		if tt.wants[0] != "" {
			expectRefusal(t, append([]string{"check"}, args...), tt.wants...)
		}
	}
	// A label map of one class is such a mask, too.
	one := writeTensor(t, "one.npy", "<f4", "(1, 1, 3)", []float32{1, 2, 3})
	mask := writeTensor(t, "mask.npy", "|u1", "(1, 3)", []uint8{0, 0, 255})
	expectRefusal(t, []string{"eval", "-loss", "dice", "-activation", "sigmoid", "-pred", one, "-target", mask}, "element [0 2] is 255", hint)
}

// TestIgnoreDense: a dense target has no labels to ignore.
func TestIgnoreDense(t *testing.T) {
	dense := writeTensor(t, "dense.npy", "<f4", "(1, 2, 3)", []float32{1, 0, 0, 0, 1, 1})
	for _, command := range []string{"eval", "check"} {
		expectRefusal(t, append(append([]string{command}, small(t)...), "-target", dense, "-ignore-index", "0"), "-ignore-index 0", "dense target", "-weights")
	}
}

// TestWeightsRange: a weight that float32 does not hold is an error with the value
// of the file.
func TestWeightsRange(t *testing.T) {
	for _, command := range []string{"eval", "check"} {
		args := append([]string{command}, small(t)...)
		for _, tt := range []struct {
			v     []float64
			wants []string
		}{
			{[]float64{1, 1e39, 1}, []string{"-weights", "element [0 1] is 1e+39", "float32"}},
			{[]float64{1, 1, 1e-50}, []string{"-weights", "element [0 2] is 1e-50", "float32"}},
			{[]float64{-1e-50, 1, 1}, []string{"-weights", "element [0 0] is -1e-50"}},
			{[]float64{1, math.Inf(1), 1}, []string{"-weights", "element [0 1] is +Inf"}},
			{[]float64{1, -1e39, 1}, []string{"-weights", "element [0 1] is -1e+39"}},
		} {
			expectRefusal(t, append(args, "-weights", writeTensor(t, "w.npy", "<f8", "(1, 3)", tt.v)), tt.wants...)
		}
	}
	for _, v := range [][]float64{{0, 1, 1e-40}, {1, 3e38, 0.1}} { // rounded, but there
		expectRefusal(t, append(append([]string{"eval"}, small(t)...), "-weights", writeTensor(t, "w.npy", "<f8", "(1, 3)", v)), "")
	}
}

// TestRank: two axes are one sample, fewer are an error.
func TestRank(t *testing.T) {
	x := []float32{1, 2, 3, 3, 2, 1}
	labels := writeTensor(t, "labels.npy", "|u1", "(3,)", []uint8{0, 1, 1})
	sample := writeTensor(t, "sample.npy", "|u1", "(1, 3)", []uint8{0, 1, 1})
	args := []string{"-loss", "ce", "-activation", "softmax", "-target", labels, "-pred"}
	for _, tt := range []struct {
		flat, full string
		layout     string
	}{{"(2, 3)", "(1, 2, 3)", "ncs"}, {"(3, 2)", "(1, 3, 2)", "nsc"}} {
		more := []string{"-layout", tt.layout}
		a, _ := evalJSON(t, append(append(args, writeTensor(t, "flat.npy", "<f4", tt.flat, x)), more...))
		b, _ := evalJSON(t, append(append(args, writeTensor(t, "full.npy", "<f4", tt.full, x), "-target", sample), more...))
		if a.Value != b.Value {
			t.Errorf("%s, %s: %v, want %v", tt.layout, tt.flat, a.Value, b.Value)
		}
	}
	for _, shape := range []string{"(6,)", "()"} {
		for _, command := range []string{"eval", "check"} {
			v := x
			if shape == "()" {
				v = x[:1]
			}
			expectRefusal(t, append(append([]string{command}, args...), writeTensor(t, "x.npy", "<f4", shape, v)), "-pred", "want 2 to 5")
		}
	}
	for _, command := range []string{"eval", "check"} {
		if _, help, _ := runCommand(command, "-h"); !strings.Contains(help, "[C,S]") || !strings.Contains(help, "[S,C]") || !strings.Contains(help, "one sample") {
			t.Errorf("%s -h does not say what two axes are:\n%s", command, help)
		}
	}
}
