package kernels

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// Loss is a weighted sum of terms. It is immutable and may be shared; the zero
// value is no loss.
type Loss struct{ terms []term }

// term is a term as the list knows it, with the caller's own region if it has one.
type term struct {
	losses.Term
	region Region
}

// Term is one term of a [Loss] as a Go value. The options are those of [Losses];
// a value is a bool, a number (float64 or int), a []float64 or a string.
type Term struct {
	Coef    float64
	Name    string
	Options map[string]any
	Region  Region // the caller's own region loss, or nil for one of the list
}

// Region is a caller's own region loss: a function of the sums of one sample.
//
// Eval returns the loss of a sample from the cells c of its classes and stores
// in d, which arrives zeroed, its partial derivatives by each sum. The loss of
// the batch is the mean over the samples; an expression may say batch=true
// (sums of the whole batch) and reduction=sum. RR does not depend on the
// prediction, so its derivative is not used. Plans running side by side may
// call Eval at the same time.
type Region interface {
	Name() string
	Eval(c, d []Cell) float64
}

// Cell is the sums of one (sample, class) pair, each weighted by v, with p the
// probability, q = 1−p and r the target.
type Cell struct {
	TP, FP, FN, TN float64 // Σ p r, Σ p(1−r), Σ q r, Σ q(1−r)
	PP, RR, SQ     float64 // Σ p², Σ r², Σ (p−r)²
}

// Parse reads a loss expression such as
//
//	1e-3*bce + dice(smooth=1, weight=[1,2,0.5])
//	2*(dice + 0.5*ce) - iou
//
// Names and options are those of [Losses] and of the caller's own region
// losses. A sum in parentheses is multiplied out, up to a depth of 100. A number that
// a float64 does not hold, but as infinity or 0, is an error, and so is such a
// coefficient that products of numbers give. The error is a [*SyntaxError], or an [*ArgError] for a region whose
// name cannot be used.
func Parse(expr string, custom ...Region) (Loss, error) {
	for i, r := range custom {
		if err := checkRegion("custom", i, r); err != nil {
			return Loss{}, err
		}
		for _, earlier := range custom[:i] {
			if earlier.Name() == r.Name() {
				return Loss{}, argError("custom", i, r.Name(), ErrOption, "the name is given twice")
			}
		}
	}
	p := parser{expr: expr, custom: custom}
	p.sum(1, 0, 0)
	if p.err != nil {
		return Loss{}, p.err
	}
	return Loss{p.terms}, nil
}

// Combine makes a loss from terms as Go values. The error is an [*ArgError].
func Combine(terms ...Term) (Loss, error) {
	if len(terms) == 0 {
		return Loss{}, argError("terms", -1, "none", ErrOption, "a loss needs a term")
	}
	var all []term
	for i, t := range terms {
		expanded, err := combine(i, t)
		if err != nil {
			return Loss{}, err
		}
		all = append(all, expanded...)
	}
	return Loss{all}, nil
}

func combine(i int, t Term) ([]term, error) {
	if math.IsNaN(t.Coef) || math.IsInf(t.Coef, 0) {
		return nil, argError("terms", i, t.Coef, ErrOption, "the coefficient is not finite")
	}
	l := losses.Find(t.Name)
	if t.Region != nil {
		if err := checkRegion("terms", i, t.Region); err != nil {
			return nil, err
		}
		l = losses.Custom(t.Region.Name())
	} else if l == nil {
		return nil, argError("terms", i, t.Name, ErrOption, "unknown loss; nearest %q, allowed: %s",
			nearest(t.Name, losses.Names()), strings.Join(losses.Names(), ", "))
	}
	given := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(t.Options)) { // the same error on every run
		v, o := t.Options[name], l.Option(name)
		if o == nil {
			return nil, argError("terms", i, name, ErrOption, "%s has no such option; nearest %q, allowed: %s",
				l.Name, nearest(name, l.OptionNames()), strings.Join(l.OptionNames(), ", "))
		}
		switch n := v.(type) {
		case int:
			v = float64(n)
		case []float64:
			v = slices.Clone(n)
		}
		if msg := o.Check(v); msg != "" {
			return nil, argError("terms", i, v, ErrOption, "%s: %s (allowed: %s)", name, msg, strings.Join(o.Allowed(), ", "))
		}
		given[name] = v
	}
	terms, msg := expand(l, t.Region, t.Coef, given)
	if msg != "" {
		return nil, argError("terms", i, l.Name, ErrOption, "%s", msg)
	}
	return terms, nil
}

func checkRegion(arg string, i int, r Region) error {
	switch {
	case r == nil:
		return argError(arg, i, nil, ErrOption, "the region loss is nil")
	case !isName(r.Name()):
		return argError(arg, i, r.Name(), ErrOption, "not a name: letters, digits and _ only")
	case losses.Find(r.Name()) != nil:
		return argError(arg, i, r.Name(), ErrOption, "the name is taken by a built-in loss")
	}
	return nil
}

