package kernels_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// extremes are numbers that options and coefficients may have.
var extremes = []float64{0, 5e-324, 1e-310, 1e-160, 1e-40, 1e39, 1e160, 1e308, math.MaxFloat64}

// judged is a case with what the exact oracle makes of it; unjudged says that it has no
// answer, and ref's stands in.
type judged struct {
	golden.Case
	unjudged bool
}

// judge fills in the loss and the gradient of a case by numbers of any size. A clip of 0 is
// the default one.
func judge(t *testing.T, c golden.Case, clip float64) judged {
	t.Helper()
	r, v := c.Dense()
	act, err := kernels.ParseActivation(c.Activation)
	if err != nil {
		t.Fatal(err)
	}
	in := ref.Input{N: c.N, C: c.C, S: c.S, Activation: ref.Activation(act), X: c.Pred, R: r, V: v, Clip: clip}
	var terms []exact.Term
	refLoss, refGrad := 0.0, make([]float64, len(c.Pred))
	for _, term := range mustParse(t, c.Loss).Terms() {
		o := options(t, term)
		terms = append(terms, exact.Term{Coef: term.Coef, Name: term.Name, Options: o})
		l, g := ref.Losses[term.Name](in, o)
		refLoss += term.Coef * l
		for i := range g {
			refGrad[i] += term.Coef * g[i]
		}
	}
	j := judged{Case: c}
	j.Value, j.Grad, err = exact.Gradient(t.Context(), exact.Big, in, terms, exact.NoFault, nil)
	if errors.Is(err, exact.ErrUnjudged) {
		j.Value, j.Grad, j.unjudged = refLoss, refGrad, true
	} else if err != nil {
		t.Fatalf("%s: %v", c.Loss, err)
	}
	if what := j.differs(refLoss, refGrad, 1e-12, math.MaxFloat64); what != "" {
		t.Errorf("package ref: %s", what)
	}
	return j
}

// differs says where a loss and its gradient are not those of the case, "" if nowhere.
// Where an element of the gradient is beyond what the type holds, or near that, so that what
// it is made of may be beyond, the others need not be finite either: under softmax each
// takes something of all.
func (j *judged) differs(loss float64, grad []float64, tolerance, most float64) string {
	beyond := func(v, most float64) bool { return !(math.Abs(v) <= most/256) }
	ok := func(got, want, size float64, beyond bool) bool {
		if math.IsNaN(got-want) || math.IsInf(got-want, 0) {
			return beyond
		}
		return math.Abs(got-want) <= tolerance*size+0x1p-120
	}
	if !ok(loss, j.Value, math.Abs(j.Value)+1, beyond(j.Value, math.MaxFloat64)) {
		return fmt.Sprintf("%s, %s: loss %v; want %v", j.Loss, j.Activation, loss, j.Value)
	}
	size := 0.0
	for _, g := range append(slices.Clone(j.Grad), j.Value) {
		if !math.IsNaN(g) && !math.IsInf(g, 0) {
			size = max(size, math.Abs(g))
		}
	}
	far := slices.ContainsFunc(j.Grad, func(g float64) bool { return beyond(g, most) })
	for i, g := range grad {
		if !ok(g, j.Grad[i], size, far) {
			return fmt.Sprintf("%s, %s: derivative %d is %v; want %v", j.Loss, j.Activation, i, g, j.Grad[i])
		}
	}
	return ""
}

// small draws a case of 2 samples of 3 classes: of the first sample, class 2 is absent.
func small(rng *rand.Rand, activation string) golden.Case {
	c := golden.Case{Activation: activation, N: 2, C: 3, S: 3}
	for i := range c.N * c.C * c.S {
		x := 4*rng.Float64() - 2
		if activation == "none" {
			x = 0.05 + 0.9*rng.Float64()
		}
		c.Pred = append(c.Pred, float64(float32(x)))
		if i < c.N*c.S {
			c.Labels = append(c.Labels, int64(rng.IntN(2+i/c.S)))
		}
	}
	return c
}

// lopsided are labels of small's cases by which a class has no position, or every one.
var lopsided = [][]int64{
	{1, 1, 1, 1, 1, 1},
	{0, 0, 0, 0, 0, 0},
	{2, 1, 2, 1, 1, 2},
	{1, 1, 1, 0, 2, 0}, // in the first sample alone
}

// holdBackends holds every backend to a case, for both types.
func holdBackends(t *testing.T, j judged, opts ...kernels.Option) {
	t.Helper()
	for _, backend := range testedBackends() {
		opts := append(slices.Clone(opts), kernels.WithBackend(backend), kernels.WithWorkers(1))
		hold[float64](t, backend, j, 1e-12, math.MaxFloat64, opts)
		hold[float32](t, backend, j, 1e-5, math.MaxFloat32, opts)
	}
}

