package main

import (
	"context"
	"encoding/xml"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segloss/segloss/gradcheck"
	"gonum.org/v1/plot/plotter"
)

// TestPlot draws every picture in both formats, and asks that the file is one
// and has something in it.
func TestPlot(t *testing.T) {
	for _, args := range []string{
		"vcurve",
		"vcurve -loss exp_log_dice -p 0.25 -t 1 -smooth 1e-5",
		"vcurve -loss iou -p 0 -t 0.5",
		"vcurve -loss bce -p 1e-3 -t 1",
		"heatmap",
		"heatmap -loss ss -smooth 1e-3",
		"taylor",
		"taylor -loss tversky -activation none",
		"ulp -loss dice -activation none",
	} {
		for _, ending := range []string{".png", ".svg"} {
			file := filepath.Join(t.TempDir(), "out"+ending)
			code, stdout, stderr := runCommand(append(append([]string{"plot"}, strings.Fields(args)...), "-o", file)...)
			if code != exitOK || stdout != file+"\n" || stderr != "" {
				t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
				continue
			}
			if ending == ".png" {
				checkPNG(t, args, file)
			} else {
				checkSVG(t, args, file)
			}
		}
	}
}

// TestPictures holds the README's pictures to what the command draws now. The
// noise of differences is not the same on every machine, so one pixel in fifty
// may differ.
func TestPictures(t *testing.T) {
	for _, picture := range []string{"vcurve", "heatmap"} {
		file := filepath.Join(t.TempDir(), "new.png")
		if code, _, stderr := runCommand("plot", picture, "-o", file); code != exitOK {
			t.Fatalf("%s: exit code %d, %s", picture, code, stderr)
		}
		now, then := readPNG(t, file), readPNG(t, filepath.Join("..", "..", "docs", picture+".png"))
		if now.Bounds() != then.Bounds() {
			t.Errorf("docs/%s.png is %v, drawn now %v: run make readme", picture, then.Bounds(), now.Bounds())
			continue
		}
		b, differ := now.Bounds(), 0
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				if now.At(x, y) != then.At(x, y) {
					differ++
				}
			}
		}
		if differ*50 > b.Dx()*b.Dy() {
			t.Errorf("docs/%s.png differs in %d of %d pixels: run make readme", picture, differ, b.Dx()*b.Dy())
		}
	}
}

// readPNG decodes a file.
func readPNG(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return img
}

func checkPNG(t *testing.T, what, file string) {
	t.Helper()
	img := readPNG(t, file)
	colours := map[any]bool{}
	b := img.Bounds()
	for x := b.Min.X; x < b.Max.X; x += 3 {
		for y := b.Min.Y; y < b.Max.Y; y += 3 {
			colours[img.At(x, y)] = true
		}
	}
	if b.Dx() < 800 || b.Dy() < 450 || len(colours) < 20 {
		t.Errorf("%s: %v with %d colours", what, b, len(colours))
	}
}

func checkSVG(t *testing.T, what, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	elements := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	if elements < 50 || !strings.Contains(string(text), "sans-serif") || strings.Contains(string(text), "NaN") {
		t.Errorf("%s: %d elements", what, elements)
	}
}

func TestPlotErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.png")
	for _, tt := range []struct{ args, want string }{
		{"plot", "which picture?"},
		{"plot -o OUT", "which picture?"},
		{"plot histogram -o OUT", `unknown picture "histogram"`},
		{"plot vcurve", "must be given"},
		{"plot vcurve -o out.jpg", ".png or .svg"},
		{"plot vcurve extra -o OUT", `"extra"`},
		{"plot vcurve -o OUT -x", "-x"},
		{"plot vcurve -o missing/out.png", "missing/out.png"},
		{"plot vcurve -o OUT -smooth 0,1", "one constant"},
		{"plot vcurve -o OUT -activation softmax", "-activation has no meaning for vcurve"},
		{"plot vcurve -o OUT -loss bce_dice", "2 terms"},
		{"plot vcurve -o OUT -t 0", "no relative error"},
		{"plot vcurve -o OUT -loss exp_log_dice -p 0.5 -t 0", "no derivative"},
		{"plot vcurve -o OUT -loss exp_log_dice -p 0 -t 0", "no relative error"},
		{"plot heatmap -o OUT -loss bce", "no smoothing"},
		{"plot heatmap -o OUT -loss dicee", "dicee"},
		{"plot heatmap -o OUT -smooth 0,1,2,3,4", "four"},
		{"plot heatmap -o OUT -p 1", "-p has no meaning"},
		{"plot taylor -o OUT -loss dice(", "-loss"},
		{"plot taylor -o OUT -loss dice(weight=[1])", "weight"},
		{"plot ulp -o OUT -loss dice(", "-loss"},
		{"plot ulp -o OUT -loss dice(weight=[1,2,3,4,5,6])", "no tensor of the table fits"},
	} {
		args := strings.Fields(strings.ReplaceAll(tt.args, "OUT", out))
		code, stdout, stderr := runCommand(args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d and an error with %q", tt.args, code, stdout, stderr, exitUsage, tt.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an error left a file behind")
	}
}

func TestPlotInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, picture := range []string{"ulp", "taylor"} {
		var out, err strings.Builder
		if code := run(ctx, []string{"plot", picture, "-o", filepath.Join(t.TempDir(), "out.png")}, &out, &err); code != exitInconclusive {
			t.Errorf("%s: exit code %d, stderr %q", picture, code, err.String())
		}
	}
}

