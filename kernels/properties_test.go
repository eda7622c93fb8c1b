package kernels_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// expect makes what a plan gives for a case what Case.Check compares with, on
// the scales of package ref.
func expect(t testing.TB, c *golden.Case) {
	t.Helper()
	foresee(t, c)
	p := newProblem[float64](t, c, kernels.NCS)
	loss, dx := p.run(t)
	c.Value, c.Grad = loss, planar(dx, p.spec)
}

// equal compares a problem, whose elements are those of the expected case but
// in another order, with it: element i of the problem is element order(i).
func equal(t *testing.T, what string, want *golden.Case, got *golden.Case, order func(i int) int) {
	t.Helper()
	p := newProblem[float64](t, got, kernels.NCS)
	loss, dx := p.run(t)
	grad := slices.Clone(want.Grad)
	for i, g := range dx {
		grad[order(i)] = g
	}
	if _, err := want.Check(golden.K64, golden.U64, loss, grad); err != nil {
		t.Errorf("%s: %s: %v", got.ID, what, err)
	}
}

func same(i int) int { return i }

func TestIdentities(t *testing.T) { onBackends(t, testIdentities) }

func testIdentities(t *testing.T) {
	for _, tt := range []struct{ left, right string }{
		{"tversky(alpha=0.5,beta=0.5,smooth=0.5)", "dice(smooth=1)"},
		{"tversky(alpha=0.5,beta=0.5,smooth=0.5,soft=true)", "dice(smooth=1,soft=true)"},
		{"tversky(alpha=1,beta=1,smooth=1e-6)", "iou"},
		{"tversky(alpha=1,beta=1,smooth=2,batch=true)", "iou(smooth=2,batch=true)"},
		{"focal_tversky(gamma=1)", "tversky"},
		{"focal(gamma=0,alpha=none)", "bce"},
		{"2*focal(gamma=0,alpha=0.5)", "bce"},
		{"focal_ce(gamma=0,reduction=sum)", "ce(reduction=sum)"},
		{"exp_log_ce(gamma=1,freq=[1,1,1],reduction=sum)", "1.7320508075688772*ce(reduction=sum)"},
		{"bce(pos_weight=[1,1,1])", "bce"},
		{"ce(weight=[3,3,3])", "ce"},
		{"dice(weight=[3,3,3])", "dice"},
		{"ce(label_smoothing=1,weight=[0,0,1],reduction=sum) + ce(label_smoothing=1,weight=[1,1,0],reduction=sum)", "ce(label_smoothing=1,reduction=sum)"},
		{"gdl(weight_type=uniform)", "gdl(weight_type=uniform,absent_weight=zero)"},
		{"ss(lambda=1) + ss(lambda=0)", "2*ss(lambda=0.5)"},
	} {
		for _, act := range activations {
			for _, dense := range []bool{true, false} {
				rnd := rand.New(rand.NewPCG(7, 8))
				c := randomCase(rnd, tt.right, act, 2, 3, 57, dense, weighted)
				expect(t, c)
				d := *c
				d.Loss = tt.left
				equal(t, tt.left, c, &d, same)
			}
		}
	}
}

// everywhere runs f for a few losses on batches of every kind.
func everywhere(t *testing.T, f func(t *testing.T, rnd *rand.Rand, c *golden.Case)) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(9, 10))
	for _, expr := range []string{
		mixture, "dice", "ce", "dice(batch=true,squared=true) + 2*gdl", "wce + exp_log_ce", "iou(soft=true,invert_empty=true,absent=skip)",
	} {
		for _, act := range activations {
			for _, dense := range []bool{true, false} {
				for _, with := range covers(dense) {
					f(t, rnd, randomCase(rnd, expr, act, 3, 3, 29, dense, with))
				}
			}
		}
	}
}

