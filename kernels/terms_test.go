package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
)

// The loss and the gradient of an expression are the sums of those of its terms
// alone, whatever each of them has the kernels compute, within the sum of their
// bounds; and a backend agrees with the portable one.

// An addend is a loss with a coefficient: as an expression has it, and as package
// ref knows it.
type addend struct {
	coef           float64
	expr, textbook string
}

// twoDice is a caller's own region that looks at sums of two kinds. With less
// smoothing its derivatives by SQ and PP would cancel where a class is absent.
type twoDice struct{}

const (
	twoDiceName     = "two_dice"
	twoDiceTextbook = "dice(smooth=1) + dice(squared=true, smooth=1)"
)

func (twoDice) Name() string { return twoDiceName }

func (twoDice) Eval(c, d []kernels.Cell) (loss float64) {
	const smooth = 1
	n := float64(len(c))
	for i, s := range c {
		plain, squared := 2*s.TP+s.FP+s.FN+smooth, s.PP+s.RR+smooth
		loss += ((s.FP+s.FN)/plain + s.SQ/squared) / n
		d[i].TP = -2 * (s.FP + s.FN) / plain / plain / n
		d[i].FP = (2*s.TP + smooth) / plain / plain / n
		d[i].FN = d[i].FP
		d[i].SQ, d[i].PP = 1/squared/n, -s.SQ/squared/squared/n
	}
	return loss
}

// separately is what each of the losses is alone on the input of a case, by
// package ref.
func separately(t testing.TB, input *golden.Case, terms []addend) (all []*golden.Case) {
	t.Helper()
	for _, a := range terms {
		c := *input
		c.Loss = a.textbook
		foresee(t, &c)
		c.Loss = a.expr
		all = append(all, &c)
	}
	return all
}

// summed adds up cases of one input.
func summed(terms []addend, apart []*golden.Case) *golden.Case {
	sum := *apart[0]
	sum.Value, sum.ValueScale = 0, 0
	sum.Grad, sum.Scale = make([]float64, len(sum.Pred)), make([]float64, len(sum.Pred))
	exprs := make([]string, len(terms))
	for k, c := range apart {
		coef := terms[k].coef
		exprs[k] = fmt.Sprintf("%v*%s", coef, terms[k].expr)
		sum.Value += coef * c.Value
		sum.ValueScale += math.Abs(coef) * c.ValueScale
		for i := range sum.Grad {
			sum.Grad[i] += coef * c.Grad[i]
			sum.Scale[i] += math.Abs(coef) * c.Scale[i]
		}
	}
	sum.Loss = strings.Join(exprs, " + ")
	return &sum
}

// A way is how a case is computed: which of the roads, with which type of labels.
type way struct {
	road, labels int
	layout       kernels.Layout
	opts         []kernels.Option
}

// wayOf lets all that a way is made of take turns.
func wayOf(turn int, opts ...kernels.Option) way {
	w := way{turn, turn / 2, layouts[turn/3%2], opts}
	if turn%4 > 0 {
		w.opts = append(manyUnits(1+turn%2), opts...)
	}
	return w
}

// along computes a case in one way.
func along[T kernels.Float](t testing.TB, c *golden.Case, w way) (loss float64, grad []float64) {
	t.Helper()
	p := newProblem[T](t, c, w.layout, w.opts...)
	switch {
	case c.Labels == nil:
	case w.labels%3 == 0:
		p.target = covered(kernels.Labels(convert[uint8](c.Labels)), c)
	case w.labels%3 == 1:
		p.target = covered(kernels.Labels(convert[int32](c.Labels)), c)
	}
	all := routes[T]()
	r := all[w.road%len(all)]
	loss, dx, err := r.run(t, c, p)
	if err != nil {
		t.Fatalf("%T %v %s, %s: %s: %v", dx, w.layout, r.name, c.ID, c.Loss, err)
	}
	return loss, planar(dx, p.spec)
}

