package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/oracle"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// foresee fills in what package ref makes of a case: value and gradient, and
// the scales that their bounds take.
//
// Terms do not lend each other digits, so scales are sums over the terms. Of a
// term, the value's scale is its absolute value: the sums that it is made of
// have no mixed signs, but for the differences that its definition names and
// that conditioned counts. An element's scale counts apart what softmax brings
// to it from the other classes: with u_c the derivative by the class's own
// log-odds, |u_k| + Σ_{c≠k} |u_c| p_k/q_c. That u is ref's gradient under
// sigmoid, at x = the log-odds. Within one u a soft label mixes the slopes of
// both sides. These have the same size on the elements of one class in one
// sample, so the scale is that of the steepest of them, by its own p q where
// there is one. dice(squared) and wce mix two features on every element, which
// may all but cancel in a whole cell: theirs is the steepest of the batch. With
// smooth_nr ≠ smooth_dr the value is a difference, whose error reaches the
// slope through a power; a factor of 4 covers that for the cases here.
func foresee(t testing.TB, c *golden.Case) {
	t.Helper()
	foreseeClipped(t, c, 0)
}

// foreseeClipped is foresee with another clip than the default.
func foreseeClipped(t testing.TB, c *golden.Case, clip float64) {
	t.Helper()
	l := mustParse(t, c.Loss)
	r, v := c.Dense()
	act, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	in := ref.Input{N: c.N, C: c.C, S: c.S, Activation: ref.Activation(act), X: c.Pred, R: r, V: v, Clip: clip}
	own := in
	if act == kernels.Softmax {
		own.Activation, own.X = ref.Sigmoid, logOdds(c)
	}
	c.Value, c.ValueScale = 0, 0
	c.Grad, c.Scale = make([]float64, len(c.Pred)), make([]float64, len(c.Pred))
	for _, term := range l.Terms() {
		f, o := ref.Losses[term.Name], options(t, term)
		value, grad := f(in, o)
		c.Value += term.Coef * value
		c.ValueScale += math.Abs(term.Coef) * conditioned(term.Name, &o, value)
		u := grad
		if act == kernels.Softmax {
			_, u = f(own, o)
		}
		cell := c.S
		if o.Squared || term.Name == "wce" {
			cell = len(u)
		}
		scale := steepest(own, u, cell)
		if act == kernels.Softmax {
			scale = spreadOverClasses(c, own.X, scale)
		}
		apart := 1.0
		if o.SmoothNR != o.SmoothDR {
			apart = 4
		}
		for i := range grad {
			c.Grad[i] += term.Coef * grad[i]
			c.Scale[i] += math.Abs(term.Coef) * apart * scale[i]
		}
	}
}

// conditioned is the value's scale of one term.
func conditioned(name string, o *ref.Options, value float64) float64 {
	switch {
	case name == "dice2", o.SmoothNR != o.SmoothDR:
		return math.Abs(value) + 1
	}
	return math.Abs(value)
}

// options returns the options of a term as package ref takes them.
func options(t testing.TB, term kernels.Term) ref.Options {
	t.Helper()
	o, err := oracle.Options(term.Options)
	if err != nil {
		t.Fatalf("%s: %v", term.Name, err)
	}
	return o
}

// logOdds is ln(p/q) of each element under softmax.
func logOdds(c *golden.Case) []float64 {
	odds := make([]float64, len(c.Pred))
	for i := range odds {
		at, k := i-i/c.S%c.C*c.S, i/c.S%c.C // class 0 of the position, and the element's class
		top, sum := math.Inf(-1), 0.0
		for j := range c.C {
			if j != k {
				top = max(top, c.Pred[at+j*c.S])
			}
		}
		for j := range c.C {
			if j != k {
				sum += math.Exp(c.Pred[at+j*c.S] - top)
			}
		}
		odds[i] = c.Pred[i] - top - math.Log(sum)
	}
	return odds
}

// slope is how fast p moves with x.
func slope(a ref.Activation, x float64) float64 {
	if a == ref.None {
		return 1
	}
	e := math.Exp(-math.Abs(x))
	return e / ((1 + e) * (1 + e))
}

// steepest gives each element the largest derivative by p among the cell
// elements that it is one of, times its own slope; or its own derivative, if
// that is larger.
func steepest(in ref.Input, u []float64, cell int) []float64 {
	scale := make([]float64, len(u))
	for from := 0; from < len(u); from += cell {
		most := 0.0
		for i := from; i < from+cell; i++ {
			if s := slope(in.Activation, in.X[i]); s > 0.01 {
				most = max(most, math.Abs(u[i])/s)
			}
		}
		for i := from; i < from+cell; i++ {
			scale[i] = max(math.Abs(u[i]), most*slope(in.Activation, in.X[i]))
		}
	}
	return scale
}

