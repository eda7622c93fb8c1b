package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The heatmap's axes, as decimal logarithms, and its cells along each.
const (
	heatLow   = -9
	heatCells = 108
	maxPanels = 4
)

func (c *plotting) heatmap(context.Context) (drawing, error) {
	smooth := []float64{0, 1e-7, 1e-5, 1e-3}
	if c.smooth.set {
		smooth = c.smooth.v
	}
	if len(smooth) > maxPanels {
		return drawing{}, argument("-smooth", errors.New("heatmap has room for four constants"))
	}
	h, err := newHeat(c.expression(), smooth)
	if err != nil {
		return drawing{}, err
	}
	return h.drawing(), nil
}

// A heat is the derivatives of one pixel over p and t, for several smoothing
// constants, with the same without.
type heat struct {
	loss   string
	knob   string
	smooth []float64
	plain  field
	fields []field
	lo, hi float64 // of the colours, as decimal logarithms
}

// A field is the derivatives at the middle of every cell, rows of t.
type field [heatCells][heatCells]float64

func newHeat(loss string, smooth []float64) (*heat, error) {
	plain, err := newPixel(loss, optional[float64]{})
	if err != nil {
		return nil, err
	}
	h := &heat{loss: loss, smooth: smooth}
	if h.knob, err = knobOf(plain.term.Name, loss); err != nil {
		return nil, argument("-loss", err)
	}
	for _, s := range append([]float64{0}, smooth...) {
		x, err := newPixel(withOption(loss, h.knob, s), optional[float64]{})
		if err != nil {
			return nil, err
		}
		h.fields = append(h.fields, x.field())
	}
	h.plain, h.fields = h.fields[0], h.fields[1:]
	h.lo, h.hi = h.colours()
	return h, nil
}

// middle returns the probability in the middle of a cell.
func middle(i int) float64 { return math.Pow(10, cell(i)) }

// cell returns the decimal logarithm of the middle of a cell.
func cell(i int) float64 { return heatLow * (1 - (float64(i)+0.5)/heatCells) }

func (x *pixel) field() field {
	var f field
	for j := range f {
		for i := range f[j] {
			_, f[j][i] = x.gradient(middle(i), middle(j))
		}
	}
	return f
}

// deepest is how many decades the colours span at most, down from the largest
// derivative.
const deepest = 14

func (h *heat) colours() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, f := range h.fields {
		for _, row := range f {
			for _, v := range row {
				if l := log(math.Abs(v)); !math.IsNaN(l) {
					lo, hi = min(lo, l), max(hi, l)
				}
			}
		}
	}
	if lo > hi {
		return -1, 1 // no derivative anywhere
	}
	hi = math.Ceil(hi)
	return max(math.Floor(lo), hi-deepest), hi
}

// panel draws one field and, over it, where its sign is not that of the loss
// without smoothing.
type panel struct {
	h *heat
	f *field
}

func (d panel) Plot(c draw.Canvas, p *plot.Plot) {
	img := image.NewNRGBA(image.Rect(0, 0, heatCells, heatCells))
	for j, row := range d.f {
		for i, v := range row {
			img.SetNRGBA(i, heatCells-1-j, d.h.colour(math.Log10(math.Abs(v))))
		}
	}
	plotter.NewImage(img, heatLow, heatLow, 0, 0).Plot(c, p)
	x, y := p.Transforms(&c)
	edge := func(i int) float64 { return heatLow * (1 - float64(i)/heatCells) }
	s := draw.LineStyle{Color: color.White, Width: 1.2}
	const over = 0.5 // so that the pieces of the line touch
	for j := range heatCells {
		for i := range heatCells {
			if i+1 < heatCells && d.turned(j, i) != d.turned(j, i+1) {
				c.StrokeLine2(s, x(edge(i+1)), y(edge(j))-over, x(edge(i+1)), y(edge(j+1))+over)
			}
			if j+1 < heatCells && d.turned(j, i) != d.turned(j+1, i) {
				c.StrokeLine2(s, x(edge(i))-over, y(edge(j+1)), x(edge(i+1))+over, y(edge(j+1)))
			}
		}
	}
}

// turned reports whether smoothing has reversed the derivative of a cell.
func (d panel) turned(j, i int) bool { return d.f[j][i]*d.h.plain[j][i] < 0 }

// reversed reports whether there is such a cell.
func (d panel) reversed() bool {
	for j := range heatCells {
		for i := range heatCells {
			if d.turned(j, i) {
				return true
			}
		}
	}
	return false
}

// colour returns the colour of a decimal logarithm; what is not finite is grey,
// but for that of zero.
func (h *heat) colour(l float64) color.NRGBA {
	if math.IsNaN(l) || math.IsInf(l, 1) {
		return color.NRGBA{0xc0, 0xc0, 0xc0, 0xff}
	}
	at := min(max((l-h.lo)/(h.hi-h.lo), 0), 1) * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	return mix(viridis[i], viridis[i+1], at-float64(i))
}

func mix(a, b color.NRGBA, share float64) color.NRGBA {
	m := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + share*(float64(b)-float64(a)))) }
	return color.NRGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 0xff}
}

