package cuda

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// TestSums: a sum of losses is the sum of what its terms are alone, by the portable
// backend. Every loss of the list stands first in a sum under each activation, with
// drawn ones behind it, drawn options and a drawn target.
func TestSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 13))
	d := open(t, ptxsim.Options{NoRaces: true})
	turn := 0
	for _, a := range []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax} {
		for _, info := range kernels.Losses() {
			if turn++; !chosen(turn, 1) {
				continue
			}
			spec := kernels.Spec{N: 1 + rng.IntN(2), C: 2 + rng.IntN(4), S: 21, Activation: a}
			c := drawCase(spec, rng)
			aloneOnHost(t, c, drawTerms(t, info, spec.C, rng))
			r, layout := routes[turn%len(routes)], layouts[turn/3%2]
			sumOnDevice[float32](t, d, c, layout, r, Float32, golden.K32, golden.U32)
			sumOnDevice[float64](t, d, c, layout, r, Float64, golden.K64, golden.U64)
		}
	}
}

// drawCase draws an input.
func drawCase(spec kernels.Spec, rng *rand.Rand) *golden.Case {
	in := draw(spec, rng.Uint64())
	c := &golden.Case{
		Activation: spec.Activation.String(), N: spec.N, C: spec.C, S: spec.S,
		Pred: convert[float64](in.x), Labels: convert[int64](in.y),
	}
	switch rng.IntN(5) {
	case 0:
		c.IgnoreIndex = new(int64)
	case 1:
		c.Labels, c.Target = nil, make([]float64, len(c.Pred))
		for i := range c.Target {
			c.Target[i] = float64(rng.Float32())
		}
	case 2:
		c.Mask = make([]uint8, len(in.y))
		for i := range c.Mask {
			c.Mask[i] = uint8(min(rng.IntN(4), 1))
		}
	case 3:
		c.Weights = make([]float64, len(in.y))
		for i := range c.Weights {
			c.Weights[i] = float64(rng.IntN(5)) / 2
		}
	}
	return c
}

// drawTerms draws one or two losses to stand behind the first: fewer exponents than
// maxPowers.
func drawTerms(t testing.TB, first kernels.Info, classes int, rng *rand.Rand) []kernels.Term {
	t.Helper()
	list, expr := kernels.Losses(), []string{first.Name}
	numbers := func(kernels.OptionInfo) []string { return []string{"0.5", "1"} }
	for range 1 + rng.IntN(2) {
		expr = append(expr, variants.Draw(rng, list[rng.IntN(len(list))], classes, numbers))
	}
	return parse(t, strings.Join(expr, " + 0.5*")).Terms()
}

// aloneOnHost makes of the case what the terms are alone. The scale of a term is its
// steepest derivative, and of its value one more, which it may be a difference from.
func aloneOnHost(t testing.TB, c *golden.Case, terms []kernels.Term) {
	t.Helper()
	l, err := kernels.Combine(terms...)
	if err != nil {
		t.Fatal(err)
	}
	c.ID, c.Grad, c.Scale = l.String(), make([]float64, len(c.Pred)), make([]float64, len(c.Pred))
	for _, term := range terms {
		one, err := kernels.Combine(term)
		if err != nil {
			t.Fatal(err)
		}
		c.Loss = one.String()
		p := newProblem[float64](t, c, kernels.NCS)
		plan, err := kernels.New[float64](p.loss, p.spec, append(p.opts, kernels.WithBackend(kernels.Backends()[0].Name))...)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		dx := make([]float64, len(p.x))
		v, err := plan.ForwardBackward(t.Context(), dx, p.x, p.target, kernels.Grad{Scale: 1})
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		c.Value += v.Loss
		c.ValueScale += math.Abs(v.Loss) + math.Abs(term.Coef)
		most := max(slices.Max(dx), -slices.Min(dx))
		for i, g := range dx {
			c.Grad[i] += g
			c.Scale[i] += most
		}
	}
	c.Loss = c.ID
}

// sumOnDevice holds a device to the case.
func sumOnDevice[T kernels.Float](t *testing.T, d *Device, c *golden.Case, layout kernels.Layout, r route, e DType, k, u float64) {
	t.Helper()
	p := newProblem[T](t, c, layout)
	loss, dx := p.gradient(t, d, e, r.th, r.together)
	if _, err := c.Check(k, u, loss, planar(dx, p.spec)); err != nil {
		t.Errorf("%v, %v, %s: %v", e, layout, r.name, err)
	}
}
