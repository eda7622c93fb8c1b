package gradcheck

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// mutants make a gradient wrong.
var mutants = []struct {
	name   string
	mutate func(p *problem, dx []float64)
}{
	{"sign", func(_ *problem, dx []float64) { scale(dx, -1) }},
	{"zero", func(_ *problem, dx []float64) { scale(dx, 0) }},
	{"five parts in ten thousand", func(_ *problem, dx []float64) { scale(dx, 1.0005) }},
	{"missing 1/N", func(p *problem, dx []float64) { scale(dx, float64(p.n*p.s)) }},
	{"forgotten upstream value", func(_ *problem, dx []float64) { scale(dx, 1.0/upstream) }},
	{"largest element zeroed", func(_ *problem, dx []float64) { dx[largest(dx)] = 0 }},
	{"largest element not a number", func(_ *problem, dx []float64) { dx[largest(dx)] = math.NaN() }},
	{"wrong class", func(p *problem, dx []float64) {
		for n := range p.n {
			a, b := dx[p.index(n, 0, 0):][:p.s], dx[p.index(n, p.c-1, 0):][:p.s]
			for s := range a {
				a[s], b[s] = b[s], a[s]
			}
		}
	}},
	{"last position skipped", func(p *problem, dx []float64) {
		for n := range p.n {
			for c := range p.c {
				dx[p.index(n, c, p.s-1)] = 0
			}
		}
	}},
	{"softmax chain dropped", func(p *problem, dx []float64) {
		for i := range dx {
			n, c, s := p.place(i)
			if p.exists(n, s) {
				prob, _ := p.probability(n, c, s)
				dx[i] += prob * rms(dx)
			}
		}
	}},
}

func scale(v []float64, by float64) {
	for i := range v {
		v[i] *= by
	}
}

func largest(v []float64) int {
	best := 0
	for i, a := range v {
		if math.Abs(a) > math.Abs(v[best]) {
			best = i
		}
	}
	return best
}

// changes reports whether the mutant matters: whether it moves an element by
// more than ten tolerances, as the right gradient has them.
func changes(right, wrong []float64) bool {
	least := floor * rms(right)
	for i, v := range right {
		if !(math.Abs(wrong[i]-v) <= 10*tolerance*max(math.Abs(v), least)) {
			return true
		}
	}
	return false
}

func TestMutants(t *testing.T) {
	ctx := context.Background()
	caught, harmless := 0, 0
	for _, a := range (Options{}).activations() {
		for _, tc := range testcases(a) {
			if name := edges[tc.edge].name; !slices.Contains([]string{"ordinary", "absent class", "nearly perfect", "clamp edge", "one position"}, name) || tc.kind != tc.edge%len(kinds) {
				continue
			}
			all, err := listed(tc.classes())
			if err != nil {
				t.Fatal(err)
			}
			all = slices.DeleteFunc(all, func(v variant) bool { return !v.whole })
			b, err := newBench(ctx, tc.problem(), all)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.small(ctx); err != nil {
				t.Fatal(err)
			}
			for i, v := range all {
				w := way{reference(), Float64, kernels.NCS}
				right, err := b.gradient(ctx, v.loss, w)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range mutants {
					wrong := slices.Clone(right.dx)
					m.mutate(b.p, wrong)
					matters := changes(right.dx, wrong)
					b.alter = func(dx []float64) { m.mutate(b.p, dx) }
					rows, err := b.rows(ctx, i, []way{w}, "", "")
					if err != nil {
						t.Fatal(err)
					}
					switch failed := rows[0].Verdict == Fail; {
					case matters && !failed:
						t.Errorf("%s, %v, %s: %q survived: %+v", v.text, a, edges[tc.edge].name, m.name, rows[0])
					case matters:
						caught++
					default:
						harmless++
					}
				}
			}
		}
	}
	t.Logf("%d mutants caught, %d harmless", caught, harmless)
	if caught < 10*harmless {
		t.Errorf("%d mutants of %d were harmless", harmless, harmless+caught)
	}
}

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
	b := &bench{value: []float64{1}, size: []float64{2}}
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
func megapixel(t *testing.T) *bench {
	t.Helper()
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
		t.Fatal(err)
	}
	ctx := context.Background()
	b, err := newBench(ctx, p, custom(l))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.large(ctx, "megapixel", &progress{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMegapixel(t *testing.T) {
	b := megapixel(t)
	ways := []way{{reference(), Float64, kernels.NCS}, {reference(), Float32, kernels.NSC}}
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
	b := megapixel(t)
	b.alter = func(dx []float64) {
		for i := range dx {
			if i%3 == 0 && !slices.Contains(b.elements, i) {
				dx[i] = 0
			}
		}
	}
	rows, err := b.rows(context.Background(), 0, []way{{reference(), Float64, kernels.NCS}, {reference(), Float32, kernels.NCS}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Verdict != Fail || r.Worst.What != "element" || r.Worst.S%3 != 0 {
			t.Errorf("%s: %+v, want a failure traced to an element", r.DType, r)
		}
	}
}