// rearranged is a case with n samples of s positions, position i of which is
// position from(i) of c. It returns where its elements lie in c.
func rearranged(c *golden.Case, n, s int, from func(i int) int) (*golden.Case, func(i int) int) {
	d := *c
	d.N, d.S = n, s
	element := func(i int) int {
		at, k := from(i/(c.C*s)*s+i%s), i/s%c.C
		return (at/c.S*c.C+k)*c.S + at%c.S
	}
	d.Pred = gather(c.Pred, n*c.C*s, element)
	d.Target = gather(c.Target, n*c.C*s, element)
	d.Labels = gather(c.Labels, n*s, from)
	d.Weights = gather(c.Weights, n*s, from)
	d.Mask = gather(c.Mask, n*s, from)
	return &d, element
}

// gather is x at the places from(0) … from(n−1).
func gather[E any](x []E, n int, from func(i int) int) []E {
	if x == nil {
		return nil
	}
	out := make([]E, n)
	for i := range out {
		out[i] = x[from(i)]
	}
	return out
}

func TestPermutations(t *testing.T) { onBackends(t, testPermutations) }

func testPermutations(t *testing.T) {
	everywhere(t, func(t *testing.T, rnd *rand.Rand, c *golden.Case) {
		expect(t, c)
		order := rnd.Perm(c.S)
		d, element := rearranged(c, c.N, c.S, func(i int) int { return i/c.S*c.S + order[i%c.S] })
		equal(t, "positions permuted", c, d, element)
		batch := rnd.Perm(c.N)
		d, element = rearranged(c, c.N, c.S, func(i int) int { return batch[i/c.S]*c.S + i%c.S })
		equal(t, "samples permuted", c, d, element)
	})
}

// A position with weight 2 counts as two of weight 1.
func TestWeightTwoIsTwice(t *testing.T) { onBackends(t, testWeightTwoIsTwice) }

func testWeightTwoIsTwice(t *testing.T) {
	everywhere(t, func(t *testing.T, rnd *rand.Rand, c *golden.Case) {
		if c.Mask != nil || c.IgnoreIndex != nil {
			return
		}
		once := slices.Clone(c.Weights)
		if once == nil {
			once = filled[float64](c.N*c.S, 1)
		}
		c.Weights = convert[float64](once)
		for i := range once {
			if i%c.S%3 == 0 {
				c.Weights[i] = 2 * once[i]
			}
		}
		expect(t, c)
		twice := *c
		twice.Weights = once
		var from []int // positions of a sample, every third twice
		for s := range c.S {
			from = append(from, s)
			if s%3 == 0 {
				from = append(from, s)
			}
		}
		n := len(from)
		d, element := rearranged(&twice, c.N, n, func(i int) int { return i/n*c.S + from[i%n] })
		p := newProblem[float64](t, d, kernels.NCS)
		loss, dx := p.run(t)
		grad := make([]float64, len(c.Grad))
		for i, g := range dx {
			grad[element(i)] += g
		}
		if _, err := c.Check(golden.K64, golden.U64, loss, grad); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	})
}

// absent are ways to say that a position does not exist.
var absent = []struct {
	name  string
	leave func(c *golden.Case, gone func(i int) bool)
}{
	{"weight 0", func(c *golden.Case, gone func(i int) bool) {
		w := filled[float64](c.N*c.S, 1)
		if c.Weights != nil {
			copy(w, c.Weights)
		}
		for i := range w {
			if gone(i) {
				w[i] = 0
			}
		}
		c.Weights = w
	}},
	{"mask", func(c *golden.Case, gone func(i int) bool) {
		c.Mask = slices.Clone(c.Mask)
		if c.Mask == nil {
			c.Mask = make([]uint8, c.N*c.S)
			for i := range c.Mask {
				c.Mask[i] = 1
			}
		}
		for i := range c.Mask {
			if gone(i) {
				c.Mask[i] = 0
			}
		}
	}},
	{"ignored label", func(c *golden.Case, gone func(i int) bool) {
		if c.Labels == nil {
			return
		}
		y := slices.Clone(c.Labels)
		if c.IgnoreIndex == nil {
			outside := int64(-100)
			c.IgnoreIndex = &outside
		}
		for i := range y {
			if gone(i) {
				y[i] = *c.IgnoreIndex
			}
		}
		c.Labels = y
	}},
}

