package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
)

// A call of two passes keeps labels that are wider than bytes as bytes, from one to
// the next. That has to give the bits of labels that are bytes already.

// labelType makes targets of labels. OnNarrow sees those that kernels make bytes.
type labelType struct {
	name    string
	least   int64
	most    int64
	seen    bool
	ignored int64 // the ignore index that is usual with the type
	make    func(y []int64) kernels.Target
}

func labelTypeOf[L kernels.Label](least, most L, seen bool, ignored int64) labelType {
	return labelType{
		reflect.TypeFor[L]().Name(), int64(least), int64(most), seen, ignored,
		func(y []int64) kernels.Target { return kernels.Labels(convert[L](y)) },
	}
}

// labelTypes has every type that there is; those of wideLabels are kept.
var labelTypes = []labelType{
	labelTypeOf[uint8](0, math.MaxUint8, false, 255),
	labelTypeOf[int32](math.MinInt32, math.MaxInt32, true, -100),
	labelTypeOf[int64](math.MinInt64, math.MaxInt64, true, -100),
	labelTypeOf[int8](math.MinInt8, math.MaxInt8, false, -100),
	labelTypeOf[int16](math.MinInt16, math.MaxInt16, false, -100),
	labelTypeOf[uint16](0, math.MaxUint16, false, math.MaxUint16),
	labelTypeOf[uint32](0, math.MaxUint32, false, math.MaxUint32),
}

// holds reports whether the labels of a type can have a value.
func (l *labelType) holds(y int64) bool { return l.least <= y && y <= l.most }

var wideLabels = labelTypes[1:]

// keptLosses are losses of each way through ForwardBackward.
var keptLosses = []struct {
	expr    string
	act     kernels.Activation
	classes int
	kept    bool // where the target has nothing but labels
}{
	{"dice", kernels.None, 1, true},
	{"bce", kernels.None, 3, true},
	{"dice(squared=true,batch=true)", kernels.None, 2, true},
	{"bce + dice", kernels.Sigmoid, 1, true},
	{"bce", kernels.Sigmoid, 3, true},
	{"focal(gamma=0.7)", kernels.Sigmoid, 2, true},
	{"dice + focal", kernels.Sigmoid, 3, true},
	{"focal + focal(gamma=3)", kernels.Sigmoid, 3, false}, // whose gradient goes tile by tile
	{"dice", kernels.Softmax, 3, true},
	{"ce", kernels.Softmax, 4, true},
	{"ce(weight=[1,2,3])", kernels.Softmax, 3, true}, // with a third pass
	{"dice + ce", kernels.Softmax, 10, true},
	{"focal_ce", kernels.Softmax, 2, true},
	{"ce(label_smoothing=0.1)", kernels.Softmax, 3, false},
}

// forKept runs a test on each loss, layout and number of workers; in a short run, on some.
func forKept(t *testing.T, s int, with cover, f func(t *testing.T, c *golden.Case, p *problem[float32], kept bool)) {
	rnd, tried := rand.New(rand.NewPCG(71, 72)), kernels.Sampler(3)
	for _, l := range keptLosses {
		c := randomCase(rnd, l.expr, l.act, 3, l.classes, s, false, with)
		for _, layout := range layouts {
			for _, workers := range []int{1, 2} {
				if !tried() {
					continue
				}
				f(t, c, newProblem[float32](t, c, layout, manyUnits(workers)...), l.kept)
			}
		}
	}
}

// asBytes gives what a new plan does with the labels y as bytes.
func (p *problem[T]) asBytes(t *testing.T, y []int64) (float64, []T) {
	t.Helper()
	q := *p
	q.target = kernels.Labels(convert[uint8](y))
	return q.run(t)
}

// otherLabels are labels none of which is that of y.
func otherLabels(y []int64, classes int) []int64 {
	z := make([]int64, len(y))
	for i := range y {
		z[i] = (y[i] + 1) % int64(max(classes, 2))
	}
	return z
}

