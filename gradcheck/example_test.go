package gradcheck_test

import (
	"fmt"
	"log"
	"math"
	"strings"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/kernels"
)

// printer is a TB for examples. A test passes its *testing.T instead.
type printer struct{}

func (printer) Helper() {}

func (printer) Logf(format string, args ...any) { firstLine("log", format, args) }

func (printer) Errorf(format string, args ...any) { firstLine("error", format, args) }

// firstLine prints what is the same on every machine.
func firstLine(what, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, ":")
	fmt.Printf("%s: %s\n", what, text)
}

// fBeta is a region loss of one's own, 1 − F_β with β = 2, which weighs a missed
// pixel four times as much as a false one; the mean over the classes:
//
//	1 − (5·TP + 1) / (5·TP + 4·FN + FP + 1) = (4·FN + FP) / (5·TP + 4·FN + FP + 1)
type fBeta struct{}

func (fBeta) Name() string { return "f2" }

func (fBeta) Eval(c, d []kernels.Cell) float64 {
	loss, n := 0.0, float64(len(c))
	for i, s := range c {
		right, wrong := 5*s.TP+1, 4*s.FN+s.FP
		sum := right + wrong
		loss += wrong / sum // digits that 1 − right/sum would lose where all is right
		d[i].TP = -5 * wrong / (sum * sum) / n
		d[i].FN = 4 * right / (sum * sum) / n
		d[i].FP = right / (sum * sum) / n
	}
	return loss / n
}

// A region loss of one's own, alone and beside a built-in one.
func ExampleCheckLoss() {
	for _, expr := range []string{"f2", "0.5*f2(batch=true) + ce"} {
		loss, err := kernels.Parse(expr, fBeta{})
		if err != nil {
			log.Fatal(err)
		}
		r := gradcheck.CheckLoss(printer{}, loss, gradcheck.Options{Level: gradcheck.Short})
		fmt.Println(r.Verdict(), r.Count(gradcheck.Fail), "failed")
	}
	// Output:
	// log: f2
	// PASS 0 failed
	// log: 0.5*f2(batch=true) + ce
	// PASS 0 failed
}

// Any function with a gradient: here Rosenbrock's, in ten dimensions.
func ExampleCheck() {
	rosenbrock := gradcheck.Function{
		Name: "Rosenbrock",
		Value: func(x []float64) float64 {
			sum := 0.0
			for i := range len(x) - 1 {
				a, b := 1-x[i], x[i+1]-x[i]*x[i]
				sum += a*a + 100*b*b
			}
			return sum
		},
		Gradient: func(dst, x []float64) {
			clear(dst)
			for i := range len(x) - 1 {
				a, b := 1-x[i], x[i+1]-x[i]*x[i]
				dst[i] += -2*a - 400*x[i]*b
				dst[i+1] += 200 * b
			}
		},
	}
	x := []float64{-1.2, 1, 0.5, 2, -0.25, 3, 0, 0.75, 1.5, -2}
	row := gradcheck.Check(printer{}, rosenbrock, x)
	fmt.Println(row.Verdict, row.Checks, "derivatives")
	// Output:
	// log: PASS Rosenbrock
	// PASS 10 derivatives
}

// A wrong gradient is an error that names the coordinate. This one forgets that
// the logarithm is of 1 + e^x and not of e^x.
func ExampleCheck_wrong() {
	softplus := gradcheck.Function{
		Name: "softplus",
		Value: func(x []float64) float64 {
			return math.Log1p(math.Exp(x[0])) + math.Log1p(math.Exp(x[1]))
		},
		Gradient: func(dst, x []float64) {
			dst[0] = 1 / (1 + math.Exp(-x[0]))
			dst[1] = 1
		},
	}
	row := gradcheck.Check(printer{}, softplus, []float64{0, math.Log(3)})
	fmt.Println(row.Reason)
	fmt.Printf("x[%d]: analytic %.6g, numeric %.6g\n", row.Worst.S, row.Worst.Analytic, row.Worst.Numeric)
	// Output:
	// error: FAIL softplus
	// the derivative is off by a factor of 1.33333
	// x[1]: analytic 1, numeric 0.75
}

// Without a test, Func gives the row that says what was found.
func ExampleFunc() {
	norm := gradcheck.Function{
		Name:     "norm",
		Value:    func(x []float64) float64 { return math.Hypot(x[0], x[1]) },
		Gradient: func(dst, x []float64) { dst[0], dst[1] = x[0]/math.Hypot(x[0], x[1]), 0 },
	}
	row := gradcheck.Func(norm, []float64{3, 4})
	fmt.Println(row.Verdict, row.Reason)
	// Output:
	// FAIL the derivative is zero and should not be
}
