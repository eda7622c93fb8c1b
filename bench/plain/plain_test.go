package plain

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var activations = map[Activation]kernels.Activation{None: kernels.None, Sigmoid: kernels.Sigmoid, Softmax: kernels.Softmax}

// Every loop computes what the module does. A second call gives the same: what
// is kept between calls is no more than memory.
func TestLosses(t *testing.T) {
	for _, info := range kernels.Losses() {
		found := 0
		for by, activation := range activations {
			f := Find(info.Name, by)
			if f == nil {
				continue
			}
			found++
			for _, c := range []int{1, 2, 5} {
				if c == 1 && (info.Categorical || by == Softmax) {
					continue
				}
				x := random(3, c, 101, by)
				t.Run(fmt.Sprintf("%s, %s, C = %d", info.Name, by, c), func(t *testing.T) {
					want, loss := ours(t, info.Name, activation, x)
					for range 2 {
						compare(t, f(x), loss, x.Grad, want)
					}
				})
			}
		}
		if found == 0 {
			t.Errorf("there is no loop for %s", info.Name)
		}
	}
}

func random(n, c, s int, by Activation) *Tensors {
	rnd := rand.New(rand.NewPCG(1, 2))
	t := &Tensors{N: n, C: c, S: s, X: make([]float32, n*c*s), Grad: make([]float32, n*c*s), Y: make([]uint8, n*s)}
	for i := range t.X {
		x := 2 * rnd.NormFloat64()
		if by == None {
			x = 1 / (1 + math.Exp(-x))
		}
		t.X[i] = float32(x)
	}
	for i := range t.Y {
		t.Y[i] = uint8(rnd.IntN(max(c, 2)))
	}
	return t
}

func ours(t *testing.T, expr string, by kernels.Activation, x *Tensors) (grad []float32, loss float64) {
	t.Helper()
	l, err := kernels.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := kernels.New[float32](l, kernels.Spec{N: x.N, C: x.C, S: x.S, Activation: by})
	if err != nil {
		t.Fatal(err)
	}
	grad = make([]float32, len(x.X))
	v, err := p.ForwardBackward(context.Background(), grad, x.X, kernels.Labels(x.Y), kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	return grad, v.Loss
}

func compare(t *testing.T, loss, want float64, grad, wanted []float32) {
	t.Helper()
	if !(math.Abs(loss-want) <= 1e-5*math.Abs(want)) {
		t.Fatalf("loss %v, want %v", loss, want)
	}
	largest := 0.0
	for _, g := range wanted {
		largest = max(largest, math.Abs(float64(g)))
	}
	for i, g := range grad {
		if !(math.Abs(float64(g)-float64(wanted[i])) <= 1e-4*largest) {
			t.Fatalf("gradient[%d] = %v, want %v", i, g, wanted[i])
		}
	}
}
