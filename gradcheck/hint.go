package gradcheck

import (
	"context"
	"fmt"
	"math"
)

const (
	likeness = 0.05 // a mutant is named where it is this much nearer than the right gradient
	maxHints = 2    // failures of one problem that are compared with mutants
)

// hint names the mutant that a wrong gradient of variant i resembles, "" where
// there is none. What is right comes from the differences, and of a tensor too
// large for those from package ref, so that the gradient cannot vouch for
// itself.
func (b *bench) hint(ctx context.Context, i int, dx, frozen []float64) string {
	if b.hints == maxHints {
		return ""
	}
	b.hints++
	l := b.variants[i].loss
	right := values(withFrozen(b.numeric[i], frozen, b.elements))
	if len(right) < len(dx) {
		var err error
		if right, err = b.p.oracleGradient(l); err != nil {
			return ""
		}
	}
	best, name := likeness*distance(dx, right), ""
	for _, m := range mutants() {
		wrong, err := m.gradient(ctx, b.p, l, right)
		if err != nil || wrong == nil {
			continue
		}
		if d := distance(dx, wrong); d < best && distance(right, wrong) > 0 {
			best, name = d, m.name
		}
	}
	if name == "" || ctx.Err() != nil {
		return "" // it may resemble one that was not reached still more
	}
	return fmt.Sprintf("the gradient resembles one with this mistake: %s", name)
}

// distance returns the Euclidean distance of two gradients: infinite where one
// is finite and the other is not.
func distance(a, b []float64) float64 {
	gap := make([]float64, 0, len(a))
	for i, v := range a {
		switch {
		case finite(v) && finite(b[i]):
			gap = append(gap, v-b[i])
		case finite(v) != finite(b[i]):
			return math.Inf(1)
		}
	}
	return rms(gap) * math.Sqrt(float64(len(gap)))
}