func TestLabelBytes(t *testing.T) {
	onFused(t, func(t *testing.T) {
		for _, with := range covers(false) {
			forKept(t, 201, with, func(t *testing.T, c *golden.Case, p *problem[float32], kept bool) {
				labelBytes(t, c, p, kept && with == bare)
				q := newProblem[float64](t, c, p.spec.Layout, p.opts...)
				labelBytes(t, c, q, kept && with == bare)
			})
		}
	})
}

// labelBytes compares labels of every type, on plans that keep them and on plans
// too large for that. Where they are kept, each is turned into a byte once.
func labelBytes[T kernels.Float](t *testing.T, c *golden.Case, p *problem[T], kept bool) {
	t.Helper()
	q, positions := *p, c.N*c.S
	q.target = covered(kernels.Labels(convert[uint8](c.Labels)), c)
	loss, dx := q.run(t)
	for _, wide := range wideLabels {
		for _, most := range []int{positions, positions - 1} {
			what := fmt.Sprintf("%s %v: %s, bytes for %d", c.ID, p.spec.Layout, wide.name, most)
			q.target = covered(wide.make(c.Labels), c)
			q.opts = append(slices.Clone(p.opts), kernels.WithLabelBytes(most))
			plan := q.plan(t)
			var narrowed atomic.Int64
			kernels.OnNarrow(plan, func(labels int) { narrowed.Add(int64(labels)) })
			l, d := q.runOn(t, plan)
			sameBits(t, what, l, d, loss, dx)
			want := 0
			if kept && most == positions {
				want = positions
				if n := int(narrowed.Load()); wide.seen && n != positions {
					t.Errorf("%s: %d labels made bytes, of %d", what, n, positions)
				}
			}
			if n := kernels.LabelBytes(plan); n != want {
				t.Errorf("%s: memory for %d labels; want %d", what, n, want)
			}
		}
	}
}

// The same with the spans, the units and the bound of a plan as it is.
func TestLabelBytesOfLargeSamples(t *testing.T) { onBackends(t, testLabelBytesOfLargeSamples) }

func testLabelBytesOfLargeSamples(t *testing.T) {
	rnd := rand.New(rand.NewPCG(73, 74))
	for _, expr := range []string{"dice", "ce", "dice + ce"} {
		c := randomCase(rnd, expr, kernels.Softmax, 2, 4, 40001, false, bare)
		for _, layout := range layouts {
			p := newProblem[float32](t, c, layout, kernels.WithWorkers(2))
			loss, dx := p.asBytes(t, c.Labels)
			for _, wide := range wideLabels {
				p.target = wide.make(c.Labels)
				l, d := p.run(t)
				sameBits(t, c.ID+" "+wide.name, l, d, loss, dx)
			}
		}
	}
}

// Only the first call that keeps labels has memory for them: not one with bytes, nor
// one of a single pass.
func TestLabelBytesAreLazy(t *testing.T) { onFused(t, testLabelBytesAreLazy) }

func testLabelBytesAreLazy(t *testing.T) {
	rnd := rand.New(rand.NewPCG(75, 76))
	c := randomCase(rnd, "dice", kernels.Softmax, 2, 3, 100, false, bare)
	p := newProblem[float32](t, c, kernels.NCS)
	plan, ctx, dx := p.plan(t), context.Background(), make([]float32, len(p.x))
	_, err := plan.ForwardBackward(ctx, dx, p.x, kernels.Labels(convert[uint8](c.Labels)), once)
	if err != nil {
		t.Fatal(err)
	}
	v, err := plan.Forward(ctx, p.x, p.target)
	if n := kernels.LabelBytes(plan); n != 0 || err != nil {
		t.Errorf("memory for %d labels, error %v", n, err)
	}
	var narrowed atomic.Int64
	kernels.OnNarrow(plan, func(labels int) { narrowed.Add(int64(labels)) })
	err = plan.Backward(ctx, dx, p.x, p.target, v, once)
	positions := c.N * c.S
	if n := kernels.LabelBytes(plan); n != positions || err != nil {
		t.Errorf("memory for %d labels, error %v; want %d", n, err, positions)
	}
	if n := int(narrowed.Load()); n != positions {
		t.Errorf("Backward makes %d labels bytes, of %d", n, positions)
	}
}

