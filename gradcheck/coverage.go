package gradcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// CoverageReport is the outcome of [Coverage].
type CoverageReport struct {
	Families []Covered
	Misses   []string // what was drawn where an error was more than claimed, or a kink seen; at most maxDetails
	Elapsed  time.Duration
	Partial  bool // the context ended before the work did
}

// Covered counts what the estimator made of the derivatives of one family.
type Covered struct {
	Family       string
	Derivatives  int
	Within       int     // error within the claim
	Kinks        int     // seen where there is none
	Divergent    int     // likewise
	Inconclusive int     // the right derivative would not have been decided about
	Evals        int     // evaluations of the loss
	MaxEvals     int     // most for one derivative
	Claim        float64 // largest error claimed, relative to the derivative
	MedianClaim  float64 // median of the errors claimed

	claims []float64
}

// A family is a loss with the name of the option that smooths it.
type family struct {
	name   string
	loss   string
	fixed  map[string]any
	smooth string // none where it is empty
	c      int    // classes
	clips  bool   // it has logarithms of probabilities, which are flat beyond the clip
	power  bool   // of a region value, which is flat below its floor
}

var covered = []family{
	{name: "dice", loss: "dice", smooth: "smooth", c: 1},
	{name: "squared dice", loss: "dice", fixed: map[string]any{"squared": true}, smooth: "smooth", c: 1},
	{name: "dice2", loss: "dice2", smooth: "eps", c: 1},
	{name: "iou", loss: "iou", smooth: "smooth", c: 1},
	{name: "tversky", loss: "tversky", smooth: "smooth", c: 1},
	{name: "focal_tversky", loss: "focal_tversky", smooth: "smooth", c: 1, power: true},
	{name: "ss", loss: "ss", smooth: "eps", c: 1},
	{name: "gdl", loss: "gdl", smooth: "smooth", c: 2},
	{name: "exp_log_dice", loss: "exp_log_dice", smooth: "smooth", c: 1, power: true},
	{name: "bce", loss: "bce", c: 1, clips: true},
	{name: "focal", loss: "focal", c: 1, clips: true},
	{name: "wce", loss: "wce", smooth: "eps", c: 1, clips: true},
	{name: "exp_log_ce", loss: "exp_log_ce", c: 2, clips: true},
}

// besides is the least distance of a draw from the clip of a probability, or
// the floor of a power, relative to it: these are kinks, and true ones.
const besides = 1e-5

// Coverage differentiates losses of one to three pixels by n random elements,
// with [Derivative] on the values of package kernels in float64, and holds the
// estimates against the exact derivatives, which are computed in fractions or
// with 256 bits. Probabilities and targets are log-uniform between 1e-9 and 1,
// one in eight of them that close to 1, one in sixteen 0 or 1; smoothing terms
// are 0 or log-uniform between 1e-9 and 1, and positive where something is 0 or
// 1. Draws within a relative 1e-5 of a clip or floor are made again. The same
// seed makes the same draws, whatever the number of processors.
//
// When the context ends, it returns what there is, and the context's error.
func Coverage(ctx context.Context, n int, seed uint64) (CoverageReport, error) {
	start := time.Now()
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		r    = CoverageReport{Families: make([]Covered, len(covered))}
		errs []error
		next int
	)
	for i, f := range covered {
		r.Families[i].Family = f.name
	}
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && ctx.Err() == nil && len(errs) == 0
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k, ok := take(); ok; k, ok = take() {
				d, e, want, err := covered[k%len(covered)].sample(ctx, rand.New(rand.NewPCG(seed, uint64(k))))
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					r.count(k%len(covered), d, e, want)
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	for i := range r.Families {
		r.Families[i].finish()
	}
	slices.Sort(r.Misses)
	r.Elapsed, r.Partial = time.Since(start), ctx.Err() != nil
	if r.Partial {
		return r, fmt.Errorf("gradcheck: %w", ctx.Err())
	}
	return r, errors.Join(errs...)
}

// A draw is one derivative to take: of a term, by an element of x.
type draw struct {
	loss    kernels.Loss
	c       int
	x, r    []float64
	element int
}

