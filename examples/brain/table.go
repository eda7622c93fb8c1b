package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

// expressions are the losses of the list with their defaults, those with sums of each
// sample with sums of the batch too, and one more that people make of them.
func expressions() (list []string) {
	for _, info := range kernels.Losses() {
		list = append(list, info.Name)
		if slices.ContainsFunc(info.Options, func(o kernels.OptionInfo) bool { return o.Name == "batch" }) {
			list = append(list, info.Name+"(batch=true)")
		}
	}
	return append(list, "dice + focal_ce")
}

const rarest = brain.Classes - 1

// training is one of a loss with one seed.
type training struct {
	expr   string
	seed   uint64
	points []point
	step   time.Duration
	err    error
	done   chan struct{}
}

// train begins all trainings of the table, loss by loss and some at a time: one alone
// does not keep two cores busy.
func train(ctx context.Context, backend compute.Backend, d *data, exprs []string, s settings) (all []*training) {
	for _, expr := range exprs {
		for k := range s.seeds {
			all = append(all, &training{expr: expr, seed: s.seed + uint64(k), done: make(chan struct{})})
		}
	}
	next := make(chan *training)
	for range min(runtime.GOMAXPROCS(0), 4) {
		go func() {
			for t := range next {
				t.err = t.run(ctx, backend, d, s)
				close(t.done)
			}
		}()
	}
	go func() {
		for _, t := range all {
			next <- t
		}
		close(next)
	}()
	return all
}

func (t *training) run(ctx context.Context, backend compute.Backend, d *data, s settings) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.seed = t.seed
	trainer, err := newTrainer(backend, d, t.expr, s)
	if err != nil {
		return err
	}
	t.step, err = trainer.run(ctx, func(p point) { t.points = append(t.points, p) })
	return err
}

// wait returns when trainings are done, with the first error of them.
func wait(runs []*training) error {
	for _, t := range runs {
		<-t.done
		if t.err != nil {
			return fmt.Errorf("%s: %w", t.expr, t.err)
		}
	}
	return nil
}

// found is the first step at which the rarest structure's Dice was at least a half, or
// never.
func (t *training) found() int {
	for _, p := range t.points {
		if p.score.Dice[rarest] >= 0.5 {
			return p.step
		}
	}
	return never
}

const never = math.MaxInt

// fall is how far that Dice fell from one test to a later one.
func (t *training) fall() (fall float64) {
	var best float64
	for _, p := range t.points {
		best = max(best, p.score.Dice[rarest])
		fall = max(fall, best-p.score.Dice[rarest])
	}
	return fall
}

// columns are the table's header.
func columns() []string {
	c := append([]string{"loss"}, brain.Names[1:]...)
	name := brain.Names[rarest]
	return append(c, name+" recall", name+" precision", name+" ≥ ½ after steps", name+"'s largest fall", name+" between seeds", "ms a step")
}

// cells are the row of a loss: what is left at the end of its trainings, on average; the
// median of the steps until the rarest structure is found, of two the later; the worst
// of its falls; and the difference between its best seed and its worst.
func cells(runs []*training) []string {
	mean := func(of func(score) float64) string {
		var sum float64
		for _, t := range runs {
			sum += of(t.points[len(t.points)-1].score)
		}
		return fmt.Sprintf("%.2f", sum/float64(len(runs)))
	}
	c := []string{"`" + runs[0].expr + "`"}
	for k := 1; k < brain.Classes; k++ {
		c = append(c, mean(func(s score) float64 { return s.Dice[k] }))
	}
	var steps []int
	var fall float64
	var times []time.Duration
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range runs {
		steps = append(steps, t.found())
		fall = max(fall, t.fall())
		times = append(times, t.step)
		last := t.points[len(t.points)-1].score.Dice[rarest]
		low, high = min(low, last), max(high, last)
	}
	slices.Sort(steps)
	found := "never"
	if median := steps[len(steps)/2]; median != never {
		found = fmt.Sprint(median)
	}
	return append(c,
		mean(func(s score) float64 { return s.Recall[rarest] }),
		mean(func(s score) float64 { return s.Precision[rarest] }),
		found, fmt.Sprintf("%.2f", fall), fmt.Sprintf("%.2f", high-low), fmt.Sprint(median(times).Milliseconds()))
}

// table trains with every loss, prints the rows as they come, and keeps them.
func table(ctx context.Context, backend compute.Backend, d *data, out string, s settings) error {
	ctx, cancel := context.WithCancel(ctx)
	start, all := time.Now(), train(ctx, backend, d, expressions(), s)
	defer func() { // the backend is the caller's to close
		cancel()
		for _, t := range all {
			<-t.done
		}
	}()

	var text strings.Builder
	line := func(cells []string) {
		row := "| " + strings.Join(cells, " | ") + " |\n"
		fmt.Print(row)
		text.WriteString(row)
	}
	head := columns()
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	rows := [][]string{head}
	kept := 0
	for runs := range slices.Chunk(all, s.seeds) {
		err := wait(runs)
		if errors.Is(err, context.Canceled) {
			break // what has been trained is kept
		}
		if err != nil {
			return err
		}
		kept += len(runs)
		rows = append(rows, cells(runs))
		line(rows[len(rows)-1])
		left := time.Since(start) / time.Duration(kept) * time.Duration(len(all)-kept)
		fmt.Fprintf(os.Stderr, "%d of %d losses, %v left\n", len(rows)-1, len(all)/s.seeds, left.Round(time.Second))
	}
	return errors.Join(
		os.WriteFile(filepath.Join(out, "losses.md"), []byte(text.String()), 0o644),
		writeCSV(filepath.Join(out, "losses.csv"), rows),
		writeCSV(filepath.Join(out, "points.csv"), pointRows(all[:kept])),
		rarestCurves(filepath.Join(out, "rarest.png"), all[:kept]))
}

func writeCSV(path string, rows [][]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.WriteAll(rows)
	return errors.Join(w.Error(), f.Close())
}
