package main

import (
	"bytes"
	"image/color"
	"image/png"
	"io"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colours are those of Okabe and Ito, which readers with any of the common
// colour blindnesses can tell apart.
var (
	blue       = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	vermillion = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
	green      = color.NRGBA{0x00, 0x9e, 0x73, 0xff}
	orange     = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	sky        = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	purple     = color.NRGBA{0xcc, 0x79, 0xa7, 0xff}
	black      = color.NRGBA{0x20, 0x20, 0x20, 0xff}
	grey       = color.NRGBA{0x80, 0x80, 0x80, 0xff}
	faint      = color.NRGBA{0xe4, 0xe4, 0xe4, 0xff}
)

// Sizes are in points. A PNG has two pixels to a point, so that letters are sharp
// on fine screens too.
const (
	dpi       = 144
	margin    = 10
	titleSize = 13
	labelSize = 11
	tickSize  = 10
	lineWidth = 1.5
)

// A drawing is a picture with its size.
type drawing struct {
	width, height vg.Length
	draw          func(draw.Canvas)
}

func (d drawing) writePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(d.width, d.height), vgimg.UseDPI(dpi))
	d.draw(draw.New(c))
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, c.Image())
}

func (d drawing) writeSVG(w io.Writer) error {
	c := vgsvg.NewWith(vgsvg.UseWH(d.width, d.height))
	d.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	_, err := svgFixes.WriteString(w, b.String())
	return err
}

// svgFixes names fonts of the same widths for where Liberation is not installed,
// and lets images fill their place, as they do in a PNG.
var svgFixes = strings.NewReplacer(
	"font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif",
	"<image ", `<image preserveAspectRatio="none" `)

// style returns the style of a text.
func style(size vg.Length, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: black, Font: f, Handler: plot.DefaultTextHandler}
}

// newPlot returns a plot in the style of all: axes that touch, a frame, a grid.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.Label.Padding = 3
		a.Width, a.Color = 0.75, black
		a.Tick.Width, a.Tick.Color, a.Tick.Length = 0.75, black, 5
		a.Label.TextStyle.Font = style(labelSize, false).Font
		a.Tick.Label.Font = style(tickSize, false).Font
		a.Label.TextStyle.Color, a.Tick.Label.Color = black, black
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Y.Label.Padding = 6
	return p
}

// gridLines draws lines at the labelled ticks, and box a frame. What is added to
// a plot between the two lies between them.
func gridLines() plot.Plotter { return lines{major: true} }
func box() plot.Plotter       { return lines{} }

type lines struct{ major bool }

func (l lines) Plot(c draw.Canvas, p *plot.Plot) {
	if !l.major {
		c.StrokeLines(draw.LineStyle{Color: black, Width: 0.75}, []vg.Point{
			c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min})
		return
	}
	x, y := p.Transforms(&c)
	s := draw.LineStyle{Color: faint, Width: 0.75}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if v := x(t.Value); !t.IsMinor() && c.ContainsX(v) {
			c.StrokeLine2(s, v, c.Min.Y, v, c.Max.Y)
		}
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if v := y(t.Value); !t.IsMinor() && c.ContainsY(v) {
			c.StrokeLine2(s, c.Min.X, v, c.Max.X, v)
		}
	}
}

// An entry of a legend.
type entry struct {
	name   string
	sample plot.Thumbnailer
}

// A figure is a plot below its title, a line that says what is drawn, and its
// legend, where it covers nothing.
type figure struct {
	title, subtitle string
	legend          []entry
	plot            *plot.Plot
}

func (f figure) drawing(width, height vg.Length) drawing {
	return drawing{width, height, func(c draw.Canvas) {
		c = f.head(c)
		f.plot.Draw(c)
	}}
}

// head fills the background, writes title, subtitle and legend, and returns what
// is left for the plot.
func (f figure) head(c draw.Canvas) draw.Canvas {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	for _, line := range []struct {
		text  string
		style text.Style
		gap   vg.Length
	}{{f.title, style(titleSize, true), 3}, {f.subtitle, style(labelSize, false), 4}} {
		line.style.YAlign = draw.YTop
		c.FillText(line.style, vg.Point{X: c.Min.X, Y: c.Max.Y}, line.text)
		c.Max.Y -= line.style.FontExtents().Height + line.gap
	}
	if len(f.legend) > 0 {
		c.Max.Y = f.entries(c) - 4
	}
	c.Max.Y -= 4
	return c
}

// entries writes the legend in rows and returns where it ends.
func (f figure) entries(c draw.Canvas) vg.Length {
	const sample, gap, between = 26, 5, 16
	s := style(tickSize, false)
	s.YAlign = draw.YCenter
	height := s.FontExtents().Height + 3
	x, y := c.Min.X, c.Max.Y
	for _, e := range f.legend {
		width := sample + gap + s.Width(e.name)
		if x > c.Min.X && x+width > c.Max.X {
			x, y = c.Min.X, y-height
		}
		e.sample.Thumbnail(&draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - height}, Max: vg.Point{X: x + sample, Y: y}}})
		c.FillText(s, vg.Point{X: x + sample + gap, Y: y - height/2}, e.name)
		x += width + between
	}
	return y - height
}

// line draws a line and enters it into the legend, unless its name is empty.
func (f *figure) line(name string, xys plotter.XYs, s draw.LineStyle) {
	for _, run := range runs(xys) {
		f.plot.Add(clipped{&plotter.Line{XYs: run, LineStyle: s}})
	}
	if name != "" {
		f.legend = append(f.legend, entry{name, &plotter.Line{LineStyle: s}})
	}
}

// points draws glyphs and enters them into the legend.
func (f *figure) points(name string, xys plotter.XYs, s draw.GlyphStyle) {
	var seen plotter.XYs
	for _, run := range runs(xys) {
		seen = append(seen, run...)
	}
	f.plot.Add(clipped{&plotter.Scatter{XYs: seen, GlyphStyle: s}})
	if name != "" {
		f.legend = append(f.legend, entry{name, &plotter.Scatter{GlyphStyle: s}})
	}
}

// clipped keeps what a plotter draws inside of the axes, by leaving out points
// and cutting lines; it does not widen the axes.
type clipped struct{ plotter plot.Plotter }

func (k clipped) Plot(c draw.Canvas, p *plot.Plot) {
	if l, ok := k.plotter.(*plotter.Line); ok {
		x, y := p.Transforms(&c)
		pts := make([]vg.Point, len(l.XYs))
		for i, v := range l.XYs {
			pts[i] = vg.Point{X: x(v.X), Y: y(v.Y)}
		}
		c.StrokeLines(l.LineStyle, c.ClipLinesXY(pts)...)
		return
	}
	k.plotter.Plot(c, p)
}
