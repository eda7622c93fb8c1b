package main

import (
	"fmt"
	"regexp"
	"strings"
)

// primitive is one row of what is generated: a function for each instruction
// set and, if typed, for each element type, whose name stands for T in the
// signature. The lanes of a native one are of that type, of any other float64.
type primitive struct {
	name      string
	typed     bool
	native    bool
	signature string
	doc       string // what it does, then the loop in Go
	body      func(*gen)
}

var typeName = regexp.MustCompile(`\bT\b`)

func expandType(signature, elem string) string { return typeName.ReplaceAllString(signature, elem) }

func docOf(name string, p primitive, lanes int) []string {
	text := strings.Split(strings.Trim(p.doc, "\n"), "\n")
	text[0] = name + " " + text[0]
	for n, l := range text {
		text[n] = strings.TrimRight(l, " ")
	}
	if p.signature == "()" {
		return append(text, "")
	}
	if p.native && !p.typed {
		return append(text, "", fmt.Sprintf("Its vectors have %d bytes.", 8*lanes))
	}
	of := "float64"
	if p.native && strings.Contains(name, "F32") {
		of = "float32"
	}
	return append(text, "", fmt.Sprintf("It computes %d %s lanes a vector.", lanes, of))
}

var primitives = []primitive{
	{"exp", true, false, "(w []float64, x []T) bool", `
leaves e^x in w. It reports false, and w is unspecified, if some x is
a NaN or beyond ±300.

	for i, v := range x {
		w[i] = math.Exp(float64(v))
	}
`, exps},
	{"counts", true, false, "(acc *[3]float64, r []T)", `
adds the sums of the target alone.

	for _, t := range r {
		acc[0] += t
		acc[1] += 1 - t
		acc[2] += t * t
	}
`, func(g *gen) { counts(g, false) }},
	{"countsV", true, false, "(acc *[3]float64, r, v []T)", `
adds the weighted sums of the target alone.

	for i, t := range r {
		acc[0] += v[i] * t
		acc[1] += v[i] * (1 - t)
		acc[2] += v[i] * t * t
	}
`, func(g *gen) { counts(g, true) }},
	{"region", true, false, "(acc *[4]float64, p, q []float64, r []T)", `
adds TP, FP, FN and TN.

	for i, t := range r {
		acc[0] += p[i] * t
		acc[1] += p[i] * (1 - t)
		acc[2] += q[i] * t
		acc[3] += q[i] * (1 - t)
	}
`, func(g *gen) { region(g, false) }},
	{"regionV", true, false, "(acc *[4]float64, p, q []float64, r, v []T)", `
adds the weighted TP, FP, FN and TN.

	for i, t := range r {
		acc[0] += v[i] * p[i] * t
		acc[1] += v[i] * p[i] * (1 - t)
		acc[2] += v[i] * q[i] * t
		acc[3] += v[i] * q[i] * (1 - t)
	}
`, func(g *gen) { region(g, true) }},
	{"regionYRow", false, false, "(acc *[4]float64, p, q []float64, y []int32, c int)", `
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
	{"regionGrad", true, false, "(g []float64, r []T, in, out float64)", `
adds the derivative of the region sums by p.

	for i, t := range r {
		g[i] += in*t + out*(1-t)
	}
`, regionGrad},
	{"probabilities", true, false, "(p, q []float64, x []T)", `
takes p = x as it is.

	for i, v := range x {
		p[i], q[i] = v, 1-v
	}
`, probabilities},
	{"chain", true, false, "(out []T, g []float64)", `
rounds a row to the element type.

	for i, d := range g {
		out[i] = T(d)
	}
`, chain},
	{"chainU", true, false, "(out []T, g, u, p []float64, clip float64)", `
adds what comes by the log-odds, except where p or its complement
is clipped.

	for i, d := range g {
		if !(p[i] < clip || 1-p[i] < clip) {
			d += u[i] / (p[i] * (1 - p[i]))
		}
		out[i] = T(d)
	}
`, chainU},
	{"sigmoidChain", true, false, "(out []T, g, p, q []float64)", `
is the derivative through a sigmoid.

	for i, d := range g {
		out[i] = T(d * p[i] * q[i])
	}
`, func(g *gen) { sigmoidChain(g, false) }},
	{"sigmoidChainU", true, false, "(out []T, g, p, q, u []float64)", `
is the derivative through a sigmoid, with one by the log-odds.

	for i, d := range g {
		out[i] = T(d*p[i]*q[i] + u[i])
	}
`, func(g *gen) { sigmoidChain(g, true) }},
	{"sigmoid", true, false, "(p, q []float64, x []T)", `
forms the smaller of p and q from the exponential itself.

	for i, v := range x {
		e := math.Exp(-math.Abs(v))
		p[i], q[i] = 1/(1+e), e/(1+e) // the other way round where v < 0
	}
`, func(g *gen) { sigmoid(g, false) }},
	{"sigmoidLogs", true, false, "(p, q, lp, lq []float64, x []T)", `
is sigmoid with the logarithms of both.

	for i, v := range x {
		e := math.Exp(-math.Abs(v))
		l := math.Log1p(e)
		p[i], q[i] = 1/(1+e), e/(1+e)           // the other way round where v < 0
		lp[i], lq[i] = -l, -math.Abs(v)-l
	}
`, func(g *gen) { sigmoid(g, true) }},
	{"softmax2", true, false, "(p, q *float64, x *T, stride, xstride, n int) bool", `
is the softmax of 2 classes, with q from the exponentials of the
others. It reports false, and p and q are unspecified, if some x is a NaN or
beyond ±300.

	for i := range n {
		sum := 0.0
		for c := range 2 {
			e[c] = math.Exp(x[c*xstride+i])
			sum += e[c]
		}
		for c := range 2 {
			p[c*stride+i], q[c*stride+i] = e[c]/sum, othersThan(c, e)/sum
		}
	}
`, func(g *gen) { softmaxFew(g, 2) }},
	{"softmax3", true, false, "(p, q *float64, x *T, stride, xstride, n int) bool", `
is the softmax of 3 classes, with q from the exponentials of the
others. It reports false, and p and q are unspecified, if some x is a NaN or
beyond ±300.

	for i := range n {
		sum := 0.0
		for c := range 3 {
			e[c] = math.Exp(x[c*xstride+i])
			sum += e[c]
		}
		for c := range 3 {
			p[c*stride+i], q[c*stride+i] = e[c]/sum, othersThan(c, e)/sum
		}
	}
`, func(g *gen) { softmaxFew(g, 3) }},
	{"softmax4", true, false, "(p, q *float64, x *T, stride, xstride, n int) bool", `
is the softmax of 4 classes, with q from the exponentials of the
others. It reports false, and p and q are unspecified, if some x is a NaN or
beyond ±300.

	for i := range n {
		sum := 0.0
		for c := range 4 {
			e[c] = math.Exp(x[c*xstride+i])
			sum += e[c]
		}
		for c := range 4 {
			p[c*stride+i], q[c*stride+i] = e[c]/sum, othersThan(c, e)/sum
		}
	}
`, func(g *gen) { softmaxFew(g, 4) }},
	{"normalise", false, false, "(p, q, work *float64, stride, c, n int)", `
completes a softmax of c classes, at least 1, from the exponentials
in the first c rows of work, n apart. The sums of the other classes are left
in the next c rows.

	for i := range n {
		sum := 0.0
		for k := range c {
			work[(c+k)*n+i] = sum
			sum += work[k*n+i]
		}
		after := 0.0
		for k := c - 1; k >= 0; k-- {
			e, others := work[k*n+i], work[(c+k)*n+i]+after
			work[(c+k)*n+i] = others
			p[k*stride+i], q[k*stride+i] = e/sum, others/sum
			after += e
		}
	}
`, normalise},
	{"oddsLogs", true, false, "(out, against, favour []float64) bool", `
is the logarithm of a probability from what speaks against it and
for it. It reports false if some -out is above 300, where exponentials may
have underflowed; the others are right then too.

	for i, a := range against {
		out[i] = -math.Log1p(a / favour[i])
	}
`, oddsLogs},
	{"memberLogs", true, false, "(w []float64, p, q *float64, y []int32, stride, c int) bool", `
is minus the logarithm of the probability of each position's own
class, one of c. It reports false if some of them are above 300, where
probabilities may have underflowed; the others are right then too.

	for i, l := range y {
		w[i] = math.Log1p(q[l*stride+i] / p[l*stride+i])
	}
`, memberLogs},
	{"sumY", false, false, "(acc *float64, w []float64, y []int32, c int)", `
adds the elements whose label is c.

	for i, l := range y {
		if int(l) == c {
			*acc += w[i]
		}
	}
`, sumY},
	{"softmaxRegionY", true, false, "(out *T, p, q, work, coef *float64, y []int32, outStride, stride, c int)", `
is the derivative of a softmax of c classes with labels; coef
has four numbers a class, of which the last is not used. work has c rows of
len(y).

	for i, l := range y {
		for k := range c {
			h[k] = coef[4*k+1] * p[k*stride+i]
		}
		h[l] = coef[4*l]*p[l*stride+i] + coef[4*l+2]
		for k := range c {
			out[k*outStride+i] = h[k]*q[k*stride+i] - p[k*stride+i]*othersThan(k, h)
		}
	}
`, softmaxRegionY},
	{"softmaxRegionY2", true, false, "(out *T, p, q, coef *float64, y []int32, outStride, stride int)", `
is softmaxRegionY with 2 classes, in registers.

	for i, l := range y {
		for k := range 2 {
			h[k] = coef[4*k+1] * p[k*stride+i]
		}
		h[l] = coef[4*l]*p[l*stride+i] + coef[4*l+2]
		for k := range 2 {
			out[k*outStride+i] = h[k]*q[k*stride+i] - p[k*stride+i]*othersThan(k, h)
		}
	}
`, func(g *gen) { softmaxRegionYFew(g, 2) }},
	{"softmaxRegionY3", true, false, "(out *T, p, q, coef *float64, y []int32, outStride, stride int)", `
is softmaxRegionY with 3 classes, in registers.

	for i, l := range y {
		for k := range 3 {
			h[k] = coef[4*k+1] * p[k*stride+i]
		}
		h[l] = coef[4*l]*p[l*stride+i] + coef[4*l+2]
		for k := range 3 {
			out[k*outStride+i] = h[k]*q[k*stride+i] - p[k*stride+i]*othersThan(k, h)
		}
	}
`, func(g *gen) { softmaxRegionYFew(g, 3) }},
	{"softmaxRegionY4", true, false, "(out *T, p, q, coef *float64, y []int32, outStride, stride int)", `
is softmaxRegionY with 4 classes, in registers.

	for i, l := range y {
		for k := range 4 {
			h[k] = coef[4*k+1] * p[k*stride+i]
		}
		h[l] = coef[4*l]*p[l*stride+i] + coef[4*l+2]
		for k := range 4 {
			out[k*outStride+i] = h[k]*q[k*stride+i] - p[k*stride+i]*othersThan(k, h)
		}
	}
`, func(g *gen) { softmaxRegionYFew(g, 4) }},
	{"softmaxChain", true, false, "(out *T, p, q, d, work *float64, outStride, stride, c, n int) bool", `
is the derivative through a softmax of c classes, from that by p
and nothing else. It reports false, and has written nothing, if some p or q is
too small to have all its digits, or a NaN. work has 2c rows of n.

	for i := range n {
		top, rest := 0, 0.0 // top: the class with the largest p
		for k := range c {
			u[k] = d[k*stride+i] * p[k*stride+i] * q[k*stride+i]
			if k != top {
				rest += u[k] / q[k*stride+i]
			}
		}
		for k := range c {
			out[k*outStride+i] = u[k] - p[k*stride+i]*(rest-u[k]/q[k*stride+i]) - u[top]*p[k*stride+i]/q[top*stride+i]
		}
		out[top*outStride+i] = u[top] - p[top*stride+i]*rest
	}
`, func(g *gen) { softmaxChain(g, false) }},
	{"softmaxChainU", true, false, "(out *T, p, q, d, u, work *float64, outStride, stride, c, n int) bool", `
is the derivative through a softmax of c classes, from that by p
and by the log-odds. It reports false, and has written nothing, if some p or q is
too small to have all its digits, or a NaN. work has 2c rows of n.

	for i := range n {
		top, rest := 0, 0.0 // top: the class with the largest p
		for k := range c {
			u[k] = d[k*stride+i]*p[k*stride+i]*q[k*stride+i] + u[k*stride+i]
			if k != top {
				rest += u[k] / q[k*stride+i]
			}
		}
		for k := range c {
			out[k*outStride+i] = u[k] - p[k*stride+i]*(rest-u[k]/q[k*stride+i]) - u[top]*p[k*stride+i]/q[top*stride+i]
		}
		out[top*outStride+i] = u[top] - p[top*stride+i]*rest
	}
`, func(g *gen) { softmaxChain(g, true) }},
	{"square", true, false, "(acc *[3]float64, p, q []float64, r []T)", `
adds Σ p² and Σ (p-r)² over members and others.

	for i, t := range r {
		d := p[i] - t // (1-t) - q[i] where p is at least 1/2
		acc[0] += p[i] * p[i]
		acc[1] += d * d * t
		acc[2] += d * d * (1 - t)
	}
`, func(g *gen) { square(g, false) }},
	{"soft", true, false, "(acc *[4]float64, p, q []float64, r []T)", `
adds Σ min(p,r), Σ max(p-r,0), Σ max(r-p,0) and Σ min(q,1-r).

	for i, t := range r {
		if d := p[i] - t; d > 0 { // (1-t) - q[i] where p is at least 1/2
			acc[0] += t
			acc[1] += d
			acc[3] += q[i]
		} else {
			acc[0] += p[i]
			acc[2] -= d
			acc[3] += (1 - t)
		}
	}
`, func(g *gen) { soft(g, false) }},
	{"logP", true, false, "(acc *float64, p, lp []float64, r []T)", `
adds Σ r ln p; a position with r = 0 adds 0, or NaN where p is NaN.

	for i, t := range r {
		if t == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += t * lp[i]
		}
	}
`, func(g *gen) { logSum(g, "lp", false, false) }},
	{"logQ", true, false, "(acc *float64, p, lq []float64, r []T)", `
adds Σ (1-r) ln q; a position with r = 1 adds 0, or NaN where p is NaN.

	for i, t := range r {
		if t == 1 {
			*acc += 0 * p[i]
		} else {
			*acc += (1 - t) * lq[i]
		}
	}
`, func(g *gen) { logSum(g, "lq", true, false) }},
	{"logAll", false, false, "(acc *float64, lp []float64)", `
adds Σ ln p.

	for _, l := range lp {
		*acc += l
	}
`, func(g *gen) { logAll(g, false) }},
	{"powerSum", true, false, "(acc *float64, w, p, lp []float64, r []T, at, sign float64)", `
adds Σ (at + sign r) w ln p, where w is a power of q; a position
whose factor is 0 adds 0, or NaN where p is NaN, and 0 times -Inf is 0.

	for i, t := range r {
		if f := at + sign*t; f == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += f * w[i] * lp[i]
		}
	}
