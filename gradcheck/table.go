package gradcheck

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// smallTensor is the number of elements up to which every one is checked.
const smallTensor = 2000

// A way is one way to compute a gradient.
type way struct {
	backend string
	dtype   DType
	layout  kernels.Layout
	device  *Device // nil: a backend of package kernels
}

// reference is the backend whose float64 losses are differenced: the portable
// one, which is on every machine.
func reference() string { return kernels.Backends()[0].Name }

// A bench holds a problem, the union of the losses that are checked on it, and
// the derivatives as they should be.
type bench struct {
	p        *problem
	variants []variant
	field    *field
	scope    *scope
	elements []int // that are checked
	numeric  [][]Estimate
	scale    [][]float64 // of each element, for float32
	value    []float64   // the losses
	size     []float64   // the sum of the absolute values of what each is made of
	spread   []float64   // of every element, and the largest
	widest   float64
	own      bool   // the problem is the caller's
	seed     uint64 // of directions and samples

	// alter, where it is set, changes gradients before they are judged: the
	// checker is checked by making them wrong.
	alter func(dx []float64)
	hints int // given so far

	directions [][]float64
	along      [][]Estimate // of each direction, of each loss

	unseen map[[2]int]float64 // slopes hidden by rounding, by loss and element, where that was asked for

	f64 [2]*bound[float64]
	f32 [2]*bound[float32]
}

// newBench prepares a problem, and with the error of the kernels where they
// refuse it.
func newBench(ctx context.Context, p *problem, vs []variant) (*bench, error) {
	losses := make([]kernels.Loss, len(vs))
	for i, v := range vs {
		losses[i] = v.loss
	}
	u, err := newUnion(losses)
	if err != nil {
		return nil, err
	}
	b := &bench{p: p, variants: vs, value: make([]float64, len(vs))}
	if b.field, err = u.on(p, reference()); err != nil {
		return nil, err
	}
	v, err := b.field.plan.Forward(ctx, b.field.b.x, b.field.b.t)
	if err != nil {
		return nil, err
	}
	u.values(v, b.value)
	if b.field.rounding, b.field.blur, err = p.roundings(ctx, vs); err != nil {
		return nil, err
	}
	if b.scope, err = b.field.scope(ctx); err != nil {
		return nil, err
	}
	if b.size, err = b.scope.magnitude(ctx); err != nil {
		return nil, err
	}
	b.spread = p.spreads()
	for _, v := range b.spread {
		b.widest = math.Max(b.widest, v)
	}
	return b, nil
}

// small checks every element of a small problem.
func (b *bench) small(ctx context.Context) error {
	b.elements = make([]int, len(b.p.x))
	for i := range b.elements {
		b.elements[i] = i
	}
	b.numeric = b.field.derivatives(ctx, b.elements)
	b.refine(ctx)
	var err error
	if b.scale, err = b.scope.scales(ctx, b.elements); err != nil {
		return err
	}
	return ctx.Err()
}

// refine looks closer, through the sums, at elements whose derivative the noise
// of full passes blurs: where a loss is nearly flat, or the piece that it is
// smooth on is short.
func (b *bench) refine(ctx context.Context) {
	least := make([]float64, len(b.numeric))
	for l, est := range b.numeric {
		least[l] = floor * rms(values(est))
	}
	for j, i := range b.elements {
		blurred := false
		for l := range b.numeric {
			e := b.numeric[l][j]
			scale := math.Max(math.Abs(e.Value), least[l])
			blurred = blurred || e.Err > maxPower/10*scale && !e.Kink
		}
		if !blurred || ctx.Err() != nil {
			continue
		}
		for l, e := range b.scope.derivative(ctx, i) {
			b.numeric[l][j] = sharper(b.numeric[l][j], e)
		}
	}
}

// values returns the derivatives of the estimates.
func values(est []Estimate) []float64 {
	v := make([]float64, len(est))
	for i, e := range est {
		v[i] = e.Value
	}
	return v
}

// sharper returns b where it has less error and a does not deny it.
func sharper(a, b Estimate) Estimate {
	if b.Err < a.Err && math.Abs(a.Value-b.Value) <= a.Err+b.Err {
		return b
	}
	return a
}

// gradient computes the gradient of a loss in one of the ways.
func (b *bench) gradient(ctx context.Context, l kernels.Loss, w way, o ...kernels.Option) (gradient, error) {
	if w.dtype == Float32 {
		if b.f32[w.layout] == nil {
			laid := bind[float32](b.p, w.layout)
			b.f32[w.layout] = &laid
		}
		return gradientOf(ctx, l, b.p, *b.f32[w.layout], w, o...)
	}
	if b.f64[w.layout] == nil {
		laid := bind[float64](b.p, w.layout)
		b.f64[w.layout] = &laid
	}
	return gradientOf(ctx, l, b.p, *b.f64[w.layout], w, o...)
}

