package kernels_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// Both passes at once give the bits of one after the other, also where the
// coefficients turn out to be others than foreseen.
func TestForwardBackwardAtOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(61, 62))
	for _, test := range []struct {
		expr  string
		act   kernels.Activation
		dense bool
		want  bool // that one is enough
	}{
		{"bce", kernels.Sigmoid, true, true},
		{"bce(pos_weight=[1,2,3]) + 0.5*focal", kernels.Sigmoid, false, true},
		{"ce", kernels.Softmax, false, true},
		{"ce(reduction=sum) + focal_ce", kernels.Softmax, false, true},
		{"ce", kernels.Softmax, true, false}, // whose elements add up to about the positions
		{"ce(weight=[1,2,3])", kernels.Softmax, false, false},
		{"exp_log_ce", kernels.Softmax, false, false},
		{"ce + dice", kernels.Softmax, false, false},
		{"wce", kernels.Sigmoid, false, false},
	} {
		c := randomCase(rnd, test.expr, test.act, 2, 3, 40000, test.dense, bare)
		for _, layout := range layouts {
			for _, opts := range [][]kernels.Option{{kernels.WithWorkers(2)}, manyUnits(2)} {
				p := newProblem[float32](t, c, layout, opts...)
				plan := mustNew[float32](t, p.loss, p.spec, p.opts...)
				dx, want := make([]float32, len(p.x)), make([]float32, len(p.x))
				once, err := plan.ForwardBackward(context.Background(), dx, p.x, p.target, kernels.Grad{Scale: 2})
				if err != nil {
					t.Fatal(err)
				}
				loss := once.Loss
				if got := kernels.Foresees(plan); got != test.want {
					t.Errorf("%s: at once: %v", c.ID, got)
				}
				v, err := plan.Forward(context.Background(), p.x, p.target)
				if err == nil {
					err = plan.Backward(context.Background(), want, p.x, p.target, v, kernels.Grad{Scale: 2})
				}
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, c.ID, loss, dx, v.Loss, want)
			}
		}
	}
}

// A failed call at once leaves dx and the plan's latest value as they were.
func TestAtOnceFails(t *testing.T) {
	l := mustParse(t, "ce")
	p := mustNew[float64](t, l, kernels.Spec{N: 1, C: 2, S: 3, Activation: kernels.Softmax})
	x, dx := []float64{1, 2, 3, 4, 5, 6}, []float64{7, 7, 7, 7, 7, 7}
	good, bad := kernels.Labels([]uint8{0, 1, 1}), kernels.Labels([]uint8{0, 1, 2})
	v, err := p.Forward(context.Background(), x, good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ForwardBackward(context.Background(), dx, x, bad, kernels.Grad{Scale: 1}); !errors.Is(err, kernels.ErrLabel) {
		t.Errorf("error %v", err)
	}
	for i, d := range dx {
		if d != 7 {
			t.Errorf("dx[%d] = %v", i, d)
		}
	}
	want := make([]float64, len(x))
	if err := p.Backward(context.Background(), dx, x, good, v, kernels.Grad{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ForwardBackward(context.Background(), want, x, good, kernels.Grad{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "after a failure", 0, dx, 0, want)
}
