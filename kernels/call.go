package kernels

import (
	"context"
	"sync/atomic"
	"unsafe"

	"github.com/segloss/segloss/kernels/cpu"
)

// Grad says how a gradient is written.
type Grad struct {
	Scale      float64 // upstream gradient; 0 gives a zero gradient
	Accumulate bool    // adds to dx instead of overwriting it
}

// Value is what a forward pass gives. It is valid until the plan's next Value;
// [Plan.Backward] takes it back.
type Value struct {
	Loss  float64
	Terms []Part

	plan       any
	generation uint64
}

// Part is the value of one term. The loss is the sum of Coef·Value.
//
// Cells holds the values of a region term: one for each sample and class
// [N, C], or for each class with batch=true; for gdl and a caller's own region
// one for each sample, or a single one with batch=true. A cell that takes no
// part in the term has NaN.
type Part struct {
	Name  string
	Coef  float64
	Value float64
	Cells []float64
}

// phase is what the workers do with each tile.
type phase int

const (
	phaseCheck phase = iota
	phaseReduce
	phaseBackward
	phaseBoth // reduces and then differentiates a span, while it is in the cache
)

// call is the work under way. Units are chunks of positions of one sample,
// taken in any order; each has its own place for its sums.
type call[T Float] struct {
	phase  phase
	x, dx  []T
	target Target
	grad   Grad
	n, s   int

	perSample int // units of a sample
	unit      int // positions of a unit

	bytes   []uint8 // all labels, for the later passes; nil where each pass reads the caller's
	inPlace bool
	stream  bool // the gradient is stored past the caches where it can be

	done <-chan struct{}
	next atomic.Int64 // unit
	bad  atomic.Int64 // least position with a bad label or weight
}

// Forward computes the loss of prediction x and target t.
//
// A NaN at a position that exists makes the loss NaN.
func (p *Plan[T]) Forward(ctx context.Context, x []T, t Target) (Value, error) {
	if err := p.check(); err != nil {
		return Value{}, err
	}
	if err := p.Reduce(ctx, p.sums, 0, x, t); err != nil {
		return Value{}, err
	}
	n, _ := t.size(p.spec)
	return p.finish(p.sums, n, 0), nil
}

// Backward writes into dx the gradient of the loss by x, times g.Scale. v is
// what Forward or Finish returned for the same x and t. dx is x itself, or
// apart from it. With an error from its arguments dx is untouched; after a
// cancellation its contents are unspecified.
func (p *Plan[T]) Backward(ctx context.Context, dx, x []T, t Target, v Value, g Grad) error {
	if err := p.checkBackward(dx, x, t, g); err != nil {
		return err
	}
	if v.plan != any(p) || v.generation != p.generation {
		return argError("v", -1, v.Loss, ErrStale, "not this plan's latest value")
	}
	if n, _ := t.size(p.spec); n > p.rows {
		return argError("t.Sized", 0, n, ErrShape, "samples, but the value has coefficients for %d", p.rows)
	}
	p.keepLabels(&t)
	defer p.dropLabels()
	if err := p.do(ctx, phaseCheck, nil, x, t, Grad{}); err != nil {
		return err
	}
	return p.backward(ctx, dx, x, t, g)
}

// ForwardBackward is Forward followed by Backward. For a sum of pointwise losses, on
// targets without weights, mask and labels to ignore, it reads memory once.
func (p *Plan[T]) ForwardBackward(ctx context.Context, dx, x []T, t Target, g Grad) (Value, error) {
	if err := p.checkBackward(dx, x, t, g); err != nil {
		return Value{}, err
	}
	p.keepLabels(&t)
	defer p.dropLabels()
	if p.foresee(dx, x, t, g) {
		return p.once(ctx, dx, x, t, g)
	}
	v, err := p.Forward(ctx, x, t)
	if err != nil {
		return Value{}, err
	}
	return v, p.backward(ctx, dx, x, t, g)
}

// backward does what Backward promises, once the arguments are known to be good.
func (p *Plan[T]) backward(ctx context.Context, dx, x []T, t Target, g Grad) error {
	if g.Scale != 0 {
		return p.do(ctx, phaseBackward, dx, x, t, g)
	}
	if !g.Accumulate { // 0, also where a coefficient is not finite
		clear(dx)
	}
	return nil
}

func (p *Plan[T]) checkForward(x []T, t Target) error {
	if err := p.check(); err != nil {
		return err
	}
	if err := t.check(p.spec, &p.config); err != nil {
		return err
	}
	n, s := t.size(p.spec)
	if want := n * p.spec.C * s; len(x) != want {
		return argError("x", -1, len(x), ErrShape, "length, want %d for N=%d C=%d S=%d", want, n, p.spec.C, s)
	}
	return nil
}

