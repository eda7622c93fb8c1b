package spago

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/bridge/internal/trial"
	"github.com/segloss/segloss/kernels"
)

// samples cuts a batch into the matrices of spaGO.
func samples[T kernels.Float](b trial.Batch[T]) (xs, rs []mat.Tensor) {
	each := b.C * b.S
	for i := range b.N {
		xs = append(xs, mat.NewDense[T](mat.WithShape(b.C, b.S), mat.WithBacking(b.X[i*each:(i+1)*each]), mat.WithGrad(true)))
		rs = append(rs, mat.NewDense[T](mat.WithShape(b.C, b.S), mat.WithBacking(b.R[i*each:(i+1)*each])))
	}
	return xs, rs
}

func gradient[T kernels.Float](xs []mat.Tensor) (dx []T) {
	for _, x := range xs {
		dx = append(dx, mat.Data[T](x.Grad())...)
	}
	return dx
}

// ownOps is trial.Expr in operators of spaGO, class by class, since its reductions
// go back to vectors only.
func ownOps[T kernels.Float](xs, rs []mat.Tensor) mat.Tensor {
	one := mat.Scalar(T(1))
	var cells []mat.Tensor
	for i, x := range xs {
		for c := range x.Shape()[0] {
			p, r := ag.Sigmoid(ag.T(ag.RowView(x, c))), ag.T(ag.RowView(rs[i], c))
			overlap := ag.AddScalar(ag.ProdScalar(ag.ReduceSum(ag.Prod(p, r)), mat.Scalar(T(2))), one)
			total := ag.AddScalar(ag.Add(ag.ReduceSum(p), ag.ReduceSum(r)), one)
			dice := ag.Sub(one, ag.Div(overlap, total))
			hit := ag.Prod(r, ag.Log(p))
			miss := ag.Prod(ag.ReverseSubOne(r), ag.Log(ag.ReverseSubOne(p)))
			cells = append(cells, ag.Sub(dice, ag.ReduceMean(ag.Add(hit, miss))))
		}
	}
	return ag.Mean(cells)
}

func testGradient[T kernels.Float](t *testing.T) {
	loss := trial.Loss(t, trial.Expr)
	l := New[T](loss, kernels.Sigmoid, kernels.NCS)
	for _, n := range []int{1, 3} {
		b := trial.Draw[T](n, 2, 33)
		wantLoss, want := b.Core(t, loss, 3)
		xs, _ := samples(b)
		y, err := l.Forward(kernels.Dense(b.R), xs...)
		if err != nil {
			t.Fatal(err)
		}
		if got := mat.Data[T](y.Value())[0]; got != T(wantLoss) {
			t.Errorf("loss %v, want %v", got, T(wantLoss))
		}
		three := mat.Scalar(T(3))
		if err := ag.Backward(ag.ProdScalar(y, three)); err != nil {
			t.Fatal(err)
		}
		trial.Same(t, gradient[T](xs), want)

		xs, rs := samples(b)
		if err := ag.Backward(ag.ProdScalar(ownOps[T](xs, rs), three)); err != nil {
			t.Fatal(err)
		}
		trial.Near(t, gradient[T](xs), want)
	}
}

func TestGradient(t *testing.T) {
	t.Run("float32", testGradient[float32])
	t.Run("float64", testGradient[float64])
}

// Two nodes of one loss in a graph, and layout NSC.
func TestTwice(t *testing.T) {
	loss := trial.Loss(t, "dice + ce")
	l := New[float32](loss, kernels.Softmax, kernels.NSC)
	x := mat.NewDense[float32](mat.WithShape(5, 3), mat.WithBacking(trial.Draw[float32](1, 3, 5).X), mat.WithGrad(true))
	y := []int32{0, 1, 2, 1, 0}
	first, err := l.Forward(kernels.Labels(y), x)
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Forward(kernels.Labels([]int32{2, 2, 1, 0, 0}), x)
	if err != nil {
		t.Fatal(err)
	}
	if err := ag.Backward(ag.Add(first, ag.ProdScalar(second, mat.Scalar[float32](0)))); err != nil {
		t.Fatal(err)
	}
	got := mat.Data[float32](x.Grad())

	z := mat.NewDense[float32](mat.WithShape(5, 3), mat.WithBacking(mat.Data[float32](x)), mat.WithGrad(true))
	alone, err := New[float32](loss, kernels.Softmax, kernels.NSC).Forward(kernels.Labels(y), z)
	if err != nil {
		t.Fatal(err)
	}
	if err := ag.Backward(alone); err != nil {
		t.Fatal(err)
	}
	trial.Same(t, got, mat.Data[float32](z.Grad()))
}

