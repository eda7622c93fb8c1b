package exact

import (
	"fmt"
	"math"
	"slices"

	"github.com/segloss/segloss/ref"
)

// place returns the sample, the class and the position of an element.
func place(in *ref.Input, i int) (n, c, s int) {
	return i / (in.C * in.S), i / in.S % in.C, i % in.S
}

// check returns an error for what is no loss of an input.
func check(in *ref.Input, terms []Term, elements []int) error {
	size := in.N * in.C * in.S
	bad := func(format string, args ...any) error {
		return fmt.Errorf("exact: %w: "+format, append([]any{ErrInput}, args...)...)
	}
	switch {
	case in.N < 0 || in.C < 1 || in.S < 0:
		return bad("shape [%d %d %d]", in.N, in.C, in.S)
	case len(in.X) != size:
		return bad("X has %d elements; want %d", len(in.X), size)
	case len(in.R) != size:
		return bad("R has %d elements; want %d", len(in.R), size)
	case in.V != nil && len(in.V) != in.N*in.S:
		return bad("V has %d elements; want %d", len(in.V), in.N*in.S)
	case in.Activation < ref.None || in.Activation > ref.Softmax:
		return bad("activation %d", in.Activation)
	case in.Activation == ref.Softmax && in.C < 2:
		return bad("softmax of %d class", in.C)
	case !(in.Clip > 0 && in.Clip < 0.5):
		return bad("Clip is %v", in.Clip)
	}
	for i, v := range in.V {
		if !(v >= 0) || math.IsInf(v, 1) {
			return bad("V[%d] is %v", i, v)
		}
	}
	for k, i := range elements {
		if i < 0 || i >= size {
			return bad("elements[%d] is %d; want one of %d", k, i, size)
		}
	}
	for k := range terms {
		if what := terms[k].fault(in.C); what != "" {
			return bad("terms[%d], %s: %s", k, terms[k].Name, what)
		}
	}
	return nil
}

// fault says what is wrong with a term for c classes, "" if nothing is.
func (t *Term) fault(c int) string {
	o := &t.Options
	rule, ok := floatRules.rules[t.Name]
	region := rule.layout == perCell
	mixture := rule.layout == perSample
	switch {
	case !ok:
		return "no such loss"
	case rule.categorical && c < 2:
		return "needs two classes"
	case o.Reduction != "mean" && o.Reduction != "sum":
		return fmt.Sprintf("Reduction is %q", o.Reduction)
	case (region || mixture) && !o.Background && c < 2:
		return "Background is false with one class"
	case region && o.Absent != "keep" && o.Absent != "skip":
		return fmt.Sprintf("Absent is %q", o.Absent)
	case mixture && o.WeightType != "square" && o.WeightType != "simple" && o.WeightType != "uniform":
		return fmt.Sprintf("WeightType is %q", o.WeightType)
	case mixture && o.AbsentWeight != "max" && o.AbsentWeight != "zero" && o.AbsentWeight != "eps":
		return fmt.Sprintf("AbsentWeight is %q", o.AbsentWeight)
	case o.Weight != nil && len(o.Weight) != c:
		return fmt.Sprintf("Weight has %d numbers; want %d", len(o.Weight), c)
	case o.Freq != nil && len(o.Freq) != c:
		return fmt.Sprintf("Freq has %d numbers; want %d", len(o.Freq), c)
	case len(o.PosWeight) > 1 && len(o.PosWeight) != c:
		return fmt.Sprintf("PosWeight has %d numbers; want 1 or %d", len(o.PosWeight), c)
	}
	for _, v := range t.numbers() {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprintf("an option is %v", v)
		}
	}
	return ""
}

// numbers returns every number among the options, and the coefficient.
func (t *Term) numbers() []float64 {
	o := &t.Options
	v := []float64{t.Coef, o.SmoothNR, o.SmoothDR, o.Eps, o.Alpha, o.Beta, o.Gamma, o.Lambda, o.WeightEps, o.LabelSmoothing}
	v = append(v, o.Weight...)
	v = append(v, o.PosWeight...)
	return append(v, o.Freq...)
}

// each calls f with every element at a position that exists, until it is false.
func each(in *ref.Input, f func(i, n, c, s int) bool) {
	for i := range in.X {
		if n, c, s := place(in, i); exists(in, n, s) && !f(i, n, c, s) {
			return
		}
	}
}

// holdsNaN reports whether the loss is NaN: one of its numbers is, or there is
// no limit to the softmax of a position.
func holdsNaN(in *ref.Input) bool {
	found := false
	each(in, func(i, n, _, s int) bool {
		found = math.IsNaN(in.X[i]) || math.IsNaN(in.R[i])
		if in.Activation == ref.Softmax && !found {
			found = math.IsInf(largest(in, n, s), 0)
		}
		return !found
	})
	return found
}

// largest returns the largest logit of a position.
func largest(in *ref.Input, n, s int) float64 {
	x := math.Inf(-1)
	for c := range in.C {
		x = math.Max(x, in.X[(n*in.C+c)*in.S+s])
	}
	return x
}

// judges returns an error where an oracle cannot tell.
func judges(o Oracle, in *ref.Input, terms []Term) (err error) {
	far := math.Inf(1) // the largest spread of logits
	for _, t := range terms {
		rule := floatRules.rules[t.Name]
		switch {
		case o == Rational && (!rule.rational || in.Activation != ref.None):
			return fmt.Errorf("exact: %w: %s is not rational", ErrUnjudged, t.Name)
		case o != Dual || rule.layout == perClass:
		case t.Name == "ss" || t.Options.Squared:
			far = min(far, 340) // squares of e^−far are normal numbers
		default:
			far = min(far, 700)
		}
		if v := t.numbers(); o == Dual && slices.ContainsFunc(v, extreme) {
			return fmt.Errorf("exact: %w: %s with options %v", ErrUnjudged, t.Name, v)
		}
	}
	each(in, func(i, n, _, s int) bool {
		if what := beyond(o, in, far, i, n, s); what != "" {
			err = fmt.Errorf("exact: %w: element %d: %s", ErrUnjudged, i, what)
		}
		return err == nil
	})
	return err
}

// beyond says what about an element is out of an oracle's range, "" if nothing.
func beyond(o Oracle, in *ref.Input, far float64, i, n, s int) string {
	x, v := in.X[i], 1.0
	if in.V != nil {
		v = in.V[n*in.S+s]
	}
	spread := math.Abs(x)
	if in.Activation == ref.Softmax {
		spread = largest(in, n, s) - x
	}
	given := in.Activation == ref.None
	switch {
	case math.IsInf(in.R[i], 0), math.IsInf(x, 0) && (o != Dual || given):
		return "infinite"
	case o != Dual || math.IsInf(far, 1):
	case !given && spread > far && !math.IsInf(x, 0):
		return fmt.Sprintf("logit %v", x)
	case given && extreme(x), extreme(in.R[i]), extreme(v):
		return fmt.Sprintf("prediction %v, target %v, weight %v", x, in.R[i], v)
	}
	return ""
}

// extreme reports whether products of three such numbers may leave float64.
func extreme(x float64) bool {
	return x != 0 && !(math.Abs(x) > 1e-100 && math.Abs(x) < 1e100)
}
