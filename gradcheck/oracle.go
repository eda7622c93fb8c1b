package gradcheck

import (
	"fmt"

	"github.com/segloss/segloss/internal/oracle"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// oracle evaluates a term, without its coefficient, by package ref.
func (p *problem) oracle(t kernels.Term) (loss float64, grad []float64, err error) {
	f, ok := ref.Losses[t.Name]
	if !ok || t.Region != nil {
		return 0, nil, fmt.Errorf("gradcheck: no oracle for %s", t.Name)
	}
	o, err := oracle.Options(t.Options)
	if err != nil {
		return 0, nil, fmt.Errorf("gradcheck: %s: %w", t.Name, err)
	}
	loss, grad = f(p.reference(), o)
	return loss, grad, nil
}

// oracleLoss evaluates a loss by package ref.
func (p *problem) oracleLoss(l kernels.Loss) (float64, error) {
	sum := 0.0
	for _, t := range l.Terms() {
		v, _, err := p.oracle(t)
		if err != nil {
			return 0, err
		}
		sum += t.Coef * v
	}
	return sum, nil
}

// frozenGradient returns the gradient of the frozen terms of a loss, nil where
// it has none. What a term holds constant is no derivative of its value, so
// that differences cannot tell; the formulas of package ref, derived by hand,
// can.
func (p *problem) frozenGradient(l kernels.Loss) ([]float64, error) {
	var sum []float64
	for _, t := range l.Terms() {
		if !frozen(t) {
			continue
		}
		_, g, err := p.oracle(t)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = make([]float64, len(p.x))
		}
		for i, v := range g {
			sum[i] += t.Coef * v
		}
	}
	return sum, nil
}

// reference returns the problem as package ref takes it.
func (p *problem) reference() ref.Input {
	in := ref.Input{
		N: p.n, C: p.c, S: p.s, Activation: ref.Activation(p.activation), Clip: p.clip,
		X: p.x, R: make([]float64, len(p.x)), V: make([]float64, p.n*p.s),
	}
	for i := range in.V {
		n, s := i/p.s, i%p.s
		if !p.exists(n, s) {
			continue
		}
		in.V[i] = 1
		if p.weights != nil {
			in.V[i] = float64(p.weights[i])
		}
		for c := range p.c {
			in.R[p.index(n, c, s)] = p.target(n, c, s)
		}
	}
	return in
}

// withFrozen adds the gradient of frozen terms to estimates of the others, for
// the given elements.
func withFrozen(est []Estimate, g []float64, elements []int) []Estimate {
	if g == nil {
		return est
	}
	out := make([]Estimate, len(est))
	for j, i := range elements {
		out[j] = est[j]
		out[j].Value += g[i]
		out[j].Err += oracleError * max(g[i], -g[i])
	}
	return out
}

// oracleError is the relative error granted to package ref.
const oracleError = 1e-10
