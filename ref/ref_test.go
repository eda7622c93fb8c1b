package ref_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/ref"
)

// expressions holds every loss with every option that changes its formula.
var expressions = []string{
	"dice", "dice(smooth_nr=0.5,smooth_dr=1)", "dice(squared=true)", "dice(soft=true,batch=true)",
	"dice(background=false,weight=[1,2,0.5],reduction=sum)",
	"dice2", "dice2(eps=0.5,batch=true,absent=skip)",
	"iou", "iou(soft=true)", "iou(invert_empty=true)", "iou(invert_empty=true,soft=true,reduction=sum)",
	"tversky", "tversky(alpha=0.8,beta=1.5,smooth=1,soft=true)",
	"focal_tversky", "focal_tversky(gamma=2,soft=true)", "focal_tversky(gamma=1,reduction=sum,absent=skip)",
	"ss", "ss(lambda=0.4,batch=true)",
	"gdl", "gdl(weight_type=simple,absent_weight=zero,smooth_nr=0.5)", "gdl(absent_weight=eps,weight_eps=0.1,batch=true)",
	"gdl(weight_type=uniform,background=false,reduction=sum)",
	"exp_log_dice", "exp_log_dice(gamma=2,smooth=0.1)", "exp_log_dice(gamma=1)",
	"bce", "bce(pos_weight=[0.5,2,3],reduction=sum)", "bce(pos_weight=2)",
	"wce", "wce(batch=true,eps=0.1)", "wce(reduction=sum)",
	"ce", "ce(weight=[1,2,0.5],label_smoothing=0.2)", "ce(reduction=sum)",
	"focal", "focal(gamma=0.5,alpha=0.7)", "focal(gamma=0,alpha=none)", "focal(reduction=sum,gamma=1)",
	"focal_ce", "focal_ce(gamma=0.3,weight=[1,2,0.5])", "focal_ce(gamma=0,reduction=sum)",
	"exp_log_ce", "exp_log_ce(gamma=2)", "exp_log_ce(gamma=0,freq=[1,2,3])", "exp_log_ce(gamma=1,freq=[1,0,3],reduction=sum)",
}

// random returns two samples of three classes with soft targets, random
// weights, a position of weight 0, and class 2 absent from the first sample.
// The probabilities stay away from 0, 1 and the targets.
func random(a ref.Activation) ref.Input {
	rnd := rand.New(rand.NewPCG(1, uint64(a)))
	const n, c, s = 2, 3, 7
	in := ref.Input{N: n, C: c, S: s, Activation: a, X: make([]float64, n*c*s), R: make([]float64, n*c*s), V: make([]float64, n*s)}
	for i := range in.V {
		in.V[i] = 0.5 + rnd.Float64()
	}
	in.V[3] = 0
	for i := range in.X {
		in.X[i] = 0.1 + 0.8*rnd.Float64()
		if a != ref.None {
			in.X[i] = 6*in.X[i] - 3
		}
		in.R[i] = rnd.Float64()
		if a == ref.None && math.Abs(in.R[i]-in.X[i]) < 0.01 {
			in.R[i] += 0.02
		}
	}
	clear(in.R[2*s : 3*s])
	return in
}

// each runs f as a subtest for every expression and activation.
func each(t *testing.T, f func(t *testing.T, in ref.Input, expr string)) {
	for name, a := range activations {
		for _, expr := range expressions {
			t.Run(name+"/"+expr, func(t *testing.T) { f(t, random(a), expr) })
		}
	}
}

// near compares losses and gradients to a few roundings.
func near(t *testing.T, what string, l0 float64, g0 []float64, l1 float64, g1 []float64) {
	t.Helper()
	const tol = 1e-13
	if !(math.Abs(l0-l1) <= tol*math.Abs(l1)) {
		t.Errorf("%s: loss %v; want %v", what, l0, l1)
	}
	for i := range g1 {
		if !(math.Abs(g0[i]-g1[i]) <= tol*largest(g1)) {
			t.Errorf("%s: grad[%d] = %v; want %v", what, i, g0[i], g1[i])
		}
	}
}

// largest returns the largest absolute value.
func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = math.Max(m, math.Abs(v))
	}
	return m
}

