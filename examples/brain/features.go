package main

import (
	"math"

	"github.com/segloss/segloss/internal/brain"
)

// A voxel is described by its neighbourhood within the slice, sharp near by and
// smoothed farther away, and by its position.
const (
	near     = 5 // the patch is near × near voxels
	far      = 7 // the context far × far means of 3 × 3 voxels
	farStep  = 4 // that lie so many voxels apart
	perAxis  = 6 // numbers that describe a coordinate
	features = near*near + far*far + 3*perAxis
)

// plane is the number of voxels of a slice.
const plane = brain.Y * brain.X

// describe returns the features [Y, X, features] of slice z.
func describe(intensity []uint8, z int) []float32 {
	slice := normalise(intensity[z*plane : (z+1)*plane])
	smooth := box(slice)
	out := make([]float32, 0, plane*features)
	for y := range brain.Y {
		for x := range brain.X {
			out = patch(out, slice, y, x, near, 1)
			out = patch(out, smooth, y, x, far, farStep)
			out = coordinate(out, float64(z)/brain.Z)
			out = coordinate(out, float64(y)/brain.Y)
			// The structures of the left lie as those of the right.
			out = coordinate(out, math.Abs(float64(2*x)/brain.X-1))
		}
	}
	return out
}

// standardise gives each feature the mean 0 and the variance 1 over the slices zs.
// Without it, losses whose gradient is small where a softmax is sure of itself (Dice and
// its kin) lose whole structures in the first steps, and do not find them again.
func standardise(slices [][]float32, zs []int) {
	var mean, square [features]float64
	for _, z := range zs {
		for i, v := range slices[z] {
			mean[i%features] += float64(v)
			square[i%features] += float64(v) * float64(v)
		}
	}
	n := float64(len(zs) * plane)
	var scale [features]float64
	for k := range mean {
		mean[k] /= n
		scale[k] = 1 / math.Sqrt(square[k]/n-mean[k]*mean[k])
	}
	for _, slice := range slices {
		for i, v := range slice {
			slice[i] = float32((float64(v) - mean[i%features]) * scale[i%features])
		}
	}
}

// normalise brings intensities to about [−1, 1].
func normalise(slice []uint8) []float32 {
	out := make([]float32, len(slice))
	for i, v := range slice {
		out[i] = float32(v)/127.5 - 1
	}
	return out
}

// box is the mean of 3 × 3 voxels around each.
func box(slice []float32) []float32 {
	out := make([]float32, len(slice))
	for y := range brain.Y {
		for x := range brain.X {
			for _, v := range patch(nil, slice, y, x, 3, 1) {
				out[y*brain.X+x] += v / 9
			}
		}
	}
	return out
}

// patch appends the n × n voxels around one, step apart. Outside the slice lies what
// lies at its border.
func patch(out, slice []float32, y, x, n, step int) []float32 {
	for dy := -(n / 2); dy <= n/2; dy++ {
		for dx := -(n / 2); dx <= n/2; dx++ {
			v := min(max(y+dy*step, 0), brain.Y-1)
			u := min(max(x+dx*step, 0), brain.X-1)
			out = append(out, slice[v*brain.X+u])
		}
	}
	return out
}

// coordinate appends what a small network can make boxes of: a coordinate in
// [0, 1], its square and its waves.
func coordinate(out []float32, v float64) []float32 {
	out = append(out, float32(v), float32(v*v))
	for k := 1.0; k <= 2; k++ {
		sin, cos := math.Sincos(2 * math.Pi * k * v)
		out = append(out, float32(sin), float32(cos))
	}
	return out
}
