package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
)

// A form is one way to put a golden case into files.
type form struct {
	rank    int // of the prediction, 2 to 5
	nsc     bool
	fortran bool
	order   binary.ByteOrder
	wide    bool // float64 files
}

// formOf returns the form that the i-th case takes.
func formOf(i int, c *golden.Case) form {
	f := form{rank: 3 + i%3, nsc: i/3%2 == 1, fortran: i/6%3 == 1, order: binary.LittleEndian, wide: i/18%2 == 1}
	if i/36%3 == 2 {
		f.order = binary.BigEndian
	}
	if c.N == 1 && i%2 == 0 {
		f.rank = 2
	}
	return f
}

// space cuts s positions into the spatial axes of the form.
func (f form) space(s int) []int {
	shape := []int{s}
	for len(shape) < f.rank-2 {
		d := 2
		for d < shape[0] && shape[0]%d != 0 {
			d++
		}
		d = min(d, max(shape[0], 1))
		shape = append([]int{shape[0] / d, d}, shape[1:]...)
	}
	return shape
}

// shapes returns the shapes of prediction and label map.
func (f form) shapes(c *golden.Case) (pred, positions []int) {
	space := f.space(c.S)
	switch {
	case f.rank == 2 && f.nsc:
		return []int{c.S, c.C}, space
	case f.rank == 2:
		return []int{c.C, c.S}, space
	case f.nsc:
		pred = append(append([]int{c.N}, space...), c.C)
	default:
		pred = append([]int{c.N, c.C}, space...)
	}
	return pred, append([]int{c.N}, space...)
}

// laidOut reorders planar elements into the form's layout; planar goes back.
func laidOut[T any](f form, c *golden.Case, planar []T) []T {
	out := slices.Clone(planar)
	for i := range out {
		out[f.at(c, i)] = planar[i]
	}
	return out
}

func planar[T any](f form, c *golden.Case, laid []T) []T {
	out := slices.Clone(laid)
	for i := range out {
		out[i] = laid[f.at(c, i)]
	}
	return out
}

// at returns where the planar element i stands.
func (f form) at(c *golden.Case, i int) int {
	if !f.nsc {
		return i
	}
	n, k, s := i/(c.C*c.S), i/c.S%c.C, i%c.S
	return (n*c.S+s)*c.C + k
}

