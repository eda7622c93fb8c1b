package gradcheck

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func f32(v float64) float64 { return float64(float32(v)) }

// rounded are functions that stand still on some scale, because they are made of
// numbers that are larger than they are themselves, with their derivatives.
var rounded = []struct {
	name  string
	f, df func(x float64) float64
}{
	{"logarithm of cosh", func(x float64) float64 { return math.Log(math.Cosh(x)) }, math.Tanh},
	{"a third of it", func(x float64) float64 { return math.Log(math.Cosh(x)) / 3 }, func(x float64) float64 { return math.Tanh(x) / 3 }},
	{"root less 1", func(x float64) float64 { return math.Sqrt(1+x*x) - 1 }, func(x float64) float64 { return x / math.Sqrt(1+x*x) }},
	{"1 less cosine", func(x float64) float64 { return 1 - math.Cos(x) }, math.Sin},
	{"logarithm of 1 + x", func(x float64) float64 { return math.Log(1 + x) }, func(x float64) float64 { return 1 / (1 + x) }},
	{"logarithm of 1 + x²", func(x float64) float64 { return math.Log(1 + x*x) }, func(x float64) float64 { return 2 * x / (1 + x*x) }},
	{"x by way of 1", func(x float64) float64 { return 1 + x - 1 }, func(float64) float64 { return 1 }},
	{"cube by way of 7", func(x float64) float64 { return 7*(1+x*x*x) - 7 }, func(x float64) float64 { return 21 * x * x }},
	{"quotient less 1", func(x float64) float64 { return 1 - 3/(3+x*x) }, func(x float64) float64 { return 6 * x / ((3 + x*x) * (3 + x*x)) }},
	{"logarithm of a sum", func(x float64) float64 { return math.Log(math.Exp(x)+math.Exp(-x)) - math.Ln2 }, math.Tanh},
	{"two of them", func(x float64) float64 { return (math.Log(math.Cosh(x)) + 0.37*(1-math.Cos(1.7*x))) / 3 },
		func(x float64) float64 { return (math.Tanh(x) + 0.37*1.7*math.Sin(1.7*x)) / 3 }},
	{"float32 inside", func(x float64) float64 { return math.Log(f32(math.Cosh(x))) }, math.Tanh},
	{"float32 by way of 1", func(x float64) float64 { return f32(1+x*x) - 1 }, func(x float64) float64 { return 2 * x }},
	{"staircase", func(x float64) float64 { return math.Floor(x*1e6) / 1e6 }, func(float64) float64 { return 1 }},
	{"staircase of squares", func(x float64) float64 { return math.Round(x*x*1e3) / 1e3 }, func(x float64) float64 { return 2 * x }},
}

// TestPlateauRounded asks that nobody is accused of what rounding explains: a
// right gradient passes or is inconclusive by noise, and one that is wrong fails
// where the function shows it. One of the claimed errors, none on a plateau, may
// be a little too small.
func TestPlateauRounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	for _, k := range rounded {
		var right, wrong [3]int
		for range 300 {
			x := []float64{math.Pow(10, -12*rng.Float64())}
			f := Function{Value: func(x []float64) float64 { return k.f(x[0]) }, Gradient: func(dst, x []float64) { dst[0] = k.df(x[0]) }}
			switch rng.IntN(4) {
			case 0:
				x[0] *= -1
			case 1:
				f.Lower = []float64{0}
			case 2:
				f.Lower, f.Upper = []float64{0}, []float64{1}
			}
			row := Func(f, x)
			right[row.Verdict]++
			short := row.Verdict == Fail && row.Worst.Numeric != 0 && row.Worst.use() < 2
			if row.Verdict == Fail && !(short && right[Fail] == 1) || row.Verdict == Inconclusive && row.reasonKind() != "noise" && row.reasonKind() != "truncation" {
				t.Errorf("%s at %g: %v %s; %v", k.name, x[0], row.Verdict, row.Reason, row.Worst)
			}
			if row.Verdict != Pass {
				continue
			}
			for _, by := range []float64{1.001, -1, 0} {
				row := Func(altered(f, func(dst, _ []float64) { dst[0] *= by }), x)
				wrong[row.Verdict]++
				if row.Verdict != Fail {
					t.Errorf("%s at %g, times %g: %v %s; %v", k.name, x[0], by, row.Verdict, row.Reason, row.Worst)
				}
			}
		}
		t.Logf("%s: right %v, wrong %v", k.name, right, wrong)
	}
}

// TestPlateauLong asks the same of a sum over many coordinates, some of which are
// looked at, and directions.
func TestPlateauLong(t *testing.T) {
	for _, k := range rounded[:len(rounded)-2] { // of staircases the coordinates would lie on the steps
		for _, at := range []float64{1e-9, 1e-4} {
			x := make([]float64, smallTensor+1)
			for i := range x {
				x[i] = at * (1 + float64(i%7)/10)
			}
			f := Function{
				Value: func(x []float64) float64 {
					sum := 0.0
					for _, v := range x {
						sum += k.f(v)
					}
					return sum
				},
				Gradient: func(dst, x []float64) {
					for i, v := range x {
						dst[i] = k.df(v)
					}
				},
			}
			if row := Func(f, x); row.Verdict == Fail {
				t.Errorf("%s at %g: %v %s; %v", k.name, at, row.Verdict, row.Reason, row.Worst)
			}
		}
	}
}