// String describes a draw so that it can be made again.
func (d draw) String() string {
	return fmt.Sprintf("%v of x=%v r=%v by element %d", d.loss, d.x, d.r, d.element)
}

// sample makes a draw and returns the derivative, estimated and exact.
func (f family) sample(ctx context.Context, rng *rand.Rand) (d draw, e Estimate, want float64, err error) {
	for {
		if d, err = f.draw(rng); err != nil {
			return d, e, 0, err
		}
		ok, err := f.plain(ctx, d)
		if err != nil {
			return d, e, 0, err
		}
		if ok {
			break
		}
	}
	if want, err = d.exact(ctx); err != nil {
		return d, e, 0, fmt.Errorf("gradcheck: %v: %w", d, err)
	}
	value, err := d.function(ctx, d.loss)
	if err != nil {
		return d, e, 0, err
	}
	return d, Derivative(value, d.x[d.element], 0, 1), want, nil
}

// draw draws a derivative of the family.
func (f family) draw(rng *rand.Rand) (draw, error) {
	size := f.c * (1 + rng.IntN(3))
	d := draw{c: f.c, x: make([]float64, size), r: make([]float64, size), element: rng.IntN(size)}
	bounds := false
	for i := range d.x {
		d.x[i], d.r[i] = portion(rng), portion(rng)
		bounds = bounds || d.x[i] == 0 || d.x[i] == 1 || d.r[i] == 0 || d.r[i] == 1
	}
	t := kernels.Term{Coef: 1, Name: f.loss, Options: map[string]any{}}
	for k, v := range f.fixed {
		t.Options[k] = v
	}
	if f.smooth != "" {
		t.Options[f.smooth] = 0.0
		if bounds || rng.IntN(4) > 0 {
			t.Options[f.smooth] = small(rng)
		}
	}
	var err error
	d.loss, err = kernels.Combine(t)
	return d, err
}

// small draws log-uniformly between 1e-9 and 1.
func small(rng *rand.Rand) float64 { return math.Pow(10, -9*rng.Float64()) }

// portion draws a number of [0,1] near its bounds.
func portion(rng *rand.Rand) float64 {
	switch rng.IntN(16) {
	case 0:
		return float64(rng.IntN(2))
	case 1, 2:
		return 1 - small(rng)
	}
	return small(rng)
}

// plain reports whether a draw lies off the clip and the floor.
func (f family) plain(ctx context.Context, d draw) (bool, error) {
	x := d.x[d.element]
	if f.clips && (near(x, defaultClip) || near(1-x, defaultClip)) {
		return false, nil
	}
	if !f.power {
		return true, nil
	}
	t := d.loss.Terms()[0]
	t.Options["gamma"] = 1.0
	linear, err := kernels.Combine(t)
	if err != nil {
		return false, err
	}
	base, err := d.function(ctx, linear)
	if err != nil {
		return false, err
	}
	return !near(base(x), powerFloor), nil
}

// powerFloor is where powers of region values become constant.
const powerFloor = 1e-7

func near(v, at float64) bool { return math.Abs(v-at) <= besides*at }

// function returns a loss as a function of the element, by the reference
// backend. It is NaN where the loss cannot be computed.
func (d draw) function(ctx context.Context, l kernels.Loss) (func(float64) float64, error) {
	spec := kernels.Spec{N: 1, C: d.c, S: len(d.x) / d.c, Activation: kernels.None}
	plan, err := kernels.New[float64](l, spec, kernels.WithBackend(reference()))
	if err != nil {
		return nil, err
	}
	x, t := slices.Clone(d.x), kernels.Dense(d.r)
	return func(v float64) float64 {
		x[d.element] = v
		out, err := plan.Forward(ctx, x, t)
		if err != nil {
			return math.NaN()
		}
		return out.Loss
	}, nil
}

// exact returns the derivative.
func (d draw) exact(ctx context.Context) (float64, error) {
	terms, err := exactTerms(d.loss)
	if err != nil {
		return 0, err
	}
	by := exact.Best(terms, ref.None)
	if by != exact.Rational {
		by = exact.Big
	}
	in := ref.Input{N: 1, C: d.c, S: len(d.x) / d.c, X: d.x, R: d.r}
	_, grad, err := exact.Gradient(ctx, by, in, terms, exact.NoFault, []int{d.element})
	if err != nil {
		return 0, err
	}
	return grad[0], nil
}

