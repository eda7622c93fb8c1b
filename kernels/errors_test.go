package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// wantArg fails unless err is an ArgError of a kind that names the argument,
// the place and the value. A nil value is not compared.
func wantArg(t *testing.T, what string, err, kind error, arg string, index int, value any) {
	t.Helper()
	var a *kernels.ArgError
	switch {
	case !errors.As(err, &a):
		t.Errorf("%s: error %v; want an ArgError", what, err)
	case !errors.Is(err, kind):
		t.Errorf("%s: %v is not %q", what, err, kind)
	case a.Arg != arg || a.Index != index:
		t.Errorf("%s: %v blames %s[%d]; want %s[%d]", what, err, a.Arg, a.Index, arg, index)
	case value != nil && fmt.Sprint(a.Value) != fmt.Sprint(value):
		t.Errorf("%s: %v gives the value %v; want %v", what, err, a.Value, value)
	case err.Error() == "":
		t.Errorf("%s: no message", what)
	}
}

// arguments are those of a call that is right, of 2 samples, 3 classes and 20
// positions under softmax, for a test to spoil.
type arguments struct {
	x, dx   []float32
	dense   []float32
	labels  []int32
	weights []float32
	target  kernels.Target
	value   kernels.Value
	grad    kernels.Grad
}

var argumentsSpec = kernels.Spec{N: 2, C: 3, S: 20, Activation: kernels.Softmax}

func rightArguments(t *testing.T, plan *kernels.Plan[float32]) *arguments {
	t.Helper()
	a := &arguments{
		x: make([]float32, 120), dx: make([]float32, 120), dense: make([]float32, 120),
		labels: make([]int32, 40), weights: filled[float32](40, 1), grad: once,
	}
	for i := range a.x {
		a.x[i], a.dx[i] = float32(i%7)-3, float32(i)+0.5
	}
	for i := range a.labels {
		a.labels[i] = int32(i % 3)
	}
	a.target = kernels.Labels(a.labels)
	var err error
	if a.value, err = plan.Forward(context.Background(), a.x, a.target); err != nil {
		t.Fatal(err)
	}
	return a
}

