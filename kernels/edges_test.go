package kernels_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// The edges of the definitions, in the order of their rules.

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// one is a case of one sample.
func one(expr string, act kernels.Activation, classes int, x, r []float64) *golden.Case {
	return &golden.Case{
		ID:   fmt.Sprintf("%s %v x=%v r=%v", expr, act, x, r),
		Loss: expr, Activation: act.String(), N: 1, C: classes, S: len(x) / classes, Pred: x, Target: r,
	}
}

// Rule 1: probabilities are clipped in logarithms and powers, by constants of
// float64, and have no derivative there.
func TestClip(t *testing.T) { onBackends(t, testClip) }

func testClip(t *testing.T) {
	for _, clip := range []float64{1e-12, 1e-7, 1e-3, 0.25, 0.49} {
		x := []float64{-1, 0, clip / 2, clip * 0.999, clip * 1.001, 0.3, 0.7, 1 - clip*1.001, 1 - clip*0.999, 1 - clip/2, 1, 2}
		r := make([]float64, len(x))
		for i := range x {
			x[i] = float64(float32(x[i]))
			r[i] = []float64{0, 1, 0.25}[i%3]
		}
		x, r = slices.Concat(x, x, x), slices.Concat(r, r[1:], r[2:], r[:3])
		for _, expr := range []string{"bce", "wce", "focal", "focal(gamma=0.5)", "focal(gamma=0)", "focal(gamma=3.5)", "focal(gamma=1,alpha=none)"} {
			c := one(expr, kernels.None, 1, x, r)
			foreseeClipped(t, c, clip)
			agree(t, c, kernels.NCS, kernels.WithClip(clip))
		}
		for _, expr := range []string{"ce", "ce(label_smoothing=0.5)", "focal_ce", "focal_ce(gamma=0.5)", "exp_log_ce", "exp_log_ce(gamma=2)", "exp_log_ce(gamma=1)"} {
			c := one(expr, kernels.None, 3, x, r)
			foreseeClipped(t, c, clip)
			agree(t, c, kernels.NSC, kernels.WithClip(clip))
		}
	}
}

// Only the feature that is clipped loses its derivative.
func TestClipKeepsPlainSums(t *testing.T) { onBackends(t, testClipKeepsPlainSums) }

func testClipKeepsPlainSums(t *testing.T) {
	for _, x := range []float64{0, 1} {
		logs, dlog := newProblem[float64](t, one("bce", kernels.None, 1, []float64{x, 0.5}, []float64{1, 0}), kernels.NCS).run(t)
		if dlog[0] != 0 || dlog[1] != 1 {
			t.Errorf("bce at p = %v: loss %v, gradient %v; want 0 and 1", x, logs, dlog)
		}
		_, both := newProblem[float64](t, one("bce + dice", kernels.None, 1, []float64{x, 0.5}, []float64{1, 0}), kernels.NCS).run(t)
		_, dice := newProblem[float64](t, one("dice", kernels.None, 1, []float64{x, 0.5}, []float64{1, 0}), kernels.NCS).run(t)
		if both[0] != dice[0] || dice[0] == 0 {
			t.Errorf("bce + dice at p = %v: gradient %v; want dice's %v", x, both[0], dice[0])
		}
	}
}

// withRef compares a case with package ref where no scale can be had: on the
// largest element of the gradient.
func withRef(t *testing.T, c *golden.Case) {
	t.Helper()
	r, v := c.Dense()
	act, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	in := ref.Input{N: c.N, C: c.C, S: c.S, Activation: ref.Activation(act), X: c.Pred, R: r, V: v}
	c.Value, c.Grad = 0, make([]float64, len(c.Pred))
	for _, term := range mustParse(t, c.Loss).Terms() {
		value, grad := ref.Losses[term.Name](in, options(t, term))
		c.Value += term.Coef * value
		for i, g := range grad {
			c.Grad[i] += term.Coef * g
		}
	}
	for _, layout := range layouts {
		closeTo[float64](t, c, golden.K64, golden.U64, layout)
		closeTo[float32](t, c, golden.K32, golden.U32, layout)
	}
}