// The gradient goes to the samples that Forward was given, of those to the ones that
// require one.
func TestWhereGradientGoes(t *testing.T) {
	b := trial.Draw[float32](3, 2, 5)
	_, want := b.Core(t, trial.Loss(t, trial.Expr), 1)
	xs, _ := samples(b)
	xs[1].(*mat.Dense[float32]).SetRequiresGrad(false)
	given := slices.Clone(xs)
	y, err := New[float32](trial.Loss(t, trial.Expr), kernels.Sigmoid, kernels.NCS).Forward(kernels.Dense(b.R), given...)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := samples(b)
	copy(given, other)
	if err := ag.Backward(y); err != nil {
		t.Fatal(err)
	}
	trial.Same(t, mat.Data[float32](xs[0].Grad()), want[:10])
	trial.Same(t, mat.Data[float32](xs[2].Grad()), want[20:])
	for _, x := range append(other, xs[1]) {
		if x.HasGrad() {
			t.Errorf("gradient %v of a sample that is to have none", x.Grad())
		}
	}
}

// Samples are laid side by side in memory of their own, not behind the first of them.
func TestBatch(t *testing.T) {
	memory := []float32{1, 2, 3, 4}
	first := mat.NewDense[float32](mat.WithShape(1, 2), mat.WithBacking(memory[:2]))
	shape, x, err := batch[float32]([]mat.Tensor{first, first})
	if err != nil || !slices.Equal(shape, []int{2, 1, 2}) {
		t.Errorf("shape %v, error %v", shape, err)
	}
	trial.Same(t, x, []float32{1, 2, 1, 2})
	trial.Same(t, memory, []float32{1, 2, 3, 4})
}

func TestErrors(t *testing.T) {
	l := New[float32](trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	x, y := mat.NewDense[float32](mat.WithShape(2, 3)), mat.NewDense[float32](mat.WithShape(3, 2))
	for name, try := range map[string]struct {
		xs    []mat.Tensor
		index int
	}{
		"none":               {nil, -1},
		"no axis":            {[]mat.Tensor{&mat.Dense[float32]{}}, 0},
		"two shapes":         {[]mat.Tensor{x, y}, 1},
		"short target":       {[]mat.Tensor{x, x}, -1},
		"nil":                {[]mat.Tensor{x, nil}, 1},
		"nil matrix":         {[]mat.Tensor{(*mat.Dense[float32])(nil)}, 0},
		"other type":         {[]mat.Tensor{mat.NewDense[float64](mat.WithShape(2, 3))}, 0},
		"other type, second": {[]mat.Tensor{x, mat.NewDense[float64](mat.WithShape(2, 3))}, 1},
	} {
		_, err := l.Forward(kernels.Labels(make([]uint8, 3)), try.xs...)
		var arg *kernels.ArgError
		if !errors.Is(err, kernels.ErrShape) || !errors.As(err, &arg) || arg.Index != try.index {
			t.Errorf("%s: error %v, want one that matches ErrShape and names place %d", name, err, try.index)
		}
	}
	if _, err := l.Forward(kernels.Labels([]uint8{0, 7, 0}), x); !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("label 7 of 2 classes: %v", err)
	}
	ignoring := New[float32](trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS, kernels.WithIgnore(255))
	if _, err := ignoring.Forward(kernels.Dense(make([]float32, 6)), x); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: %v", err)
	}
}

// A label that has become bad since the forward pass is an error of the backward one. spaGO
// would end the process with it.
func TestBackwardError(t *testing.T) {
	c := bridge.New[float32](trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)
	y, x := []uint8{0, 1, 0}, make([]float32, 6)
	pass, err := c.Forward([]int{1, 2, 3}, x, kernels.Labels(y))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Forward([]int{1, 2, 3}, x, kernels.Labels([]uint8{1, 0, 1})); err != nil { // so that the sums are taken anew
		t.Fatal(err)
	}
	y[1] = 9
	o := &operator[float32]{pass: pass, size: len(x)}
	if err := o.Backward(mat.Scalar[float32](1)); !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("label 9 of 2 classes: %v", err)
	}
}

func BenchmarkStep(b *testing.B) {
	batch := trial.Draw[float32](2, 4, 1<<14)
	l := New[float32](trial.Loss(b, trial.Expr), kernels.Sigmoid, kernels.NCS)
	xs, rs := samples(batch)
	for _, way := range []struct {
		ops     string
		forward func() (mat.Tensor, error)
	}{
		{"segloss", func() (mat.Tensor, error) { return l.Forward(kernels.Dense(batch.R), xs...) }},
		{"spago", func() (mat.Tensor, error) { return ownOps[float32](xs, rs), nil }},
	} {
		b.Run(fmt.Sprintf("ops=%s/type=f32/n=%d", way.ops, len(batch.X)), func(b *testing.B) {
			b.SetBytes(int64(4 * len(batch.X)))
			for b.Loop() {
				y, err := way.forward()
				if err != nil {
					b.Fatal(err)
				}
				if err := ag.Backward(y); err != nil {
					b.Fatal(err)
				}
				for _, x := range xs {
					x.ZeroGrad()
				}
			}
		})
	}
}