// Ignoring positions is removing them, whatever is there, and their gradient
// is exactly 0.
func TestIgnoringIsRemoving(t *testing.T) { onBackends(t, testIgnoringIsRemoving) }

func testIgnoringIsRemoving(t *testing.T) {
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		keep := func(i int) int { return i/20*c.S + i%20 + min(i%20, 9) } // 20 of 29 in each sample
		kept, element := rearranged(c, c.N, 20, keep)
		exists := map[int]bool{}
		for i := range c.N * 20 {
			exists[keep(i)] = true
		}
		for _, way := range absent {
			d := *c
			way.leave(&d, func(i int) bool { return !exists[i] })
			if way.name == "ignored label" && c.Labels == nil {
				continue
			}
			expect(t, &d)
			equal(t, way.name, &d, kept, element)
			for _, layout := range layouts {
				checkGone[float64](t, way.name, &d, exists, layout)
				checkGone[float32](t, way.name, &d, exists, layout)
			}
		}
	})
}

// checkGone fills the absent positions of a case with NaN.
func checkGone[T kernels.Float](t *testing.T, what string, c *golden.Case, exists map[int]bool, layout kernels.Layout) {
	t.Helper()
	loss, dx := newProblem[T](t, c, layout).run(t)
	d := *c
	d.Pred, d.Target = slices.Clone(c.Pred), slices.Clone(c.Target)
	position := func(i int) int { return i/(c.C*c.S)*c.S + i%c.S }
	for i := range d.Pred {
		if !exists[position(i)] {
			d.Pred[i] = math.NaN()
			if d.Target != nil {
				d.Target[i] = math.Inf(1 - i%2*2)
			}
		}
	}
	p := newProblem[T](t, &d, layout)
	l, g := p.run(t)
	if at := different(g, dx); l != loss || at >= 0 {
		t.Errorf("%T %v %s: %s: loss %v with NaN there, %v without; gradients differ at %d", dx, layout, c.ID, what, l, loss, at)
	}
	for i, v := range planar(g, p.spec) {
		if !exists[position(i)] && (v != 0 || math.Signbit(v)) {
			t.Errorf("%T %v %s: %s: gradient %v at %d, which does not exist", dx, layout, c.ID, what, v, i)
		}
	}
	if slices.IndexFunc(g, func(v T) bool { return v != 0 }) < 0 {
		t.Errorf("%T %v %s: %s: no gradient at all", dx, layout, c.ID, what)
	}
}

// A batch split by positions: every shard has sums for every sample.
func TestShardsByPositions(t *testing.T) { onBackends(t, testShardsByPositions) }

func testShardsByPositions(t *testing.T) {
	ctx := context.Background()
	everywhere(t, func(t *testing.T, _ *rand.Rand, c *golden.Case) {
		expect(t, c)
		const cut = 11
		var parts []*problem[float64]
		var places []func(int) int
		for _, from := range []int{0, cut} {
			n := cut
			if from > 0 {
				n = c.S - cut
			}
			d, element := rearranged(c, c.N, n, func(i int) int { return i/n*c.S + from + i%n })
			parts, places = append(parts, newProblem[float64](t, d, kernels.NCS)), append(places, element)
		}
		plans := []*kernels.Plan[float64]{parts[0].plan(t), parts[1].plan(t)}
		total := plans[0].NewSums(c.N)
		for i, p := range parts {
			s := plans[i].NewSums(c.N)
			if err := plans[i].Reduce(ctx, s, 0, p.x, p.target); err != nil {
				t.Fatal(err)
			}
			if err := total.Add(s); err != nil {
				t.Fatal(err)
			}
		}
		grad := make([]float64, len(c.Grad))
		for i, p := range parts {
			v, err := plans[i].Finish(total, 0)
			if err != nil {
				t.Fatal(err)
			}
			dx := make([]float64, len(p.x))
			if err := plans[i].Backward(ctx, dx, p.x, p.target, v, once); err != nil {
				t.Fatal(err)
			}
			for j, g := range dx {
				grad[places[i](j)] = g
			}
			if _, err := c.Check(golden.K64, golden.U64, v.Loss, c.Grad); err != nil {
				t.Errorf("%s: shard %d: %v", c.ID, i, err)
			}
		}
		if _, err := c.Check(golden.K64, golden.U64, c.Value, grad); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	})
}

