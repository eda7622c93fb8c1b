package main

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/kernels"
)

// Steps that other checkers take by default. They stand above the picture.
var defaultSteps = []struct {
	name string
	step float64
}{{"Ipopt 1e-8", 1e-8}, {"PyTorch 1e-6", 1e-6}, {"JAX 1e-4", 1e-4}}

// A vcurve is the errors of difference quotients of one pixel, relative to the
// derivative.
type vcurve struct {
	x        *pixel
	p, t     float64
	right    exact.Pixel
	estimate gradcheck.Estimate
	ladder   []gradcheck.Step
}

func (c *plotting) vcurve(context.Context) (drawing, error) {
	v := vcurve{p: 1e-6, t: 1e-6}
	if c.p.set {
		v.p = c.p.v
	}
	if c.t.set {
		v.t = c.t.v
	}
	var smooth optional[float64]
	switch {
	case !c.smooth.set:
		_, err := kernels.Parse(withOption(c.expression(), "smooth", 0))
		smooth.set = err == nil // 0, where the loss has the option
	case len(c.smooth.v) != 1:
		return drawing{}, argument("-smooth", errors.New("vcurve takes one constant"))
	default:
		smooth.v, smooth.set = c.smooth.v[0], true
	}
	if err := v.measure(c.expression(), smooth); err != nil {
		return drawing{}, err
	}
	return v.figure().drawing(675, 450), nil
}

// measure computes all that is drawn.
func (v *vcurve) measure(loss string, smooth optional[float64]) (err error) {
	if v.x, err = newPixel(loss, smooth); err != nil {
		return err
	}
	if v.right, _, err = v.x.exactly(v.p, v.t); err != nil {
		return err
	}
	if v.right.DP == 0 || math.IsNaN(v.right.DP) || math.IsInf(v.right.DP, 0) {
		return fmt.Errorf("the derivative at p = %s, t = %s is %v: there is no relative error to draw", exactly(v.p), exactly(v.t), v.right.DP)
	}
	lo, hi := v.x.room(v.p, v.t)
	v.estimate, v.ladder = gradcheck.Trace(v.x.value(v.t), v.p, lo, hi)
	return nil
}

// span returns the logarithms of the least and the largest step drawn: down to
// what p has bits for, up to where the other checkers step.
func (v *vcurve) span() (lo, hi float64) {
	widest := 1e-4
	if n := len(v.ladder); n > 0 {
		widest = math.Max(widest, v.ladder[0].Width)
	}
	return math.Floor(math.Log10(math.Max(v.p*0x1p-50, 1e-16))), math.Ceil(math.Log10(widest)) + 0.3
}

// error returns the logarithm of a relative error. One that is not seen in
// float64 stands at the lowest place.
func (v *vcurve) error(slope float64) float64 {
	return log(math.Max(relative(slope, v.right.DP), math.Pow(10, lowest)))
}

// lowest is the logarithm of the smallest error drawn.
const lowest = -17

// naive returns the errors of plain central differences.
func (v *vcurve) naive() plotter.XYs {
	lo, hi := v.span()
	f := v.x.value(v.t)
	var all plotter.XYs
	for _, h := range logspace(lo, hi, 24*int(hi-lo)+1) {
		all = append(all, plotter.XY{X: log(h), Y: v.error((f(v.p+h) - f(v.p-h)) / (2 * h))})
	}
	return all
}

// branches returns what the error is made of: the noise of a value divided by
// the step, and h²/6 of the third derivative, which is taken from exact second
// ones.
func (v *vcurve) branches() (noise, truncation plotter.XYs) {
	lo, hi := v.span()
	d := v.p * 1e-4
	if d == 0 {
		d = 1e-9
	}
	above, _, err := exact.At(v.x.exact, v.p+d, v.t)
	below, _, err2 := exact.At(v.x.exact, v.p-d, v.t)
	third := math.Abs(above.DPP-below.DPP) / (2 * d)
	if err != nil || err2 != nil {
		third = math.NaN()
	}
	for _, h := range logspace(lo, hi, 2) {
		size := math.Abs(v.right.DP)
		noise = append(noise, plotter.XY{X: log(h), Y: log(v.estimate.Noise / h / size)})
		truncation = append(truncation, plotter.XY{X: log(h), Y: log(third * h * h / 6 / size)})
	}
	return noise, truncation
}

// extrapolated returns the errors of what each step of the ladder gives, at half
// of its width, which is the step of a central difference.
func (v *vcurve) extrapolated() plotter.XYs {
	var all plotter.XYs
	for _, s := range v.ladder {
		all = append(all, plotter.XY{X: log(math.Abs(s.Width) / 2), Y: v.error(s.Value)})
	}
	return all
}

