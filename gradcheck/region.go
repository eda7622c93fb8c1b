package gradcheck

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// sumsOfCell are the sums that a region loss of the caller's has partial
// derivatives by; that by RR is not used.
var sumsOfCell = []struct {
	name string
	of   func(*kernels.Cell) *float64
}{
	{"TP", func(c *kernels.Cell) *float64 { return &c.TP }},
	{"FP", func(c *kernels.Cell) *float64 { return &c.FP }},
	{"FN", func(c *kernels.Cell) *float64 { return &c.FN }},
	{"TN", func(c *kernels.Cell) *float64 { return &c.TN }},
	{"PP", func(c *kernels.Cell) *float64 { return &c.PP }},
	{"SQ", func(c *kernels.Cell) *float64 { return &c.SQ }},
}

// seen are the parts of a gradient that the partial derivatives by the sums of a
// cell make: with p of a position with the target r it changes by
// r·(TP − FN − 2·SQ) + (1−r)·(FP − TN) + 2p·(PP + SQ). Whoever takes Σ r for
// constant writes other numbers into d, and has the same gradient.
// Each part has a sum that tells whether there is any position to see it at.
var seen = []struct {
	by      int
	factors []float64
}{
	{0, []float64{1, 0, -1, 0, 0, -2}},
	{1, []float64{0, 1, 0, -1, 0, 0}},
	{4, []float64{0, 0, 0, 0, 1, 1}},
}

// A guarded region is the caller's, whose panic is a loss that is no number.
type guarded struct{ kernels.Region }

func (g guarded) Eval(c, d []kernels.Cell) float64 {
	v, _ := g.eval(c, d)
	return v
}

// eval returns what Eval gives, or what it panics with.
func (g guarded) eval(c, d []kernels.Cell) (v float64, panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			clear(d)
			v = math.NaN()
		}
	}()
	return g.Region.Eval(c, d), nil
}

// shield guards the regions of the caller's in a loss.
func shield(l kernels.Loss) kernels.Loss {
	if !foreign(l) {
		return l
	}
	terms := l.Terms()
	for i, t := range terms {
		if t.Region != nil {
			terms[i].Region = guarded{t.Region}
		}
	}
	if safe, err := kernels.Combine(terms...); err == nil {
		return safe
	}
	return l
}

// A spy is a region that keeps the cells that it is asked for.
type spy struct {
	name  string
	cells *[][]kernels.Cell
}

func (s spy) Name() string { return s.name }

func (s spy) Eval(c, _ []kernels.Cell) float64 {
	*s.cells = append(*s.cells, slices.Clone(c))
	return 0
}

// cells returns the cells of every sample of a problem as a term gets them.
func (p *problem) cells(ctx context.Context, t kernels.Term) ([][]kernels.Cell, error) {
	var all [][]kernels.Cell
	t.Coef, t.Region = 0, spy{t.Name, &all}
	l, err := kernels.Combine(t)
	if err != nil {
		return nil, err
	}
	plan, err := kernels.New[float64](l, p.spec(kernels.NCS), p.options(reference())...)
	if err != nil {
		return nil, err
	}
	b := bind[float64](p, kernels.NCS)
	_, err = plan.Forward(ctx, b.x, b.t)
	return all, err
}

// checkRegions checks the partial derivatives of the caller's regions in a loss
// on the cells of a problem, and enters what is wrong, if it is worse than what
// the row has, by its excess.
func checkRegions(ctx context.Context, l kernels.Loss, p *problem, worst *flaw) error {
	for _, t := range l.Terms() {
		if t.Region == nil {
			continue
		}
		samples, err := p.cells(ctx, t)
		if err != nil {
			return err
		}
		for n, c := range samples {
			f := newRegionCheck(t, c).find()
			if f.excess > worst.excess {
				f.worst.N = n
				*worst = f
			}
		}
	}
	return ctx.Err()
}

// A flaw is what is wrong with a region.
type flaw struct {
	excess float64 // in tolerances; 0: nothing
	reason string
	worst  Element
	at     testcase
}

// row returns the row of a flaw.
func (f flaw) row(l kernels.Loss, activation, target, edge string) Row {
	return Row{
		Group: l.String(), Loss: l.String(), Activation: activation, Target: target, Edge: edge,
		Backend: reference(), DType: Float64.String(), Layout: kernels.NCS.String(), Oracle: judge{}.names(Float64),
		Verdict: Fail, Checks: 1, Worst: f.worst, Reason: f.reason + "; gradients were not looked at, which only repeat it",
	}
}

