package exact

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/ref"
)

// TestTorture: whatever the numbers are, there is an answer or an error of this
// package, and no NaN without one in the input.
func TestTorture(t *testing.T) {
	numbers := []float64{0, 0.5, 1, 1, 2, -1, 1e-7, 1e-9, 5e-324, 1e-200, 1e200, math.MaxFloat64, 40, -300, 800, math.Inf(1), math.Inf(-1)}
	options := []float64{0, 0, 0.3, 1, 1.5, 2, 3, 1e-5, 5e-324, 1e300}
	r := rand.New(rand.NewPCG(3, 3))
	pick := func(from []float64) float64 { return from[r.IntN(len(from))] }
	all := expressions(3)
	answers, problems := 0, 4000
	if testing.Short() {
		problems = 800
	}
	for range problems {
		in := ref.Input{N: 1 + r.IntN(2), C: 3, S: 1 + r.IntN(2), Activation: ref.Activation(r.IntN(3))}
		for range in.N * in.C * in.S {
			in.X, in.R = append(in.X, pick(numbers[:1+r.IntN(len(numbers))])), append(in.R, pick(numbers[:4]))
		}
		if r.IntN(2) == 0 {
			for range in.N * in.S {
				in.V = append(in.V, pick(numbers[:4]))
			}
		}
		ts := terms(t, all[r.IntN(len(all))])
		for k := range ts {
			o := &ts[k].Options
			for _, v := range []*float64{&o.SmoothNR, &o.SmoothDR, &o.Eps, &o.Alpha, &o.Beta, &o.Gamma, &o.WeightEps} {
				if r.IntN(4) == 0 {
					*v = pick(options)
				}
			}
		}
		f := Fault(r.IntN(int(faults)))
		if r.IntN(2) == 0 {
			f = NoFault
		}
		for _, o := range []Oracle{Rational, Big, Dual} {
			loss, grad, err := Gradient(t.Context(), o, in, ts, f, nil)
			if err != nil {
				if !errors.Is(err, ErrUnjudged) {
					t.Fatalf("%s: %v", o, err)
				}
				continue
			}
			answers++
			if limit := !holdsNaN(&in) && f == NoFault; limit && math.IsNaN(loss) {
				t.Errorf("%s: loss %v", o, loss)
			} else if limit {
				for _, g := range grad {
					if math.IsNaN(g) {
						t.Errorf("%s: derivative %v", o, g)
					}
				}
			}
		}
	}
	if answers < problems/2 {
		t.Errorf("%d answers", answers)
	}
}
