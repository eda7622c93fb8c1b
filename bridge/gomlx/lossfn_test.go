package gomlx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

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
	f, err := LossFn(loss, a, l)
	if err != nil {
		t.Fatal(err)
	}
	dims := []int{b.N, b.C, b.S}
	if l == kernels.NSC {
		dims = []int{b.N, b.S, b.C}
	}
	args := []any{tensors.FromFlatDataAndDimensions(x, dims...)}
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
	plan, err := kernels.New[float64](loss, kernels.Spec{N: b.N, C: b.C, S: b.S, Activation: a, Layout: l})
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

// Every loss with every option, under each activation: what GoMLX makes of its
// operations is the core's, within what float32 sums allow, and close in float64.
func testLossFn[T kernels.Float](t *testing.T, tolerance float64) {
	backend, b := newBackend(t), draw[T](2, 3, 15)
	labels := tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S)
	weights := tensors.FromFlatDataAndDimensions(b.weights, b.N, b.S)
	for _, expr := range expressions() {
		loss, err := kernels.Parse(expr)
		if err != nil {
			continue // a number that the option does not take
		}
		for _, a := range []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax} {
			t.Run(fmt.Sprintf("%s/%v", expr, a), func(t *testing.T) {
				x := append([]T(nil), b.X...)
				if a == kernels.None {
					for i, v := range x {
						x[i] = T(1 / (1 + math.Exp(float64(-v))))
					}
				}
				wantLoss, want := b.inCore(t, loss, a, kernels.NCS, x, kernels.Labels(b.labels).Weights(b.weights))
				got, dx := b.inOps(t, backend, loss, a, kernels.NCS, x, labels, weights)
				if !(math.Abs(got-wantLoss) <= tolerance*(1+math.Abs(wantLoss))) {
					t.Errorf("loss %v, want %v", got, wantLoss)
				}
				near(t, dx, want, tolerance)
			})
		}
	}
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
	t.Run("float32", func(t *testing.T) { testLossFn[float32](t, 2e-5) })
	t.Run("float64", func(t *testing.T) { testLossFn[float64](t, 1e-12) })
}

// Channels-last, dense targets, one class.
func TestLossFnShapes(t *testing.T) {
	backend, b := newBackend(t), draw[float64](2, 3, 15)
	loss := trial.Loss(t, "dice + ce")
	wantLoss, want := b.inCore(t, loss, kernels.Softmax, kernels.NSC, b.X, kernels.Labels(b.labels))
	got, dx := b.inOps(t, backend, loss, kernels.Softmax, kernels.NSC, b.X, tensors.FromFlatDataAndDimensions(b.labels, b.N, b.S))
	if math.Abs(got-wantLoss) > 1e-12 {
		t.Errorf("channels-last: loss %v, want %v", got, wantLoss)
	}
	near(t, dx, want, 1e-12)

	one := draw[float64](2, 1, 9)
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
