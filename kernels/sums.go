package kernels

import (
	"context"
	"fmt"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// Sums holds the sums of a batch that is reduced in pieces: one row for each
// sample of the global batch. A shard fills its rows and leaves the others
// zero, so that adding shards in any order gives the same bits. After Add or an
// all-reduce it holds the rows of others, too: clear Data before the next batch.
type Sums struct {
	batch *losses.Batch
	kind  string // of loss and classes
}

// NewSums makes the sums of rows samples, all zero. A number of rows below 0
// or too large for memory gives sums of no rows, which Reduce refuses; so does a plan
// that New did not make.
func (p *Plan[T]) NewSums(rows int) *Sums {
	if p.check() != nil {
		return &Sums{}
	}
	if rows < 0 || rows > maxScratch/p.program.Stride() {
		rows = 0
	}
	return &Sums{p.program.NewBatch(rows), p.kind}
}

// Data is what to all-reduce: the rows one after another. It may be read and
// written.
func (s *Sums) Data() []float64 {
	if s.none() {
		return nil
	}
	return s.batch.Data
}

// none reports sums that no plan has made.
func (s *Sums) none() bool { return s == nil || s.batch == nil }

// Add adds the sums of another shard, element by element.
func (s *Sums) Add(o *Sums) error {
	if s.none() {
		return argError("s", -1, s, ErrShape, "want sums that a plan has made")
	}
	if o == nil || o.kind != s.kind {
		return argError("o", -1, o, ErrShape, "sums of another loss, want %s", s.kind)
	}
	if o.batch.Rows != s.batch.Rows {
		return argError("o", -1, o.batch.Rows, ErrShape, "rows, want %d", s.batch.Rows)
	}
	for i, v := range o.batch.Data {
		s.batch.Data[i] += v
	}
	return nil
}

func (s *Sums) String() string {
	if s.none() {
		return "no sums"
	}
	return fmt.Sprintf("sums of %d samples, %s", s.batch.Rows, s.kind)
}

// Reduce computes the sums of prediction x and target t, n samples, and stores
// them in the rows row … row+n−1 of s. With an error s is unchanged.
func (p *Plan[T]) Reduce(ctx context.Context, s *Sums, row int, x []T, t Target) error {
	if err := p.checkForward(x, t); err != nil {
		return err
	}
	n, _ := t.size(p.spec)
	if err := p.checkSums(s, row, n); err != nil {
		return err
	}
	if err := p.do(ctx, phaseReduce, nil, x, t, Grad{}); err != nil {
		return err
	}
	p.collect(s, row, n)
	return nil
}

// collect adds the sums of the units of n samples to those of the samples.
func (p *Plan[T]) collect(s *Sums, row, n int) {
	stride := p.program.Stride()
	for b := range n {
		dst := s.batch.Row(row + b)
		clear(dst)
		for u := range p.call.perSample {
			for k, v := range p.chunks[(b*p.call.perSample+u)*stride:][:stride] {
				dst[k] += v
			}
		}
	}
}

// Finish computes the loss of all rows of s, and keeps the coefficients of this
// plan's samples, from row on, for Backward.
func (p *Plan[T]) Finish(s *Sums, row int) (Value, error) {
	if err := p.check(); err != nil {
		return Value{}, err
	}
	if err := p.checkSums(s, row, 0); err != nil {
		return Value{}, err
	}
	return p.finish(s, s.batch.Rows, row), nil
}

func (p *Plan[T]) checkSums(s *Sums, row, n int) error {
	if s == nil || p.sums != s && s.kind != p.kind {
		return argError("s", -1, s, ErrShape, "sums of another loss, want %s", p.kind)
	}
	return checkRow(row, n, s.batch.Rows)
}

// checkRow reports a row from which on sums of so many rows have no room for n samples.
func checkRow(row, n, rows int) error {
	if row >= 0 && row <= rows-n {
		return nil
	}
	want, have := "one of the rows", "none"
	if n > 0 {
		want = fmt.Sprintf("a row for each sample (%d) from row %d on", n, row)
	}
	if rows > 0 {
		have = fmt.Sprintf("rows 0 … %d", rows-1)
	}
	return argError("row", -1, row, ErrShape, "want %s; the sums have %s", want, have)
}

// finish makes a Value from the first rows rows, with the coefficients of the
// samples from row on.
func (p *Plan[T]) finish(s *Sums, rows, row int) Value {
	s.batch.Program = p.program
	p.rows = min(p.spec.N, rows-row)
	p.generation++
	return finishBatch(s.batch, p.parts, p.coef, rows, row, p.rows, p, p.generation)
}
