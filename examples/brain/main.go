// Command brain shows what a loss does to rare classes: it trains a small network
// on the even slices of an MRI to find six structures, the smallest of which, the
// amygdala, is one voxel in two hundred, and tests it on the odd slices.
//
//	go run ./examples/brain -loss "dice + focal_ce"   # a few minutes
//	go run ./examples/brain -all                      # every loss, within the hour
//
// The first prints the loss, the Dice of each structure and the time left, and
// leaves curves.png, picture.png (image, truth, prediction) and points.csv in -out; the
// second a table, losses.md and losses.csv, rarest.png and the points of every training
// in points.csv. The same seed gives the same numbers. With GOEXPERIMENT=simd in the
// environment, on amd64, GoMLX multiplies matrices in half the time; -seeds 3 repeats
// each training of the table with other seeds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/segloss/segloss/internal/brain"
)

func main() {
	log.SetFlags(0)
	expr := flag.String("loss", "dice + focal_ce", "the loss, any expression")
	all := flag.Bool("all", false, "train with every loss of the list, and print a table")
	out := flag.String("out", "brain-out", "folder for the results")
	var s settings
	flag.IntVar(&s.steps, "steps", 300, "steps of training")
	flag.IntVar(&s.batch, "batch", 4, "slices of a step")
	flag.IntVar(&s.every, "every", 25, "steps between tests")
	flag.Float64Var(&s.rate, "rate", 0.003, "learning rate of Adam")
	flag.Uint64Var(&s.seed, "seed", 1, "seed of the network and of the order of slices")
	flag.IntVar(&s.seeds, "seeds", 1, "with -all: trainings of each loss, with seeds that follow each other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *expr, *all, *out, s); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, expr string, all bool, out string, s settings) error {
	if err := s.check(); err != nil {
		return err
	}
	backend, err := gobackend.New("")
	if err != nil {
		return err
	}
	defer backend.Finalize()
	d, err := load()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if all {
		return table(ctx, backend, d, out, s)
	}
	return one(ctx, backend, d, expr, out, s)
}

// check says what no training can be made of.
func (s settings) check() error {
	switch {
	case s.steps < 1:
		return fmt.Errorf("-steps %d: want at least 1", s.steps)
	case s.batch < 1 || s.batch > brain.Z/2:
		return fmt.Errorf("-batch %d: want 1 … %d slices", s.batch, brain.Z/2)
	case s.every < 1:
		return fmt.Errorf("-every %d: want at least 1", s.every)
	case !(s.rate > 0) || math.IsInf(s.rate, 1):
		return fmt.Errorf("-rate %v: want more than 0", s.rate)
	case s.seeds < 1:
		return fmt.Errorf("-seeds %d: want at least 1", s.seeds)
	}
	return nil
}

// one trains with one loss. Interrupted, it reports what has been learnt so far.
func one(ctx context.Context, backend compute.Backend, d *data, expr, out string, s settings) error {
	t, err := newTrainer(backend, d, expr, s)
	if err != nil {
		return err
	}
	start := time.Now()
	done := &training{expr: expr, seed: s.seed}
	per, err := t.run(ctx, func(p point) {
		done.points = append(done.points, p)
		left := time.Since(start) / time.Duration(p.step) * time.Duration(s.steps-p.step)
		fmt.Printf("step %*d of %d  loss %.4f  Dice %s  %v left\n", len(fmt.Sprint(s.steps)), p.step, s.steps, p.loss, p.score, left.Round(time.Second))
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if len(done.points) == 0 {
		return fmt.Errorf("interrupted before the first test, which is after %d steps", s.every)
	}
	_, predicted, err := t.test(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	fmt.Printf("%v a step\n", per.Round(time.Millisecond))
	return report(out, d, done, predicted)
}

// String is the Dice of each structure.
func (s score) String() (text string) {
	for c := 1; c < brain.Classes; c++ {
		text += fmt.Sprintf("%s %.2f ", brain.Names[c], s.Dice[c])
	}
	return text[:len(text)-1]
}