func TestLossesComplete(t *testing.T) {
	tried := map[string]bool{}
	for _, expr := range expressions {
		name, _, _ := strings.Cut(expr, "(")
		tried[name] = true
	}
	for name := range ref.Losses {
		if !tried[name] {
			t.Errorf("no expression tries %s", name)
		}
	}
	if len(ref.Losses) != 14 {
		t.Errorf("%d losses; the definitions have 14", len(ref.Losses))
	}
}

func TestGradientByDifferences(t *testing.T) {
	const h = 1e-5
	each(t, func(t *testing.T, in ref.Input, expr string) {
		_, grad := evaluate(t, in, expr)
		for i, x := range in.X {
			in.X[i] = x + h
			up, _ := evaluate(t, in, expr)
			in.X[i] = x - h
			down, _ := evaluate(t, in, expr)
			in.X[i] = x
			if d := (up - down) / (2 * h); math.Abs(d-grad[i]) > 1e-6*largest(grad)+1e-12 {
				t.Errorf("grad[%d] = %v; differences give %v", i, grad[i], d)
			}
		}
	})
}

// With detach, the gradient is that of the loss whose w stands still, which is
// that of bce with w for pos_weight.
func TestWCEDetach(t *testing.T) {
	probability := map[ref.Activation]func(x float64) float64{
		ref.None:    func(x float64) float64 { return x },
		ref.Sigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	}
	for a, p := range probability {
		in := random(a)
		in.N, in.C = 1, 1
		in.X, in.R, in.V = in.X[:in.S], in.R[:in.S], in.V[:in.S]
		foreground, background, m := 0.0, 0.0, 0.0
		for i, v := range in.V {
			foreground += v * p(in.X[i])
			background += v * (1 - p(in.X[i]))
			m += v
		}
		bce := fmt.Sprintf("bce(pos_weight=%v)", background/(foreground+1e-5))
		l0, g0 := evaluate(t, in, "wce(detach=true)")
		l1, g1 := evaluate(t, in, bce)
		near(t, "wce(detach=true)", l0, g0, l1, g1)
		l0, g0 = evaluate(t, in, fmt.Sprintf("%v*wce(detach=true,reduction=sum)", 1/m))
		near(t, "wce(detach=true,reduction=sum)/M", l0, g0, l1, g1)
	}
}

func TestIdentities(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"tversky(alpha=0.5,beta=0.5,smooth=0.5)", "dice(smooth=1)"},
		{"tversky(alpha=1,beta=1,smooth=0.1)", "iou(smooth=0.1)"},
		{"tversky(alpha=1,beta=1,smooth=0.1,soft=true)", "iou(smooth=0.1,soft=true)"},
		{"focal_tversky(gamma=1)", "tversky"},
		{"focal(gamma=0,alpha=none)", "bce"},
		{"2*focal(gamma=0,alpha=0.5)", "bce"},
		{"focal_ce(gamma=0,reduction=sum)", "ce(reduction=sum)"},
		{"exp_log_ce(gamma=1,freq=[1,1,1],reduction=sum)", "1.7320508075688772*ce(reduction=sum)"},
		{"ce(weight=[2,2,2])", "ce"},
		{"bce(pos_weight=[2,2,2])", "bce(pos_weight=2)"},
		{"dice(weight=[3,3,3])", "dice"},
		{"3*dice", "dice(reduction=sum)"},
		{"gdl(reduction=sum)", "gdl"},
		{"gdl(weight_type=uniform,smooth=3)", "gdl(weight_type=uniform,smooth=3,absent_weight=zero)"},
	} {
		for name, a := range activations {
			in := random(a)
			l0, g0 := evaluate(t, in, tt.a)
			l1, g1 := evaluate(t, in, tt.b)
			near(t, name+": "+tt.a+" against "+tt.b, l0, g0, l1, g1)
		}
	}
}

// One sample that is the whole batch needs no batch=true.
func TestBatchIsOneSample(t *testing.T) {
	for _, name := range []string{"dice", "dice2", "iou", "tversky", "focal_tversky", "ss", "gdl", "exp_log_dice", "wce"} {
		in := random(ref.Sigmoid)
		joined := in
		joined.N, joined.S = 1, in.N*in.S
		joined.X, joined.R = nil, nil
		for c := range in.C {
			for n := range in.N {
				lo := (n*in.C + c) * in.S
				joined.X = append(joined.X, in.X[lo:lo+in.S]...)
				joined.R = append(joined.R, in.R[lo:lo+in.S]...)
			}
		}
		l0, g := evaluate(t, in, name+"(batch=true)")
		l1, g1 := evaluate(t, joined, name)
		var g0 []float64
		for c := range in.C {
			for n := range in.N {
				lo := (n*in.C + c) * in.S
				g0 = append(g0, g[lo:lo+in.S]...)
			}
		}
		near(t, name, l0, g0, l1, g1)
	}
}

