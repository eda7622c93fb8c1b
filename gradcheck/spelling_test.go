package gradcheck

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// A spelling is a function of Dice, D or 1 − num/den, with right partial
// derivatives, the mean over the classes. Off is what FN of class 1 is off by, if
// that is not 0.
type spelling struct {
	name   string
	h, dh  func(d float64) float64
	by1    bool // D is 1 − num/den
	smooth float64
	off    float64
}

func (s spelling) Name() string { return "spelt" }

func (s spelling) Eval(c, d []kernels.Cell) float64 {
	sum, n := 0.0, float64(len(c))
	for i, k := range c {
		num, den := 2*k.TP+s.smooth, 2*k.TP+k.FP+k.FN+s.smooth
		dice := (k.FP + k.FN) / den
		if s.by1 {
			dice = 1 - num/den
		}
		sum += s.h(dice)
		slope := s.dh(dice) / n
		d[i].TP = -2 * (1 - num/den) / den * slope
		d[i].FP = num / den / den * slope
		d[i].FN = num / den / den * slope
		if i == 1 && s.off != 0 {
			d[i].FN *= s.off
		}
	}
	return sum / n
}

// spellings are ways to write losses down that round differently.
var spellings = []spelling{
	{name: "1 − num/den", h: func(d float64) float64 { return d }, dh: func(float64) float64 { return 1 }, by1: true},
	{name: "log cosh", h: func(d float64) float64 { return math.Log(math.Cosh(d)) }, dh: math.Tanh},
	{name: "log cosh of 1 − num/den", h: func(d float64) float64 { return math.Log(math.Cosh(d)) }, dh: math.Tanh, by1: true},
	{name: "log cosh by log1p", h: func(d float64) float64 { return d + math.Log1p(math.Exp(-2*d)) - math.Ln2 }, dh: math.Tanh},
	{name: "log cosh by exp", h: func(d float64) float64 { return math.Log((math.Exp(d) + math.Exp(-d)) / 2) }, dh: math.Tanh},
	{name: "(1 − num/den)²", h: func(d float64) float64 { return d * d }, dh: func(d float64) float64 { return 2 * d }, by1: true},
	{name: "−log(1 − D)", h: func(d float64) float64 { return -math.Log(1 - d) }, dh: func(d float64) float64 { return 1 / (1 - d) }},
}

// roundedEdges are those on which the loss of a region is next to a round number.
var roundedEdges = []string{"perfect", "nearly perfect", "absent class"}

// TestSpellings asks that no row fails of a right gradient, however the value is
// spelt and on whichever backend.
func TestSpellings(t *testing.T) {
	for i, s := range spellings {
		for seed, smooth := range []float64{1e-5, 1} {
			if testing.Short() && (i+seed)%2 > 0 {
				continue
			}
			s.smooth = smooth
			r, err := Loss(context.Background(), parse(t, "spelt", s), Options{Seed: uint64(seed), Edges: roundedEdges})
			if err != nil {
				t.Fatal(err)
			}
			wantNoFail(t, s, r)
		}
	}
}

// wantNoFail asks that no row fails, and that those that are inconclusive are so by
// noise. One of many rows that fail is told of.
func wantNoFail(t *testing.T, s spelling, r Report) {
	t.Helper()
	told := false
	for _, row := range r.Rows {
		if !told && (row.Verdict == Fail || row.Verdict == Inconclusive && row.reasonKind() != "noise") {
			t.Errorf("%s, smooth %g: %d fail; %v %s, %s, %s, %s, %s: %s; %v", s.name, s.smooth, r.Count(Fail),
				row.Verdict, row.Edge, row.Activation, row.Target, row.Backend, row.DType, row.Reason, row.Worst)
			told = true
		}
	}
}

// TestSpellingsOwn asks the same of tensors of one's own, nearly right ones, small
// and large.
func TestSpellingsOwn(t *testing.T) {
	for _, s := range spellings {
		s.smooth = 1e-5
		for _, n := range []int{8, 700} {
			for _, part := range []float64{1, 0.6} {
				in := perfectInput(2, 3, n)
				in.Activation = kernels.Softmax
				for i := range in.Pred {
					in.Pred[i] *= part
				}
				r, err := Tensors(context.Background(), parse(t, "spelt", s), in, Options{})
				if err != nil {
					t.Fatal(err)
				}
				wantNoFail(t, s, r)
			}
		}
	}
}

// TestSpellingsWrong asks that a partial derivative that is off is named, and it
// alone: the plateaus beside it are no mistakes.
func TestSpellingsWrong(t *testing.T) {
	o := Options{Backends: []string{reference()}}
	perfect := Input{N: 1, C: 2, S: 3, Pred: []float64{0.9999999, 1e-7, 0.9999999, 1e-7, 0.9999999, 1e-7}, Labels: []int64{0, 1, 0}}
	for _, s := range spellings {
		for _, s.smooth = range []float64{1e-5, 1} {
			for _, s.off = range []float64{1.001, 2, -1} {
				loss := parse(t, "spelt", s)
				table, err := Loss(context.Background(), loss, o)
				if err != nil {
					t.Fatal(err)
				}
				own, err := Tensors(context.Background(), loss, perfect, o)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range []Report{table, own} {
					reason := r.Rows[0].Reason
					if r.Verdict() == Pass || i == 0 && r.Verdict() != Fail {
						t.Errorf("%s, smooth %g, times %g: %v %s", s.name, s.smooth, s.off, r.Verdict(), reason)
					}
					if r.Verdict() == Fail && (len(r.Rows) > 1 || !strings.HasPrefix(reason, "spelt: class 1: ∂/∂FN ") || strings.Count(reason, "∂/∂") > 1) {
						t.Errorf("%s, smooth %g, times %g: %d rows, %s", s.name, s.smooth, s.off, len(r.Rows), reason)
					}
				}
			}
		}
	}
}

// TestSpellingsSeen asks that what is off by more than rounding is seen where a row
// passes: a loss that is off by a billionth of 1, and a gradient by a ten-thousandth.
func TestSpellingsSeen(t *testing.T) {
	ctx := context.Background()
	base := []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}}
	for _, s := range spellings {
		s.smooth = 1
		for _, tc := range testcases(kernels.Sigmoid) {
			if kinds[tc.kind].labels != uint8Labels {
				continue // what a target is handed over as makes no difference here
			}
			b, err := newBench(ctx, tc.problem(), custom(parse(t, "spelt", s)))
			if err == nil {
				err = b.small(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			var row Row
			b.compareLoss(&row, 0, Float64, b.value[0]+1e-9)
			if row.Verdict != Fail {
				t.Errorf("%s, %v: a loss of %g that is off by 1e-9 passes", s.name, tc, b.value[0])
			}
			right, err := b.rows(ctx, 0, base, "", "")
			if err != nil {
				t.Fatal(err)
			}
			b.alter = func(dx []float64) {
				for i := range dx {
					dx[i] *= 1.0001
				}
			}
			wrong, err := b.rows(ctx, 0, base, "", "")
			if err != nil {
				t.Fatal(err)
			}
			if right[0].Verdict == Pass && rms(values(b.numeric[0])) > 0 && wrong[0].Verdict != Fail {
				t.Errorf("%s, %v: a gradient times 1.0001: %v %s", s.name, tc, wrong[0].Verdict, wrong[0].Reason)
			}
		}
	}
}