// compare holds the result of a way in elements of T against a case.
func compare[T kernels.Float](t testing.TB, what string, c *golden.Case, w way, loss float64, grad []float64) {
	t.Helper()
	k, u, e := float64(golden.K64), golden.U64, T(0)
	if _, ok := any(e).(float32); ok {
		k, u = golden.K32, golden.U32
	}
	if _, err := c.Check(k, u, loss, grad); err != nil {
		t.Errorf("%T, %v, %s: %v", e, w.layout, what, err)
	}
}

// Sums that every backend but the portable one once got wrong, with the numbers
// that are right.
func TestExponentsInASum(t *testing.T) { onBackends(t, testExponentsInASum) }

func testExponentsInASum(t *testing.T) {
	for _, tt := range []struct {
		expr string
		loss float64
		grad [2]float64
	}{
		{"focal + exp_log_ce", 0.8492298, [2]float64{-0.2082234, 0.0780211}},
		{"exp_log_ce + focal", 0.8492298, [2]float64{-0.2082234, 0.0780211}},
		{"dice + focal + exp_log_ce", 1.4655659, [2]float64{-0.29750, 0.07803}},
	} {
		labels := one(tt.expr, kernels.Sigmoid, 2, []float64{0.5, -0.25}, nil)
		labels.Labels = []int64{0}
		dense := one(tt.expr, kernels.Sigmoid, 2, []float64{0.5, -0.25}, []float64{1, 0})
		for _, c := range []*golden.Case{labels, dense} {
			foresee(t, c)
			if math.Abs(c.Value-tt.loss) > 6e-8 || math.Abs(c.Grad[0]-tt.grad[0]) > 6e-6 || math.Abs(c.Grad[1]-tt.grad[1]) > 6e-6 {
				t.Fatalf("%s: package ref has %v and %v; want %v and %v", tt.expr, c.Value, c.Grad, tt.loss, tt.grad)
			}
			for turn := range 12 {
				inWay[float64](t, "package ref", c, wayOf(turn))
				inWay[float32](t, "package ref", c, wayOf(turn))
			}
		}
	}
}

// inWay computes a case in one way and holds the result against it.
func inWay[T kernels.Float](t testing.TB, what string, c *golden.Case, w way) {
	t.Helper()
	loss, grad := along[T](t, c, w)
	compare[T](t, what, c, w, loss, grad)
}

// Every loss of the list beside every other, in both orders; kinds of target, ways
// and types of labels take turns.
func TestPairsOfLosses(t *testing.T) { onBackends(t, testPairsOfLosses) }

func testPairsOfLosses(t *testing.T) {
	rnd, turn := rand.New(rand.NewPCG(67, 68)), 0
	for _, act := range activations {
		for _, classes := range []int{1, 2, 4} {
			terms := listed(t, act, classes)
			var inputs [][]*golden.Case // of each kind of target, every loss alone
			for _, dense := range []bool{true, false} {
				for _, with := range covers(dense) {
					inputs = append(inputs, separately(t, randomCase(rnd, "sum", act, 2, classes, 37, dense, with), terms))
				}
			}
			for i := range terms {
				for j := range terms {
					turn++
					in := inputs[turn%len(inputs)]
					c := summed([]addend{terms[i], terms[j]}, []*golden.Case{in[i], in[j]})
					inWay[float64](t, "package ref", c, wayOf(turn))
					inWay[float32](t, "package ref", c, wayOf(turn))
				}
			}
		}
	}
	t.Logf("%d pairs", turn)
}

// listed is the losses of the list that can be computed.
func listed(t testing.TB, act kernels.Activation, classes int) (terms []addend) {
	t.Helper()
	if act == kernels.Softmax && classes == 1 {
		return nil
	}
	for _, info := range kernels.Losses() {
		if allowed(t, info.Name, act, classes) {
			terms = append(terms, addend{1, info.Name, info.Name})
		}
	}
	return terms
}

// Drawn sums of losses with drawn options, by all roads.
func TestDrawnSums(t *testing.T) { onBackends(t, testDrawnSums) }

