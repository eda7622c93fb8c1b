package gradcheck

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// spoiled are mistakes in the partial derivatives of logCosh and what is to be
// said of them.
var spoiled = []struct {
	name  string
	spoil func(d *kernels.Cell)
	want  string
}{
	{"TP by 1.001", func(d *kernels.Cell) { d.TP *= 1.001 }, ": ∂/∂TP off by a factor of 1.001"},
	{"FP by 1.001", func(d *kernels.Cell) { d.FP *= 1.001 }, ": ∂/∂FP off by a factor of 1.001"},
	{"FN by 1.001", func(d *kernels.Cell) { d.FN *= 1.001 }, ": ∂/∂FN off by a factor of 1.001"},
	{"exchanged", func(d *kernels.Cell) { d.TP, d.FN = d.FN, d.TP }, ": ∂/∂TP and ∂/∂FN exchanged"},
	{"sign", func(d *kernels.Cell) { d.FN *= -1 }, ": ∂/∂FN has the wrong sign"},
	{"forgotten", func(d *kernels.Cell) { d.TP = 0 }, ": ∂/∂TP zero and should not be"},
	{"of nothing", func(d *kernels.Cell) { d.TN = 1 }, ": ∂/∂TN not zero and should be"},
	{"of squares", func(d *kernels.Cell) { d.SQ = -0.1 }, ": ∂/∂SQ not zero and should be"},
	{"not a number", func(d *kernels.Cell) { d.FP = math.NaN() }, ": ∂/∂FP not finite"},
	{"nothing stored", func(d *kernels.Cell) { *d = kernels.Cell{} }, "Eval stores no derivatives in d"},
}

// TestRegionPartials asks for one row that names what is wrong, and for none where
// nothing is.
func TestRegionPartials(t *testing.T) {
	o := Options{Level: Short, Backends: []string{reference()}}
	own := input(1, 3, 8)
	for _, tt := range spoiled {
		loss := parse(t, "dice + 0.5*log_cosh_dice", logCosh{tt.spoil})
		byTable, err := Loss(context.Background(), loss, o)
		if err != nil {
			t.Fatal(err)
		}
		byTensors, err := Tensors(context.Background(), loss, own, o)
		if err != nil {
			t.Fatal(err)
		}
		var told recorder
		byTest := CheckLoss(&told, loss, o)
		for _, r := range []Report{byTable, byTensors, byTest} {
			if len(r.Rows) != 1 || r.Verdict() != Fail || !strings.Contains(r.Rows[0].Reason, tt.want) || !strings.HasPrefix(r.Rows[0].Reason, "log_cosh_dice: ") {
				t.Errorf("%s: %d rows, %v %s", tt.name, len(r.Rows), r.Verdict(), r.Rows[0].Reason)
			}
		}
		wantTold(t, told, true, tt.want, "∂/∂", "of sample")
	}
}

// TestRegionClass asks for the class of a mistake that is made in one.
func TestRegionClass(t *testing.T) {
	own := ownRegion{func(c, d []kernels.Cell) float64 {
		v := logCosh{}.Eval(c, d)
		if len(d) > 2 {
			d[2].FN *= 1.001
		}
		return v
	}}
	r, err := Loss(context.Background(), parse(t, "own", own), Options{Level: Short, Backends: []string{reference()}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "own: class 2: ∂/∂FN off by a factor of 1.001; "; len(r.Rows) != 1 || !strings.HasPrefix(r.Rows[0].Reason, want) {
		t.Errorf("%d rows: %v", len(r.Rows), r.Rows[0].Reason)
	}
}

// ownRegion is a region of the function that it holds.
type ownRegion struct {
	eval func(c, d []kernels.Cell) float64
}

func (ownRegion) Name() string { return "own" }

func (f ownRegion) Eval(c, d []kernels.Cell) float64 { return f.eval(c, d) }

// TestRegionMisbehaves asks that a region that breaks the rules is told so, once.
func TestRegionMisbehaves(t *testing.T) {
	right := logCosh{}.Eval
	calls := 0.0
	for _, tt := range []struct {
		name string
		eval func(c, d []kernels.Cell) float64
		want string
	}{
		{"panics", func(c, d []kernels.Cell) float64 { panic("no such class") }, "Eval panics: no such class"},
		{"runtime error", func(c, d []kernels.Cell) float64 { return c[len(c)+1].TP }, "Eval panics: runtime error: index out of range"},
		{"not a number", func(c, d []kernels.Cell) float64 { return math.NaN() }, "Eval gives NaN"},
		{"changes c", func(c, d []kernels.Cell) float64 { v := right(c, d); c[0].FP = 7; return v }, "Eval changes c"},
		{"has a state", func(c, d []kernels.Cell) float64 { calls++; return right(c, d) + calls }, "Eval is no function of c"},
	} {
		r, err := Loss(context.Background(), parse(t, "own", ownRegion{tt.eval}), Options{Level: Short, Backends: []string{reference()}})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Rows) != 1 || r.Verdict() != Fail || !strings.HasPrefix(r.Rows[0].Reason, "own: "+tt.want) {
			t.Errorf("%s: %d rows, %v %s", tt.name, len(r.Rows), r.Verdict(), r.Rows[0].Reason)
		}
	}
}

// TestRegionRight asks that nobody is accused whose gradient is right: who uses
// few of the sums, takes a constant for one, computes by other sums, has a branch
// for classes that are absent, or panics where no sums of a target ever are.
func TestRegionRight(t *testing.T) {
	for name, eval := range map[string]func(c, d []kernels.Cell) float64{
		"constant": func(c, d []kernels.Cell) float64 { return 3 },
		"one sum": func(c, d []kernels.Cell) float64 {
			d[0].FP = 2 * c[0].FP
			return c[0].FP * c[0].FP
		},
		"constant size": func(c, d []kernels.Cell) float64 {
			n := c[0].TP + c[0].FP + c[0].FN + c[0].TN
			d[0].FP, d[0].FN = 1/n, 1/n
			return (c[0].FP + c[0].FN) / n
		},
		"by RR": func(c, d []kernels.Cell) float64 {
			d[0].TP = -1 / (c[0].RR + 1)
			return 1 - c[0].TP/(c[0].RR+1)
		},
		"squares of differences": func(c, d []kernels.Cell) float64 {
			d[0].PP, d[0].TP, d[0].FN = 1, -1, 1
			return c[0].SQ
		},
		"absent class": func(c, d []kernels.Cell) float64 {
			sum := 0.0
			for i, s := range c {
				if r := s.TP + s.FN; r > 0 {
					sum += s.FN / r
					d[i].FN, d[i].TP = 1/r-s.FN/(r*r), -s.FN/(r*r)
				} else {
					sum += 5
				}
			}
			return sum
		},
		"particular": func(c, d []kernels.Cell) float64 {
			if n := c[0].TP + c[0].FP + c[0].FN + c[0].TN; math.Abs(n-math.Round(4*n)/4) > 1e-3 {
				panic("the sums are of no target")
			}
			d[0].FN = 1
			return c[0].FN
		},
	} {
		r, err := Loss(context.Background(), parse(t, "own", ownRegion{eval}), Options{Level: Short, Backends: []string{reference()}})
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(r.Rows, func(r Row) bool { return r.Verdict == Fail }); i >= 0 {
			t.Errorf("%s: %s; %v", name, r.Rows[i].Reason, r.Rows[i].Worst)
		}
	}
}