// badProduct says what is wrong with a product of two finite coefficients, or "".
func badProduct(a, b float64) string {
	switch v := a * b; {
	case math.IsInf(v, 0):
		return fmt.Sprintf("%v · %v overflows", a, b)
	case v == 0 && a != 0 && b != 0:
		return fmt.Sprintf("%v · %v underflows to 0", a, b)
	}
	return ""
}

// expand gives the terms that a loss of the list stands for. Where its options, each
// of them allowed, do not go together, it says why.
func expand(l *losses.Loss, region Region, coef float64, given map[string]any) (terms []term, fault string) {
	if l.Parts == nil {
		opt := l.Resolve(given)
		if opt.Soft && opt.Squared {
			fault = "soft=true does not go with squared=true"
		}
		return []term{{losses.Term{Loss: l, Coef: coef, Opt: opt}, region}}, fault
	}
	for _, g := range l.Expand(given) {
		if msg := badProduct(coef, g.Coef); msg != "" {
			return nil, "the coefficient of " + g.Loss.Name + ", " + msg
		}
		part, msg := expand(g.Loss, nil, coef*g.Coef, g.Options)
		if msg != "" {
			return nil, msg
		}
		terms = append(terms, part...)
	}
	return terms, ""
}

// String returns the canonical expression: combinations written out, options
// that have their default left out. It parses to the same loss.
func (l Loss) String() string {
	var b strings.Builder
	for i, t := range l.terms {
		coef := t.Coef
		switch {
		case i > 0 && math.Signbit(coef):
			b.WriteString(" - ")
			coef = -coef
		case i > 0:
			b.WriteString(" + ")
		}
		switch coef {
		case 1:
		case -1:
			b.WriteString("-")
		default:
			fmt.Fprintf(&b, "%s*", losses.FormatNumber(coef))
		}
		b.WriteString(t.Format(&t.Opt))
	}
	return b.String()
}

// Terms returns the terms with every option that has a value, defaults
// included; smooth appears as smooth_nr and smooth_dr.
func (l Loss) Terms() []Term {
	terms := make([]Term, len(l.terms))
	for i, t := range l.terms {
		opts := map[string]any{}
		for _, s := range t.Options {
			if s.Name == "smooth" {
				continue
			}
			if v := s.Get(&t.Opt); v != nil {
				opts[s.Name] = v
			}
		}
		terms[i] = Term{Coef: t.Coef, Name: t.Name, Options: opts, Region: t.region}
	}
	return terms
}

// Info describes one loss of the list.
type Info struct {
	Name        string       `json:"name"`
	Kind        string       `json:"kind"` // region, pointwise or combination
	Formula     string       `json:"formula"`
	Source      string       `json:"source"`
	Categorical bool         `json:"categorical"` // needs at least two classes
	Options     []OptionInfo `json:"options"`
}

// OptionInfo describes one option of a loss.
type OptionInfo struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`    // bool, number, list, number or list, number or none, choice
	Default string   `json:"default"` // "" where the option is not given by default
	Allowed []string `json:"allowed"`
	Doc     string   `json:"doc"`
}

// Losses returns the list of losses that expressions may name.
func Losses() []Info {
	infos := make([]Info, len(losses.All))
	for i, l := range losses.All {
		infos[i] = Info{Name: l.Name, Kind: string(l.Kind), Formula: l.Formula, Source: l.Source, Categorical: l.Categorical, Options: []OptionInfo{}}
		for _, s := range l.Options {
			o := OptionInfo{Name: s.Name, Type: string(s.Type), Allowed: s.Allowed(), Doc: s.Doc}
			if s.Default != nil {
				o.Default = losses.FormatValue(s.Default)
			}
			infos[i].Options = append(infos[i].Options, o)
		}
	}
	return infos
}

// bind compiles the loss for c classes, each caller's own region with buffers
// of its own.
func (l Loss) bind(c int) *losses.Program {
	terms := make([]losses.Term, len(l.terms))
	for i, t := range l.terms {
		terms[i] = t.Term
		if t.region != nil {
			custom := *t.Term.Loss
			custom.Sample = adapt(t.region, c)
			terms[i].Loss = &custom
		}
	}
	return losses.Compile(terms, c)
}

// adapt makes a sample function of a caller's own region loss.
func adapt(r Region, n int) func(*losses.Options, []losses.Cell, []losses.Cell) float64 {
	c, d := make([]Cell, n), make([]Cell, n)
	return func(_ *losses.Options, s, ds []losses.Cell) float64 {
		clear(d)
		for i, v := range s {
			c[i] = Cell{v.TP, v.FP, v.FN, v.TN, v.PP, v.RR, v.SQR + v.SQB}
		}
		loss := r.Eval(c, d)
		for i, v := range d {
			ds[i] = losses.Cell{TP: v.TP, FP: v.FP, FN: v.FN, TN: v.TN, PP: v.PP, SQR: v.SQ, SQB: v.SQ}
		}
		return loss
	}
}