var badCalls = []struct {
	name  string
	spoil func(a *arguments)
	kind  error
	arg   string
	index int
	value any
	onlyB bool // an argument that only Backward has
}{
	{"short x", func(a *arguments) { a.x = a.x[1:] }, kernels.ErrShape, "x", -1, 119, false},
	{"long x", func(a *arguments) { a.x = append(a.x, 0) }, kernels.ErrShape, "x", -1, 121, false},
	{"no x", func(a *arguments) { a.x = nil }, kernels.ErrShape, "x", -1, 0, false},
	{"short dx", func(a *arguments) { a.dx = a.dx[1:] }, kernels.ErrShape, "dx", -1, 119, true},
	{"no dx", func(a *arguments) { a.dx = nil }, kernels.ErrShape, "dx", -1, 0, true},
	{"no target", func(a *arguments) { a.target = kernels.Target{} }, kernels.ErrShape, "t", -1, nil, false},
	{"weights alone", func(a *arguments) { a.target = kernels.Target{}.Weights(a.weights) }, kernels.ErrShape, "t", -1, nil, false},
	{"short dense", func(a *arguments) { a.target = kernels.Dense(a.dense[1:]) }, kernels.ErrShape, "t.Dense", -1, 119, false},
	{"short dense64", func(a *arguments) { a.target = kernels.Dense(make([]float64, 119)) }, kernels.ErrShape, "t.Dense", -1, 119, false},
	{"nil dense", func(a *arguments) { a.target = kernels.Dense[float32](nil) }, kernels.ErrShape, "t.Dense", -1, 0, false},
	{"nil dense64", func(a *arguments) { a.target = kernels.Dense[float64](nil) }, kernels.ErrShape, "t.Dense", -1, 0, false},
	{"short labels", func(a *arguments) { a.target = kernels.Labels(a.labels[1:]) }, kernels.ErrShape, "t.Labels", -1, 39, false},
	{"labels of every element", func(a *arguments) { a.target = kernels.Labels(make([]uint8, 120)) }, kernels.ErrShape, "t.Labels", -1, 120, false},
	{"nil labels", func(a *arguments) { a.target = kernels.Labels[int64](nil) }, kernels.ErrShape, "t.Labels", -1, 0, false},
	{"short weights", func(a *arguments) { a.target = a.target.Weights(a.weights[1:]) }, kernels.ErrShape, "t.Weights", -1, 39, false},
	{"empty weights", func(a *arguments) { a.target = a.target.Weights([]float32{}) }, kernels.ErrShape, "t.Weights", -1, 0, false},
	{"empty mask", func(a *arguments) { a.target = a.target.Mask([]uint8{}) }, kernels.ErrShape, "t.Mask", -1, 0, false},
	{"short mask", func(a *arguments) { a.target = a.target.Mask(make([]uint8, 39)) }, kernels.ErrShape, "t.Mask", -1, 39, false},
	{"too many samples", func(a *arguments) { a.target = a.target.Sized(3, 20) }, kernels.ErrShape, "t.Sized", 0, 3, false},
	{"too many positions", func(a *arguments) { a.target = a.target.Sized(2, 21) }, kernels.ErrShape, "t.Sized", 1, 21, false},
	{"negative samples", func(a *arguments) { a.target = a.target.Sized(-1, 20) }, kernels.ErrShape, "t.Sized", 0, -1, false},
	{"negative positions", func(a *arguments) { a.target = a.target.Sized(2, -1) }, kernels.ErrShape, "t.Sized", 1, -1, false},
	{"Sized without fitting slices", func(a *arguments) { a.target = a.target.Sized(1, 20) }, kernels.ErrShape, "t.Labels", -1, 40, false},
	{"label 3 of 3 classes", func(a *arguments) { a.labels[17] = 3 }, kernels.ErrLabel, "t.Labels", 17, 3, false},
	{"label -1", func(a *arguments) { a.labels[39] = -1 }, kernels.ErrLabel, "t.Labels", 39, -1, false},
	{"the first of bad labels", func(a *arguments) { a.labels[38], a.labels[5], a.labels[21] = 9, 7, 8 }, kernels.ErrLabel, "t.Labels", 5, 7, false},
	{"uint8 label", func(a *arguments) {
		y := convert[uint8](a.labels)
		y[20] = 255
		a.target = kernels.Labels(y)
	}, kernels.ErrLabel, "t.Labels", 20, 255, false},
	{"int64 label", func(a *arguments) {
		y := convert[int64](a.labels)
		y[0] = math.MinInt64
		a.target = kernels.Labels(y)
	}, kernels.ErrLabel, "t.Labels", 0, math.MinInt64, false},
	{"int64 label with good low bits", func(a *arguments) {
		y := convert[int64](a.labels)
		y[3] = 1<<32 + 1
		a.target = kernels.Labels(y)
	}, kernels.ErrLabel, "t.Labels", 3, 1<<32 + 1, false},
	{"uint32 label", func(a *arguments) {
		y := convert[uint32](a.labels)
		y[9] = math.MaxUint32
		a.target = kernels.Labels(y)
	}, kernels.ErrLabel, "t.Labels", 9, math.MaxUint32, false},
	{"bad label of weight 1", func(a *arguments) {
		a.labels[30] = 5
		a.target = a.target.Weights(a.weights)
	}, kernels.ErrLabel, "t.Labels", 30, 5, false},
	{"negative weight", func(a *arguments) {
		a.weights[33] = -1e-40
		a.target = a.target.Weights(a.weights)
	}, kernels.ErrWeight, "t.Weights", 33, float32(-1e-40), false},
	{"NaN weight", func(a *arguments) {
		a.weights[0] = float32(nan)
		a.target = a.target.Weights(a.weights)
	}, kernels.ErrWeight, "t.Weights", 0, nan, false},
	{"infinite weight", func(a *arguments) {
		a.weights[39] = float32(inf)
		a.target = kernels.Dense(a.dense).Weights(a.weights)
	}, kernels.ErrWeight, "t.Weights", 39, inf, false},
	{"dx one element into x", func(a *arguments) {
		buf := make([]float32, 121)
		a.x, a.dx = buf[:120], buf[1:]
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"x one element into dx", func(a *arguments) {
		buf := make([]float32, 121)
		a.x, a.dx = buf[1:], buf[:120]
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"accumulate in place", func(a *arguments) {
		a.dx, a.grad.Accumulate = a.x, true
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx is the target", func(a *arguments) {
		a.target, a.dx = kernels.Dense(a.dense), a.dense
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx is part of the target", func(a *arguments) {
		buf := make([]float32, 239)
		a.target, a.dx = kernels.Dense(buf[:120]), buf[119:]
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and dense64 share memory", func(a *arguments) {
		buf := make([]float64, 120)
		a.target = kernels.Dense(buf)
		a.dx = unsafe.Slice((*float32)(unsafe.Pointer(&buf[60])), 120)
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and labels share memory", func(a *arguments) {
		a.dx = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(make([]int32, 120)))), 120)
		a.target = kernels.Labels(unsafe.Slice((*int32)(unsafe.Pointer(&a.dx[80])), 40))
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and uint8 labels share memory", func(a *arguments) {
		clear(a.dx)
		a.target = kernels.Labels(unsafe.Slice((*uint8)(unsafe.Pointer(&a.dx[110])), 40))
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and uint16 labels share memory", func(a *arguments) {
		clear(a.dx)
		a.target = kernels.Labels(unsafe.Slice((*uint16)(unsafe.Pointer(&a.dx[100])), 40))
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and int64 labels share memory", func(a *arguments) {
		buf := make([]int64, 60)
		a.dx = unsafe.Slice((*float32)(unsafe.Pointer(&buf[0])), 120)
		a.target = kernels.Labels(buf[20:])
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and weights share memory", func(a *arguments) {
		a.target = a.target.Weights(a.dx[80:])
	}, kernels.ErrAlias, "dx", -1, nil, true},
	{"dx and mask share memory", func(a *arguments) {
		a.target = a.target.Mask(unsafe.Slice((*uint8)(unsafe.Pointer(&a.dx[110])), 40))
	}, kernels.ErrAlias, "dx", -1, nil, true},
}