// spreadOverClasses adds to each element's own scale what comes by the others.
func spreadOverClasses(c *golden.Case, odds, own []float64) []float64 {
	p, q := make([]float64, len(odds)), make([]float64, len(odds))
	for i, t := range odds {
		p[i], q[i] = 1/(1+math.Exp(-t)), 1/(1+math.Exp(t))
	}
	scale := slices.Clone(own)
	for i := range scale {
		at, k := i-i/c.S%c.C*c.S, i/c.S%c.C
		for j := range c.C {
			if j != k {
				scale[i] += own[at+j*c.S] * p[i] / q[at+j*c.S]
			}
		}
	}
	return scale
}

// A cover is what a target has besides its values.
type cover string

const (
	bare     cover = "bare"
	weighted cover = "weighted"
	masked   cover = "masked"
	ignoring cover = "ignoring" // labels only
)

// randomCase makes a case whose inputs are exact in float32. Some positions of
// weighted have weight 0; the classes are unequally frequent.
func randomCase(rnd *rand.Rand, expr string, act kernels.Activation, n, classes, s int, dense bool, with cover) *golden.Case {
	c := &golden.Case{
		ID:   fmt.Sprintf("%s %v [%d %d %d] dense=%v %s", expr, act, n, classes, s, dense, with),
		Loss: expr, Activation: act.String(), N: n, C: classes, S: s,
		Pred: make([]float64, n*classes*s),
	}
	for i := range c.Pred {
		x := rnd.NormFloat64() * 4
		if act == kernels.None {
			x = 1 / (1 + math.Exp(-x))
		}
		c.Pred[i] = float64(float32(x))
	}
	if dense {
		c.Target = make([]float64, len(c.Pred))
		for i := range c.Target {
			c.Target[i] = float64(float32(min(max(rnd.Float64()*2-0.7, 0), 1)))
		}
	} else {
		c.Labels = make([]int64, n*s)
		for i := range c.Labels {
			c.Labels[i] = min(rnd.Int64N(int64(max(classes, 2))), rnd.Int64N(int64(max(classes, 2))))
		}
	}
	switch with {
	case weighted:
		c.Weights = make([]float64, n*s)
		for i := range c.Weights {
			c.Weights[i] = float64(rnd.IntN(9)) / 4
		}
	case masked:
		c.Mask = make([]uint8, n*s)
		for i := range c.Mask {
			c.Mask[i] = uint8(min(rnd.IntN(4), 1))
		}
	case ignoring:
		c.IgnoreIndex = new(int64)
		for i := range c.Labels {
			if rnd.IntN(4) == 0 {
				c.Labels[i] = *c.IgnoreIndex
			}
		}
	}
	return c
}

// covers are those that go with a target.
func covers(dense bool) []cover {
	if dense {
		return []cover{bare, weighted, masked}
	}
	return []cover{bare, weighted, masked, ignoring}
}

// mixture is a loss with features of every kind.
const mixture = "dice + 0.5*focal_ce(gamma=1.5) - 0.25*bce + ss + tversky(soft=true) + ce(label_smoothing=0.1)"

// mixtureOfOne is the same for one class.
const mixtureOfOne = "dice + 0.5*focal(gamma=1.5) - 0.25*bce + ss + tversky(soft=true) + wce"

func mixtureFor(classes int) string {
	if classes == 1 {
		return mixtureOfOne
	}
	return mixture
}

// agree compares both element types with what package ref foresaw.
func agree(t *testing.T, c *golden.Case, layout kernels.Layout, opts ...kernels.Option) (worst float64) {
	t.Helper()
	return max(
		agreeAs[float64](t, c, golden.K64, golden.U64, layout, opts...),
		agreeAs[float32](t, c, golden.K32, golden.U32, layout, opts...),
	)
}

func agreeAs[T kernels.Float](t *testing.T, c *golden.Case, k, u float64, layout kernels.Layout, opts ...kernels.Option) float64 {
	t.Helper()
	p := newProblem[T](t, c, layout, opts...)
	loss, dx := p.run(t)
	if math.IsInf(c.Value, 0) { // no bound speaks of its gradient
		if loss != c.Value {
			t.Errorf("%T %v %s: loss %v; want %v", dx, layout, c.ID, loss, c.Value)
		}
		return 0
	}
	worst, err := c.Check(k, u, loss, planar(dx, p.spec))
	if err != nil {
		t.Errorf("%T %v %s: %v", dx, layout, c.ID, err)
	}
	return worst
}