func TestNaN(t *testing.T) {
	each(t, func(t *testing.T, in ref.Input, expr string) {
		// Position 3 of sample 0 has weight 0.
		want, wantGrad := evaluate(t, in, expr)
		for c := range in.C {
			in.X[c*in.S+3], in.R[c*in.S+3] = math.NaN(), math.NaN()
		}
		loss, grad := evaluate(t, in, expr)
		if loss != want || !slices.Equal(grad, wantGrad) {
			t.Errorf("a NaN at a position of weight 0 is seen: loss %v; want %v", loss, want)
		}
		for c := range in.C {
			if g := grad[c*in.S+3]; g != 0 {
				t.Errorf("gradient %v at a position of weight 0", g)
			}
		}
		for _, slice := range [][]float64{in.X, in.R} {
			for _, i := range []int{0, 2 * in.S, len(slice) - 1} {
				old := slice[i]
				slice[i] = math.NaN()
				if loss, _ := evaluate(t, in, expr); !math.IsNaN(loss) {
					t.Errorf("loss %v with a NaN in element %d", loss, i)
				}
				slice[i] = old
			}
		}
	})
}

func TestNaNIsNotHidden(t *testing.T) {
	for _, expr := range []string{"dice(background=false)", "dice(weight=[0,1,1])", "dice(absent=skip)", "gdl(background=false)",
		"gdl(absent_weight=zero)", "ce(weight=[0,1,1])", "bce(pos_weight=0)", "focal(alpha=0)", "exp_log_ce(freq=[0,1,1])"} {
		in := random(ref.Sigmoid)
		clear(in.R[:in.S]) // class 0 is absent from sample 0
		in.X[0] = math.NaN()
		if loss, _ := evaluate(t, in, expr); !math.IsNaN(loss) {
			t.Errorf("%s = %v with a NaN in class 0", expr, loss)
		}
	}
}

func TestNothingThere(t *testing.T) {
	each(t, func(t *testing.T, in ref.Input, expr string) {
		// Without its positions, a sample might as well not be in the batch.
		clear(in.V[in.S:])
		alone := in
		alone.N, alone.X, alone.R, alone.V = 1, in.X[:in.C*in.S], in.R[:in.C*in.S], in.V[:in.S]
		l0, g0 := evaluate(t, in, expr)
		l1, g1 := evaluate(t, alone, expr)
		near(t, "one sample left", l0, g0, l1, g1)

		clear(in.V)
		in.X[0] = math.NaN()
		for _, in := range []ref.Input{in, {C: 3, S: 4, Activation: in.Activation}, {N: 4, C: 3, Activation: in.Activation}} {
			if loss, grad := evaluate(t, in, expr); loss != 0 || largest(grad) != 0 || len(grad) != len(in.X) {
				t.Errorf("loss %v, gradient %v without a position", loss, grad)
			}
		}
	})
}

// A nil V is all ones, and a weight counts like so many positions.
func TestWeightsCount(t *testing.T) {
	each(t, func(t *testing.T, in ref.Input, expr string) {
		in.V = nil
		once, _ := evaluate(t, in, expr)
		in.V = slices.Repeat([]float64{1}, in.N*in.S)
		if ones, _ := evaluate(t, in, expr); once != ones {
			t.Errorf("loss %v without weights, %v with ones", once, ones)
		}

		in.V[0] = 2
		l0, _ := evaluate(t, in, expr)
		twice := ref.Input{N: in.N, C: in.C, S: in.S + 1, Activation: in.Activation}
		for lo := 0; lo < len(in.X); lo += in.S {
			twice.X = append(append(twice.X, in.X[lo]), in.X[lo:lo+in.S]...)
			twice.R = append(append(twice.R, in.R[lo]), in.R[lo:lo+in.S]...)
		}
		twice.V = slices.Repeat([]float64{1}, twice.N*twice.S)
		twice.V[twice.S] = 0 // the second sample has its first position once
		l1, _ := evaluate(t, twice, expr)
		near(t, "a weight of 2", l0, nil, l1, nil)
	})
}

