package gorgonia

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "go4.org/unsafe/assume-no-moving-gc"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge"
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

func denseOf(backing any, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
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
	for _, backing := range []any{labels, convert[int8](labels), convert[int16](labels), convert[int32](labels), convert[int64](labels),
		convert[uint16](labels), convert[uint32](labels)} {
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

func convert[T kernels.Label](labels []uint8) []T {
	wide := make([]T, len(labels))
	for i, y := range labels {
		wide[i] = T(y)
	}
	return wide
}

// A prediction of two axes is one sample, with the loss and the gradient that it has
// behind an axis of one sample.
func TestTwoAxes(t *testing.T) {
	b, labels := trial.Draw[float32](1, 3, 4), []uint8{0, 1, 2, 1}
	for layout, shapes := range map[kernels.Layout][2][]int{
		kernels.NCS: {{3, 4}, {1, 3, 4}},
		kernels.NSC: {{4, 3}, {1, 4, 3}},
	} {
		var losses, grads [2][]float32
		for i, shape := range shapes {
			g := graph[float32]{ExprGraph: G.NewGraph()}
			g.x = G.NewTensor(g.ExprGraph, tensor.Float32, len(shape), G.WithName("x"), G.WithShape(shape...), G.WithValue(denseOf(slices.Clone(b.X), shape...)))
			y := denseOf(labels, [][]int{{4}, {1, 4}}[i]...)
			target := G.NewTensor(g.ExprGraph, tensor.Uint8, y.Dims(), G.WithName("y"), G.WithShape(y.Shape()...), G.WithValue(y))
			g.loss = G.Must(Cost(g.x, target, trial.Loss(t, "dice + ce"), kernels.Softmax, layout))
			g.cost = g.loss
			loss, dx := g.tape(t)
			losses[i], grads[i] = []float32{loss}, dx
		}
		trial.Same(t, losses[0], losses[1])
		trial.Same(t, grads[0], grads[1])
	}
}

// The pass that a gradient goes back through is the one whose loss it gets, also where
// another machine, on a clone of the graph, has made another since.
func TestOtherMachine(t *testing.T) {
	b, other := trial.Draw[float32](2, 2, 33), trial.Draw[float32](2, 2, 33)
	for i := range other.X {
		other.X[i] *= -0.5
	}
	op := &lossOp[float32]{criterion: bridge.New[float32](trial.Loss(t, trial.Expr), kernels.Sigmoid, kernels.NCS)}
	var all sync.WaitGroup
	for _, b := range []trial.Batch[float32]{b, other} {
		_, want := b.Core(t, trial.Loss(t, trial.Expr), 3)
		x, r := denseOf(b.X, b.N, b.C, b.S), denseOf(b.R, b.N, b.C, b.S)
		all.Go(func() {
			for range 100 {
				loss, err := op.Do(x, r)
				if err != nil {
					t.Error(err)
					return
				}
				runtime.Gosched()
				dx, err := (&gradOp[float32]{op}).Do(x, r, loss, G.NewF32(3))
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(dx.Data().([]float32), want) {
					t.Error("the gradient is not that of its x")
					return
				}
			}
		})
	}
	all.Wait()
}

// evals counts how often a loss is finished.
type evals struct{ n *int }

func (evals) Name() string { return "evals" }

func (e evals) Eval(c, d []kernels.Cell) float64 {
	*e.n++
	return 0
}

// A step goes forward once: so often is the loss finished as by a plan.
func TestOneForward(t *testing.T) {
	b, n := trial.Draw[float32](2, 2, 33), 0
	loss, err := kernels.Parse("dice + evals", evals{&n})
	if err != nil {
		t.Fatal(err)
	}
	b.Core(t, loss, 3)
	want := n
	ours := func(x, r *G.Node) *G.Node { return G.Must(Cost(x, r, loss, kernels.Sigmoid, kernels.NCS)) }
	n = 0
	build(b, ours).tape(t) // two steps
	if n != 2*want {
		t.Errorf("tape machine: evaluated %d times in two steps, want %d", n, 2*want)
	}
	n = 0
	build(b, ours).lisp(t)
	if n != want {
		t.Errorf("Lisp machine: evaluated %d times in a step, want %d", n, want)
	}
}

// The Lisp machine adds the gradients of two losses of one prediction.
func TestTwoLosses(t *testing.T) {
	b := trial.Draw[float32](2, 2, 33)
	_, want := b.Core(t, trial.Loss(t, "dice + ce + bce"), 3)
	_, dx := build(b, func(x, r *G.Node) *G.Node {
		return G.Must(G.Add(ours(t, "dice + ce")(x, r), ours(t, "bce")(x, r)))
	}).lisp(t)
	trial.Near(t, dx, want)
}

// Targets whose elements lie in memory in another order than their shape says.
func TestViews(t *testing.T) {
	b := trial.Draw[float32](2, 3, 4)
	labels := []uint8{0, 1, 2, 1, 2, 2, 0, 0}
	transposed := func(d *tensor.Dense, axes ...int) *tensor.Dense {
		if err := d.T(axes...); err != nil {
			t.Fatal(err)
		}
		return d
	}
	part, err := denseOf([]uint8{9, 0, 1, 2, 1, 9, 2, 2, 0, 0}, 2, 5).Slice(nil, G.S(1, 5))
	if err != nil {
		t.Fatal(err)
	}
	swapped := make([]float32, len(b.R)) // [N, S, C]
	for i, r := range b.R {
		n, c, s := i/12, i/4%3, i%4
		swapped[n*12+s*3+c] = r
	}
	for name, try := range map[string]struct{ plain, view *tensor.Dense }{
		"transposed":       {denseOf(labels, 2, 4), transposed(denseOf([]uint8{0, 2, 1, 2, 2, 0, 1, 0}, 4, 2))},
		"in columns":       {denseOf(labels, 2, 4), tensor.New(tensor.WithShape(2, 4), tensor.AsFortran(slices.Clone(labels)))},
		"with gaps":        {denseOf(labels, 2, 4), part.(*tensor.Dense)},
		"dense transposed": {denseOf(b.R, 2, 3, 4), transposed(denseOf(swapped, 2, 4, 3), 0, 2, 1)},
	} {
		run := func(y *tensor.Dense) (float32, []float32) {
			return build(b, func(x, _ *G.Node) *G.Node {
				target := G.NewTensor(x.Graph(), y.Dtype(), y.Dims(), G.WithName("y"), G.WithShape(y.Shape()...), G.WithValue(y))
				return G.Must(Cost(x, target, trial.Loss(t, "dice + ce"), kernels.Softmax, kernels.NCS))
			}).tape(t)
		}
		wantLoss, want := run(try.plain)
		loss, dx := run(try.view)
		if loss != wantLoss {
			t.Errorf("%s: loss %v, want %v", name, loss, wantLoss)
		}
		trial.Same(t, dx, want)
	}
}

// What Cost sees before there are values.
func TestNodes(t *testing.T) {
	loss := trial.Loss(t, "dice")
	g := G.NewGraph()
	node := func(of tensor.Dtype, shape ...int) *G.Node {
		return G.NewTensor(g, of, len(shape), G.WithShape(shape...))
	}
	x := node(tensor.Float32, 2, 2, 3)
	for name, try := range map[string]struct {
		x, target *G.Node
		arg       string
	}{
		"no prediction":                  {nil, node(tensor.Uint8, 2, 3), "x"},
		"no target":                      {x, nil, "target"},
		"prediction of ints":             {node(tensor.Int, 2, 3), node(tensor.Int, 2, 3), "x"},
		"prediction without a shape":     {G.NewTensor(g, tensor.Float32, 3), node(tensor.Uint8, 2, 3), "shape"},
		"prediction of one axis":         {node(tensor.Float32, 12), node(tensor.Float32, 12), "shape"},
		"target of ints":                 {x, node(tensor.Int, 2, 3), "target"},
		"target of other floats":         {x, node(tensor.Float64, 2, 2, 3), "target"},
		"labels of other shape":          {x, node(tensor.Uint8, 3, 2), "target"},
		"dense target of other shape":    {x, node(tensor.Float32, 2, 3, 2), "target"},
		"dense target without classes":   {x, node(tensor.Float32, 2, 3), "target"},
		"labels with an axis of classes": {x, node(tensor.Uint8, 2, 2, 3), "target"},
	} {
		_, err := Cost(try.x, try.target, loss, kernels.Softmax, kernels.NCS)
		var arg *kernels.ArgError
		if !errors.Is(err, kernels.ErrShape) || !errors.As(err, &arg) || arg.Arg != try.arg {
			t.Errorf("%s: error %v, want one that matches ErrShape and names %s", name, err, try.arg)
		}
	}
}

// What shows in the values alone.
func TestErrors(t *testing.T) {
	x, labels := denseOf(make([]float32, 8), 1, 2, 4), denseOf(make([]uint8, 4), 1, 4)
	turned := denseOf(make([]float32, 8), 1, 4, 2)
	if err := turned.T(0, 2, 1); err != nil {
		t.Fatal(err)
	}
	columns := tensor.New(tensor.WithShape(1, 2, 4), tensor.AsFortran(make([]float32, 8)))
	part, err := denseOf(make([]float32, 10), 1, 2, 5).Slice(nil, nil, G.S(1, 5))
	if err != nil {
		t.Fatal(err)
	}
	masked, maskedLabels := denseOf(make([]float32, 8), 1, 2, 4), denseOf(make([]uint8, 4), 1, 4)
	masked.ResetMask(false)
	maskedLabels.ResetMask(false)
	for name, try := range map[string]struct {
		x, target G.Value
		want      error
		says      string
	}{
		"target of ints":         {x, denseOf(make([]int, 4), 1, 4), kernels.ErrShape, "target = int"},
		"target of other type":   {x, denseOf(make([]float64, 8), 1, 2, 4), kernels.ErrShape, "target = float64"},
		"target of other shape":  {x, denseOf(make([]uint8, 4), 2, 2), kernels.ErrShape, "target = [2 2]"},
		"dense of other shape":   {x, denseOf(make([]float32, 8), 1, 4, 2), kernels.ErrShape, "target = [1 4 2]"},
		"target with a mask":     {x, maskedLabels, kernels.ErrShape, "target = (1, 4): wrong shape: a masked tensor"},
		"no prediction":          {(*tensor.Dense)(nil), labels, kernels.ErrShape, "x = *tensor.Dense"},
		"no target":              {x, (*tensor.Dense)(nil), kernels.ErrShape, "target = *tensor.Dense"},
		"nothing":                {tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1, 2, 0)), labels, kernels.ErrShape, "x = (1, 2, 0): wrong shape: a tensor without elements"},
		"no label":               {x, tensor.New(tensor.Of(tensor.Uint8), tensor.WithShape(1, 0)), kernels.ErrShape, "target = (1, 0)"},
		"label of one number":    {x, tensor.New(tensor.FromScalar(uint8(1))), kernels.ErrShape, "target = uint8"},
		"labels of uint64":       {x, denseOf(make([]uint64, 4), 1, 4), kernels.ErrShape, "target = uint64"},
		"target of one number":   {x, G.NewU8(1), kernels.ErrShape, "target = *gorgonia.U8"},
		"prediction of float64":  {denseOf(make([]float64, 8), 1, 2, 4), labels, kernels.ErrShape, "x = float64"},
		"prediction transposed":  {turned, labels, kernels.ErrShape, "x = [8 1 2]: wrong shape: strides of a view"},
		"prediction in columns":  {columns, labels, kernels.ErrShape, "x = [1 1 2]: wrong shape: strides of a view"},
		"prediction with gaps":   {part, labels, kernels.ErrShape, "x = [10 5 1]: wrong shape: strides of a view"},
		"prediction with a mask": {masked, labels, kernels.ErrShape, "x = (1, 2, 4): wrong shape: a masked tensor"},
		"label 7 of 2 classes":   {x, denseOf([]uint8{0, 7, 0, 1}, 1, 4), kernels.ErrLabel, "t.Labels[1] = 7"},
	} {
		op := &lossOp[float32]{criterion: bridge.New[float32](trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS)}
		_, err := op.Do(try.x, try.target)
		var arg *kernels.ArgError
		if !errors.Is(err, try.want) || !errors.As(err, &arg) || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: error %v, want one that matches %v and says %q", name, err, try.want, try.says)
		}
	}
}

