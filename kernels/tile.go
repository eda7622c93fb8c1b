package kernels

import (
	"math"
	"slices"

	"github.com/segloss/segloss/kernels/cpu"
	"github.com/segloss/segloss/kernels/internal/losses"
)

// path says which rows a loss needs and which kernels serve it.
type path struct {
	logP, logQ bool // rows of ln p and ln q when reducing
	gradLogs   bool // rows of both when differentiating: powers need them
	logOdds    bool // rows of derivatives by the log-odds
	labels     bool // RegionY and LogPY serve a tile with labels
	labelsGrad bool // and so does SoftmaxRegionY
}

func choosePath(p *losses.Program, a Activation) path {
	f := &p.Features
	powers := len(f.Powers) > 0
	plain := !f.Soft && !f.Square && !f.LogQ && !f.LogAll && !powers
	return path{
		logP:       f.NeedsLogs(),
		logQ:       f.LogQ || powers || f.NeedsLogs() && a != Softmax,
		gradLogs:   powers,
		logOdds:    f.NeedsLogs(),
		labels:     plain && (!f.LogP || a == Softmax),
		labelsGrad: plain && a == Softmax,
	}
}

// worker is the memory of one goroutine of a call.
type worker[T Float] struct {
	plan *Plan[T]
	run  func() // takes units of work until none is left

	phase phase // of what is under way; of both passes at once, each in turn

	tile cpu.Tile[T]
	row  cpu.Row[T]

	x, r, out, v []T // where the caller's own cannot be used
	y            []int32
	lp, lq       []float64

	all, some []int32 // every position of a tile, and a buffer for some of them
	keep      []int32 // those that exist: a part of either
	direct    bool    // the gradient is formed in the caller's buffer

	block []float64 // sums since the last flush, C × K
	coef  []float64 // of SoftmaxRegionY

	span *span[T] // of the fused kernels; nil where there are none
}

func newWorker[T Float](p *Plan[T], tile int) *worker[T] {
	c := p.spec.C
	matrix := func(need bool) []float64 {
		if !need {
			return nil
		}
		return make([]float64, c*tile)
	}
	w := &worker[T]{
		plan: p,
		x:    make([]T, c*tile), r: make([]T, c*tile), out: make([]T, c*tile), v: make([]T, tile),
		y: make([]int32, tile), all: make([]int32, tile), some: make([]int32, tile),
		lp: matrix(p.path.logP), lq: matrix(p.path.logQ),
		block: make([]float64, c*p.program.K),
		coef:  make([]float64, 4*c),
	}
	if p.fused != nil && c <= maxDenseClasses {
		w.span = newSpan(p, p.config.thresholds.span, p.config.thresholds.block)
	}
	w.tile = cpu.Tile[T]{
		C: c, Stride: tile,
		P: matrix(true), Q: matrix(true), G: matrix(true), U: matrix(p.path.logOdds),
		Work: make([]float64, (2*c+2)*tile), Spare: make([]float64, tile),
	}
	if p.spec.Activation == None {
		w.tile.Clip = p.config.clip
	}
	for i := range w.all {
		w.all[i] = int32(i)
	}
	w.run = func() {
		defer p.wait.Done()
		p.work(w)
	}
	return w
}

// scan lists the positions [from, to) of sample b that exist, with their weights
// and classes. It returns the first one whose label or weight is bad, or −1.
func (w *worker[T]) scan(b, from, to int) (bad int) {
	c, t := &w.plan.call, &w.tile
	target := &c.target
	lo, n := b*c.s+from, to-from
	w.keep, t.V, t.Y = w.all[:n], nil, nil
	if target.mask != nil || target.weights != nil {
		if bad := w.keepExisting(lo, n); bad >= 0 {
			return bad
		}
	}
	if target.labels != nil {
		return w.scanLabels(lo, n)
	}
	return -1
}

