package gradcheck

import (
	"context"
	"math"
	"slices"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/kernels"
)

// A mutant is one way to get a gradient wrong. It changes the finished gradient,
// the options that it is computed with, the terms of a sum, or a rule of
// differentiation; so each is written once and serves every loss.
type mutant struct {
	name   string
	finish func(p *problem, dx []float64)
	option func(o map[string]any) bool                       // reports whether it found something to change
	sum    func(terms []kernels.Term) ([]kernels.Term, bool) // likewise
	rule   exact.Fault
}

// mutants returns all of them.
func mutants() []mutant {
	all := slices.Concat(finishing, optional, summing)
	for _, f := range exact.Faults() {
		all = append(all, mutant{name: f.String(), rule: f})
	}
	return all
}

// finishing are mistakes made with a gradient that was right.
var finishing = []mutant{
	{name: "sign", finish: func(_ *problem, dx []float64) { scale(dx, -1) }},
	{name: "zero", finish: func(_ *problem, dx []float64) { clear(dx) }},
	{name: "times 1.0005", finish: func(_ *problem, dx []float64) { scale(dx, 1.0005) }},
	{name: "times the positions", finish: func(p *problem, dx []float64) { scale(dx, float64(p.n*p.s)) }},
	{name: "upstream value forgotten", finish: func(_ *problem, dx []float64) { scale(dx, 1.0/upstream) }},
	{name: "accumulated twice", finish: func(_ *problem, dx []float64) { scale(dx, 2) }},
	{name: "one pixel zeroed", finish: func(_ *problem, dx []float64) { dx[largest(dx)] = 0 }},
	{name: "one pixel not a number", finish: func(_ *problem, dx []float64) { dx[largest(dx)] = math.NaN() }},
	{name: "first and last class exchanged", finish: exchangeClasses},
	{name: "last tile skipped", finish: skipTail},
	{name: "first sample for all", finish: repeatSample},
	{name: "channels-last order", finish: func(p *problem, dx []float64) {
		copy(dx, arrange[float64](dx, p.n, p.c, p.s, kernels.NSC))
	}},
	{name: "kept in half precision", finish: halve},
}

func scale(v []float64, by float64) {
	for i := range v {
		v[i] *= by
	}
}

// largest returns the place of the largest magnitude.
func largest(v []float64) int {
	best := 0
	for i, a := range v {
		if math.Abs(a) > math.Abs(v[best]) {
			best = i
		}
	}
	return best
}

func exchangeClasses(p *problem, dx []float64) {
	for n := range p.n {
		a, b := dx[p.index(n, 0, 0):][:p.s], dx[p.index(n, p.c-1, 0):][:p.s]
		for s := range a {
			a[s], b[s] = b[s], a[s]
		}
	}
}

// skipTail leaves out the positions behind the last whole vector of four.
func skipTail(p *problem, dx []float64) {
	for i := range dx {
		if _, _, s := p.place(i); s >= (p.s-1)/4*4 {
			dx[i] = 0
		}
	}
}

func repeatSample(p *problem, dx []float64) {
	for n := 1; n < p.n; n++ {
		copy(dx[p.index(n, 0, 0):], dx[:p.c*p.s])
	}
}

// halve rounds to the eleven bits of a float16, without its limits of range.
func halve(_ *problem, dx []float64) {
	for i, v := range dx {
		f, e := math.Frexp(v)
		dx[i] = math.Ldexp(math.RoundToEven(f*0x1p11)*0x1p-11, e)
	}
}

