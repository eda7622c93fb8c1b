package kernels

import (
	"context"
	"math"
)

// Confusion counts positions by the class of their target and the class
// predicted, for logging. The Dice and IoU of such hard predictions have no
// gradient.
type Confusion struct {
	Classes int       // 2 for a prediction of one class
	Counts  []float64 // Σ v of target t predicted as p at [t·Classes + p]
}

// Confusion adds the batch x, t to m, which starts out as the zero value. The
// predicted class is the one with the largest prediction, the first of equals;
// with a single class it is 1 where p ≥ ½. Dense targets are read likewise.
//
// A NaN at a position that exists is an error, and so is whatever Forward
// rejects; m is unchanged then.
func (p *Plan[T]) Confusion(ctx context.Context, m *Confusion, x []T, t Target) error {
	if err := p.checkForward(x, t); err != nil {
		return err
	}
	classes := max(p.spec.C, 2)
	if m == nil {
		return argError("m", -1, "nil", ErrOption, "want a matrix to add to")
	}
	if m.Classes != 0 && (m.Classes != classes || len(m.Counts) != classes*classes) {
		return argError("m", -1, m.Classes, ErrShape, "classes, want %d", classes)
	}
	if err := p.do(ctx, phaseCheck, nil, x, t, Grad{}); err != nil {
		return err
	}
	counts := make([]float64, classes*classes)
	if at := p.count(counts, classes, x, t); at >= 0 {
		return argError("x", at, math.NaN(), ErrNaN, "no class can be predicted")
	}
	if m.Classes == 0 {
		m.Classes, m.Counts = classes, counts
		return nil
	}
	for i, v := range counts {
		m.Counts[i] += v
	}
	return nil
}

// count fills counts, or returns a position (of [N, S]) with a NaN.
func (p *Plan[T]) count(counts []float64, classes int, x []T, t Target) (nan int) {
	c, w := &p.call, p.workers[0]
	c.x, c.target = x, t
	c.n, c.s = t.size(p.spec)
	defer p.release()
	half := T(0) // of a logit
	if p.spec.Activation == None {
		half = 0.5
	}
	for b := range c.n {
		for from := 0; from < c.s; from += w.tile.Stride {
			to := min(from+w.tile.Stride, c.s)
			w.scan(b, from, to)
			w.load(b, from, to)
			for i, at := range w.keep {
				got, ok := largest(w.tile.X, w.tile.XStride, w.tile.C, i, half)
				want, okR := w.class(i)
				if !ok || !okR {
					return b*c.s + from + int(at)
				}
				counts[want*classes+got] += w.weight(i)
			}
		}
	}
	return -1
}

// class is the target's class at position i of the tile.
func (w *worker[T]) class(i int) (class int, ok bool) {
	if w.tile.Y == nil {
		return largest(w.tile.R, w.tile.RStride, w.tile.C, i, 0.5)
	}
	if w.tile.C == 1 {
		return 1 - int(w.tile.Y[i]), true
	}
	return int(w.tile.Y[i]), true
}

// weight is the weight of position i of the tile.
func (w *worker[T]) weight(i int) float64 {
	if w.tile.V == nil {
		return 1
	}
	return float64(w.tile.V[i])
}

// largest is the class of the largest value at position i, or for one class
// whether the value reaches half; not ok where a value is NaN.
func largest[T Float](m []T, stride, classes, i int, half T) (class int, ok bool) {
	best := m[i]
	ok = best == best
	for c := 1; c < classes; c++ {
		v := m[c*stride+i]
		ok = ok && v == v
		if v > best {
			best, class = v, c
		}
	}
	if classes == 1 && best >= half {
		class = 1
	}
	return class, ok
}

// Dice returns 2TP/(2TP+FP+FN) of a class, NaN where it occurs neither in the
// targets nor in the predictions, as before any batch, and for a class that there is not.
func (m *Confusion) Dice(class int) float64 {
	tp, fp, fn := m.class(class)
	return 2 * tp / (2*tp + fp + fn)
}

// IoU returns TP/(TP+FP+FN) of a class, or NaN likewise.
func (m *Confusion) IoU(class int) float64 {
	tp, fp, fn := m.class(class)
	return tp / (tp + fp + fn)
}

// class counts the positions of a class: none where m has none of it.
func (m *Confusion) class(c int) (tp, fp, fn float64) {
	if m == nil || c < 0 || c >= m.Classes || len(m.Counts)/m.Classes < m.Classes {
		return 0, 0, 0
	}
	for k := range m.Classes {
		if k != c {
			fp += m.Counts[k*m.Classes+c]
			fn += m.Counts[c*m.Classes+k]
		}
	}
	return m.Counts[c*m.Classes+c], fp, fn
}
