package plain

import "math"

// cell holds the sums of one class of one sample.
type cell struct {
	inter   float64 // Σ p r
	p, r, n float64 // Σ p, Σ r, positions
}

// A term is a loss of the cells of one sample; it writes the slope of each.
type term func(c []cell, d []slope) float64

var regions = map[string]term{
	"dice": dice, "dice2": dice2, "iou": iou, "tversky": tversky,
	"focal_tversky": focalTversky, "exp_log_dice": expLogDice, "gdl": gdl,
}

func region(t *Tensors, by Activation, f term) float64 {
	probabilities(t, by)
	return addRegion(t, by, f, 1)
}

// addRegion returns scale times the mean of f over the samples and adds the
// gradient of that. The probabilities are there.
func addRegion(t *Tensors, by Activation, f term, scale float64) float64 {
	sums(t)
	loss := 0.0
	scale /= float64(t.N)
	for b := range t.N {
		loss += scale * f(t.cells[b*t.C:][:t.C], t.slopes[b*t.C:][:t.C])
	}
	for i, d := range t.slopes {
		t.slopes[i] = slope{in: scale * d.in, out: scale * d.out}
	}
	addSlopes(t, by)
	return loss
}

func addSlopes(t *Tensors, by Activation) {
	switch by {
	case Sigmoid:
		addSigmoid(t)
	case Softmax:
		addSoftmax(t)
	default:
		addNone(t)
	}
}

// sums adds up every cell.
func sums(t *Tensors) {
	if t.cells == nil {
		t.cells, t.slopes = make([]cell, t.N*t.C), make([]slope, t.N*t.C)
	}
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			own := t.own(k)
			inter, total, count := 0.0, 0.0, 0.0
			for i, p := range t.row(t.p, b, k) {
				total += float64(p)
				if y[i] == own {
					inter += float64(p)
					count++
				}
			}
			t.cells[b*t.C+k] = cell{inter: inter, p: total, r: count, n: float64(t.S)}
		}
	}
}

// mean is the mean of one loss of a cell over those of a sample.
func mean(c []cell, d []slope, f func(c cell) (loss, in, out float64)) float64 {
	loss, n := 0.0, float64(len(c))
	for k := range c {
		l, in, out := f(c[k])
		loss += l / n
		d[k] = slope{in: in / n, out: out / n}
	}
	return loss
}

// quotient is num/den with its derivatives at a position of the class and at
// any other, from those of num and den.
func quotient(num, den, numIn, denIn, numOut, denOut float64) (v, in, out float64) {
	v = num / den
	return v, (numIn - v*denIn) / den, (numOut - v*denOut) / den
}

func dice(c []cell, d []slope) float64 {
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := quotient(2*c.inter+1e-5, c.p+c.r+1e-5, 2, 1, 0, 1)
		return 1 - v, -in, -out
	})
}

// dice2 is the dice of the class and that of everything else.
func dice2(c []cell, d []slope) float64 {
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := quotient(c.inter+1e-5, c.p+c.r+1e-5, 1, 1, 0, 1)
		w, in2, out2 := quotient(c.n-c.p-c.r+c.inter+1e-5, 2*c.n-c.p-c.r+1e-5, 0, -1, -1, -1)
		return 1 - v - w, -in - in2, -out - out2
	})
}

func iou(c []cell, d []slope) float64 {
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := quotient(c.inter+1e-6, c.p+c.r-c.inter+1e-6, 1, 0, 0, 1)
		return 1 - v, -in, -out
	})
}

// index is Tversky's.
func index(c cell, alpha, beta float64) (v, in, out float64) {
	return quotient(c.inter+1e-5, c.inter+alpha*(c.p-c.inter)+beta*(c.r-c.inter)+1e-5, 1, 1-beta, 0, alpha)
}

func tversky(c []cell, d []slope) float64 {
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := index(c, 0.3, 0.7)
		return 1 - v, -in, -out
	})
}

// halves is the sum of Tversky losses of two halves, as dice_focal has it.
func halves(c []cell, d []slope) float64 {
	loss := 0.0
	for k := range c {
		v, in, out := index(c[k], 0.5, 0.5)
		loss += 1 - v
		d[k] = slope{in: -in, out: -out}
	}
	return loss
}

func focalTversky(c []cell, d []slope) float64 {
	const gamma = 0.75
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := index(c, 0.3, 0.7)
		by := -gamma * math.Pow(1-v, gamma-1)
		return math.Pow(1-v, gamma), by * in, by * out
	})
}

func expLogDice(c []cell, d []slope) float64 {
	const gamma = 0.3
	return mean(c, d, func(c cell) (loss, in, out float64) {
		v, in, out := quotient(2*c.inter+1, c.p+c.r+1, 2, 1, 0, 1)
		l := -math.Log(v)
		by := -gamma * math.Pow(l, gamma-1) / v
		return math.Pow(l, gamma), by * in, by * out
	})
}

// gdl weighs the classes of a sample by 1/R²; the largest weight is 1, and that
// of a class that is absent.
func gdl(c []cell, d []slope) float64 {
	fewest := math.Inf(1)
	for _, c := range c {
		if c.r > 0 {
			fewest = math.Min(fewest, c.r)
		}
	}
	num, den := 1e-5, 1e-5
	for k, c := range c {
		w := 1.0
		if c.r > 0 {
			w = (fewest / c.r) * (fewest / c.r)
		}
		num, den = num+2*w*c.inter, den+w*(c.p+c.r)
		d[k].out = w
	}
	for k := range d {
		w := d[k].out
		d[k] = slope{in: w * (num/den - 2) / den, out: w * num / den / den}
	}
	return 1 - num/den
}

// ss is sensitivity and specificity by squares: λ = 0.05.
func ss(t *Tensors, by Activation) float64 {
	const lambda, eps = 0.05, 1e-5
	probabilities(t, by)
	if t.slopes == nil {
		t.cells, t.slopes = make([]cell, t.N*t.C), make([]slope, t.N*t.C)
	}
	loss, cells := 0.0, float64(t.N*t.C)
	for b := range t.N {
		y := t.labels(b)
		for k := range t.C {
			own := t.own(k)
			in, out, count := 0.0, 0.0, 0.0
			for i, v := range t.row(t.p, b, k) {
				if p := float64(v); y[i] == own {
					in += (1 - p) * (1 - p)
					count++
				} else {
					out += p * p
				}
			}
			byIn, byOut := lambda/(count+eps)/cells, (1-lambda)/(float64(t.S)-count+eps)/cells
			loss += byIn*in + byOut*out
			t.slopes[b*t.C+k] = slope{in: -2 * byIn, inP: 2 * byIn, outP: 2 * byOut}
		}
	}
	addSlopes(t, by)
	return loss
}
