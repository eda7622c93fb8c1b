package gradcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segloss/segloss/internal/exact"
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

// oracleGradient evaluates the gradient of a loss by package ref.
func (p *problem) oracleGradient(l kernels.Loss) ([]float64, error) {
	return p.gradientBy(l, func(kernels.Term) bool { return true })
}

// frozenGradient returns the gradient of the frozen terms of a loss, nil where
// it has none. What a term holds constant is no derivative of its value, so
// that differences cannot tell; the formulas of package ref, derived by hand,
// can.
func (p *problem) frozenGradient(l kernels.Loss) ([]float64, error) {
	return p.gradientBy(l, frozen)
}

// gradientBy sums the gradients, by package ref, of the terms that count; nil
// where none does.
func (p *problem) gradientBy(l kernels.Loss, counts func(kernels.Term) bool) ([]float64, error) {
	var sum []float64
	for _, t := range l.Terms() {
		if !counts(t) {
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
		out[j].Lo += g[i]
		out[j].Hi += g[i]
		out[j].Err += oracleError * max(g[i], -g[i])
	}
	return out
}

// oracleError is the relative error granted to package ref.
const oracleError = 1e-10

// exactTerms returns the terms of a loss as package exact takes them.
func exactTerms(l kernels.Loss) ([]exact.Term, error) {
	var terms []exact.Term
	for _, t := range l.Terms() {
		if t.Region != nil {
			return nil, fmt.Errorf("gradcheck: %w: %s", exact.ErrUnjudged, t.Name)
		}
		o, err := oracle.Options(t.Options)
		if err != nil {
			return nil, fmt.Errorf("gradcheck: %s: %w", t.Name, err)
		}
		terms = append(terms, exact.Term{Coef: t.Coef, Name: t.Name, Options: o})
	}
	return terms, nil
}

// A judge is the gradient of a loss by an exact oracle, if there is one for it.
type judge struct {
	oracle exact.Oracle
	dx     []float64
}

// names says what a gradient of the given type is judged by.
func (j judge) names(d DType) string {
	switch {
	case d == Float32:
		return "the float64 gradient"
	case j.dx == nil:
		return "differences"
	}
	return "differences and the " + string(j.oracle) + " oracle"
}

// textbook is the name of package ref as an oracle, for a loss that package
// exact has no rule for.
const textbook exact.Oracle = "textbook"

// judge asks the best oracle for the gradient of variant i. There is none for a
// region of the caller's, for a loss that is not finite, and for a tensor too
// large for it.
func (b *bench) judge(ctx context.Context, i int) (judge, error) {
	l := b.variants[i].loss
	if len(b.p.x) > smallTensor || !finite(b.value[i]) || foreign(l) {
		return judge{}, nil
	}
	if !ruled(l) {
		g, err := b.p.oracleGradient(l)
		return judge{textbook, g}, err
	}
	by, g, err := b.p.ask(ctx, l, exact.Dual)
	if err != nil {
		return judge{}, fmt.Errorf("gradcheck: %v: %w", l, err)
	}
	return judge{by, g}, nil
}

// ask asks the best oracle for the gradient of a loss: fractions where they
// serve, else the one given. The gradient is nil where the oracle has no answer.
func (p *problem) ask(ctx context.Context, l kernels.Loss, otherwise exact.Oracle) (exact.Oracle, []float64, error) {
	terms, err := exactTerms(l)
	var g []float64
	in, by := p.reference(), otherwise
	if err == nil {
		if exact.Best(terms, in.Activation) == exact.Rational {
			by = exact.Rational
		}
		_, g, err = exact.Gradient(ctx, by, in, terms, exact.NoFault, nil)
	}
	if errors.Is(err, exact.ErrUnjudged) {
		return by, nil, nil
	}
	return by, g, err
}

// ruled reports whether package exact has a rule for every term of a loss.
func ruled(l kernels.Loss) bool {
	return !slices.ContainsFunc(l.Terms(), func(t kernels.Term) bool { return !exact.Knows(t.Name) })
}

// foreign reports whether a loss has a region of the caller's.
func foreign(l kernels.Loss) bool {
	return slices.ContainsFunc(l.Terms(), func(t kernels.Term) bool { return t.Region != nil })
}

// compareOracle holds a float64 gradient against the judge's, within the error
// bound that the losses promise.
func (b *bench) compareOracle(row *Row, i int, judge judge, dx []float64) {
	if judge.dx == nil || row.Verdict == Fail {
		return
	}
	row.Checks += len(dx)
	c := within(judge.dx, dx, b.bounds(kFloat64, uFloat64, b.elements, b.scale[i], judge.dx))
	if j := c.judge(); j.verdict == Fail {
		row.fail(fmt.Sprintf("by the %s oracle: %s", judge.oracle, j.reason), b.element(c, j.worst, j.worst))
	}
}
