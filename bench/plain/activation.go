package plain

import "math"

// probabilities computes t.p and clears the gradient.
func probabilities(t *Tensors, by Activation) {
	switch by {
	case Sigmoid:
		sigmoid(t)
	case Softmax:
		softmax(t)
	default:
		t.p = t.X
		clear(t.Grad)
	}
}

func fresh(t *Tensors) {
	if t.p == nil {
		t.p = make([]float32, len(t.X))
	}
	clear(t.Grad)
}

func sigmoid(t *Tensors) {
	fresh(t)
	for i, x := range t.X {
		t.p[i] = float32(1 / (1 + math.Exp(-float64(x))))
	}
}

func softmax(t *Tensors) {
	fresh(t)
	for b := range t.N {
		x, p := t.X[b*t.C*t.S:], t.p[b*t.C*t.S:]
		for i := range t.S {
			most := x[i]
			for k := 1; k < t.C; k++ {
				if v := x[k*t.S+i]; v > most {
					most = v
				}
			}
			sum := 0.0
			for k := range t.C {
				e := math.Exp(float64(x[k*t.S+i] - most))
				p[k*t.S+i] = float32(e)
				sum += e
			}
			for k := range t.C {
				p[k*t.S+i] = float32(float64(p[k*t.S+i]) / sum)
			}
		}
	}
}

// slope is the derivative of a loss by p: in + inP p at a position of the class,
// out + outP p at any other.
type slope struct{ in, inP, out, outP float64 }

// addNone adds the gradient of slopes by the probabilities themselves.
func addNone(t *Tensors) {
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			d, own, grad := t.slopes[b*t.C+k], t.own(k), t.row(t.Grad, b, k)
			for i, p := range t.row(t.p, b, k) {
				if y[i] == own {
					grad[i] += float32(d.in + d.inP*float64(p))
				} else {
					grad[i] += float32(d.out + d.outP*float64(p))
				}
			}
		}
	}
}

// addSigmoid adds the gradient of slopes by the logits of a sigmoid.
func addSigmoid(t *Tensors) {
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			d, own, grad := t.slopes[b*t.C+k], t.own(k), t.row(t.Grad, b, k)
			for i, v := range t.row(t.p, b, k) {
				p := float64(v)
				g := d.out + d.outP*p
				if y[i] == own {
					g = d.in + d.inP*p
				}
				grad[i] += float32(g * p * (1 - p))
			}
		}
	}
}

// addSoftmax adds the gradient of slopes by the logits of a softmax.
func addSoftmax(t *Tensors) {
	by := make([]float64, t.C)
	for b := range t.N {
		y, d := t.labels(b), t.slopes[b*t.C:][:t.C]
		p, grad := t.p[b*t.C*t.S:], t.Grad[b*t.C*t.S:]
		for i := range t.S {
			dot := 0.0
			for k := range d {
				v := float64(p[k*t.S+i])
				g := d[k].out + d[k].outP*v
				if int(y[i]) == k {
					g = d[k].in + d[k].inP*v
				}
				by[k] = g
				dot += g * v
			}
			for k, g := range by {
				grad[k*t.S+i] += float32(float64(p[k*t.S+i]) * (g - dot))
			}
		}
	}
}
