package kernels_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"dice", "dice"},
		{"  dice\t( )\n", "dice"},
		{"dice()", "dice"},
		{"1e-3*bce + dice(smooth=1, weight=[1,2,0.5])", "0.001*bce + dice(weight=[1,2,0.5],smooth=1)"},
		{"1e-3*bce+dice(smooth=1)", "0.001*bce + dice(smooth=1)"},
		{"+dice", "dice"},
		{"-dice", "-dice"},
		{"1*dice", "dice"},
		{"-1*dice", "-dice"},
		{"-.5*dice", "-0.5*dice"},
		{"2.*dice", "2*dice"},
		{"1E2*dice", "100*dice"},
		{"1e+2*dice", "100*dice"},
		{"0*dice", "0*dice"},
		{"dice - ce", "dice - ce"},
		{"dice - -ce", "dice + ce"},
		{"dice + -2*ce", "dice - 2*ce"},
		{"dice - 0*ce", "dice - 0*ce"},
		{"dice + dice", "dice + dice"},
		{"1e400*0*dice", ""},
		{"0e-500*dice", "0*dice"},
		{"0.00e999*dice", "0*dice"},
		{"dice(smooth=0.0e-400)", "dice(smooth=0)"},
		{"5e-324*dice", "5e-324*dice"},
		{"1e308*dice - 1e-308*ce", "1e+308*dice - 1e-308*ce"},
		// Sums in parentheses are multiplied out.
		{"(dice)", "dice"},
		{"-(dice)", "-dice"},
		{"2*(dice + ce)", "2*dice + 2*ce"},
		{" 2 * ( dice\n+ ce ) ", "2*dice + 2*ce"},
		{"2*(dice + 0.5*(ce + focal)) - (iou)", "2*dice + ce + focal - iou"},
		{"dice - (ce - (focal - iou))", "dice - ce + focal - iou"},
		{"bce - -2*(-dice - 0.25*ce(label_smoothing=0.5))", "bce - 2*dice - 0.5*ce(label_smoothing=0.5)"},
		{"2*(dice_ce)", "2*dice + 2*ce"},
		{"((((dice))))", "dice"},
		{"0*(dice + 1e300*ce)", "0*dice + 0*ce"},
		{"0.1*(0.2*dice)", "0.020000000000000004*dice"},
		{strings.Repeat("(", 100) + "dice" + strings.Repeat(")", 100), "dice"},
		// Options stand in the order of the list; defaults are left out.
		{"dice(absent=keep,background=true,batch=false,reduction=mean,squared=false,soft=false,smooth=1e-5)", "dice"},
		{"dice(soft=true,absent=skip,batch=true)", "dice(batch=true,absent=skip,soft=true)"},
		{"tversky(beta=0.7,alpha=0.3)", "tversky"},
		{"tversky(alpha=.5,beta=.5)", "tversky(alpha=0.5,beta=0.5)"},
		{"focal(alpha=none)", "focal(alpha=none)"},
		{"focal(alpha=0.25,gamma=2)", "focal"},
		{"bce(pos_weight=1)", "bce"},
		{"bce(pos_weight=3)", "bce(pos_weight=3)"},
		{"bce(pos_weight=[3])", "bce(pos_weight=3)"},
		{"bce(pos_weight=[1,2])", "bce(pos_weight=[1,2])"},
		{"gdl(weight_type=simple,absent_weight=zero)", "gdl(weight_type=simple,absent_weight=zero)"},
		// smooth sets both; each alone wins over it, the other keeps its default.
		{"dice(smooth=2)", "dice(smooth=2)"},
		{"dice(smooth_nr=0)", "dice(smooth_nr=0)"},
		{"dice(smooth_dr=1)", "dice(smooth_dr=1)"},
		{"dice(smooth_dr=1,smooth_nr=1)", "dice(smooth=1)"},
		{"dice(smooth=2,smooth_nr=0)", "dice(smooth_nr=0,smooth_dr=2)"},
		{"dice(smooth_nr=0,smooth=2)", "dice(smooth_nr=0,smooth_dr=2)"},
		{"dice(smooth=1e-5,smooth_nr=0)", "dice(smooth_nr=0)"},
		// Combinations are written out.
		{"bce_dice", "bce + dice"},
		{"dice_ce", "dice + ce"},
		{"-2*dice_ce", "-2*dice - 2*ce"},
		{"dice_focal", "tversky(reduction=sum,alpha=0.5,beta=0.5) + 0.5*focal_ce"},
		{"dice_focal(lambda=1)", "tversky(reduction=sum,alpha=0.5,beta=0.5) + focal_ce"},
		{"exp_log", "0.8*exp_log_dice + 0.2*exp_log_ce"},
		{"0.5*exp_log(w_dice=1,gamma_dice=1,gamma_cross=2)", "0.5*exp_log_dice(gamma=1) + 0.1*exp_log_ce(gamma=2)"},
	} {
		l, err := kernels.Parse(tt.expr)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%q parses as %q", tt.expr, l)
			}
			continue
		}
		if err != nil || l.String() != tt.want {
			t.Errorf("%q is %q, %v; want %q", tt.expr, l, err, tt.want)
			continue
		}
		again, err := kernels.Parse(l.String())
		if err != nil || !reflect.DeepEqual(again.Terms(), l.Terms()) || again.String() != l.String() {
			t.Errorf("%q comes back as %q, %v", tt.expr, again, err)
		}
	}
	if s := (kernels.Loss{}).String(); s != "" {
		t.Errorf("the zero Loss is %q", s)
	}
}