func (v *vcurve) figure() figure {
	lo, hi := v.span()
	f := figure{
		title: "How wrong a difference quotient is",
		subtitle: fmt.Sprintf("%s of one pixel, p = %s, t = %s: ∂L/∂p = %s", tidy(v.x.loss.String()), exactly(v.p), exactly(v.t),
			format(v.right.DP, 6)),
		plot: newPlot("step h of p", "relative error of ∂L/∂p"),
	}
	logarithmic(&f.plot.X, lo, hi, 12)
	naive, extrapolated := v.naive(), v.extrapolated()
	logarithmic(&f.plot.Y, v.bottom(naive, extrapolated), 2, 12)
	f.plot.Add(gridLines())
	claim := log(v.estimate.Err / math.Abs(v.right.DP))
	f.plot.Add(band{to: claim})
	noise, truncation := v.branches()
	f.line("central differences", naive, draw.LineStyle{Color: blue, Width: 1})
	dashed := draw.LineStyle{Color: vermillion, Width: lineWidth, Dashes: []vg.Length{5, 3}}
	f.line("truncation, |f'''|h²/6", truncation, dashed)
	dashed.Color, dashed.Dashes = purple, []vg.Length{2, 2}
	f.line("noise / h", noise, dashed)
	f.line("", extrapolated, draw.LineStyle{Color: green, Width: lineWidth})
	f.points("extrapolated, step by step", extrapolated, draw.GlyphStyle{Color: green, Radius: 3, Shape: draw.CircleGlyph{}})
	chosen := plotter.XYs{{X: log(v.estimate.Step / 2), Y: v.error(v.estimate.Value)}}
	f.points(fmt.Sprintf("chosen, h = %s", format(v.estimate.Step/2, 2)), chosen, draw.GlyphStyle{Color: black, Radius: 6, Shape: ringed{}})
	f.legend = append(f.legend, entry{fmt.Sprintf("error claimed for it, ± %s", format(math.Pow(10, claim), 2)), band{}})
	f.plot.Add(marks{}, box())
	return f
}

// bottom returns the lowest decade that is needed.
func (v *vcurve) bottom(all ...plotter.XYs) float64 {
	least := -6.0
	for _, xys := range all {
		for _, p := range xys {
			if !math.IsNaN(p.Y) {
				least = min(least, p.Y)
			}
		}
	}
	return max(lowest-0.5, math.Floor(least))
}

// A band is what lies below a height.
type band struct{ to float64 }

// shade is the colour of bands.
var shade = color.NRGBA{0x00, 0x9e, 0x73, 0x26}

func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	top := min(y(b.to), c.Max.Y)
	if math.IsNaN(b.to) || top <= c.Min.Y {
		return
	}
	c.FillPolygon(shade, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: top}, {X: c.Min.X, Y: top}})
	c.StrokeLine2(draw.LineStyle{Color: green, Width: 0.75}, c.Min.X, top, c.Max.X, top)
}

// Thumbnail implements plot.Thumbnailer.
func (b band) Thumbnail(c *draw.Canvas) {
	inner := draw.Crop(*c, 0, 0, 3, -3)
	c.FillPolygon(shade, []vg.Point{inner.Min, {X: inner.Max.X, Y: inner.Min.Y}, inner.Max, {X: inner.Min.X, Y: inner.Max.Y}})
	c.StrokeLine2(draw.LineStyle{Color: green, Width: 0.75}, inner.Min.X, inner.Max.Y, inner.Max.X, inner.Max.Y)
}

// ringed is a ring.
type ringed struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (ringed) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 2})
	var path vg.Path
	path.Move(vg.Point{X: at.X + s.Radius, Y: at.Y})
	path.Arc(at, s.Radius, 0, 2*math.Pi)
	path.Close()
	c.Stroke(path)
}

// marks draws the default steps of other checkers along the top.
type marks struct{}

func (marks) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	s := style(tickSize-1, false)
	s.XAlign, s.YAlign, s.Color = draw.XCenter, draw.YTop, grey
	for _, m := range defaultSteps {
		at := x(math.Log10(m.step))
		if !c.ContainsX(at) {
			continue
		}
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: 0.75, Dashes: []vg.Length{1, 2}}, at, c.Min.Y, at, c.Max.Y-14)
		label := s.Rectangle(m.name).Add(vg.Point{X: at, Y: c.Max.Y - 3})
		c.SetColor(color.White)
		c.Fill(label.Path())
		c.FillText(s, vg.Point{X: at, Y: c.Max.Y - 3}, m.name)
	}
}
