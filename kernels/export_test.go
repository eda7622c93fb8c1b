package kernels

import (
	"slices"

	"github.com/segloss/segloss/kernels/cpu"
)

// LoopsBackend is the fused kernels' loops in place of assembly. The tests run
// on it as on any other backend.
const LoopsBackend = "loops"

func init() {
	implementations = slices.Insert(implementations, 1, implementation{
		Backend{Name: LoopsBackend},
		tables[float32]{cpu.Generic[float32](), fusedLoops[float32]()},
		tables[float64]{cpu.Generic[float64](), fusedLoops[float64]()},
	})
}

// WithThresholds lets tests cut the work as small as they like. Every gradient is
// stored past the caches.
func WithThresholds(tile, flush, chunk, single int) Option {
	return func(c *config) {
		c.thresholds = thresholds{
			tile: tile, span: 3 * tile, block: 2 * tile, flush: flush, chunk: chunk, single: single, alone: single,
			bytes: realThresholds.bytes,
		}
	}
}

// RealThresholds are those of a plan for that many float32 classes.
func RealThresholds(classes int) (tile, flush, chunk, single int) {
	t := realThresholds
	return tileSize[float32](classes), t.flush, t.chunk, t.single
}

// OnTile has f called with every tile or span that a plan under sigmoid and
// with labels computes, by whichever worker does.
func OnTile[T Float](p *Plan[T], f func()) {
	table := *p.kernels
	p.kernels = &table
	sigmoid := table.Sigmoid
	table.Sigmoid = func(t *cpu.Tile[T]) {
		f()
		sigmoid(t)
	}
	if p.fused != nil {
		p.fused = p.fused.onSpan(f)
	}
}

func (k *fused[T]) onSpan(f func()) *fused[T] {
	c := *k
	rows := &c.rows[Sigmoid]
	for s := range numSets {
		if forward := rows.forwardY[s]; forward != nil {
			rows.forwardY[s] = func(acc *[numSums]float64, x []T, y []uint8, class uint8, k *[numFactors]T, next *ahead) bool {
				if class == 0 {
					f()
				}
				return forward(acc, x, y, class, k, next)
			}
		}
		if backward := rows.backwardY[s]; backward != nil {
			rows.backwardY[s] = func(out, x []T, y []uint8, class uint8, k *[numFactors]T, next *ahead, stream bool) bool {
				if class == 0 {
					f()
				}
				return backward(out, x, y, class, k, next, stream)
			}
		}
	}
	return &c
}

// OnRows has f called with every tile that a plan computes by rows, where fused
// kernels do not serve.
func OnRows[T Float](p *Plan[T], f func()) {
	table := *p.kernels
	p.kernels = &table
	for _, activate := range []*func(*cpu.Tile[T]){&table.Probabilities, &table.Sigmoid, &table.Softmax} {
		own := *activate
		*activate = func(t *cpu.Tile[T]) {
			f()
			own(t)
		}
	}
}

// FusedBackends lists the backends that have fused kernels and run here.
func FusedBackends() (names []string) {
	for i := range implementations {
		if f := implementations[i].f32.fused; f != nil && f.softmax.regionY != nil && f.rows[Sigmoid].forwardY[setLogs] != nil {
			names = append(names, implementations[i].Name)
		}
	}
	return names
}

// WithStream lets tests choose from how many bytes on a gradient is stored past
// the caches.
func WithStream(bytes int) Option { return func(c *config) { c.thresholds.stream = bytes } }

// WithLabelBytes lets tests choose for how many positions of a plan one pass keeps
// labels as bytes for the next.
func WithLabelBytes(positions int) Option {
	return func(c *config) { c.thresholds.bytes = positions }
}

// LabelBytes is the memory that a plan has for labels as bytes.
func LabelBytes[T Float](p *Plan[T]) int { return len(p.bytes) }

// OnNarrow has f called with the number of labels wherever a plan turns some of
// int32 or int64 into bytes, by whichever worker does.
func OnNarrow[T Float](p *Plan[T], f func(labels int)) {
	k := *p.fused
	narrow32, narrow64 := k.narrow32, k.narrow64
	k.narrow32 = func(dst []uint8, y []int32) uint32 {
		f(len(y))
		return narrow32(dst, y)
	}
	k.narrow64 = func(dst []uint8, y []int64) uint64 {
		f(len(y))
		return narrow64(dst, y)
	}
	p.fused = &k
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

// Foresees reports whether ForwardBackward still takes both passes at once.
func Foresees[T Float](p *Plan[T]) bool { return p.foreseen != nil }
