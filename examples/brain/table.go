package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
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

// row is what became of one loss.
type row struct {
	expr   string
	last   score
	found  int     // first step at which the rarest structure's Dice was at least a half; 0: never
	wobble float64 // standard deviation of that Dice over the last tests, steady of them
	step   time.Duration
}

const (
	rarest = brain.Classes - 1
	steady = 4
)

func rowOf(expr string, points []point, step time.Duration) row {
	r := row{expr: expr, last: points[len(points)-1].score, step: step}
	for _, p := range points {
		if r.found == 0 && p.score.Dice[rarest] >= 0.5 {
			r.found = p.step
		}
	}
	last := points[max(0, len(points)-steady):]
	n := float64(len(last))
	var sum, squares float64
	for _, p := range last {
		sum += p.score.Dice[rarest]
	}
	for _, p := range last {
		d := p.score.Dice[rarest] - sum/n
		squares += d * d
	}
	r.wobble = math.Sqrt(squares / n)
	return r
}

// columns are the table's header; cells its rows.
func columns() []string {
	c := append([]string{"loss"}, brain.Names[1:]...)
	name := brain.Names[rarest]
	return append(c, name+" recall", name+" precision", name+" ≥ ½ after", name+" ±", "ms a step")
}

func (r row) cells() []string {
	c := []string{"`" + r.expr + "`"}
	for k := 1; k < brain.Classes; k++ {
		c = append(c, fmt.Sprintf("%.2f", r.last.Dice[k]))
	}
	found := "never"
	if r.found > 0 {
		found = fmt.Sprintf("%d steps", r.found)
	}
	return append(c, fmt.Sprintf("%.2f", r.last.Recall[rarest]), fmt.Sprintf("%.2f", r.last.Precision[rarest]),
		found, fmt.Sprintf("%.3f", r.wobble), fmt.Sprint(r.step.Milliseconds()))
}

// table trains with every loss, prints the rows as they come, and keeps them.
func table(ctx context.Context, backend compute.Backend, d *data, out string, s settings) error {
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
	for _, expr := range expressions() {
		t, err := newTrainer(backend, d, expr, s)
		if err != nil {
			return err
		}
		var points []point
		step, err := t.run(ctx, func(p point) { points = append(points, p) })
		if errors.Is(err, context.Canceled) {
			break // what has been trained is kept
		}
		if err != nil {
			return fmt.Errorf("%s: %w", expr, err)
		}
		cells := rowOf(expr, points, step).cells()
		rows = append(rows, cells)
		line(cells)
	}
	if err := os.WriteFile(filepath.Join(out, "losses.md"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	return writeCSV(filepath.Join(out, "losses.csv"), rows)
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
