package main

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// The colours are those of Okabe and Ito, which readers with any of the common
// colour blindnesses can tell apart.
var colours = []color.Color{
	color.NRGBA{0xe6, 0x9f, 0x00, 0xff},
	color.NRGBA{0x56, 0xb4, 0xe9, 0xff},
	color.NRGBA{0x00, 0x72, 0xb2, 0xff},
	color.NRGBA{0x00, 0x9e, 0x73, 0xff},
}

var grey = color.NRGBA{0x80, 0x80, 0x80, 0xff}

const thickness = 12

// draw makes a group of bars for each kernel, the first at the top, and a line
// at the ceiling.
func (b *bars) draw() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = b.title
	p.X.Label.Text = "part of the ceiling for the same traffic"
	p.Y.Label.Text = " " // leaves room for the longest name
	p.X.Min, p.X.Max = 0, 1
	names := slices.Clone(b.kernels)
	slices.Reverse(names)
	p.NominalY(names...)
	n := len(b.backends)
	for i, backend := range b.backends {
		values := plotter.Values(slices.Clone(b.part[i]))
		slices.Reverse(values)
		for _, v := range values {
			p.X.Max = max(p.X.Max, v)
		}
		chart, err := plotter.NewBarChart(values, thickness)
		if err != nil {
			return nil, err
		}
		chart.Horizontal = true
		chart.LineStyle.Width = 0
		chart.Color = colours[i%len(colours)]
		chart.Offset = thickness * (vg.Length(n-1)/2 - vg.Length(i))
		p.Add(chart)
		p.Legend.Add(backend, chart)
	}
	ceiling, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(names)) - 0.5}})
	if err != nil {
		return nil, err
	}
	ceiling.Color, ceiling.Dashes = grey, []vg.Length{4, 3}
	p.Add(ceiling)
	p.Legend.Add("ceiling", ceiling)
	p.Legend.Top, p.Legend.XOffs = true, -12
	p.X.Max *= 1.3 // leaves room for the legend
	return p, nil
}