func single(p, r float64) ref.Input {
	return ref.Input{N: 1, C: 1, S: 1, X: []float64{p}, R: []float64{r}}
}

func TestDiceOfOnePixel(t *testing.T) {
	for _, tt := range []struct{ p, t float64 }{{0.3, 1}, {1e-6, 1e-6}, {1, 0.25}, {0, 1e-3}, {0.9, 0.8}} {
		want := -2 * tt.t * tt.t / ((tt.p + tt.t) * (tt.p + tt.t))
		_, g := evaluate(t, single(tt.p, tt.t), "dice(smooth=0)")
		near(t, fmt.Sprint("p, t = ", tt), 0, g, 0, []float64{want})

		want = -2 * tt.t * (tt.t*tt.t - tt.p*tt.p) / math.Pow(tt.p*tt.p+tt.t*tt.t, 2)
		_, g = evaluate(t, single(tt.p, tt.t), "dice(smooth=0,squared=true)")
		if math.Abs(g[0]-want) > 1e-13*(2/tt.t) {
			t.Errorf("squared, p, t = %v: gradient %v; want %v", tt, g[0], want)
		}
	}
	_, g := evaluate(t, single(0.25, 0), "dice(smooth=0.5)")
	near(t, "empty mask", 0, g, 0, []float64{0.5 / (0.75 * 0.75)}) // s/(P+s)²
}

func TestZeroOverZero(t *testing.T) {
	for _, expr := range []string{"dice(smooth=0)", "dice(smooth=0,squared=true)", "dice(smooth=0,soft=true)", "iou(smooth=0)", "tversky(smooth=0)",
		"focal_tversky(smooth=0,gamma=1)", "ss(eps=0)", "gdl(smooth=0)", "gdl(smooth=0,absent_weight=zero)", "exp_log_dice(smooth=0,gamma=2)"} {
		if loss, grad := evaluate(t, single(0, 0), expr); loss != 0 || grad[0] != 0 {
			t.Errorf("%s = %v, gradient %v; want 0 for 0/0", expr, loss, grad[0])
		}
	}
	// dice2's second quotient is not 0/0.
	if loss, grad := evaluate(t, single(0, 0), "dice2(eps=0)"); loss != 0 || grad[0] != 0.25 {
		t.Errorf("dice2(eps=0) = %v, gradient %v; want 0, ¼", loss, grad[0])
	}
	if loss, _ := evaluate(t, single(0, 0), "dice2"); math.Abs(loss+0.5) > 1e-5 {
		t.Errorf("dice2 of an empty cell = %v; want about −½", loss)
	}
}

func TestFloor(t *testing.T) {
	for _, expr := range []string{"exp_log_dice", "exp_log_dice(smooth=0)", "focal_tversky(gamma=0.3)"} {
		for _, p := range []float64{0, 1} {
			loss, grad := evaluate(t, single(p, p), expr)
			near(t, expr, loss, grad, math.Pow(1e-7, 0.3), []float64{0})
		}
	}
	for _, expr := range []string{"exp_log_dice(gamma=1)", "focal_tversky(gamma=2)"} {
		if loss, _ := evaluate(t, single(1, 1), expr); loss != 0 {
			t.Errorf("%s = %v for a perfect prediction", expr, loss)
		}
	}
}

func TestClip(t *testing.T) {
	for _, expr := range []string{"bce", "focal(gamma=0.5)", "wce(detach=true,eps=0.5)"} {
		for _, p := range []float64{-3, 0, 1e-8, 1 - 1e-8, 1, 4} {
			for _, r := range []float64{0, 0.5, 1} {
				if loss, grad := evaluate(t, single(p, r), expr); grad[0] != 0 || math.IsNaN(loss) || math.IsInf(loss, 0) {
					t.Errorf("%s at p = %v, r = %v: loss %v, gradient %v", expr, p, r, loss, grad[0])
				}
			}
		}
	}
	in := single(0, 1)
	l, _ := evaluate(t, in, "bce")
	near(t, "default clip", l, nil, -math.Log(1e-7), nil)
	in.Clip = 1e-3
	l, _ = evaluate(t, in, "bce")
	near(t, "clip=1e-3", l, nil, -math.Log(1e-3), nil)
	// Region sums use p as it is.
	l, g := evaluate(t, single(2, 1), "dice(smooth=0)")
	near(t, "dice at p = 2", l, g, 1-4.0/3, []float64{-2.0 / 9})
}

