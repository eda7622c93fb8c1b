package gradcheck

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func TestBounds(t *testing.T) {
	ctx := context.Background()
	in := Input{N: 1, C: 1, S: 2, Pred: []float64{0.25, 0.5}, Dense: []float64{1, 0}}
	got, err := Bounds(ctx, parse(t, "bce"), in)
	if err != nil {
		t.Fatal(err)
	}
	// Each element is made of one term: 1/p or 1/q, over two elements.
	for i, scale := range []float64{2, 1} {
		if want := 512 * 0x1p-53 * scale; math.Abs(got[i]-want) > 1e-5*want {
			t.Errorf("element %d: %g, want %g", i, got[i], want)
		}
	}
	in.Activation, in.Pred = kernels.Sigmoid, []float64{-3, 3}
	logits, err := Bounds(ctx, parse(t, "bce"), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Pred = []float64{-6, 6}
	further, err := Bounds(ctx, parse(t, "bce"), in)
	if err != nil || !(further[0] > logits[0]) {
		t.Errorf("bounds %g at -6, %g at -3, %v: they grow with the spread", further[0], logits[0], err)
	}
	in.Pred = in.Pred[:1]
	if _, err := Bounds(ctx, parse(t, "bce"), in); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("a short prediction: %v", err)
	}
	in.Pred = []float64{1, 2}
	if _, err := Bounds(ctx, parse(t, "ce"), in); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("one class for ce: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Bounds(cancelled, parse(t, "bce"), in); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRoundings asks for errors that are there and keep the promise.
func TestRoundings(t *testing.T) {
	ctx := context.Background()
	steps := 0
	o := Options{Level: Short, Backends: []string{reference()}, Activations: []kernels.Activation{kernels.None}, Progress: func(int, int, string) { steps++ }}
	l := parse(t, "tversky + 0.5*ce")
	all, err := Roundings(ctx, &l, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || steps == 0 {
		t.Fatalf("%d ways, %d steps", len(all), steps)
	}
	for _, r := range all {
		largest := 0.0
		for _, e := range r.Errors {
			largest = max(largest, math.Abs(e))
		}
		if len(r.Errors) < 100 || !(largest > 0.1 && largest <= r.K) {
			t.Errorf("%s %v: %d errors up to %g, K = %g", r.Backend, r.DType, len(r.Errors), largest, r.K)
		}
	}
	mine := parse(t, "mine", region{1})
	if all, err = Roundings(ctx, &mine, o); err != nil || len(all[0].Errors) > 0 || len(all[1].Errors) == 0 {
		t.Errorf("a region without an oracle: %d errors of f64, %d of f32, %v", len(all[0].Errors), len(all[1].Errors), err)
	}
}

func TestRoundingsErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := Roundings(ctx, nil, Options{Backends: []string{"abacus"}}); !errors.Is(err, kernels.ErrBackend) {
		t.Errorf("unknown backend: %v", err)
	}
	cancel()
	if _, err := Roundings(ctx, nil, Options{Level: Short}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRoundingAdd: the granted underflow is no error, and an error is counted in
// units of the larger of scale and value.
func TestRoundingAdd(t *testing.T) {
	var r Rounding
	nan, inf := math.NaN(), math.Inf(1)
	r.add([]float64{1, 1, 1e-40, 0, nan, inf, 1}, []float64{1.5, 1.5, 0, 0, 1, 1, inf}, []float64{1, 4, 0, 0, 1, 1, 1}, 0x1p-10)
	if want := []float64{512, 128, 0}; len(r.Errors) != 3 || r.Errors[0] != want[0] || r.Errors[1] != want[1] || r.Errors[2] != want[2] {
		t.Errorf("got %v, want %v", r.Errors, want)
	}
}
