package gomlx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train/loss"

	"github.com/segloss/segloss/bridge/internal/trial"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
)

// expressions are every loss that has a formula, with its defaults and with each of
// its options changed, and a few of two options.
func expressions() (list []string) {
	for _, info := range kernels.Losses() {
		if formulas[info.Name] == nil && info.Kind != "combination" {
			continue // LossFn says so; Step takes it
		}
		list = append(list, variants.Expressions(info, 3, func(kernels.OptionInfo) []string { return []string{"0.6", "1.5"} })...)
	}
	return append(list, "gdl(weight_type=simple, absent_weight=eps)", "focal(alpha=none)", "1e-3*bce + dice(smooth=1)")
}

// A formula must be of a loss that there is.
func TestFormulas(t *testing.T) {
	known := map[string]bool{}
	for _, info := range kernels.Losses() {
		known[info.Name] = true
	}
	for name := range formulas {
		if !known[name] {
			t.Errorf("a formula of %q, which is no loss of the list", name)
		}
	}
}

// sample is a batch of three classes, the last of which the second sample lacks.
type sample[T kernels.Float] struct {
	trial.Batch[T]
	labels  []int32
	weights []float32
	ignore  *int64
}

func (b sample[T]) options() (o []Option) {
	if b.ignore != nil {
		o = append(o, WithIgnore(*b.ignore))
	}
	return o
}

func draw[T kernels.Float](n, c, s int) sample[T] {
	b := sample[T]{Batch: trial.Draw[T](n, c, s)}
	for i := range n * s {
		y := i * 7 % c
		if i >= s && y == c-1 {
			y = 0
		}
		b.labels = append(b.labels, int32(y))
		b.weights = append(b.weights, float32(i%4)/2)
	}
	return b
}

// inOps is the loss and the gradient by GoMLX.
func (b sample[T]) inOps(t *testing.T, backend compute.Backend, loss kernels.Loss, a kernels.Activation, l kernels.Layout, x []T, labels ...*tensors.Tensor) (float64, []T) {
	t.Helper()
	f, err := LossFn(loss, a, l, b.options()...)
	if err != nil {
		t.Fatal(err)
	}
	dims := []int{b.N, b.C, b.S}
	if l == kernels.NSC {
		dims = []int{b.N, b.S, b.C}
	}
	return evaluate[T](t, backend, f, tensors.FromFlatDataAndDimensions(x, dims...), labels...)
}