func TestSetCoefs(t *testing.T) { onBackends(t, testSetCoefs) }

func testSetCoefs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	c := randomCase(rnd, "0.5*dice - 3*ce + 0*bce", kernels.Softmax, 2, 3, 40, false, bare)
	want, wantDX := newProblem[float32](t, c, kernels.NCS).run(t)
	c.Loss = "dice + ce + bce"
	p := newProblem[float32](t, c, kernels.NCS)
	plan := p.plan(t)
	before, _ := p.runOn(t, plan)
	if err := plan.SetCoefs(0.5, -3, 0); err != nil {
		t.Fatal(err)
	}
	loss, dx := p.runOn(t, plan)
	if loss != want || different(dx, wantDX) >= 0 {
		t.Errorf("loss %v; want %v; gradients differ at %d", loss, want, different(dx, wantDX))
	}
	if err := plan.SetCoefs(1, 1, 1); err != nil {
		t.Fatal(err)
	}
	if after, _ := p.runOn(t, plan); after != before {
		t.Errorf("loss %v after setting the coefficients back; want %v", after, before)
	}
}

// The loss is the sum of its terms, and a region term the mean of its cells.
func TestParts(t *testing.T) { onBackends(t, testParts) }

func testParts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 14))
	c := randomCase(rnd, "2*dice(background=false) - gdl + ce + iou(batch=true) + 0*bce + tversky(absent=skip)", kernels.Softmax, 3, 4, 40, false, bare)
	for i := range c.Labels {
		if i < 40 && c.Labels[i] == 2 {
			c.Labels[i] = 0
		}
	}
	p := newProblem[float64](t, c, kernels.NCS)
	v, err := p.plan(t).Forward(context.Background(), p.x, p.target)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for i, want := range []struct {
		name  string
		coef  float64
		cells int
		out   func(i int) bool
	}{
		{"dice", 2, 12, func(i int) bool { return i%4 == 0 }},
		{"gdl", -1, 3, nil},
		{"ce", 1, 0, nil},
		{"iou", 1, 4, nil},
		{"bce", 0, 0, nil},
		{"tversky", 1, 12, func(i int) bool { return i == 2 }},
	} {
		got := v.Terms[i]
		if got.Name != want.name || got.Coef != want.coef || len(got.Cells) != want.cells {
			t.Errorf("term %d is %v·%s with %d cells; want %v·%s with %d", i, got.Coef, got.Name, len(got.Cells), want.coef, want.name, want.cells)
		}
		total += got.Coef * got.Value
		mean, kept := 0.0, 0.0
		for j, cell := range got.Cells {
			out := want.out != nil && want.out(j)
			if out != math.IsNaN(cell) {
				t.Errorf("%s: cell %d is %v; left out: %v", got.Name, j, cell, out)
			}
			if !out {
				mean += cell
				kept++
			}
		}
		if kept > 0 && math.Abs(mean/kept-got.Value) > 1e-15 {
			t.Errorf("%s = %v; mean of its cells %v", got.Name, got.Value, mean/kept)
		}
	}
	if v.Loss != total {
		t.Errorf("loss %v; sum of its terms %v", v.Loss, total)
	}
}
