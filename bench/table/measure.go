package main

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/report"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// setting is one place in the table: all that its rows share but the backend.
type setting struct {
	kernel
	c, workers int
	in         string // l2, memory
	layout     kernels.Layout
}

// portableBackend is what every other is compared with.
const portableBackend = "generic"

// shape returns samples and positions. In memory a tensor has the bytes given;
// in the L2 all streams of a worker fill half of its own, with a sample for each.
func (p *setting) shape(size, memoryBytes int) (n, s int) {
	if p.in == "memory" {
		return 1, max(memoryBytes/size/p.c, 1)
	}
	k := p.kernel
	if k.op == both {
		k.op = backward // the same arrays
	}
	perPosition := k.traffic(size, p.c) * float64(p.c)
	return p.workers, max(int(float64(machine.L2())/2/perPosition), 1)
}

// measure times every backend at one place, and the probes and the plain loop
// beside them, and returns a row for each backend.
func measure[T kernels.Float](p setting, o *options) ([]report.Row, error) {
	size := int(unsafe.Sizeof(T(0)))
	n, s := p.shape(size, o.mib<<20)
	t := newTensors[T](&p.kernel, n, p.c, s)
	defer t.free()

	var run []func() float64
	for _, b := range o.backends.Chosen {
		call, err := newCall(&p, t, b)
		if err != nil {
			return nil, err
		}
		run = append(run, stat.Timer(call, p.in == "l2"))
	}
	base := -1
	if f := plainLoop(&p, t); f != nil && o.baseline {
		base = len(run)
		run = append(run, stat.Timer(func() error { f(); return nil }, p.in == "l2"))
	}
	ceilings, free := newCeilings(&p, t.n*t.c*t.s*size/4)
	defer free()
	for i := range ceilings {
		run = append(run, ceilings[i].time)
	}

	times := stat.Interleave(o.rounds, run...)
	elements, bytes := float64(n*p.c*s), p.traffic(size, p.c)
	ceiling := bestCeiling(ceilings, times[len(run)-len(ceilings):])
	var rows []report.Row
	for i, b := range o.backends.Chosen {
		ns := stat.Of(times[i])
		row := report.Row{
			Kernel: p.name, Loss: p.loss, Op: string(p.op), Backend: b, Type: fmt.Sprintf("f%d", 8*size), Layout: p.layout.String(), In: p.in, Workers: p.workers,
			N: n, C: p.c, S: s,
			NS: ns.Median / elements, Min: ns.Min / elements, Max: ns.Max / elements, GBs: bytes * elements / ns.Median,
			Traffic: ceiling.names, Probe: ceiling.probe, CeilingGBs: ceiling.bytes / stat.Median(ceiling.ns),
		}
		// A ceiling's ns are for its own bytes.
		row.Ceiling = stat.Ratios(ceiling.ns, times[i]).Median * bytes * elements / ceiling.bytes
		for k, other := range o.backends.Chosen {
			if other == portableBackend {
				row.Portable = stat.Ratios(times[k], times[i]).Median
			}
		}
		if base >= 0 {
			row.Baseline = stat.Ratios(times[base], times[i]).Median
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// newCall returns a call of the plan. A backward pass has its own value.
func newCall[T kernels.Float](p *setting, t *tensors[T], backend string) (func() error, error) {
	l, err := kernels.Parse(p.loss)
	if err != nil {
		return nil, err
	}
	spec := kernels.Spec{N: t.n, C: t.c, S: t.s, Activation: p.activation, Layout: p.layout}
	plan, err := kernels.New[T](l, spec, kernels.WithBackend(backend), kernels.WithWorkers(p.workers))
	if err != nil {
		return nil, err
	}
	ctx, target, once := context.Background(), t.target(), kernels.Grad{Scale: 1}
	v, err := plan.Forward(ctx, t.x, target)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(v.Loss) {
		return nil, fmt.Errorf("%s on %s: the loss is NaN", p.loss, backend)
	}
	switch p.op {
	case forward:
		return func() error { _, err := plan.Forward(ctx, t.x, target); return err }, nil
	case backward:
		return func() error { return plan.Backward(ctx, t.dx, t.x, target, v, once) }, nil
	}
	return func() error { _, err := plan.ForwardBackward(ctx, t.dx, t.x, target, once); return err }, nil
}

// plainLoop returns the loop of bench/baseline, or nil: it has one goroutine,
// float32 and planar tensors.
func plainLoop[T kernels.Float](p *setting, t *tensors[T]) func() float64 {
	t32, ok := any(t).(*tensors[float32])
	if p.baseline == nil || !ok || p.layout != kernels.NCS {
		return nil
	}
	return p.baseline(t32)
}

// ceiling is a probe of the kernel's traffic.
type ceiling struct {
	probe   string
	pattern probe.Pattern
	part    int // 0, or 1 for the second of two passes
	bytes   float64
	time    func() float64
}

// newCeilings returns every probe whose traffic is the kernel's, on streams of
// that many float32.
func newCeilings(p *setting, elements int) (all []ceiling, free func()) {
	streams := probe.NewStreams(elements)
	for part, patterns := range p.patterns() {
		for _, im := range probe.Available() {
			if !im.Asm && len(probe.Available()) > 1 {
				continue // a loop in Go is no ceiling where there is a better one
			}
			for _, pattern := range patterns {
				if !im.Has(pattern) {
					continue
				}
				passes := 1
				if p.in == "l2" {
					took := streams.Time(&im, pattern, p.workers, 10)
					passes = int(stat.Least/max(took, 1)) + 1
				}
				all = append(all, ceiling{im.Name, pattern, part, float64(4 * pattern.Arrays() * elements), func() float64 {
					return float64(streams.Time(&im, pattern, p.workers, passes))
				}})
			}
		}
	}
	return all, streams.Free
}

// limit is the ceiling of a kernel: the fastest probe, or the sum of two.
type limit struct {
	names, probe string
	bytes        float64
	ns           []float64 // by round
}

func bestCeiling(all []ceiling, times [][]float64) (l limit) {
	for part := range 2 {
		best := -1
		for i := range all {
			if all[i].part == part && (best < 0 || stat.Median(times[i]) < stat.Median(times[best])) {
				best = i
			}
		}
		switch {
		case best < 0:
		case l.ns == nil:
			l = limit{all[best].pattern.String(), all[best].probe, all[best].bytes, times[best]}
		default:
			sum := make([]float64, len(l.ns))
			for r := range sum {
				sum[r] = l.ns[r] + times[best][r]
			}
			l.names, l.bytes, l.ns = l.names+"+"+all[best].pattern.String(), l.bytes+all[best].bytes, sum
		}
	}
	return l
}
