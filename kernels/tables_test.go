package kernels

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/segloss/segloss/kernels/cpu"
)

// Every row of every table does what the portable row does, to rounding, and
// writes nothing else: the positions beside the tile hold NaNs, which must
// neither show nor go.

func TestTables(t *testing.T) {
	for i := range implementations {
		b := &implementations[i]
		if b.Err != nil || b.Name == "generic" || b.Name == LoopsBackend {
			continue
		}
		t.Run("backend="+b.Name+"/f32", func(t *testing.T) { testTable(t, b.f32.rows, 1e-8) })
		t.Run("backend="+b.Name+"/f64", func(t *testing.T) { testTable(t, b.f64.rows, 1e-13) })
	}
}

func testTable[T Float](t *testing.T, table *cpu.Kernels[T], tol float64) {
	rnd, tried := rand.New(rand.NewPCG(43, 44)), Sampler(3)
	portable, rows := cpu.Generic[T](), tableRows[T]()
	for _, classes := range []int{1, 2, 3, 4, 5, 9, 19} {
		for n := range 131 {
			if classes > 5 && n%7 > 1 {
				continue
			}
			for _, row := range rows {
				if row.kind.softmax && classes == 1 || row.kind == (sampleKind{}) && classes > 2 {
					continue // nothing to see, or nothing new
				}
				if !tried() {
					continue
				}
				s := newSample[T](rnd, classes, n, row.kind)
				want, got := s.clone(), s.clone()
				row.run(portable, want)
				row.run(table, got)
				if err := got.compare(want, tol); err != nil {
					t.Errorf("%s, %d classes, %d positions, clip %v, logarithms %v, weights %v: %v", row.name, classes, n, s.tile.Clip, s.tile.LP != nil, s.tile.V != nil, err)
				}
			}
		}
	}
}

// sample is a tile with the numbers that rows of the table take beside it.
type sample[T Float] struct {
	tile cpu.Tile[T]
	acc  []float64
	coef []float64
}

// sampleKind says by what P and Q came about: softmax, probabilities, or sigmoid
// where neither is set; and whether the rows that a tile may lack may be missing.
type sampleKind struct{ softmax, labels, inside, partial bool }

type tableRow[T Float] struct {
	name string
	kind sampleKind
	run  func(k *cpu.Kernels[T], s *sample[T])
}

