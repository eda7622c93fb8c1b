package kernels_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// onFused runs a test on each backend with fused kernels. One of them is the loops, which
// run everywhere; where there is assembly, a short run leaves them out.
func onFused(t *testing.T, f func(t *testing.T)) {
	names := kernels.FusedBackends()
	if testing.Short() && len(names) > 1 {
		names = names[1:]
	}
	for _, name := range names {
		t.Run("backend="+name, func(t *testing.T) {
			t.Setenv(kernels.BackendEnv, name)
			f(t)
		})
	}
}

// rowTiles counts the tiles that the two passes of a problem compute by rows.
func rowTiles[T kernels.Float](t *testing.T, p *problem[T]) (forward, backward int) {
	t.Helper()
	plan, n, ctx := p.plan(t), 0, context.Background()
	kernels.OnRows(plan, func() { n++ })
	v, err := plan.Forward(ctx, p.x, p.target)
	if err != nil {
		t.Fatal(err)
	}
	forward, n = n, 0
	if err := plan.Backward(ctx, make([]T, len(p.x)), p.x, p.target, v, once); err != nil {
		t.Fatal(err)
	}
	return forward, n
}

// alone is a plan of one worker, so that tiles can be counted.
var alone = kernels.WithWorkers(1)

// coverage tells which passes of a loss fused kernels serve.
type coverage struct {
	expr              string
	act               kernels.Activation
	classes           int
	dense             bool
	forward, backward bool
}

func coverages() (all []coverage) {
	add := func(expr string, act kernels.Activation, classes int, dense, forward, backward bool) {
		all = append(all, coverage{expr, act, classes, dense, forward, backward})
	}
	for _, act := range []kernels.Activation{kernels.None, kernels.Sigmoid} {
		for _, dense := range []bool{false, true} {
			for _, classes := range []int{1, 3, 9} {
				for _, expr := range []string{
					"dice", "tversky + gdl", "bce", "bce + dice", "focal", "focal(gamma=0.5)", "focal(gamma=1.3) + dice",
					"dice(squared=true)", "ss + iou", "wce", "focal + bce",
				} {
					add(expr, act, classes, dense, true, true)
				}
				add("dice(squared=true) + bce", act, classes, dense, true, false)
				add("focal + focal(gamma=1)", act, classes, dense, true, false)
				add("dice(soft=true)", act, classes, dense, !dense && act == kernels.Sigmoid, !dense && act == kernels.Sigmoid)
			}
			add("ce + focal_ce", act, 3, dense, true, true)
			add("ce(label_smoothing=0.1)", act, 3, dense, false, false)
			add("exp_log_ce", act, 3, dense, false, false)
			add("focal_ce + exp_log_ce", act, 3, dense, false, false)
		}
	}
	for _, classes := range []int{2, 3, 4, 5, 8, 19} {
		for _, expr := range []string{
			"dice", "ce", "dice + ce", "focal_ce", "focal_ce(gamma=0.5)", "dice_focal", "exp_log", "exp_log_ce(gamma=2)", "ce + focal_ce",
			"dice(squared=true)", "ss + ce", "dice(soft=true) + ce", "gdl + focal_ce(gamma=1.3)", "dice(soft=true) + dice",
			"ce + focal_ce(gamma=1.5) + dice", "focal_ce(gamma=8)", "focal_ce(gamma=8.5)",
		} {
			add(expr, kernels.Softmax, classes, false, true, true)
			add(expr, kernels.Softmax, classes, true, false, false)
		}
		add("focal_ce + exp_log_ce", kernels.Softmax, classes, false, true, false)
		add("bce", kernels.Softmax, classes, false, false, false)
		add("focal", kernels.Softmax, classes, false, false, false)
		add("ce(label_smoothing=0.1)", kernels.Softmax, classes, false, false, false)
	}
	add("dice + ce", kernels.Softmax, 256, false, true, true)
	add("dice + ce", kernels.Softmax, 257, false, false, false)
	add("bce", kernels.Sigmoid, 257, false, false, false)
	add("bce", kernels.Sigmoid, 257, true, true, true)
	return all
}

// The fused kernels serve what they are said to, and agree with package ref.
func TestFusedCoverage(t *testing.T) { onFused(t, testFusedCoverage) }