// Every loss and option of the list goes through the canonical form.
func TestVariantsRoundTrip(t *testing.T) {
	for _, expr := range everyOption(3) {
		l, err := kernels.Parse("-0.5*" + expr)
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := kernels.Parse(l.String())
		if err != nil || !reflect.DeepEqual(again.Terms(), l.Terms()) || again.String() != l.String() {
			t.Errorf("%s: %q comes back as %q, %v", expr, l, again, err)
		}
		combined, err := kernels.Combine(l.Terms()...)
		if err != nil || combined.String() != l.String() {
			t.Errorf("%s: %q, combined from its terms, is %q, %v", expr, l, combined, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct {
		expr    string
		col     int
		nearest string
		allowed string // one of those allowed, "" for none at all
	}{
		{"", 1, "", "dice"},
		{"   ", 4, "", "dice"},
		{"dize", 1, "dice", "gdl"},
		{"DICE", 1, "dice", "gdl"},
		{"dice + gld", 8, "gdl", "gdl"},
		{"xylophone", 1, "", "dice"},
		{"dice +", 7, "", "dice"},
		{"dice -  ", 9, "", "dice"},
		{"dice dice", 6, "", "+"},
		{"dice; ce", 5, "", "the end"},
		{"dice)", 5, "", "-"},
		{"2", 2, "", "*"},
		{"2 dice", 3, "", "*"},
		{"2*", 3, "", "dice"},
		{"1.2.3*dice", 1, "", "a number"},
		{"1e*dice", 1, "", "a number"},
		{"1e400*dice", 1, "", "a finite number"},
		{"2*3*dice", 3, "", "dice"},
		{"--dice", 2, "", "dice"},
		{"dïce", 1, "dice", "gdl"},
		{"di\u0308ce", 1, "dice", "gdl"}, // the same, of two characters
		{"dıce", 1, "dice", "gdl"},
		{"ｄｉｃｅ", 1, "dice", "gdl"},
		{"ce + ｄｉｃｅ(smooth=1)", 6, "dice", "gdl"},
		{"é*dice", 1, "", "dice"},
		{"dice(smöoth=1)", 6, "smooth", "smooth_nr"},
		{"dice(reduction=mëan)", 16, "mean", "sum"},
		{"dice(smooth＝1)", 12, "", "="},
		{"dice（smooth=1）", 5, "", "the end"},
		{"dice\u00a0+ ce", 5, "", "+"},
		{"dice + \u00a0ce", 8, "", "dice"},
		{"\ufeffdice", 1, "", "dice"},
		{"dice − ce", 6, "", "-"},
		{"−dice", 1, "", "dice"},
		{"dice(smooth=−1)", 13, "", "a finite number >= 0"},
		{"1e−3*dice", 1, "", "a number"},
		{"2×dice", 2, "", "*"},
		{"dice\x00", 5, "", "the end"},
		{"\x00", 1, "", "dice"},
		{"dice(\x00", 6, "", "smooth"},
		{"dice + \xff", 8, "", "dice"},
		{"1e-400*dice", 1, "", "0"},
		{"-1e-400*dice", 2, "", "0"},
		{"ce - 0.0001e-330*dice", 6, "", "0"},
		{"dice(smooth=1e-400)", 13, "", "0"},
		{"dice(weight=[1,1e-400])", 16, "", "0"},
		{"bce(pos_weight=2e-324)", 16, "", "0"},
		{"dice + 1e-200*exp_log(w_dice=1e-200)", 15, "", ""},
		{"1e-200*(1e-200*dice)", 9, "", ""},
		{"ce + 1e200*(dice + 1e200*ce)", 20, "", ""},
		{"1e200*(1e200*(1e-300*dice))", 8, "", ""},
		{"1e-200*(dice + exp_log(w_dice=1e-200))", 16, "", ""},
		{"(", 2, "", "dice"},
		{"()", 2, "", "("},
		{"2*(dice", 8, "", ")"},
		{"2*(dice + (ce)", 15, "", ")"},
		{"(dice))", 7, "", "the end"},
		{"2(dice)", 2, "", "*"},
		{"(dice)2", 7, "", "+"},
		{"(dice, ce)", 6, "", ")"},
		{"2*(3)", 5, "", "*"},
		{strings.Repeat("-2*(", 102), 404, "", ""},
		{strings.Repeat("(", 101) + "dice" + strings.Repeat(")", 101), 101, "", ""},
		{"dice(", 6, "", "smooth"},
		{"dice(,)", 6, "", "smooth"},
		{"dice(smoth=1)", 6, "smooth", "smooth_nr"},
		{"ce(weights=[1,2])", 4, "weight", "reduction"},
		{"dice(smooth)", 12, "", "="},
		{"dice(smooth 1)", 13, "", "="},
		{"dice(smooth=)", 13, "", "a finite number >= 0"},
		{"dice(smooth=1", 14, "", ")"},
		{"dice(smooth=1 batch=true)", 15, "", ","},
		{"dice(smooth=1,)", 15, "", "smooth"},
		{"dice(smooth=1,smooth=1)", 15, "", ""},
		{"dice(smooth=-1)", 13, "", "a finite number >= 0"},
		{"dice(smooth=-)", 13, "", "a number"},
		{"dice(smooth=1e999)", 13, "", "a finite number"},
		{"dice(smooth=nan)", 13, "", "a finite number >= 0"},
		{"dice(smooth=inf)", 13, "", "a finite number >= 0"},
		{"dice(smooth=true)", 13, "", "a finite number >= 0"},
		{"dice(smooth=[1])", 13, "", "a finite number >= 0"},
		{"dice(batch=1)", 12, "", "true"},
		{"dice(batch=yes)", 12, "", "false"},
		{"dice(reduction=avg)", 16, "", "sum"},
		{"dice(reduction=men)", 16, "mean", "sum"},
		{"dice(absent=Keep)", 13, "keep", "skip"},
		{"dice(weight=1)", 13, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[])", 13, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[1,-2])", 13, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[1,x])", 16, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[1 2])", 16, "", ","},
		{"dice(weight=[1,])", 16, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[,1])", 14, "", "a list [a,b,…] of finite numbers >= 0, one a class"},
		{"dice(weight=[1", 15, "", "]"},
		{"focal(alpha=1.5)", 13, "", "a number in [0, 1]"},
		{"focal(alpha=-0.5)", 13, "", "none"},
		{"focal(gamma=none)", 13, "", "a finite number >= 0"},
		{"tversky(alpha=none)", 15, "", "a finite number >= 0"},
		{"ss(lambda=1.01)", 11, "", "a number in [0, 1]"},
		{"ss(smooth=1)", 4, "", "lambda"},
		{"gdl(weight=[1])", 5, "", "weight_type"},
		{"gdl(absent=skip)", 5, "", "absent_weight"},
		{"ce(label_smoothing=2)", 20, "", "a number in [0, 1]"},
		{"bce(pos_weight=[1,-1])", 16, "", "a finite number >= 0"},
		{"bce_dice(smooth=1)", 10, "", ""},
		{"dice_focal(lambda=-1)", 19, "", "a finite number >= 0"},
		{"dice(soft=true,squared=true)", 1, "", ""},
		{"ce + 1e308*exp_log(w_dice=1e308)", 12, "", ""},
	} {
		l, err := kernels.Parse(tt.expr)
		var s *kernels.SyntaxError
		if !errors.As(err, &s) || !errors.Is(err, kernels.ErrOption) {
			t.Errorf("%q: %q, %v; want a SyntaxError", tt.expr, l, err)
			continue
		}
		if s.Col != tt.col || s.Nearest != tt.nearest || s.Expr != tt.expr || s.Msg == "" {
			t.Errorf("%q: column %d, nearest %q: %v; want %d, %q", tt.expr, s.Col, s.Nearest, err, tt.col, tt.nearest)
		}
		if tt.allowed == "" && len(s.Allowed) > 0 || tt.allowed != "" && !slices.Contains(s.Allowed, tt.allowed) {
			t.Errorf("%q: allowed %q; want %q there", tt.expr, s.Allowed, tt.allowed)
		}
		if tt.nearest != "" && !slices.Contains(s.Allowed, tt.nearest) {
			t.Errorf("%q: nearest %q is not among those allowed", tt.expr, tt.nearest)
		}
		if !strings.Contains(err.Error(), s.Msg) || !strings.Contains(err.Error(), s.Nearest) {
			t.Errorf("%q: the message %q leaves something out", tt.expr, err)
		}
	}
}

// Parentheses without end do not overflow the stack.
func TestDeepExpression(t *testing.T) {
	_, err := kernels.Parse(strings.Repeat("(", 1e7))
	var s *kernels.SyntaxError
	if !errors.As(err, &s) || s.Col != 101 {
		t.Error("not an error in column 101")
	}
}

// What a message says of characters that are none of the language's.
func TestSyntaxErrorsSayWhatStandsThere(t *testing.T) {
	for expr, want := range map[string]string{
		"dïce":                          `unknown loss "dïce": 'ï' (U+00EF) is in no name; did you mean "dice"?`,
		"dice(smöoth=1)":                `dice has no option "smöoth": 'ö' (U+00F6) is in no name; did you mean "smooth"?`,
		"dice(reduction=mëan)":          `mëan is not a value of reduction; did you mean "mean"?`,
		"dice(smooth＝1)":                `expected '=', found '＝' (U+FF1D, write '=')`,
		"dice\u00a0+ ce":                `unexpected '\u00a0' (U+00A0, write ' ') after a term`,
		"\ufeffdice":                    `found '\ufeff' (U+FEFF, leave it out)`,
		"dice − ce":                     `unexpected '−' (U+2212, write '-') after a term`,
		"1e−3*dice":                     `"1e" is not a number, with '−' (U+2212, write '-') after it`,
		"2×dice":                        `expected '*', found '×' (U+00D7, write '*')`,
		"dice + ½":                      `found '½' (U+00BD)`,
		"dice + \xff":                   `found a byte 0xff, which is not UTF-8`,
		"1e-400*dice":                   `1e-400 is too small for a float64, which would hold 0`,
		"2*(dice + (ce)":                `the "(" in column 3 is not closed`,
		"1e-200*(ïce":                   `column 9: unknown loss "ïce"`,
		"1e-200*(1e-200*dice)":          `column 9: the coefficient 1e-200 · 1e-200 underflows to 0`,
		"9e200*(1e200*dice)":            `column 8: the coefficient 9e+200 · 1e+200 overflows`,
		"1e-200*exp_log(w_dice=1e-200)": `exp_log: the coefficient of exp_log_dice, 1e-200 · 1e-200 underflows to 0`,
	} {
		if _, err := kernels.Parse(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q in it", expr, err, want)
		}
	}
}

// Terms as Go values give what the expression gives.
func TestCombine(t *testing.T) {
	opts := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		terms []kernels.Term
		want  string
	}{
		{[]kernels.Term{{Coef: 1, Name: "dice"}}, "dice"},
		{[]kernels.Term{{Coef: -0.5, Name: "ce", Options: opts("label_smoothing", 0.1)}, {Name: "bce"}}, "-0.5*ce(label_smoothing=0.1) + 0*bce"},
		{[]kernels.Term{{Coef: 1, Name: "dice", Options: opts("smooth", 1, "smooth_nr", 0.0)}}, "dice(smooth_nr=0,smooth_dr=1)"},
		{[]kernels.Term{{Coef: 1, Name: "dice", Options: opts("weight", []float64{1, 2}, "batch", true, "reduction", "sum")}}, "dice(batch=true,weight=[1,2],reduction=sum)"},
		{[]kernels.Term{{Coef: 1, Name: "focal", Options: opts("alpha", "none", "gamma", 0)}}, "focal(gamma=0,alpha=none)"},
		{[]kernels.Term{{Coef: 1, Name: "bce", Options: opts("pos_weight", 2)}}, "bce(pos_weight=2)"},
		{[]kernels.Term{{Coef: 2, Name: "dice_focal", Options: opts("lambda", 3)}}, "2*tversky(reduction=sum,alpha=0.5,beta=0.5) + 6*focal_ce"},
	} {
		l, err := kernels.Combine(tt.terms...)
		if err != nil || l.String() != tt.want {
			t.Errorf("%+v is %q, %v; want %q", tt.terms, l, err, tt.want)
			continue
		}
		parsed := mustParse(t, tt.want)
		if !reflect.DeepEqual(parsed.Terms(), l.Terms()) {
			t.Errorf("%s: combined %+v, parsed %+v", tt.want, l.Terms(), parsed.Terms())
		}
	}
}