// allowed reports whether a loss can be computed at all.
func allowed(t testing.TB, expr string, act kernels.Activation, classes int) bool {
	t.Helper()
	_, err := kernels.New[float64](mustParse(t, expr), kernels.Spec{N: 1, C: classes, S: 1, Activation: act})
	return err == nil
}

// everyOption lists every loss with its default options and with each of them
// set to other values, for a number of classes.
func everyOption(classes int) []string {
	var all []string
	for _, info := range kernels.Losses() {
		all = append(all, variants.Expressions(info, classes, numbers)...)
	}
	return all
}

func numbers(o kernels.OptionInfo) []string {
	if strings.Contains(o.Allowed[0], "[0, 1]") {
		return []string{"0", "0.5", "1"}
	}
	return []string{"0", "0.5", "1", "1.75", "3"}
}

func TestVariantsAgreeWithRef(t *testing.T) { onBackends(t, testVariantsAgreeWithRef) }

func testVariantsAgreeWithRef(t *testing.T) {
	worst, tried := 0.0, 0
	rnd, sampled := rand.New(rand.NewPCG(1, 2)), kernels.Sampler(2)
	for _, classes := range []int{1, 2, 4} {
		for _, expr := range everyOption(classes) {
			for _, act := range activations {
				if !allowed(t, expr, act, classes) {
					continue
				}
				for _, dense := range []bool{true, false} {
					if !sampled() {
						continue
					}
					with := covers(dense)
					c := randomCase(rnd, expr, act, 3, classes, 41, dense, with[tried%len(with)])
					foresee(t, c)
					worst = max(worst, agree(t, c, layouts[tried%2], manyUnits(2)...))
					tried++
				}
			}
		}
	}
	t.Logf("%d cases, largest error %.3g of its bound", tried, worst)
}

// One position less than, exactly and one more than fill a tile, a block of
// sums, a chunk, and the batch that is worth a second goroutine.
func TestThresholdsAgreeWithRef(t *testing.T) { onBackends(t, testThresholdsAgreeWithRef) }

func testThresholdsAgreeWithRef(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	worst, tried := 0.0, kernels.Sampler(2)
	try := func(classes, s int, expr string, act kernels.Activation) {
		for i, dense := range []bool{true, false} {
			if !tried() {
				continue
			}
			with := covers(dense)
			c := randomCase(rnd, expr, act, 1, classes, s, dense, with[s%len(with)])
			foresee(t, c)
			worst = max(worst, agree(t, c, layouts[(s+i)%2], kernels.WithWorkers(2)))
		}
	}
	for _, classes := range []int{1, 2, 3, 4, 5, 6, 7, 8, 19, 64, 150} {
		tile, flush, chunk, single := kernels.RealThresholds(classes)
		expr, act := mixtureFor(classes), activations[min(classes, 2)]
		for _, s := range around(tile) {
			if classes > 19 {
				expr = "dice + ce" // ref takes C² steps for a softmax
			}
			try(classes, s, expr, act)
		}
		if classes > 8 {
			continue
		}
		for _, s := range around(flush) {
			try(classes, s, expr, act)
			try(classes, s, expr, kernels.None)
		}
		if classes > 2 {
			continue
		}
		for _, s := range slices.Concat(around(chunk), around(2*chunk), around(single/classes)) {
			try(classes, s, "dice + bce", act)
		}
	}
	t.Logf("largest error %.3g of its bound", worst)
}

// Channels-last elements that need not be packed, over several spans and units.
func TestChannelsLastAgreesWithRef(t *testing.T) { onBackends(t, testChannelsLastAgreesWithRef) }

func testChannelsLastAgreesWithRef(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for classes := 2; classes <= 8; classes++ {
		_, _, chunk, _ := kernels.RealThresholds(classes)
		for _, dense := range []bool{true, false} {
			c := randomCase(rnd, "dice + 2*iou", kernels.None, 1, classes, 2*chunk+77, dense, bare)
			foresee(t, c)
			agree(t, c, kernels.NSC, kernels.WithWorkers(2))
		}
	}
}

func around(n int) []int { return []int{n - 1, n, n + 1} }

func TestLengthsAgreeWithRef(t *testing.T) { onBackends(t, testLengthsAgreeWithRef) }

func testLengthsAgreeWithRef(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	worst := 0.0
	for s := range 131 {
		for i, act := range activations {
			c := randomCase(rnd, mixture, act, 2, 3, s, (s+i)%2 == 0, covers(true)[s%3])
			foresee(t, c)
			for _, layout := range layouts {
				worst = max(worst, agree(t, c, layout))
			}
		}
	}
	t.Logf("largest error %.3g of its bound", worst)
}