`, func(g *gen) { powerSum(g, false) }},
	{"squareV", true, false, "(acc *[3]float64, p, q []float64, r, v []T)", `
adds the weighted Σ p² and Σ (p-r)² over members and others.

	for i, t := range r {
		d := p[i] - t // (1-t) - q[i] where p is at least 1/2
		acc[0] += v[i] * p[i] * p[i]
		acc[1] += v[i] * d * d * t
		acc[2] += v[i] * d * d * (1 - t)
	}
`, func(g *gen) { square(g, true) }},
	{"softV", true, false, "(acc *[4]float64, p, q []float64, r, v []T)", `
adds the weighted Σ min(p,r), Σ max(p-r,0), Σ max(r-p,0) and Σ min(q,1-r).

	for i, t := range r {
		if d := p[i] - t; d > 0 { // (1-t) - q[i] where p is at least 1/2
			acc[0] += v[i] * t
			acc[1] += v[i] * d
			acc[3] += v[i] * q[i]
		} else {
			acc[0] += v[i] * p[i]
			acc[2] -= v[i] * d
			acc[3] += v[i] * (1 - t)
		}
	}
`, func(g *gen) { soft(g, true) }},
	{"logPV", true, false, "(acc *float64, p, lp []float64, r, v []T)", `
adds the weighted Σ r ln p; a position with r = 0 adds 0, or NaN where p is NaN.

	for i, t := range r {
		if t == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += v[i] * t * lp[i]
		}
	}
