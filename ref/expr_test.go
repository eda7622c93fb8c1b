package ref_test

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/internal/oracle"
	"github.com/segloss/segloss/ref"
)

// The little of the expression language that the golden files use, written
// apart from package kernels' parser: terms split at " + ", options at commas
// outside brackets, values as JSON.

type options = map[string]any

// defaults are those of the definitions, without what every term shares.
var defaults = map[string]options{
	"dice":          {"smooth": 1e-5},
	"dice2":         {"eps": 1e-5},
	"iou":           {"smooth": 1e-6},
	"tversky":       {"alpha": 0.3, "beta": 0.7, "smooth": 1e-5},
	"focal_tversky": {"alpha": 0.3, "beta": 0.7, "smooth": 1e-5, "gamma": 0.75},
	"ss":            {"lambda": 0.05, "eps": 1e-5},
	"gdl":           {"weight_type": "square", "absent_weight": "max", "weight_eps": 1e-6, "smooth": 1e-5, "scaled": true},
	"exp_log_dice":  {"gamma": 0.3, "smooth": 1.0},
	"bce":           {},
	"wce":           {"eps": 1e-5},
	"ce":            {"label_smoothing": 0.0},
	"focal":         {"gamma": 2.0, "alpha": 0.25},
	"focal_ce":      {"gamma": 2.0},
	"exp_log_ce":    {"gamma": 0.3},
	"bce_dice":      {},
	"dice_ce":       {},
	"dice_focal":    {"lambda": 0.5},
	"exp_log":       {"w_dice": 0.8, "w_cross": 0.2, "gamma_dice": 0.3, "gamma_cross": 0.3},
}

// A term is a function of package ref with a coefficient.
type term struct {
	coef float64
	name string
	opts ref.Options
}

// parse returns the terms of an expression.
func parse(tb testing.TB, expr string) []term {
	tb.Helper()
	var terms []term
	for _, text := range strings.Split(expr, " + ") {
		coef := 1.0
		if before, after, ok := strings.Cut(text, "*"); ok {
			var err error
			if coef, err = strconv.ParseFloat(before, 64); err != nil {
				tb.Fatal(err)
			}
			text = after
		}
		name, list, _ := strings.Cut(text, "(")
		given := parseOptions(tb, strings.TrimSuffix(list, ")"))
		for _, t := range expand(tb, name, given) {
			t.coef *= coef
			terms = append(terms, t)
		}
	}
	return terms
}

func parseOptions(tb testing.TB, list string) options {
	tb.Helper()
	given := options{}
	depth := 0
	for _, field := range strings.FieldsFunc(list, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		return r == ',' && depth == 0
	}) {
		key, text, _ := strings.Cut(field, "=")
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			value = text // a bare word
		}
		if _, twice := given[key]; twice {
			tb.Fatalf("%s given twice", key)
		}
		given[key] = value
	}
	return given
}

// expand returns the terms that a name stands for.
func expand(tb testing.TB, name string, given options) []term {
	tb.Helper()
	if _, ok := defaults[name]; !ok {
		tb.Fatalf("unknown loss %q", name)
	}
	one := func(coef float64, name string, given options) term {
		return term{coef, name, fill(tb, name, given)}
	}
	of := func(key string) float64 {
		if v, ok := given[key]; ok {
			return v.(float64)
		}
		return defaults[name][key].(float64)
	}
	switch name {
	case "bce_dice":
		return []term{one(1, "bce", nil), one(1, "dice", nil)}
	case "dice_ce":
		return []term{one(1, "dice", nil), one(1, "ce", nil)}
	case "dice_focal":
		return []term{
			one(1, "tversky", options{"alpha": 0.5, "beta": 0.5, "reduction": "sum"}),
			one(of("lambda"), "focal_ce", nil),
		}
	case "exp_log":
		return []term{
			one(of("w_dice"), "exp_log_dice", options{"gamma": of("gamma_dice")}),
			one(of("w_cross"), "exp_log_ce", options{"gamma": of("gamma_cross")}),
		}
	}
	return []term{one(1, name, given)}
}

// fill returns the options of a single loss: shared defaults, its own, given.
func fill(tb testing.TB, name string, given options) ref.Options {
	tb.Helper()
	all := options{"reduction": "mean", "background": true, "absent": "keep"}
	for _, layer := range []options{defaults[name], given} {
		if s, ok := layer["smooth"]; ok {
			all["smooth_nr"], all["smooth_dr"] = s, s
		}
		maps.Copy(all, layer)
	}
	delete(all, "smooth")
	o, err := oracle.Options(all)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return o
}

var activations = map[string]ref.Activation{"none": ref.None, "sigmoid": ref.Sigmoid, "softmax": ref.Softmax}

func input(c *golden.Case) ref.Input {
	r, v := c.Dense()
	return ref.Input{N: c.N, C: c.C, S: c.S, Activation: activations[c.Activation], X: c.Pred, R: r, V: v}
}

// evaluate returns the value and the gradient of an expression.
func evaluate(tb testing.TB, in ref.Input, expr string) (loss float64, grad []float64) {
	tb.Helper()
	grad = make([]float64, len(in.X))
	for _, t := range parse(tb, expr) {
		l, g := ref.Losses[t.name](in, t.opts)
		loss += t.coef * l
		for i := range grad {
			grad[i] += t.coef * g[i]
		}
	}
	return loss, grad
}