func closeTo[T kernels.Float](t *testing.T, c *golden.Case, k, u float64, layout kernels.Layout) {
	t.Helper()
	p := newProblem[T](t, c, layout)
	loss, dx := p.run(t)
	spread := min(c.MaxSpread(), 800) // the exponentials have underflowed from there on
	if loss != c.Value && !(math.Abs(loss-c.Value) <= golden.LossBound(k, u, spread, math.Abs(c.Value))) {
		t.Errorf("%T %v %s: loss %v; want %v", dx, layout, c.ID, loss, c.Value)
	}
	most := 0.0
	for _, g := range c.Grad {
		most = max(most, math.Abs(g))
	}
	for i, g := range planar(dx, p.spec) {
		if !(math.Abs(g-c.Grad[i]) <= golden.GradBound(k, u, spread, most)) {
			t.Errorf("%T %v %s: gradient %v; want %v", dx, layout, c.ID, planar(dx, p.spec), c.Grad)
			return
		}
	}
}

// logLosses are the losses that take logarithms, with gammas on both sides of 1.
func logLosses(classes int) []string {
	l := []string{"bce", "wce", "focal", "focal(gamma=0.5)", "focal(gamma=0)", "focal(gamma=1)", "focal(gamma=3.5)"}
	if classes > 1 {
		l = append(l, "ce", "ce(label_smoothing=0.3)", "focal_ce", "focal_ce(gamma=0.3)", "focal_ce(gamma=0)",
			"exp_log_ce", "exp_log_ce(gamma=1)", "exp_log_ce(gamma=2)")
	}
	return l
}

var hugeLogits = []float64{0, 17, 40, 87, 88, 89, 100, 103, 104, 150, 299, 301, 600, 700, 708, 745, 750, 1e4, 1e30}

// Rule 2: from logits there is no clamp, and every derivative is finite.
func TestHugeLogits(t *testing.T) { onBackends(t, testHugeLogits) }

func testHugeLogits(t *testing.T) {
	tried := kernels.Sampler(3)
	for _, huge := range hugeLogits {
		huge = float64(float32(huge))
		for _, r := range [][]float64{{1, 0}, {0, 1}, {0.5, 0.5}} {
			for _, expr := range append(logLosses(1), "dice", "dice(soft=true)", "iou", "dice2", "ss", "dice(squared=true)", "tversky", "focal_tversky", "exp_log_dice") {
				if tried() {
					withRef(t, one(expr, kernels.Sigmoid, 1, []float64{huge, -huge}, r))
				}
			}
			for _, expr := range append(logLosses(2), "dice", "gdl", "dice(soft=true)", "ss", "dice(squared=true)") {
				if !tried() {
					continue
				}
				if expr == "gdl" && r[0] == 0.5 {
					continue // its two classes cancel, to the last bit or not: that is up to fused multiplications
				}
				withRef(t, one(expr, kernels.Softmax, 2, []float64{huge, 0}, r))
				withRef(t, one(expr, kernels.Softmax, 2, []float64{-huge, 0}, r))
				if r[0] == 0.5 {
					continue // with equal logits that is a minimum, all cancellation
				}
				withRef(t, one(expr, kernels.Softmax, 3, []float64{huge, 1, -huge}, append(r, 0)))
				withRef(t, one(expr, kernels.Softmax, 3, []float64{huge, huge, -huge}, append(r, 0)))
				withRef(t, one(expr, kernels.Softmax, 3, []float64{-huge, -huge, -huge}, append(r, 0)))
			}
		}
	}
}

// Logits so far apart that the least probability is subnormal in a float32 and
// the complement of the largest is not, or both are: every element to its own
// scale, with the label on each class in turn.
func TestWideSoftmax(t *testing.T) { onBackends(t, testWideSoftmax) }

func testWideSoftmax(t *testing.T) {
	worst, tried := 0.0, kernels.Sampler(8)
	for classes := 3; classes <= 5; classes++ {
		for spread := 80.0; spread <= 112; spread += 4 {
			for _, gap := range []float64{0, 10, 40, 44, 46, 60, spread - 3, spread} { // from the largest to the second
				for label := range classes {
					x, r := make([]float64, classes), make([]float64, classes)
					for c := range x {
						x[c] = -spread / 2
					}
					x[0], x[1] = spread/2, spread/2-gap
					r[label] = 1
					for _, expr := range []string{"bce", "wce", "focal", "focal(gamma=0.5)", "ce(label_smoothing=0.1)", "focal_ce", "exp_log_ce", "dice + ce", "ce", "dice"} {
						if !tried() {
							continue
						}
						c := one(expr, kernels.Softmax, classes, x, r)
						foresee(t, c)
						worst = max(worst, agree(t, c, kernels.NCS))
						c.Target, c.Labels = nil, []int64{int64(label)}
						worst = max(worst, agree(t, c, kernels.NSC))
					}
				}
			}
		}
	}
	t.Logf("largest error %.3g of its bound", worst)
}

