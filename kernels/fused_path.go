package kernels

import (
	"math"
	"slices"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// fusedPath says how fused kernels serve a loss with one kind of target.
type fusedPath[T Float] struct {
	steps []step[T] // of the forward pass; none where rows of a tile serve

	// Of the backward pass, where gradient says that there is one.
	gradient bool
	set      set
	power    *losses.Power // the one that the loss has, or nil

	// Under softmax, what does all of a pass at once; or nil.
	sums func(acc *[numSums]float64, x *T, y []uint8, xstride int, next uintptr) bool
	grad func(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, stream bool) bool
}

// step is one walk through a class.
type step[T Float] struct {
	set     set           // row kernel
	power   *losses.Power // whose sums it forms, or nil
	factors [numFactors]T
	moves   []move
}

// move says which sum of a step goes where in a cell.
type move struct{ sum, off int }

// Classes are bytes beside labels. Without labels their number is bounded for
// the memory that a span of channels-last elements takes.
const (
	maxLabelClasses = 1 << 8
	maxDenseClasses = 1 << 10
)

// chooseFused finds the fused kernels for a kind of target: a whole path, or none.
func (p *Plan[T]) chooseFused(dense bool) fusedPath[T] {
	f, a, most := &p.program.Features, p.spec.Activation, maxLabelClasses
	if dense {
		most = maxDenseClasses
	}
	var path fusedPath[T]
	ok := false
	switch {
	case p.fused == nil || p.spec.C > most || f.LogAll || !plain(f.Powers):
	case f.Soft && (dense || a == None):
		// Without an activation p may lie outside [0, 1]. Beside labels and
		// inside of it, min(p, r) = p r.
	case a == Softmax && !dense:
		path, ok = p.softmaxPath()
	case a != Softmax:
		path, ok = p.rowsPath(dense)
	}
	if !ok {
		return fusedPath[T]{}
	}
	return path
}

// plain reports whether fused kernels take the exponents.
func plain(powers []losses.Power) bool {
	return !slices.ContainsFunc(powers, func(w losses.Power) bool { return !losses.Plain(w.Gamma) })
}

// rowsPath is the path of row kernels, if they serve the loss.
func (p *Plan[T]) rowsPath(dense bool) (path fusedPath[T], ok bool) {
	f, l, k := &p.program.Features, &p.program.Layout, &p.fused.rows[p.spec.Activation]
	if p.spec.Activation == None && f.NeedsLogs() && p.config.clip < leastClip[T]() {
		return path, false
	}
	if path.steps, ok = p.rowSteps(dense); !ok {
		return path, false
	}
	first, last := &path.steps[0], &path.steps[len(path.steps)-1]
	first.moves = append(first.moves, plainMoves(l)...)
	last.moves = append(last.moves, squareMoves(l)...)

	// One kernel must do for the whole gradient.
	path.set, path.power = first.set, first.power
	path.gradient = len(path.steps) == 1
	switch {
	case f.Square && !f.NeedsLogs():
		path.set, path.gradient = setSquare, true
	case path.set == setOverlap:
		path.set = setRegion
		first.moves = slices.DeleteFunc(first.moves, func(m move) bool { return m.sum == sumTN || m.sum == sumRR })
	}
	path.gradient = path.gradient && k.has(path.set, dense, true)
	return path, true
}

// rowSteps is the walks through a class that form all of its sums, the squares last,
// if there is a kernel for each of them.
func (p *Plan[T]) rowSteps(dense bool) (steps []step[T], ok bool) {
	f, l, k := &p.program.Features, &p.program.Layout, &p.fused.rows[p.spec.Activation]
	for i := range l.Powers {
		if l.Powers[i].ExpLog {
			return nil, false
		}
		steps = append(steps, p.powerStep(&l.Powers[i], dense, i > 0))
	}
	switch {
	case len(steps) > 0:
	case f.NeedsLogs():
		steps = append(steps, p.newStep(p.without(setLogs, setOnlyLogs, dense, f.Region || f.Soft)))
	case f.Region && !f.TN && !f.Soft && !f.Square && k.has(setOverlap, dense, false):
		steps = append(steps, p.newStep(setOverlap))
	case f.Region || f.Soft || !f.Square:
		steps = append(steps, p.newStep(setRegion))
	}
	if f.Square {
		steps = append(steps, p.newStep(setSquare))
	}
	return steps, !slices.ContainsFunc(steps, func(s step[T]) bool { return !k.has(s.set, dense, false) })
}

func (k *rowKernels[T]) has(s set, dense, backward bool) bool {
	switch {
	case dense && backward:
		return k.backward[s] != nil
	case dense:
		return k.forward[s] != nil
	case backward:
		return k.backwardY[s] != nil
	}
	return k.forwardY[s] != nil
}

// softmaxPath is the path of the softmax kernels, if they serve the loss.
func (p *Plan[T]) softmaxPath() (path fusedPath[T], ok bool) {
	f, l, k := &p.program.Features, &p.program.Layout, &p.fused.softmax
	switch {
	case f.LogQ || !k.activates(p.spec.C):
		return path, false
	case f.NeedsLogs() && (k.memberLogs == nil || k.sumY == nil):
		return path, false
	case (f.Region || f.Soft) && k.regionY == nil, f.Square && k.squareY == nil:
		return path, false
	}
	first := p.newStep(setRegion)
	first.moves = append(plainMoves(l), squareMoves(l)...)
	path.steps = []step[T]{first}
	path.gradient = k.chain(f.Square, p.spec.C) != nil && len(l.Powers) <= 1
	for i := range l.Powers {
		s := p.newStep(setPowers)
		s.power, s.moves = &l.Powers[i], []move{{sumPos, l.Powers[i].Off}}
		sums, derivatives := k.hasPower(s.power)
		if !sums {
			return path, false
		}
		path.steps, path.power = append(path.steps, s), s.power
		path.gradient = path.gradient && derivatives
	}
	if p.spec.C <= maxUnrolled && len(l.Powers) <= 1 && !f.Square {
		return p.wholePath(path), true
	}
	return path, true
}

// wholePath is a path under softmax with the kernels that do all of a pass, where
// there are any.
func (p *Plan[T]) wholePath(path fusedPath[T]) fusedPath[T] {
	f, k, c := &p.program.Features, &p.fused.softmax, p.spec.C
	members := !f.Region && !f.Soft // alone contribute
	switch {
	case len(f.Powers) == 0:
		path.sums, path.grad = k.sumsY[c], k.gradY[c]
		if f.LogP {
			path.sums = k.logSumsY[c]
		}
	case f.LogP || !multiplies(path.power): // such a loss is rare
	case members:
		path.raise(k.onlyPowerSumsY[c], k.onlyPowerGradY[c])
	default:
		path.raise(k.powerSumsY[c], k.powerGradY[c])
	}
	return path
}

// multiplies reports whether products and a root make q^γ and q^(γ−1).
func multiplies(p *losses.Power) bool {
	twice := 2 * p.Gamma
	return !p.ExpLog && twice == math.Trunc(twice) && twice >= 2 && twice <= 16
}

// raise has kernels with a power do all of both passes, if they are there: one
// step forms all sums.
func (path *fusedPath[T]) raise(
	sums func(acc *[numSums]float64, x *T, y []uint8, xstride int, next uintptr, gamma T) bool,
	grad func(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, gamma T, stream bool) bool,
) {
	if sums == nil || grad == nil {
		return
	}
	first, gamma := &path.steps[0], T(path.power.Gamma)
	first.moves = append(first.moves, path.steps[1].moves...)
	path.steps = path.steps[:1]
	path.sums = func(acc *[numSums]float64, x *T, y []uint8, xstride int, next uintptr) bool {
		return sums(acc, x, y, xstride, next, gamma)
	}
	path.grad = func(out, x, coef *T, y []uint8, outStride, xstride int, next uintptr, stream bool) bool {
		return grad(out, x, coef, y, outStride, xstride, next, gamma, stream)
	}
}

// activates reports whether there is a kernel for that many classes.
func (k *softmaxKernels[T]) activates(classes int) bool {
	return k.any != nil || classes <= maxUnrolled && k.few[classes] != nil
}

// hasPower reports whether there are kernels for a feature of members.
func (k *softmaxKernels[T]) hasPower(p *losses.Power) (sums, derivatives bool) {
	if p.ExpLog {
		return k.memberExpLog != nil, k.memberExpLogGrad != nil
	}
	return p.Pos && k.memberPowers != nil, k.memberPowersGrad != nil
}

// newStep is a step with the factors that all have.
func (p *Plan[T]) newStep(s set) step[T] {
	clip := roundUp[T](p.config.clip)
	return step[T]{set: s, factors: [numFactors]T{
		factorClip: clip, factorLnClip: T(math.Log(p.config.clip)), factorLnRest: T(math.Log1p(-p.config.clip)),
	}}
}

// without is a set or, unless the other sums of it are needed and if there are
// kernels for that, only what its name says.
func (p *Plan[T]) without(s, only set, dense, needed bool) set {
	k := &p.fused.rows[p.spec.Activation]
	if !needed && k.has(only, dense, false) && k.has(only, dense, true) {
		return only
	}
	return s
}

// powerStep forms the sums of an exponent: those that need no exponential by
// the kernel for them, if it is there. The first of several exponents has the
// other sums too, if the loss needs any.
func (p *Plan[T]) powerStep(power *losses.Power, dense, further bool) step[T] {
	kind, only, twice := setAnyPower, setOnlyAnyPower, 2*power.Gamma
	if twice == math.Trunc(twice) && twice <= 8 && p.fused.rows[p.spec.Activation].has(setPowers, dense, false) {
		kind, only = setPowers, setOnlyPowers
	}
	f := &p.program.Features
	s := p.newStep(p.without(kind, only, dense, !further && (f.Region || f.Soft || f.LogP || f.LogQ)))
	s.power = power
	s.factors[factorGamma], s.factors[factorGamma2] = T(power.Gamma), T(twice)
	s.moves = []move{{sumPos, power.Off}}
	if !power.Pos {
		s.moves = append(s.moves, move{sumNeg, power.Off + 1})
	}
	return s
}

// plainMoves places the counts and the sums of region, soft and logarithms.
func plainMoves(l *losses.Layout) []move {
	moves := []move{{sumR, losses.OffR}, {sumNR, losses.OffNR}, {sumRR, losses.OffRR}}
	for i := range 4 {
		if l.Region >= 0 {
			moves = append(moves, move{sumTP + i, l.Region + i})
		}
		if l.Soft >= 0 {
			moves = append(moves, move{sumTP + i, l.Soft + i})
		}
	}
	if l.LogP >= 0 {
		moves = append(moves, move{sumLogP, l.LogP})
	}
	if l.LogQ >= 0 {
		moves = append(moves, move{sumLogQ, l.LogQ})
	}
	return moves
}

func squareMoves(l *losses.Layout) (moves []move) {
	for i := range 3 {
		if l.Square >= 0 {
			moves = append(moves, move{sumPP + i, l.Square + i})
		}
	}
	return moves
}

// roundUp is the least T that is not below v, so that a T lies below v where
// it lies below that.
func roundUp[T Float](v float64) T {
	t := T(v)
	if float64(t) < v {
		t = T(math.Nextafter32(float32(t), math.MaxFloat32))
	}
	return t
}

// leastClip bounds the clip whose reciprocal, a factor of the derivative,
// stays far from overflow.
func leastClip[T Float]() float64 { return float64(map32or64[T](0x1p-60, 0x1p-500)) }

// chain returns the gradient of that many classes, or nil.
func (k *softmaxKernels[T]) chain(square bool, classes int) softmaxChain[T] {
	chains := &k.chainY
	if square {
		chains = &k.squareChainY
	}
	if classes <= maxUnrolled && chains[classes] != nil {
		return chains[classes]
	}
	return chains[0]
}
