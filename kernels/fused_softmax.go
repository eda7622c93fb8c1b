package kernels

import (
	"bytes"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// softmax leaves the probabilities of the positions [i, j), of those that
// exist, in p and q.
func (w *worker[T]) softmax(i, j int) (ok bool) {
	s, classes, k := w.span, w.plan.spec.C, &w.plan.fused.softmax
	x, xStride := w.inputs(i, j)
	if classes <= maxUnrolled && k.few[classes] != nil {
		return k.few[classes](&s.p[0], &s.q[0], &x[0], s.stride, xStride, j-i, w.askLogits(x, j, prefetchAhead))
	}
	return k.any(&s.p[0], &s.q[0], &x[0], &s.work[0], s.stride, xStride, classes, j-i, w.askLogits(x, j, columnAhead))
}

func (w *worker[T]) reduceSoftmax() (ok bool) {
	s, classes := w.span, w.plan.spec.C
	clear(s.acc)
	whole, step := s.path.sums, s.block
	if whole != nil && !s.packed && s.keep == nil {
		step = s.n
	}
	for i := 0; i < s.n; i += step {
		j := min(i+step, s.n)
		if whole != nil {
			x, stride := w.inputs(i, j)
			ok = whole(&s.acc[0], &x[0], s.y[i:j], stride, w.askLogits(x, j, prefetchAhead))
		} else {
			ok = w.reduceBlock(i, j)
		}
		if !ok {
			return false
		}
	}
	counted := whole == nil && (w.plan.program.Region >= 0 || w.plan.program.Soft >= 0)
	for c := range classes {
		members := &s.acc[c][sumR]
		if !counted {
			*members = float64(bytes.Count(s.y, s.class[c:c+1]))
		}
		for i := range s.path.steps {
			acc := &s.acc[i*classes+c]
			acc[sumR] = *members
			if !w.settle(&s.path.steps[i], c, acc) {
				return false
			}
		}
	}
	return true
}

// reduceBlock adds the sums of the positions [i, j) of those that exist.
func (w *worker[T]) reduceBlock(i, j int) (ok bool) {
	s, classes, k, f := w.span, w.plan.spec.C, &w.plan.fused.softmax, &w.plan.program.Features
	if !w.softmax(i, j) {
		return false
	}
	n, y := j-i, s.y[i:j]
	if f.NeedsLogs() && !k.memberLogs(s.l[:n], s.qy[:n], &s.p[0], &s.q[0], y, s.stride, classes) {
		return false
	}
	for c := range classes {
		p, q, acc := s.p[c*s.stride:][:n], s.q[c*s.stride:][:n], &s.acc[c]
		if f.Region || f.Soft {
			k.regionY(acc, p, q, y, uint8(c))
		}
		if f.Square {
			k.squareY(acc, p, q, y, uint8(c))
		}
		if f.LogP {
			k.sumY(&acc[sumLogP], s.l[:n], y, uint8(c))
		}
	}
	for i := range s.path.steps[1:] {
		if !w.reducePower(s.path.steps[1+i].power, s.acc[(1+i)*classes:], y) {
			return false
		}
	}
	return true
}

// reducePower adds the sums of a feature of members.
func (w *worker[T]) reducePower(power *losses.Power, acc [][numSums]float64, y []uint8) (ok bool) {
	s, k, n := w.span, &w.plan.fused.softmax, len(y)
	row, l, qy, gamma := s.work[:n], s.l[:n], s.qy[:n], T(power.Gamma)
	if !power.ExpLog {
		k.memberPowers(row, l, qy, gamma)
	} else if !k.memberExpLog(row, l, qy, gamma) {
		return false
	}
	for c := range w.plan.spec.C {
		k.sumY(&acc[c][sumPos], row, y, uint8(c))
	}
	return true
}

// differentiateSoftmax forms the gradient. It stores past the caches where
// every class reaches a cache line at the same position.
func (w *worker[T]) differentiateSoftmax() (ok bool) {
	s, c := w.span, &w.plan.call
	if s.path.grad == nil {
		ok = w.loadChain()
	} else { // it might decline after a part of x is gone
		ok = !(s.direct && c.inPlace) || w.ordinary()
	}
	if !ok {
		return false
	}
	out, stride := s.out, s.stride
	if s.direct {
		at := w.at(s.b, s.from)
		out, stride = c.dx[at.start:], at.class
	}
	from, stream := 0, s.direct && c.stream && misaligned(out) == misaligned(out[stride:])
	if stream {
		if from = min(misaligned(out), s.n); from > 0 && !w.chain(out, stride, 0, from, false) {
			return false
		}
	}
	return from == s.n || w.chain(out, stride, from, s.n, stream)
}

// loadChain forms what the chain takes: p, q and m.
func (w *worker[T]) loadChain() (ok bool) {
	s, k, power := w.span, &w.plan.fused.softmax, w.span.path.power
	if !w.softmax(0, s.n) {
		return false
	}
	if power == nil {
		return true
	}
	l, qy, m, gamma := s.l[:s.n], s.qy[:s.n], s.m[:s.n], T(power.Gamma)
	if !k.memberLogs(l, qy, &s.p[0], &s.q[0], s.y, s.stride, w.plan.spec.C) {
		return false
	}
	if power.ExpLog {
		return k.memberExpLogGrad(m, l, qy, gamma)
	}
	return k.memberPowersGrad(m, l, qy, gamma)
}

// chain forms the elements [from, to) of all classes in out.
func (w *worker[T]) chain(out []T, stride, from, to int, stream bool) (ok bool) {
	s, classes := w.span, w.plan.spec.C
	if s.path.grad != nil {
		x, xStride := w.inputs(from, to)
		return s.path.grad(&out[from], &x[0], &s.coef[0], s.y[from:to], stride, xStride, w.askLogits(x, to, prefetchAhead), stream)
	}
	chain := w.plan.fused.softmax.chain(w.plan.program.Square >= 0, classes)
	chain(&out[from], &s.p[from], &s.q[from], &s.m[from], &s.coef[0], &s.work[0], s.y[from:to], stride, s.stride, classes, stream)
	return true
}
