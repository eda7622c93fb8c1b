package main

import (
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/gobackend"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

var small = settings{steps: 6, batch: 1, every: 3, rate: 0.01, seed: 7}

func trained(t *testing.T, ctx context.Context, d *data, s settings) (points []point, predicted []uint8, err error) {
	t.Helper()
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	tr, err := newTrainer(backend, d, "dice + ce", s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tr.run(ctx, func(p point) { points = append(points, p) }); err != nil {
		return points, nil, err
	}
	_, predicted, err = tr.test(ctx)
	return points, predicted, err
}

// Two trainings give the same bits, another seed others, the loss falls, and what
// is left of it can be read.
func TestTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("three trainings take minutes under the race detector")
	}
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	points, predicted, err := trained(t, t.Context(), d, small)
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 2 || points[1].step != 6 || !(points[1].loss < points[0].loss) {
		t.Errorf("points %+v, want two with a loss that falls", points)
	}
	again, predictedAgain, err := trained(t, t.Context(), d, small)
	if err != nil || !reflect.DeepEqual(again, points) || !slices.Equal(predicted, predictedAgain) {
		t.Errorf("a second training gives %+v, %v, the first %+v", again, err, points)
	}
	other := small
	other.seed++
	if again, _, err = trained(t, t.Context(), d, other); err != nil || reflect.DeepEqual(again, points) {
		t.Errorf("another seed gives the same points, %v", err)
	}

	out := t.TempDir()
	if err := report(out, "dice + ce", d, points, predicted); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curves.png", "picture.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
	csv, err := os.ReadFile(filepath.Join(out, "points.csv"))
	if err != nil || strings.Count(string(csv), "\n") != 3 {
		t.Errorf("points.csv: %v, %q", err, csv)
	}
}

func TestInterrupt(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if points, _, err := trained(t, ctx, d, small); !errors.Is(err, context.Canceled) || len(points) != 0 {
		t.Errorf("interrupted: %v, %v", points, err)
	}
}

// Every loss of the table can be trained with.
func TestExpressions(t *testing.T) {
	for _, expr := range expressions() {
		loss, err := kernels.Parse(expr)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := kernels.New[float32](loss, kernels.Spec{N: 1, C: brain.Classes, S: 1, Activation: kernels.Softmax, Layout: kernels.NSC}); err != nil {
			t.Error(err)
		}
	}
}

func TestDescribe(t *testing.T) {
	intensity := make([]uint8, brain.Voxels)
	const z, y, x = 3, 0, 5
	intensity[z*plane+y*brain.X+x] = 255
	f := describe(intensity, z)
	if len(f) != plane*features {
		t.Fatalf("%d features, want %d", len(f), plane*features)
	}
	voxel := func(y, x int) []float32 { return f[(y*brain.X+x)*features:][:features] }
	// At the border the patch repeats the first row, so that the voxel is seen three times.
	bright := 0
	for _, v := range voxel(y, x)[:near*near] {
		if v == 1 {
			bright++
		}
	}
	if bright != 3 {
		t.Errorf("a bright voxel at the border is seen %d times, want 3", bright)
	}
	// From below and two columns to the right it is the first of the patch's second row.
	if row := voxel(1, x+2)[near : 2*near]; row[0] != 1 || row[1] != -1 {
		t.Errorf("the row above starts with %v, want a bright voxel and a dark one", row[:2])
	}
	if a, b := voxel(9, 20)[features-perAxis:], voxel(9, brain.X-20)[features-perAxis:]; !slices.Equal(a, b) {
		t.Errorf("left and right have positions %v and %v", a, b)
	}
}

func TestScore(t *testing.T) {
	class := make([]uint8, 2)
	argmax(class, []float32{0, 3, 3, 1, 0, 0, 0, -1, -2, -3, -1, -4, -5, -1})
	if class[0] != 1 || class[1] != 0 {
		t.Errorf("classes %v, want the first of equals: 1, 0", class)
	}
	m := kernels.Confusion{Classes: brain.Classes, Counts: make([]float64, brain.Classes*brain.Classes)}
	m.Counts[0], m.Counts[rarest], m.Counts[rarest*brain.Classes], m.Counts[rarest*brain.Classes+rarest] = 90, 2, 4, 6
	s := scoreOf(&m)
	if s.Dice[rarest] != 12./18 || s.Recall[rarest] != .6 || s.Precision[rarest] != .75 || s.Precision[1] != 0 {
		t.Errorf("score %+v", s)
	}
}

func TestRow(t *testing.T) {
	var points []point
	for i, dice := range []float64{0, .4, .5, .5, .7, .7} {
		p := point{step: 10 * (i + 1)}
		p.score.Dice[rarest] = dice
		points = append(points, p)
	}
	r := rowOf("dice", points, 3*time.Millisecond)
	if r.found != 30 || math.Abs(r.wobble-.1) > 1e-12 {
		t.Errorf("found after %d steps, ± %v; want 30, 0.1", r.found, r.wobble)
	}
	if len(r.cells()) != len(columns()) {
		t.Errorf("%d cells in %d columns", len(r.cells()), len(columns()))
	}
	if cells := rowOf("dice", points[:1], 0).cells(); !slices.Contains(cells, "never") {
		t.Errorf("not found is %v", cells)
	}
}

func TestSettings(t *testing.T) {
	if err := small.check(); err != nil {
		t.Error(err)
	}
	for _, s := range []settings{{}, {steps: 1, batch: 33, every: 1, rate: 1}, {steps: 1, batch: 1, rate: 1}, {steps: 1, batch: 1, every: 1, rate: math.NaN()}} {
		if s.check() == nil {
			t.Errorf("no error for %+v", s)
		}
	}
}