// optional are mistakes that amount to other options.
var optional = []mutant{
	{name: "alpha and beta exchanged", option: func(o map[string]any) bool {
		a, b := o["alpha"], o["beta"]
		if b != nil {
			o["alpha"], o["beta"] = b, a
		}
		return b != nil
	}},
	{name: "alpha for 1-alpha", option: func(o map[string]any) bool {
		a, ok := o["alpha"].(float64)
		if ok = ok && o["beta"] == nil; ok {
			o["alpha"] = 1 - a
		}
		return ok
	}},
	{name: "lambda for 1-lambda", option: func(o map[string]any) bool {
		l, ok := o["lambda"].(float64)
		if ok {
			o["lambda"] = 1 - l
		}
		return ok
	}},
	{name: "gamma missing", option: put("gamma", 1.0)},
	{name: "smoothing in the denominator only", option: put("smooth_nr", 0.0)},
	{name: "smoothing in the numerator only", option: put("smooth_dr", 0.0)},
	{name: "eps missing", option: put("eps", 0.0)},
	{name: "class weights forgotten", option: func(o map[string]any) bool { return drop(o, "weight") || drop(o, "pos_weight") || drop(o, "freq") }},
	{name: "class weights of the next class", option: func(o map[string]any) bool {
		return rotate(o, "weight") || rotate(o, "pos_weight") || rotate(o, "freq")
	}},
	{name: "background left out", option: put("background", false)},
	{name: "sum for mean", option: put("reduction", "sum")},
	{name: "sums of the whole batch", option: put("batch", true)},
	{name: "class weights without squares", option: put("weight_type", "simple")},
}

// summing are mistakes made where terms come together.
var summing = []mutant{
	{name: "last term forgotten", sum: func(terms []kernels.Term) ([]kernels.Term, bool) {
		return terms[:max(1, len(terms)-1)], len(terms) > 1
	}},
	{name: "coefficients of the next term", sum: func(terms []kernels.Term) ([]kernels.Term, bool) {
		first := terms[0].Coef
		for i := range terms[1:] {
			terms[i].Coef = terms[i+1].Coef
		}
		terms[len(terms)-1].Coef = first
		return terms, len(terms) > 1
	}},
}

// put returns what sets an option to a value, where a term has it.
func put(name string, v any) func(map[string]any) bool {
	return func(o map[string]any) bool {
		if o[name] == nil || o[name] == v {
			return false
		}
		o[name] = v
		return true
	}
}

// drop takes a list away.
func drop(o map[string]any, name string) bool {
	if _, ok := o[name].([]float64); !ok {
		return false
	}
	delete(o, name)
	return true
}

// rotate gives every class the number of the next one.
func rotate(o map[string]any, name string) bool {
	list, ok := o[name].([]float64)
	if !ok || len(list) < 2 {
		return false
	}
	o[name] = append(slices.Clone(list[1:]), list[0])
	return true
}

// gradient returns the gradient that the mutant makes of the right one of a
// loss. It is nil where it makes none: where the loss has nothing that it could
// change, where it has a region of the caller's, whose formula nobody else
// knows, or where the problem is too large for the arithmetic that a broken
// rule of differentiation needs. The kernels have no part in it.
func (m mutant) gradient(ctx context.Context, p *problem, l kernels.Loss, right []float64) ([]float64, error) {
	switch {
	case m.finish != nil:
		dx := slices.Clone(right)
		m.finish(p, dx)
		return dx, nil
	case foreign(l):
		return nil, nil
	case m.option != nil || m.sum != nil:
		changed, ok := m.change(l)
		if !ok {
			return nil, nil
		}
		return p.oracleGradient(changed)
	case len(p.x) > smallTensor || !ruled(l):
		return nil, nil
	}
	terms, err := exactTerms(l)
	if err != nil {
		return nil, err
	}
	_, dx, err := exact.Gradient(ctx, exact.Dual, p.reference(), terms, m.rule, nil)
	return dx, err
}

// change returns the loss with the option changed in every term that has it, or
// with other terms.
func (m mutant) change(l kernels.Loss) (kernels.Loss, bool) {
	terms := l.Terms()
	found := false
	if m.sum != nil {
		terms, found = m.sum(terms)
	} else {
		for i := range terms {
			found = m.option(terms[i].Options) || found
		}
	}
	if !found {
		return l, false
	}
	changed, err := kernels.Combine(terms...)
	return changed, err == nil
}
