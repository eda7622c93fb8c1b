package kernels

import (
	"bytes"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// softmax leaves the probabilities of the span in p and q.
func (w *worker[T]) softmax() (ok bool) {
	s, classes, k := w.span, w.plan.spec.C, &w.plan.fused.softmax
	x, xStride := w.inputs()
	if classes <= maxUnrolled && k.few[classes] != nil {
		return k.few[classes](&s.p[0], &s.q[0], &x[0], s.stride, xStride, s.n)
	}
	return k.any(&s.p[0], &s.q[0], &x[0], &s.work[0], s.stride, xStride, classes, s.n)
}

func (w *worker[T]) reduceSoftmax() (ok bool) {
	s, classes, k := w.span, w.plan.spec.C, &w.plan.fused.softmax
	f := &w.plan.program.Features
	if !w.softmax() {
		return false
	}
	if f.NeedsLogs() && !k.memberLogs(s.l[:s.n], s.qy[:s.n], &s.p[0], &s.q[0], s.y, s.stride, classes) {
		return false
	}
	for c := range classes {
		p, q := s.p[c*s.stride:][:s.n], s.q[c*s.stride:][:s.n]
		*s.acc = [numSums]float64{}
		if f.Region || f.Soft {
			k.regionY(s.acc, p, q, s.y, uint8(c))
		} else {
			s.acc[sumR] = float64(bytes.Count(s.y, s.class[c:c+1]))
		}
		if f.Square {
			k.squareY(s.acc, p, q, s.y, uint8(c))
		}
		if f.LogP {
			k.sumY(&s.acc[sumLogP], s.l[:s.n], s.y, uint8(c))
		}
		if !w.settle(&s.path.steps[0], c) {
			return false
		}
	}
	for i := range s.path.steps[1:] {
		if !w.reducePower(&s.path.steps[1+i]) {
			return false
		}
	}
	return true
}

// reducePower sums a feature of members.
func (w *worker[T]) reducePower(step *step[T]) (ok bool) {
	s, k := w.span, &w.plan.fused.softmax
	row, l, qy, gamma := s.work[:s.n], s.l[:s.n], s.qy[:s.n], T(step.power.Gamma)
	if !step.power.ExpLog {
		k.memberPowers(row, l, qy, gamma)
	} else if !k.memberExpLog(row, l, qy, gamma) {
		return false
	}
	for c := range w.plan.spec.C {
		*s.acc = [numSums]float64{sumR: s.cell[c*w.plan.program.K+losses.OffR]}
		k.sumY(&s.acc[sumPos], row, s.y, uint8(c))
		if !w.settle(step, c) {
			return false
		}
	}
	return true
}

func (w *worker[T]) differentiateSoftmax() (ok bool) {
	s, k, power := w.span, &w.plan.fused.softmax, w.span.path.power
	if !w.softmax() {
		return false
	}
	if power != nil {
		l, qy, m, gamma := s.l[:s.n], s.qy[:s.n], s.m[:s.n], T(power.Gamma)
		ok := k.memberLogs(l, qy, &s.p[0], &s.q[0], s.y, s.stride, w.plan.spec.C)
		if ok && power.ExpLog {
			ok = k.memberExpLogGrad(m, l, qy, gamma)
		} else if ok {
			ok = k.memberPowersGrad(m, l, qy, gamma)
		}
		if !ok {
			return false
		}
	}
	w.chainSpan()
	return true
}

// chainSpan forms the gradient. It stores past the caches where every class
// reaches a cache line at the same position.
func (w *worker[T]) chainSpan() {
	s, c := w.span, &w.plan.call
	out, stride := s.out, s.stride
	if s.direct {
		at := w.at(s.b, s.from)
		out, stride = c.dx[at.start:], at.class
	}
	from, stream := 0, s.direct && c.stream && misaligned(out) == misaligned(out[stride:])
	if stream {
		if from = min(misaligned(out), s.n); from > 0 {
			w.chainPart(out, stride, 0, from, false)
		}
	}
	if from < s.n {
		w.chainPart(out, stride, from, s.n, stream)
	}
}

func (w *worker[T]) chainPart(out []T, stride, from, to int, stream bool) {
	s, classes := w.span, w.plan.spec.C
	chain := w.plan.fused.softmax.chain(w.plan.program.Square >= 0, classes)
	chain(&out[from], &s.p[from], &s.q[from], &s.m[from], &s.coef[0], &s.work[0], s.y[from:to], stride, s.stride, classes, stream)
}