// keepExisting keeps what mask and weights keep. Weights that are all 1 are
// as good as none.
func (w *worker[T]) keepExisting(lo, n int) (bad int) {
	target := &w.plan.call.target
	kept, uniform := 0, true
	for i := range n {
		if target.mask != nil && target.mask[lo+i] == 0 {
			continue
		}
		v := float32(1)
		if target.weights != nil {
			v = target.weights[lo+i]
		}
		if badWeight(v) {
			return lo + i
		}
		if v == 0 {
			continue
		}
		w.some[kept], w.v[kept] = int32(i), T(v)
		uniform = uniform && v == 1
		kept++
	}
	w.keep = w.some[:kept]
	if !uniform {
		w.tile.V = w.v[:kept]
	}
	return -1
}

// scanLabels turns n labels from position lo on into classes and drops the positions
// to ignore.
func (w *worker[T]) scanLabels(lo, n int) (bad int) {
	t, target := &w.tile, &w.plan.call.target
	kept, bad := target.labels.classes(lo, pick[int32]{n, w.keep, w.some, w.y, w.labels(), &w.plan.config})
	if bad >= 0 {
		return lo + bad
	}
	t.Y = w.y[:kept]
	if t.C == 1 {
		for i := range t.Y {
			t.Y[i] ^= 1 // label 1 is class 0; label 0 is 1, no class
		}
	}
	if kept == len(w.keep) {
		return -1
	}
	w.keep = w.some[:kept]
	if t.V != nil {
		t.V = t.V[:kept]
		for i, k := range w.keep {
			t.V[i] = T(target.weights[lo+int(k)])
		}
	}
	return -1
}

// load brings prediction and dense target of the positions that scan kept into
// the tile.
func (w *worker[T]) load(b, from, to int) {
	c, t := &w.plan.call, &w.tile
	t.N = len(w.keep)
	t.X, t.XStride = c.x[b*t.C*c.s+from:], c.s
	if w.plan.spec.Layout == NSC || t.N < to-from {
		t.X, t.XStride = w.x, t.Stride
		gather(t.X, t.Stride, c.x, w.keep, w.at(b, from))
	}
	t.R = nil
	if t.Y == nil {
		w.loadDense(b, from, to)
	}
}

// loadDense points R at the target, or packs it where it cannot be used as it
// lies.
func (w *worker[T]) loadDense(b, from, to int) {
	c, t := &w.plan.call, &w.tile
	own := ownDense[T](&c.target)
	if own != nil && w.plan.spec.Layout == NCS && t.N == to-from {
		t.R, t.RStride = own[b*t.C*c.s+from:], c.s
		return
	}
	t.R, t.RStride = w.r, t.Stride
	if c.target.dense32 != nil {
		gather(t.R, t.Stride, c.target.dense32, w.keep, w.at(b, from))
	} else {
		gather(t.R, t.Stride, c.target.dense64, w.keep, w.at(b, from))
	}
}

// place is where a tile's elements lie in the caller's tensor.
type place struct{ start, class, position, classes int }

func (w *worker[T]) at(b, from int) place {
	c, classes := &w.plan.call, w.plan.spec.C
	if w.plan.spec.Layout == NSC {
		return place{(b*c.s + from) * classes, 1, classes, classes}
	}
	return place{b*classes*c.s + from, c.s, 1, classes}
}

// gather packs the kept positions of a tensor into rows.
func gather[D, S Float](dst []D, stride int, src []S, keep []int32, at place) {
	for c := range at.classes {
		row := dst[c*stride:][:len(keep)]
		from := src[at.start+c*at.class:]
		for i, k := range keep {
			row[i] = D(from[int(k)*at.position])
		}
	}
}

// activate fills P and Q and the logarithms asked for.
func (w *worker[T]) activate(logP, logQ bool) {
	t, k := &w.tile, w.plan.kernels
	t.LP, t.LQ = nil, nil
	if logP {
		t.LP = w.lp
	}
	if logQ {
		t.LQ = w.lq
	}
	switch w.plan.spec.Activation {
	case Softmax:
		k.Softmax(t)
	case Sigmoid:
		k.Sigmoid(t)
	default:
		k.Probabilities(t)
	}
}