// What a call has kept is nothing to the next one: not with other labels in the same
// memory, nor with fewer samples and positions, nor for a Backward on its own.
func TestLabelBytesAreOfOneCall(t *testing.T) {
	onFused(t, func(t *testing.T) { forKept(t, 201, bare, labelBytesAreOfOneCall) })
}

func labelBytesAreOfOneCall(t *testing.T, c *golden.Case, p *problem[float32], _ bool) {
	y, z := c.Labels, otherLabels(c.Labels, c.C)
	plan, few := p.plan(t), samples(c, 1, 3)
	part := newProblem[float32](t, few, p.spec.Layout, p.opts...)
	partLoss, partDX := part.asBytes(t, few.Labels)
	part.target = part.target.Sized(few.N, few.S)
	for _, labels := range [][]int64{y, z, y} {
		l, d := part.runOn(t, plan)
		sameBits(t, c.ID+" of fewer samples", l, d, partLoss, partDX)
		loss, dx := p.asBytes(t, labels)
		inTwoCalls(t, c.ID+" after fewer samples", p, plan, labels, loss, dx)
		for _, wide := range wideLabels {
			p.target = wide.make(labels)
			l, d := p.runOn(t, plan)
			sameBits(t, c.ID+" "+wide.name, l, d, loss, dx)
			backwardOf(t, c.ID+" "+wide.name, p, plan, otherLabels(labels, c.C))
		}
	}
	same := slices.Clone(y)
	p.target = kernels.Labels(same)
	p.runOn(t, plan)
	copy(same, z)
	loss, dx := p.asBytes(t, z)
	l, d := p.runOn(t, plan)
	sameBits(t, c.ID+" changed in place", l, d, loss, dx)
}

// inTwoCalls holds Forward and Backward for labels y, of every type, to a loss and a
// gradient.
func inTwoCalls(t *testing.T, what string, p *problem[float32], plan *kernels.Plan[float32], y []int64, loss float64, dx []float32) {
	t.Helper()
	ctx := context.Background()
	for _, l := range labelTypes {
		d, target := make([]float32, len(p.x)), l.make(y)
		v, err := plan.Forward(ctx, p.x, target)
		if err == nil {
			err = plan.Backward(ctx, d, p.x, target, v, once)
		}
		if err != nil {
			t.Fatal(err)
		}
		sameBits(t, what+" in two calls, "+l.name, v.Loss, d, loss, dx)
	}
}

// backwardOf holds a Backward for labels y, after a ForwardBackward for others of another type, to
// that of a plan that never saw any but bytes.
func backwardOf(t *testing.T, what string, p *problem[float32], plan *kernels.Plan[float32], y []int64) {
	t.Helper()
	ctx, z := context.Background(), otherLabels(y, p.spec.C)
	gradient := func(plan *kernels.Plan[float32], of, target kernels.Target) []float32 {
		dx := make([]float32, len(p.x))
		v, err := plan.ForwardBackward(ctx, dx, p.x, of, once)
		if err == nil {
			err = plan.Backward(ctx, dx, p.x, target, v, once)
		}
		if err != nil {
			t.Fatal(err)
		}
		return dx
	}
	bytes := labelTypes[0].make
	want := gradient(p.plan(t), bytes(z), bytes(y))
	for i, wide := range wideLabels {
		l := labelTypes[i]
		got := gradient(plan, wide.make(z), l.make(y))
		sameBits(t, what+", Backward on its own, "+l.name, 0, got, 0, want)
	}
}

// A bad label is named before anything is written, also one whose low byte is good;
// and the call leaves nothing behind.
func TestLabelBytesOfBadLabels(t *testing.T) {
	onFused(t, func(t *testing.T) { forKept(t, 201, bare, labelBytesOfBadLabels) })
}