func TestSoftIsMinimalAtSoftLabels(t *testing.T) {
	for _, expr := range []string{"dice(soft=true,smooth=0)", "iou(soft=true,smooth=0)", "tversky(soft=true)"} {
		in := random(ref.None)
		copy(in.X, in.R)
		if loss, _ := evaluate(t, in, expr); loss != 0 {
			t.Errorf("%s = %v at p = r", expr, loss)
		}
	}
	// At the tie the slope is the mean of those on either side.
	const r, h = 0.5, 1e-6
	up, _ := evaluate(t, single(r+h, r), "dice(soft=true,smooth=0)")
	down, _ := evaluate(t, single(r-h, r), "dice(soft=true,smooth=0)")
	_, g := evaluate(t, single(r, r), "dice(soft=true,smooth=0)")
	if want := (up - down) / (2 * h); math.Abs(g[0]-want) > 1e-5 {
		t.Errorf("slope %v at the tie; want the mean of the one-sided ones, %v", g[0], want)
	}
}

// Far beyond the golden files' logits nothing but the true infinities is
// infinite, and NaN is only what the contract says.
func TestInfiniteLogits(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		expr       string
		activation ref.Activation
		x, r       []float64
		loss       float64
		grad       []float64
	}{
		{"bce", ref.Sigmoid, []float64{inf}, []float64{1}, 0, []float64{0}},
		{"bce", ref.Sigmoid, []float64{-inf}, []float64{0}, 0, []float64{0}},
		{"bce", ref.Sigmoid, []float64{inf}, []float64{0}, inf, []float64{1}},
		{"bce", ref.Sigmoid, []float64{-800}, []float64{1}, 800, []float64{-1}},
		{"focal(gamma=0.5,alpha=none)", ref.Sigmoid, []float64{-inf}, []float64{1}, inf, []float64{-1}},
		{"focal(gamma=0,alpha=none)", ref.Sigmoid, []float64{inf}, []float64{1}, 0, []float64{0}},
		{"focal(gamma=0.5)", ref.Sigmoid, []float64{inf}, []float64{1}, 0, []float64{0}},
		{"dice(smooth=0)", ref.Sigmoid, []float64{inf}, []float64{1}, 0, []float64{0}},
		{"ce", ref.Softmax, []float64{0, -inf}, []float64{1, 0}, 0, []float64{0, 0}},
		{"ce", ref.Softmax, []float64{0, -inf}, []float64{0, 1}, inf, []float64{1, -1}},
		{"ce", ref.Softmax, []float64{0, -inf, -inf}, []float64{1, 0, 0}, 0, []float64{0, 0, 0}},
		{"ce", ref.Softmax, []float64{0, 0, -inf}, []float64{1, 0, 0}, math.Ln2, []float64{-0.5, 0.5, 0}},
		{"ce(weight=[1,0])", ref.Softmax, []float64{-inf, 0}, []float64{0, 1}, 0, []float64{0, 0}},
		{"exp_log_ce", ref.Softmax, []float64{0, -inf}, []float64{1, 0}, 0, []float64{0, 0}},
		{"exp_log_ce(gamma=0.5)", ref.Softmax, []float64{-800, 0}, []float64{1, 0}, math.Sqrt(800), []float64{-0.5 / math.Sqrt(800), 0.5 / math.Sqrt(800)}},
		{"ce", ref.Softmax, []float64{800, 0, -800}, []float64{0, 0, 1}, 1600, []float64{1, 0, -1}},
	} {
		in := ref.Input{N: 1, C: len(tt.x), S: 1, Activation: tt.activation, X: tt.x, R: tt.r}
		loss, grad := evaluate(t, in, tt.expr)
		if loss != tt.loss && !(math.Abs(loss-tt.loss) <= 1e-13*tt.loss) {
			t.Errorf("%s at %v, target %v: loss %v; want %v", tt.expr, tt.x, tt.r, loss, tt.loss)
		}
		for i, want := range tt.grad {
			if grad[i] != want && !(math.Abs(grad[i]-want) <= 1e-13) {
				t.Errorf("%s at %v, target %v: grad[%d] = %v; want %v", tt.expr, tt.x, tt.r, i, grad[i], want)
			}
		}
	}
	for _, x := range [][]float64{{inf, 0}, {-inf, -inf}, {inf, inf}} {
		in := ref.Input{N: 1, C: 2, S: 1, Activation: ref.Softmax, X: x, R: []float64{1, 0}}
		if loss, _ := evaluate(t, in, "dice(background=false)"); !math.IsNaN(loss) {
			t.Errorf("softmax of %v: loss %v; want NaN", x, loss)
		}
	}
}