func testFusedCoverage(t *testing.T) {
	rnd, tried := rand.New(rand.NewPCG(51, 52)), kernels.Sampler(3)
	for i, tt := range coverages() {
		if !tried() {
			continue
		}
		with := []cover{bare, masked, bare, ignoring}[i%4]
		if tt.dense && with == ignoring {
			with = bare
		}
		c := randomCase(rnd, tt.expr, tt.act, 2, tt.classes, 200, tt.dense, with)
		foresee(t, c)
		for _, layout := range layouts {
			served[float32](t, newProblem[float32](t, c, layout, alone), c.ID, tt)
			served[float64](t, newProblem[float64](t, c, layout, alone), c.ID, tt)
			agree(t, c, layout)
			agree(t, c, layout, manyUnits(2)...)
		}
	}
}

func served[T kernels.Float](t *testing.T, p *problem[T], what string, want coverage) {
	t.Helper()
	forward, backward := rowTiles(t, p)
	if (forward == 0) != want.forward || (backward == 0) != want.backward {
		t.Errorf("%T %v %s: %d tiles forward and %d backward by rows; want fused kernels: %v, %v", p.x, p.spec.Layout, what, forward, backward, want.forward, want.backward)
	}
}

// fusedLosses are losses of each path, with the activation and the classes.
var fusedLosses = []struct {
	expr    string
	act     kernels.Activation
	classes int
}{
	{"dice", kernels.None, 2},
	{"bce + dice", kernels.None, 1},
	{"dice(squared=true,batch=true)", kernels.None, 3},
	{"focal + dice", kernels.Sigmoid, 1},
	{"ss + dice", kernels.Sigmoid, 3},
	{"focal(gamma=0.7) + bce", kernels.Sigmoid, 2},
	{"dice + ce", kernels.Softmax, 2},
	{"ss + focal_ce", kernels.Softmax, 4},
	{"exp_log + iou(soft=true)", kernels.Softmax, 5},
}

// Positions that do not exist may be left out in any way, and hold anything.
func TestFusedWaysToLeaveOut(t *testing.T) { onFused(t, testFusedWaysToLeaveOut) }

func testFusedWaysToLeaveOut(t *testing.T) {
	rnd, tried := rand.New(rand.NewPCG(53, 54)), kernels.Sampler(3)
	for _, l := range fusedLosses {
		for _, layout := range layouts {
			for _, opts := range [][]kernels.Option{{alone}, manyUnits(1)} {
				if !tried() {
					continue
				}
				c := randomCase(rnd, l.expr, l.act, 2, l.classes, 1000, false, masked)
				for i := 300; i < 700; i++ { // a whole span among them
					c.Mask[i] = 0
				}
				waysToLeaveOut[float32](t, c, layout, opts)
				waysToLeaveOut[float64](t, c, layout, opts)
			}
		}
	}
}

func waysToLeaveOut[T kernels.Float](t *testing.T, c *golden.Case, layout kernels.Layout, opts []kernels.Option) {
	t.Helper()
	p := newProblem[T](t, c, layout, opts...)
	loss, dx := p.run(t)
	bad, weights, garbage := slices.Clone(c.Labels), make([]float32, len(c.Mask)), slices.Clone(p.x)
	for i, m := range c.Mask {
		weights[i] = float32(m)
		if m == 0 {
			bad[i] = -7
		}
	}
	for i, d := range dx {
		if at := place(i, p.spec); c.Mask[i/(c.C*c.S)*c.S+i%c.S] == 0 {
			if d = dx[at]; d != 0 {
				t.Errorf("%s: gradient %v where nothing exists", c.ID, d)
			}
			garbage[at] = T(nan)
		}
	}
	p.x = garbage
	type way struct {
		name   string
		target kernels.Target
		ignore []kernels.Option
	}
	ways := []way{
		{"a mask over bad labels", kernels.Labels(bad).Mask(c.Mask), nil},
		{"weights of 0 and 1", kernels.Labels(bad).Weights(weights), nil},
		{"weights and a mask", kernels.Labels(convert[int32](bad)).Weights(weights).Mask(c.Mask), nil},
	}
	for _, l := range labelTypes {
		ignored := slices.Clone(c.Labels)
		for i, m := range c.Mask {
			if m == 0 {
				ignored[i] = l.ignored
			}
		}
		ways = append(ways, way{"an ignored label of " + l.name, l.make(ignored), []kernels.Option{kernels.WithIgnore(l.ignored)}})
	}
	for _, way := range ways {
		p.target, p.opts = way.target, slices.Concat(opts, way.ignore)
		for _, r := range routes[T]()[:3] {
			l, d, err := r.run(t, c, p)
			if err != nil {
				t.Errorf("%s: %s: %v", c.ID, way.name, err)
				continue
			}
			sameBits(t, fmt.Sprintf("%s %v: %s, %s", c.ID, layout, way.name, r.name), l, d, loss, dx)
		}
		if forward, backward := rowTiles(t, p); forward+backward > 0 {
			t.Errorf("%s: %s: %d and %d tiles by rows", c.ID, way.name, forward, backward)
		}
	}
}

