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

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

var small = settings{steps: 6, batch: 1, every: 3, rate: 0.01, seed: 7, seeds: 1}

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

// The loss falls, and what is left of the training can be read.
func TestTraining(t *testing.T) {
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
	if !testing.Short() {
		repeat(t, d, points, predicted)
	}

	out := t.TempDir()
	if err := report(out, d, &training{expr: "dice + ce", points: points}, predicted); err != nil {
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

// repeat sees that a second training gives the same bits, and another seed others.
func repeat(t *testing.T, d *data, points []point, predicted []uint8) {
	t.Helper()
	again, predictedAgain, err := trained(t, t.Context(), d, small)
	if err != nil || !reflect.DeepEqual(again, points) || !slices.Equal(predicted, predictedAgain) {
		t.Errorf("a second training gives %+v, %v, the first %+v", again, err, points)
	}
	other := small
	other.seed++
	if again, _, err = trained(t, t.Context(), d, other); err != nil || reflect.DeepEqual(again, points) {
		t.Errorf("another seed gives the same points, %v", err)
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

func TestStandardise(t *testing.T) {
	slice := func(v float32) []float32 {
		s := make([]float32, plane*features)
		for i := range s {
			s[i] = v + float32(i%features)
		}
		return s
	}
	// Over the slices 0 and 2 each feature k is k + 1 ± 1, and so is what lies between.
	s := [][]float32{slice(0), slice(1), slice(2)}
	standardise(s, []int{0, 2})
	for z, want := range []float32{-1, 0, 1} {
		for i, v := range s[z] {
			if math.Abs(float64(v-want)) > 1e-6 {
				t.Fatalf("slice %d, feature %d: %v, want %v", z, i%features, v, want)
			}
		}
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

// trainedTo is a training whose Dice of the rarest structure went so, test by test.
func trainedTo(dice ...float64) *training {
	t := &training{expr: "dice", step: 3 * time.Millisecond}
	for i, d := range dice {
		p := point{step: 10 * (i + 1)}
		p.score.Dice[rarest] = d
		t.points = append(t.points, p)
	}
	return t
}

func TestCells(t *testing.T) {
	column := func(runs []*training, name string) string {
		c := cells(runs)
		if len(c) != len(columns()) {
			t.Fatalf("%d cells in %d columns", len(c), len(columns()))
		}
		return c[slices.Index(columns(), name)]
	}
	up, down, lost := trainedTo(0, .4, .5, .5, .7), trainedTo(.1, .6, .2, .4, .5), trainedTo(0, 0, .1, .2, .3)
	for _, c := range []struct {
		runs                                   []*training
		dice, found, largestFall, betweenSeeds string
	}{
		{[]*training{up}, "0.70", "30", "0.00", "0.00"},
		{[]*training{down}, "0.50", "20", "0.40", "0.00"},
		{[]*training{lost}, "0.30", "never", "0.00", "0.00"},
		{[]*training{up, down}, "0.60", "30", "0.40", "0.20"},
		{[]*training{lost, up, down}, "0.50", "30", "0.40", "0.40"},
		{[]*training{lost, up}, "0.50", "never", "0.00", "0.40"},
	} {
		for name, want := range map[string]string{"amygdala": c.dice, "amygdala ≥ ½ after steps": c.found,
			"amygdala's largest fall": c.largestFall, "amygdala between seeds": c.betweenSeeds, "ms a step": "3"} {
			if got := column(c.runs, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

// Trainings side by side give the bits of one alone, and an interrupt leaves none behind.
func TestTrain(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	s := small
	s.seeds = 2
	if testing.Short() {
		interrupted(t, backend, d, s)
		return
	}
	all := train(t.Context(), backend, d, []string{"dice + ce"}, s)
	if err := wait(all); err != nil {
		t.Fatal(err)
	}
	for _, tr := range all {
		s := small
		s.seed = tr.seed
		if alone, _, err := trained(t, t.Context(), d, s); err != nil || !reflect.DeepEqual(alone, tr.points) {
			t.Errorf("seed %d: %+v beside another training, %+v alone, %v", tr.seed, tr.points, alone, err)
		}
	}
	interrupted(t, backend, d, s)
}

// interrupted sees that trainings end with their context.
func interrupted(t *testing.T, backend compute.Backend, d *data, s settings) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(train(ctx, backend, d, []string{"dice"}, s)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestSettings(t *testing.T) {
	if err := small.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*settings){
		"-steps": func(s *settings) { s.steps = 0 },
		"-batch": func(s *settings) { s.batch = 33 },
		"-every": func(s *settings) { s.every = -1 },
		"-rate":  func(s *settings) { s.rate = math.NaN() },
		"-seeds": func(s *settings) { s.seeds = 0 },
	} {
		s := small
		spoil(&s)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), name+" ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
