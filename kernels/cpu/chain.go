package cpu

import "math"

// probabilitiesChain adds to the derivative by p what comes by the log-odds,
// except where p or q is clipped: that feature is constant there.
func probabilitiesChain[T Float](t *Tile[T]) {
	if t.U == nil {
		return
	}
	for c := range t.C {
		at := c * t.Stride
		g, u := t.G[c*t.GStride:][:t.N], t.U[at:][:t.N]
		for i, p := range t.P[at:][:t.N] {
			p := float64(p)
			if p < t.Clip || 1-p < t.Clip {
				continue
			}
			g[i] += T(float64(u[i]) / (p * (1 - p)))
		}
	}
}

// sigmoidChain is g p q + u.
func sigmoidChain[T Float](t *Tile[T]) {
	for c := range t.C {
		at := c * t.Stride
		g, p, q := t.G[c*t.GStride:][:t.N], t.P[at:][:t.N], t.Q[at:][:t.N]
		if t.U == nil {
			for i, d := range g {
				g[i] = T(float64(d) * float64(p[i]) * float64(q[i]))
			}
			continue
		}
		for i, u := range t.U[at:][:t.N] {
			g[i] = T(float64(g[i])*float64(p[i])*float64(q[i]) + float64(u))
		}
	}
}

// softmaxChain is u_k − Σ_{c≠k} u_c p_k/q_c with u_c = g_c p_c q_c + U_c. The
// sum over all classes but the largest serves every k: their q is not small.
// The largest stands apart, for its p_k/q_c may have underflowed.
func softmaxChain[T Float](t *Tile[T]) {
	for i := range t.N {
		top, rest := 0, 0.0
		for c := 1; c < t.C; c++ {
			if t.P[c*t.Stride+i] > t.P[top*t.Stride+i] {
				top = c
			}
		}
		for c := range t.C {
			at := c*t.Stride + i
			u := float64(t.G[c*t.GStride+i]) * float64(t.P[at]) * float64(t.Q[at])
			if t.U != nil {
				u += float64(t.U[at])
			}
			t.Work[c] = u
			if c != top {
				rest += u / float64(t.Q[at])
			}
		}
		for k := range t.C {
			at := k*t.Stride + i
			u, p, g := t.Work[k], float64(t.P[at]), &t.G[k*t.GStride+i]
			if k == top {
				*g = T(u - p*rest)
			} else {
				*g = T(u - p*(rest-u/float64(t.Q[at])) - t.Work[top]*oddsAgainst(t, k, top, i))
			}
		}
	}
}

// oddsAgainst is p_k/q_c at position i, from the logarithms where either has
// too few digits left in a float32.
func oddsAgainst[T Float](t *Tile[T], k, c, i int) float64 {
	k, c = k*t.Stride+i, c*t.Stride+i
	p, q := float64(t.P[k]), float64(t.Q[c])
	switch {
	case t.LQ == nil && p == 0: // u_c, which it multiplies, is 0 with q_c
		return 0
	case t.LQ == nil || p > 1e-30 && q > 1e-30:
		return p / q
	case math.IsInf(float64(t.LP[k]), -1):
		return 0
	}
	return math.Exp(float64(t.LP[k]) - float64(t.LQ[c]))
}

// softmaxRegionY is p_k (h_k q_k − …): with h_c = ∂L/∂p_c p_c + a_c r_c, the
// derivative is h_k q_k − p_k Σ_{c≠k} h_c, and the sum of the others is again
// one of those before and of those after.
func softmaxRegionY[T Float](t *Tile[T], coef []float64) {
	n := t.N
	before := t.Work[2*t.C*n:][:n]
	for c := range t.C {
		h, out := t.Work[c*n:][:n], coef[4*c+1]
		for i, p := range t.P[c*t.Stride:][:n] {
			h[i] = out * float64(p)
		}
	}
	for i, y := range t.Y[:n] {
		t.Work[int(y)*n+i] = coef[4*y]*float64(t.P[int(y)*t.Stride+i]) + coef[4*y+2]
	}
	clear(before)
	for c := range t.C {
		h, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		for i, s := range before {
			others[i] = s
			before[i] = s + h[i]
		}
	}
	after := before
	clear(after)
	for c := t.C - 1; c >= 0; c-- {
		h, others := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		g, p, q := t.G[c*t.GStride:][:n], t.P[c*t.Stride:][:n], t.Q[c*t.Stride:][:n]
		for i, s := range after {
			g[i] = T(h[i]*float64(q[i]) - float64(p[i])*(others[i]+s))
			after[i] = s + h[i]
		}
	}
}