// A span with a number that is out of the ordinary goes tile by tile, the
// others do not; whichever way, nothing is lost or added twice.
func TestFusedDeclines(t *testing.T) { onFused(t, testFusedDeclines) }

func testFusedDeclines(t *testing.T) {
	rnd, tried := rand.New(rand.NewPCG(55, 56)), kernels.Sampler(3)
	for _, l := range fusedLosses {
		if l.act == kernels.None {
			continue // there is nothing to decline
		}
		for _, x := range []float64{95, -95, 310, -310, inf, -inf} {
			for _, opts := range [][]kernels.Option{{alone}, manyUnits(1)} {
				if !tried() {
					continue
				}
				c := randomCase(rnd, l.expr, l.act, 1, l.classes, 1000, false, bare)
				at := rnd.IntN(len(c.Pred))
				c.Pred[at] = x
				for _, layout := range layouts {
					declines[float32](t, c, layout, opts)
					declines[float64](t, c, layout, opts)
				}
			}
		}
	}
}

func declines[T kernels.Float](t *testing.T, c *golden.Case, layout kernels.Layout, opts []kernels.Option) {
	t.Helper()
	p := newProblem[T](t, c, layout, opts...)
	loss, dx := p.run(t)
	by := newProblem[T](t, c, layout, append(slices.Clone(opts), kernels.WithBackend("generic"))...)
	wantLoss, want := by.run(t)
	if math.IsNaN(wantLoss) && math.IsNaN(loss) { // a softmax of +Inf
		return
	}
	near := func(got, want, size float64) bool { return got == want || math.Abs(got-want) <= 1e-5*size }
	if !near(loss, wantLoss, math.Abs(wantLoss)) {
		t.Errorf("%s: loss %v; want %v", c.ID, loss, wantLoss)
	}
	most := 0.0
	for _, d := range want {
		most = max(most, math.Abs(float64(d)))
	}
	for i, d := range dx {
		if !near(float64(d), float64(want[i]), most) {
			t.Errorf("%s: dx[%d] = %v; want %v", c.ID, i, d, want[i])
			break
		}
	}
	for _, r := range routes[T]()[:4] {
		l, d, err := r.run(t, c, p)
		if err != nil {
			t.Errorf("%s: %s: %v", c.ID, r.name, err)
			continue
		}
		sameBits(t, c.ID+" "+r.name, l, d, loss, dx)
	}
	forward, backward := rowTiles(t, p)
	if forward == 0 && max(slices.Max(c.Pred), -slices.Min(c.Pred)) > 300 {
		t.Errorf("%s: no tile by rows", c.ID)
	}
	if tiles := c.S / 8; len(opts) > 1 && max(forward, backward) > tiles/2 {
		t.Errorf("%s: %d and %d tiles of %d by rows, for one number", c.ID, forward, backward, tiles)
	}
}

// Sums that have lost digits in float32 are formed by rows: all their terms are
// tiny, though their own logarithms and exponentials are not.
func TestFusedUnderflow(t *testing.T) { onFused(t, testFusedUnderflow) }