// targetCall is a call that takes a target. Some write to dx.
type targetCall struct {
	name   string
	run    func() error
	writes bool
}

func callsOf(plan *kernels.Plan[float32], a *arguments, sums *kernels.Sums) []targetCall {
	ctx := context.Background()
	return []targetCall{
		{"Backward", func() error { return plan.Backward(ctx, a.dx, a.x, a.target, a.value, a.grad) }, true},
		{"ForwardBackward", func() error {
			_, err := plan.ForwardBackward(ctx, a.dx, a.x, a.target, a.grad)
			return err
		}, true},
		{"Forward", func() error {
			_, err := plan.Forward(ctx, a.x, a.target)
			return err
		}, false},
		{"Reduce", func() error { return plan.Reduce(ctx, sums, 0, a.x, a.target) }, false},
		{"Confusion", func() error { return plan.Confusion(ctx, new(kernels.Confusion), a.x, a.target) }, false},
	}
}

// Every bad argument is refused by every call that takes it, before anything
// is written, and leaves nothing behind in the plan.
func TestBadArguments(t *testing.T) { onBackends(t, testBadArguments) }

func testBadArguments(t *testing.T) {
	l := mustParse(t, "dice + ce")
	for _, tt := range badCalls {
		for _, opts := range [][]kernels.Option{nil, manyUnits(1), manyUnits(7)} {
			plan := mustNew[float32](t, l, argumentsSpec, opts...)
			a := rightArguments(t, plan)
			want := a.value.Loss
			tt.spoil(a)
			x, dx := slices.Clone(a.x), slices.Clone(a.dx)
			sums := plan.NewSums(2)
			for _, call := range callsOf(plan, a, sums) {
				if tt.onlyB && !call.writes {
					continue
				}
				wantArg(t, tt.name+": "+call.name, call.run(), tt.kind, tt.arg, tt.index, tt.value)
				if different(a.x, x) >= 0 || different(a.dx, dx) >= 0 {
					t.Errorf("%s: %s wrote x or dx", tt.name, call.name)
				}
				if again := rightArguments(t, plan); again.value.Loss != want {
					t.Errorf("%s: loss %v after the error of %s; want %v", tt.name, again.value.Loss, call.name, want)
				}
			}
			if slices.IndexFunc(sums.Data(), func(v float64) bool { return v != 0 }) >= 0 {
				t.Errorf("%s: the sums were written", tt.name)
			}
		}
	}
}

