package exact

import (
	"errors"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/oracle"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

var activations = map[string]ref.Activation{"none": ref.None, "sigmoid": ref.Sigmoid, "softmax": ref.Softmax}

// terms returns the terms of an expression.
func terms(tb testing.TB, expression string) []Term {
	tb.Helper()
	l, err := kernels.Parse(expression)
	if err != nil {
		tb.Fatal(err)
	}
	var all []Term
	for _, t := range l.Terms() {
		o, err := oracle.Options(t.Options)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, Term{t.Coef, t.Name, o})
	}
	return all
}

func input(c *golden.Case) ref.Input {
	r, v := c.Dense()
	return ref.Input{N: c.N, C: c.C, S: c.S, Activation: activations[c.Activation], X: c.Pred, R: r, V: v}
}

// checkGolden holds an oracle to the golden cases that keep allows, and returns
// how many it judged.
func checkGolden(t *testing.T, o Oracle, k float64, keep func(i int, c *golden.Case) bool) (judged int) {
	worst, which := 0.0, ""
	for i, c := range golden.Load(t) {
		if !keep(i, &c) {
			continue
		}
		loss, grad, err := Gradient(t.Context(), o, input(&c), terms(t, c.Loss), NoFault, nil)
		if o == Rational && errors.Is(err, ErrUnjudged) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		judged++
		e, err := c.Check(k, golden.U64, loss, grad)
		if err != nil {
			t.Error(err)
		}
		if e > worst {
			worst, which = e, c.ID
		}
	}
	t.Logf("%s: %d cases; largest error: %.3g of its bound, in %s", o, judged, worst, which)
	return judged
}

func TestGoldenDual(t *testing.T) {
	if n := checkGolden(t, Dual, golden.K64, func(int, *golden.Case) bool { return true }); n < 1000 {
		t.Errorf("judged %d cases", n)
	}
}

func TestGoldenRational(t *testing.T) {
	if n := checkGolden(t, Rational, 1, func(_ int, c *golden.Case) bool { return c.Activation == "none" }); n < 100 {
		t.Errorf("judged %d cases", n)
	}
}

func TestGoldenBig(t *testing.T) {
	every := 10
	if testing.Short() {
		every = 50
	}
	// The files' clip is 10⁻⁷ in decimal, ours its float64: their logarithms differ
	// by a rounding.
	checkGolden(t, Big, 2, func(i int, c *golden.Case) bool { return i%every == 0 })
}