func testFusedUnderflow(t *testing.T) {
	for _, tt := range []struct {
		expr    string
		act     kernels.Activation
		classes int
		x, r    float64
		labels  []int64
		byRows  bool // in float32
	}{
		{expr: "ss", act: kernels.Sigmoid, classes: 1, x: -60, labels: []int64{0}, byRows: true},
		{expr: "dice(squared=true)", act: kernels.Sigmoid, classes: 1, x: -10, labels: []int64{0}},
		{expr: "focal(gamma=4,reduction=sum)", act: kernels.Sigmoid, classes: 1, x: -40, labels: []int64{0}, byRows: true},
		{expr: "focal_ce(gamma=4,reduction=sum)", act: kernels.Softmax, classes: 2, x: 35, labels: []int64{0}, byRows: true},
		{expr: "bce(reduction=sum)", act: kernels.Sigmoid, classes: 1, x: -79, labels: []int64{0}, byRows: true},
		{expr: "bce(reduction=sum)", act: kernels.Sigmoid, classes: 1, x: -30, labels: []int64{0}},
		{expr: "dice(smooth=0)", act: kernels.None, classes: 1, x: 1e-30, r: 1e-20, byRows: true},
		{expr: "dice(smooth=0)", act: kernels.None, classes: 1, x: 0x1p-100, labels: []int64{1}}, // a sum of the caller's own numbers
		{expr: "dice(squared=true,smooth=0)", act: kernels.None, classes: 1, x: 0x1p-60, labels: []int64{0}, byRows: true},
	} {
		c := one(tt.expr, tt.act, tt.classes, nil, nil)
		c.S = 100
		for k := range tt.classes {
			for range c.S {
				c.Pred = append(c.Pred, float64(float32(tt.x))*float64(1-2*k))
			}
		}
		if tt.labels != nil {
			c.Labels = slices.Repeat(tt.labels, c.S)
		} else {
			c.Target = slices.Repeat([]float64{float64(float32(tt.r))}, len(c.Pred))
		}
		c.ID = fmt.Sprintf("%s %v at %v", tt.expr, tt.act, tt.x)
		foresee(t, c)
		agree(t, c, kernels.NCS)
		forward, _ := rowTiles(t, newProblem[float32](t, c, kernels.NCS, alone))
		if (forward > 0) != tt.byRows {
			t.Errorf("%s: %d tiles by rows; want any: %v", c.ID, forward, tt.byRows)
		}
	}
}

// A gradient that is huge where probabilities are tiny is formed by rows.
func TestFusedLargeCoefficients(t *testing.T) { onFused(t, testFusedLargeCoefficients) }

func testFusedLargeCoefficients(t *testing.T) {
	rnd := rand.New(rand.NewPCG(57, 58))
	for _, l := range fusedLosses {
		for _, coef := range []float64{1e4, 1e13, 1e30} {
			c := randomCase(rnd, l.expr, l.act, 1, l.classes, 300, false, bare)
			p := newProblem[float32](t, c, kernels.NCS, alone)
			loss, dx := p.run(t)
			plan, tiles := p.plan(t), 0
			kernels.OnRows(plan, func() { tiles++ })
			d := make([]float32, len(dx))
			v, err := plan.ForwardBackward(context.Background(), d, p.x, p.target, kernels.Grad{Scale: coef})
			if err != nil || v.Loss != loss {
				t.Fatalf("%s: loss %v, %v; want %v", c.ID, v.Loss, err, loss)
			}
			if (tiles > 0) != (coef > 1e10) {
				t.Errorf("%s: %d tiles by rows with a factor of %v", c.ID, tiles, coef)
			}
			most := 0.0
			for _, w := range dx {
				most = max(most, math.Abs(float64(w)))
			}
			for i, w := range dx {
				if !(math.Abs(float64(d[i])/coef-float64(w)) <= 1e-5*most) {
					t.Errorf("%s: dx[%d] = %v with a factor of %v; without it %v", c.ID, i, d[i], coef, w)
					break
				}
			}
		}
	}
}

// The first bad label is blamed, wherever it stands in a span; and a backward
// pass on its own finds it too.
func TestFusedBadLabels(t *testing.T) { onFused(t, testFusedBadLabels) }

