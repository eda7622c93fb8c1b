package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/segloss/segloss/internal/brain"
)

// colours of the structures, of Okabe and Ito, which readers with any of the common
// colour blindnesses can tell apart. The background has none.
var colours = [brain.Classes]color.NRGBA{
	{},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xf0, 0xe4, 0x42, 0xff},
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
}

// report writes what is left of a training.
func report(out string, d *data, t *training, predicted []uint8) error {
	if err := writeCSV(filepath.Join(out, "points.csv"), pointRows([]*training{t})); err != nil {
		return err
	}
	if err := curves(filepath.Join(out, "curves.png"), t.expr, t.points); err != nil {
		return err
	}
	if err := writePNG(filepath.Join(out, "picture.png"), picture(d, predicted)); err != nil {
		return err
	}
	fmt.Printf("points.csv, curves.png and picture.png are in %s\n", out)
	return nil
}

func pointRows(runs []*training) [][]string {
	rows := [][]string{{"expression", "seed", "step", "loss"}}
	for _, name := range brain.Names {
		rows[0] = append(rows[0], "dice "+name, "recall "+name, "precision "+name)
	}
	for _, t := range runs {
		for _, p := range t.points {
			row := []string{t.expr, fmt.Sprint(t.seed), fmt.Sprint(p.step), fmt.Sprint(p.loss)}
			for c := range brain.Classes {
				row = append(row, fmt.Sprint(p.score.Dice[c]), fmt.Sprint(p.score.Recall[c]), fmt.Sprint(p.score.Precision[c]))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// curves draws the loss, and below it the Dice of each structure.
func curves(path, expr string, points []point) error {
	loss, dice := plot.New(), diceOverSteps()
	loss.Title.Text, loss.Y.Label.Text, loss.X.Min = expr, "loss", 0
	if err := add(loss, "", color.Black, points, func(p point) float64 { return p.loss }); err != nil {
		return err
	}
	for c := 1; c < brain.Classes; c++ {
		if err := add(dice, brain.Names[c], colours[c], points, func(p point) float64 { return p.score.Dice[c] }); err != nil {
			return err
		}
	}
	canvas := vgimg.New(6*vg.Inch, 7*vg.Inch)
	parts := plot.Align([][]*plot.Plot{{loss}, {dice}}, draw.Tiles{Rows: 2, Cols: 1}, draw.New(canvas))
	loss.Draw(parts[0][0])
	dice.Draw(parts[1][0])
	return writePNG(path, canvas.Image())
}

// diceOverSteps is a plot without lines.
func diceOverSteps() *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "step", "Dice on the test slices"
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, 1
	p.Legend.Left, p.Legend.Top = true, true
	return p
}

// add draws a line, with a name in the legend or without.
func add(p *plot.Plot, name string, c color.Color, points []point, value func(point) float64) error {
	xy := make(plotter.XYs, len(points))
	for i, at := range points {
		xy[i] = plotter.XY{X: float64(at.step), Y: value(at)}
	}
	l, err := plotter.NewLine(xy)
	if err != nil {
		return err
	}
	l.Color, l.Width = c, vg.Points(1.5)
	p.Add(l)
	if name != "" {
		p.Legend.Add(name, l)
	}
	return nil
}

// rarestCurves draws the Dice of the rarest structure for losses that count voxels,
// that count structures, and that do both: a line for each seed.
func rarestCurves(path string, runs []*training) error {
	p := diceOverSteps()
	p.Title.Text = brain.Names[rarest]
	shown := []string{"ce", "focal_ce", "dice", "dice(batch=true)", "dice_ce", "dice + focal_ce"}
	named := map[string]bool{}
	for _, t := range runs {
		k := slices.Index(shown, t.expr)
		if k < 0 {
			continue
		}
		name := t.expr
		if named[name] {
			name = ""
		}
		named[t.expr] = true
		if err := add(p, name, colours[k+1], t.points, func(at point) float64 { return at.score.Dice[rarest] }); err != nil {
			return err
		}
	}
	canvas := vgimg.New(6*vg.Inch, 4*vg.Inch)
	p.Draw(draw.New(canvas))
	return writePNG(path, canvas.Image())
}

// picture shows image, truth and prediction side by side, in the test slice that
// has most of the rarest structure.
func picture(d *data, predicted []uint8) image.Image {
	best, most := 1, -1
	for _, z := range slicesOf(1) {
		n := 0
		for _, y := range d.label[z*plane : (z+1)*plane] {
			if y == rarest {
				n++
			}
		}
		if n > most {
			best, most = z, n
		}
	}
	const zoom = 4
	img := image.NewNRGBA(image.Rect(0, 0, 3*zoom*brain.X, zoom*brain.Y))
	nothing := make([]uint8, brain.Voxels)
	for part, class := range [][]uint8{nothing, d.label, predicted} {
		for y := range zoom * brain.Y {
			for x := range zoom * brain.X {
				// The volume's y runs from back to front, a picture's down.
				i := best*plane + (brain.Y-1-y/zoom)*brain.X + x/zoom
				c := color.NRGBA{d.intensity[i], d.intensity[i], d.intensity[i], 0xff}
				if class[i] != 0 {
					c = colours[class[i]]
				}
				img.SetNRGBA(part*zoom*brain.X+x, y, c)
			}
		}
	}
	return img
}

func writePNG(path string, img image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, img); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
