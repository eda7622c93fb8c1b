package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/kernels"
)

const usagePlot = `Usage: gradcheck plot vcurve|heatmap|taylor|ulp -o file [flags]

Plot draws a picture, into a file that ends in .png or .svg:

	vcurve   the error of difference quotients of one pixel against their step:
	         of plain central differences, with their noise and truncation, and of
	         the values extrapolated from each step of gradcheck's ladder, with the
	         one it chose and the error it claims (-loss, -p, -t, -smooth)
	heatmap  the size of the derivative of one pixel over p and t, side by side
	         for each constant of the list -smooth (-loss, -smooth)
	taylor   the remainder |f(x+hd) − f(x) − h g·d| against h, on a small tensor,
	         for the right gradient g and for one that is 0.05% too large
	         (-loss, -activation)
	ulp      how the rounding errors of the gradients are spread, for each backend
	         and type, over the table of small tensors (-loss, -activation)
`

// A plotting is one run of plot.
type plotting struct {
	fs         *flag.FlagSet
	loss       string
	p, t       optional[float64]
	smooth     optional[[]float64]
	activation optional[kernels.Activation]
	out        string
	progress   *progress
}

func setupPlot(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	c := plotting{fs: fs}
	fs.StringVar(&c.out, "o", "", "the `file`, .png or .svg, required")
	fs.StringVar(&c.loss, "loss", "", "the loss `expression` (default dice; ulp: every loss)")
	c.p.flagFunc(fs, "p", "the `probability` of a pixel (default 1e-6)", parseUnit)
	c.t.flagFunc(fs, "t", "the `target` of a pixel (default 1e-6)", parseUnit)
	c.smooth.flagFunc(fs, "smooth", "smoothing constant, of heatmap a `list` of up to four (default of vcurve 0, of heatmap 0,1e-7,1e-5,1e-3)", parseList(parseSmooth))
	c.activation.flagFunc(fs, "activation", "`none`, sigmoid or softmax (default of taylor softmax, of ulp all)", kernels.ParseActivation)
	return c.run
}

// A picture is one that plot can draw.
type picture struct {
	name  string
	flags []string // that it knows, beside -o
	draw  func(*plotting, context.Context) (drawing, error)
}

var pictures = []picture{
	{"vcurve", []string{"loss", "p", "t", "smooth"}, (*plotting).vcurve},
	{"heatmap", []string{"loss", "smooth"}, (*plotting).heatmap},
	{"taylor", []string{"loss", "activation"}, (*plotting).taylor},
	{"ulp", []string{"loss", "activation"}, (*plotting).ulp},
}

func (c *plotting) run(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	c.progress = newProgress(stderr)
	pic, err := c.picture()
	if err != nil {
		return exitUsage, err
	}
	save, err := saver(c.out)
	if err != nil {
		return exitUsage, argument("-o", err)
	}
	if _, err := destination(c.out); err != nil {
		return exitUsage, argument("-o", fmt.Errorf("%s: %w", c.out, err))
	}
	d, err := pic.draw(c, ctx)
	if err != nil {
		return exitUsage, err
	}
	if err := replaceFile(c.out, func(w io.Writer) error { return save(d, w) }); err != nil {
		return exitUsage, argument("-o", fmt.Errorf("%s: %w", c.out, err))
	}
	_, err = fmt.Fprintf(stdout, "%s\n", c.out)
	return exitOK, err
}

// picture finds the picture that was asked for, and refuses flags that it does
// not know.
func (c *plotting) picture() (picture, error) {
	var allowed []string
	for _, pic := range pictures {
		allowed = append(allowed, pic.name)
	}
	if c.fs.NArg() == 0 {
		return picture{}, fmt.Errorf("which picture? One of %s", strings.Join(allowed, ", "))
	}
	i := slices.Index(allowed, c.fs.Arg(0))
	if i < 0 {
		return picture{}, fmt.Errorf("unknown picture %q; %s", c.fs.Arg(0), names.Suggest(c.fs.Arg(0), allowed))
	}
	var err error
	c.fs.Visit(func(f *flag.Flag) {
		if f.Name != "o" && !slices.Contains(pictures[i].flags, f.Name) {
			err = fmt.Errorf("-%s has no meaning for %s", f.Name, allowed[i])
		}
	})
	return pictures[i], err
}

// saver returns what writes a drawing in the format that the file's ending says.
func saver(file string) (func(drawing, io.Writer) error, error) {
	switch ext := filepath.Ext(file); {
	case file == "":
		return nil, errors.New("must be given: a file that ends in .png or .svg")
	case ext == ".png":
		return drawing.writePNG, nil
	case ext == ".svg":
		return drawing.writeSVG, nil
	default:
		return nil, fmt.Errorf("%s: want a file that ends in .png or .svg", file)
	}
}

// expression returns the loss, or the default.
func (c *plotting) expression() string {
	if c.loss == "" {
		return "dice"
	}
	return c.loss
}