// tableRows lists every function of a table, with what it works on.
func tableRows[T Float]() []tableRow[T] {
	sum := func(of func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T])) func(*cpu.Kernels[T], *sample[T]) {
		return func(k *cpu.Kernels[T], s *sample[T]) {
			s.eachRow(func(c int, r *cpu.Row[T]) { of(k)(s.acc[4*c:][:4], r) })
		}
	}
	grad := func(run func(k *cpu.Kernels[T], r *cpu.Row[T])) func(*cpu.Kernels[T], *sample[T]) {
		return func(k *cpu.Kernels[T], s *sample[T]) {
			s.eachRow(func(_ int, r *cpu.Row[T]) { run(k, r) })
		}
	}
	labels := sampleKind{softmax: true, labels: true}
	rows := []tableRow[T]{
		{"Probabilities", sampleKind{inside: true, partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.Probabilities(&s.tile) }},
		{"Sigmoid", sampleKind{partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.Sigmoid(&s.tile) }},
		{"Softmax", sampleKind{softmax: true, partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.Softmax(&s.tile) }},
		{"Counts", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.Counts })},
		{"Region", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.Region })},
		{"Soft", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.Soft })},
		{"Square", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.Square })},
		{"LogP", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.LogP })},
		{"LogQ", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.LogQ })},
		{"LogAll", sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) { return k.LogAll })},
		{"CountsY", labels, func(k *cpu.Kernels[T], s *sample[T]) { k.CountsY(s.acc, 4, &s.tile) }},
		{"RegionY", labels, func(k *cpu.Kernels[T], s *sample[T]) {
			k.RegionY(s.acc, 4, &s.tile)
			s.tile.P, s.tile.Q = nil, nil // unspecified
		}},
		{"LogPY", labels, func(k *cpu.Kernels[T], s *sample[T]) { k.LogPY(s.acc, 4, &s.tile) }},
		{"SoftmaxRegionY", labels, func(k *cpu.Kernels[T], s *sample[T]) { k.SoftmaxRegionY(&s.tile, s.coef) }},
		{"RegionGrad", sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) { k.RegionGrad(r, 0.5, -2, 0.25, 3) })},
		{"SoftGrad", sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) { k.SoftGrad(r, 0.5, -2, 0.25, 3) })},
		{"SquareGrad", sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) { k.SquareGrad(r, 0.5, -2, 0.25) })},
		{"LogGrad", sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) { k.LogGrad(r, 0.5, -2, 0.25) })},
		{"ProbabilitiesChain", sampleKind{inside: true, partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.ProbabilitiesChain(&s.tile) }},
		{"SigmoidChain", sampleKind{partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.SigmoidChain(&s.tile) }},
		{"SoftmaxChain", sampleKind{softmax: true, partial: true}, func(k *cpu.Kernels[T], s *sample[T]) { k.SoftmaxChain(&s.tile) }},
	}
	for _, gamma := range []float64{0, 0.5, 1, 1.5, 2, 3, 3.5, 4} {
		rows = append(rows,
			tableRow[T]{fmt.Sprintf("Power γ=%v", gamma), sampleKind{}, func(k *cpu.Kernels[T], s *sample[T]) {
				s.eachRow(func(c int, r *cpu.Row[T]) {
					k.Power(s.acc[4*c:], s.acc[4*c+1:], gamma, r)
					k.Power(s.acc[4*c+2:], nil, gamma, r)
				})
			}},
			tableRow[T]{fmt.Sprintf("ExpLog γ=%v", gamma), sampleKind{}, sum(func(k *cpu.Kernels[T]) func([]float64, *cpu.Row[T]) {
				return func(acc []float64, r *cpu.Row[T]) { k.ExpLog(acc, gamma, r) }
			})},
			tableRow[T]{fmt.Sprintf("PowerGrad γ=%v", gamma), sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) {
				k.PowerGrad(r, gamma, 0.5, -2)
				k.PowerGrad(r, gamma, 0, 3)
				k.PowerGrad(r, gamma, -1, 0)
			})},
			tableRow[T]{fmt.Sprintf("ExpLogGrad γ=%v", gamma), sampleKind{}, grad(func(k *cpu.Kernels[T], r *cpu.Row[T]) { k.ExpLogGrad(r, gamma, 0.5) })},
		)
	}
	return rows
}

func (s *sample[T]) eachRow(f func(c int, r *cpu.Row[T])) {
	var r cpu.Row[T]
	for c := range s.tile.C {
		s.tile.Row(&r, c)
		f(c, &r)
	}
}

