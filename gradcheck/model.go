package gradcheck

import (
	"cmp"
	"math"
	"slices"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

// The lesion that is put into the volume: as many voxels as make one in ten
// thousand, brighter than any structure, beside the thalamus.
const (
	lesionVoxels    = 70
	lesionIntensity = 230
	lesionZ         = 40
	lesionY         = 60
	lesionX         = 80
)

// addLesion relabels the voxels nearest to the lesion's centre and returns the
// intensities and labels with them.
func addLesion(intensity, label []uint8) (withIntensity, withLabel []uint8) {
	order := make([]int, 0, 1000)
	distance := func(i int) int {
		z, y, x := coordinates(i)
		return (z-lesionZ)*(z-lesionZ) + (y-lesionY)*(y-lesionY) + (x-lesionX)*(x-lesionX)
	}
	for i := range label {
		if distance(i) < 25 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distance(a), distance(b)) })
	withIntensity, withLabel = slices.Clone(intensity), slices.Clone(label)
	for j, i := range order[:lesionVoxels] {
		withIntensity[i] = uint8(lesionIntensity + j%5)
		withLabel[i] = brain.Classes
	}
	return withIntensity, withLabel
}

func coordinates(i int) (z, y, x int) {
	return i / (brain.Y * brain.X), i / brain.X % brain.Y, i % brain.X
}

// features is what the model knows of a voxel: its intensity, and where it is,
// left and right alike.
func features(intensity []uint8, i int) [4]float64 {
	z, y, x := coordinates(i)
	return [4]float64{float64(intensity[i]), float64(z), float64(y), math.Abs(float64(x) - brain.X/2)}
}

// A gaussian is the model of one class.
type gaussian struct {
	prior      float64 // logarithm
	mean, vari [4]float64
}

// fit fits a normal distribution of the features to every class.
func fit(intensity, label []uint8, classes int) []gaussian {
	count := make([]float64, classes)
	g := make([]gaussian, classes)
	for i, y := range label {
		count[y]++
		for k, v := range features(intensity, i) {
			g[y].mean[k] += v
			g[y].vari[k] += v * v
		}
	}
	for c := range g {
		g[c].prior = math.Log(count[c] / float64(len(label)))
		for k := range g[c].mean {
			g[c].mean[k] /= count[c]
			g[c].vari[k] = math.Max(g[c].vari[k]/count[c]-g[c].mean[k]*g[c].mean[k], 4)
		}
	}
	return g
}

// tempering makes up for features that are not independent, as the model has
// them, and keeps it from being sure of everything.
const tempering = 0.4

// predict returns the model's tempered log-likelihood of every class at every
// voxel, [C, S], as float32 values.
func predict(intensity []uint8, model []gaussian) []float64 {
	s := len(intensity)
	x := make([]float64, len(model)*s)
	for i := range s {
		f := features(intensity, i)
		for c, g := range model {
			v := g.prior
			for k := range f {
				d := f[k] - g.mean[k]
				v -= d*d/(2*g.vari[k]) + math.Log(g.vari[k])/2
			}
			x[c*s+i] = float64(float32(math.Max(v, -100) * tempering))
		}
	}
	return x
}

// volumeProblem predicts the brain, with or without a lesion, for an
// activation: logits of a softmax, log-odds of each class, or probabilities.
func volumeProblem(a kernels.Activation, lesion bool) (*problem, error) {
	intensity, label, err := brain.Load()
	if err != nil {
		return nil, err
	}
	classes := brain.Classes
	if lesion {
		intensity, label = addLesion(intensity, label)
		classes++
	}
	p := &problem{n: 1, c: classes, s: brain.Voxels, activation: kernels.Softmax, labelType: uint8Labels}
	p.x = predict(intensity, fit(intensity, label, classes))
	p.labels = make([]int64, len(label))
	for i, y := range label {
		p.labels[i] = int64(y)
	}
	if a != kernels.Softmax {
		p.marginalise(a)
	}
	return p, nil
}

// marginalise replaces the logits of a softmax by the probabilities that it
// gives, or by their log-odds.
func (p *problem) marginalise(a kernels.Activation) {
	out := make([]float64, len(p.x))
	for s := range p.s {
		for c := range p.c {
			prob, rest := p.probability(0, c, s)
			v := prob
			if a == kernels.Sigmoid {
				v = math.Log(prob / rest)
			}
			out[p.index(0, c, s)] = float64(float32(v))
		}
	}
	p.x, p.activation = out, a
}