// evaluate gives a loss and its gradient.
func evaluate[T kernels.Float](t *testing.T, backend compute.Backend, f loss.LossFn, x *tensors.Tensor, labels ...*tensors.Tensor) (float64, []T) {
	t.Helper()
	args := []any{x}
	for _, y := range labels {
		args = append(args, y)
	}
	exec, err := graph.NewExec(backend, func(in []*graph.Node) []*graph.Node {
		y := f(in[1:], in[:1])
		return []*graph.Node{y, graph.Gradient(y, in[0])[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	return float64(tensors.ToScalar[T](out[0])), tensors.MustCopyFlatData[T](out[1])
}

// inCore is that of package kernels, of the same elements in float64.
func (b sample[T]) inCore(t *testing.T, loss kernels.Loss, a kernels.Activation, l kernels.Layout, x []T, target kernels.Target) (float64, []float64) {
	t.Helper()
	var o []kernels.Option
	if b.ignore != nil {
		o = append(o, kernels.WithIgnore(*b.ignore))
	}
	plan, err := kernels.New[float64](loss, kernels.Spec{N: b.N, C: b.C, S: b.S, Activation: a, Layout: l}, o...)
	if err != nil {
		t.Fatal(err)
	}
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	dx := make([]float64, len(x))
	v, err := plan.ForwardBackward(context.Background(), dx, wide, target, kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	return v.Loss, dx
}

// agree holds what GoMLX makes of its operations to the core.
func (b sample[T]) agree(t *testing.T, backend compute.Backend, loss kernels.Loss, a kernels.Activation, l kernels.Layout, x []T, tolerance float64, target kernels.Target, labels ...*tensors.Tensor) {
	t.Helper()
	wantLoss, want := b.inCore(t, loss, a, l, x, target)
	got, dx := b.inOps(t, backend, loss, a, l, x, labels...)
	if !(math.Abs(got-wantLoss) <= tolerance*(1+math.Abs(wantLoss))) {
		t.Errorf("loss %v, want %v", got, wantLoss)
	}
	near(t, dx, want, tolerance)
}

// everyLoss runs a test of every loss with every option, under each activation; in a short
// run under one of them, which turns with the expression, from another one for each phase.
func everyLoss(t *testing.T, phase int, test func(*testing.T, kernels.Loss, kernels.Activation)) {
	for i, expr := range expressions() {
		loss, err := kernels.Parse(expr)
		if err != nil {
			continue // a number that the option does not take
		}
		for j, a := range []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax} {
			if testing.Short() && (i+phase)%3 != j {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", expr, a), func(t *testing.T) { test(t, loss, a) })
		}
	}
}

// under is the batch's prediction as an activation takes it.
func (b sample[T]) under(a kernels.Activation) []T {
	x := append([]T(nil), b.X...)
	if a == kernels.None {
		for i, v := range x {
			x[i] = T(1 / (1 + math.Exp(float64(-v))))
		}
	}
	return x
}

// With labels and weights, within what float32 sums allow, and close in float64.
func testLossFn[T kernels.Float](t *testing.T, phase int, tolerance float64) {
	backend, b := newBackend(t), draw[T](2, 3, 15)
	labels := tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S)
	weights := tensors.FromFlatDataAndDimensions(b.weights, b.N, b.S)
	everyLoss(t, phase, func(t *testing.T, loss kernels.Loss, a kernels.Activation) {
		b.agree(t, backend, loss, a, kernels.NCS, b.under(a), tolerance, kernels.Labels(b.labels).Weights(b.weights), labels, weights)
	})
}

// With a label to ignore and weights. Where there is no position, there are numbers that
// would make the loss NaN.
func testLossFnIgnore[T kernels.Float](t *testing.T, phase int, tolerance float64) {
	backend, b, ignore := newBackend(t), draw[T](2, 3, 15), int64(-100)
	b.ignore = &ignore
	for i := range b.labels {
		if i%5 == 0 {
			b.labels[i] = int32(ignore)
		} else if b.weights[i] == 0 {
			b.labels[i] = 77
		}
	}
	labels := tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S)
	weights := tensors.FromFlatDataAndDimensions(b.weights, b.N, b.S)
	everyLoss(t, phase, func(t *testing.T, loss kernels.Loss, a kernels.Activation) {
		x := b.under(a)
		for i := range x {
			if at := i/b.S/b.C*b.S + i%b.S; b.weights[at] == 0 || b.labels[at] == int32(ignore) {
				x[i] = T(math.NaN())
			}
		}
		b.agree(t, backend, loss, a, kernels.NCS, x, tolerance, kernels.Labels(b.labels).Weights(b.weights), labels, weights)
	})
}

func TestLossFnIgnore(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testLossFnIgnore[float32](t, 1, 2e-5) })
	t.Run("float64", func(t *testing.T) { testLossFnIgnore[float64](t, 2, 1e-12) })
}

// Labels of every type of integers, one of them to ignore, and weights of every kind.
func TestLossFnTypes(t *testing.T) {
	backend, b := newBackend(t), draw[float64](2, 3, 15)
	loss, ignore := trial.Loss(t, "dice + ce"), int64(2)
	b.ignore = &ignore
	mask := make([]uint8, len(b.labels))
	for i := range mask {
		mask[i] = uint8(i % 3 % 2)
	}
	wantLoss, want := b.inCore(t, loss, kernels.Softmax, kernels.NCS, b.X, kernels.Labels(b.labels).Mask(mask))
	as := func(values any, of dtypes.DType) *tensors.Tensor {
		return graph.MustExecOnce(backend, func(x *graph.Node) *graph.Node { return graph.Reshape(graph.ConvertDType(x, of), b.N, b.S) }, values)
	}
	for _, c := range []struct{ label, weight dtypes.DType }{
		{dtypes.Int8, dtypes.Bool}, {dtypes.Int16, dtypes.Uint8}, {dtypes.Int32, dtypes.Int64}, {dtypes.Int64, dtypes.Float32},
		{dtypes.Uint8, dtypes.Float64}, {dtypes.Uint16, dtypes.Bool}, {dtypes.Uint32, dtypes.Bool}, {dtypes.Uint64, dtypes.Bool},
	} {
		got, dx := b.inOps(t, backend, loss, kernels.Softmax, kernels.NCS, b.X, as(b.labels, c.label), as(mask, c.weight))
		if math.Abs(got-wantLoss) > 1e-12 {
			t.Errorf("labels of %v, weights of %v: loss %v, want %v", c.label, c.weight, got, wantLoss)
		}
		near(t, dx, want, 1e-12)
	}
}

// A value that cannot be used at a position that exists makes loss and gradient NaN,
// and none where there is no position.
func TestLossFnUnusable(t *testing.T) {
	backend := newBackend(t)
	b := draw[float32](1, 2, 3)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		a       kernels.Activation
		x, r, v float32 // at the second position, with the label below where r is -1
		label   int32
	}{
		"label below":                   {a: kernels.Softmax, r: -1, v: 1, label: -1},
		"label beyond":                  {a: kernels.Softmax, r: -1, v: 1, label: 2},
		"weight below 0":                {a: kernels.Softmax, r: -1, v: -1},
		"weight that is NaN":            {a: kernels.Softmax, r: -1, v: nan},
		"weight beyond all numbers":     {a: kernels.Softmax, r: -1, v: inf},
		"target below 0":                {a: kernels.Sigmoid, r: -0.25, v: 1},
		"target of 255":                 {a: kernels.Sigmoid, r: 255, v: 1},
		"target that is NaN":            {a: kernels.Softmax, r: nan, v: 1},
		"logit that is NaN":             {a: kernels.Softmax, x: nan, r: -1, v: 1},
		"probability that is NaN":       {a: kernels.None, x: nan, r: -1, v: 1},
		"probability and target of NaN": {a: kernels.None, x: nan, r: nan, v: 1},
	} {
		for _, expr := range []string{"dice", "ce", "bce(reduction=sum)", "focal + tversky"} {
			run := func(v float32) (float64, []float32) {
				x, weights := b.under(c.a), tensors.FromValue([][]float32{{1, v, 1}})
				if c.x != 0 {
					x[1] = c.x
				}
				target := tensors.FromValue([][]int32{{0, c.label, 1}})
				if c.r != -1 {
					target = tensors.FromFlatDataAndDimensions([]float32{1, c.r, 0, 0, 0, 1}, 1, 2, 3)
				}
				return b.inOps(t, backend, trial.Loss(t, expr), c.a, kernels.NCS, x, target, weights)
			}
			loss, dx := run(c.v)
			for i, d := range dx {
				if !math.IsNaN(loss) || !math.IsNaN(float64(d)) {
					t.Fatalf("%s, %s: loss %v, gradient[%d] = %v", name, expr, loss, i, d)
				}
			}
			if c.v != 1 {
				continue
			}
			loss, dx = run(0)
			for i, d := range dx {
				if math.IsNaN(loss) || i%3 == 1 && d != 0 || math.IsNaN(float64(d)) {
					t.Fatalf("%s, %s, weight 0: loss %v, gradient[%d] = %v", name, expr, loss, i, d)
				}
			}
		}
	}

	// With one class there are two labels.
	one := draw[float32](1, 1, 3)
	for label, wantNaN := range map[int32]bool{1: false, 2: true, -1: true} {
		loss, _ := one.inOps(t, backend, trial.Loss(t, "dice + bce"), kernels.Sigmoid, kernels.NCS, one.X, tensors.FromValue([][]int32{{0, label, 1}}))
		if math.IsNaN(loss) != wantNaN {
			t.Errorf("label %d of one class: loss %v", label, loss)
		}
	}
}