`, func(g *gen) { logSum(g, "lp", false, true) }},
	{"logQV", true, false, "(acc *float64, p, lq []float64, r, v []T)", `
adds the weighted Σ (1-r) ln q; a position with r = 1 adds 0, or NaN where p is NaN.

	for i, t := range r {
		if t == 1 {
			*acc += 0 * p[i]
		} else {
			*acc += v[i] * (1 - t) * lq[i]
		}
	}
`, func(g *gen) { logSum(g, "lq", true, true) }},
	{"logAllV", true, false, "(acc *float64, lp []float64, v []T)", `
adds the weighted Σ ln p.

	for i, l := range lp {
		*acc += v[i] * l
	}
`, func(g *gen) { logAll(g, true) }},
	{"powerSumV", true, false, "(acc *float64, w, p, lp []float64, r, v []T, at, sign float64)", `
adds the weighted Σ (at + sign r) w ln p, where w is a power of q; a position
whose factor is 0 adds 0, or NaN where p is NaN, and 0 times -Inf is 0.

	for i, t := range r {
		if f := at + sign*t; f == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += v[i] * f * w[i] * lp[i]
		}
	}
`, func(g *gen) { powerSum(g, true) }},
	{"softGrad", true, false, "(g, p, q []float64, r []T, under, over float64)", `
