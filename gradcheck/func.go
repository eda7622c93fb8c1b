package gradcheck

import (
	"fmt"
	"math"
	"slices"
)

// A Function is any function with a gradient, as [Check] and [Func] take it.
type Function struct {
	Name string // in reports; "" is "function"

	// Value returns the function at x, and Gradient writes its derivatives by
	// every coordinate to dst, which has the length of x and holds anything.
	// Neither may change x, and the same x must give the same derivatives, to
	// the bit. Values may be noisy: the noise is measured. Neither is called
	// from several goroutines at once.
	Value    func(x []float64) float64
	Gradient func(dst, x []float64)

	// Lower and Upper bound the coordinates: Value is not evaluated beyond them.
	// Nil is no bound, a single number bounds every coordinate.
	Lower, Upper []float64

	// Floor says that the gradient holds the base of a power below 1 constant
	// next to its zero, where the true derivative grows without limit.
	Floor bool
}

// Func checks the gradient of a function at x: by every coordinate of a short
// x, and of one of more than 2000 coordinates along random directions and by
// coordinates of every sort: those with the largest derivatives, the first and
// the last, some on bounds, and random ones. It asks as well that Gradient
// writes every derivative, gives the same ones twice, and leaves x alone, as
// Value must. A function or an x that cannot be checked makes an inconclusive
// row that says why.
func Func(f Function, x []float64) Row {
	if f.Name == "" {
		f.Name = "function"
	}
	c := &funcCheck{Function: f, x: x, at: slices.Clone(x), changed: -1}
	c.row = Row{Group: f.Name, Loss: f.Name, DType: Float64.String(), Oracle: judge{}.names(Float64)}
	if c.refused() || c.impure() {
		return c.row
	}
	if len(x) <= smallTensor {
		c.every()
	} else {
		c.large()
	}
	c.row.Evals = c.evals
	if c.changed >= 0 {
		c.blame(c.changed, "Value changes x")
	}
	return c.row
}

// A funcCheck is one check of a function.
type funcCheck struct {
	Function
	x, at []float64 // the point, and what Value is given
	grad  []float64 // by Gradient
	row   Row
	evals int

	changed int // a coordinate that Value changed; -1: none
}

// value evaluates the function where at is.
func (c *funcCheck) value() float64 {
	c.evals++
	return c.Value(c.at)
}

// interval returns the bounds of coordinate i.
func (c *funcCheck) interval(i int) (lo, hi float64) {
	return boundOf(c.Lower, i, math.Inf(-1)), boundOf(c.Upper, i, math.Inf(1))
}

// boundOf returns the bound of coordinate i in a list that may be empty or hold
// one for all.
func boundOf(bounds []float64, i int, none float64) float64 {
	switch len(bounds) {
	case 0:
		return none
	case 1:
		return bounds[0]
	}
	return bounds[i]
}

// refused reports whether there is something that cannot be checked, and says
// so in the row.
func (c *funcCheck) refused() bool {
	c.row.Verdict = Inconclusive
	c.row.Reason = c.obstacle()
	if c.row.Reason == "" {
		c.row.Verdict = Pass
	}
	return c.row.Reason != ""
}

// obstacle says why the function cannot be checked at x, "" where it can.
func (c *funcCheck) obstacle() string {
	n := len(c.x)
	switch {
	case c.Value == nil:
		return "input: Value is nil"
	case c.Gradient == nil:
		return "input: Gradient is nil"
	case n == 0:
		return "input: x has no coordinates"
	case len(c.Lower) > 1 && len(c.Lower) != n:
		return fmt.Sprintf("input: %d lower bounds for %d coordinates", len(c.Lower), n)
	case len(c.Upper) > 1 && len(c.Upper) != n:
		return fmt.Sprintf("input: %d upper bounds for %d coordinates", len(c.Upper), n)
	}
	for i, v := range c.x {
		if lo, hi := c.interval(i); !finite(v) || !(lo <= v && v <= hi) {
			return fmt.Sprintf("input: x[%d] = %v is not between its bounds %v and %v", i, v, lo, hi)
		}
	}
	return ""
}