// rows checks variant i in the given ways.
func (b *bench) rows(ctx context.Context, i int, ways []way, kind, edge string) ([]Row, error) {
	v := b.variants[i]
	judge, err := b.judge(ctx, i)
	if err != nil {
		return nil, err
	}
	frozen, err := b.p.frozenGradient(v.loss)
	if err != nil {
		return nil, err
	}
	base := way{backend: reference(), dtype: Float64, layout: kernels.NCS}
	var exact gradient
	if slices.ContainsFunc(ways, func(w way) bool { return w == base || w.dtype == Float32 }) {
		if exact, err = b.gradient(ctx, v.loss, base); err != nil {
			return nil, err
		}
	}
	var rows []Row
	for _, w := range ways {
		g := exact
		if w != base {
			if g, err = b.gradient(ctx, v.loss, w); err != nil {
				return rows, fmt.Errorf("gradcheck: %s, %s, %s: %w", v.text, kind, edge, err)
			}
		}
		row := Row{
			Group: v.group, Loss: v.text, Activation: b.p.activation.String(), Target: kind, Edge: edge,
			Backend: w.backend, DType: w.dtype.String(), Layout: w.layout.String(), Checks: len(b.elements) + 1, Oracle: judge.names(w.dtype),
		}
		if err := b.row(ctx, &row, i, w, judge, exact.dx, g, frozen); err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// row judges gradient g of variant i, computed in way w: its derivatives, its
// loss, and whether it is the same again.
func (b *bench) row(ctx context.Context, row *Row, i int, w way, judge judge, exact []float64, g gradient, frozen []float64) error {
	dx := g.dx
	if b.alter != nil {
		dx = slices.Clone(dx)
		b.alter(dx)
	}
	if err := b.compare(ctx, row, i, w.dtype, exact, dx, frozen); err != nil {
		return err
	}
	if row.Verdict == Fail {
		row.Hint = b.hint(ctx, i, dx, frozen)
	}
	if w.dtype == Float64 {
		b.compareOracle(row, i, judge, dx)
	}
	b.compareLoss(row, i, w.dtype, g.loss)
	if len(b.p.x) > smallTensor && !b.own {
		return nil // steady has looked at all losses at once
	}
	return b.again(ctx, row, b.variants[i].loss, w, workerCounts[len(workerCounts)-1], g)
}

// compare judges a gradient of variant i: one of float64 by the estimates, to
// which that of frozen terms is added, one of float32 by the exact gradient.
func (b *bench) compare(ctx context.Context, row *Row, i int, d DType, exact, dx, frozen []float64) error {
	switch {
	case !finite(b.value[i]):
		b.infinite(row, i)
		return nil
	case d == Float64:
		c := numerically(b.blurred(i, withFrozen(b.numeric[i], frozen, b.elements), b.scale[i]), pick(dx, b.elements))
		c.hasFloor = !foreign(b.variants[i].loss) // as the losses' definition has it
		c.hidden = func(j int) float64 { return b.hidden(ctx, i, j) }
		b.decide(row, c)
		b.compareDirections(ctx, row, i, dx, frozen)
		return nil
	}
	b.decide(row, within(pick(exact, b.elements), pick(dx, b.elements), b.bounds(kFloat32, uFloat32, b.elements, b.scale[i], exact)))
	if len(b.elements) == len(dx) {
		return nil
	}
	return b.compareAll(ctx, row, i, exact, dx)
}

// blurred returns estimates of derivatives of loss l, of the given scales, with what
// the rounding of the caller's partial derivatives does to a gradient as part of
// their errors.
func (b *bench) blurred(l int, est []Estimate, scale []float64) []Estimate {
	blur := b.field.blur[l]
	if blur == 0 {
		return est
	}
	est = slices.Clone(est)
	least := floor * rms(values(est))
	for j, own := range scale {
		if own > 0 { // 0: of a position that does not exist
			est[j] = est[j].rounded(blur * math.Max(own, least))
		}
	}
	return est
}

// hidden returns the slope of loss l by its estimate j that rounding could hide
// on the plateau that was found.
func (b *bench) hidden(ctx context.Context, l, j int) float64 {
	i := b.elements[j]
	slope, known := b.unseen[[2]int{l, i}]
	if known {
		return slope
	}
	f := b.field
	x := f.b.x[i]
	d := differ{m: len(b.variants), f: func(v float64, out []float64) {
		f.b.x[i] = v
		f.eval(ctx, out)
	}}
	lo, hi := b.p.domain(x)
	slope = d.hidden(l, x, lo, hi, b.numeric[l][j])
	f.b.x[i] = x
	if b.unseen == nil {
		b.unseen = map[[2]int]float64{}
	}
	b.unseen[[2]int{l, i}] = slope
	return slope
}

// pick returns the given elements of v.
func pick(v []float64, elements []int) []float64 {
	out := make([]float64, len(elements))
	for j, i := range elements {
		out[j] = v[i]
	}
	return out
}

// Error bounds are those of the losses' definition: (K + 4·spread)·u·scale and
// a bit for underflow.
const (
	kFloat32  = 64
	kFloat64  = 512
	uFloat32  = 0x1p-24
	uFloat64  = 0x1p-53
	underflow = 0x1p-120
)

// bounds returns how far derivatives by the given elements may be from the exact
// ones, with k and u of their type.
func (b *bench) bounds(k, u float64, elements []int, scale, exact []float64) []float64 {
	out := make([]float64, len(elements))
	for j, e := range elements {
		n, _, s := b.p.place(e)
		if b.p.exists(n, s) {
			own := math.Max(scale[j], math.Abs(exact[e]))
			out[j] = (k+4*b.spread[e])*u*own + underflow
		}
	}
	return out
}

// infinite handles a loss that is not finite, so that it has no derivatives. On
// the table that can be what the definition says, and the oracle confirms it.
func (b *bench) infinite(row *Row, i int) {
	row.Checks = 1
	if !b.own && math.IsInf(b.value[i], 0) {
		if v, err := b.p.oracleLoss(b.variants[i].loss); err == nil && v == b.value[i] {
			return
		}
	}
	row.Verdict, row.Reason = Inconclusive, "domain: the loss is not finite"
	if !b.own && math.IsNaN(b.value[i]) {
		row.Verdict, row.Reason = Fail, "the loss is not a number"
	}
}

// decide judges a comparison and describes the worst element in the row.
func (b *bench) decide(row *Row, c comparison) {
	j := c.judge()
	row.Verdict, row.Reason, row.Power, row.Floored = j.verdict, j.reason, j.power, j.floored
	if j.worst >= 0 {
		row.Worst = b.element(c, j.worst, b.elements[j.worst])
	}
}

// element describes derivative j of a comparison, by element i of the problem.
func (b *bench) element(c comparison, j, i int) Element {
	n, k, s := b.p.place(i)
	e := Element{What: "element", N: n, C: k, S: s, X: b.p.x[i], Analytic: c.got[j], Numeric: c.want[j], Err: c.err[j], Tol: c.tol[j]}
	if b.p.exists(n, s) {
		e.R = b.p.target(n, k, s)
	}
	return e
}

// compareLoss holds a loss against that of the union, which was computed among
// the others, in float64 and by the reference backend. Sums that differ in their
// last bits make the value of a caller's region another multiple of what it is
// rounded to.
func (b *bench) compareLoss(row *Row, i int, d DType, loss float64) {
	k, u := kFloat64+4*b.widest, uFloat64
	if d == Float32 {
		k, u = kFloat32+4*b.widest, uFloat32
	}
	c := within(b.value[i:i+1], []float64{loss}, []float64{k*u*b.size[i] + spread*b.field.rounding[i] + underflow})
	if c.excess(0) <= 1 || row.Verdict == Fail {
		return
	}
	row.Verdict = Fail
	row.Reason = "the loss is not what it is beside other terms, in float64"
	row.Worst = Element{What: "loss", N: -1, C: -1, S: -1, Analytic: loss, Numeric: b.value[i], Tol: c.tol[0]}
}

// ways thins the ways of backends beside the reference, which are many: of each
// type they get one layout, where there is a choice, another from case to case.
func (t testcase) ways(ways []way) []way {
	return slices.DeleteFunc(slices.Clone(ways), func(w way) bool {
		other := w
		other.layout = kernels.NCS + kernels.NSC - w.layout
		turn := kernels.Layout((t.edge + t.kind + int(w.dtype)) % 2)
		return w.backend != reference() && w.layout != turn && slices.Contains(ways, other)
	})
}

// check runs one case of the table on some variants.
func (t testcase) check(ctx context.Context, vs []variant, ways []way) ([]Row, error) {
	if len(vs) == 0 {
		return nil, nil
	}
	ways = t.ways(ways)
	b, err := newBench(ctx, t.problem(), vs)
	if err == nil {
		err = b.small(ctx)
	}
	var rows []Row
	for i := range vs {
		if err != nil {
			break
		}
		if vs[i].silent {
			continue
		}
		var more []Row
		more, err = b.rows(ctx, i, ways, kinds[t.kind].name, edges[t.edge].name)
		rows = append(rows, more...)
	}
	return rows, err
}
