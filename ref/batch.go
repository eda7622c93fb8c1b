package ref

import "math"

// batch is an Input with everything written out that the formulas use: for
// every element its probability and the features of the log losses.
type batch struct {
	Input
	v    []float64 // [N, S], never nil
	p, q []float64 // [N, C, S]; 0 where v is 0
	logs []logs    // [N, C, S]; zero where v is 0
	nan  bool      // there is a NaN at a position that exists
}

// logs is an element as the log losses see it. For Activation None, p and q
// are kept Clip away from 0 here, and only here.
type logs struct {
	p, q     float64
	lnp, lnq float64
	clipped  bool // every derivative is 0
}

func newBatch(in Input) *batch {
	if in.Clip == 0 {
		in.Clip = 1e-7
	}
	size := in.N * in.C * in.S
	b := &batch{
		Input: in,
		v:     in.V,
		p:     make([]float64, size),
		q:     make([]float64, size),
		logs:  make([]logs, size),
	}
	if b.v == nil {
		b.v = make([]float64, in.N*in.S)
		for i := range b.v {
			b.v[i] = 1
		}
	}
	if len(in.X) != size || len(in.R) != size || len(b.v) != in.N*in.S {
		panic("ref: X, R or V does not have the length that N, C, S ask for")
	}
	others := make([]float64, in.C)
	for n := range in.N {
		for s := range in.S {
			if b.weight(n, s) != 0 {
				b.activate(n, s, others)
			}
		}
	}
	return b
}

// at returns the index of an element.
func (b *batch) at(n, c, s int) int { return (n*b.C+c)*b.S + s }

// weight returns the weight of a position.
func (b *batch) weight(n, s int) float64 { return b.v[n*b.S+s] }

// activate fills in the elements of one position. others is scratch.
func (b *batch) activate(n, s int, others []float64) {
	for c := range b.C {
		i := b.at(n, c, s)
		switch b.Activation {
		case None:
			b.p[i], b.q[i] = b.X[i], 1-b.X[i]
			b.logs[i] = logsOf(b.X[i], b.Clip)
		case Sigmoid:
			b.logs[i] = logistic(b.X[i])
			b.p[i], b.q[i] = b.logs[i].p, b.logs[i].q
		case Softmax:
			b.logs[i] = logistic(b.logOdds(n, c, s, others))
			b.p[i], b.q[i] = b.logs[i].p, b.logs[i].q
		default:
			panic("ref: unknown activation")
		}
		b.nan = b.nan || math.IsNaN(b.p[i]) || math.IsNaN(b.R[i])
	}
}

// logsOf returns the features of a probability.
func logsOf(p, clip float64) logs {
	switch {
	case p < clip:
		return logs{clip, 1 - clip, ln(clip), math.Log1p(-clip), true}
	case 1-p < clip:
		return logs{1 - clip, clip, math.Log1p(-clip), ln(clip), true}
	}
	return logs{p, 1 - p, ln(p), math.Log1p(-p), false}
}

// ln is the logarithm of subnormal numbers, too, which math.Log takes for others on
// amd64.
func ln(x float64) float64 {
	if x >= 0x1p-1022 {
		return math.Log(x)
	}
	m, e := math.Frexp(x)
	return math.Log(m) + float64(e)*math.Ln2
}

// logistic returns the features of the probability with log-odds t. Both
// logarithms are softplus: ln p = −ln(1+e^-t), ln q = −ln(1+e^t).
func logistic(t float64) logs {
	e := math.Exp(-math.Abs(t))
	small, large := e/(1+e), 1/(1+e)
	lnSmall, lnLarge := -math.Abs(t)-math.Log1p(e), -math.Log1p(e)
	if t < 0 {
		return logs{small, large, lnSmall, lnLarge, false}
	}
	return logs{large, small, lnLarge, lnSmall, false}
}

// logOdds returns x_c − ln Σ_{k≠c} e^x_k, which is ln(p_c/q_c) under softmax.
func (b *batch) logOdds(n, c, s int, others []float64) float64 {
	m, sum := b.exponentials(n, c, s, others)
	x := b.X[b.at(n, c, s)]
	if math.IsInf(x, 1) || math.IsInf(m, 1) {
		return math.NaN() // +Inf has no limit under softmax
	}
	return x - m - math.Log(sum)
}

