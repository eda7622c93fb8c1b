package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/kernels"
)

const usageCond = `Usage: gradcheck cond -loss expression [-p list] [-t list] [-smooth list]

Cond tabulates the derivative of a loss by the probability p of a single pixel
with the target t, its slope, and its condition, at every p, t and smooth of the
lists, all computed exactly and rounded at the end:

	gradcheck cond -loss dice

Condition is what a relative error of p or of t is multiplied by in the
derivative. The last column says what smoothing has done to the derivative: that
it has another sign, another size (by more than 10%, with the factor), or is
there where it was 0. What follows the table sums that up for choosing smooth,
which is eps in dice2 and ss.
`

// A conditioning is one run of cond.
type conditioning struct {
	loss         string
	p, t, smooth optional[[]float64]
}

func setupCond(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	var c conditioning
	fs.StringVar(&c.loss, "loss", "", "the loss `expression`, of one term, required")
	c.p.flagFunc(fs, "p", "`list` of probabilities (default 1e-9,1e-6,1e-3,1)", parseList(parseUnit))
	c.t.flagFunc(fs, "t", "`list` of targets (default 0,1e-6,1e-3,1)", parseList(parseUnit))
	c.smooth.flagFunc(fs, "smooth", "`list` of smoothing constants; 0 is added (default 1e-7,1e-5,1e-3,1)", parseList(parseSmooth))
	return c.run
}

func (c *conditioning) run(ctx context.Context, stdout, _ io.Writer) (int, error) {
	g, err := newGrid(c)
	if err != nil {
		return exitUsage, err
	}
	if err := g.fill(ctx); err != nil {
		return exitUsage, argument("-loss", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s of one pixel\n\n", c.loss)
	g.writeTable(&b)
	g.writeSummary(&b)
	_, err = stdout.Write(trailing.ReplaceAll(b.Bytes(), nil))
	return exitOK, err
}

// A grid is the derivatives at every t, p and smoothing constant.
type grid struct {
	knob   string // the option that smooths
	p, t   []float64
	smooth []float64     // the first is 0
	terms  []*pixel      // for each smoothing constant
	cells  []exact.Pixel // [t][p][smooth]
}

func newGrid(c *conditioning) (*grid, error) {
	g := &grid{p: []float64{1e-9, 1e-6, 1e-3, 1}, t: []float64{0, 1e-6, 1e-3, 1}, smooth: []float64{1e-7, 1e-5, 1e-3, 1}}
	if c.p.set {
		g.p = c.p.v
	}
	if c.t.set {
		g.t = c.t.v
	}
	if c.smooth.set {
		g.smooth = c.smooth.v
	}
	g.smooth = append([]float64{0}, slices.DeleteFunc(slices.Clone(g.smooth), func(v float64) bool { return v == 0 })...)
	for _, v := range []*[]float64{&g.p, &g.t, &g.smooth} {
		slices.Sort(*v)
		*v = slices.Compact(*v)
	}
	plain, err := newPixel(c.loss, optional[float64]{})
	if err != nil {
		return nil, err
	}
	if g.knob, err = knobOf(plain.term.Name, c.loss); err != nil {
		return nil, argument("-loss", err)
	}
	for _, s := range g.smooth {
		x, err := newPixel(withOption(c.loss, g.knob, s), optional[float64]{})
		if err != nil {
			return nil, err
		}
		g.terms = append(g.terms, x)
	}
	return g, nil
}

// knobOf returns the option of a loss that smooths it, which the expression
// must leave to the table.
func knobOf(name, expr string) (string, error) {
	for _, in := range kernels.Losses() {
		if in.Name != name {
			continue
		}
		for _, o := range in.Options {
			if o.Name != "smooth" && o.Name != "eps" {
				continue
			}
			if regexp.MustCompile(`\b` + o.Name + `\s*=`).MatchString(expr) {
				return "", fmt.Errorf("%s: the table varies %s; leave it out and use -smooth", expr, o.Name)
			}
			return o.Name, nil
		}
	}
	return "", fmt.Errorf("%s has no smoothing: neither smooth nor eps", name)
}

func (g *grid) fill(ctx context.Context) error {
	for _, t := range g.t {
		for _, p := range g.p {
			if err := ctx.Err(); err != nil {
				return err
			}
			for _, x := range g.terms {
				cell, _, err := exact.At(x.exact, p, t)
				if errors.Is(err, exact.ErrUnjudged) { // there is no derivative
					cell = exact.Pixel{DP: math.NaN(), DPP: math.NaN(), DPT: math.NaN()}
				} else if err != nil {
					return err
				}
				g.cells = append(g.cells, cell)
			}
		}
	}
	return nil
}

// row returns the derivatives of one pixel for each smoothing constant.
func (g *grid) row(t, p int) []exact.Pixel {
	n := len(g.smooth)
	return g.cells[(t*len(g.p)+p)*n:][:n]
}

// writeTable prints a line for every cell, t by t.
func (g *grid) writeTable(b *bytes.Buffer) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "t\tp\t%s\t∂L/∂p\t|∂²L/∂p²|\tcondition p\tcondition t\tsmoothing\n", g.knob)
	for i, t := range g.t {
		for j, p := range g.p {
			row := g.row(i, j)
			for k, c := range row {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", exactly(t), exactly(p), exactly(g.smooth[k]), short(c.DP), short(math.Abs(c.DPP)),
					short(condition(p, c.DPP, c.DP)), short(condition(t, c.DPT, c.DP)), effectOf(row[0].DP, c.DP))
			}
		}
	}
	w.Flush()
	block := len(g.p) * len(g.smooth)
	for i, line := range strings.SplitAfter(table.String(), "\n") {
		if i > 1 && (i-1)%block == 0 && line != "" {
			b.WriteByte('\n')
		}
		b.WriteString(line)
	}
}

