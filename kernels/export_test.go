package kernels

import "github.com/segloss/segloss/kernels/cpu"

// WithThresholds lets tests cut the work as small as they like.
func WithThresholds(tile, flush, chunk, single int) Option {
	return func(c *config) { c.thresholds = thresholds{tile, flush, chunk, single} }
}

// RealThresholds are those of a plan for that many float32 classes.
func RealThresholds(classes int) (tile, flush, chunk, single int) {
	t := realThresholds
	return tileSize[float32](classes), t.flush, t.chunk, t.single
}

// OnTile has f called with every tile that a plan under sigmoid computes, by
// whichever worker does.
func OnTile[T Float](p *Plan[T], f func()) {
	table := *p.kernels
	p.kernels = &table
	sigmoid := table.Sigmoid
	table.Sigmoid = func(t *cpu.Tile[T]) {
		f()
		sigmoid(t)
	}
}

// FirstBad is the position that a call blames after its workers have found
// these, in this order.
func FirstBad(found ...int64) int64 {
	var c call[float64]
	c.bad.Store(-1)
	for _, at := range found {
		c.reportBad(at)
	}
	return c.bad.Load()
}