adds the derivative of the soft sums by p.

	for i, t := range r {
		switch d := p[i] - t; { // (1-t) - q[i] where p is at least 1/2
		case d < 0:
			g[i] += under
		case d > 0:
			g[i] += over
		default:
			g[i] += (under + over) / 2
		}
	}
`, softGrad},
	{"squareGrad", true, false, "(g, p, q []float64, r []T, byPP, bySQR, bySQB float64)", `
adds the derivative of the squares by p.

	for i, t := range r {
		d := p[i] - t // (1-t) - q[i] where p is at least 1/2
		g[i] += 2 * (p[i]*byPP + d*(bySQR*t+bySQB*(1-t)))
	}
`, squareGrad},
	{"logGrad", true, false, "(u, p, q []float64, r []T, byLogP, byLogQ, byLogAll float64)", `
adds the derivatives of r ln p, (1-r) ln q and ln p by the log-odds.

	for i, t := range r {
		u[i] += (byLogP*t+byLogAll)*q[i] - byLogQ*(1-t)*p[i]
	}
`, logGrad},
	{"powRow", false, false, "(w, u []float64, k int, clip float64)", `
leaves in w the k-th power, of 1 to 3, of u kept away from 0 and 1.

	for i, v := range u {
		w[i] = math.Pow(min(max(v, clip), 1-clip), float64(k))
	}
