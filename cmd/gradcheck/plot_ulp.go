package main

import (
	"context"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/kernels"
)

// The histogram's bins, in decimal logarithms of scaled ulps. The first takes
// what is less too, and the last what is more.
const (
	ulpLow  = -2.0
	ulpHigh = 3.0
	perTen  = 8    // bins to a decade
	leastAt = -2.3 // least share drawn, in per cent, as decimal logarithm
)

func (c *plotting) ulp(ctx context.Context) (drawing, error) {
	o := gradcheck.Options{Level: gradcheck.Short, Progress: c.progress.show}
	if c.activation.set {
		o.Activations = []kernels.Activation{c.activation.v}
	}
	what := "every loss"
	var loss *kernels.Loss
	if c.loss != "" {
		l, err := kernels.Parse(c.loss)
		if err != nil {
			return drawing{}, argument("-loss", err)
		}
		loss, what = &l, tidy(l.String())
	}
	all, err := gradcheck.Roundings(ctx, loss, o)
	c.progress.erase()
	if err != nil {
		return drawing{}, err
	}
	if len(all) == 0 || !slices.ContainsFunc(all, func(r gradcheck.Rounding) bool { return len(r.Errors) > 0 }) {
		return drawing{}, argument("-loss", fmt.Errorf("%s: no tensor of the table fits it", what))
	}
	if c.activation.set {
		what += ", activation " + c.activation.v.String()
	}
	return roundingFigure(what, all).drawing(675, 450), nil
}

// roundingFigure draws a histogram for each backend and type.
func roundingFigure(what string, all []gradcheck.Rounding) figure {
	f := figure{
		title:    "Rounding errors of the gradients",
		subtitle: what + "; f64 against the exact gradient, f32 against f64. The first bin has what is less, too.",
		plot:     newPlot("|error| in units of u · scale", "share of elements in %"),
	}
	logarithmic(&f.plot.X, ulpLow, ulpHigh, 8)
	logarithmic(&f.plot.Y, leastAt, 2, 8)
	f.plot.Add(gridLines())
	colours := []color.Color{blue, vermillion, green, orange, sky, purple}
	styles := map[gradcheck.DType][]vg.Length{gradcheck.Float64: nil, gradcheck.Float32: {4, 2}}
	for i, r := range all {
		s := draw.LineStyle{Color: colours[i%len(colours)], Width: lineWidth, Dashes: styles[r.DType]}
		f.line(describe(r), histogram(r.Errors), s)
	}
	for _, d := range []gradcheck.DType{gradcheck.Float32, gradcheck.Float64} {
		i := slices.IndexFunc(all, func(r gradcheck.Rounding) bool { return r.DType == d })
		if i < 0 {
			continue
		}
		at := math.Log10(all[i].K)
		f.line(fmt.Sprintf("promised for %v: %g + 4·spread", d, all[i].K), plotter.XYs{{X: at, Y: leastAt}, {X: at, Y: 2}},
			draw.LineStyle{Color: grey, Width: 1, Dashes: append([]vg.Length{1, 2}, styles[d]...)})
	}
	f.plot.Add(box())
	return f
}

// describe names a histogram and says where its middle and its end are.
func describe(r gradcheck.Rounding) string {
	sizes := make([]float64, len(r.Errors))
	for i, e := range r.Errors {
		sizes[i] = math.Abs(e)
	}
	slices.Sort(sizes)
	if len(sizes) == 0 {
		return fmt.Sprintf("%s %v: nothing", r.Backend, r.DType)
	}
	return fmt.Sprintf("%s %v: %d elements, median %s, largest %s", r.Backend, r.DType, len(sizes),
		format(sizes[len(sizes)/2], 2), format(sizes[len(sizes)-1], 2))
}

// histogram returns the outline of the shares, as decimal logarithms of per cent.
func histogram(errors []float64) plotter.XYs {
	shares := make([]float64, int((ulpHigh-ulpLow)*perTen))
	for _, e := range errors {
		at := (math.Log10(math.Abs(e)) - ulpLow) * perTen
		shares[int(min(max(at, 0), float64(len(shares)-1)))] += 100 / float64(len(errors))
	}
	outline := plotter.XYs{{X: ulpLow, Y: leastAt}}
	for i, v := range shares {
		from, height := ulpLow+float64(i)/perTen, math.Max(math.Log10(v), leastAt)
		outline = append(outline, plotter.XY{X: from, Y: height}, plotter.XY{X: from + 1.0/perTen, Y: height})
	}
	return append(outline, plotter.XY{X: ulpHigh, Y: leastAt})
}
