package gomlx

import (
	"bytes"
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

// descent by 1 leaves a variable that starts at 0 as the gradient with its sign changed,
// to the last bit.
func descent() optimizer.Interface {
	return optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(1).Done()
}

// shift is a model that adds a variable of zeros to its input.
func shift[T kernels.Float](b trial.Batch[T]) train.ModelFn {
	return func(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
		w := scope.VariableWithValue("w", tensors.FromFlatDataAndDimensions(make([]T, len(b.X)), b.N, b.C, b.S))
		return []*graph.Node{graph.Add(w.NodeValue(in[0].Graph()), in[0])}
	}
}

const weighted = "3*dice(smooth=1) + 0.5*bce"

// inOps is that loss once more, with sigmoid, in operations of GoMLX alone.
func inOps(labels, predictions []*graph.Node) *graph.Node {
	r, x := labels[0], predictions[0]
	p := graph.Sigmoid(x)
	over := func(x *graph.Node) *graph.Node { return graph.AddScalar(graph.ReduceSum(x, 2), 1) }
	hit := over(graph.MulScalar(graph.Mul(p, r), 2))
	dice := graph.ReduceAllMean(graph.OneMinus(graph.Div(hit, over(graph.Add(p, r)))))
	bce := graph.ReduceAllMean(graph.Sub(graph.Softplus(x), graph.Mul(r, x)))
	return graph.Add(graph.MulScalar(dice, 3), graph.MulScalar(bce, 0.5))
}

// A step's gradient is the core's bit for bit, and that of GoMLX's autodiff.
func testStep[T kernels.Float](t *testing.T) {
	backend, b := newBackend(t), trial.Draw[T](2, 3, 33)
	loss := trial.Loss(t, weighted)
	x := tensors.FromFlatDataAndDimensions(b.X, b.N, b.C, b.S)
	r := tensors.FromFlatDataAndDimensions(b.R, b.N, b.C, b.S)
	after := func(store *model.Store) []T {
		w := tensors.MustCopyFlatData[T](store.GetVariable("/w").MustValue())
		for i := range w {
			w[i] = -w[i]
		}
		return w
	}

	store := model.NewStore()
	step, err := NewStep[T](backend, store, shift(b), descent(), loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	wantLoss, want := b.Core(t, loss, 1)
	got, err := step.Train([]*tensors.Tensor{x}, kernels.Dense(b.R))
	if err != nil {
		t.Fatal(err)
	}
	if got != wantLoss {
		t.Errorf("loss %v, want %v", got, wantLoss)
	}
	trial.Same(t, after(store), want)

	store = model.NewStore()
	trainer := train.NewTrainer(backend, store, shift(b), inOps, descent(), nil, nil)
	if _, err := trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{x}, Labels: []*tensors.Tensor{r}}); err != nil {
		t.Fatal(err)
	}
	trial.Near(t, want, after(store))
}

func TestStep(t *testing.T) {
	t.Run("float32", testStep[float32])
	t.Run("float64", testStep[float64])
}

// counter is a linear model of two features, [N, S, 2] to [N, S, 2], that counts its
// passes in training, and those of 4 positions apart.
func counter(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
	g := in[0].Graph()
	count := func(name string) {
		v := scope.VariableWithValue(name, float32(0)).SetTrainable(false)
		if scope.Store().IsTraining(g) {
			v.SetNodeValue(graph.AddScalar(v.NodeValue(g), 1))
		}
	}
	count("passes")
	if in[0].Shape().Dim(1) == 4 {
		count("of four")
	}
	w := scope.VariableWithValue("w", [][]float32{{1, 2}, {3, -1}})
	return []*graph.Node{graph.Einsum("nsf,fc->nsc", in[0], w.NodeValue(g))}
}

// newCounter is a step of it, with what trains it on some positions of one label, and
// what reads a count.
func newCounter(t *testing.T) (step *Step[float32], train func(s int, label uint8) error, count func(name string) float32) {
	t.Helper()
	store := model.NewStore()
	step, err := NewStep[float32](newBackend(t), store, counter, descent(), trial.Loss(t, "ce"), kernels.Softmax, kernels.NSC)
	if err != nil {
		t.Fatal(err)
	}
	train = func(s int, label uint8) error {
		x := tensors.FromFlatDataAndDimensions(make([]float32, 2*s), 1, s, 2)
		_, err := step.Train([]*tensors.Tensor{x}, kernels.Labels(bytes.Repeat([]byte{label}, s)))
		return err
	}
	count = func(name string) float32 { return tensors.ToScalar[float32](store.GetVariable(name).MustValue()) }
	return step, train, count
}

