package gomlx

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/segloss/segloss/bridge/internal/trial"
	"github.com/segloss/segloss/kernels"
)

func newBackend(t testing.TB) compute.Backend {
	t.Helper()
	b, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// shift is a model that adds its input, which is 0, to a variable that starts as x:
// after a step of plain descent by 1, the variable has become x less the gradient.
func shift[T kernels.Float](b trial.Batch[T]) func(*model.Scope, any, []*graph.Node) []*graph.Node {
	return func(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
		x := scope.VariableWithValue("x", tensors.FromFlatDataAndDimensions(b.X, b.N, b.C, b.S))
		return []*graph.Node{graph.Add(x.NodeValue(in[0].Graph()), in[0])}
	}
}

func testStep[T kernels.Float](t *testing.T) {
	backend, store := newBackend(t), model.NewStore()
	b := trial.Draw[T](2, 3, 33)
	loss := trial.Loss(t, trial.Expr)
	wantLoss, want := b.Core(t, loss, 1)
	step, err := NewStep[T](backend, store, shift(b), optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(1).Done(),
		loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	zero := tensors.FromFlatDataAndDimensions(make([]T, len(b.X)), b.N, b.C, b.S)
	got, err := step.Train([]*tensors.Tensor{zero}, kernels.Dense(b.R))
	if err != nil {
		t.Fatal(err)
	}
	if got != wantLoss {
		t.Errorf("loss %v, want %v", got, wantLoss)
	}
	after := tensors.MustCopyFlatData[T](store.GetVariable("/x").MustValue())
	for i := range want {
		want[i] = b.X[i] - want[i]
	}
	trial.Same(t, after, want)
}

func TestStep(t *testing.T) {
	t.Run("float32", testStep[float32])
	t.Run("float64", testStep[float64])
}

// With dropout both forward passes must drop the same: a weight moves where the first
// kept its logit at 0 and the second lets the gradient through.
func TestDropout(t *testing.T) {
	backend, store := newBackend(t), model.NewStore()
	const n = 1000
	modelFn := func(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
		w := scope.VariableWithValue("w", make([]float32, 2*n))
		dropped := layers.DropoutStatic(scope, graph.OnesLike(graph.Reshape(w.NodeValue(in[0].Graph()), 1, 2, n)), 0.5)
		// A logit that was dropped is 40, where the gradient vanishes.
		logits := graph.MulScalar(graph.OneMinus(graph.DivScalar(dropped, 2)), 40)
		return []*graph.Node{graph.Add(graph.Add(logits, graph.Mul(graph.Reshape(w.NodeValue(in[0].Graph()), 1, 2, n), dropped)), in[0])}
	}
	step, err := NewStep[float32](backend, store, modelFn, optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(1).Done(),
		trial.Loss(t, "bce(reduction=sum)"), kernels.Sigmoid, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	zero := tensors.FromFlatDataAndDimensions(make([]float32, 2*n), 1, 2, n)
	r := make([]float32, 2*n)
	for i := range r {
		r[i] = 1
	}
	if _, err := step.Train([]*tensors.Tensor{zero}, kernels.Dense(r)); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, w := range tensors.MustCopyFlatData[float32](store.GetVariable("/w").MustValue()) {
		if w != 0 {
			moved++
			if math.Abs(float64(w)-1) > 1e-6 { // −(p − 1)·2 with p = ½
				t.Fatalf("w = %v, want 0 or 1", w)
			}
		}
	}
	// Half stay at logit 0 and move; with two masks, a quarter would.
	if moved < n*9/10 || moved > n*11/10 {
		t.Errorf("%d of %d weights moved, want about half", moved, 2*n)
	}
}

func TestStepErrors(t *testing.T) {
	b := trial.Draw[float32](1, 2, 3)
	step, err := NewStep[float32](newBackend(t), model.NewStore(), shift(b), optimizer.StochasticGradientDescent().Done(),
		trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	zero := tensors.FromFlatDataAndDimensions(make([]float32, 6), 1, 2, 3)
	if _, err := step.Train([]*tensors.Tensor{zero}, kernels.Labels([]uint8{0, 7, 0})); !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("label 7 of 2 classes: %v", err)
	}
	if _, err := step.Train([]*tensors.Tensor{zero}, kernels.Dense(make([]float32, 5))); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("short target: %v", err)
	}
}

// A step of a model whose loss is nearly all of its work, by either way.
func BenchmarkStep(b *testing.B) {
	batch := trial.Draw[float32](2, 4, 1<<14)
	loss := trial.Loss(b, trial.Expr)
	sgd := optimizer.StochasticGradientDescent().Done()
	zero := tensors.FromFlatDataAndDimensions(make([]float32, len(batch.X)), batch.N, batch.C, batch.S)
	dense := tensors.FromFlatDataAndDimensions(batch.R, batch.N, batch.C, batch.S)

	step, err := NewStep[float32](newBackend(b), model.NewStore(), shift(batch), sgd, loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		b.Fatal(err)
	}
	lossFn, err := LossFn(loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		b.Fatal(err)
	}
	trainer := train.NewTrainer(newBackend(b), model.NewStore(), train.ModelFn(shift(batch)), lossFn, sgd, nil, nil)
	for _, way := range []struct {
		ops   string
		train func() error
	}{
		{"segloss", func() error {
			_, err := step.Train([]*tensors.Tensor{zero}, kernels.Dense(batch.R))
			return err
		}},
		{"gomlx", func() error {
			x, err := zero.LocalClone()
			if err != nil {
				return err
			}
			r, err := dense.LocalClone()
			if err != nil {
				return err
			}
			_, err = trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{x}, Labels: []*tensors.Tensor{r}})
			return err
		}},
	} {
		b.Run(fmt.Sprintf("ops=%s/type=f32/n=%d", way.ops, len(batch.X)), func(b *testing.B) {
			b.SetBytes(int64(4 * len(batch.X)))
			for b.Loop() {
				if err := way.train(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