// oneHot writes the classes of a tile as dense rows.
func (w *worker[T]) oneHot() {
	t := &w.tile
	t.R, t.RStride = w.r, t.Stride
	if t.C == 1 { // class 0 or none; a branch would be hard to foresee
		r := t.R[:len(t.Y)]
		for i, y := range t.Y {
			r[i] = T(1 - y)
		}
		return
	}
	for c := range t.C {
		clear(t.R[c*t.RStride:][:t.N])
	}
	for i, y := range t.Y {
		if int(y) < t.C {
			t.R[int(y)*t.RStride+i] = 1
		}
	}
}

// reduce adds the tile's sums to the block.
func (w *worker[T]) reduce() {
	t, k, l := &w.tile, w.plan.kernels, &w.plan.program.Layout
	if t.Y != nil && t.V == nil && w.plan.path.labels {
		w.activate(false, false)
		k.CountsY(w.block, l.K, t)
		if l.LogP >= 0 {
			k.LogPY(w.block[l.LogP:], l.K, t)
		}
		if l.Region >= 0 {
			k.RegionY(w.block[l.Region:], l.K, t)
		}
		return
	}
	w.activate(w.plan.path.logP, w.plan.path.logQ)
	if t.Y != nil {
		w.oneHot()
	}
	for c := range t.C {
		t.Row(&w.row, c)
		w.reduceRow(w.block[c*l.K:])
	}
}

func (w *worker[T]) reduceRow(acc []float64) {
	k, l, r := w.plan.kernels, &w.plan.program.Layout, &w.row
	k.Counts(acc, r)
	if l.Region >= 0 {
		k.Region(acc[l.Region:], r)
	}
	if l.Soft >= 0 {
		k.Soft(acc[l.Soft:], r)
	}
	if l.Square >= 0 {
		k.Square(acc[l.Square:], r)
	}
	if l.LogP >= 0 {
		k.LogP(acc[l.LogP:], r)
	}
	if l.LogQ >= 0 {
		k.LogQ(acc[l.LogQ:], r)
	}
	if l.LogAll >= 0 {
		k.LogAll(acc[l.LogAll:], r)
	}
	for i := range l.Powers {
		switch p := &l.Powers[i]; {
		case p.ExpLog:
			k.ExpLog(acc[p.Off:], p.Gamma, r)
		case p.Pos:
			k.Power(acc[p.Off:], nil, p.Gamma, r)
		default:
			k.Power(acc[p.Off:], acc[p.Off+1:], p.Gamma, r)
		}
	}
}

// differentiate leaves the derivative by x in Out. X may be where Out is: no kernel
// reads a position that it has written. Weights come in while all is float64: without
// its weight a derivative may be no number of the element type. Of ordinary weights and
// coefficients it is one.
func (w *worker[T]) differentiate(coef []float64, scale float64) {
	t, k, l := &w.tile, w.plan.kernels, &w.plan.program.Layout
	w.activate(w.plan.path.gradLogs, w.plan.path.gradLogs)
	if t.Y != nil && w.plan.path.labelsGrad && w.labelCoefs(coef, scale) {
		k.SoftmaxRegionY(t, w.coef)
		for c := range t.C {
			g := t.Out[c*t.OutStride:][:t.N]
			for i, v := range t.V {
				g[i] *= v
			}
		}
		return
	}
	if t.Y != nil {
		w.oneHot()
	}
	for c := range t.C {
		t.Row(&w.row, c)
		clear(w.row.G)
		clear(w.row.U)
		w.differentiateRow(coef[c*l.K:], scale)
		for i, v := range t.V {
			w.row.G[i] *= float64(v)
			if w.row.U != nil {
				w.row.U[i] *= float64(v)
			}
		}
	}
	switch w.plan.spec.Activation {
	case Softmax:
		k.SoftmaxChain(t)
	case Sigmoid:
		k.SigmoidChain(t)
	default:
		k.ProbabilitiesChain(t)
	}
}

