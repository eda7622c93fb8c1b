package gorgonia

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "go4.org/unsafe/assume-no-moving-gc"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge/internal/trial"
	"github.com/segloss/segloss/kernels"
)

// graph holds a batch and a loss, times 3, so that the upstream gradient is not 1.
type graph[T kernels.Float] struct {
	*G.ExprGraph
	x, loss, cost *G.Node
}

// formula adds a loss of [N, C, S] to a graph.
type formula func(x, r *G.Node) *G.Node

func build[T kernels.Float](b trial.Batch[T], f formula) graph[T] {
	g := G.NewGraph()
	node := func(name string, data []T) *G.Node {
		return G.NewTensor(g, dtypeOf[T](), 3, G.WithShape(b.N, b.C, b.S), G.WithName(name),
			G.WithValue(tensor.New(tensor.WithShape(b.N, b.C, b.S), tensor.WithBacking(slices.Clone(data)))))
	}
	x, r := node("x", b.X), node("r", b.R)
	loss := f(x, r)
	return graph[T]{g, x, loss, G.Must(G.Mul(loss, G.NewConstant(T(3))))}
}

// ours is the loss of this package.
func ours(t testing.TB, expr string) formula {
	loss := trial.Loss(t, expr)
	return func(x, r *G.Node) *G.Node {
		return G.Must(Cost(x, r, loss, kernels.Sigmoid, kernels.NCS))
	}
}

// ownOps is trial.Expr in operations of Gorgonia.
func ownOps[T kernels.Float](x, r *G.Node) *G.Node {
	one, two := G.NewConstant(T(1)), G.NewConstant(T(2))
	p := G.Must(G.Sigmoid(x))
	overlap := G.Must(G.Add(G.Must(G.Mul(G.Must(G.Sum(G.Must(G.HadamardProd(p, r)), 2)), two)), one))
	total := G.Must(G.Add(G.Must(G.Add(G.Must(G.Sum(p, 2)), G.Must(G.Sum(r, 2)))), one))
	dice := G.Must(G.Sub(one, G.Must(G.HadamardDiv(overlap, total))))
	hit := G.Must(G.HadamardProd(r, G.Must(G.Log(p))))
	miss := G.Must(G.HadamardProd(G.Must(G.Sub(one, r)), G.Must(G.Log(G.Must(G.Sub(one, p))))))
	return G.Must(G.Sub(G.Must(G.Mean(dice)), G.Must(G.Mean(G.Must(G.Add(hit, miss))))))
}

// tape runs a graph on the tape machine, twice, as training does.
func (g graph[T]) tape(t *testing.T) (loss T, dx []T) {
	t.Helper()
	grads, err := G.Grad(g.cost, g.x)
	if err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(g.ExprGraph, G.BindDualValues(g.x))
	defer vm.Close()
	for range 2 {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		loss, dx = g.loss.Value().Data().(T), slices.Clone(grads[0].Value().Data().([]T))
		vm.Reset()
	}
	return loss, dx
}

// lisp runs it on the Lisp machine.
func (g graph[T]) lisp(t *testing.T) (loss T, dx []T) {
	t.Helper()
	vm := G.NewLispMachine(g.ExprGraph)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	grad, err := g.x.Grad()
	if err != nil {
		t.Fatal(err)
	}
	return g.loss.Value().Data().(T), grad.Data().([]T)
}

func testGradient[T kernels.Float](t *testing.T) {
	for _, n := range []int{2, 3} {
		b := trial.Draw[T](n, 2, 33)
		wantLoss, want := b.Core(t, trial.Loss(t, trial.Expr), 3)
		for name, run := range map[string]func(*testing.T, graph[T]) (T, []T){
			"tape": func(t *testing.T, g graph[T]) (T, []T) { return g.tape(t) },
			"lisp": func(t *testing.T, g graph[T]) (T, []T) { return g.lisp(t) },
		} {
			t.Run(fmt.Sprintf("%s/n=%d", name, n), func(t *testing.T) {
				loss, dx := run(t, build(b, ours(t, trial.Expr)))
				if loss != T(wantLoss) {
					t.Errorf("loss %v, want %v", loss, T(wantLoss))
				}
				trial.Same(t, dx, want)
				if name == "lisp" {
					return // it has no gradient for Gorgonia's own sums along an axis
				}
				_, dx = run(t, build(b, ownOps[T]))
				trial.Near(t, dx, want)
			})
		}
	}
}

func TestGradient(t *testing.T) {
	t.Run("float32", testGradient[float32])
	t.Run("float64", testGradient[float64])
}