// count enters an estimate. The exact derivative is rounded to float64.
func (r *CoverageReport) count(family int, d draw, e Estimate, want float64) {
	c := &r.Families[family]
	c.Derivatives++
	c.Evals += e.Evals
	c.MaxEvals = max(c.MaxEvals, e.Evals)
	within := math.Abs(e.Value-want) <= e.Err+ulp*math.Abs(want)
	switch {
	case e.Kink:
		c.Kinks++
	case e.Divergent:
		c.Divergent++
	}
	if within {
		c.Within++
	}
	if numerically([]Estimate{e}, []float64{want}).judge().verdict == Inconclusive {
		c.Inconclusive++
	}
	if want != 0 {
		claim := e.Err / math.Abs(want)
		c.Claim = math.Max(c.Claim, claim)
		c.claims = append(c.claims, claim)
	}
	if (!within || e.Kink || e.Divergent) && len(r.Misses) < maxDetails {
		r.Misses = append(r.Misses, fmt.Sprintf("%v: exact %.17g, estimate %.17g ± %.3g, kink %v, divergent %v", d, want, e.Value, e.Err, e.Kink, e.Divergent))
	}
}

func (c *Covered) finish() {
	slices.Sort(c.claims)
	if n := len(c.claims); n > 0 {
		c.MedianClaim = c.claims[n/2]
	}
	c.claims = nil
}

// total sums up the families.
func (r CoverageReport) total() Covered {
	t := Covered{Family: "all"}
	for _, c := range r.Families {
		t.Derivatives += c.Derivatives
		t.Within += c.Within
		t.Kinks += c.Kinks
		t.Divergent += c.Divergent
		t.Inconclusive += c.Inconclusive
		t.Evals += c.Evals
		t.MaxEvals = max(t.MaxEvals, c.MaxEvals)
		t.Claim = math.Max(t.Claim, c.Claim)
	}
	return t
}

// leastCoverage is the share of errors that has to be within the claim.
const leastCoverage = 0.9999

// OK reports whether at least 99.99 % of the errors are within the claim, and
// no kink or divergence was seen where there is none.
func (r CoverageReport) OK() bool {
	t := r.total()
	return t.Derivatives > 0 && !r.Partial && t.Kinks == 0 && t.Divergent == 0 &&
		float64(t.Within) >= leastCoverage*float64(t.Derivatives)
}

// Print writes a line for every family and one for all, and what missed.
func (r CoverageReport) Print(w io.Writer) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "FAMILY\tDERIVATIVES\tWITHIN CLAIM\tMISSED\tFALSE KINKS\tDIVERGENT\tINCONCLUSIVE\tEVALUATIONS\tMOST\tMEDIAN CLAIM\tLARGEST\t")
	for _, c := range append(slices.Clone(r.Families), r.total()) {
		mean, part := 0.0, 0.0
		if c.Derivatives > 0 {
			mean, part = float64(c.Evals)/float64(c.Derivatives), 100*float64(c.Within)/float64(c.Derivatives)
		}
		fmt.Fprintf(tw, "%s\t%d\t%.3f%%\t%d\t%d\t%d\t%d\t%.1f\t%d\t%s\t%s\t\n", c.Family, c.Derivatives, part, c.Derivatives-c.Within,
			c.Kinks, c.Divergent, c.Inconclusive, mean, c.MaxEvals, power(c.MedianClaim), power(c.Claim))
	}
	tw.Flush() // to memory
	for _, m := range r.Misses {
		fmt.Fprintf(&b, "\n%s\n", m)
	}
	fmt.Fprintf(&b, "\n%d derivatives in %.1f s", r.total().Derivatives, r.Elapsed.Seconds())
	if r.Partial {
		b.WriteString("; interrupted, so partial")
	}
	b.WriteString("\nA claim is the error claimed of an estimate relative to the exact derivative. It is large, and the derivative\nINCONCLUSIVE, where a loss is so flat that its last bit hides the slope.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
