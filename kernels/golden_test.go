package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// A route is one of the ways to a loss and its gradient.
type route[T kernels.Float] struct {
	name string
	run  func(t testing.TB, c *golden.Case, p *problem[T]) (loss float64, dx []T, err error)
}

func routes[T kernels.Float]() []route[T] {
	return []route[T]{
		{"apart", apart[T]},
		{"together", together[T]},
		{"in-place", inPlace[T]},
		{"accumulated", accumulated[T]},
		{"scaled", scaled[T]},
		{"shards", sharded[T]},
	}
}

func apart[T kernels.Float](t testing.TB, _ *golden.Case, p *problem[T]) (float64, []T, error) {
	ctx, plan, dx := context.Background(), p.plan(t), filled[T](len(p.x), math.NaN())
	v, err := plan.Forward(ctx, p.x, p.target)
	if err != nil {
		return 0, nil, err
	}
	return v.Loss, dx, plan.Backward(ctx, dx, p.x, p.target, v, once)
}

func together[T kernels.Float](t testing.TB, _ *golden.Case, p *problem[T]) (float64, []T, error) {
	dx := filled[T](len(p.x), math.NaN())
	v, err := p.plan(t).ForwardBackward(context.Background(), dx, p.x, p.target, once)
	return v.Loss, dx, err
}

func inPlace[T kernels.Float](t testing.TB, _ *golden.Case, p *problem[T]) (float64, []T, error) {
	dx := slices.Clone(p.x)
	v, err := p.plan(t).ForwardBackward(context.Background(), dx, dx, p.target, once)
	return v.Loss, dx, err
}

// accumulated checks the sum with what was in the buffer itself: taking that
// off again would cost more digits than the bounds allow.
func accumulated[T kernels.Float](t testing.TB, c *golden.Case, p *problem[T]) (float64, []T, error) {
	_, plain, err := together(t, c, p)
	if err != nil {
		return 0, nil, err
	}
	prior := func(i int) T { return T(i%5-2) / 4 }
	dx := make([]T, len(p.x))
	for i := range dx {
		dx[i] = prior(i)
	}
	v, err := p.plan(t).ForwardBackward(context.Background(), dx, p.x, p.target, kernels.Grad{Scale: 1, Accumulate: true})
	for i := range dx {
		if want := prior(i) + plain[i]; dx[i] != want {
			err = errors.Join(err, fmt.Errorf("dx[%d] = %v after adding %v to %v; want %v", i, dx[i], plain[i], prior(i), want))
		}
	}
	return v.Loss, plain, err
}

// scaled gives back the scale that it asked for, a whole power of two.
func scaled[T kernels.Float](t testing.TB, _ *golden.Case, p *problem[T]) (float64, []T, error) {
	dx := filled[T](len(p.x), math.NaN())
	v, err := p.plan(t).ForwardBackward(context.Background(), dx, p.x, p.target, kernels.Grad{Scale: -0.25})
	for i := range dx {
		dx[i] *= -4
	}
	return v.Loss, dx, err
}

// sharded gives each sample to a plan of its own; they share nothing but sums.
func sharded[T kernels.Float](t testing.TB, c *golden.Case, p *problem[T]) (loss float64, dx []T, err error) {
	ctx := context.Background()
	total := p.plan(t).NewSums(c.N)
	plans, parts := make([]*kernels.Plan[T], c.N), make([]*problem[T], c.N)
	for b := range c.N {
		parts[b] = newProblem[T](t, samples(c, b, b+1), p.spec.Layout, p.opts...)
		plans[b] = parts[b].plan(t)
		s := plans[b].NewSums(c.N)
		if err := plans[b].Reduce(ctx, s, b, parts[b].x, parts[b].target); err != nil {
			return 0, nil, err
		}
		if err := total.Add(s); err != nil {
			return 0, nil, err
		}
	}
	for b, plan := range plans {
		v, err := plan.Finish(total, b)
		if err != nil {
			return 0, nil, err
		}
		part := filled[T](len(parts[b].x), math.NaN())
		if err := plan.Backward(ctx, part, parts[b].x, parts[b].target, v, once); err != nil {
			return 0, nil, err
		}
		loss, dx = v.Loss, append(dx, part...)
	}
	return loss, dx, nil
}

func TestGolden(t *testing.T) { onBackends(t, testGolden) }

func testGolden(t *testing.T) {
	cases := golden.Load(t)
	if len(cases) != 1019 {
		t.Errorf("%d golden cases; want 1019", len(cases))
	}
	for i, r := range routes[float64]() {
		t.Run("f64/"+r.name, func(t *testing.T) { goldenRoute(t, cases, i, r, golden.K64, golden.U64) })
	}
	for i, r := range routes[float32]() {
		t.Run("f32/"+r.name, func(t *testing.T) { goldenRoute(t, cases, i+1, r, golden.K32, golden.U32) })
	}
}

// goldenRoute tries every case in both layouts, whole and cut into units. In a short run
// one of these four ways has to do, which is the next one for each case and route.
func goldenRoute[T kernels.Float](t *testing.T, cases []golden.Case, turn int, r route[T], k, u float64) {
	worst, which, tried := 0.0, "", kernels.Sampler(1)
	for i := range cases {
		c := &cases[i]
		if !tried() {
			continue
		}
		for way := range 4 {
			if testing.Short() && (i+turn)%4 != way {
				continue
			}
			layout, opts := layouts[way/2], [][]kernels.Option{nil, manyUnits(3)}[way%2]
			p := newProblem[T](t, c, layout, opts...)
			loss, dx, err := r.run(t, c, p)
			if err != nil {
				t.Errorf("%s, %v: %v", c.ID, layout, err)
				continue
			}
			e, err := c.Check(k, u, loss, planar(dx, p.spec))
			if err != nil {
				t.Errorf("%v, %d options: %v", layout, len(opts), err)
			}
			if e > worst {
				worst, which = e, c.ID
			}
		}
	}
	t.Logf("largest error: %.3g of its bound, in %s", worst, which)
}

// The type of the labels makes no difference to any bit. Each case tries two of them.
func TestGoldenLabelTypes(t *testing.T) { onBackends(t, testGoldenLabelTypes) }

func testGoldenLabelTypes(t *testing.T) {
	tried := 0
	cases := golden.Load(t)
	for i := range cases {
		c := &cases[i]
		if c.Labels == nil || c.N*c.S == 0 || slices.Min(c.Labels) < 0 || slices.Max(c.Labels) > 255 {
			continue
		}
		tried++
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout)
			loss, dx := p.run(t)
			for k := range 2 {
				other := labelTypes[(tried+3*k)%len(labelTypes)]
				if !other.holds(slices.Max(c.Labels)) {
					continue
				}
				p.target = covered(other.make(c.Labels), c)
				l, d := p.run(t)
				if i := different(d, dx); l != loss || i >= 0 {
					t.Errorf("%s: loss %v from %s, %v from int64; gradients differ at %d", c.ID, l, other.name, loss, i)
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("only %d cases have labels that fit", tried)
	}
}