// Under softmax the gradient of a position sums to nothing, whatever the logits.
func TestSoftmaxGradientsCancel(t *testing.T) { onBackends(t, testSoftmaxGradientsCancel) }

func testSoftmaxGradientsCancel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(19, 20))
	for _, dense := range []bool{true, false} {
		for _, expr := range append(logLosses(4), "dice", "dice + ce", mixture) {
			c := randomCase(rnd, expr, kernels.Softmax, 1, 4, 60, dense, bare)
			for i := range c.Pred {
				c.Pred[i] *= math.Exp2(float64(i % 11))
			}
			_, dx := newProblem[float32](t, c, kernels.NSC).run(t)
			spread := c.Spread()
			for s := range c.S {
				total, size := 0.0, 0.0
				for _, g := range dx[4*s : 4*s+4] {
					total += float64(g)
					size += math.Abs(float64(g))
				}
				if !(math.Abs(total) <= golden.GradBound(golden.K32, golden.U32, spread[s], size)) {
					t.Errorf("%s: position %d: the gradient %v sums to %v", c.ID, s, dx[4*s:4*s+4], total)
				}
			}
		}
	}
}

// Rule 3: powers with an exponent below 1 have a floor, and no slope under it.
func TestFloor(t *testing.T) { onBackends(t, testFloor) }

func testFloor(t *testing.T) {
	for _, tt := range []struct {
		expr string
		want float64
	}{
		{"exp_log_dice", math.Pow(1e-7, 0.3)},
		{"exp_log_dice(gamma=0.5)", math.Pow(1e-7, 0.5)},
		{"exp_log_dice(gamma=1)", 0},
		{"exp_log_dice(gamma=2)", 0},
		{"exp_log_dice(gamma=0)", 1},
		{"focal_tversky", math.Pow(1e-7, 0.75)},
		{"focal_tversky(gamma=1.5)", 0},
		{"focal_tversky(gamma=0,soft=true)", 1},
	} {
		for _, x := range [][]float64{{1, 0, 1}, {1, 1e-8, 1}} {
			loss, dx := newProblem[float64](t, one(tt.expr, kernels.None, 1, x, []float64{1, 0, 1}), kernels.NCS).run(t)
			if math.Abs(loss-tt.want) > 1e-8 {
				t.Errorf("%s at p = %v: loss %v; want %v", tt.expr, x, loss, tt.want)
			}
			if mustParse(t, tt.expr).Terms()[0].Options["gamma"].(float64) < 1 && different(dx, make([]float64, 3)) >= 0 {
				t.Errorf("%s at p = %v: gradient %v below the floor; want 0", tt.expr, x, dx)
			}
		}
	}
}

// Rule 4: 0/0 is 0 with gradient 0; another number over 0 follows IEEE.
func TestZeroOverZero(t *testing.T) { onBackends(t, testZeroOverZero) }

func testZeroOverZero(t *testing.T) {
	for _, tt := range []struct {
		expr string
		want float64
	}{
		{"dice(smooth=0)", 0},
		{"dice(smooth=0,squared=true)", 0},
		{"dice(smooth=0,soft=true)", 0},
		{"iou(smooth=0)", 0},
		{"tversky(smooth=0)", 0},
		{"tversky(alpha=0,beta=0,smooth=0)", 0},
		{"focal_tversky(smooth=0,gamma=2)", 0},
		{"focal_tversky(smooth=0)", math.Pow(1e-7, 0.75)},
		{"exp_log_dice(smooth=0)", math.Pow(1e-7, 0.3)},
		{"exp_log_dice(smooth=0,gamma=1)", 0},
		{"gdl(smooth=0)", 0},
		{"gdl(smooth=0,absent_weight=zero)", 0},
		{"gdl(smooth=0,weight_type=uniform)", 0},
		{"ss(eps=0)", 0},
		{"ss(eps=0,lambda=1)", 0},
		{"dice2(eps=0)", 0},
		{"dice(smooth_nr=1,smooth_dr=0)", -inf},
		{"iou(smooth_nr=0,smooth_dr=1)", 1},
	} {
		c := one(tt.expr, kernels.None, 2, make([]float64, 6), make([]float64, 6))
		for _, layout := range layouts {
			loss, dx := newProblem[float64](t, c, layout).run(t)
			if loss != tt.want {
				t.Errorf("%s of nothing predicted, nothing there: loss %v; want %v", tt.expr, loss, tt.want)
			}
			if tt.want == 0 && tt.expr != "dice2(eps=0)" && tt.expr != "ss(eps=0)" && different(dx, make([]float64, 6)) >= 0 {
				t.Errorf("%s of nothing predicted, nothing there: gradient %v; want 0", tt.expr, dx)
			}
		}
	}
}