func second(_ kernels.Value, err error) error { return err }

// Weights and a mask that are nil are none, whatever the target had before.
func TestNilWeightsAndMask(t *testing.T) { onBackends(t, testNilWeightsAndMask) }

func testNilWeightsAndMask(t *testing.T) {
	plan := mustNew[float32](t, mustParse(t, "dice + ce"), argumentsSpec)
	a := rightArguments(t, plan)
	loss, dx := a.value.Loss, make([]float32, 120)
	if _, err := plan.ForwardBackward(context.Background(), dx, a.x, a.target, once); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]kernels.Target{
		"nil weights":  a.target.Weights(nil),
		"nil mask":     a.target.Mask(nil),
		"both":         a.target.Mask(nil).Weights(nil).Sized(2, 20),
		"taken back":   a.target.Weights(make([]float32, 40)).Mask(make([]uint8, 40)).Weights(nil).Mask(nil),
		"weights of 1": a.target.Weights(a.weights).Mask(nil),
	} {
		v, err := plan.ForwardBackward(context.Background(), a.dx, a.x, target, once)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameBits(t, name, v.Loss, a.dx, loss, dx)
	}
}

// With several workers the first of many bad positions is still the one blamed.
func TestFirstBadPosition(t *testing.T) { onBackends(t, testFirstBadPosition) }

func testFirstBadPosition(t *testing.T) {
	plan := mustNew[float64](t, mustParse(t, "dice"), kernels.Spec{N: 3, C: 2, S: 500}, kernels.WithThresholds(4, 4, 4, 0), kernels.WithWorkers(7))
	x := make([]float64, 3000)
	for _, first := range []int{0, 3, 499, 500, 777, 1499} {
		y := make([]uint8, 1500)
		for i := first; i < len(y); i++ {
			y[i] = uint8(2 + i%200)
		}
		for range 5 {
			_, err := plan.Forward(context.Background(), x, kernels.Labels(y))
			wantArg(t, "many bad labels", err, kernels.ErrLabel, "t.Labels", first, y[first])
		}
	}
}

// In whatever order workers find them.
func TestFirstBadOfWorkers(t *testing.T) {
	for _, found := range [][]int64{{5, 9, 7}, {9, 7, 5}, {9, 5, 7}, {5, 5}, {0, 1}, {1, 0}} {
		if got, want := kernels.FirstBad(found...), slices.Min(found); got != want {
			t.Errorf("of %v the first is %v", found, got)
		}
	}
}

// Labels of every type are searched before they become bytes: the ends of the type, and
// what a byte would hold otherwise. Its usual ignore index may be one of them.
func TestBadLabelsOfEveryType(t *testing.T) { onBackends(t, testBadLabelsOfEveryType) }

