package main

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/report"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/kernels"
)

// setting is one place in the table: all that its rows share but the backend,
// the type and the layout, which take turns in the same rounds.
type setting struct {
	kernel
	c, workers      int
	in              string // l2, memory
	types, backends []string
	layouts         []kernels.Layout
}

// portableBackend is what every other is compared with.
const portableBackend = "generic"

// shape returns samples and positions. In memory a tensor has the bytes given;
// in the L2 all arrays of a worker fill half of its own, with a sample for each.
func (p *setting) shape(size, memoryBytes int) (n, s int) {
	if p.in == "memory" {
		return 1, max(memoryBytes/size/p.c, 1)
	}
	perPosition := p.resident(size, p.c) * float64(p.c)
	return p.workers, max(int(float64(machine.L2())/2/perPosition), 1)
}

// entrant is one that takes part in the rounds: a backend with a type and a
// layout, or a plain loop, which has the backend "".
type entrant struct {
	row      report.Row
	elements float64
	bytes    float64 // an element that a call moves at least
	run      func() float64
}

// measure times all entrants at one place, and the probes beside them, and
// returns a row for each but the plain loops.
func measure(p *setting, o *options) ([]report.Row, error) {
	var all []entrant
	for _, layout := range p.layouts {
		for _, t := range p.types {
			f := enter[float32]
			if t == "f64" {
				f = enter[float64]
			}
			entrants, free, err := f(p, o, layout)
			defer free()
			if err != nil {
				return nil, err
			}
			all = append(all, entrants...)
		}
	}
	n, s := p.shape(4, o.mib<<20)
	probes, free := newProbes(p, n*p.c*s)
	defer free()

	var run []func() float64
	for i := range all {
		run = append(run, all[i].run)
	}
	for i := range probes {
		run = append(run, probes[i].time)
	}
	times := stat.Interleave(o.rounds, run...)
	for i := range all { // so that sizes do not matter
		for r := range times[i] {
			times[i][r] /= all[i].elements
		}
	}
	return rows(all, times[:len(all)], newCeiling(probes, times[len(all):])), nil
}

// slow is how many times fewer positions the portable backend and the plain loops
// get in memory: these wait for their own arithmetic and not for it, and a run of
// the table would last an hour.
const slow = 8

// enter makes the entrants of one type and layout, which share tensors.
func enter[T kernels.Float](p *setting, o *options, layout kernels.Layout) (all []entrant, free func(), err error) {
	size := int(unsafe.Sizeof(T(0)))
	n, s := p.shape(size, o.mib<<20)
	t := newTensors[T](&p.kernel, n, p.c, s)
	add := func(t *tensors[T], backend string, call func() error) {
		all = append(all, entrant{
			row: report.Row{
				Kernel: p.name, Loss: p.loss, Op: string(p.op), Backend: backend, Type: fmt.Sprintf("f%d", 8*size), Layout: layout.String(),
				In: p.in, Workers: p.workers, N: t.n, C: t.c, S: t.s,
			},
			elements: float64(t.n * t.c * t.s), bytes: p.traffic(size, p.c), run: stat.Timer(call, p.in == "l2"),
		})
	}
	few := t
	if p.in == "memory" {
		few = t.first(slow)
	}
	for _, b := range p.backends {
		tensors := t
		if b == portableBackend {
			tensors = few
		}
		call, err := newCall(p, tensors, layout, b)
		if err != nil {
			return nil, t.free, err
		}
		add(tensors, b, call)
	}
	if f := plainLoop(p, few, layout); f != nil && o.baseline {
		add(few, "", func() error { f(); return nil })
	}
	return all, t.free, nil
}

// rows makes the rows of the report, with ratios to whoever else took part. Times
// are ns an element.
func rows(all []entrant, times [][]float64, most *ceiling) (rows []report.Row) {
	find := func(backend, elem, layout string) []float64 {
		for i := range all {
			if r := &all[i].row; r.Backend == backend && r.Type == elem && r.Layout == layout {
				return times[i]
			}
		}
		return nil
	}
	for i, e := range all {
		if e.row.Backend == "" {
			continue
		}
		r, t := e.row, times[i]
		ns := stat.Of(t)
		r.NS, r.Min, r.Max, r.GBs = ns.Median, ns.Min, ns.Max, e.bytes/ns.Median
		most.fill(&r, t, e.bytes)
		ratio := func(place *float64, a, b []float64) {
			if a != nil && b != nil {
				*place = stat.Ratios(a, b).Median
			}
		}
		ratio(&r.Portable, find(portableBackend, r.Type, r.Layout), t)
		ratio(&r.Baseline, find("", r.Type, r.Layout), t)
		if r.Type != "f32" {
			ratio(&r.Single, t, find(r.Backend, "f32", r.Layout))
		}
		if r.Layout != kernels.NCS.String() {
			ratio(&r.Planar, find(r.Backend, r.Type, kernels.NCS.String()), t)
		}
		rows = append(rows, r)
	}
	return rows
}

// newCall returns a call of the plan. A backward pass has its own value.
func newCall[T kernels.Float](p *setting, t *tensors[T], layout kernels.Layout, backend string) (func() error, error) {
	l, err := kernels.Parse(p.loss)
	if err != nil {
		return nil, err
	}
	spec := kernels.Spec{N: t.n, C: t.c, S: t.s, Activation: p.activation, Layout: layout}
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
func plainLoop[T kernels.Float](p *setting, t *tensors[T], layout kernels.Layout) func() float64 {
	t32, ok := any(t).(*tensors[float32])
	if p.baseline == nil || !ok || layout != kernels.NCS || p.workers > 1 {
		return nil
	}
	return p.baseline(t32)
}