// The weight of wce is infinite where nothing is predicted, if eps is 0: that
// must not reach positions that have no part in it.
func TestInfiniteWeight(t *testing.T) { onBackends(t, testInfiniteWeight) }

func testInfiniteWeight(t *testing.T) {
	withRef(t, one("wce(eps=0)", kernels.None, 1, []float64{0, 0, 0}, []float64{0, 0, 0}))
	withRef(t, one("wce(eps=0,detach=true)", kernels.None, 1, []float64{0, 0, 0}, []float64{0, 0, 0}))
	withRef(t, one("wce(eps=0)", kernels.Sigmoid, 1, []float64{-inf, -inf}, []float64{0, 0}))
}

// The smoothed Dice gradient on an empty mask is s/(P+s)² at every position.
func TestDiceOnEmptyMask(t *testing.T) { onBackends(t, testDiceOnEmptyMask) }

func testDiceOnEmptyMask(t *testing.T) {
	for _, s := range []float64{1e-5, 1} {
		for _, p := range []float64{0, 1e-6, 0.5} {
			expr := fmt.Sprintf("dice(smooth=%g)", s)
			_, dx := newProblem[float64](t, one(expr, kernels.None, 1, []float64{p, p}, []float64{0, 0}), kernels.NCS).run(t)
			want := s / (2*p + s) / (2*p + s)
			for _, g := range dx {
				if !(math.Abs(g-want) <= 1e-14*want) {
					t.Errorf("%s at p = %v: gradient %v; want %v", expr, p, g, want)
				}
			}
		}
	}
}

// everyLoss lists the names, each also with those options that leave things out.
func everyLoss() []string {
	var all []string
	for _, info := range kernels.Losses() {
		all = append(all, info.Name)
		for _, o := range info.Options {
			switch {
			case o.Name == "background":
				all = append(all, info.Name+"(background=false)")
			case o.Name == "absent":
				all = append(all, info.Name+"(absent=skip)")
			case o.Type == "list":
				all = append(all, fmt.Sprintf("%s(%s=[0,1,1])", info.Name, o.Name), fmt.Sprintf("%s(%s=[0,0,0])", info.Name, o.Name))
			case o.Name == "batch", o.Name == "soft", o.Name == "squared", o.Name == "invert_empty", o.Name == "detach":
				all = append(all, fmt.Sprintf("%s(%s=true)", info.Name, o.Name))
			case o.Name == "reduction":
				all = append(all, info.Name+"(reduction=sum)")
			case o.Name == "gamma":
				all = append(all, info.Name+"(gamma=0)", info.Name+"(gamma=1)", info.Name+"(gamma=1.5)")
			}
		}
	}
	return append(all, "0*dice", "dice(weight=[1,0,0]) - dice(weight=[1,0,0])", "0*ce")
}

// Rule 5: what has no position is left out of everything.
func TestNothingThere(t *testing.T) { onBackends(t, testNothingThere) }