func labelBytesOfBadLabels(t *testing.T, c *golden.Case, p *problem[float32], _ bool) {
	plan, ctx, z := p.plan(t), context.Background(), otherLabels(c.Labels, c.C)
	loss, dx := p.asBytes(t, z)
	for i, label := range []int64{-1, -256, 256, 1 << 16, int64(max(c.C, 2))} {
		at := []int{0, 200, 201, 399, 602}[i]
		bad := slices.Clone(c.Labels)
		bad[at], bad[602] = label, label
		for _, wide := range wideLabels {
			if !wide.holds(label) {
				continue
			}
			d := filled[float32](len(p.x), nan)
			_, err := plan.ForwardBackward(ctx, d, p.x, wide.make(bad), once)
			wantArg(t, c.ID, err, kernels.ErrLabel, "t.Labels", at, label)
			if n := untouched(d); n != len(d) {
				t.Errorf("%s: %d elements written", c.ID, len(d)-n)
			}
			afterFailure(t, c.ID, p, plan, z, loss, dx)
		}
	}
}

// afterFailure holds both ways to a gradient, for labels that the failed call did not
// have, to the bits of bytes.
func afterFailure(t *testing.T, what string, p *problem[float32], plan *kernels.Plan[float32], y []int64, loss float64, dx []float32) {
	t.Helper()
	inTwoCalls(t, what+" after a failure", p, plan, y, loss, dx)
	q := *p
	q.target = kernels.Labels(y)
	l, d := q.runOn(t, plan)
	sameBits(t, what+" after a failure", l, d, loss, dx)
}

// A cancelled call has kept the labels of some units, which the next one must not
// take.
func TestLabelBytesOfCancelledCalls(t *testing.T) {
	onFused(t, func(t *testing.T) { forKept(t, 201, bare, labelBytesOfCancelledCalls) })
}

func labelBytesOfCancelledCalls(t *testing.T, c *golden.Case, p *problem[float32], kept bool) {
	if !kept {
		return
	}
	plan, z := p.plan(t), otherLabels(c.Labels, c.C)
	var narrowed, stopAt atomic.Int64
	var cancel context.CancelFunc
	kernels.OnNarrow(plan, func(labels int) {
		if narrowed.Add(int64(labels)) >= stopAt.Load() {
			cancel()
		}
	})
	loss, dx := p.asBytes(t, z)
	for _, at := range []int64{1, 300, 603} {
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		narrowed.Store(0)
		stopAt.Store(at)
		d := filled[float32](len(p.x), nan)
		if _, err := plan.ForwardBackward(ctx, d, p.x, p.target, once); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v; want %v", c.ID, err, context.Canceled)
		}
		if n := untouched(d); n != len(d) {
			t.Errorf("%s: %d elements written", c.ID, len(d)-n)
		}
		cancel()
		afterFailure(t, c.ID, p, plan, z, loss, dx)
	}
}

// Spans that go tile by tile in one pass or in both leave their labels all the same.
func TestLabelBytesOfDeclinedSpans(t *testing.T) {
	onFused(t, func(t *testing.T) { forKept(t, 201, bare, labelBytesOfDeclinedSpans) })
}

func labelBytesOfDeclinedSpans(t *testing.T, c *golden.Case, p *problem[float32], _ bool) {
	if p.spec.Activation == kernels.None {
		return // there is nothing to decline
	}
	for i, x := range []float32{95, -95, 310} {
		p.x[i*len(p.x)/3+50] = x
	}
	x := slices.Clone(p.x)
	for _, grad := range []kernels.Grad{once, {Scale: 1e13}, {Scale: 2, Accumulate: true}, {}} {
		for _, inPlace := range []bool{false, true} {
			if inPlace && grad.Accumulate {
				continue
			}
			run := func(target kernels.Target) (float64, []float32) {
				from, dx := x, slices.Clone(x)
				if inPlace {
					from = dx
				}
				v, err := p.plan(t).ForwardBackward(context.Background(), dx, from, target, grad)
				if err != nil {
					t.Fatal(err)
				}
				return v.Loss, dx
			}
			loss, dx := run(kernels.Labels(convert[uint8](c.Labels)))
			for _, wide := range wideLabels {
				l, d := run(wide.make(c.Labels))
				sameBits(t, fmt.Sprintf("%s %s, %+v, in place: %v", c.ID, wide.name, grad, inPlace), l, d, loss, dx)
			}
		}
	}
}
