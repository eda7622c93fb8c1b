package gradcheck

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var _ TB = (*testing.T)(nil)

// A recorder is a TB that keeps what it is told.
type recorder struct{ logs, errors []string }

func (*recorder) Helper() {}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// wantTold fails the test unless the check told of one thing, as an error or
// not, with all of the given words.
func wantTold(t *testing.T, r recorder, asError bool, words ...string) {
	t.Helper()
	told, other := r.logs, r.errors
	if asError {
		told, other = other, told
	}
	if len(told) != 1 || len(other) != 0 {
		t.Fatalf("logs %q, errors %q", r.logs, r.errors)
	}
	for _, w := range words {
		if !strings.Contains(told[0], w) {
			t.Errorf("no %q in\n%s", w, told[0])
		}
	}
}

func TestCheck(t *testing.T) {
	f, x := meanBCE(7)
	long, longX := meanBCE(smallTensor + 1)
	for _, tt := range []struct {
		name    string
		f       Function
		x       []float64
		asError bool
		words   []string
	}{
		{"right", f, x, false, []string{"PASS mean BCE", "7 derivatives", "evaluations", "1.0e-07"}},
		{"wrong", altered(f, func(dst, _ []float64) { dst[3] *= -1 }), x, true,
			[]string{"FAIL mean BCE", "wrong sign", "x[3]=", "analytic", "numeric", "±", "to reproduce", fmt.Sprintf("%v, from 0 to 1", x[3])}},
		{"impure", altered(f, func(_, x []float64) { x[2] = 9 }), x, true, []string{"Gradient changes x", "x[2]=", "call it at that x"}},
		{"no gradient", Function{Value: f.Value}, x, true, []string{"INCONCLUSIVE function", "Gradient is nil"}},
		{"long", long, longX, false, []string{"PASS"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r recorder
			row := Check(&r, tt.f, tt.x)
			if (row.Verdict != Pass) != tt.asError {
				t.Errorf("%+v", row)
			}
			wantTold(t, r, tt.asError, tt.words...)
		})
	}
}

// TestReproduceDigits: the numbers of lines that say how to see a row again parse to
// the same numbers.
func TestReproduceDigits(t *testing.T) {
	for _, x := range []float64{1.0 / 3, 0.1 + 0.2, float64(float32(0.1)), 1 - 0x1p-53, 5e-324, 1e-7, -123456789.123456789, 0, 1e300} {
		coordinate := Element{What: "coordinate", S: 3, X: x, Numeric: 1, Tol: 1}
		impure := Element{What: "coordinate", S: 3, X: x, Numeric: math.NaN()}
		f := Function{Lower: []float64{0, 0, 0, x}, Upper: []float64{1, 1, 1, x}}
		for line, numbers := range map[string]int{
			Element{What: "element", X: x, R: x}.String(): 2,
			coordinate.String():                           1,
			reproduce(f, Row{Worst: coordinate}):          4,
			reproduce(f, Row{Worst: impure}):              1,
		} {
			found := regexp.MustCompile(`(?:=|at |from |to )(-?[0-9][-+.0-9a-z]*)`).FindAllStringSubmatch(line, -1)
			if len(found) != numbers {
				t.Errorf("%d numbers in %q, want %d", len(found), line, numbers)
			}
			for _, m := range found {
				if v, err := strconv.ParseFloat(m[1], 64); err != nil || v != x {
					t.Errorf("%q parses to %v, want %v: %v, in %q", m[1], v, x, err, line)
				}
			}
		}
	}
}

func TestReproduceDirection(t *testing.T) {
	row := Row{Worst: Element{What: "direction", N: 3, Numeric: math.NaN()}}
	if s := reproduce(Function{}, row); !strings.Contains(s, "direction 3") || !strings.Contains(s, "same directions") {
		t.Errorf("%q", s)
	}
}

func TestCheckLoss(t *testing.T) {
	o := Options{Level: Short, DTypes: []DType{Float64}, Activations: []kernels.Activation{kernels.Softmax}}
	var right, wrong, refused recorder
	if r := CheckLoss(&right, parse(t, "mine + dice", region{1}), o); r.Verdict() != Pass {
		t.Errorf("%v", r.Verdict())
	}
	wantTold(t, right, false, "dice", "PASS", "0 failed")
	if r := CheckLoss(&wrong, parse(t, "mine", region{1.001}), o); r.Verdict() != Fail {
		t.Errorf("%v", r.Verdict())
	}
	wantTold(t, wrong, true, "mine", "FAIL", "factor of", "analytic")
	o.Backends = []string{"abacus"}
	CheckLoss(&refused, parse(t, "dice"), o)
	wantTold(t, refused, true, "abacus")
}