func TestZeroWeights(t *testing.T) {
	for _, expr := range []string{"dice(weight=[0,0,0])", "dice(weight=[0,0,0],reduction=sum)", "ce(weight=[0,0,0])", "ce(weight=[0,0,0],reduction=sum)"} {
		if loss, grad := evaluate(t, random(ref.Softmax), expr); loss != 0 || largest(grad) != 0 {
			t.Errorf("%s = %v, gradient %v; want 0", expr, loss, grad)
		}
	}
}

// A coefficient of 0 wins over an infinite value, as it does in the limit.
func TestZeroTimesInfinity(t *testing.T) {
	in := ref.Input{N: 1, C: 2, S: 1, X: []float64{0.5, 0.5}, R: []float64{1, 0}}
	if loss, _ := evaluate(t, in, "exp_log_dice(smooth=0)"); !math.IsInf(loss, 1) {
		t.Errorf("loss %v without any overlap in class 1; want +Inf", loss)
	}
	loss, grad := evaluate(t, in, "exp_log_dice(smooth=0,weight=[1,0],gamma=1)")
	near(t, "class 1 with weight 0", loss, grad, -math.Log(2.0/3), []float64{-4.0 / 3, 0}) // −ln 2p/(1+p)
	if loss, grad := evaluate(t, single(0, 0), "wce(eps=0)"); math.Abs(loss) > 1e-6 || grad[0] != 0 {
		t.Errorf("wce(eps=0) = %v, gradient %v where nothing is there or predicted; want 0", loss, grad)
	}
}

func TestGDLAbsentClass(t *testing.T) {
	// I, FP, FN, R are 1, 0, 1, 2 in class 0 and 0, ½, 0, 0 in class 1.
	in := ref.Input{N: 1, C: 2, S: 2, X: []float64{0.5, 0.5, 0.25, 0.25}, R: []float64{1, 1, 0, 0}}
	for _, tt := range []struct {
		expr string
		want float64
	}{
		{"gdl(smooth=0)", 1.5 / 3.5},
		{"gdl(smooth=0,absent_weight=zero)", 1. / 3},
		{"gdl(smooth=1,absent_weight=zero)", 1. / 4},
		{"gdl(smooth=0,absent_weight=zero,weight_type=uniform)", 1.5 / 3.5},
		{"gdl(smooth=0,absent_weight=eps,weight_eps=1)", 0.7 / 1.1},                    // weights ⅕, 1
		{"gdl(smooth=0,absent_weight=eps,weight_eps=1,weight_type=simple)", 2.5 / 4.5}, // weights ⅓, 1
	} {
		loss, _ := evaluate(t, in, tt.expr)
		near(t, tt.expr, loss, nil, tt.want, nil)
	}
	clear(in.R) // no class has a weight to lend
	loss, _ := evaluate(t, in, "gdl(smooth=1)")
	near(t, "gdl(smooth=1), no class present", loss, nil, 1.5/2.5, nil)
}

