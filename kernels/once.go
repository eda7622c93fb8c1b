package kernels

import (
	"context"
	"slices"
)

// The gradient of a pointwise loss needs no sum of the prediction: both passes can
// go over a span while it is in the cache, and memory is read once.

// foresee reports whether ForwardBackward may take both passes at once, with the
// coefficients that it expects in p.foreseen.
func (p *Plan[T]) foresee(dx, x []T, t Target, g Grad) bool {
	// Should the coefficients turn out to be others, x has to be there still, and
	// dx must not have been added to.
	again := len(dx) > 0 && &dx[0] != &x[0] && !g.Accumulate
	if p.foreseen == nil || !p.whole(&t) || !again || g.Scale == 0 {
		return false
	}
	n, s := t.size(p.spec)
	if !p.sums.batch.Foresee(p.foreseen, float64(n*s), n) {
		p.foreseen = nil
		return false
	}
	return true
}

// followUp differentiates the unit [from, to) from position done up to end, where it
// is reduced, and returns how far it has come: to the same steps as without sums.
func (p *Plan[T]) followUp(w *worker[T], b, from, done, end, to int) int {
	if end < to {
		end -= (end - from) % w.step(phaseBackward)
	}
	p.backwardUnit(w, b, done, end)
	return end
}

// once is ForwardBackward with coefficients that are foreseen. It looks for bad
// labels before it writes anything.
func (p *Plan[T]) once(ctx context.Context, dx, x []T, t Target, g Grad) (Value, error) {
	if !t.isDense() {
		if err := p.do(ctx, phaseCheck, nil, x, t, Grad{}); err != nil {
			return Value{}, err
		}
	}
	if err := p.do(ctx, phaseBoth, dx, x, t, g); err != nil {
		return Value{}, err
	}
	n, _ := t.size(p.spec)
	p.collect(p.sums, 0, n)
	v := p.finish(p.sums, n, 0)
	if used := n * p.spec.C * p.program.K; !slices.Equal(p.foreseen[:used], p.coef[:used]) {
		p.foreseen = nil // as for weights of classes: it will be in vain again
		return v, p.backward(ctx, dx, x, t, g)
	}
	return v, nil
}