// TestPlateauReason asks what is said of the loss that the plateau of was taken
// for its derivative.
func TestPlateauReason(t *testing.T) {
	row := Func(Function{
		Value:    func(x []float64) float64 { return math.Log(math.Cosh(x[0])) },
		Gradient: func(dst, x []float64) { dst[0] = math.Tanh(x[0]) },
		Lower:    []float64{0}, Upper: []float64{5e-8},
	}, []float64{1.244e-9})
	if row.Verdict != Inconclusive || !strings.HasPrefix(row.Reason, "noise: the value stands still over a width of ") {
		t.Errorf("%v %s; %v", row.Verdict, row.Reason, row.Worst)
	}
}

// TestPlateauFlat asks that a derivative other than 0 fails where the function is
// flat, and not rounded: whatever is beyond the ledge.
func TestPlateauFlat(t *testing.T) {
	for name, f := range map[string]func(x float64) float64{
		"constant":            func(float64) float64 { return 2 },
		"constant 0":          func(float64) float64 { return 0 },
		"rectifier":           func(x float64) float64 { return math.Max(0, x-0.1) },
		"rectifier far out":   func(x float64) float64 { return math.Max(0, x-70) },
		"rectifier, raised":   func(x float64) float64 { return 1 + math.Max(0, x-0.02) },
		"square of rectifier": func(x float64) float64 { v := math.Max(0, x-0.1); return v * v },
		"clamped":             func(x float64) float64 { return -math.Log(math.Max(x, 0.3)) },
		"clamped twice":       func(x float64) float64 { return math.Min(math.Max(x, 0.02), 0.03) },
		"threshold":           func(x float64) float64 { return math.Trunc(x+0.6) * (1 + x) },
	} {
		for _, x := range []float64{0.01, 1e-4, 1e-9} {
			for _, bounds := range [][2][]float64{{}, {{0}, {1}}, {{0}}} {
				for _, g := range []float64{0, 1e-9, -1e-3, 1} {
					want := Fail
					if g == 0 {
						want = Pass
					}
					c := claim(func(x []float64) float64 { return f(x[0]) }, g)
					c.Lower, c.Upper = bounds[0], bounds[1]
					if row := Func(c, []float64{x}); row.Verdict != want {
						t.Errorf("%s at %g, %g claimed between %v: %v %s; %v", name, x, g, bounds, row.Verdict, row.Reason, row.Worst)
					}
				}
			}
		}
	}
}

// logCosh is the region loss ln cosh D, the mean over the classes, with D the
// Dice loss of a cell, computed by way of 1. The derivatives are off by what
// spoil does to those of a cell.
type logCosh struct{ spoil func(d *kernels.Cell) }

func (logCosh) Name() string { return "log_cosh_dice" }

func (l logCosh) Eval(c, d []kernels.Cell) float64 {
	sum, n := 0.0, float64(len(c))
	for i, s := range c {
		den := 2*s.TP + s.FP + s.FN + 1
		dice := (s.FP + s.FN) / den
		sum += math.Log(math.Cosh(dice))
		slope := math.Tanh(dice) / n
		d[i].TP = -2 * dice / den * slope
		d[i].FP = (1 - dice) / den * slope
		d[i].FN = (1 - dice) / den * slope
		if l.spoil != nil {
			l.spoil(&d[i])
		}
	}
	return sum / n
}

// TestPlateauRegion asks for the same on the table and on tensors of one's own:
// no row fails, and those that are inconclusive are so by noise.
func TestPlateauRegion(t *testing.T) {
	loss := parse(t, "log_cosh_dice", logCosh{})
	r, err := Loss(context.Background(), loss, Options{Edges: []string{"perfect", "nearly perfect", "tiny", "saturated", "one position"}, Backends: []string{reference()}})
	if err != nil {
		t.Fatal(err)
	}
	large := perfectInput(1, 3, smallTensor)
	for _, in := range []Input{perfectInput(1, 3, 8), large} {
		own, err := Tensors(context.Background(), loss, in, Options{Backends: []string{reference()}})
		if err != nil {
			t.Fatal(err)
		}
		r.Rows = append(r.Rows, own.Rows...)
	}
	for _, row := range r.Rows {
		if row.Verdict == Fail || row.Verdict == Inconclusive && row.reasonKind() != "noise" {
			t.Errorf("%v %s, %s, %s, %s: %s; %v", row.Verdict, row.Activation, row.Target, row.Edge, row.DType, row.Reason, row.Worst)
		}
	}
	if r.Count(Inconclusive) == 0 {
		t.Error("everything is decided")
	}
}

// perfectInput returns logits that are right to a billionth.
func perfectInput(n, c, s int) Input {
	in := Input{N: n, C: c, S: s, Activation: kernels.Sigmoid, Pred: make([]float64, n*c*s)}
	for i := range n * s {
		in.Labels = append(in.Labels, int64(i%c))
	}
	for i := range in.Pred {
		in.Pred[i] = -20.5 - float64(i%7)/8
		if i/s%c == i%s%c {
			in.Pred[i] *= -1
		}
	}
	return in
}
