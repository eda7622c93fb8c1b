package gradcheck

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// TestInfinite asks for what a loss without derivatives is taken for.
func TestInfinite(t *testing.T) {
	mine := parse(t, "mine", region{1})
	for _, tt := range []struct {
		name  string
		loss  kernels.Loss
		value float64
		own   bool
		want  Verdict
	}{
		{"as defined", parse(t, "exp_log_dice(smooth=0)"), math.Inf(1), false, Pass},
		{"not as defined", parse(t, "dice"), math.Inf(1), false, Inconclusive},
		{"not a number", parse(t, "dice"), math.NaN(), false, Fail},
		{"without an oracle", mine, math.Inf(1), false, Inconclusive},
		{"the caller's", parse(t, "exp_log_dice(smooth=0)"), math.Inf(1), true, Inconclusive},
	} {
		p := &problem{n: 1, c: 1, s: 2, x: []float64{0.5, 0.25}, dense: []float64{0, 0}}
		b := &bench{p: p, variants: custom(tt.loss), value: []float64{tt.value}, own: tt.own}
		var row Row
		if b.infinite(&row, 0); row.Verdict != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, row.Verdict, tt.want)
		}
	}
	if _, err := (&problem{}).frozenGradient(mine); err != nil {
		t.Errorf("a region of the caller's has frozen terms: %v", err)
	}
}

// TestLossOff asks that a loss that differs from its value among others fails.
func TestLossOff(t *testing.T) {
	b := &bench{field: &field{rounding: []float64{0}}, value: []float64{1}, size: []float64{2}}
	for _, tt := range []struct {
		d    DType
		loss float64
		want Verdict
	}{
		{Float64, 1 + 1e-14, Pass}, {Float64, 1 + 1e-12, Fail}, {Float32, 1 + 1e-6, Pass}, {Float32, 1 + 1e-4, Fail}, {Float32, math.NaN(), Fail},
	} {
		var row Row
		if b.compareLoss(&row, 0, tt.d, tt.loss); row.Verdict != tt.want {
			t.Errorf("%v, %v: %v, want %v", tt.d, tt.loss, row.Verdict, tt.want)
		}
	}
}

// megapixel is a mean over so many positions that each derivative is tiny.
var megapixel = sync.OnceValues(func() (*bench, error) {
	const side = 1024
	p := &problem{n: 1, c: 1, s: side * side, activation: kernels.Sigmoid, labelType: uint8Labels}
	p.x, p.labels = make([]float64, p.s), make([]int64, p.s)
	for i := range p.x {
		p.x[i] = float64(i%17)/4 - 2
		if i%1000 == 0 {
			p.labels[i] = 1
		}
	}
	l, err := kernels.Parse("bce")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	b, err := newBench(ctx, p, custom(l))
	if err != nil {
		return nil, err
	}
	n := directions
	if testing.Short() {
		n = fewDirections
	}
	return b, b.large(ctx, "megapixel", n, &progress{})
})

func TestMegapixel(t *testing.T) {
	b, err := megapixel()
	if err != nil {
		t.Fatal(err)
	}
	ways := []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}, {backend: reference(), dtype: Float32, layout: kernels.NSC}}
	for _, tt := range []struct {
		name  string
		alter func([]float64)
		want  Verdict
	}{
		{"right", nil, Pass},
		{"zero", func(dx []float64) { clear(dx) }, Fail},
		{"sum for mean", func(dx []float64) { scale(dx, float64(len(dx))) }, Fail},
		{"one part in a thousand", func(dx []float64) { scale(dx, 1.001) }, Fail},
	} {
		b.alter = tt.alter
		rows, err := b.rows(context.Background(), 0, ways, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Verdict != tt.want {
				t.Errorf("%s, %s: %+v, want %v", tt.name, r.DType, r, tt.want)
			}
		}
	}
}

// TestMegapixelDirections spoils elements that are not among the samples, so
// that the directions, or for float32 the pass over all elements, must tell.
func TestMegapixelDirections(t *testing.T) {
	b, err := megapixel()
	if err != nil {
		t.Fatal(err)
	}
	b.alter = func(dx []float64) {
		for i := range dx {
			if i%3 == 0 && !slices.Contains(b.elements, i) {
				dx[i] = 0
			}
		}
	}
	rows, err := b.rows(context.Background(), 0, []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}, {backend: reference(), dtype: Float32, layout: kernels.NCS}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Verdict != Fail || r.Worst.What != "element" || r.Worst.S%3 != 0 {
			t.Errorf("%s: %+v, want a failure traced to an element", r.DType, r)
		}
	}
}