// regionRows checks the partial derivatives of the caller's regions in a loss on
// one case of every kind of input. It returns one row where one is wrong, and
// else none: what follows from it in every gradient would only hide it.
func regionRows(ctx context.Context, l kernels.Loss, tests []testcase) ([]Row, error) {
	if !foreign(l) {
		return nil, nil
	}
	var worst flaw
	done := map[int]bool{}
	for _, t := range tests {
		if done[t.edge] {
			continue
		}
		done[t.edge] = true
		before := worst.excess
		if err := checkRegions(ctx, l, t.problem(), &worst); err != nil {
			return nil, err
		}
		if worst.excess > before {
			worst.at = t
		}
	}
	if worst.excess == 0 {
		return nil, nil
	}
	return []Row{worst.row(l, worst.at.activation.String(), kinds[worst.at.kind].name, edges[worst.at.edge].name)}, nil
}

// A regionCheck is a check of one region on the cells of one sample.
type regionCheck struct {
	name   string
	region guarded
	c, d   []kernels.Cell
	in     []kernels.Cell // what Eval is given
	value  float64
	noise  []float64 // of the value, and of the partial derivatives
}

func newRegionCheck(t kernels.Term, c []kernels.Cell) *regionCheck {
	g, ok := t.Region.(guarded)
	if !ok {
		g = guarded{t.Region}
	}
	return &regionCheck{name: t.Name, region: g, c: c, d: make([]kernels.Cell, len(c)), in: slices.Clone(c)}
}

// eval evaluates the region where in is.
func (r *regionCheck) eval() (v float64, d []kernels.Cell, panicked any) {
	d = make([]kernels.Cell, len(r.c))
	v, panicked = r.region.eval(r.in, d)
	return v, d, panicked
}

// find looks for what is wrong.
func (r *regionCheck) find() flaw {
	v, d, panicked := r.eval()
	if panicked != nil {
		return r.blame(fmt.Sprintf("Eval panics: %v", panicked))
	}
	if !slices.Equal(r.in, r.c) {
		return r.blame("Eval changes c, which it may only read")
	}
	if math.IsNaN(v) {
		return r.blame("Eval gives NaN")
	}
	if math.IsInf(v, 0) {
		return flaw{} // without a derivative
	}
	r.value, r.d = v, d
	r.noise = r.levels()
	f := r.partials()
	if again, e, _ := r.eval(); math.Float64bits(again) != math.Float64bits(v) || !slices.Equal(d, e) && !slices.ContainsFunc(d, hasNaN) {
		return r.blame(fmt.Sprintf("Eval is no function of c: of the same cells it gives %v first and %v then, or other derivatives", v, again))
	}
	return f
}

func hasNaN(c kernels.Cell) bool { return c != c }

// blame is a flaw of the region as a whole.
func (r *regionCheck) blame(what string) flaw {
	return flaw{excess: math.Inf(1), reason: fmt.Sprintf("%s: %s, where c is %+v", r.name, what, r.c)}
}

// partials compares the partial derivatives by the sums that a prediction can
// move with differences.
func (r *regionCheck) partials() flaw {
	var est []Estimate
	var got []float64
	for k := range r.c {
		for i := range sumsOfCell {
			e, g := Estimate{}, 0.0
			if r.moves(k, i) {
				e, g = r.by(k, i), *sumsOfCell[i].of(&r.d[k])
			}
			est, got = append(est, e), append(got, g)
		}
	}
	c := numerically(est, got)
	c.hidden = func(j int) float64 { return r.hidden(j/len(sumsOfCell), j%len(sumsOfCell), est[j]) }
	if c.judge().verdict != Fail {
		return flaw{}
	}
	f := flaw{excess: r.excess(c)}
	if f.excess <= 1 {
		return flaw{}
	}
	j := c.judge().worst
	k, i := j/len(sumsOfCell), j%len(sumsOfCell)
	f.reason = r.name + ": " + r.describe(c)
	f.worst = Element{
		What: "∂/∂" + sumsOfCell[i].name, C: k, S: -1, X: *sumsOfCell[i].of(&r.c[k]),
		Analytic: c.got[j], Numeric: c.want[j], Err: c.err[j], Tol: c.tol[j],
	}
	return f
}