// labelCoefs gathers what SoftmaxRegionY takes. It reports false where a derivative might
// lose digits before its weight comes in.
func (w *worker[T]) labelCoefs(coef []float64, scale float64) (ok bool) {
	l := &w.plan.program.Layout
	clear(w.coef)
	for c := range w.tile.C {
		cell, dst := coef[c*l.K:][:l.K], w.coef[4*c:][:4]
		if l.Region >= 0 {
			s := cell[l.Region:][:4]
			dst[0] = scale * (s[losses.TP] - s[losses.FN])
			dst[1] = scale * (s[losses.FP] - s[losses.TN])
		}
		if l.LogP >= 0 {
			dst[2] = scale * cell[l.LogP]
		}
	}
	return w.tile.V == nil || slices.Max(w.tile.V) <= 0x1p16 && within(w.coef, 0x1p100)
}

// within reports whether no number is beyond a bound.
func within(numbers []float64, most float64) bool {
	for _, v := range numbers {
		if !(math.Abs(v) <= most) {
			return false
		}
	}
	return true
}

func (w *worker[T]) differentiateRow(cell []float64, scale float64) {
	k, l, r := w.plan.kernels, &w.plan.program.Layout, &w.row
	at := func(off int) float64 {
		if off < 0 {
			return 0
		}
		return scale * cell[off]
	}
	if o := l.Region; o >= 0 {
		k.RegionGrad(r, at(o+losses.TP), at(o+losses.FP), at(o+losses.FN), at(o+losses.TN))
	}
	if o := l.Soft; o >= 0 {
		k.SoftGrad(r, at(o+losses.TP), at(o+losses.FP), at(o+losses.FN), at(o+losses.TN))
	}
	if o := l.Square; o >= 0 {
		k.SquareGrad(r, at(o+losses.PP), at(o+losses.SQR), at(o+losses.SQB))
	}
	if l.LogP >= 0 || l.LogQ >= 0 || l.LogAll >= 0 {
		k.LogGrad(r, at(l.LogP), at(l.LogQ), at(l.LogAll))
	}
	for i := range l.Powers {
		switch p := &l.Powers[i]; {
		case p.ExpLog:
			k.ExpLogGrad(r, p.Gamma, at(p.Off))
		case p.Pos:
			k.PowerGrad(r, p.Gamma, at(p.Off), 0)
		default:
			k.PowerGrad(r, p.Gamma, at(p.Off), at(p.Off+1))
		}
	}
}

// aim points Out at the caller's buffer where the gradient may be formed there,
// else at scratch.
func (w *worker[T]) aim(b, from, to int) {
	c, t := &w.plan.call, &w.tile
	w.direct = w.plan.spec.Layout == NCS && t.N == to-from && !c.grad.Accumulate
	if w.direct {
		t.Out, t.OutStride = c.dx[b*t.C*c.s+from:], c.s
	} else {
		t.Out, t.OutStride = w.out, t.Stride
	}
}

// store brings the tile's gradient to the positions [from, to) of sample b;
// those that do not exist get 0.
func (w *worker[T]) store(b, from, to int) {
	c, t := &w.plan.call, &w.tile
	at := w.at(b, from)
	for k := range t.C {
		g := t.Out[k*t.OutStride:][:t.N]
		if !w.direct {
			scatter(c.dx[at.start+k*at.class:], at.position, to-from, g, w.keep, c.grad.Accumulate)
		}
	}
}

// scatter brings the gradient g of the kept ones of n positions to dst, where
// they lie step apart. The others get 0.
func scatter[T Float](dst []T, step, n int, g []T, keep []int32, accumulate bool) {
	switch {
	case accumulate && step == 1 && len(keep) == n:
		dst = dst[:n]
		for i, v := range g {
			dst[i] += v
		}
		return
	case accumulate:
		for i, p := range keep {
			dst[int(p)*step] += g[i]
		}
		return
	case len(keep) < n:
		for i := range n {
			dst[i*step] = 0
		}
	}
	for i, p := range keep {
		dst[int(p)*step] = g[i]
	}
}
