package main

import (
	"fmt"
	"strings"
)

// primitive is one row of what is generated: a function for each instruction
// set and, if typed, for each element type, whose name stands for T in the
// signature.
type primitive struct {
	name      string
	typed     bool
	signature string
	doc       string // what it does, then the loop in Go
	body      func(*gen)
}

func expandType(signature, elem string) string {
	return strings.ReplaceAll(strings.ReplaceAll(signature, "[]T", "[]"+elem), "*T", "*"+elem)
}

func docOf(name string, p primitive, i isa) []string {
	lines := strings.Split(strings.Trim(p.doc, "\n"), "\n")
	lines[0] = name + " " + lines[0]
	for n, l := range lines {
		lines[n] = strings.TrimRight(l, " ")
	}
	return append(lines, "", fmt.Sprintf("It computes %d float64 lanes a vector.", i.lanes))
}

var primitives = []primitive{
	{"exp", true, "(w []float64, x []T) bool", `
leaves e^x in w. It reports false, and w is unspecified, if some x is
a NaN or beyond ±300.

	for i, v := range x {
		w[i] = math.Exp(float64(v))
	}
`, exps},
	{"expRow", false, "(w []float64)", `
replaces every element by its exponential.

	for i, v := range w {
		w[i] = math.Exp(v)
	}
`, expRow},
	{"log1pRow", false, "(w []float64)", `
replaces every element x, which is at least 0, by ln(1+x).

	for i, v := range w {
		w[i] = math.Log1p(v)
	}
`, log1pRow},
	{"logRow", false, "(w []float64)", `
replaces every element by its logarithm.

	for i, v := range w {
		w[i] = math.Log(v)
	}
`, logRow},
	{"counts", true, "(acc *[3]float64, r []T)", `
adds the sums of the target alone.

	for _, t := range r {
		acc[0] += t
		acc[1] += 1 - t
		acc[2] += t * t
	}
`, func(g *gen) { counts(g, false) }},
	{"countsV", true, "(acc *[3]float64, r, v []T)", `
adds the weighted sums of the target alone.

	for i, t := range r {
		acc[0] += v[i] * t
		acc[1] += v[i] * (1 - t)
		acc[2] += v[i] * t * t
	}
`, func(g *gen) { counts(g, true) }},
	{"region", true, "(acc *[4]float64, p, q []float64, r []T)", `
adds TP, FP, FN and TN.

	for i, t := range r {
		acc[0] += p[i] * t
		acc[1] += p[i] * (1 - t)
		acc[2] += q[i] * t
		acc[3] += q[i] * (1 - t)
	}
`, func(g *gen) { region(g, false) }},
	{"regionV", true, "(acc *[4]float64, p, q []float64, r, v []T)", `
adds the weighted TP, FP, FN and TN.

	for i, t := range r {
		acc[0] += v[i] * p[i] * t
		acc[1] += v[i] * p[i] * (1 - t)
		acc[2] += v[i] * q[i] * t
		acc[3] += v[i] * q[i] * (1 - t)
	}
`, func(g *gen) { region(g, true) }},
	{"regionYRow", false, "(acc *[4]float64, p, q []float64, y []int32, c int)", `
adds TP, FP, FN and TN of class c by the labels y.

	for i, l := range y {
		if int(l) == c {
			acc[0] += p[i]
			acc[2] += q[i]
		} else {
			acc[1] += p[i]
			acc[3] += q[i]
		}
	}
`, regionYRow},
	{"regionGrad", true, "(g []float64, r []T, in, out float64)", `
adds the derivative of the region sums by p.

	for i, t := range r {
		g[i] += in*t + out*(1-t)
	}
`, regionGrad},
	{"probabilities", true, "(p, q []float64, x []T)", `
takes p = x as it is.

	for i, v := range x {
		p[i], q[i] = v, 1-v
	}
`, probabilities},
	{"chain", true, "(out []T, g []float64)", `
rounds a row to the element type.

	for i, d := range g {
		out[i] = T(d)
	}
`, chain},
	{"chainU", true, "(out []T, g, u, p []float64, clip float64)", `
adds what comes by the log-odds, except where p or its complement
is clipped.

	for i, d := range g {
		if !(p[i] < clip || 1-p[i] < clip) {
			d += u[i] / (p[i] * (1 - p[i]))
		}
		out[i] = T(d)
	}
`, chainU},
	{"sigmoidChain", true, "(out []T, g, p, q []float64)", `
is the derivative through a sigmoid.

	for i, d := range g {
		out[i] = T(d * p[i] * q[i])
	}
`, func(g *gen) { sigmoidChain(g, false) }},
	{"sigmoidChainU", true, "(out []T, g, p, q, u []float64)", `
is the derivative through a sigmoid, with one by the log-odds.

	for i, d := range g {
		out[i] = T(d*p[i]*q[i] + u[i])
	}
`, func(g *gen) { sigmoidChain(g, true) }},
	{"sigmoid", true, "(p, q []float64, x []T)", `
forms the smaller of p and q from the exponential itself.

	for i, v := range x {
		e := math.Exp(-math.Abs(v))
		p[i], q[i] = 1/(1+e), e/(1+e) // the other way round where v < 0
	}
`, func(g *gen) { sigmoid(g, false) }},
	{"sigmoidLogs", true, "(p, q, lp, lq []float64, x []T)", `
is sigmoid with the logarithms of both.

	for i, v := range x {
		e := math.Exp(-math.Abs(v))
		l := math.Log1p(e)
		p[i], q[i] = 1/(1+e), e/(1+e)           // the other way round where v < 0
		lp[i], lq[i] = -l, -math.Abs(v)-l
	}
`, func(g *gen) { sigmoid(g, true) }},
}