func testNothingThere(t *testing.T) {
	ctx, tried := context.Background(), kernels.Sampler(3)
	for _, expr := range everyLoss() {
		for _, act := range activations {
			for _, dense := range []bool{true, false} {
				if !tried() {
					continue
				}
				l := mustParse(t, expr)
				rnd := rand.New(rand.NewPCG(21, 22))
				for _, shape := range [][2]int{{0, 5}, {2, 0}, {0, 0}} {
					p := newProblem[float64](t, randomCase(rnd, expr, act, shape[0], 3, shape[1], dense, bare), kernels.NCS)
					if loss, _ := p.run(t); loss != 0 {
						t.Errorf("%s of shape %v: loss %v", expr, shape, loss)
					}
					big := mustNew[float64](t, l, kernels.Spec{N: 2, C: 3, S: 7, Activation: act})
					v, err := big.ForwardBackward(ctx, nil, nil, p.target.Sized(shape[0], shape[1]), once)
					if err != nil || v.Loss != 0 {
						t.Errorf("%s sized %v: loss %v, %v", expr, shape, v.Loss, err)
					}
				}

				c := randomCase(rnd, expr, act, 2, 3, 10, dense, bare)
				whole, _ := newProblem[float64](t, samples(c, 1, 2), kernels.NCS).run(t)
				c.Mask = make([]uint8, 20)
				loss, dx := newProblem[float64](t, c, kernels.NCS).run(t)
				if loss != 0 || different(dx, make([]float64, 60)) >= 0 {
					t.Errorf("%s without a position: loss %v, gradient %v", expr, loss, dx)
				}
				for i := 10; i < 20; i++ {
					c.Mask[i] = 1
				}
				loss, dx = newProblem[float64](t, c, kernels.NCS).run(t)
				if !(math.Abs(loss-whole) <= 1e-15*math.Abs(whole)) || different(dx[:30], make([]float64, 30)) >= 0 {
					t.Errorf("%s %v with an empty sample: loss %v, without it %v; gradient there %v", expr, act, loss, whole, dx[:30])
				}
			}
		}
	}
}

// Rule 6: a NaN at a position that exists makes the loss NaN.
func TestNaN(t *testing.T) { onBackends(t, testNaN) }

func testNaN(t *testing.T) {
	tried := kernels.Sampler(4)
	for _, expr := range everyLoss() {
		for _, act := range activations {
			for _, dense := range []bool{true, false} {
				c := randomCase(rand.New(rand.NewPCG(23, 24)), expr, act, 2, 3, 10, dense, bare)
				for i := range 10 {
					if c.Labels != nil {
						c.Labels[i] = 1 // class 2 is absent from the first sample
					}
				}
				for k := range c.C {
					for _, into := range [][]float64{c.Pred, c.Target} {
						if into == nil {
							continue
						}
						at := k*c.S + 3
						kept := into[at]
						into[at] = nan
						for _, layout := range layouts {
							if tried() {
								checkNaN[float64](t, c, layout, k)
							}
							if tried() {
								checkNaN[float32](t, c, layout, k)
							}
						}
						into[at] = kept
					}
				}
			}
		}
	}
}

func checkNaN[T kernels.Float](t *testing.T, c *golden.Case, layout kernels.Layout, class int) {
	t.Helper()
	p := newProblem[T](t, c, layout)
	if loss, dx := p.run(t); !math.IsNaN(loss) {
		t.Errorf("%T %v %s: loss %v with a NaN in class %d", dx, layout, c.ID, loss, class)
	}
	plan := p.plan(t)
	s := plan.NewSums(2)
	if err := plan.Reduce(context.Background(), s, 0, p.x, p.target); err != nil {
		t.Fatal(err)
	}
	if v, err := plan.Finish(s, 1); err != nil || !math.IsNaN(v.Loss) {
		t.Errorf("%T %v %s: split: loss %v, %v with a NaN in class %d", p.x, layout, c.ID, v.Loss, err, class)
	}
}

func TestInfiniteLogits(t *testing.T) { onBackends(t, testInfiniteLogits) }

func testInfiniteLogits(t *testing.T) {
	losses := append(logLosses(1), "dice", "iou", "tversky", "ss", "dice2", "focal_tversky", "exp_log_dice", "dice(squared=true)", "dice(soft=true)")
	for _, expr := range losses {
		// The limits: what is right costs nothing.
		withRef(t, one(expr, kernels.Sigmoid, 1, []float64{inf, -inf, 1}, []float64{1, 0, 1}))
		// And a soft label may cost infinitely much, on a finite slope.
		if !strings.HasPrefix(expr, "wce") {
			withRef(t, one(expr, kernels.Sigmoid, 1, []float64{inf, 0.5}, []float64{0.5, 1}))
			withRef(t, one(expr, kernels.Sigmoid, 1, []float64{-inf, 0.5}, []float64{0.5, 1}))
		}
	}
	for _, expr := range append(logLosses(3), "dice", "gdl", "dice(soft=true)", "ss") {
		// A class that cannot be: p = 0, nothing lost where r = 0.
		withRef(t, one(expr, kernels.Softmax, 3, []float64{1, -inf, 2}, []float64{0, 0, 1}))
		withRef(t, one(expr, kernels.Softmax, 3, []float64{-inf, -inf, 2}, []float64{0, 0, 1}))
		for _, x := range [][]float64{{inf, 0, 0}, {inf, inf, 0}, {0, inf, -inf}, {-inf, -inf, -inf}} {
			c := one(expr, kernels.Softmax, 3, x, []float64{0, 0, 1})
			if loss, _ := newProblem[float64](t, c, kernels.NCS).run(t); !math.IsNaN(loss) {
				t.Errorf("%s: loss %v; want NaN", c.ID, loss)
			}
			c.Target, c.Labels = nil, []int64{2}
			if loss, _ := newProblem[float32](t, c, kernels.NCS).run(t); !math.IsNaN(loss) {
				t.Errorf("%s: labels: loss %v; want NaN", c.ID, loss)
			}
		}
	}
	c := one("ce", kernels.Softmax, 3, []float64{1, -inf, 2}, []float64{0, 1, 0})
	for _, layout := range layouts {
		if loss, _ := newProblem[float32](t, c, layout).run(t); loss != inf {
			t.Errorf("%s: loss %v; want +Inf", c.ID, loss)
		}
	}
}