// A model changes its variables once a step, whichever graph it is in, and not at all
// in a step that failed.
func TestStepState(t *testing.T) {
	_, train, count := newCounter(t)
	if err := train(8, 9); !errors.Is(err, kernels.ErrLabel) {
		t.Fatalf("label 9 of 2 classes: %v", err)
	}
	if n := count("/passes"); n != 0 {
		t.Errorf("%v passes after a step that failed", n)
	}
	for i, s := range []int{8, 4, 4, 4} {
		if err := train(s, 0); err != nil {
			t.Fatal(err)
		}
		if n := count("/passes"); n != float32(i+1) {
			t.Errorf("%v passes after %d steps", n, i+1)
		}
	}
	if n := count("/of four"); n != 3 {
		t.Errorf("%v passes of four positions, want 3", n)
	}
}

// The trainer's setting is the only limit to the number of shapes.
func TestStepShapes(t *testing.T) {
	step, run, _ := newCounter(t)
	step.Trainer().OnExecCreation(func(e *model.Exec, _ train.GraphType) { e.SetMaxCache(-1) })
	for s := 1; s <= 40; s++ {
		if err := run(s, 0); err != nil {
			t.Fatalf("shape %d: %v", s, err)
		}
	}
	if n := step.Trainer().GlobalStep(); n != 40 {
		t.Errorf("global step %d, want 40", n)
	}
}

// The inputs stay the caller's.
func TestStepInputs(t *testing.T) {
	b := trial.Draw[float32](1, 2, 3)
	step, err := NewStep[float32](newBackend(t), model.NewStore(), shift(b), descent(), trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromFlatDataAndDimensions(b.X, b.N, b.C, b.S)
	for range 2 {
		if _, err := step.Train([]*tensors.Tensor{x}, kernels.Dense(b.R)); err != nil {
			t.Fatal(err)
		}
	}
	trial.Same(t, tensors.MustCopyFlatData[float32](x), b.X)
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
	step, err := NewStep[float32](backend, store, modelFn, descent(), trial.Loss(t, "bce(reduction=sum)"), kernels.Sigmoid, kernels.NCS)
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
	backend, b := newBackend(t), trial.Draw[float32](1, 2, 3)
	step, err := NewStep[float32](backend, model.NewStore(), shift(b), descent(), trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
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
	ignoring, err := NewStep[float32](backend, model.NewStore(), shift(b), descent(), trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS, kernels.WithIgnore(255))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ignoring.Train([]*tensors.Tensor{zero}, kernels.Dense(make([]float32, 6))); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: %v", err)
	}

	wide, err := NewStep[float64](backend, model.NewStore(), shift(b), descent(), trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wide.Train([]*tensors.Tensor{zero}, kernels.Labels([]uint8{0, 1, 0}))
	if !errors.Is(err, kernels.ErrShape) || err.Error() != "segloss: modelFn[0] = Float32: wrong shape: the prediction's type, want Float64" {
		t.Errorf("a model of another type: %v", err)
	}
}

// A step of a model whose loss is nearly all of its work, by either way.
func BenchmarkStep(b *testing.B) {
	batch := trial.Draw[float32](2, 4, 1<<14)
	loss := trial.Loss(b, trial.Expr)
	sgd := optimizer.StochasticGradientDescent().Done()
	logits := tensors.FromFlatDataAndDimensions(batch.X, batch.N, batch.C, batch.S)
	dense := tensors.FromFlatDataAndDimensions(batch.R, batch.N, batch.C, batch.S)

	step, err := NewStep[float32](newBackend(b), model.NewStore(), shift(batch), sgd, loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		b.Fatal(err)
	}
	lossFn, err := LossFn(loss, kernels.Sigmoid, kernels.NCS)
	if err != nil {
		b.Fatal(err)
	}
	trainer := train.NewTrainer(newBackend(b), model.NewStore(), shift(batch), lossFn, sgd, nil, nil)
	for _, way := range []struct {
		ops   string
		train func() error
	}{
		{"segloss", func() error {
			_, err := step.Train([]*tensors.Tensor{logits}, kernels.Dense(batch.R))
			return err
		}},
		{"gomlx", func() error {
			x, err := logits.LocalClone()
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