func testDrawnSums(t *testing.T) {
	rnd := rand.New(rand.NewPCG(69, 70))
	for turn := range 250 {
		d := drawSum(t, rnd)
		checkSum[float64](t, d, wayOf(turn))
		checkSum[float32](t, d, wayOf(turn))
	}
}

// A drawn is a sum of losses, and what they are alone.
type drawn struct {
	terms []addend
	apart []*golden.Case
	sum   *golden.Case
}

// drawSum draws a sum of losses that float32 can hold, and its input: some
// positions at least, since scales are those of the steepest element.
func drawSum(t testing.TB, rnd *rand.Rand) (d drawn) {
	t.Helper()
	for {
		act, dense, classes := activations[rnd.IntN(len(activations))], rnd.IntN(2) == 0, 1+rnd.IntN(9)
		if act == kernels.Softmax {
			classes = max(classes, 2)
		}
		with, s := covers(dense), []int{7, 33, 129}[rnd.IntN(3)]
		input := randomCase(rnd, "sum", act, 1+rnd.IntN(3), classes, s, dense, with[rnd.IntN(len(with))])
		d.terms = drawTerms(t, rnd, act, classes)
		d.apart = separately(t, input, d.terms)
		d.sum = summed(d.terms, d.apart)
		if !slices.ContainsFunc(append(d.sum.Grad, d.sum.Value), func(v float64) bool { return !(math.Abs(v) <= math.MaxFloat32) }) {
			return d
		}
	}
}

// drawTerms draws two to four losses, one in eight of them the caller's own.
func drawTerms(t testing.TB, rnd *rand.Rand, act kernels.Activation, classes int) (terms []addend) {
	t.Helper()
	list, coefs := kernels.Losses(), []float64{1, 1, -0.5, 2.25, 1e-3, -3}
	for n := 2 + rnd.IntN(3); len(terms) < n; {
		expr := variants.Draw(rnd, list[rnd.IntN(len(list))], classes, numbers)
		a := addend{coefs[rnd.IntN(len(coefs))], expr, expr}
		if rnd.IntN(8) == 0 {
			a.expr, a.textbook = twoDiceName, twoDiceTextbook
		}
		if allowed(t, a.textbook, act, classes) {
			terms = append(terms, a)
		}
	}
	return terms
}

// checkSum holds a sum against package ref, against its terms computed alone in the
// same way, and against the portable backend.
func checkSum[T kernels.Float](t testing.TB, d drawn, w way) {
	t.Helper()
	loss, grad := along[T](t, d.sum, w)
	compare[T](t, "package ref", d.sum, w, loss, grad)

	byTerms := make([]*golden.Case, len(d.apart))
	for i := range byTerms {
		c := *d.apart[i]
		c.Value, c.Grad = along[T](t, &c, w)
		byTerms[i] = &c
	}
	compare[T](t, "its terms alone", summed(d.terms, byTerms), w, loss, grad)

	portable, by := *d.sum, w
	by.opts = append(slices.Clone(w.opts), kernels.WithBackend(kernels.Backends()[0].Name))
	portable.Value, portable.Grad = along[float64](t, &portable, by)
	compare[T](t, "the portable backend", &portable, w, loss, grad)
}

// Whatever is summed, in whichever way, on every backend.
func FuzzSums(f *testing.F) {
	for i := range uint64(8) {
		f.Add(i, i, i)
	}
	f.Add(uint64(144), uint64(5), uint64(19)) // focal_ce before exp_log_ce, under sigmoid
	f.Fuzz(func(t *testing.T, a, b, turn uint64) {
		d := drawSum(t, rand.New(rand.NewPCG(a, b)))
		for _, backend := range availableBackends() {
			w := wayOf(int(turn%math.MaxInt32), kernels.WithBackend(backend))
			checkSum[float64](t, d, w)
			checkSum[float32](t, d, w)
		}
	})
}
