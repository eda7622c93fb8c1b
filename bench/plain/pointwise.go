package plain

import "math"

// bce also leaves the probabilities for who comes next.
func bce(t *Tensors) float64 {
	fresh(t)
	loss, n := 0.0, t.elements()
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			own, prob, grad := t.own(k), t.row(t.p, b, k), t.row(t.Grad, b, k)
			for i, x := range t.row(t.X, b, k) {
				p := 1 / (1 + math.Exp(-float64(x)))
				prob[i] = float32(p)
				if y[i] == own {
					loss -= math.Log(p) / n
					grad[i] = float32((p - 1) / n)
				} else {
					loss -= math.Log(1-p) / n
					grad[i] = float32(p / n)
				}
			}
		}
	}
	return loss
}

// focal has γ = 2 and α = 0.25.
func focal(t *Tensors) float64 {
	loss, n := 0.0, t.elements()
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			own, grad := t.own(k), t.row(t.Grad, b, k)
			for i, x := range t.row(t.X, b, k) {
				p := 1 / (1 + math.Exp(-float64(x)))
				q := 1 - p
				if y[i] == own {
					l := math.Log(p)
					loss -= 0.25 * q * q * l / n
					grad[i] = float32(-0.25 * q * q * (q - 2*p*l) / n)
				} else {
					l := math.Log(q)
					loss -= 0.75 * p * p * l / n
					grad[i] = float32(0.75 * p * p * (p - 2*q*l) / n)
				}
			}
		}
	}
	return loss
}

// wce weighs the logarithms of a class by w = (FN+TN)/(I+FP), which has a
// derivative of its own.
func wce(t *Tensors) float64 {
	fresh(t)
	loss, cells, n := 0.0, float64(t.N*t.C), float64(t.S)
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			own, prob, grad := t.own(k), t.row(t.p, b, k), t.row(t.Grad, b, k)
			total, in, out := 0.0, 0.0, 0.0
			for i, x := range t.row(t.X, b, k) {
				p := 1 / (1 + math.Exp(-float64(x)))
				prob[i] = float32(p)
				total += p
				if y[i] == own {
					in += math.Log(p)
				} else {
					out += math.Log(1 - p)
				}
			}
			w := (n - total) / (total + 1e-5)
			byW := (1 + w) / (total + 1e-5)
			loss -= (w*in + out) / n / cells
			for i, v := range prob {
				p := float64(v)
				g := byW * in * p * (1 - p)
				if y[i] == own {
					g -= w * (1 - p)
				} else {
					g += p
				}
				grad[i] = float32(g / n / cells)
			}
		}
	}
	return loss
}

// addCE adds the gradient of ce; the probabilities of a softmax are there.
func addCE(t *Tensors) float64 {
	loss, n := 0.0, t.positions()
	for b := range t.N {
		p, grad := t.p[b*t.C*t.S:], t.Grad[b*t.C*t.S:]
		for i, y := range t.labels(b) {
			loss -= math.Log(float64(p[int(y)*t.S+i])) / n
			for k := range t.C {
				grad[k*t.S+i] += float32(float64(p[k*t.S+i]) / n)
			}
			grad[int(y)*t.S+i] -= float32(1 / n)
		}
	}
	return loss
}

// addFocalCE adds scale times focal_ce with γ = 2.
func addFocalCE(t *Tensors, scale float64) float64 {
	loss, n := 0.0, t.positions()/scale
	for b := range t.N {
		p, grad := t.p[b*t.C*t.S:], t.Grad[b*t.C*t.S:]
		for i, y := range t.labels(b) {
			own := float64(p[int(y)*t.S+i])
			q, l := 1-own, math.Log(own)
			loss -= q * q * l / n
			g := q * (q - 2*own*l) / n
			for k := range t.C {
				grad[k*t.S+i] += float32(g * float64(p[k*t.S+i]))
			}
			grad[int(y)*t.S+i] -= float32(g)
		}
	}
	return loss
}

// addExpLogCE adds scale times exp_log_ce with γ = 0.3: weights are by the
// frequency of the labels.
func addExpLogCE(t *Tensors, scale float64) float64 {
	const gamma = 0.3
	loss, n := 0.0, t.positions()/scale
	weight := make([]float64, t.C)
	for _, y := range t.Y {
		weight[y]++
	}
	for k, count := range weight {
		if count > 0 {
			weight[k] = math.Sqrt(t.positions() / count)
		}
	}
	for b := range t.N {
		p, grad := t.p[b*t.C*t.S:], t.Grad[b*t.C*t.S:]
		for i, y := range t.labels(b) {
			l := -math.Log(float64(p[int(y)*t.S+i]))
			power := weight[y] * math.Pow(l, gamma)
			loss += power / n
			g := gamma * power / l / n
			for k := range t.C {
				grad[k*t.S+i] += float32(g * float64(p[k*t.S+i]))
			}
			grad[int(y)*t.S+i] -= float32(g)
		}
	}
	return loss
}