// viridis is nine colours of matplotlib's default map (S. van der Walt,
// N. Smith, E. Firing; CC0), evenly spaced: its lightness grows evenly, also for
// the colour-blind and on paper.
var viridis = []color.NRGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x47, 0x2d, 0x7b, 0xff}, {0x3b, 0x52, 0x8b, 0xff}, {0x2c, 0x72, 0x8e, 0xff}, {0x21, 0x91, 0x8c, 0xff},
	{0x28, 0xae, 0x80, 0xff}, {0x5e, 0xc9, 0x62, 0xff}, {0xad, 0xdc, 0x30, 0xff}, {0xfd, 0xe7, 0x25, 0xff},
}

// Sizes of the panels and of what stands beside them.
const (
	panelSide  = 146
	panelGap   = 22
	panelLeft  = 50
	barWidth   = 74
	heatHeight = 262
)

// drawing lays the panels side by side, with the colour bar at the right.
func (h *heat) drawing() drawing {
	n := len(h.fields)
	head := figure{
		title:    "The size of a pixel's derivative",
		subtitle: h.subtitle(),
	}
	width := 2*margin + panelLeft + vg.Length(n)*(panelSide+panelGap) + barWidth
	return drawing{max(width, 440), heatHeight, func(c draw.Canvas) {
		c = head.head(c)
		bar := draw.Crop(c, c.Max.X-c.Min.X-barWidth, 0, 0, 0)
		c.Max.X -= barWidth + panelGap
		name := style(labelSize, false)
		name.XAlign, name.YAlign = draw.XCenter, draw.YTop
		top := c.Max.Y
		c.Max.Y -= 18
		plots := [][]*plot.Plot{h.plots()}
		tiles := plot.Align(plots, draw.Tiles{Rows: 1, Cols: n, PadX: panelGap}, c)
		var data draw.Canvas
		for i, p := range plots[0] {
			p.Draw(tiles[0][i])
			data = p.DataCanvas(tiles[0][i])
			c.FillText(name, vg.Point{X: data.Center().X, Y: top}, fmt.Sprintf("%s = %s", h.knob, exactly(h.smooth[i])))
		}
		bar.Min.Y, bar.Max.Y = data.Min.Y, data.Max.Y
		h.bar(bar)
	}}
}

// subtitle says what the colours and the line are.
func (h *heat) subtitle() string {
	s := fmt.Sprintf("|∂L/∂p| of %s, darkest for %s and less.", h.loss, power10(int(h.lo)))
	for i := range h.fields {
		if (panel{h, &h.fields[i]}).reversed() {
			return s + fmt.Sprintf(" White: the border of where %s has turned its sign.", h.knob)
		}
	}
	return s
}

// plots returns the panels. The first has the labels of the axis that all share.
func (h *heat) plots() []*plot.Plot {
	var all []*plot.Plot
	for i := range h.fields {
		p := newPlot("p", "")
		logarithmic(&p.X, heatLow, 0, 3)
		logarithmic(&p.Y, heatLow, 0, 3)
		if i == 0 {
			p.Y.Label.Text = "t"
		} else {
			p.Y.Tick.Marker = unlabelled{p.Y.Tick.Marker}
		}
		p.Add(panel{h, &h.fields[i]}, box())
		all = append(all, p)
	}
	return all
}

// unlabelled has the ticks of another ticker without their labels.
type unlabelled struct{ plot.Ticker }

// Ticks implements plot.Ticker.
func (u unlabelled) Ticks(lo, hi float64) []plot.Tick {
	ticks := u.Ticker.Ticks(lo, hi)
	for i := range ticks {
		ticks[i].Label = ""
	}
	return ticks
}

// bar draws the scale of the colours beside the data, whose height c has.
func (h *heat) bar(c draw.Canvas) {
	const strip, steps = 16, 128
	c.Max.X = c.Min.X + strip
	height := c.Max.Y - c.Min.Y
	for i := range steps {
		low := c.Min.Y + height*vg.Length(i)/steps // each covers what is above it, too, so that no gap shows
		c.FillPolygon(h.colour(h.lo+(h.hi-h.lo)*(float64(i)+0.5)/steps), []vg.Point{{X: c.Min.X, Y: low}, {X: c.Max.X, Y: low}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	}
	p := newPlot("", "")
	p.Y.Min, p.Y.Max = h.lo, h.hi
	p.X.Min, p.X.Max = 0, 1
	box().Plot(c, p)
	s := style(tickSize, false)
	s.YAlign = draw.YCenter
	_, y := p.Transforms(&c)
	line := draw.LineStyle{Color: black, Width: 0.75}
	for _, t := range (decades{7}).Ticks(h.lo, h.hi) {
		at, length := y(t.Value), vg.Length(5)
		if t.IsMinor() {
			length /= 2
		}
		c.StrokeLine2(line, c.Max.X, at, c.Max.X+length, at)
		c.FillText(s, vg.Point{X: c.Max.X + 8, Y: at}, t.Label)
	}
	s.YAlign = draw.YTop
	c.FillText(s, vg.Point{X: c.Min.X, Y: c.Min.Y - 8}, "|∂L/∂p|")
}
