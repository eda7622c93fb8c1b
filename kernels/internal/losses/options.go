package losses

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Options holds the resolved options of one term. A term reads only those that
// its loss lists.
type Options struct {
	Batch, Background, Squared, Soft, InvertEmpty, Detach, Scaled bool
	Weight, PosWeight, Freq                                       []float64
	Reduction, Absent, WeightType, AbsentWeight                   string

	SmoothNR, SmoothDR, Eps, WeightEps, Alpha, Beta, Gamma, Lambda, LabelSmoothing float64

	WDice, WCross, GammaDice, GammaCross float64
}

// Type is the kind of value that an option takes.
type Type string

const (
	Bool         Type = "bool"
	Number       Type = "number"
	List         Type = "list"           // one number a class
	NumberOrList Type = "number or list" // a number stands for every class
	NumberOrNone Type = "number or none"
	Choice       Type = "choice"
)

// Option describes one option: the same description serves the parser, the
// canonical form and the docs.
type Option struct {
	Name    string
	Type    Type
	Choices []string
	Max     float64 // numbers lie in [0, Max]
	Doc     string
	field   func(*Options) any // *bool, *float64, *[]float64 or *string; nil for smooth
}

// Setting is an option as one loss takes it, with its default (nil: not given).
type Setting struct {
	*Option
	Default any
}

// None is the value of alpha=none: the factors alpha and 1−alpha become 1.
const None = "none"

var inf = math.Inf(1)