// save writes a file of NumPy's type code; v is in C order.
func save[T number](t *testing.T, f form, name, code string, shape []int, v []float64) string {
	t.Helper()
	w := convert[T](v)
	if f.fortran {
		rev := slices.Clone(shape)
		slices.Reverse(rev)
		w = fromFortran(w, rev) // the C order of the reversed axes, seen as Fortran's, is a transposition
	}
	order := "<"
	if f.order == binary.ByteOrder(binary.BigEndian) {
		order = ">"
	}
	if code[1] == '1' {
		order = "|"
	}
	dims := strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ")
	if len(shape) == 1 {
		dims += ","
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, npyBytes(1, order+code, f.fortran, "("+dims+")", f.order, w), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// saveInts writes a file of the i-th integer type that holds every value.
func saveInts(t *testing.T, i int, f form, name string, shape []int, v []float64) string {
	t.Helper()
	lo, hi := 0.0, 0.0
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	for ; ; i++ {
		switch {
		case i%9 == 0 && lo >= 0 && hi <= 1:
			return save[uint8](t, f, name, "b1", shape, v)
		case i%9 == 1 && lo >= 0 && hi <= 255:
			return save[uint8](t, f, name, "u1", shape, v)
		case i%9 == 2 && hi <= 127:
			return save[int8](t, f, name, "i1", shape, v)
		case i%9 == 3 && lo >= 0:
			return save[uint16](t, f, name, "u2", shape, v)
		case i%9 == 4:
			return save[int16](t, f, name, "i2", shape, v)
		case i%9 == 5 && lo >= 0:
			return save[uint32](t, f, name, "u4", shape, v)
		case i%9 == 6:
			return save[int32](t, f, name, "i4", shape, v)
		case i%9 == 7 && lo >= 0:
			return save[uint64](t, f, name, "u8", shape, v)
		case i%9 == 8:
			return save[int64](t, f, name, "i8", shape, v)
		}
	}
}

func saveFloats(t *testing.T, f form, name string, shape []int, v []float64) string {
	t.Helper()
	if f.wide {
		return save[float64](t, f, name, "f8", shape, v)
	}
	return save[float32](t, f, name, "f4", shape, v)
}

// evalArgs writes the i-th case into files and returns the flags that name them.
func evalArgs(t *testing.T, i int, c *golden.Case, f form) []string {
	t.Helper()
	shape, positions := f.shapes(c)
	args := []string{"-loss", c.Loss, "-activation", c.Activation, "-pred", saveFloats(t, f, "pred.npy", shape, laidOut(f, c, c.Pred))}
	if f.nsc {
		args = append(args, "-layout", "nsc")
	}
	switch {
	case c.Labels == nil:
		args = append(args, "-target", saveFloats(t, f, "target.npy", shape, laidOut(f, c, c.Target)))
	case c.C == 1 && i%2 == 0:
		args = append(args, "-target", saveInts(t, i, f, "labels.npy", shape, convert[float64](c.Labels)))
	default:
		args = append(args, "-target", saveInts(t, i, f, "labels.npy", positions, convert[float64](c.Labels)))
	}
	if c.IgnoreIndex != nil {
		args = append(args, "-ignore-index", strconv.FormatInt(*c.IgnoreIndex, 10))
	}
	if c.Mask != nil {
		args = append(args, "-weights", saveInts(t, i, f, "mask.npy", positions, convert[float64](c.Mask)))
	}
	if c.Weights != nil {
		args = append(args, "-weights", saveFloats(t, f, "weights.npy", positions, c.Weights))
	}
	return args
}

// evalJSON runs eval and returns what it prints and the gradient.
func evalJSON(t *testing.T, args []string) (evalReport, *tensor) {
	t.Helper()
	grad := filepath.Join(t.TempDir(), "grad.npy")
	code, stdout, stderr := runCommand(append([]string{"eval", "-json", "-grad", grad}, args...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("eval %q: exit code %d, stderr %q", args, code, stderr)
	}
	var r evalReport
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one JSON value in %q", stdout)
	}
	g, err := readTensor(grad)
	if err != nil {
		t.Fatal(err)
	}
	return r, g
}

// TestEvalGolden puts every golden case into files, in all forms in turn, and
// holds what eval makes of them to the tolerance of losses.md.
func TestEvalGolden(t *testing.T) {
	for i, c := range golden.Load(t) {
		if testing.Short() && i%7 != 0 {
			continue
		}
		f := formOf(i, &c)
		args := evalArgs(t, i, &c, f)
		for _, dtype := range []string{"f32", "f64"} {
			run := args
			if own := f.wide == (dtype == "f64"); !own || i%2 == 0 { // else by default
				run = append(slices.Clip(args), "-dtype", dtype)
			}
			r, g := evalJSON(t, run)
			if shape, _ := f.shapes(&c); r.Dtype != dtype || !reflect.DeepEqual(r.Shape, shape) || !reflect.DeepEqual(g.shape, shape) {
				t.Fatalf("%s: dtype %s, shape %v, gradient %v; want %s, %v", c.ID, r.Dtype, r.Shape, g.shape, dtype, shape)
			}
			k, u := float64(golden.K64), golden.U64
			if dtype == "f32" {
				k, u = golden.K32, golden.U32
			}
			if _, err := c.Check(k, u, float64(r.Value), planar(f, &c, floats[float64](g))); err != nil {
				t.Errorf("%s, %+v: %v", dtype, f, err)
			}
			checkReport(t, r, g)
		}
	}
}

// checkReport checks that a report agrees with itself and with the gradient.
func checkReport(t *testing.T, r evalReport, g *tensor) {
	t.Helper()
	sum := 0.0
	for _, term := range r.Terms {
		sum += float64(term.Coef * term.Value)
	}
	if v := float64(r.Value); math.Abs(sum-v) > 1e-12*math.Abs(v) {
		t.Errorf("%s: value %v, terms %v", r.Loss, v, r.Terms)
	}
	if n := norm(floats[float64](g)); n != float64(r.GradNorm) || r.Backend == "" || r.Seconds < 0 {
		t.Errorf("%+v: the gradient's norm is %v", r, n)
	}
	if want := map[string]string{"f32": "float32", "f64": "float64"}[r.Dtype]; g.dtype != want {
		t.Errorf("gradient of %s, want %s", g.dtype, want)
	}
}

// small returns flags for a problem of shape [1, 2, 3] that eval accepts.
func small(t *testing.T) []string {
	return []string{
		"-loss", "dice + 0.5*ce", "-activation", "softmax",
		"-pred", writeTensor(t, "pred.npy", "<f4", "(1, 2, 3)", []float32{1, 2, 3, 3, 2, 1}),
		"-target", writeTensor(t, "labels.npy", "|u1", "(1, 3)", []uint8{0, 1, 1}),
	}
}

func TestEvalText(t *testing.T) {
	code, stdout, stderr := runCommand(append([]string{"eval"}, small(t)...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{"dice + 0.5*ce", "0.5 * ce", "shape", "[1 2 3]", "f32", "backend", "gradient norm"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// TestEvalNonFinite: NaN and infinities are values, and strings in JSON.
func TestEvalNonFinite(t *testing.T) {
	args := append(small(t), "-pred", writeTensor(t, "nan.npy", "<f4", "(1, 2, 3)", []float32{1, 2, 3, 3, float32(math.NaN()), 1}))
	code, stdout, stderr := runCommand(append([]string{"eval", "-json"}, args...)...)
	if code != exitOK || stderr != "" || !strings.Contains(stdout, `"value":"NaN"`) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	for x, want := range map[float64]string{math.Inf(1): `"+Inf"`, math.Inf(-1): `"-Inf"`, 1e-300: "1e-300", 1e21: "1e+21", 0.1: "0.1"} {
		if b, err := json.Marshal(jsonNumber(x)); err != nil || string(b) != want {
			t.Errorf("%v: %s, %v; want %s", x, b, err, want)
		}
	}
}

// TestEvalMask: an integer mask of each class is a dense target.
func TestEvalMask(t *testing.T) {
	args := append(small(t), "-activation", "sigmoid", "-loss", "bce")
	mask := writeTensor(t, "mask.npy", "|u1", "(1, 2, 3)", []uint8{1, 0, 1, 1, 0, 0})
	dense := writeTensor(t, "dense.npy", "<f8", "(1, 2, 3)", []float64{1, 0, 1, 1, 0, 0})
	a, ga := evalJSON(t, append(args, "-target", mask))
	b, gb := evalJSON(t, append(args, "-target", dense))
	if a.Value != b.Value || !reflect.DeepEqual(ga.data, gb.data) {
		t.Errorf("mask %v, dense %v", a.Value, b.Value)
	}
}

// TestEvalErrors: with exit codes 2 and 4 nothing is written, and a gradient
// file that is there stays as it is.
func TestEvalErrors(t *testing.T) {
	good := small(t)
	file := func(descr, shape string, v any) string { return writeTensor(t, "bad.npy", descr, shape, v) }
	text := filepath.Join(t.TempDir(), "text.npy")
	if err := os.WriteFile(text, []byte("no array"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-loss", "dice(smoth=1)"}, exitUsage, "smooth"},
		{[]string{"-loss", "dice(smooth=-1)"}, exitUsage, "smooth"},
		{[]string{"-loss", "dice(weight=[1,2,3])"}, exitUsage, "weight"},
		{[]string{"-pred", text}, exitUsage, "not a .npy file"},
		{[]string{"-pred", file("<i4", "(1, 2, 3)", make([]int32, 6))}, exitUsage, "int32"},
		{[]string{"-pred", file("<f4", "(6,)", make([]float32, 6))}, exitUsage, "2 to 5"},
		{[]string{"-pred", file("<f4", "(1, 1, 3)", make([]float32, 3))}, exitUsage, "C"},
		{[]string{"-layout", "nsc"}, exitUsage, "layout nsc"},
		{[]string{"-target", text}, exitUsage, "not a .npy file"},
		{[]string{"-target", file("|u1", "(3,)", make([]uint8, 3))}, exitUsage, "label map"},
		{[]string{"-target", file("<f4", "(1, 3)", make([]float32, 3))}, exitUsage, "dense target"},
		{[]string{"-target", file("|u1", "(1, 2, 3)", []uint8{0, 0, 0, 2, 0, 0})}, exitUsage, "element [0 1 0] is 2"},
		{[]string{"-target", file("|u1", "(1, 3)", []uint8{0, 7, 0})}, exitUsage, "element [0 1] is 7"},
		{[]string{"-target", file("|i1", "(1, 3)", []int8{0, 0, -1})}, exitUsage, "element [0 2] is -1"},
		{[]string{"-target", file("<u8", "(1, 3)", []uint64{0, 0, 1 << 63})}, exitUsage, "element [0 2] is 9223372036854775808"},
		{[]string{"-weights", file("<f4", "(1, 2, 3)", make([]float32, 6))}, exitUsage, "one weight for each position"},
		{[]string{"-weights", file("<f4", "(1, 3)", []float32{1, -2, 1})}, exitUsage, "element [0 1] is -2"},
		{[]string{"-weights", file("<f8", "(1, 3)", []float64{1, 1, math.NaN()})}, exitUsage, "element [0 2] is NaN"},
		{[]string{"-weights", text}, exitUsage, "not a .npy file"},
		{[]string{"-ignore-index", "1", "-target", file("<f4", "(1, 2, 3)", make([]float32, 6))}, exitUsage, "-ignore-index"},
		{[]string{"-clip", "0.7"}, exitUsage, "clip"},
		{[]string{"-workers", "-1"}, exitUsage, "workers"},
		{[]string{"-backend", "abacus"}, exitBackend, "abacus"},
	} {
		grad := filepath.Join(t.TempDir(), "grad.npy")
		if err := os.WriteFile(grad, []byte("as it was"), 0o666); err != nil {
			t.Fatal(err)
		}
		args := append(append([]string{"eval", "-grad", grad}, good...), tt.args...)
		code, stdout, stderr := runCommand(args...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "panic") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, tt.code, tt.want)
		}
		if b, err := os.ReadFile(grad); err != nil || string(b) != "as it was" {
			t.Errorf("%q: the gradient file holds %q, %v", tt.args, b, err)
		}
		if files, err := os.ReadDir(filepath.Dir(grad)); err != nil || len(files) != 1 {
			t.Errorf("%q: left %v, %v", tt.args, files, err)
		}
	}
}

func TestEvalGradErrors(t *testing.T) {
	for _, grad := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing", "grad.npy")} {
		code, stdout, stderr := runCommand(append([]string{"eval", "-grad", grad}, small(t)...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "-grad") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", grad, code, stdout, stderr)
		}
	}
}

func TestEvalBackendEnv(t *testing.T) {
	t.Setenv("SEGLOSS_BACKEND", "abacus")
	code, stdout, stderr := runCommand(append([]string{"eval"}, small(t)...)...)
	if code != exitBackend || stdout != "" || !strings.Contains(stderr, "abacus") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if r, _ := evalJSON(t, append(small(t), "-backend", "generic")); r.Backend != "generic" {
		t.Errorf("backend %s", r.Backend)
	}
}

func TestEvalInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, append([]string{"eval"}, small(t)...), &stdout, &stderr)
	if code != exitInconclusive || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
	if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "new" {
		t.Errorf("through the link: %q, %v", b, err)
	}
	failed := fmt.Errorf("disk full")
	if err := replaceFile(name, func(w io.Writer) error { io.WriteString(w, "half"); return failed }); err != failed {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "new" {
		t.Errorf("after a failure: %q, %v", b, err)
	}
	if err := replaceFile(os.DevNull, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s has become a file: %v, %v", os.DevNull, info, err)
	}
}

func TestNorm(t *testing.T) {
	for _, tt := range []struct {
		v    []float64
		want float64
	}{
		{nil, 0},
		{[]float64{0, 0}, 0},
		{[]float64{3, -4}, 5},
		{[]float64{3e300, 4e300}, 5e300},
		{[]float64{3e-300, 4e-300}, 5e-300},
		{[]float64{1, math.Inf(-1)}, math.Inf(1)},
	} {
		if got := norm(tt.v); got != tt.want && math.Abs(got-tt.want) > 1e-15*tt.want {
			t.Errorf("norm(%v) = %v, want %v", tt.v, got, tt.want)
		}
	}
	if got := norm([]float32{1, float32(math.NaN()), float32(math.Inf(1))}); !math.IsNaN(got) {
		t.Errorf("norm with a NaN = %v", got)
	}
}
