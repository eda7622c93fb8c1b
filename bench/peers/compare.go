package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// loss is a loss of peers.py as an expression of ours.
type loss struct {
	name, expr string
	activation kernels.Activation
	eager      float64 // times as fast as PyTorch as it comes, as asked for
	tolerance  float64 // of an element of the gradient, by the largest; 0 for the usual
}

// losses has every loss of the list, and the sum of dice and focal as it is common
// elsewhere. The weights of our gdl are divided by the largest, MONAI's are not, so
// that smoothing would differ. Where p is nearly 1, PyTorch's ln p has but few
// digits, and a power of 0.3 of it an infinite slope.
var losses = []loss{
	{"dice", "dice", kernels.Softmax, 5, 0},
	{"dice2", "dice2", kernels.Softmax, 5, 0},
	{"iou", "iou", kernels.Softmax, 5, 0},
	{"tversky", "tversky", kernels.Softmax, 12, 0},
	{"focal_tversky", "focal_tversky", kernels.Softmax, 5, 0},
	{"ss", "ss", kernels.Softmax, 5, 0},
	{"gdl", "gdl(smooth=0)", kernels.Softmax, 5, 0},
	{"exp_log_dice", "exp_log_dice", kernels.Softmax, 5, 0},
	{"bce", "bce", kernels.Sigmoid, 5, 0},
	{"wce", "wce", kernels.Sigmoid, 5, 0},
	{"ce", "ce", kernels.Softmax, 5, 0},
	{"focal", "focal", kernels.Sigmoid, 15, 0},
	{"focal_ce", "focal_ce", kernels.Softmax, 5, 0},
	{"exp_log_ce", "exp_log_ce", kernels.Softmax, 5, 0.02},
	{"bce_dice", "bce_dice", kernels.Sigmoid, 5, 0},
	{"dice_ce", "dice_ce", kernels.Softmax, 12, 0},
	{"dice_and_focal", "dice + focal", kernels.Sigmoid, 15, 0},
	{"dice_focal", "dice_focal", kernels.Softmax, 15, 0},
	{"exp_log", "exp_log", kernels.Softmax, 5, 0.02},
}

// overBest is how many times as fast as PyTorch at its best every loss is to be,
// and extra the memory that it may take beside its gradient.
const (
	overBest = 3
	extra    = 4 << 20
)

func lossNames() (names []string) {
	for _, l := range losses {
		names = append(names, l.name)
	}
	return names
}

// prepared is what peers.py says of a loss.
type prepared struct {
	Name    string
	Value   float64
	Seconds float64 // of the fastest setting, the shortest of a few steps
	Peak    int64
	Tried   []string // its settings with the time of each, or what went wrong
}

// compare times one loss on both sides.
func compare(l *loss, o *options, t *tensors, dir string, eager *python, tuned []*python) (*result, error) {
	r := &result{Loss: l.name, Wanted: l.eager}
	call, err := r.prepare(l, o, t)
	if err != nil {
		return nil, err
	}
	want, err := call()
	if err != nil {
		return nil, err
	}
	agrees := func(p *python, settings string) (got prepared, err error) {
		if err := p.ask(&got, "loss", l.name, settings); err != nil {
			return got, err
		}
		g, err := loadGradient(dir)
		if err != nil {
			return got, err
		}
		if err := agree(want, got.Value, t.dx, g, cmp.Or(l.tolerance, 1e-4)); err != nil {
			return got, fmt.Errorf("PyTorch %s: %w", got.Name, err)
		}
		return got, nil
	}
	got, err := agrees(eager, "eager")
	if err != nil {
		return nil, err
	}
	r.EagerPeak = got.Peak
	var best *python
	fastest := math.Inf(1)
	for _, p := range tuned {
		got, err := agrees(p, "best")
		if err != nil {
			return nil, err
		}
		for _, s := range got.Tried {
			r.Tried = append(r.Tried, p.allocator+" "+s)
		}
		if got.Seconds < fastest {
			best, fastest, r.Setting, r.BestPeak = p, got.Seconds, p.allocator+", "+got.Name, got.Peak
		}
	}
	var failed error
	times := stat.Interleave(o.rounds, func() float64 {
		time.Sleep(settle)
		if _, failed = call(); failed != nil {
			return 0
		}
		began := time.Now()
		_, failed = call()
		return time.Since(began).Seconds()
	}, func() float64 { return seconds(eager, &failed) }, func() float64 { return seconds(best, &failed) })
	if failed != nil {
		return nil, failed
	}
	r.Ours, r.Eager, r.Best = 1e3*stat.Median(times[0]), 1e3*stat.Median(times[1]), 1e3*stat.Median(times[2])
	r.OverEager, r.OverBest = stat.Ratios(times[1], times[0]), stat.Ratios(times[2], times[0])
	return r, nil
}

// prepare makes a plan and runs it once, on a fresh gradient, to see the memory
// that both need.
func (r *result) prepare(l *loss, o *options, t *tensors) (func() (float64, error), error) {
	expr, err := kernels.Parse(l.expr)
	if err != nil {
		return nil, err
	}
	reset := resetPeak()
	before := memory("VmRSS")
	plan, err := kernels.New[float32](expr, kernels.Spec{N: samples, C: classes, S: t.s, Activation: l.activation}, kernels.WithWorkers(o.threads))
	if err != nil {
		return nil, err
	}
	r.Backend = plan.Backend()
	run := func(dx []float32) (float64, error) {
		v, err := plan.ForwardBackward(context.Background(), dx, t.x, t.target(), kernels.Grad{Scale: 1})
		return v.Loss, err
	}
	fresh, free := probe.Alloc[float32](len(t.x))
	defer free()
	if _, err := run(fresh); err != nil {
		return nil, err
	}
	if reset {
		r.Peak = memory("VmHWM") - before
	}
	return func() (float64, error) { return run(t.dx) }, nil
}

// settle is a pause before each timing: PyTorch's threads wait awake for a while
// after their work, and would take a processor from whoever comes next. A step
// that is not timed follows it, on both sides, as steps follow each other in
// training.
const settle = 20 * time.Millisecond

func seconds(p *python, failed *error) float64 {
	time.Sleep(settle)
	var answer struct{ Seconds float64 }
	if err := p.ask(&answer, "time"); err != nil {
		*failed = err
	}
	return answer.Seconds
}

// agree compares losses, and gradients by the largest element: theirs is summed
// in float32.
func agree(ours, theirs float64, g, h []float32, tolerance float64) error {
	if !(math.Abs(ours-theirs) <= 1e-5*math.Abs(ours)) {
		return fmt.Errorf("loss %v, ours %v", theirs, ours)
	}
	if len(g) != len(h) {
		return fmt.Errorf("gradient of %d elements, ours has %d", len(h), len(g))
	}
	largest := float64(max(slices.Max(g), -slices.Min(g)))
	for i := range g {
		if !(math.Abs(float64(g[i])-float64(h[i])) <= tolerance*largest) {
			return fmt.Errorf("gradient[%d] = %v, ours %v, the largest %v", i, h[i], g[i], largest)
		}
	}
	return nil
}