func (p *Plan[T]) checkBackward(dx, x []T, t Target, g Grad) error {
	if err := p.checkForward(x, t); err != nil {
		return err
	}
	if len(dx) != len(x) {
		return argError("dx", -1, len(dx), ErrShape, "length, want %d as x has", len(x))
	}
	inPlace := len(x) > 0 && &dx[0] == &x[0]
	switch {
	case inPlace && g.Accumulate:
		return argError("dx", -1, "x", ErrAlias, "cannot accumulate in place")
	case !inPlace && overlap(dx, x):
		return argError("dx", -1, "part of x", ErrAlias, "want x itself or a buffer apart from it")
	case overlap(dx, t.dense32), overlap(dx, t.dense64), overlap(dx, t.weights), overlap(dx, t.mask),
		overlap(dx, t.rawLabels()):
		return argError("dx", -1, "part of t", ErrAlias, "want a buffer apart from the target")
	}
	return nil
}

// overlap reports whether two slices share memory.
func overlap[A, B any](a []A, b []B) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	a0, b0 := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return a0 < b0+uintptr(len(b))*unsafe.Sizeof(b[0]) && b0 < a0+uintptr(len(a))*unsafe.Sizeof(a[0])
}

// do runs one phase over the whole batch. The caller has checked the lengths.
func (p *Plan[T]) do(ctx context.Context, ph phase, dx, x []T, t Target, g Grad) error {
	c := &p.call
	c.phase, c.dx, c.x, c.target, c.grad = ph, dx, x, t, g
	c.n, c.s = t.size(p.spec)
	c.perSample, c.unit = p.units(c.s)
	c.inPlace = len(dx) > 0 && &dx[0] == &x[0]
	c.stream = !c.inPlace && !g.Accumulate && len(dx)*elementSize[T]() >= p.config.thresholds.stream
	if ctx != nil {
		c.done = ctx.Done()
	}
	c.next.Store(0)
	c.bad.Store(-1)
	defer p.release()

	units := c.n * c.perSample
	workers := min(len(p.workers), units)
	if len(x) < p.single(p.fusedPath()) {
		workers = min(workers, 1)
	}
	for i := 1; i < workers; i++ {
		p.wait.Add(1)
		go p.workers[i].run()
	}
	if workers > 0 {
		p.work(p.workers[0])
	}
	p.wait.Wait()

	if bad := int(c.bad.Load()); bad >= 0 {
		return t.badPosition(bad, p.spec.C)
	}
	if ctx != nil {
		return ctx.Err()
	}
	return nil
}

// release lets go of everything that is the caller's.
func (p *Plan[T]) release() {
	c := &p.call
	c.dx, c.x, c.target, c.done = nil, nil, Target{}, nil
	for _, w := range p.workers {
		w.tile.X, w.tile.R, w.tile.Out = nil, nil, nil
		w.row = cpu.Row[T]{}
	}
}

// units cuts a sample of s positions: into how many units, and how long.
func (p *Plan[T]) units(s int) (count, length int) {
	if s == 0 {
		return 0, 0
	}
	most := p.maxUnits(s)
	length = (s-1)/most + 1
	if length > cacheLine { // units start as aligned as the sample does
		length = (length + cacheLine - 1) &^ (cacheLine - 1)
	}
	return (s-1)/length + 1, length
}

// maxUnits bounds the units of a sample of at most s positions.
func (p *Plan[T]) maxUnits(s int) int {
	const maxSums = 1 << 15 // numbers kept for one sample's units
	return max(1, min(s/p.config.thresholds.chunk, maxSums/p.program.Stride()))
}

// allocate makes the memory of the workers and of the sums of units.
func (p *Plan[T]) allocate() {
	th := &p.config.thresholds
	if th.tile == 0 {
		th.tile = tileSize[T](p.spec.C)
	}
	if th.span == 0 {
		th.span, th.block = p.spanSizes()
	}
	units := p.spec.N * p.maxUnits(p.spec.S)
	p.chunks = make([]float64, units*p.program.Stride())
	p.coef = make([]float64, p.spec.N*p.spec.C*p.program.K)
	p.foreseen = make([]float64, len(p.coef))
	n := max(1, min(p.config.workers, units))
	if p.spec.N*p.spec.C*p.spec.S < min(p.single(&p.fusedLabels), p.single(&p.fusedDense)) {
		n = 1
	}
	for range n {
		p.workers = append(p.workers, newWorker(p, th.tile))
	}
}

// single is the number of elements below which one goroutine does a call.
func (p *Plan[T]) single(path *fusedPath[T]) int {
	if len(path.steps) > 0 {
		return p.config.thresholds.alone
	}
	return p.config.thresholds.single
}

