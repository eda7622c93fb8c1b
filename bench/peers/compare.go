package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// loss is a loss of peers.py as an expression of ours. The weights of our gdl
// are divided by the largest, MONAI's are not, so that smoothing would differ.
type loss struct {
	name, expr string
	activation kernels.Activation
}

var losses = []loss{
	{"dice", "dice", kernels.Softmax},
	{"tversky", "tversky", kernels.Softmax},
	{"bce", "bce", kernels.Sigmoid},
	{"focal", "focal", kernels.Sigmoid},
	{"dice_focal", "dice + focal", kernels.Sigmoid},
	{"dice_ce", "dice + ce", kernels.Softmax},
	{"gdl", "gdl(smooth=0)", kernels.Softmax},
}

func lossNames() (names []string) {
	for _, l := range losses {
		names = append(names, l.name)
	}
	return names
}

const heading = "loss        ours ms  eager ms    ratio   best ms    ratio  peak above inputs: ours, eager, best  backend; best setting"

// result is a line of the table.
type result struct {
	loss, backend, setting    string
	ours, eager, best         float64 // ms
	overEager, overBest       stat.Spread
	peak, eagerPeak, bestPeak int64
	tried                     []string // the settings of the last side
}

func (r *result) String() string {
	mib := func(v int64) string {
		if v <= 0 {
			return "unknown"
		}
		return fmt.Sprintf("%.0f MiB", float64(v)/(1<<20))
	}
	return fmt.Sprintf("%-10s %8.1f  %8.1f  %6.1f×  %8.1f  %6.1f×  %35s  %s; %s", r.loss, r.ours, r.eager, r.overEager.Median,
		r.best, r.overBest.Median, mib(r.peak)+", "+mib(r.eagerPeak)+", "+mib(r.bestPeak), r.backend, r.setting)
}

// prepared is what peers.py says of a loss.
type prepared struct {
	Name  string
	Value float64
	Peak  int64
	Tried []string // its settings with the time of each, or what went wrong
}

// compare times one loss on both sides.
func compare(l *loss, o *options, t *tensors, dir string, eager, best *python) (*result, error) {
	r := &result{loss: l.name}
	call, err := r.prepare(l, o, t)
	if err != nil {
		return nil, err
	}
	want, err := call()
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		p        *python
		settings string
		peak     *int64
		setting  *string
	}{
		{eager, "eager", &r.eagerPeak, new(string)},
		{best, "best", &r.bestPeak, &r.setting},
	} {
		var got prepared
		if err := side.p.ask(&got, "loss", l.name, side.settings); err != nil {
			return nil, err
		}
		g, err := loadGradient(dir)
		if err != nil {
			return nil, err
		}
		if err := agree(want, got.Value, t.dx, g); err != nil {
			return nil, fmt.Errorf("PyTorch %s: %w", got.Name, err)
		}
		*side.peak, *side.setting = got.Peak, got.Name
		r.tried = got.Tried
	}
	var failed error
	times := stat.Interleave(o.rounds, func() float64 {
		time.Sleep(settle)
		began := time.Now()
		_, failed = call()
		return time.Since(began).Seconds()
	}, func() float64 { return seconds(eager, &failed) }, func() float64 { return seconds(best, &failed) })
	if failed != nil {
		return nil, failed
	}
	r.ours, r.eager, r.best = 1e3*stat.Median(times[0]), 1e3*stat.Median(times[1]), 1e3*stat.Median(times[2])
	r.overEager, r.overBest = stat.Ratios(times[1], times[0]), stat.Ratios(times[2], times[0])
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
	r.backend = plan.Backend()
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
		r.peak = memory("VmHWM") - before
	}
	return func() (float64, error) { return run(t.dx) }, nil
}

// settle is a pause before each timing: PyTorch's threads wait awake for a while
// after their work, and would take a processor from whoever comes next.
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
func agree(ours, theirs float64, g, h []float32) error {
	if !(math.Abs(ours-theirs) <= 1e-5*math.Abs(ours)) {
		return fmt.Errorf("loss %v, ours %v", theirs, ours)
	}
	if len(g) != len(h) {
		return fmt.Errorf("gradient of %d elements, ours has %d", len(h), len(g))
	}
	largest := float64(max(slices.Max(g), -slices.Min(g)))
	for i := range g {
		if !(math.Abs(float64(g[i])-float64(h[i])) <= 1e-4*largest) {
			return fmt.Errorf("gradient[%d] = %v, ours %v, the largest %v", i, h[i], g[i], largest)
		}
	}
	return nil
}