var (
	optBatch       = &Option{Name: "batch", Type: Bool, Doc: "sums over the whole batch instead of per sample", field: func(o *Options) any { return &o.Batch }}
	optBackground  = &Option{Name: "background", Type: Bool, Doc: "false leaves out class 0; the softmax still runs over all classes", field: func(o *Options) any { return &o.Background }}
	optWeight      = &Option{Name: "weight", Type: List, Max: inf, Doc: "one weight a class", field: func(o *Options) any { return &o.Weight }}
	optReduction   = &Option{Name: "reduction", Type: Choice, Choices: []string{"mean", "sum"}, Doc: "mean, or sum (of region terms: over the samples' number)", field: func(o *Options) any { return &o.Reduction }}
	optAbsent      = &Option{Name: "absent", Type: Choice, Choices: []string{"keep", "skip"}, Doc: "skip leaves out the cells of a class that the target lacks", field: func(o *Options) any { return &o.Absent }}
	optSmooth      = &Option{Name: "smooth", Type: Number, Max: inf, Doc: "sets smooth_nr and smooth_dr at once"}
	optSmoothNR    = &Option{Name: "smooth_nr", Type: Number, Max: inf, Doc: "added to the numerator; wins over smooth", field: func(o *Options) any { return &o.SmoothNR }}
	optSmoothDR    = &Option{Name: "smooth_dr", Type: Number, Max: inf, Doc: "added to the denominator; wins over smooth", field: func(o *Options) any { return &o.SmoothDR }}
	optSquared     = &Option{Name: "squared", Type: Bool, Doc: "squares in the denominator", field: func(o *Options) any { return &o.Squared }}
	optSoft        = &Option{Name: "soft", Type: Bool, Doc: "min and max in place of products: least at p = r for soft labels too", field: func(o *Options) any { return &o.Soft }}
	optInvertEmpty = &Option{Name: "invert_empty", Type: Bool, Doc: "computes an empty cell on (1−p, 1−r)", field: func(o *Options) any { return &o.InvertEmpty }}
	optEps         = &Option{Name: "eps", Type: Number, Max: inf, Doc: "ε of the formula", field: func(o *Options) any { return &o.Eps }}
	optAlpha       = &Option{Name: "alpha", Type: Number, Max: inf, Doc: "weight of FP", field: func(o *Options) any { return &o.Alpha }}
	optBeta        = &Option{Name: "beta", Type: Number, Max: inf, Doc: "weight of FN", field: func(o *Options) any { return &o.Beta }}
	optFocalAlpha  = &Option{Name: "alpha", Type: NumberOrNone, Max: 1, Doc: "weight of the positives, 1−alpha of the negatives; none makes both 1", field: func(o *Options) any { return &o.Alpha }}
	optGamma       = &Option{Name: "gamma", Type: Number, Max: inf, Doc: "exponent", field: func(o *Options) any { return &o.Gamma }}
	optLambda      = &Option{Name: "lambda", Type: Number, Max: 1, Doc: "weight of the sensitivity part", field: func(o *Options) any { return &o.Lambda }}
	optPosWeight   = &Option{Name: "pos_weight", Type: NumberOrList, Max: inf, Doc: "weight of the positives", field: func(o *Options) any { return &o.PosWeight }}
	optDetach      = &Option{Name: "detach", Type: Bool, Doc: "treats w as a constant in the gradient", field: func(o *Options) any { return &o.Detach }}
	optLabelSmooth = &Option{Name: "label_smoothing", Type: Number, Max: 1, Doc: "a in r̃ = (1−a) r + a/C", field: func(o *Options) any { return &o.LabelSmoothing }}
	optFreq        = &Option{Name: "freq", Type: List, Max: inf, Doc: "label frequencies; the batch's own where not given", field: func(o *Options) any { return &o.Freq }}
	optWeightType  = &Option{Name: "weight_type", Type: Choice, Choices: []string{"square", "simple", "uniform"}, Doc: "class weights w_c: 1/R², 1/R or 1", field: func(o *Options) any { return &o.WeightType }}
	optAbsentW     = &Option{Name: "absent_weight", Type: Choice, Choices: []string{"max", "zero", "eps"}, Doc: "weight of a class with R = 0: the largest finite one, 0, or weight_eps added to every R", field: func(o *Options) any { return &o.AbsentWeight }}
	optWeightEps   = &Option{Name: "weight_eps", Type: Number, Max: inf, Doc: "ε of absent_weight=eps", field: func(o *Options) any { return &o.WeightEps }}
	optScaled      = &Option{Name: "scaled", Type: Bool, Doc: "divides the class weights by the largest, so that smooth means the same at any volume; false as in the papers and MONAI", field: func(o *Options) any { return &o.Scaled }}

	optFocalLambda = &Option{Name: "lambda", Type: Number, Max: inf, Doc: "coefficient of the focal part", field: func(o *Options) any { return &o.Lambda }}
	optWDice       = &Option{Name: "w_dice", Type: Number, Max: inf, Doc: "coefficient of exp_log_dice", field: func(o *Options) any { return &o.WDice }}
	optWCross      = &Option{Name: "w_cross", Type: Number, Max: inf, Doc: "coefficient of exp_log_ce", field: func(o *Options) any { return &o.WCross }}
	optGammaDice   = &Option{Name: "gamma_dice", Type: Number, Max: inf, Doc: "gamma of exp_log_dice", field: func(o *Options) any { return &o.GammaDice }}
	optGammaCross  = &Option{Name: "gamma_cross", Type: Number, Max: inf, Doc: "gamma of exp_log_ce", field: func(o *Options) any { return &o.GammaCross }}
)

// Allowed says in words which values the option takes.
func (o *Option) Allowed() []string {
	span := "a finite number >= 0"
	if !math.IsInf(o.Max, 1) {
		span = "a number in [0, " + FormatNumber(o.Max) + "]"
	}
	switch o.Type {
	case Bool:
		return []string{"true", "false"}
	case Number:
		return []string{span}
	case NumberOrNone:
		return []string{span, None}
	case List:
		return []string{"a list [a,b,…] of finite numbers >= 0, one a class"}
	case NumberOrList:
		return []string{span, "a list [a,b,…] of them, one a class"}
	}
	return o.Choices
}