func hold[T kernels.Float](t *testing.T, backend string, j judged, tolerance, most float64, opts []kernels.Option) {
	t.Helper()
	p := newProblem[T](t, &j.Case, kernels.NCS, opts...)
	if !slices.Equal(convert[float64](p.x), j.Pred) || j.Target != nil && !slices.Equal(convert[float64](convert[T](j.Target)), j.Target) {
		return // the type does not have these numbers
	}
	loss, dx := p.run(t)
	if what := j.differs(loss, convert[float64](dx), tolerance, most); what != "" {
		t.Errorf("%s, %T: %s, labels %v, weights %v", backend, dx, what, j.Labels, j.Weights)
	}
}

// holdsCoefs reports whether float64 has the coefficients of the terms, which in a named
// combination are products.
func holdsCoefs(expr string) bool {
	_, err := kernels.Parse(expr)
	return err == nil
}

// TestExtremeOptions: whatever number an option or a coefficient has, loss and gradient are
// those of the definition, and finite where those are.
func TestExtremeOptions(t *testing.T) {
	rng, tried := rand.New(rand.NewPCG(1, 2)), kernels.Sampler(3)
	turn := 0
	for _, info := range kernels.Losses() {
		all := variants.Extremes(info, 3, extremes)
		for _, v := range extremes {
			if expr := fmt.Sprintf("%v*%s", v, info.Name); holdsCoefs(expr) {
				all = append(all, expr)
			}
		}
		if info.Name == "exp_log_dice" { // the power hides what is below its floor
			all = append(all, "exp_log_dice(gamma=2, smooth_nr=1e39)", "exp_log_dice(gamma=1, smooth_nr=1e308)", "exp_log_dice(gamma=1, smooth_nr=1e-310)")
		}
		for _, expr := range all {
			turn++
			if !tried() {
				continue
			}
			c := small(rng, activations[turn%len(activations)].String())
			c.Loss = expr
			holdBackends(t, judge(t, c, 0))
		}
	}
}

// TestExtremeAbsence: an option of any size is no matter where its class has no position, or
// every one, or where nothing is there.
func TestExtremeAbsence(t *testing.T) {
	rng, tried := rand.New(rand.NewPCG(9, 10)), kernels.Sampler(3)
	turn := 0
	for _, info := range kernels.Losses() {
		all := variants.Extremes(info, 3, []float64{5e-324, 1e160, math.MaxFloat64})
		if info.Name == "ce" {
			all = append(all, "ce(weight=[1e200,1e-160,1])", "ce(weight=[1,1e-320,1e-320])", "ce(weight=[1e-320,1,1e308])", "ce(weight=[1e160,1e-160,1e160],label_smoothing=0.1)")
		}
		for _, expr := range all {
			for _, labels := range lopsided {
				if !tried() {
					continue
				}
				c := small(rng, activations[turn%len(activations)].String())
				c.Loss, c.Labels = expr, labels
				switch turn++; {
				case turn%4 == 1:
					c.Weights = slices.Repeat([]float64{0}, len(labels))
				case turn%4 == 2 && info.Categorical: // of others, a derivative by a sum may be beyond float64
					c.Weights = slices.Repeat([]float64{float64(float32(1e-20))}, len(labels))
				}
				holdBackends(t, judge(t, c, 0))
			}
		}
	}
}

// TestExtremeAbsenceValues has the numbers of what an absent class must not change.
func TestExtremeAbsenceValues(t *testing.T) {
	tiny := float64(float32(1e-40))
	for _, tt := range []struct {
		expr    string
		x       []float64
		label   int64
		weight  float64
		loss, g float64 // of class 0
	}{
		{"ce(weight=[1e200,1e-160])", []float64{-1, 2}, 1, 1, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1,1e-320])", []float64{-1, 2}, 1, 1, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1e160,1e-160])", []float64{-1, 2}, 1, 1, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1e-320,1])", []float64{2, -1}, 0, 1, 0.04858735157374206, -0.04742587317756678},
		{"ce(weight=[1e308,1])", []float64{-1, 2}, 1, tiny, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1,1e-300])", []float64{-1, 2}, 1, tiny, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1e200,1e-100])", []float64{-1, 2}, 1, tiny, 0.04858735157374206, 0.04742587317756678},
		{"ce(weight=[1e308,1e308])", []float64{-1, 2}, 1, 0, 0, 0},
		{"ce(weight=[1e308,1])", []float64{-1, 2}, 1, 0, 0, 0},
	} {
		c := golden.Case{Loss: tt.expr, Activation: "softmax", N: 1, C: 2, S: 1, Pred: tt.x, Labels: []int64{tt.label}, Weights: []float64{tt.weight}}
		j := judged{Case: c}
		j.Value, j.Grad = tt.loss, []float64{tt.g, -tt.g}
		holdBackends(t, j)
		judge(t, c, 0)
	}
}

