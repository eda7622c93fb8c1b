package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/segloss/segloss/kernels"
)

// The tensor of the Taylor remainder, and the defect of the wrong gradient.
const (
	taylorC      = 3
	taylorS      = 64
	taylorDefect = 1.0005
)

// A remainder is a loss on a small tensor along a line x + h·d.
type remainder struct {
	loss       kernels.Loss
	activation kernels.Activation
	plan       *kernels.Plan[float64]
	target     kernels.Target
	x, d, at   []float64
	value      float64 // at x
	slope      float64 // g·d
}

func (c *plotting) taylor(ctx context.Context) (drawing, error) {
	a := kernels.Softmax
	if c.activation.set {
		a = c.activation.v
	}
	r, err := newRemainder(ctx, c.expression(), a)
	if err != nil {
		return drawing{}, argument("-loss", err)
	}
	return r.figure(ctx).drawing(675, 450), nil
}

// newRemainder draws a prediction, labels and a direction of signs, the same on
// every run.
func newRemainder(ctx context.Context, expr string, a kernels.Activation) (*remainder, error) {
	r := &remainder{activation: a}
	var err error
	if r.loss, err = kernels.Parse(expr); err != nil {
		return nil, err
	}
	if r.plan, err = kernels.New[float64](r.loss, kernels.Spec{N: 1, C: taylorC, S: taylorS, Activation: a}, kernels.WithWorkers(1)); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	labels := make([]uint8, taylorS)
	for i := range labels {
		labels[i] = uint8(rng.IntN(taylorC))
	}
	r.target = kernels.Labels(labels)
	r.x, r.d, r.at = make([]float64, taylorC*taylorS), make([]float64, taylorC*taylorS), make([]float64, taylorC*taylorS)
	for i := range r.x {
		r.x[i], r.d[i] = rng.NormFloat64(), float64(2*rng.IntN(2)-1)
		if a == kernels.None {
			r.x[i] = 0.2 + 0.6*rng.Float64()
		}
	}
	dx := make([]float64, len(r.x))
	v, err := r.plan.ForwardBackward(ctx, dx, r.x, r.target, kernels.Grad{Scale: 1})
	if err != nil {
		return nil, err
	}
	r.value = v.Loss
	for i, g := range dx {
		r.slope += g * r.d[i]
	}
	return r, nil
}

// reach is the largest h: probabilities stay inside of [0,1].
func (r *remainder) reach() float64 {
	if r.activation == kernels.None {
		return 0.1
	}
	return 1
}

// of returns the remainder for a gradient that is off by a factor.
func (r *remainder) of(ctx context.Context, factor float64) plotter.XYs {
	var all plotter.XYs
	for _, h := range logspace(taylorLow, math.Log10(r.reach()), 20*int(-taylorLow)+1) {
		for i := range r.at {
			r.at[i] = r.x[i] + h*r.d[i]
		}
		v, err := r.plan.Forward(ctx, r.at, r.target)
		if err != nil {
			v.Loss = math.NaN()
		}
		all = append(all, plotter.XY{X: log(h), Y: log(math.Max(math.Abs(v.Loss-r.value-h*factor*r.slope), 1e-17))})
	}
	return all
}

// taylorLow is the decimal logarithm of the least h.
const taylorLow = -9

func (r *remainder) figure(ctx context.Context) figure {
	f := figure{
		title:    "What is left of a loss beside its first-order term",
		subtitle: fmt.Sprintf("%s, activation %v, one sample of %d classes × %d positions, d of random signs", tidy(r.loss.String()), r.activation, taylorC, taylorS),
		plot:     newPlot("step h", "|f(x+hd) − f(x) − h g·d|"),
	}
	logarithmic(&f.plot.X, taylorLow, math.Log10(r.reach()), 10)
	right, wrong := r.of(ctx, 1), r.of(ctx, taylorDefect)
	top := right[len(right)-1].Y
	logarithmic(&f.plot.Y, -17.3, math.Ceil(math.Max(top, wrong[len(wrong)-1].Y)), 10)
	f.plot.Add(gridLines())
	guide := draw.LineStyle{Color: grey, Width: 1, Dashes: []vg.Length{5, 3}}
	f.line("slope 2", r.guide(2, top+0.5, r.reach()), guide)
	guide.Dashes = []vg.Length{1, 2}
	low := 1e-7
	f.line("slope 1", r.guide(1, log(low*math.Abs((taylorDefect-1)*r.slope))+0.5, low), guide)
	f.line("gradient 0.05% too large", wrong, draw.LineStyle{Color: vermillion, Width: lineWidth})
	f.line("right gradient", right, draw.LineStyle{Color: blue, Width: lineWidth})
	f.plot.Add(box())
	return f
}

// guide returns a straight line of the given slope through height at h.
func (r *remainder) guide(slope, height, h float64) plotter.XYs {
	var all plotter.XYs
	for _, x := range []float64{taylorLow, math.Log10(r.reach())} {
		all = append(all, plotter.XY{X: x, Y: height + slope*(x-math.Log10(h))})
	}
	return all
}