// Check reports why v (a bool, float64, []float64 or string) is not a value of
// the option, or "".
func (o *Option) Check(v any) string {
	switch v := v.(type) {
	case bool:
		if o.Type == Bool {
			return ""
		}
	case float64:
		if o.Type == Number || o.Type == NumberOrList || o.Type == NumberOrNone {
			return o.checkNumber(v)
		}
	case []float64:
		if o.Type != List && o.Type != NumberOrList {
			break
		}
		for _, e := range v {
			if msg := o.checkNumber(e); msg != "" {
				return msg
			}
		}
		if len(v) == 0 {
			return "the list is empty"
		}
		return ""
	case string:
		if slices.Contains(o.Choices, v) || o.Type == NumberOrNone && v == None {
			return ""
		}
	}
	return FormatValue(v) + " is not a value of " + o.Name
}

func (o *Option) checkNumber(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return FormatNumber(v) + " is not finite"
	case v < 0 || v > o.Max:
		return FormatNumber(v) + " is out of range"
	}
	return ""
}

// set stores a checked value.
func (o *Option) set(opt *Options, v any) {
	if o.field == nil { // smooth
		opt.SmoothNR, opt.SmoothDR = v.(float64), v.(float64)
		return
	}
	switch f := o.field(opt).(type) {
	case *bool:
		*f = v.(bool)
	case *string:
		*f = v.(string)
	case *float64:
		*f, _ = v.(float64)
		if v == None {
			*f = math.NaN()
		}
	case *[]float64:
		if n, ok := v.(float64); ok {
			*f = []float64{n}
		} else {
			*f, _ = v.([]float64)
		}
	}
}

// Get returns the option's value as the parser would have given it, or nil
// where an optional list was not given. smooth itself has no value, only the two that it sets.
func (o *Option) Get(opt *Options) any {
	if o.field == nil {
		return nil
	}
	switch f := o.field(opt).(type) {
	case *bool:
		return *f
	case *string:
		return *f
	case *float64:
		if math.IsNaN(*f) {
			return None
		}
		return *f
	case *[]float64:
		switch {
		case *f == nil:
			return nil
		case o.Type == NumberOrList && len(*f) == 1:
			return (*f)[0]
		}
		return slices.Clone(*f)
	}
	return nil
}

// Resolve gives the options of a term: the defaults, then what was given. Each
// given value must have passed Check. smooth comes before smooth_nr and
// smooth_dr, whatever the order they were written in.
func (l *Loss) Resolve(given map[string]any) Options {
	var o Options
	for _, s := range l.Options {
		if s.Default != nil {
			s.set(&o, s.Default)
		}
	}
	if v, ok := given[optSmooth.Name]; ok {
		optSmooth.set(&o, v)
	}
	for _, s := range l.Options {
		if v, ok := given[s.Name]; ok && s.Option != optSmooth {
			s.set(&o, v)
		}
	}
	return o
}

// Option returns the description of one option, or nil.
func (l *Loss) Option(name string) *Option {
	for _, s := range l.Options {
		if s.Name == name {
			return s.Option
		}
	}
	return nil
}

// OptionNames lists the options of a loss in canonical order.
func (l *Loss) OptionNames() []string {
	names := make([]string, len(l.Options))
	for i, s := range l.Options {
		names[i] = s.Name
	}
	return names
}

// Format writes the name and those options that differ from the defaults.
func (l *Loss) Format(o *Options) string {
	def := l.Resolve(nil)
	smooth := o.SmoothNR == o.SmoothDR
	var parts []string
	for _, s := range l.Options {
		var v any
		switch {
		case s.Option == optSmooth:
			if !smooth || o.SmoothNR == def.SmoothNR {
				continue
			}
			v = o.SmoothNR
		case smooth && (s.Option == optSmoothNR || s.Option == optSmoothDR):
			continue
		default:
			v = s.Get(o)
			if v == nil || FormatValue(v) == FormatValue(s.Get(&def)) {
				continue
			}
		}
		parts = append(parts, s.Name+"="+FormatValue(v))
	}
	if parts == nil {
		return l.Name
	}
	return l.Name + "(" + strings.Join(parts, ",") + ")"
}

// FormatValue writes a value as the parser reads it.
func FormatValue(v any) string {
	switch v := v.(type) {
	case float64:
		return FormatNumber(v)
	case []float64:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = FormatNumber(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprint(v)
}

// FormatNumber writes the shortest text that reads back as v.
func FormatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