func TestCombineErrors(t *testing.T) {
	option := func(name string, v any) kernels.Term {
		return kernels.Term{Coef: 1, Name: "dice", Options: map[string]any{name: v}}
	}
	dice := kernels.Term{Coef: 1, Name: "dice"}
	for _, tt := range []struct {
		term  kernels.Term
		value any
	}{
		{kernels.Term{Coef: 1}, ""},
		{kernels.Term{Coef: 1, Name: "dize"}, "dize"},
		{kernels.Term{Coef: nan, Name: "dice"}, nan},
		{kernels.Term{Coef: inf, Name: "dice"}, inf},
		{kernels.Term{Coef: -inf, Name: "dice"}, -inf},
		{option("smoth", 1), "smoth"},
		{option("smooth", -1), -1},
		{option("smooth", nan), nan},
		{option("smooth", inf), inf},
		{option("smooth", float32(1)), nil},
		{option("smooth", "1"), "1"},
		{option("smooth", true), true},
		{option("smooth", nil), nil},
		{option("smooth", []float64{1}), nil},
		{option("batch", 1), 1},
		{option("batch", "true"), "true"},
		{option("reduction", "none"), "none"},
		{option("weight", 1.0), 1},
		{option("weight", []float64{}), nil},
		{option("weight", []float64(nil)), nil},
		{option("weight", []float64{1, nan}), nil},
		{option("weight", []float64{1, inf}), nil},
		{option("weight", []float64{1, -1}), nil},
		{option("weight", []int{1}), nil},
		{kernels.Term{Coef: 1, Name: "focal", Options: map[string]any{"alpha": "some"}}, "some"},
		{kernels.Term{Coef: 1, Name: "focal", Options: map[string]any{"alpha": 1.5}}, 1.5},
		{kernels.Term{Coef: 1, Name: "ss", Options: map[string]any{"lambda": nan}}, nan},
		{kernels.Term{Coef: 1, Name: "exp_log_ce", Options: map[string]any{"freq": []float64{nan}}}, nil},
		{kernels.Term{Coef: 1, Name: "dice", Options: map[string]any{"soft": true, "squared": true}}, nil},
		{kernels.Term{Coef: 1e308, Name: "exp_log", Options: map[string]any{"w_dice": 1e308}}, nil},
		{kernels.Term{Coef: 1e-308, Name: "exp_log", Options: map[string]any{"w_dice": 1e-308}}, nil},
		{kernels.Term{Coef: 1, Region: named("dice")}, "dice"},
		{kernels.Term{Coef: 1, Region: named("a b")}, "a b"},
		{kernels.Term{Coef: 1, Region: named("mine"), Options: map[string]any{"smooth": 1}}, "smooth"},
	} {
		_, err := kernels.Combine(dice, tt.term)
		wantArg(t, tt.term.Name, err, kernels.ErrOption, "terms", 1, tt.value)
	}
	_, err := kernels.Combine()
	wantArg(t, "nothing", err, kernels.ErrOption, "terms", -1, nil)
}