func testBadLabelsOfEveryType(t *testing.T) {
	for _, classes := range []int{1, 3, 130, 256} {
		spec := kernels.Spec{N: 1, C: classes, S: 70}
		x, dx, y := make([]float32, 70*classes), filled[float32](70*classes, 7), make([]int64, 70)
		for _, l := range labelTypes {
			plan := mustNew[float32](t, mustParse(t, "dice"), spec, kernels.WithIgnore(l.ignored))
			for _, label := range []int64{l.least, l.most, -1, -128, -100, 255, 256, 300, 1<<16 - 1, 1 << 16, 1<<32 - 1, 1 << 32, int64(max(classes, 2))} {
				if !l.holds(label) {
					continue
				}
				y[66] = label
				_, err := plan.ForwardBackward(context.Background(), dx, x, l.make(y), kernels.Grad{})
				if label == l.ignored || label >= 0 && label < int64(max(classes, 2)) {
					if err != nil {
						t.Errorf("%d classes: label %d of %s: %v", classes, label, l.name, err)
					}
					copy(dx, filled[float32](len(dx), 7))
					continue
				}
				wantArg(t, l.name, err, kernels.ErrLabel, "t.Labels", 66, label)
				if n := different(dx, filled[float32](len(dx), 7)); n >= 0 {
					t.Errorf("%d classes: label %d of %s: dx[%d] was written", classes, label, l.name, n)
				}
			}
		}
	}
}

// An ignore index has nothing to ignore in a dense target, which must not go unnoticed:
// every call that takes a target says so, before it writes anything.
func TestIgnoreBesideDense(t *testing.T) { onBackends(t, testIgnoreBesideDense) }

func testIgnoreBesideDense(t *testing.T) {
	plan := mustNew[float32](t, mustParse(t, "dice + ce"), argumentsSpec, kernels.WithIgnore(-100))
	a := rightArguments(t, plan)
	x, dx := slices.Clone(a.x), slices.Clone(a.dx)
	for _, dense := range []kernels.Target{kernels.Dense(a.dense), kernels.Dense(make([]float64, 120)), kernels.Dense(a.dense).Weights(a.weights)} {
		a.target = dense
		for _, c := range callsOf(plan, a, plan.NewSums(2)) {
			err := c.run()
			wantArg(t, c.name, err, kernels.ErrOption, "t", -1, "dense")
			for _, want := range []string{"ignore index -100", "Mask", "Weights"} {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v; want %q in it", c.name, err, want)
				}
			}
			if different(a.x, x) >= 0 || different(a.dx, dx) >= 0 {
				t.Errorf("%s wrote x or dx", c.name)
			}
		}
	}
}

// With one class the labels are 0 and 1.
func TestLabelsOfOneClass(t *testing.T) { onBackends(t, testLabelsOfOneClass) }

func testLabelsOfOneClass(t *testing.T) {
	plan := mustNew[float64](t, mustParse(t, "dice"), kernels.Spec{N: 1, C: 1, S: 3})
	x := []float64{1, 0, 1}
	v, err := plan.Forward(context.Background(), x, kernels.Labels([]uint8{1, 0, 1}))
	if err != nil || v.Loss != 0 {
		t.Errorf("loss %v, %v; want 0", v.Loss, err)
	}
	_, err = plan.Forward(context.Background(), x, kernels.Labels([]uint8{1, 0, 2}))
	wantArg(t, "label 2 of one class", err, kernels.ErrLabel, "t.Labels", 2, 2)
}

// What is wrong at a position that does not exist is no error.
func TestBadWhereNothingExists(t *testing.T) { onBackends(t, testBadWhereNothingExists) }