// With a target of parts of classes, and predictions that are equal to it.
func TestLossFnSoft(t *testing.T) {
	backend, b := newBackend(t), draw[float64](2, 3, 15)
	for i := range b.R {
		b.R[i] = float64(i*i%9) / 8
	}
	b.X[2], b.X[7] = 0, 0 // where the target is a half
	dense := tensors.FromFlatDataAndDimensions(b.R, b.N, b.C, b.S)
	everyLoss(t, 0, func(t *testing.T, loss kernels.Loss, a kernels.Activation) {
		b.agree(t, backend, loss, a, kernels.NCS, b.under(a), 1e-12, kernels.Dense(b.R), dense)
	})
}

// near holds a gradient to a part of its largest element.
func near[T kernels.Float](t *testing.T, got []T, want []float64, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tolerance*largest) {
			t.Fatalf("gradient[%d] = %v, want %v; the largest is %v", i, got[i], w, largest)
		}
	}
}

func TestLossFn(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testLossFn[float32](t, 0, 2e-5) })
	t.Run("float64", func(t *testing.T) { testLossFn[float64](t, 1, 1e-12) })
}

// sure is a prediction that is sure of the label, or of another class, by the given
// spread of the logits: right or wrong everywhere, or mixed, each at a third of the
// positions.
func (b sample[T]) sure(a kernels.Activation, how string, spread float64) []T {
	down, up := -spread, spread
	switch a {
	case kernels.Softmax:
		down, up = -spread/2, spread/2
	case kernels.None: // within the clip
		down, up = 0x1p-24, 1-0x1p-24
	}
	x := b.under(a)
	for i := range x {
		n, c, s := i/b.S/b.C, i/b.S%b.C, i%b.S
		y, third := int(b.labels[n*b.S+s]), s/3%3
		if how == "wrong" || how == "mixed" && third == 1 {
			y = (y + 1) % b.C
		}
		switch {
		case how == "mixed" && third == 2:
		case c == y:
			x[i] = T(up)
		case a == kernels.None:
			x[i] = T(down)
		default:
			x[i] = T(down + float64(c)/4) // the other classes differ
		}
	}
	return x
}