func testFusedBadLabels(t *testing.T) {
	rnd := rand.New(rand.NewPCG(59, 60))
	for _, l := range fusedLosses {
		c := randomCase(rnd, l.expr, l.act, 2, l.classes, 5000, false, bare)
		p := newProblem[float32](t, c, kernels.NCS, kernels.WithIgnore(254))
		plan, ctx := p.plan(t), context.Background()
		v, err := plan.Forward(ctx, p.x, p.target)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, 63, 64, 4095, 4096, 4999, 5000, 9999} {
			bad := slices.Clone(c.Labels)
			bad[at/2], bad[at], bad[len(bad)-1] = 254, 200, 250
			for _, l := range labelTypes {
				if !l.holds(254) {
					continue
				}
				dx, target := filled[float32](len(p.x), nan), l.make(bad)
				value := bad[at]
				_, err := plan.Forward(ctx, p.x, target)
				wantArg(t, c.ID, err, kernels.ErrLabel, "t.Labels", at, value)
				wantArg(t, c.ID, plan.Backward(ctx, dx, p.x, target, v, once), kernels.ErrLabel, "t.Labels", at, value)
				if n := untouched(dx); n != len(dx) {
					t.Errorf("%s: %d elements written", c.ID, len(dx)-n)
				}
			}
		}
	}
}

// How a gradient is stored changes no bit of it, at any alignment.
func TestFusedStreaming(t *testing.T) { onFused(t, testFusedStreaming) }

func testFusedStreaming(t *testing.T) {
	rnd := rand.New(rand.NewPCG(61, 62))
	for _, l := range fusedLosses {
		for _, s := range []int{1, 7, 16, 64, 100, 1024, 5000} {
			for _, dense := range []bool{false, true} {
				c := randomCase(rnd, l.expr, l.act, 2, l.classes, s, dense, bare)
				streaming[float32](t, c, rnd.IntN(16))
				streaming[float64](t, c, rnd.IntN(8))
			}
		}
	}
}

func streaming[T kernels.Float](t *testing.T, c *golden.Case, by int) {
	t.Helper()
	loss, dx := newProblem[T](t, c, kernels.NCS, kernels.WithStream(math.MaxInt)).run(t)
	p := newProblem[T](t, c, kernels.NCS, kernels.WithStream(0))
	out, outUntouched := shifted(dx, by)
	clear(out)
	v, err := p.plan(t).ForwardBackward(context.Background(), out, p.x, p.target, once)
	if err != nil {
		t.Fatal(err)
	}
	sameBits(t, fmt.Sprintf("%s, %d elements off", c.ID, by), v.Loss, out, loss, dx)
	if !outUntouched() {
		t.Errorf("%s: something beside the gradient was written", c.ID)
	}
}

// The bits depend neither on the workers nor on what was computed before.
func TestFusedBits(t *testing.T) { onFused(t, testFusedBits) }

func testFusedBits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(63, 64))
	for _, l := range fusedLosses {
		for _, with := range covers(false) {
			c := randomCase(rnd, l.expr, l.act, 3, l.classes, 290, false, with)
			for _, layout := range layouts {
				bitsOfWorkers[float32](t, c, layout)
				bitsOfWorkers[float64](t, c, layout)
				p := newProblem[float32](t, c, layout)
				loss, dx := p.run(t)
				plan := p.plan(t)
				other := newProblem[float32](t, randomCase(rnd, c.Loss, l.act, c.N, c.C, c.S, with != ignoring, weighted), layout)
				for i := range other.x {
					other.x[i] *= 30
				}
				other.runOn(t, plan)
				again, d := p.runOn(t, plan)
				sameBits(t, c.ID+" on a plan in use", again, d, loss, dx)
			}
		}
	}
}

func TestFusedAllocateNothing(t *testing.T) { onFused(t, testFusedAllocateNothing) }

func testFusedAllocateNothing(t *testing.T) {
	if kernels.RaceDetector || os.Getenv(kernels.BackendEnv) == kernels.LoopsBackend {
		t.Skip("the race detector allocates, and so do the loops")
	}
	rnd := rand.New(rand.NewPCG(65, 66))
	for _, l := range fusedLosses {
		for _, dense := range []bool{true, false} {
			for _, with := range covers(dense) {
				c := randomCase(rnd, l.expr, l.act, 2, l.classes, 100, dense, with)
				for _, layout := range layouts {
					allocations[float32](t, newProblem[float32](t, c, layout, manyUnits(2)...), c.ID)
					allocations[float64](t, newProblem[float64](t, c, layout, alone), c.ID)
				}
			}
		}
	}
}