func testBadWhereNothingExists(t *testing.T) {
	l := mustParse(t, "dice + ce")
	plan := mustNew[float32](t, l, argumentsSpec, kernels.WithIgnore(255))
	a := rightArguments(t, plan)
	a.labels[7] = -9
	a.weights[7] = 0
	mask := []uint8{7: 0, 39: 1}
	for i := range mask {
		if i != 7 {
			mask[i] = 1
		}
	}
	for _, target := range []kernels.Target{a.target.Weights(a.weights), a.target.Mask(mask)} {
		if _, err := plan.Forward(context.Background(), a.x, target); err != nil {
			t.Error(err)
		}
	}
	a.labels[7] = 255
	if _, err := plan.Forward(context.Background(), a.x, a.target); err != nil {
		t.Errorf("the ignore index: %v", err)
	}
}

func TestStaleValue(t *testing.T) { onBackends(t, testStaleValue) }

func testStaleValue(t *testing.T) {
	ctx := context.Background()
	l := mustParse(t, "dice + ce")
	plan, other := mustNew[float32](t, l, argumentsSpec), mustNew[float32](t, l, argumentsSpec)
	a := rightArguments(t, plan)
	kept := slices.Clone(a.dx)
	try := func(what string, p *kernels.Plan[float32], v kernels.Value) {
		t.Helper()
		wantArg(t, what, p.Backward(ctx, a.dx, a.x, a.target, v, once), kernels.ErrStale, "v", -1, v.Loss)
		if different(a.dx, kept) >= 0 {
			t.Errorf("%s: dx was written", what)
		}
	}
	try("no value", plan, kernels.Value{})
	try("another plan's value", other, a.value)
	if _, err := plan.Forward(ctx, a.x, a.target); err != nil {
		t.Fatal(err)
	}
	try("the value before the last", plan, a.value)
	sums := plan.NewSums(2)
	v, err := plan.Finish(sums, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Finish(sums, 0); err != nil {
		t.Fatal(err)
	}
	try("the sums' value before the last", plan, v)
}

func TestBadSums(t *testing.T) { onBackends(t, testBadSums) }

func testBadSums(t *testing.T) {
	ctx := context.Background()
	plan := mustNew[float32](t, mustParse(t, "dice + ce"), argumentsSpec)
	a := rightArguments(t, plan)
	other := mustNew[float32](t, mustParse(t, "dice + 2*bce"), argumentsSpec)
	fewer := argumentsSpec
	fewer.C = 2
	classes := mustNew[float32](t, mustParse(t, "dice + ce"), fewer)
	for name, s := range map[string]*kernels.Sums{"nil": nil, "another loss's": other.NewSums(2), "fewer classes'": classes.NewSums(2)} {
		wantArg(t, name+" sums to Reduce", plan.Reduce(ctx, s, 0, a.x, a.target), kernels.ErrShape, "s", -1, nil)
		_, err := plan.Finish(s, 0)
		wantArg(t, name+" sums to Finish", err, kernels.ErrShape, "s", -1, nil)
		wantArg(t, name+" sums to Add", plan.NewSums(2).Add(s), kernels.ErrShape, "o", -1, nil)
	}
	wantArg(t, "fewer rows", plan.NewSums(2).Add(plan.NewSums(1)), kernels.ErrShape, "o", -1, 1)
	s := plan.NewSums(4)
	for _, row := range []int{-1, 3, 5, math.MaxInt} {
		wantArg(t, "Reduce", plan.Reduce(ctx, s, row, a.x, a.target), kernels.ErrShape, "row", -1, row)
	}
	for _, row := range []int{-1, 5, math.MaxInt} {
		_, err := plan.Finish(s, row)
		wantArg(t, "Finish", err, kernels.ErrShape, "row", -1, row)
	}
	// The rows wanted and those there are stand in the message, also where none will do.
	for want, err := range map[string]error{
		"row = 0: wrong shape: want a row for each sample (2) from row 0 on; the sums have rows 0 … 0": plan.Reduce(ctx, plan.NewSums(1), 0, a.x, a.target),
		"row = 3: wrong shape: want a row for each sample (2) from row 3 on; the sums have rows 0 … 3": plan.Reduce(ctx, s, 3, a.x, a.target),
		"row = 0: wrong shape: want a row for each sample (2) from row 0 on; the sums have none":       plan.Reduce(ctx, plan.NewSums(-1), 0, a.x, a.target),
		"row = 5: wrong shape: want one of the rows; the sums have rows 0 … 3":                         second(plan.Finish(s, 5)),
		"row = -1: wrong shape: want one of the rows; the sums have none":                              second(plan.Finish(plan.NewSums(0), -1)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	// A value with coefficients for fewer samples than the gradient asks.
	if err := plan.Reduce(ctx, s, 2, a.x, a.target); err != nil {
		t.Fatal(err)
	}
	v, err := plan.Finish(s, 3)
	if err != nil {
		t.Fatal(err)
	}
	wantArg(t, "Backward", plan.Backward(ctx, a.dx, a.x, a.target, v, once), kernels.ErrShape, "t.Sized", 0, 2)
	for _, rows := range []int{-3, 0} {
		if n := len(plan.NewSums(rows).Data()); n != 0 {
			t.Errorf("%d rows have %d numbers", rows, n)
		}
	}
	for _, s := range []fmt.Stringer{s, (*kernels.Sums)(nil)} {
		if s.String() == "" {
			t.Error("no words for sums")
		}
	}
}

func TestBadPlans(t *testing.T) {
	good := kernels.Spec{N: 2, C: 3, S: 4}
	for _, tt := range []struct {
		name string
		expr string // "" for the zero Loss
		spec kernels.Spec
		opts []kernels.Option
		kind error
		arg  string
	}{
		{"no loss", "", good, nil, kernels.ErrOption, "l"},
		{"N < 0", "dice", kernels.Spec{N: -1, C: 1, S: 1}, nil, kernels.ErrShape, "s.N"},
		{"S < 0", "dice", kernels.Spec{N: 1, C: 1, S: -1}, nil, kernels.ErrShape, "s.S"},
		{"C = 0", "dice", kernels.Spec{N: 1, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"C < 0", "dice", kernels.Spec{N: 1, C: -5, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"N·C·S overflows", "dice", kernels.Spec{N: 1 << 30, C: 1 << 5, S: 1 << 30}, nil, kernels.ErrShape, "s"},
		{"N alone is too large", "dice", kernels.Spec{N: math.MaxInt, C: 1, S: 1}, nil, kernels.ErrShape, "s"},
		{"N is too large without positions", "dice", kernels.Spec{N: math.MaxInt, C: 1}, nil, kernels.ErrShape, "s"},
		{"S alone is too large", "dice", kernels.Spec{N: 1, C: 1, S: math.MaxInt}, nil, kernels.ErrShape, "s"},
		{"C alone is too large", "dice", kernels.Spec{N: 1, C: math.MaxInt, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"activation 3", "dice", kernels.Spec{N: 1, C: 1, S: 1, Activation: 3}, nil, kernels.ErrOption, "s.Activation"},
		{"layout 2", "dice", kernels.Spec{N: 1, C: 1, S: 1, Layout: 2}, nil, kernels.ErrOption, "s.Layout"},
		{"softmax of one class", "dice", kernels.Spec{N: 1, C: 1, S: 1, Activation: kernels.Softmax}, nil, kernels.ErrShape, "s.C"},
		{"ce of one class", "dice + ce", kernels.Spec{N: 1, C: 1, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"focal_ce of one class", "focal_ce", kernels.Spec{N: 1, C: 1, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"exp_log of one class", "exp_log", kernels.Spec{N: 1, C: 1, S: 1}, nil, kernels.ErrShape, "s.C"},
		{"no class left", "dice + iou(background=false)", kernels.Spec{N: 1, C: 1, S: 1}, nil, kernels.ErrOption, "l.Terms"},
		{"2 weights of 3", "bce + dice(weight=[1,2])", good, nil, kernels.ErrShape, "l.Terms"},
		{"4 weights of 3", "ce(weight=[1,2,3,4])", good, nil, kernels.ErrShape, "l.Terms"},
		{"1 frequency of 3", "exp_log_ce(freq=[1])", good, nil, kernels.ErrShape, "l.Terms"},
		{"2 pos_weights of 3", "bce(pos_weight=[1,2])", good, nil, kernels.ErrShape, "l.Terms"},
		{"clip 0", "dice", good, []kernels.Option{kernels.WithClip(0)}, kernels.ErrOption, "clip"},
		{"clip ½", "dice", good, []kernels.Option{kernels.WithClip(0.5)}, kernels.ErrOption, "clip"},
		{"clip -1", "dice", good, []kernels.Option{kernels.WithClip(-1)}, kernels.ErrOption, "clip"},
		{"clip NaN", "dice", good, []kernels.Option{kernels.WithClip(nan)}, kernels.ErrOption, "clip"},
		{"workers -1", "dice", good, []kernels.Option{kernels.WithWorkers(-1)}, kernels.ErrOption, "workers"},
		{"unknown backend", "dice", good, []kernels.Option{kernels.WithBackend("sse9")}, kernels.ErrBackend, "backend"},
	} {
		var l kernels.Loss
		if tt.expr != "" {
			l = mustParse(t, tt.expr)
		}
		index := -1
		if tt.arg == "l.Terms" {
			index = len(l.Terms()) - 1
		}
		p, err := kernels.New[float32](l, tt.spec, tt.opts...)
		wantArg(t, tt.name, err, tt.kind, tt.arg, index, nil)
		if p != nil {
			t.Errorf("%s: a plan in spite of the error", tt.name)
		}
	}
}

func TestBadCoefs(t *testing.T) { onBackends(t, testBadCoefs) }

func testBadCoefs(t *testing.T) {
	plan := mustNew[float32](t, mustParse(t, "dice + ce"), argumentsSpec)
	want := rightArguments(t, plan).value.Loss
	wantArg(t, "no coefficient", plan.SetCoefs(), kernels.ErrShape, "coef", -1, 0)
	wantArg(t, "too many", plan.SetCoefs(1, 2, 3), kernels.ErrShape, "coef", -1, 3)
	wantArg(t, "NaN", plan.SetCoefs(2, nan), kernels.ErrOption, "coef", 1, nan)
	wantArg(t, "Inf", plan.SetCoefs(-inf, 2), kernels.ErrOption, "coef", 0, -inf)
	if got := rightArguments(t, plan).value.Loss; got != want {
		t.Errorf("loss %v after errors; want %v", got, want)
	}
}

func TestParseNames(t *testing.T) {
	for _, a := range activations {
		if b, err := kernels.ParseActivation(a.String()); b != a || err != nil {
			t.Errorf("%v: %v, %v", a, b, err)
		}
	}
	for _, l := range layouts {
		if m, err := kernels.ParseLayout(l.String()); m != l || err != nil {
			t.Errorf("%v: %v, %v", l, m, err)
		}
	}
	_, err := kernels.ParseActivation("Softmax")
	wantArg(t, "activation", err, kernels.ErrOption, "activation", -1, "Softmax")
	_, err = kernels.ParseLayout("nchw")
	wantArg(t, "layout", err, kernels.ErrOption, "layout", -1, "nchw")
	if s := kernels.Activation(9).String() + kernels.Layout(9).String(); s != "unknownunknown" {
		t.Errorf("names of nothing: %q", s)
	}
}

// A nil context is one that is never cancelled.
func TestNilContext(t *testing.T) { onBackends(t, testNilContext) }

func testNilContext(t *testing.T) {
	plan := mustNew[float32](t, mustParse(t, "dice + ce"), argumentsSpec)
	a := rightArguments(t, plan)
	var none context.Context
	v, err := plan.ForwardBackward(none, a.dx, a.x, a.target, once)
	if err != nil || v.Loss != a.value.Loss {
		t.Errorf("loss %v, %v; want %v", v.Loss, err, a.value.Loss)
	}
}
