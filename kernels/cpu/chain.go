package cpu

import "math"

// probabilitiesChain adds to the derivative by p what comes by the log-odds,
// except where p or q is clipped: that feature is constant there.
func probabilitiesChain[T Float](t *Tile[T]) {
	for c := range t.C {
		at := c * t.Stride
		out, g := t.Out[c*t.OutStride:][:t.N], t.G[at:][:t.N]
		if t.U == nil {
			for i, d := range g {
				out[i] = T(d)
			}
			continue
		}
		u, p := t.U[at:][:t.N], t.P[at:][:t.N]
		for i, d := range g {
			if p := p[i]; !(p < t.Clip || 1-p < t.Clip) {
				d += u[i] / (p * (1 - p))
			}
			out[i] = T(d)
		}
	}
}

// sigmoidChain is g p q + u.
func sigmoidChain[T Float](t *Tile[T]) {
	for c := range t.C {
		at := c * t.Stride
		out, g := t.Out[c*t.OutStride:][:t.N], t.G[at:][:t.N]
		p, q := t.P[at:][:t.N], t.Q[at:][:t.N]
		if t.U == nil {
			for i, d := range g {
				out[i] = T(d * p[i] * q[i])
			}
			continue
		}
		u := t.U[at:][:t.N]
		for i, d := range g {
			out[i] = T(d*p[i]*q[i] + u[i])
		}
	}
}

// softmaxChain is u_k − Σ_{c≠k} u_c p_k/q_c with u_c = g_c p_c q_c + U_c. The
// sum over all classes but the largest serves every k: their q is not small.
// The largest stands apart, for its p_k/q_c may have underflowed.
func softmaxChain[T Float](t *Tile[T]) {
	for i := range t.N {
		u, out := t.Work[:t.C], t.Work[t.C:2*t.C]
		top, rest := 0, 0.0
		for c := 1; c < t.C; c++ {
			if t.P[c*t.Stride+i] > t.P[top*t.Stride+i] {
				top = c
			}
		}
		for c := range u {
			at := c*t.Stride + i
			u[c] = t.G[at] * t.P[at] * t.Q[at]
			if t.U != nil {
				u[c] += t.U[at]
			}
			if c != top {
				rest += u[c] / t.Q[at]
			}
		}
		for k := range out {
			at := k*t.Stride + i
			if k == top {
				out[k] = u[k] - t.P[at]*rest
			} else {
				out[k] = u[k] - t.P[at]*(rest-u[k]/t.Q[at]) - u[top]*oddsAgainst(t, k, top, i)
			}
		}
		for k, d := range out { // only now, for Out may lie on X
			t.Out[k*t.OutStride+i] = T(d)
		}
	}
}

// oddsAgainst is p_k/q_c at position i, from the logits where one of them may
// have underflowed.
func oddsAgainst[T Float](t *Tile[T], k, c, i int) float64 {
	p, q := t.P[k*t.Stride+i], t.Q[c*t.Stride+i]
	if p > tiny && q > tiny {
		return p / q
	}
	x := float64(t.X[k*t.XStride+i])
	if math.IsInf(x, -1) {
		return 0
	}
	return math.Exp(x - float64(t.X[c*t.XStride+i]) - FarOdds(t, c, i, 1))
}

// tiny is a number that still has all its digits.
const tiny = 1e-290

// softmaxRegionY is p_k (h_k q_k − …): with h_c = ∂L/∂p_c p_c + a_c r_c, the
// derivative is h_k q_k − p_k Σ_{c≠k} h_c, and the sum of the others is again
// one of those before and of those after.
func softmaxRegionY[T Float](t *Tile[T], coef []float64) {
	n := t.N
	for c := range t.C {
		h, out := t.Work[c*n:][:n], coef[4*c+1]
		for i, p := range t.P[c*t.Stride:][:n] {
			h[i] = out * p
		}
	}
	for i, y := range t.Y[:n] {
		t.Work[int(y)*n+i] = coef[4*y]*t.P[int(y)*t.Stride+i] + coef[4*y+2]
	}
	sumsBefore(t)
	after := t.Work[2*t.C*n:][:n]
	clear(after)
	for c := t.C - 1; c >= 0; c-- {
		h, before := t.Work[c*n:][:n], t.Work[(t.C+c)*n:][:n]
		out, p, q := t.Out[c*t.OutStride:][:n], t.P[c*t.Stride:][:n], t.Q[c*t.Stride:][:n]
		for i, s := range after {
			out[i] = T(h[i]*q[i] - p[i]*(before[i]+s))
			after[i] = s + h[i]
		}
	}
}