// A loss does not change when what it was made from, or what it gave, does.
func TestLossIsImmutable(t *testing.T) {
	weight := []float64{1, 2}
	options := map[string]any{"weight": weight}
	l, err := kernels.Combine(kernels.Term{Coef: 1, Name: "dice", Options: options})
	if err != nil {
		t.Fatal(err)
	}
	want := l.String()
	weight[0], options["smooth"] = 9, 1
	terms := l.Terms()
	terms[0].Coef = 7
	terms[0].Options["weight"].([]float64)[1] = 9
	terms[0].Options["batch"] = true
	if l.String() != want {
		t.Errorf("%s has become %s", want, l)
	}
}

func TestLosses(t *testing.T) {
	kinds := map[string]int{}
	for _, info := range kernels.Losses() {
		kinds[info.Kind]++
		if info.Name == "" || info.Formula == "" || info.Source == "" || info.Options == nil {
			t.Errorf("%+v is not told in full", info)
		}
		l := mustParse(t, info.Name)
		_, err := kernels.New[float64](l, kernels.Spec{N: 1, C: 1, S: 1})
		if info.Categorical != errors.Is(err, kernels.ErrShape) {
			t.Errorf("%s: categorical %v, but with one class: %v", info.Name, info.Categorical, err)
		}
		for _, o := range info.Options {
			if o.Name == "" || o.Doc == "" || len(o.Allowed) == 0 {
				t.Errorf("%s: %+v is not told in full", info.Name, o)
			}
			if o.Default == "" {
				continue
			}
			given, err := kernels.Parse(info.Name + "(" + o.Name + "=" + o.Default + ")")
			if err != nil || given.String() != l.String() {
				t.Errorf("%s(%s=%s) is %q, %v; want %q, the default", info.Name, o.Name, o.Default, given, err, l)
			}
		}
	}
	if kinds["region"] != 8 || kinds["pointwise"] != 6 || kinds["combination"] != 4 || len(kinds) != 3 {
		t.Errorf("kinds %v", kinds)
	}
	kernels.Losses()[0].Options[0].Allowed[0] = "changed"
	if kernels.Losses()[0].Options[0].Allowed[0] == "changed" {
		t.Error("the list can be changed from outside")
	}
}

// Numbers survive the canonical form to the last bit.
func TestNumbersRoundTrip(t *testing.T) {
	for _, v := range []float64{0, 5e-324, 1e-5, 0.1, 1. / 3, math.Pi, 1e21, math.MaxFloat64, math.Nextafter(1, 2)} {
		l, err := kernels.Combine(kernels.Term{Coef: v, Name: "dice", Options: map[string]any{"smooth_nr": v, "weight": []float64{v, 1}}})
		if err != nil {
			t.Fatal(err)
		}
		again := mustParse(t, l.String()).Terms()
		if !reflect.DeepEqual(again, l.Terms()) {
			t.Errorf("%v: %q comes back as %+v", v, l, again)
		}
	}
}