// Scale 0 is a zero gradient, even of an infinite loss.
func TestScaleZero(t *testing.T) { onBackends(t, testScaleZero) }

func testScaleZero(t *testing.T) {
	ctx := context.Background()
	for _, c := range []*golden.Case{
		one("ce", kernels.Softmax, 2, []float64{-inf, 2}, []float64{1, 0}),
		one("dice(smooth_nr=1,smooth_dr=0)", kernels.None, 1, []float64{0, 0}, []float64{0, 0}),
		one("dice", kernels.None, 1, []float64{nan, 0}, []float64{0, 0}),
		one("bce", kernels.Sigmoid, 1, []float64{2, 3}, []float64{0, 0}),
	} {
		p := newProblem[float64](t, c, kernels.NCS)
		dx := []float64{nan, 7}
		v, err := p.plan(t).ForwardBackward(ctx, dx, p.x, p.target, kernels.Grad{})
		if err != nil || different(dx, []float64{0, 0}) >= 0 {
			t.Errorf("%s: loss %v, gradient %v, %v", c.ID, v.Loss, dx, err)
		}
		dx = []float64{3, 7}
		if _, err := p.plan(t).ForwardBackward(ctx, dx, p.x, p.target, kernels.Grad{Accumulate: true}); err != nil || different(dx, []float64{3, 7}) >= 0 {
			t.Errorf("%s: accumulated: gradient %v, %v", c.ID, dx, err)
		}
		x := slices.Clone(p.x)
		if _, err := p.plan(t).ForwardBackward(ctx, x, x, p.target, kernels.Grad{}); err != nil || different(x, []float64{0, 0}) >= 0 {
			t.Errorf("%s: in place: gradient %v, %v", c.ID, x, err)
		}
	}
}

// Rule 8: the single-pixel Dice gradient is 2t²/(p+t)², and of the squared form
// 2t(t²−p²)/(p²+t²)².
func TestDiceOfOnePixel(t *testing.T) { onBackends(t, testDiceOfOnePixel) }

func testDiceOfOnePixel(t *testing.T) {
	for _, p := range []float64{0, 1e-6, 0.125, 0.5, 1} {
		for _, r := range []float64{1e-6, 0.25, 1} {
			_, dx := newProblem[float64](t, one("dice(smooth=0)", kernels.None, 1, []float64{p}, []float64{r}), kernels.NCS).run(t)
			// A soft label mixes two slopes of some 2t/(p+t).
			if want := -2 * r * r / (p + r) / (p + r); !(math.Abs(dx[0]-want) <= 1e-14*r/(p+r)) || dx[0] < -2 {
				t.Errorf("dice at p = %v, t = %v: gradient %v; want %v", p, r, dx[0], want)
			}
			_, dx = newProblem[float64](t, one("dice(smooth=0,squared=true)", kernels.None, 1, []float64{p}, []float64{r}), kernels.NCS).run(t)
			if want := -2 * r * (r*r - p*p) / (p*p + r*r) / (p*p + r*r); !(math.Abs(dx[0]-want) <= 1e-12*max(2/r, 1)) {
				t.Errorf("squared dice at p = %v, t = %v: gradient %v; want %v", p, r, dx[0], want)
			}
		}
	}
}