func short(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return format(v, 3)
}

// An effect is what smoothing did to a derivative.
type effect struct {
	reversed, resized, added bool
	factor                   float64
}

// resized is the relative change of a derivative that counts as one.
const resized = 0.1

func effectOf(without, with float64) effect {
	switch {
	case with == without, math.IsNaN(with), math.IsNaN(without), math.IsInf(without, 0):
		return effect{factor: 1}
	case without == 0:
		return effect{added: true}
	}
	f := with / without
	return effect{reversed: f < 0, resized: math.Abs(math.Abs(f)-1) > resized, factor: math.Abs(f)}
}

func (e effect) String() string {
	var what []string
	if e.added {
		what = append(what, "not 0")
	}
	if e.reversed {
		what = append(what, "sign")
	}
	if e.resized {
		what = append(what, "×"+format(e.factor, 2))
	}
	return strings.Join(what, ", ")
}

// writeSummary says, for each smoothing constant, what it does.
func (g *grid) writeSummary(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nAgainst %s = 0:\n", g.knob)
	for k := 1; k < len(g.smooth); k++ {
		s := g.sum(k)
		fmt.Fprintf(b, "  %s = %s: of %d derivatives %d have another sign and %d another size;\n    the sign is kept %s, the size %s",
			g.knob, exactly(g.smooth[k]), s.all, s.reversed, s.resized, from(s.sign), from(s.size))
		if s.added > 0 {
			fmt.Fprintf(b, "; where there was none, up to %s", short(s.added))
		}
		b.WriteString("\n")
	}
	b.WriteString("Largest |∂²L/∂p²|:")
	for k, s := range g.smooth {
		fmt.Fprintf(b, " %s with %s,", short(g.steepest(k)), exactly(s))
	}
	b.Truncate(b.Len() - 1)
	fmt.Fprintf(b, `.
Take the %[1]s that keeps the sign, and the size if you need it, at the smallest target
that matters to you; look at what it adds where there was no gradient (an empty
mask), and at the slope ∂²L/∂p², which is what makes training unsteady.
`, g.knob)
}

// A summary counts the effects of one smoothing constant.
type summary struct {
	all, reversed, resized int
	sign, size             float64 // the least t from which on they are kept at every p; NaN for none
	added                  float64 // the largest derivative where there was none
}

func (g *grid) sum(k int) summary {
	s := summary{sign: math.NaN(), size: math.NaN()}
	sign, size := true, true
	for i := len(g.t) - 1; i >= 0; i-- {
		for j := range g.p {
			row := g.row(i, j)
			e := effectOf(row[0].DP, row[k].DP)
			if e.added {
				s.added = max(s.added, math.Abs(row[k].DP))
				sign, size = false, false
				continue
			}
			s.all++
			if e.reversed {
				s.reversed++
				sign, size = false, false
			}
			if e.resized {
				s.resized++
				size = false
			}
		}
		if sign {
			s.sign = g.t[i]
		}
		if size {
			s.size = g.t[i]
		}
	}
	return s
}

// from says from which target on something holds.
func from(t float64) string {
	if math.IsNaN(t) {
		return "nowhere"
	}
	return "from t = " + exactly(t)
}

// steepest returns the largest |∂²L/∂p²| with smoothing constant k.
func (g *grid) steepest(k int) float64 {
	most := 0.0
	for i := range g.t {
		for j := range g.p {
			if v := math.Abs(g.row(i, j)[k].DPP); v > most {
				most = v
			}
		}
	}
	return most
}
