package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/segloss/segloss/internal/exact"
	"github.com/segloss/segloss/internal/oracle"
	"github.com/segloss/segloss/kernels"
)

// A pixel is a loss of a single probability p with its target t: one sample,
// class and position, without activation. Everything can be written down there.
type pixel struct {
	loss  kernels.Loss
	term  kernels.Term
	exact exact.Term
	plan  *kernels.Plan[float64]

	p, dp, t []float64 // of length 1
}

var givesSmooth = regexp.MustCompile(`\bsmooth\s*=`)

// newPixel reads an expression of one term. An option of the expression wins
// over smooth.
func newPixel(expr string, smooth optional[float64]) (*pixel, error) {
	if expr == "" {
		return nil, errors.New("-loss must be given, such as -loss dice")
	}
	loss, err := kernels.Parse(expr)
	if err != nil {
		return nil, argument("-loss", err)
	}
	if n := len(loss.Terms()); n != 1 {
		return nil, argument("-loss", fmt.Errorf("%s has %d terms: want one", expr, n))
	}
	if smooth.set && !givesSmooth.MatchString(expr) {
		if loss, err = kernels.Parse(withOption(expr, "smooth", smooth.v)); err != nil {
			return nil, argument("-smooth", err)
		}
	}
	x := &pixel{loss: loss, term: loss.Terms()[0], p: make([]float64, 1), dp: make([]float64, 1), t: make([]float64, 1)}
	o, err := oracle.Options(x.term.Options)
	if err != nil {
		return nil, argument("-loss", err)
	}
	x.exact = exact.Term{Coef: x.term.Coef, Name: x.term.Name, Options: o}
	if x.plan, err = kernels.New[float64](loss, kernels.Spec{N: 1, C: 1, S: 1}, kernels.WithWorkers(1)); err != nil {
		return nil, argument("-loss", err)
	}
	return x, nil
}

// termName is a name that is no exponent, with the "(" of its options.
var termName = regexp.MustCompile(`(?:^|[^\w.])[A-Za-z_]\w*(?:\s*\()?`)

// withOption adds an option to an expression of one term.
func withOption(expr, name string, v float64) string {
	option := fmt.Sprintf("%s=%v", name, v)
	end := len(expr)
	if at := termName.FindStringIndex(expr); at != nil {
		end = at[1]
	}
	head, rest := expr[:end], expr[end:]
	switch {
	case !strings.HasSuffix(head, "("):
		option = "(" + option + ")"
	case !strings.HasPrefix(strings.TrimSpace(rest), ")"):
		option += ", "
	}
	return head + option + rest
}

// gradient returns the loss and its derivative as the kernels compute them, or
// NaN where they refuse.
func (x *pixel) gradient(p, t float64) (loss, dp float64) {
	x.p[0], x.t[0] = p, t
	v, err := x.plan.ForwardBackward(context.Background(), x.dp, x.p, kernels.Dense(x.t), kernels.Grad{Scale: 1})
	if err != nil {
		return math.NaN(), math.NaN()
	}
	return v.Loss, x.dp[0]
}

// value returns the loss alone, as a function that can be differenced.
func (x *pixel) value(t float64) func(p float64) float64 {
	return func(p float64) float64 {
		x.p[0], x.t[0] = p, t
		v, err := x.plan.Forward(context.Background(), x.p, kernels.Dense(x.t))
		if err != nil {
			return math.NaN()
		}
		return v.Loss
	}
}

// exactly returns the loss and its derivatives at p and t, and the arithmetic that
// they come from.
func (x *pixel) exactly(p, t float64) (exact.Pixel, exact.Oracle, error) {
	px, by, err := exact.At(x.exact, p, t)
	if err != nil {
		err = fmt.Errorf("%s has no derivative at p = %s, t = %s: %w", x.loss, exactly(p), exactly(t), err)
	}
	return px, by, err
}

// room returns the bounds around p between which the loss is smooth: of [0,1],
// the clamps of a pointwise loss, and the target in a soft region loss.
func (x *pixel) room(p, t float64) (lo, hi float64) {
	lo, hi = 0, 1
	for _, at := range x.breaks(t) {
		if at < p {
			lo = max(lo, at)
		} else if at > p {
			hi = min(hi, at)
		}
	}
	return lo, hi
}

// clamp is where the kernels clamp probabilities in logarithms and powers.
const clamp = 1e-7

func (x *pixel) breaks(t float64) []float64 {
	var at []float64
	if x.term.Options["soft"] == true {
		at = append(at, t)
	}
	for _, in := range kernels.Losses() {
		if in.Name == x.term.Name && in.Kind == "pointwise" {
			at = append(at, clamp, 1-clamp)
		}
	}
	return at
}

// condition returns the relative change of the derivative d for a relative
// change of an argument at v, by which its derivative is slope: what an error
// of the argument is multiplied by.
func condition(v, slope, d float64) float64 { return math.Abs(v * slope / d) }