// A machine's error is taken apart as the package's documentation says.
func TestMachineError(t *testing.T) {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 3, G.WithName("x"), G.WithShape(1, 2, 4), G.WithInit(G.Zeroes()))
	y := G.NewMatrix(g, tensor.Uint8, G.WithName("y"), G.WithShape(1, 4), G.WithValue(denseOf([]uint8{0, 7, 0, 1}, 1, 4)))
	if _, err := Cost(x, y, trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS); err != nil {
		t.Fatal(err)
	}
	err := runError(g)
	var arg *kernels.ArgError
	if !errors.Is(err, kernels.ErrLabel) || !errors.As(err, &arg) || arg.Index != 1 {
		t.Errorf("label 7 of 2 classes: error %v, want one that matches ErrLabel and names place 1", err)
	}
}

// runError is what a machine finds, unwrapped.
func runError(g *G.ExprGraph) error {
	machine := G.NewTapeMachine(g)
	defer machine.Close()
	err := machine.RunAll()
	var vm interface{ Err() error }
	if errors.As(err, &vm) {
		err = vm.Err()
	}
	return err
}

// A dense target has no labels to ignore.
func TestDenseIgnored(t *testing.T) {
	b := trial.Draw[float32](2, 3, 4)
	g := build(b, func(x, r *G.Node) *G.Node {
		return G.Must(Cost(x, r, trial.Loss(t, "dice"), kernels.Softmax, kernels.NCS, kernels.WithIgnore(255)))
	})
	if err := runError(g.ExprGraph); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("an ignore index beside a dense target: error %v", err)
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