// moves reports whether a prediction can move sum i of class k: where no
// position is of a class, TP and FN are 0 whatever is predicted.
func (r *regionCheck) moves(k, i int) bool {
	switch c := r.c[k]; sumsOfCell[i].name {
	case "TP", "FN":
		return c.TP+c.FN > 0
	case "FP", "TN":
		return c.FP+c.TN > 0
	}
	return true
}

// line returns the region as a function of sum i of class k.
func (r *regionCheck) line(k, i int) func(v float64, out []float64) {
	return func(v float64, out []float64) {
		copy(r.in, r.c)
		*sumsOfCell[i].of(&r.in[k]) = v
		out[0], _, _ = r.eval()
		copy(r.in, r.c)
	}
}

// by estimates the derivative by sum i of class k, with the rounding of the one that
// it is compared with as part of its error.
func (r *regionCheck) by(k, i int) Estimate {
	d := differ{m: 1, f: r.line(k, i), least: r.noise[:1]}
	return d.at(*sumsOfCell[i].of(&r.c[k]), 0, math.Inf(1))[0].rounded(spread * r.noise[1+k*len(sumsOfCell)+i])
}

// hidden returns the slope by sum i of class k that rounding could hide.
func (r *regionCheck) hidden(k, i int, e Estimate) float64 {
	d := differ{m: 1, f: r.line(k, i)}
	x := *sumsOfCell[i].of(&r.c[k])
	return d.hidden(0, x, 0, x+remote*math.Max(1, x), e)
}

// excess returns by how many tolerances the worst part of a gradient is off that
// the partial derivatives make.
func (r *regionCheck) excess(c comparison) float64 {
	worst := 0.0
	for k := range r.c {
		for _, part := range seen {
			if !r.moves(k, part.by) {
				continue
			}
			gap, tol := 0.0, 0.0
			for i, factor := range part.factors {
				if j := k*len(sumsOfCell) + i; factor != 0 {
					gap += factor * (c.got[j] - c.want[j])
					tol += math.Abs(factor) * c.tol[j]
					if c.numeric[j].Divergent || !finite(c.want[j]) {
						tol = math.Inf(1)
					}
				}
			}
			if !(math.Abs(gap) <= tol) && !math.IsInf(tol, 1) {
				worst = math.Max(worst, ratio(math.Abs(gap), tol))
			}
		}
	}
	return worst
}

// ratio returns a/b, +Inf where that is no number.
func ratio(a, b float64) float64 {
	if v := a / b; v == v {
		return v
	}
	return math.Inf(1)
}

// describe says which derivatives are wrong, and how: of several classes at once
// where it is the same mistake.
func (r *regionCheck) describe(c comparison) string {
	if !slices.ContainsFunc(c.got, func(v float64) bool { return v != 0 }) {
		return "Eval stores no derivatives in d"
	}
	var order []string
	classes := map[string][]string{}
	for k := range r.c {
		for _, m := range r.mistakes(c, k) {
			if classes[m] == nil {
				order = append(order, m)
			}
			classes[m] = append(classes[m], fmt.Sprint(k))
		}
	}
	var parts []string
	for _, m := range order {
		word := "class "
		if len(classes[m]) > 1 {
			word = "classes "
		}
		parts = append(parts, word+strings.Join(classes[m], ", ")+": "+m)
	}
	if more := len(parts) - maxMistakes; more > 0 {
		parts = append(parts[:maxMistakes], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// maxMistakes is the number of mistakes of one region that are named.
const maxMistakes = 4

// mistakes names those of class k.
func (r *regionCheck) mistakes(c comparison, k int) []string {
	var all []string
	first := k * len(sumsOfCell)
	named := map[int]bool{}
	for i := range sumsOfCell {
		a := first + i
		if named[i] || !(c.excess(a) > 1) {
			continue
		}
		name := "∂/∂" + sumsOfCell[i].name
		for o := i + 1; o < len(sumsOfCell); o++ {
			if b := first + o; c.excess(b) > 1 && same(c, a, b) && same(c, b, a) {
				named[o] = true
				name += " and ∂/∂" + sumsOfCell[o].name + " exchanged"
				break
			}
		}
		if !strings.HasSuffix(name, "exchanged") {
			name += " " + strings.TrimPrefix(strings.TrimPrefix(c.describe(a), "the derivative "), "is ")
		}
		all = append(all, name)
	}
	return all
}

// same reports whether derivative i is what another should be.
func same(c comparison, i, other int) bool {
	return math.Abs(c.got[i]-c.want[other]) <= c.tol[i]+c.tol[other]
}