func TestDecades(t *testing.T) {
	labels := func(d decades, lo, hi float64) (all []string, minor int) {
		for _, tick := range d.Ticks(lo, hi) {
			if tick.IsMinor() {
				minor++
			} else {
				all = append(all, tick.Label)
			}
			if tick.Value < lo-1e-6 || tick.Value > hi+1e-6 {
				t.Errorf("a tick at %g outside of %g to %g", tick.Value, lo, hi)
			}
		}
		return all, minor
	}
	for _, tt := range []struct {
		d      decades
		lo, hi float64
		want   string
		minor  int
	}{
		{decades{10}, -5, 2, "1e-5 1e-4 1e-3 1e-2 0.1 1 10 1e2", 7 * 8},
		{decades{3}, -9, 0, "1e-9 1e-6 1e-3 1", 6},
		{decades{10}, -0.5, 0.5, "1", 6 + 2},
	} {
		got, minor := labels(tt.d, tt.lo, tt.hi)
		if s := strings.Join(got, " "); s != tt.want || minor != tt.minor {
			t.Errorf("%g to %g: %q and %d minor ticks, want %q and %d", tt.lo, tt.hi, s, minor, tt.want, tt.minor)
		}
	}
}

func TestRuns(t *testing.T) {
	nan := math.NaN()
	got := runs(plotter.XYs{{X: nan, Y: 1}, {X: 1, Y: 1}, {X: 2, Y: 2}, {X: 3, Y: math.Inf(-1)}, {X: 4, Y: 4}})
	if len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 1 {
		t.Errorf("%v", got)
	}
	if !math.IsNaN(log(0)) || !math.IsNaN(log(-1)) || !math.IsNaN(log(math.Inf(1))) || log(100) != 2 {
		t.Error("log of what has none")
	}
}

// TestHistogram: the shares add up to all, with what lies outside in the first
// and the last bin.
func TestHistogram(t *testing.T) {
	xys := histogram([]float64{0, 1e-9, -0.5, 2, 1e9})
	sum := 0.0
	for i := 1; i+2 < len(xys); i += 2 {
		if xys[i].Y > leastAt {
			sum += math.Pow(10, xys[i].Y)
		}
	}
	if math.Abs(sum-100) > 1e-9 || math.Abs(xys[1].Y-math.Log10(40)) > 1e-9 || math.Abs(xys[len(xys)-2].Y-math.Log10(20)) > 1e-9 {
		t.Errorf("sum %g, %v", sum, xys)
	}
	if got := describe(gradcheck.Rounding{Backend: "b", Errors: []float64{-3, 1, 2}}); got != "b f64: 3 elements, median 2, largest 3" {
		t.Error(got)
	}
	if got := describe(gradcheck.Rounding{Backend: "b"}); got != "b f64: nothing" {
		t.Error(got)
	}
}

// TestVcurve: the naive error is large where the other checkers step, and the
// estimate's is within its claim.
func TestVcurve(t *testing.T) {
	v := vcurve{p: 1e-6, t: 1e-6}
	if err := v.measure("dice", optional[float64]{set: true}); err != nil {
		t.Fatal(err)
	}
	least, at1e6 := math.Inf(1), 0.0
	for _, p := range v.naive() {
		least = min(least, p.Y)
		if math.Abs(p.X+6) < 0.02 {
			at1e6 = math.Pow(10, p.Y)
		}
	}
	if math.Abs(at1e6-1.0/3) > 0.05 || least > -6 {
		t.Errorf("at 1e-6 the naive error is %g, the least is 1e%g", at1e6, least)
	}
	if got := v.error(v.estimate.Value); got > log(v.estimate.Err/0.5) {
		t.Errorf("the estimate is 1e%g off", got)
	}
	noise, truncation := v.branches()
	if !(noise[0].Y > noise[1].Y) || math.Abs(truncation[1].Y-truncation[0].Y-2*(truncation[1].X-truncation[0].X)) > 1e-6 {
		t.Errorf("noise %v, truncation %v", noise, truncation)
	}
}

// TestRemainder: slope 2 for the right gradient, 1 for the wrong one.
func TestRemainder(t *testing.T) {
	ctx := context.Background()
	r, err := newRemainder(ctx, "dice", 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ factor, from, to, want float64 }{{1, -4, -2, 2}, {taylorDefect, -8, -6, 1}} {
		var low, high plotter.XY
		for _, p := range r.of(ctx, tt.factor) {
			if p.X <= tt.from {
				low = p
			}
			if p.X <= tt.to {
				high = p
			}
		}
		if got := (high.Y - low.Y) / (high.X - low.X); math.Abs(got-tt.want) > 0.05 {
			t.Errorf("factor %g: slope %g, want %g", tt.factor, got, tt.want)
		}
	}
}

// TestHeat: the colours of a zero and of what is not finite, and the border of
// the reversed sign of Dice, at 2t² = s(1−2t).
func TestHeat(t *testing.T) {
	h, err := newHeat("dice", []float64{0, 1e-3})
	if err != nil {
		t.Fatal(err)
	}
	if h.colour(math.Inf(-1)) != viridis[0] || h.colour(h.hi) != viridis[len(viridis)-1] || h.colour(math.NaN()) != h.colour(math.Inf(1)) {
		t.Error("the ends of the colours")
	}
	none, some := panel{h, &h.fields[0]}, panel{h, &h.fields[1]}
	if none.reversed() || !some.reversed() {
		t.Error("where the sign is reversed")
	}
	for j := range heatCells {
		tt := middle(j)
		if got, want := some.turned(j, 5), 2*tt*tt < 1e-3*(1-2*tt); got != want {
			t.Errorf("t = %g: reversed is %v", tt, got)
		}
	}
	empty := heat{fields: make([]field, 1)}
	if lo, hi := empty.colours(); lo != -1 || hi != 1 {
		t.Errorf("colours of nothing: %g to %g", lo, hi)
	}
}