// exponentials sets e[k] to e^(x_k−m) for the classes k ≠ c of a position and
// e[c] to 0, where m is the largest of the x_k. It returns m and Σ e. With a
// maximum that leaves class c out, they do not underflow where p_c is near 1.
func (b *batch) exponentials(n, c, s int, e []float64) (m, sum float64) {
	m = math.Inf(-1)
	for k := range b.C {
		if k != c {
			m = math.Max(m, b.X[b.at(n, k, s)])
		}
	}
	for k := range b.C {
		x := b.X[b.at(n, k, s)]
		switch {
		case k == c:
			e[k] = 0
		case x == m: // also where both are −Inf
			e[k] = 1
		default:
			e[k] = math.Exp(x - m)
		}
		sum += e[k]
	}
	return m, sum
}

// groups returns the samples that are summed together: all, or one each; only
// those that have a position.
func (b *batch) groups(all bool) [][]int {
	var groups [][]int
	for n := range b.N {
		if b.positions(n) == 0 {
			continue
		}
		if all && len(groups) > 0 {
			groups[0] = append(groups[0], n)
		} else {
			groups = append(groups, []int{n})
		}
	}
	return groups
}

// positions returns Σ v over the positions of a sample.
func (b *batch) positions(n int) float64 {
	sum := 0.0
	for s := range b.S {
		sum += b.weight(n, s)
	}
	return sum
}

// each calls f with the index and the weight of every element of class c in
// the samples, at positions that exist.
func (b *batch) each(samples []int, c int, f func(i int, v float64)) {
	for _, n := range samples {
		for s := range b.S {
			if v := b.weight(n, s); v != 0 {
				f(b.at(n, c, s), v)
			}
		}
	}
}

// byP turns a derivative by p into the form that gradient takes.
func (b *batch) byP(i int, d float64) float64 {
	if b.Activation == None {
		return d
	}
	return d * b.p[i] * b.q[i]
}

// byLogOdds turns the derivative by t of a function of b.logs[i] into the form
// that gradient takes.
func (b *batch) byLogOdds(i int, d float64) float64 {
	switch l := b.logs[i]; {
	case b.Activation != None:
		return d
	case l.clipped:
		return 0
	default:
		return d / (l.p * l.q)
	}
}

// gradient returns ∂L/∂x. u holds ∂L/∂p for None, and otherwise u_c = ∂L/∂t_c,
// the derivative by each class's own log-odds with p_c a function of t_c alone.
// Under softmax every class moves every other:
//
//	∂L/∂x_k = Σ_c u_c ∂t_c/∂x_k = u_k − Σ_{c≠k} u_c p_k/q_c
func (b *batch) gradient(u []float64) []float64 {
	if b.Activation != Softmax {
		return u
	}
	g := make([]float64, len(u))
	e := make([]float64, b.C)
	for n := range b.N {
		for s := range b.S {
			if b.weight(n, s) == 0 {
				continue
			}
			for c := range b.C {
				uc := u[b.at(n, c, s)]
				_, sum := b.exponentials(n, c, s, e)
				for k := range b.C {
					g[b.at(n, k, s)] -= uc * e[k] / sum // p_k/q_c
				}
				g[b.at(n, c, s)] += uc
			}
		}
	}
	return g
}

// finish returns the loss and the gradient, or NaN for both where the input
// holds one: options that leave something out must not hide it.
func (b *batch) finish(loss float64, u []float64) (float64, []float64) {
	if !b.nan {
		return loss, b.gradient(u)
	}
	g := make([]float64, len(u))
	for n := range b.N {
		for c := range b.C {
			b.each([]int{n}, c, func(i int, _ float64) { g[i] = math.NaN() })
		}
	}
	return math.NaN(), g
}

// isSum reports whether the reduction is a sum, not a mean.
func (o *Options) isSum() bool {
	switch o.Reduction {
	case "mean":
		return false
	case "sum":
		return true
	}
	panic("ref: unknown reduction " + o.Reduction)
}

// classWeight returns the number of class c in a list of one for every class,
// or 1 if there is no list.
func classWeight(list []float64, c int) float64 {
	if list == nil {
		return 1
	}
	return list[c]
}

// times is w·f, and 0 for w = 0 even where f is infinite.
func times(w, f float64) float64 {
	if w == 0 {
		return 0
	}
	return w * f
}

// over is a/b, and 0 for 0/0.
func over(a, b float64) float64 {
	if a == 0 && b == 0 {
		return 0
	}
	return a / b
}
