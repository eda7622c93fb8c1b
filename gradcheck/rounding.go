package gradcheck

import (
	"context"
	"math"
	"math/rand/v2"
)

const (
	rays    = 4       // that the rounding of a region is looked for along
	longRay = 0x1p-20 // longest spacing on them, of the number of positions
)

// roundings returns, of every loss, the noise that the caller's regions in it give
// to its value, and to its gradient, that relative. Nobody knows what such numbers
// are made of: 1 − num/den has the rounding of 1 however small it is, and stands
// still where it does. On the cells that shows directly, and in what a prediction
// does to the loss hardly.
func (p *problem) roundings(ctx context.Context, vs []variant) (value, gradient []float64, err error) {
	value, gradient = make([]float64, len(vs)), make([]float64, len(vs))
	for i, v := range vs {
		for _, t := range v.loss.Terms() {
			if t.Region == nil {
				continue
			}
			samples, err := p.cells(ctx, t)
			if err != nil {
				return nil, nil, err
			}
			most := 0.0 // of a sample: the loss is their mean
			for _, c := range samples {
				r := newRegionCheck(t, c)
				levels := r.levels()
				most, gradient[i] = math.Max(most, levels[0]), math.Max(gradient[i], r.blur(levels))
			}
			value[i] += math.Abs(t.Coef) * most
		}
	}
	return value, gradient, nil
}

// blur returns how far rounding moves the parts of a gradient that the partial
// derivatives make, relative to each or to the floor of what they are judged by.
// Levels holds the noise of the value and of the partial derivatives.
func (r *regionCheck) blur(levels []float64) float64 {
	out := make([]float64, len(levels))
	r.store(out)
	var values, noise []float64
	for k := range r.c {
		for _, part := range seen {
			v, n := 0.0, 0.0
			for i, factor := range part.factors {
				j := 1 + k*len(sumsOfCell) + i
				v += factor * out[j]
				n += math.Abs(factor) * levels[j]
			}
			values, noise = append(values, v), append(noise, n)
		}
	}
	worst, least := 0.0, floor*rms(values)
	for j, v := range values {
		if scale := math.Max(math.Abs(v), least); scale > 0 {
			worst = math.Max(worst, spread*noise[j]/scale)
		}
	}
	return worst
}

// store writes the value where in is to out, and the partial derivatives by what a
// prediction can move.
func (r *regionCheck) store(out []float64) {
	v, d, _ := r.eval()
	out[0] = v
	for k := range d {
		for i := range sumsOfCell {
			j := 1 + k*len(sumsOfCell) + i
			if out[j] = 0; r.moves(k, i) {
				out[j] = *sumsOfCell[i].of(&d[k])
			}
		}
	}
}

// levels returns the noise of the value and of the partial derivatives: the largest
// level that two neighbouring spacings agree in.
func (r *regionCheck) levels() []float64 {
	values := make([]float64, 1+len(r.c)*len(sumsOfCell))
	r.store(values)
	rng := rand.New(rand.NewPCG(1, 2)) // the same directions each time
	most := make([]float64, len(values))
	for range rays {
		d := differ{m: len(values), f: r.ray(rng)}
		before := make([]float64, len(values))
		for h := 4 * ulp; h <= longRay; h *= leap {
			now := d.measure(0, h)
			for i, v := range now {
				low, high := math.Min(v, before[i]), math.Max(v, before[i])
				if high <= alike*low && high <= coarsest*math.Max(1, math.Abs(values[i])) {
					most[i] = math.Max(most[i], high)
				}
			}
			before = now
		}
	}
	return most
}

// ray returns what store writes as functions of the distance, in numbers of positions, that
// all the sums which a prediction can move have moved upwards.
func (r *regionCheck) ray(rng *rand.Rand) func(t float64, out []float64) {
	by := make([]float64, len(r.c)*len(sumsOfCell))
	for j := range by {
		if k, i := j/len(sumsOfCell), j%len(sumsOfCell); r.moves(k, i) {
			c := r.c[k]
			by[j] = (c.TP + c.FP + c.FN + c.TN) * (1 + rng.Float64()) / 2
		}
	}
	return func(t float64, out []float64) {
		for j, v := range by {
			*sumsOfCell[j%len(sumsOfCell)].of(&r.in[j/len(sumsOfCell)]) += t * v
		}
		r.store(out)
		copy(r.in, r.c)
	}
}
