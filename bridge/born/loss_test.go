package born

import (
	"errors"
	"fmt"
	"testing"

	"github.com/born-ml/born/autodiff"
	"github.com/born-ml/born/backend/cpu"
	"github.com/born-ml/born/tensor"

	"github.com/segloss/segloss/bridge/internal/trial"
	"github.com/segloss/segloss/kernels"
)

type backend = *autodiff.Backend[*cpu.Backend]

func constant[T kernels.Float](b backend, data []T, shape ...int) *tensor.Tensor[T, backend] {
	t, err := tensor.FromSlice(data, tensor.Shape(shape), b)
	if err != nil {
		panic(err)
	}
	return t
}

// ownOps is trial.Expr in operations of born. Its tape records no scalar
// operations: constants are tensors.
func ownOps[T kernels.Float](b backend, x, r *tensor.Tensor[T, backend]) *tensor.Tensor[T, backend] {
	size := func(t *tensor.Tensor[T, backend]) T { return T(t.Shape().NumElements()) }
	total := func(t *tensor.Tensor[T, backend]) *tensor.Tensor[T, backend] {
		for axis := range t.Shape() {
			t = t.SumDim(axis, true)
		}
		return t
	}
	p := tensor.New[T](b.Sigmoid(x.Raw()), b)
	log := func(t *tensor.Tensor[T, backend]) *tensor.Tensor[T, backend] { return tensor.New[T](b.Log(t.Raw()), b) }
	one := constant(b, []T{1}, 1, 1, 1)
	overlap := p.Mul(r).SumDim(2, true).Mul(constant(b, []T{2}, 1, 1, 1)).Add(one)
	dice := one.Sub(overlap.Div(p.SumDim(2, true).Add(r.SumDim(2, true)).Add(one)))
	ce := r.Mul(log(p)).Add(one.Sub(r).Mul(log(one.Sub(p))))
	return total(dice).Div(constant(b, []T{size(dice)}, 1, 1, 1)).
		Sub(total(ce).Div(constant(b, []T{size(ce)}, 1, 1, 1)))
}

func testGradient[T kernels.Float](t *testing.T) {
	loss := trial.Loss(t, trial.Expr)
	for _, n := range []int{1, 3} {
		b := trial.Draw[T](n, 2, 33)
		wantLoss, want := b.Core(t, loss, 3)
		back := autodiff.New(cpu.New())
		x, r := constant(back, b.X, n, 2, 33), constant(back, b.R, n, 2, 33)

		back.Tape().StartRecording()
		y, err := New[T](back, loss, kernels.Sigmoid, kernels.NCS).Forward(x, kernels.Dense(b.R))
		if err != nil {
			t.Fatal(err)
		}
		if got := y.Data()[0]; got != T(wantLoss) {
			t.Errorf("loss %v, want %v", got, T(wantLoss))
		}
		grads := autodiff.Backward(y.Mul(constant(back, []T{3}, 1)), back)
		trial.Same(t, elements[T](grads[x.Raw()]), want)

		back.Tape().Clear()
		back.Tape().StartRecording()
		grads = autodiff.Backward(ownOps(back, x, r).Mul(constant(back, []T{3}, 1, 1, 1)), back)
		trial.Near(t, elements[T](grads[x.Raw()]), want)
	}
}

func TestGradient(t *testing.T) {
	t.Run("float32", testGradient[float32])
	t.Run("float64", testGradient[float64])
}

// A prediction of two axes is one sample, with the loss and the gradient that it has
// behind an axis of one sample.
func TestTwoAxes(t *testing.T) {
	back := autodiff.New(cpu.New())
	b, labels := trial.Draw[float32](1, 3, 4), kernels.Labels([]uint8{0, 1, 2, 1})
	for layout, shapes := range map[kernels.Layout][2][]int{
		kernels.NCS: {{3, 4}, {1, 3, 4}},
		kernels.NSC: {{4, 3}, {1, 4, 3}},
	} {
		l := New[float32](back, trial.Loss(t, "dice + ce"), kernels.Softmax, layout)
		var losses, grads [2][]float32
		for i, shape := range shapes {
			back.Tape().Clear()
			back.Tape().StartRecording()
			x := constant(back, b.X, shape...)
			y, err := l.Forward(x, labels)
			if err != nil {
				t.Fatalf("%v %v: %v", layout, shape, err)
			}
			losses[i], grads[i] = y.Data(), elements[float32](autodiff.Backward(y, back)[x.Raw()])
		}
		trial.Same(t, losses[0], losses[1])
		trial.Same(t, grads[0], grads[1])
	}
}

// Nothing is recorded where gradients are switched off.
func TestNoGrad(t *testing.T) {
	back := autodiff.New(cpu.New())
	back.Tape().StartRecording()
	l := New[float32](back, trial.Loss(t, "dice + ce"), kernels.Softmax, kernels.NCS)
	x := constant(back, trial.Draw[float32](1, 3, 4).X, 1, 3, 2, 2)
	autodiff.NoGrad(back, func() {
		if _, err := l.Forward(x, kernels.Labels([]uint8{0, 1, 2, 1})); err != nil {
			t.Error(err)
		}
	})
	if n := back.Tape().NumOps(); n != 0 {
		t.Errorf("%d operations on the tape", n)
	}
}

func TestErrors(t *testing.T) {
	back := autodiff.New(cpu.New())
	l := New[float32](back, trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	x := trial.Draw[float32](1, 2, 3).X
	if _, err := l.Forward(constant(back, x, 6), kernels.Labels(make([]uint8, 3))); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("one axis: %v", err)
	}
	for _, none := range []*tensor.Tensor[float32, backend]{nil, {}} {
		if _, err := l.Forward(none, kernels.Labels(make([]uint8, 3))); !errors.Is(err, kernels.ErrShape) {
			t.Errorf("no tensor: %v", err)
		}
	}
	if _, err := l.Forward(constant(back, x, 1, 2, 3), kernels.Labels([]uint8{0, 7, 0})); !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("label 7 of 2 classes: %v", err)
	}
	ignoring := New[float32](back, trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS, kernels.WithIgnore(255))
	if _, err := ignoring.Forward(constant(back, x, 1, 2, 3), kernels.Dense(make([]float32, 6))); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: %v", err)
	}
}

func BenchmarkStep(b *testing.B) {
	batch := trial.Draw[float32](2, 4, 1<<14)
	back := autodiff.New(cpu.New())
	x, r := constant(back, batch.X, 2, 4, 1<<14), constant(back, batch.R, 2, 4, 1<<14)
	l := New[float32](back, trial.Loss(b, trial.Expr), kernels.Sigmoid, kernels.NCS)
	for _, way := range []struct {
		ops     string
		forward func() (*tensor.Tensor[float32, backend], error)
	}{
		{"segloss", func() (*tensor.Tensor[float32, backend], error) { return l.Forward(x, kernels.Dense(batch.R)) }},
		{"born", func() (*tensor.Tensor[float32, backend], error) { return ownOps(back, x, r), nil }},
	} {
		b.Run(fmt.Sprintf("ops=%s/type=f32/n=%d", way.ops, len(batch.X)), func(b *testing.B) {
			b.SetBytes(int64(4 * len(batch.X)))
			for b.Loop() {
				back.Tape().Clear()
				back.Tape().StartRecording()
				y, err := way.forward()
				if err != nil {
					b.Fatal(err)
				}
				autodiff.Backward(y, back)
			}
		})
	}
}