`, powRow},
	{"expPow", true, false, "(w, l []float64, gamma float64)", `
leaves in w the power with the logarithm gamma l.

	for i, v := range l {
		w[i] = math.Exp(gamma * v)
	}
`, expPow},
	{"powerGrad", true, false, "(u, w, p, q, lp []float64, r []T, gamma, by, at, sign float64)", `
adds the derivative of q^gamma ln p by the log-odds, where w is
that power; 0 times -Inf is 0.

	for i, t := range r {
		if f := at + sign*t; f != 0 {
			u[i] += by * f * w[i] * (q[i] - gamma*p[i]*lp[i])
		}
	}
`, powerGrad},
	{"clippedLogs", true, false, "(lp, lq, p []float64, clip, least, most float64)", `
leaves in lp and lq the logarithms of p and 1-p, clipped; least and
most are those of clip and 1-clip.

	for i, v := range p {
		switch {
		case v < clip:
			lp[i], lq[i] = least, most
		case 1-v < clip:
			lp[i], lq[i] = most, least
		default:
			lp[i], lq[i] = math.Log(v), math.Log1p(-v)
		}
	}
`, clippedLogs},
	{"expLog", true, false, "(acc *float64, p, q, lp, lq []float64, r []T, gamma, clip float64)", `
adds Σ r (-ln p)^gamma for a gamma that is neither 0 nor 1; a position with
r = 0 adds 0, or NaN where p is NaN.

	for i, t := range r {
		ln := math.Log(-lp[i])
		if u := max(q[i], clip); u < 1e-8 {
			ln = lq[i] + u/2
		}
		if t == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += t * math.Exp(gamma*ln)
		}
	}
`, func(g *gen) { expLog(g, false) }},
	{"expLogV", true, false, "(acc *float64, p, q, lp, lq []float64, r, v []T, gamma, clip float64)", `
adds the weighted Σ r (-ln p)^gamma for a gamma that is neither 0 nor 1; a position with
r = 0 adds 0, or NaN where p is NaN.

	for i, t := range r {
		ln := math.Log(-lp[i])
		if u := max(q[i], clip); u < 1e-8 {
			ln = lq[i] + u/2
		}
		if t == 0 {
			*acc += 0 * p[i]
		} else {
			*acc += v[i] * t * math.Exp(gamma*ln)
		}
	}
`, func(g *gen) { expLog(g, true) }},
	{"expLogGrad", true, false, "(u, q, lp, lq []float64, r []T, gamma, by float64)", `
adds the derivative of r (-ln p)^gamma by the log-odds, for a gamma
that is neither 0 nor 1.

	for i, t := range r {
		d := q[i] * math.Exp((gamma-1)*math.Log(-lp[i]))
		if q[i] < 1e-8 {
			d = (1 - q[i]/2) * math.Exp(gamma*(lq[i]+q[i]/2))
		}
		if t != 0 {
			u[i] -= gamma * by * t * d
		}
	}
`, expLogGrad},
}
