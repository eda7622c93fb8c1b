// Package trial is what the bridges' tests have in common: a batch, what the core
// makes of it, and how close is close enough. Each bridge writes the loss Expr once
// more in its framework's own operations.
package trial

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// Expr is the loss that the bridges compare with their framework's autodiff, with
// sigmoid: the mean over samples and classes of 1 − (2I+1)/(P+R+1), and the mean over
// all elements of −r ln p − (1−r) ln(1−p).
const Expr = "dice(smooth=1) + bce"

// Batch is a prediction [N, C, S] in logits and its target, dense and of few positives.
type Batch[T kernels.Float] struct {
	N, C, S int
	X, R    []T
}

// Draw makes a batch, the same for the same shape.
func Draw[T kernels.Float](n, c, s int) Batch[T] {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(c*s)))
	b := Batch[T]{N: n, C: c, S: s, X: make([]T, n*c*s), R: make([]T, n*c*s)}
	for i := range b.X {
		b.X[i] = T(2 * rng.NormFloat64())
		if rng.IntN(10) == 0 {
			b.R[i] = 1
		}
	}
	return b
}

// Loss parses an expression.
func Loss(t testing.TB, expr string) kernels.Loss {
	t.Helper()
	loss, err := kernels.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// Core is the loss of the batch with sigmoid, and its gradient times scale, from a
// plan of package kernels.
func (b Batch[T]) Core(t testing.TB, loss kernels.Loss, scale float64) (float64, []T) {
	t.Helper()
	plan, err := kernels.New[T](loss, kernels.Spec{N: b.N, C: b.C, S: b.S, Activation: kernels.Sigmoid})
	if err != nil {
		t.Fatal(err)
	}
	dx := make([]T, len(b.X))
	v, err := plan.ForwardBackward(context.Background(), dx, b.X, kernels.Dense(b.R), kernels.Grad{Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	return v.Loss, dx
}

// Same holds a gradient to another, bit for bit.
func Same[T kernels.Float](t testing.TB, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("gradient has %d elements, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("gradient[%d] = %v, want %v", i, got[i], want[i])
		}
	}
}

// Near holds a gradient to another computed in float32: to 2⁻¹⁸, 64 units in the
// last place, of the largest element. That is room for the framework's sums.
func Near[T, U kernels.Float](t testing.TB, got []T, want []U) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("gradient has %d elements, want %d", len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= math.Ldexp(largest, -18)) {
			t.Fatalf("gradient[%d] = %v, the framework's autodiff gives %v; the largest is %v", i, got[i], want[i], largest)
		}
	}
}
