package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/segloss/segloss/bench/baseline"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/plain"
	"github.com/segloss/segloss/kernels"
)

// row is a loss on one backend. What was not measured is 0.
type row struct {
	Loss, Activation, Backend, Type string

	C, S         int
	NS, Min, Max float64 // nanoseconds an element: median and range
	PlainNS      float64 // the same of bench/plain
	Portable     float64 // times as fast as the portable backend
	Plain        float64 // times as fast as bench/plain
	Baseline     float64 // times as fast as bench/baseline
}

const heading = "loss            activation  backend   ns/elem          range  × portable  plain ns/elem   × plain  × baseline"

func (r *row) String() string {
	return fmt.Sprintf("%-14s  %-10s  %-8s %8.3f  %5.3f … %5.3f  %10.2f  %13s  %8s  %10s", r.Loss, r.Activation, r.Backend, r.NS, r.Min, r.Max,
		r.Portable, figure(r.PlainNS), figure(r.Plain), figure(r.Baseline))
}

func figure(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// measure times a loss on every backend and in plain Go, in turn.
func measure[T kernels.Float](e entry, o *options) ([]row, error) {
	t := newTensors[T](o, e.by)
	defer t.release()
	names := append([]string{portable}, slices.DeleteFunc(slices.Clone(o.backends.Chosen), func(b string) bool { return b == portable })...)
	var run []func() float64
	for _, b := range names {
		call, err := newCall(e, t, b)
		if err != nil {
			return nil, err
		}
		run = append(run, stat.Timer(call, true))
	}
	loops := plainLoops(e, t)
	for _, f := range loops {
		run = append(run, stat.Timer(func() error { f(); return nil }, true))
	}

	times := stat.Interleave(o.rounds, run...)
	elements := float64(len(t.x))
	var rows []row
	for i, b := range names {
		ns := stat.Of(times[i])
		r := row{
			Loss: e.loss, Activation: string(e.by), Backend: b, Type: fmt.Sprintf("f%d", 8*unsafe.Sizeof(T(0))), C: t.c, S: t.s,
			NS: ns.Median / elements, Min: ns.Min / elements, Max: ns.Max / elements,
			Portable: stat.Ratios(times[0], times[i]).Median,
		}
		if len(loops) > 0 {
			own := times[len(names)]
			r.PlainNS, r.Plain = stat.Median(own)/elements, stat.Ratios(own, times[i]).Median
		}
		if len(loops) > 1 {
			r.Baseline = stat.Ratios(times[len(names)+1], times[i]).Median
		}
		rows = append(rows, r)
	}
	return rows, nil
}

var activations = map[plain.Activation]kernels.Activation{plain.None: kernels.None, plain.Sigmoid: kernels.Sigmoid, plain.Softmax: kernels.Softmax}

// newCall returns a call forward and backward.
func newCall[T kernels.Float](e entry, t *tensors[T], backend string) (func() error, error) {
	l, err := kernels.Parse(e.loss)
	if err != nil {
		return nil, err
	}
	spec := kernels.Spec{N: 1, C: t.c, S: t.s, Activation: activations[e.by]}
	plan, err := kernels.New[T](l, spec, kernels.WithBackend(backend), kernels.WithWorkers(1))
	if err != nil {
		return nil, err
	}
	ctx, target, once := context.Background(), kernels.Labels(t.y), kernels.Grad{Scale: 1}
	v, err := plan.ForwardBackward(ctx, t.dx, t.x, target, once)
	if err == nil && math.IsNaN(v.Loss) {
		err = fmt.Errorf("%s on %s: the loss is NaN", e.loss, backend)
	}
	return func() error { _, err := plan.ForwardBackward(ctx, t.dx, t.x, target, once); return err }, err
}

// plainLoops returns the loop of bench/plain and that of bench/baseline where
// there is one, for float32.
func plainLoops[T kernels.Float](e entry, all *tensors[T]) []func() float64 {
	t, ok := any(all).(*tensors[float32])
	if !ok {
		return nil
	}
	p := &plain.Tensors{N: 1, C: t.c, S: t.s, X: t.x, Grad: t.dx, Y: t.y}
	own := plain.Find(e.loss, e.by)
	loops := []func() float64{func() float64 { return own(p) }}
	switch e {
	case entry{"dice_ce", plain.Softmax}:
		loops = append(loops, func() float64 { return baseline.SoftmaxDiceCE(t.dx, t.x, t.y, 1, t.c, t.s) })
	case entry{"focal", plain.Sigmoid}:
		r := t.dense()
		loops = append(loops, func() float64 { return baseline.SigmoidFocal(t.dx, t.x, r) })
	case entry{"dice", plain.None}:
		r := t.dense()
		loops = append(loops, func() (loss float64) {
			for k := range t.c { // it takes a class at a time
				lo, hi := k*t.s, (k+1)*t.s
				loss += baseline.ProbDice(t.dx[lo:hi], t.x[lo:hi], r[lo:hi])
			}
			return loss
		})
	}
	return loops
}