// The largest weight of gdl is 1 unless scaled=false, and no volume is too small.
func TestGDLScaled(t *testing.T) {
	// I, FP, FN, R are 1½, ½, ½, 2 in class 0 and ¾, ¼, ¼, 1 in class 1.
	in := ref.Input{N: 1, C: 2, S: 3, X: []float64{0.75, 0.75, 0.5, 0.25, 0, 0.75}, R: []float64{1, 1, 0, 0, 0, 1}}
	for expr, want := range map[string]float64{
		"gdl(smooth=1)":              (1./4 + 0.5) / (4./4 + 2 + 1),
		"gdl(smooth=1,scaled=false)": (1./4 + 0.5) / (4./4 + 2 + 1), // 1/R² is 1 at most here
	} {
		loss, _ := evaluate(t, in, expr)
		near(t, expr, loss, nil, want, nil)
	}
	tiny := ref.Input{N: 1, C: 2, S: 1, X: []float64{0.6, 0.3}, R: []float64{1 - 1e-160, 1e-160}}
	for _, expr := range []string{"gdl(smooth=0)", "gdl(smooth=0,scaled=false)", "gdl(smooth=1,scaled=false)", "gdl(smooth=0,weight_eps=0,absent_weight=eps)"} {
		loss, _ := evaluate(t, tiny, expr)
		near(t, expr, loss, nil, 1, nil)
	}
	half := ref.Input{N: 1, C: 2, S: 2, X: []float64{0.5, 0.5, 0.5, 0.5}, R: []float64{0.5, 0, 0.5, 1}}
	// 1/R² is 4 and 4/9, and FP + FN is 1 in both classes.
	for expr, unit := range map[string]float64{"gdl(smooth=1)": 4, "gdl(smooth=1,scaled=false)": 1} {
		w0, w1 := 4/unit, 4./9/unit
		i0, e0, i1, e1 := 0.25, 1., 0.75, 1.
		loss, _ := evaluate(t, half, expr)
		near(t, expr, loss, nil, (w0*e0+w1*e1)/(w0*(2*i0+e0)+w1*(2*i1+e1)+1), nil)
	}
}

// Weights and exponents are of any size.
func TestExtremes(t *testing.T) {
	in := ref.Input{N: 1, C: 2, S: 2, X: []float64{0.75, 0.25, 0.25, 0.75}, R: []float64{1, 0, 0, 1}}
	for _, tt := range []struct{ expr, same string }{
		{"dice(weight=[1e308,1e308])", "dice"},
		{"dice(weight=[5e-324,5e-324])", "dice"},
		{"ce(weight=[1e308,1e308])", "ce"},
		{"exp_log_ce(freq=[1e308,1e308])", "exp_log_ce(freq=[1,1])"},
		{"focal(gamma=1e308)", "focal(gamma=1e9)"},
	} {
		loss, grad := evaluate(t, in, tt.expr)
		want, wantGrad := evaluate(t, in, tt.same)
		near(t, tt.expr, loss, grad, want, wantGrad)
	}
	// The weight of a class that is not there is no matter.
	in.R = []float64{0, 0, 1, 1}
	want, wantGrad := evaluate(t, in, "ce")
	for _, expr := range []string{"ce(weight=[1e200,1e-160])", "ce(weight=[1e308,1])", "ce(weight=[1,1e-320])"} {
		loss, grad := evaluate(t, in, expr)
		near(t, expr, loss, grad, want, wantGrad)
	}
	in.V = []float64{0, 0}
	for _, expr := range []string{"ce(weight=[1e308,1e308])", "ce(weight=[1e308,1])"} {
		loss, grad := evaluate(t, in, expr)
		near(t, expr, loss, grad, 0, []float64{0, 0, 0, 0})
	}
}

func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"short X": func() { ref.BCE(ref.Input{N: 1, C: 1, S: 2, X: []float64{1}, R: []float64{1, 0}}, fill(t, "bce", nil)) },
		"short V": func() {
			ref.BCE(ref.Input{N: 1, C: 1, S: 1, X: []float64{1}, R: []float64{1}, V: []float64{}}, fill(t, "bce", nil))
		},
		"activation": func() {
			ref.BCE(ref.Input{N: 1, C: 1, S: 1, Activation: 7, X: []float64{1}, R: []float64{1}}, fill(t, "bce", nil))
		},
		"reduction":     func() { ref.BCE(single(0, 0), ref.Options{}) },
		"absent":        func() { ref.Dice(single(0, 0), ref.Options{Background: true, Reduction: "mean"}) },
		"weight_type":   func() { ref.GDL(single(0, 0), fill(t, "gdl", options{"weight_type": "cube"})) },
		"absent_weight": func() { ref.GDL(single(0, 0), fill(t, "gdl", options{"absent_weight": "none"})) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// An oracle that shares code with what it judges is none.
func TestImportsOnlyMath(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		tried++
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if i.Path.Value != `"math"` {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
	}
	if tried == 0 {
		t.Error("no file found")
	}
}