// Maps of labels, of each type, and two losses in one graph that differ in an
// option alone.
func TestLabels(t *testing.T) {
	b := trial.Draw[float32](2, 3, 7)
	labels := []uint8{0, 1, 2, 0, 1, 2, 2, 1, 0, 0, 0, 2, 1, 1}
	plan, err := kernels.New[float32](trial.Loss(t, "dice + ce"), kernels.Spec{N: 2, C: 3, S: 7, Activation: kernels.Softmax}, kernels.WithIgnore(2))
	if err != nil {
		t.Fatal(err)
	}
	want, err := plan.Forward(t.Context(), b.X, kernels.Labels(labels))
	if err != nil {
		t.Fatal(err)
	}
	for _, backing := range []any{labels, convert[int32](labels), convert[int64](labels)} {
		g := G.NewGraph()
		x := G.NewTensor(g, tensor.Float32, 3, G.WithName("x"), G.WithShape(2, 3, 7), G.WithValue(tensor.New(tensor.WithShape(2, 3, 7), tensor.WithBacking(b.X))))
		y := tensor.New(tensor.WithShape(2, 7), tensor.WithBacking(backing))
		target := G.NewMatrix(g, y.Dtype(), G.WithName("y"), G.WithShape(2, 7), G.WithValue(y))
		loss := trial.Loss(t, "dice + ce")
		all := G.Must(Cost(x, target, loss, kernels.Softmax, kernels.NCS))
		some := G.Must(Cost(x, target, loss, kernels.Softmax, kernels.NCS, kernels.WithIgnore(2)))
		vm := G.NewTapeMachine(g)
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		if got := some.Value().Data().(float32); got != float32(want.Loss) || got == all.Value().Data().(float32) {
			t.Errorf("%T: loss %v with label 2 ignored, want %v; %v without", backing, got, want.Loss, all.Value())
		}
		vm.Close()
	}
}

func convert[T int32 | int64](labels []uint8) []T {
	wide := make([]T, len(labels))
	for i, y := range labels {
		wide[i] = T(y)
	}
	return wide
}

func TestErrors(t *testing.T) {
	loss := trial.Loss(t, "dice")
	g := G.NewGraph()
	value := func(backing any, shape ...int) G.NodeConsOpt {
		return G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing)))
	}
	if _, err := Cost(G.NewMatrix(g, tensor.Int, G.WithShape(2, 3)), G.NewMatrix(g, tensor.Int, G.WithShape(2, 3)), loss, kernels.Softmax, kernels.NCS); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("a prediction of ints: %v", err)
	}
	for name, try := range map[string]struct {
		target any
		want   error
	}{
		"target of ints":       {[]int{0, 1, 0, 1}, kernels.ErrShape},
		"target of other type": {[]float64{0, 1, 0, 1}, kernels.ErrShape},
		"label 7 of 2 classes": {[]uint8{0, 7, 0, 1}, kernels.ErrLabel},
	} {
		g := G.NewGraph()
		x := G.NewTensor(g, tensor.Float32, 3, G.WithName("x"), G.WithShape(1, 2, 4), value(make([]float32, 8), 1, 2, 4))
		y := tensor.New(tensor.WithShape(1, 4), tensor.WithBacking(try.target))
		target := G.NewMatrix(g, y.Dtype(), G.WithName("y"), G.WithShape(1, 4), G.WithValue(y))
		if _, err := Cost(x, target, loss, kernels.Softmax, kernels.NCS); err != nil {
			t.Fatal(err)
		}
		vm := G.NewTapeMachine(g)
		// The machine wraps an operation's error in a way that errors.Is does not see through.
		if err := vm.RunAll(); err == nil || !strings.Contains(err.Error(), try.want.Error()) {
			t.Errorf("%s: error %v, want one that says %v", name, err, try.want)
		}
		vm.Close()
	}
}

func BenchmarkStep(b *testing.B) {
	batch := trial.Draw[float32](2, 4, 1<<14)
	for _, way := range []struct {
		ops string
		formula
	}{{"segloss", ours(b, trial.Expr)}, {"gorgonia", ownOps[float32]}} {
		b.Run(fmt.Sprintf("ops=%s/type=f32/n=%d", way.ops, len(batch.X)), func(b *testing.B) {
			g := build(batch, way.formula)
			if _, err := G.Grad(g.cost, g.x); err != nil {
				b.Fatal(err)
			}
			vm := G.NewTapeMachine(g.ExprGraph, G.BindDualValues(g.x))
			defer vm.Close()
			b.SetBytes(int64(4 * len(batch.X)))
			for b.Loop() {
				if err := vm.RunAll(); err != nil {
					b.Fatal(err)
				}
				vm.Reset()
			}
		})
	}
}