// tileSize fits a few rows of each class into a cache of 1 MiB.
func tileSize[T Float](classes int) int {
	var t T
	return min(max((1<<20)/(4*classes*int(unsafe.Sizeof(t))), 16), 128)
}

// work takes units until none is left or the call is cancelled.
func (p *Plan[T]) work(w *worker[T]) {
	c := &p.call
	for {
		u := int(c.next.Add(1)) - 1
		if u >= c.n*c.perSample {
			return
		}
		select {
		case <-c.done:
			return
		default:
		}
		b, from := u/c.perSample, u%c.perSample*c.unit
		p.workUnit(w, u, b, from, min(from+c.unit, c.s))
	}
}

// workUnit does unit u: the positions [from, to) of sample b.
func (p *Plan[T]) workUnit(w *worker[T], u, b, from, to int) {
	if w.span != nil {
		w.span.until = to
	}
	w.phase = p.call.phase
	if w.phase == phaseBackward {
		p.backwardUnit(w, b, from, to)
		return
	}
	sums := p.chunks[u*p.program.Stride():][:p.program.Stride()]
	clear(sums)
	clear(w.block) // a call that met a bad label has left sums behind
	step, done := w.step(phaseReduce), from
	for at := from; at < to; at += step {
		end := min(at+step, to)
		fused := w.span != nil && w.lookOrReduce(sums, b, at, end)
		if !fused && !p.reduceTiles(w, sums, b, at, end) {
			return
		}
		if p.call.phase == phaseBoth {
			w.phase = phaseBackward
			done = p.followUp(w, b, from, done, end, to)
			w.phase = phaseBoth
		}
	}
}

// lookOrReduce does a span of a unit with fused kernels, if it can.
func (w *worker[T]) lookOrReduce(sums []float64, b, from, to int) (ok bool) {
	if w.phase == phaseCheck {
		return w.look(b, from, to)
	}
	return w.reduceSpan(sums, b, from, to)
}

// reduceTiles adds the sums of the positions [from, to) of sample b, tile by
// tile. It reports false at a position that is bad.
func (p *Plan[T]) reduceTiles(w *worker[T], sums []float64, b, from, to int) (ok bool) {
	pending := 0
	for at := from; at < to; at += w.tile.Stride {
		end := min(at+w.tile.Stride, to)
		if bad := w.scan(b, at, end); bad >= 0 {
			p.call.reportBad(int64(bad))
			return false
		}
		if w.phase == phaseCheck || len(w.keep) == 0 {
			continue
		}
		w.load(b, at, end)
		sums[0] += w.total()
		w.reduce()
		if pending += end - at; pending >= p.config.thresholds.flush {
			w.flush(sums[1:])
			pending = 0
		}
	}
	w.flush(sums[1:])
	return true
}

func (p *Plan[T]) backwardUnit(w *worker[T], b, from, to int) {
	k, all := p.spec.C*p.program.K, p.coef
	if p.call.phase == phaseBoth {
		all = p.foreseen
	}
	coef := all[b*k:][:k]
	fused := w.prepareGradient(coef)
	step := w.step(phaseBackward)
	for at := from; at < to; at += step {
		end := min(at+step, to)
		if fused && w.differentiateSpan(b, at, end) {
			continue
		}
		for i := at; i < end; i += w.tile.Stride {
			p.backwardTile(w, coef, b, i, min(i+w.tile.Stride, end))
		}
	}
	if fused && p.call.stream && p.fused.fence != nil {
		p.fused.fence()
	}
}

// step is how many positions of a unit are done one after another, before it
// is decided anew who does the next.
func (w *worker[T]) step(ph phase) int {
	switch {
	case w.span == nil:
		return w.plan.call.unit
	case ph == phaseBackward && !w.mixes(w.span.path.set, true):
		return w.span.block
	}
	return w.span.size
}

func (p *Plan[T]) backwardTile(w *worker[T], coef []float64, b, from, to int) {
	w.scan(b, from, to)
	w.load(b, from, to)
	w.aim(b, from, to)
	if w.tile.N > 0 {
		w.differentiate(coef, p.call.grad.Scale)
	}
	w.store(b, from, to)
}

// total is Σ v of the tile.
func (w *worker[T]) total() float64 {
	if w.tile.V == nil {
		return float64(w.tile.N)
	}
	s := 0.0
	for _, v := range w.tile.V {
		s += float64(v)
	}
	return s
}

// flush moves the block's sums into those of the unit.
func (w *worker[T]) flush(sums []float64) {
	for i, v := range w.block {
		sums[i] += v
	}
	clear(w.block)
}

// reportBad keeps the least position, so that the error does not depend on
// which worker was first.
func (c *call[T]) reportBad(at int64) {
	for {
		old := c.bad.Load()
		if old >= 0 && old <= at || c.bad.CompareAndSwap(old, at) {
			return
		}
	}
}