// Where nothing but the smaller of p and q has digits left. In float32 a spread of 100
// takes the gradients of single positions below its range, beside others that are not.
func testSure[T kernels.Float](t *testing.T, phase int, tolerance float64, spreads map[string]float64) {
	backend, b := newBackend(t), draw[T](2, 3, 18)
	labels := tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S)
	for how, spread := range spreads {
		t.Run(how, func(t *testing.T) {
			everyLoss(t, phase, func(t *testing.T, loss kernels.Loss, a kernels.Activation) {
				b.agree(t, backend, loss, a, kernels.NCS, b.sure(a, how, spread), tolerance, kernels.Labels(b.labels), labels)
			})
		})
	}
}

func TestLossFnSure(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		testSure[float32](t, 2, 5e-5, map[string]float64{"right": 30, "mixed": 100})
	})
	t.Run("float64", func(t *testing.T) {
		testSure[float64](t, 1, 1e-12, map[string]float64{"right": 200, "wrong": 200})
	})
}

// Channels-last, two axes, dense targets, one class, nothing at all.
func TestLossFnShapes(t *testing.T) {
	backend, b := newBackend(t), draw[float64](2, 3, 15)
	loss := trial.Loss(t, "dice + ce")
	wantLoss, want := b.inCore(t, loss, kernels.Softmax, kernels.NSC, b.X, kernels.Labels(b.labels))
	got, dx := b.inOps(t, backend, loss, kernels.Softmax, kernels.NSC, b.X, tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S))
	if math.Abs(got-wantLoss) > 1e-12 {
		t.Errorf("channels-last: loss %v, want %v", got, wantLoss)
	}
	near(t, dx, want, 1e-12)

	one := draw[float64](1, 3, 15)
	for layout, dims := range map[kernels.Layout][]int{kernels.NCS: {3, 15}, kernels.NSC: {15, 3}} {
		wantLoss, want = one.inCore(t, loss, kernels.Softmax, layout, one.X, kernels.Labels(one.labels))
		f, err := LossFn(loss, kernels.Softmax, layout)
		if err != nil {
			t.Fatal(err)
		}
		got, dx = evaluate[float64](t, backend, f, tensors.FromFlatDataAndDimensions(one.X, dims...), tensors.FromValue(one.labels))
		if math.Abs(got-wantLoss) > 1e-12 {
			t.Errorf("two axes, %v: loss %v, want %v", layout, got, wantLoss)
		}
		near(t, dx, want, 1e-12)
	}

	f, err := LossFn(loss, kernels.Softmax, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range [][2]int{{2, 0}, {0, 6}} { // samples and positions
		nothing, none := shapes.Make(dtypes.Float64, n[0], 3, n[1]), shapes.Make(dtypes.Int32, n[0], n[1])
		if got, dx := evaluate[float64](t, backend, f, tensors.FromShape(nothing), tensors.FromShape(none)); got != 0 || len(dx) != 0 {
			t.Errorf("nothing: loss %v, gradient %v", got, dx)
		}
	}

	one = draw[float64](2, 1, 9)
	loss = trial.Loss(t, trial.Expr)
	wantLoss, want = one.inCore(t, loss, kernels.Sigmoid, kernels.NCS, one.X, kernels.Dense(one.R))
	got, dx = one.inOps(t, backend, loss, kernels.Sigmoid, kernels.NCS, one.X, tensors.FromFlatDataAndDimensions(one.R, 2, 1, 9))
	if math.Abs(got-wantLoss) > 1e-12 {
		t.Errorf("dense: loss %v, want %v", got, wantLoss)
	}
	near(t, dx, want, 1e-12)
}

