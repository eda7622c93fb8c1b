package exact

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/num/dual"

	"github.com/segloss/segloss/ref"
)

// counting is the arithmetic of float64 that counts what it does, and calls at each
// operation.
type counting struct {
	floats
	count *int
	each  func()
}

func (f counting) tick() {
	*f.count++
	f.each()
}

func (f counting) Add(a, b dual.Number) dual.Number { f.tick(); return f.floats.Add(a, b) }
func (f counting) Sub(a, b dual.Number) dual.Number { f.tick(); return f.floats.Sub(a, b) }
func (f counting) Mul(a, b dual.Number) dual.Number { f.tick(); return f.floats.Mul(a, b) }
func (f counting) Div(a, b dual.Number) dual.Number { f.tick(); return f.floats.Div(a, b) }
func (f counting) Exp(a dual.Number) dual.Number    { f.tick(); return f.floats.Exp(a) }
func (f counting) Log(a dual.Number) dual.Number    { f.tick(); return f.floats.Log(a) }
func (f counting) Log1p(a dual.Number) dual.Number  { f.tick(); return f.floats.Log1p(a) }
func (f counting) Pow(a dual.Number, g float64) dual.Number {
	f.tick()
	return f.floats.Pow(a, g)
}
func (f counting) Cmp(a, b dual.Number) int { f.tick(); return f.floats.Cmp(a, b) }

// manyClasses is one position of c classes under softmax.
func manyClasses(c int) ref.Input {
	in := ref.Input{N: 1, C: c, S: 1, Activation: ref.Softmax, X: make([]float64, c), R: make([]float64, c), Clip: 1e-7}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range in.X {
		in.X[i] = 2 * r.NormFloat64()
	}
	in.R[c/3] = 1
	return in
}

// TestCost: twice the classes are four times the work, not eight.
func TestCost(t *testing.T) {
	for _, expr := range []string{"ce", "focal_ce", "exp_log_ce", "bce", "wce", "dice", "gdl", "dice + ce"} {
		var counts []int
		for _, c := range []int{50, 100, 200} {
			n := 0
			a := newArithmetic[dual.Number](counting{count: &n, each: func() {}})
			if _, _, err := gradient(t.Context(), a, manyClasses(c), terms(t, expr), NoFault, all(c)); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, n)
		}
		if counts[1] > 9*counts[0]/2 || counts[2] > 9*counts[1]/2 {
			t.Errorf("%s: %d operations for 50, 100, 200 classes", expr, counts)
		}
	}
}

// all returns the numbers below n.
func all(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

// TestCancel: the context's end is seen within the work of one element.
func TestCancel(t *testing.T) {
	const c = 100
	ctx, cancel := context.WithCancel(t.Context())
	n, at := 0, 0
	a := newArithmetic[dual.Number](counting{count: &n, each: func() {
		if n == at {
			cancel()
		}
	}})
	whole := func() error {
		_, _, err := gradient(ctx, a, manyClasses(c), terms(t, "ce"), NoFault, all(c))
		return err
	}
	if err := whole(); err != nil {
		t.Fatal(err)
	}
	most := n // of the whole
	n, at = 0, most/2
	if err := whole(); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if after := n - at; after > 2*most/c {
		t.Errorf("%d operations after the context ended; all are %d, for %d elements", after, most, c)
	}
	if _, _, err := Gradient(ctx, Dual, manyClasses(c), terms(t, "ce"), NoFault, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Gradient: error %v", err)
	}
}