// TestExtremeWeights: weights of positions are any that float32 has.
func TestExtremeWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	least, most := float64(math.SmallestNonzeroFloat32), float64(math.MaxFloat32)
	turn := 0
	for _, info := range kernels.Losses() {
		for _, v := range [][2]float64{{least, least}, {0x1p-133, 0x1p-133}, {0x1p-100, 1}, {least, most}, {0x1p126, 0x1p126}, {most, most}} {
			for _, dense := range []bool{false, true} {
				c := small(rng, activations[turn%len(activations)].String())
				turn++
				c.Loss = info.Name
				for range c.N * c.S {
					c.Weights = append(c.Weights, v[rng.IntN(2)])
				}
				if dense {
					c.Target, _ = c.Dense()
					c.Labels = nil
				}
				holdBackends(t, judge(t, c, 0))
			}
		}
	}
}

// TestExtremeVolumes: the volume of a class is any that soft labels make.
func TestExtremeVolumes(t *testing.T) {
	all := []string{"gdl(smooth=0)", "gdl(smooth=1)", "gdl(smooth=1e308)", "gdl(smooth_nr=0)", "gdl(weight_eps=0, absent_weight=eps)", "gdl(background=false)"}
	for _, kind := range []string{"square", "simple", "uniform"} {
		for _, absent := range []string{"max", "zero", "eps"} {
			all = append(all, fmt.Sprintf("gdl(weight_type=%s, absent_weight=%s)", kind, absent))
		}
	}
	for _, info := range kernels.Losses() {
		all = append(all, info.Name)
	}
	for _, expr := range all {
		if strings.HasSuffix(expr, ")") { // one of gdl
			head := strings.TrimSuffix(expr, ")")
			all = append(all, head+", scaled=false)", head+", scaled=false, batch=true)")
		}
	}
	for _, expr := range all {
		for _, r := range []float64{0, 1e-300, 1e-160, 1e-20, 1} {
			for _, weight := range []float64{1, 0x1p126} {
				c := golden.Case{Loss: expr, Activation: "none", N: 1, C: 3, S: 1, Pred: []float64{0.625, 0.3125, 0.25}, Target: []float64{1 - r, r, 0}, Weights: []float64{weight}}
				holdBackends(t, judge(t, c, 0))
			}
		}
	}
	c := golden.Case{Loss: "gdl(smooth=0)", Activation: "none", N: 1, C: 2, S: 1, Pred: []float64{0.6, 0.3}, Target: []float64{1 - 1e-160, 1e-160}}
	if j := judge(t, c, 0); math.Abs(j.Value-1) > 1e-12 {
		t.Errorf("%s is %v; want 1", c.Loss, j.Value)
	} else {
		holdBackends(t, j)
	}
}

// TestExtremeClips: probabilities are clipped at any number above 0.
func TestExtremeClips(t *testing.T) {
	for _, clip := range []float64{5e-324, 1e-310, 1e-160, 1e-40} {
		for _, expr := range []string{"bce", "ce", "focal(gamma=0.5)", "focal_ce", "exp_log_ce", "wce"} {
			for _, p := range []float64{0, 0x1p-1060, 0x1p-1000, 0x1p-140, 0.25} {
				c := golden.Case{Loss: expr, Activation: "none", N: 1, C: 2, S: 2, Pred: []float64{p, 0.5, 0.5, 1}, Labels: []int64{0, 1}}
				holdBackends(t, judge(t, c, clip), kernels.WithClip(clip))
			}
		}
	}
}

// TestExtremeScales: an upstream gradient is any number.
func TestExtremeScales(t *testing.T) {
	for _, s := range []struct{ coef, scale float64 }{{1e-300, 1e300}, {1e300, 1e-300}, {1e-40, 1e40}, {1e40, 1e-40}, {1, 5e-324}} {
		for _, info := range kernels.Losses() {
			c := small(rand.New(rand.NewPCG(5, 6)), "softmax")
			if c.Loss = fmt.Sprintf("%v*%s", s.coef*s.scale, info.Name); !holdsCoefs(c.Loss) {
				continue
			}
			j := judge(t, c, 0)
			for _, backend := range testedBackends() {
				p := newProblem[float32](t, &c, kernels.NCS, kernels.WithBackend(backend))
				p.loss = mustParse(t, fmt.Sprintf("%v*%s", s.coef, info.Name))
				dx := make([]float32, len(p.x))
				if _, err := p.plan(t).ForwardBackward(t.Context(), dx, p.x, p.target, kernels.Grad{Scale: s.scale}); err != nil {
					t.Fatal(err)
				}
				if what := j.differs(j.Value, convert[float64](dx), 1e-5, math.MaxFloat32); what != "" {
					t.Errorf("%s, coefficient %v, scale %v: %s", backend, s.coef, s.scale, what)
				}
			}
		}
	}
}

// TestExtremeExponents: an exponent is any number.
func TestExtremeExponents(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, name := range []string{"focal", "focal_ce", "exp_log_ce"} {
		for _, gamma := range []float64{5e-324, 1e-310, 1e-40, 20, 1e39, 1e160, math.MaxFloat64} {
			for _, a := range activations {
				c := small(rng, a.String())
				c.Loss = fmt.Sprintf("%s(gamma=%v)", name, gamma)
				holdBackends(t, judge(t, c, 0))
			}
		}
	}
}