type mine struct{}

func (mine) Name() string                         { return "mine" }
func (mine) Eval(_, _ []kernels.Cell) (l float64) { return 0 }

func TestLossFnErrors(t *testing.T) {
	backend, b := newBackend(t), draw[float32](2, 3, 6)
	f, err := LossFn(trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS, WithIgnore(255))
	if err != nil {
		t.Fatal(err)
	}
	_, err = graph.CallOnce(backend, func(in []*graph.Node) *graph.Node { return f(in[1:], in[:1]) },
		tensors.FromFlatDataAndDimensions(b.X, 2, 3, 6), tensors.FromFlatDataAndDimensions(b.R, 2, 3, 6))
	if !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: %v", err)
	}
	if _, err := LossFn(kernels.Loss{}, kernels.Softmax, kernels.NCS); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("no loss: %v", err)
	}
	own, err := kernels.Parse("dice + mine", mine{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LossFn(own, kernels.Softmax, kernels.NCS); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("a region of the caller's: %v", err)
	}
}

// What does not fit comes back from the executor, and says which argument it is.
func TestLossFnMisfits(t *testing.T) {
	backend := newBackend(t)
	ints := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtypes.Int32, dims...)) }
	floats := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtypes.Float32, dims...)) }
	double := tensors.FromShape(shapes.Make(dtypes.Float64, 2, 3, 6))
	for _, c := range []struct {
		expr string
		a    kernels.Activation
		l    kernels.Layout
		args []any // the prediction and the labels
		want string
	}{
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6)}, ""},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 4, 5), ints(2, 4, 5), floats(2, 4, 5)}, ""},
		{"ce", kernels.Softmax, kernels.NSC, []any{floats(2, 4, 5, 3), ints(2, 4, 5), floats(2, 4, 5)}, ""},
		{"bce", kernels.Sigmoid, kernels.NSC, []any{floats(2, 4, 5, 3), floats(2, 4, 5, 3)}, ""},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(3, 6), ints(6), floats(6)}, ""},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 0), ints(2, 0), floats(2, 0)}, ""},
		{"ce", kernels.Softmax, kernels.NSC, []any{floats(0, 6, 3), ints(0, 6)}, ""},
		{"ce", kernels.Softmax, kernels.NSC, []any{floats(6, 3), ints(6), floats(6)}, ""},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(6, 3), ints(6)}, "labels[0] = (Int32)[6]: wrong shape: want (Int32)[3] for"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(), ints()}, "shape = []"},
		{"dice", kernels.None, kernels.NCS, []any{ints(2, 3, 6), ints(2, 6)}, "predictions[0] = (Int32)[2, 3, 6]: wrong shape: want floats"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 1)}, "labels[0] = (Int32)[2, 1]: wrong shape: want (Int32)[2, 6] for"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(6, 2)}, "labels[0] = (Int32)[6, 2]"},
		{"ce", kernels.Softmax, kernels.NSC, []any{floats(2, 3, 6), ints(2, 6)}, "labels[0] = (Int32)[2, 6]: wrong shape: want (Int32)[2, 3]"},
		{"bce", kernels.Sigmoid, kernels.NCS, []any{floats(2, 3, 6), floats(2, 6, 3)}, "labels[0] = (Float32)[2, 6, 3]: wrong shape: want (Float32)[2, 3, 6]"},
		{"bce", kernels.Sigmoid, kernels.NCS, []any{floats(2, 3, 6), floats(2, 3, 1)}, "labels[0] = (Float32)[2, 3, 1]"},
		{"bce", kernels.Sigmoid, kernels.NCS, []any{floats(2, 3, 6), double}, "labels[0] = (Float64)[2, 3, 6]: wrong shape: want (Float32)"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6), floats(2, 1)}, "labels[1] = (Float32)[2, 1]"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6), floats(2, 3, 6)}, "labels[1] = (Float32)[2, 3, 6]"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6)}, "labels = 0"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6), floats(2, 6), floats(2, 6)}, "labels = 3"},
		{"ce", kernels.Softmax, kernels.NCS, []any{floats(2), ints(2)}, "shape = [2]"},
		{"dice", kernels.Softmax, kernels.NCS, []any{floats(2, 1, 6), ints(2, 6)}, "s.C = 1"},
		{"ce", kernels.Sigmoid, kernels.NCS, []any{floats(2, 1, 6), ints(2, 6)}, "s.C = 1"},
		{"dice(weight=[1,2])", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6)}, "weight has 2 numbers, want one for each of 3"},
		{"ce(weight=[5])", kernels.Softmax, kernels.NCS, []any{floats(2, 3, 6), ints(2, 6)}, "weight has 1 numbers"},
	} {
		f, err := LossFn(trial.Loss(t, c.expr), c.a, c.l)
		if err != nil {
			t.Fatal(err)
		}
		exec, err := graph.NewExec(backend, func(in []*graph.Node) *graph.Node { return f(in[1:], in[:1]) })
		if err != nil {
			t.Fatal(err)
		}
		var arg *kernels.ArgError
		switch _, err := exec.Call(c.args...); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.expr, err)
		case c.want != "" && (!errors.Is(err, kernels.ErrShape) || !errors.As(err, &arg) || !strings.Contains(arg.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.expr, err, c.want)
		}
	}
}
