package gradcheck

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// largeProblem is a dense softmax problem of two samples, too large to be
// looked at element by element.
func largeProblem(t *testing.T, loss string) *bench {
	t.Helper()
	p := &problem{n: 2, c: 3, s: 1 << 14, activation: kernels.Softmax, labelType: uint8Labels}
	rng := rand.New(rand.NewPCG(7, 7))
	p.x, p.labels = make([]float64, p.n*p.c*p.s), make([]int64, p.n*p.s)
	p.weights = make([]float32, p.n*p.s)
	for i := range p.x {
		p.x[i] = 2 * rng.NormFloat64()
	}
	for i := range p.labels {
		p.labels[i] = int64(rng.IntN(p.c))
		p.weights[i] = float32(rng.IntN(3))
	}
	b, err := newBench(context.Background(), p, custom(parse(t, loss)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.large(context.Background(), "large", directions, &progress{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOffender spoils one element that is not among those looked at, and asks
// for its name.
func TestOffender(t *testing.T) {
	ctx := context.Background()
	w := []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}}
	for k, loss := range []string{"dice", "ce", "wce(detach=true) + gdl"} {
		b := largeProblem(t, loss)
		rows, err := b.rows(ctx, 0, w, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if rows[0].Verdict != Pass {
			t.Fatalf("%s: the right gradient: %+v", loss, rows[0])
		}
		for j, at := range [][3]int{{0, 1, 5001}, {1, 2, 12345}, {1, 0, 777}} {
			if testing.Short() && j != k {
				continue
			}
			for !b.p.exists(at[0], at[2]) {
				at[2]++
			}
			i := b.p.index(at[0], at[1], at[2])
			b.alter = func(dx []float64) { dx[i] *= 1.5 }
			rows, err := b.rows(ctx, 0, w, "", "")
			if err != nil {
				t.Fatal(err)
			}
			e := rows[0].Worst
			if rows[0].Verdict != Fail || e.What != "element" || [3]int{e.N, e.C, e.S} != at {
				t.Errorf("%s: %v is traced to %+v, %s", loss, at, e, rows[0].Reason)
			}
			if got := e.Analytic / e.Numeric; math.Abs(got-1.5) > 1e-6 {
				t.Errorf("%s: off by %v, want 1.5", loss, got)
			}
		}
	}
}

// TestOffenderNone asks for no element where each is wrong by too little, or
// the search is interrupted.
func TestOffenderNone(t *testing.T) {
	b := largeProblem(t, "dice")
	g, err := b.gradient(context.Background(), b.variants[0].loss, way{backend: reference(), dtype: Float64, layout: kernels.NCS})
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := b.offender(context.Background(), 0, b.directions[0], g.dx, nil); ok {
		t.Errorf("the right gradient is traced to %+v", e)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e, ok := b.offender(ctx, 0, b.directions[0], make([]float64, len(g.dx)), nil); ok {
		t.Errorf("an interrupted search found %+v", e)
	}
}

// TestStrata asks that the elements looked at are of every kind.
func TestStrata(t *testing.T) {
	b := largeProblem(t, "dice + bce")
	p := b.p
	has := map[int]bool{}
	for _, i := range b.elements {
		n, c, s := p.place(i)
		if !p.exists(n, s) {
			t.Errorf("[%d %d %d] does not exist", n, c, s)
		}
		has[i] = true
	}
	for _, s := range []int{0, p.s - 1, 7, 8, 31, 32, 127, 128} {
		if !p.exists(1, s) {
			continue
		}
		own := 0
		for c := range p.c {
			if has[p.index(1, c, s)] {
				own++
			}
		}
		if own < 2 {
			t.Errorf("position %d of the last sample: %d elements, want two", s, own)
		}
	}
	for name, rank := range map[string]func(int) float64{
		"largest":  func(i int) float64 { return p.x[i] },
		"smallest": func(i int) float64 { return -p.x[i] },
	} {
		if best := p.most(rank); len(best) != extremes || !has[best[0]] {
			t.Errorf("the %s element %v is not among them", name, best)
		}
	}
}