// newSample makes a tile on which all that a row may read is there. Now and
// then there are numbers at the edges among the others.
func newSample[T Float](rnd *rand.Rand, classes, n int, kind sampleKind) *sample[T] {
	stride := n + rnd.IntN(9)
	s := &sample[T]{acc: randomRow(rnd, 4*classes), coef: randomRow(rnd, 4*classes)}
	t := &s.tile
	*t = cpu.Tile[T]{
		C: classes, N: n, Stride: stride, XStride: n + rnd.IntN(9), RStride: n + rnd.IntN(9), OutStride: n + rnd.IntN(9),
		Work: nans[float64](2*classes+1, n), Spare: nans[float64](0, n),
	}
	edges := []float64{0, math.Copysign(0, -1), 37, -37, 88, -104}
	if kind.softmax {
		edges = append(edges, 299, -299, 301, -301, 690)
	} else {
		edges = append(edges, 700, -700, 800, -800, 1e30, -1e30, math.Inf(1), math.Inf(-1))
	}
	rare := 20 + 1000*rnd.IntN(2)
	t.X = nans[T](classes, t.XStride)
	t.R = nans[T](classes, t.RStride)
	t.Out = nans[T](classes, t.OutStride)
	for c := range classes {
		for i := range n {
			x := rnd.NormFloat64() * 4
			if rnd.IntN(rare) == 0 {
				x = edges[rnd.IntN(len(edges))]
			}
			if kind.inside {
				x = []float64{1 / (1 + math.Exp(-x)), 1 / (1 + math.Exp(-x)), 0, 1}[max(0, rnd.IntN(13)-9)]
			}
			t.X[c*t.XStride+i] = T(x)
			t.R[c*t.RStride+i] = T(min(max(rnd.Float64()*2-0.5, 0), 1))
		}
	}
	if rnd.IntN(2) == 0 && !kind.labels {
		t.V = make([]T, n)
		for i := range t.V {
			t.V[i] = T(rnd.IntN(9)) / 4
		}
	}
	t.P, t.Q = nans[float64](classes, stride), nans[float64](classes, stride)
	t.LP, t.LQ = nans[float64](classes, stride), nans[float64](classes, stride)
	t.G, t.U = nans[float64](classes, stride), nans[float64](classes, stride)
	if kind.inside {
		t.Clip = 1e-7
	}
	k := cpu.Generic[T]()
	switch {
	case kind.softmax:
		k.Softmax(t)
	case kind.inside:
		k.Probabilities(t)
	default:
		k.Sigmoid(t)
	}
	for c := range classes {
		copy(t.G[c*stride:], randomRow(rnd, n))
		copy(t.U[c*stride:], randomRow(rnd, n))
	}
	if kind.labels {
		t.R, t.Y = nil, make([]int32, n)
		for i := range t.Y {
			t.Y[i] = int32(rnd.IntN(classes))
		}
		t.LP, t.LQ = nil, nil
	}
	if kind.partial {
		switch rnd.IntN(4) {
		case 0:
			if kind.softmax {
				t.LQ = nil
			}
		case 1:
			t.LP, t.LQ, t.U = nil, nil, nil
		}
	}
	return s
}

func (s *sample[T]) clone() *sample[T] {
	d := &sample[T]{tile: s.tile, acc: slices.Clone(s.acc), coef: slices.Clone(s.coef)}
	t := &d.tile
	for _, m := range []*[]T{&t.X, &t.R, &t.Out, &t.V} {
		*m = slices.Clone(*m)
	}
	for _, m := range []*[]float64{&t.P, &t.Q, &t.LP, &t.LQ, &t.G, &t.U, &t.Work, &t.Spare} {
		*m = slices.Clone(*m)
	}
	return d
}

// compare holds probabilities and logarithms to a relative tolerance, and sums
// and derivatives to one of the largest of their kind.
func (s *sample[T]) compare(want *sample[T], tol float64) error {
	t, w := &s.tile, &want.tile
	outTol := tol
	if _, ok := any(t.X).([]float32); ok {
		outTol = 0x1p-22
	}
	return errors.Join(
		compareRow("X", t.X, w.X, 0, false), compareRow("R", t.R, w.R, 0, false), compareRow("V", t.V, w.V, 0, false),
		compareRow("P", t.P, w.P, tol, false), compareRow("Q", t.Q, w.Q, tol, false),
		compareRow("LP", t.LP, w.LP, tol, false), compareRow("LQ", t.LQ, w.LQ, tol, false),
		compareRow("G", t.G, w.G, tol, true), compareRow("U", t.U, w.U, tol, true),
		compareRow("Out", t.Out, w.Out, outTol, true), compareRow("sums", s.acc, want.acc, tol, true),
		compareRow("coefficients", s.coef, want.coef, 0, false),
	)
}

func compareRow[E Float](name string, got, want []E, tol float64, byLargest bool) error {
	least := 1e-300 // below which a portable exponential may be 0
	if byLargest {
		for _, v := range want {
			if a := math.Abs(float64(v)); a > least && !math.IsInf(a, 1) {
				least = a
			}
		}
	}
	for i, v := range want {
		g, w := float64(got[i]), float64(v)
		if g == w || g != g && w != w || math.Abs(g-w) <= tol*max(math.Abs(w), least) || math.Abs(g-w) <= 1e-300 {
			continue
		}
		return fmt.Errorf("%s[%d] = %v; want %v", name, i, g, w)
	}
	return nil
}

func randomRow(rnd *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rnd.NormFloat64()
	}
	return x
}

// nans is a matrix and one row more, all NaN.
func nans[T Float](rows, stride int) []T {
	m := make([]T, (rows+1)*stride)
	for i := range m {
		m[i] = T(math.NaN())
	}
	return m
}