// impure computes the gradient, and reports whether the functions do what no
// function of x does; the row says what.
func (c *funcCheck) impure() bool {
	v := c.value()
	if i := differs(c.at, c.x); i >= 0 {
		return c.blame(i, "Value changes x")
	}
	if !finite(v) {
		c.row.Verdict, c.row.Reason = Inconclusive, fmt.Sprintf("domain: the value at x is %v", v)
		return true
	}
	c.grad = c.gradient()
	again := c.gradient()
	if i := differs(c.at, c.x); i >= 0 {
		return c.blame(i, "Gradient changes x")
	}
	for i, g := range c.grad {
		if math.Float64bits(g) == math.Float64bits(unwritten) {
			return c.blame(i, "Gradient does not write the derivative, or adds it to what was there")
		}
	}
	if i := differs(c.grad, again); i >= 0 {
		return c.blame(i, fmt.Sprintf("Gradient is not deterministic: it gives %v first and %v then", c.grad[i], again[i]))
	}
	return false
}

// unwritten is what derivatives are before they are computed: not a number, and
// one of the many that no arithmetic makes.
var unwritten = math.Float64frombits(0x7ff8_5e61_0055_0001)

// gradient calls Gradient once.
func (c *funcCheck) gradient() []float64 {
	dst := make([]float64, len(c.x))
	for i := range dst {
		dst[i] = unwritten
	}
	c.Gradient(dst, c.at)
	return dst
}

// differs returns the first place at which a and b do not have the same bits,
// -1 where there is none.
func differs(a, b []float64) int {
	for i, v := range a {
		if math.Float64bits(v) != math.Float64bits(b[i]) {
			return i
		}
	}
	return -1
}

// blame fails the row for what was done at coordinate i.
func (c *funcCheck) blame(i int, reason string) bool {
	c.row.Verdict, c.row.Reason = Fail, reason
	c.row.Worst = Element{What: "coordinate", N: -1, C: -1, S: i, X: c.x[i], Analytic: math.NaN(), Numeric: math.NaN()}
	if c.grad != nil {
		c.row.Worst.Analytic = c.grad[i]
	}
	return true
}

// every checks all coordinates.
func (c *funcCheck) every() {
	est := make([]Estimate, len(c.x))
	for i := range est {
		est[i] = c.by(i, differ{m: 1})
	}
	c.judge(est, nil)
}

// by estimates the derivative by coordinate i, in the way that d is set up.
func (c *funcCheck) by(i int, d differ) Estimate {
	lo, hi := c.interval(i)
	d.f = c.line(i)
	e := d.at(c.x[i], lo, hi)[0]
	c.at[i] = c.x[i]
	if k := differs(c.at, c.x); k >= 0 {
		c.changed = k
		copy(c.at, c.x)
	}
	return e
}

// line returns the function along coordinate i.
func (c *funcCheck) line(i int) func(y float64, out []float64) {
	return func(y float64, out []float64) {
		c.at[i] = y
		out[0] = c.value()
	}
}

// remote is how far is looked for what a plateau ends with, in units of a
// coordinate, or of 1.
const remote = 1024

// hidden returns the slope by coordinate i that rounding could hide on the
// plateau that the estimate found.
func (c *funcCheck) hidden(i int, e Estimate) float64 {
	lo, hi := c.interval(i)
	x, far := c.x[i], remote*math.Max(1, math.Abs(c.x[i]))
	d := differ{m: 1, f: c.line(i)}
	slope := d.hidden(0, x, math.Max(lo, x-far), math.Min(hi, x+far), e)
	c.at[i] = x
	return slope
}

// judge decides the row by estimates of derivatives by the given coordinates,
// all of them where the list is nil.
func (c *funcCheck) judge(est []Estimate, coordinates []int) {
	got := c.grad
	if coordinates != nil {
		got = pick(c.grad, coordinates)
	}
	held := numerically(est, got)
	held.hasFloor = c.Floor
	held.hidden = func(j int) float64 {
		if coordinates != nil {
			return c.hidden(coordinates[j], est[j])
		}
		return c.hidden(j, est[j])
	}
	j := held.judge()
	c.row.Checks += len(est)
	c.row.Verdict, c.row.Reason, c.row.Power, c.row.Floored = j.verdict, j.reason, j.power, j.floored
	i := j.worst
	if coordinates != nil {
		i = coordinates[j.worst]
	}
	c.row.Worst = Element{
		What: "coordinate", N: -1, C: -1, S: i, X: c.x[i], Analytic: c.grad[i],
		Numeric: held.want[j.worst], Err: held.err[j.worst], Tol: held.tol[j.worst],
	}
}
