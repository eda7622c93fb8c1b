package kernels

import (
	"math"
	"unsafe"
)

// Target is what a prediction is compared with: dense values or a label map,
// with optional weights or a mask. It is a value; making one allocates nothing,
// and the slices stay the caller's.
type Target struct {
	dense32 []float32
	dense64 []float64
	labels  labelMap
	count   int // of labels
	weights []float32
	mask    []uint8
	n, s    int
	sized   bool
}

// Dense is a target r in [0,1] for every element, laid out as the prediction
// is. The values are not searched for any outside that range. Mask or Weights leave
// positions out; an ignore index ([WithIgnore]) beside it is an error.
func Dense[T Float](r []T) Target {
	switch r := any(r).(type) {
	case []float32:
		return Target{dense32: nonNil(r)}
	case []float64:
		return Target{dense64: nonNil(r)}
	}
	return Target{}
}

// Labels is a map [N, S] of class indices. With one class, label 1 means r = 1
// and label 0 means r = 0.
func Labels[L Label](y []L) Target {
	return Target{labels: labelsOf[L]{unsafe.SliceData(y)}, count: len(y)}
}

// nonNil keeps an empty target apart from none.
func nonNil[E any](s []E) []E {
	if s == nil {
		return []E{}
	}
	return s
}

// Weights gives each position [N, S] a weight v ≥ 0, which every sum and count
// carries. A position of weight 0 does not exist, whatever its values are. With nil
// there are no weights.
func (t Target) Weights(v []float32) Target {
	t.weights = v
	return t
}

// Mask leaves out the positions [N, S] where m is 0. With Weights as well, a
// position exists where both say so. With nil there is no mask.
func (t Target) Mask(m []uint8) Target {
	t.mask = m
	return t
}

// Sized says that the call's batch has n samples of s positions, at most the
// capacities of the plan. Without it a batch has the plan's full size.
func (t Target) Sized(n, s int) Target {
	t.n, t.s, t.sized = n, s, true
	return t
}

// size returns the batch's samples and positions.
func (t *Target) size(spec Spec) (n, s int) {
	if t.sized {
		return t.n, t.s
	}
	return spec.N, spec.S
}

func (t *Target) isDense() bool { return t.dense32 != nil || t.dense64 != nil }

// denseIgnored reports a dense target of a plan with an ignore index.
func denseIgnored(ignore int64) error {
	return argError("t", -1, "dense", ErrOption, "the ignore index %d is for labels; want Mask or Weights to leave positions out", ignore)
}

// check reports a target that the options exclude, or whose lengths do not fit the batch.
func (t *Target) check(spec Spec, c *config) error {
	if t.isDense() && c.hasIgnore {
		return denseIgnored(c.ignore)
	}
	n, s := t.size(spec)
	if n < 0 || n > spec.N {
		return argError("t.Sized", 0, n, ErrShape, "samples, want 0 … %d", spec.N)
	}
	if s < 0 || s > spec.S {
		return argError("t.Sized", 1, s, ErrShape, "positions, want 0 … %d", spec.S)
	}
	elements, positions := n*spec.C*s, n*s
	for _, part := range []struct {
		arg       string
		given     bool
		got, want int
	}{
		{"t.Dense", t.dense32 != nil, len(t.dense32), elements},
		{"t.Dense", t.dense64 != nil, len(t.dense64), elements},
		{"t.Labels", t.labels != nil, t.count, positions},
		{"t.Weights", t.weights != nil, len(t.weights), positions},
		{"t.Mask", t.mask != nil, len(t.mask), positions},
	} {
		if part.given && part.got != part.want {
			return argError(part.arg, -1, part.got, ErrShape, "length, want %d for N=%d C=%d S=%d", part.want, n, spec.C, s)
		}
	}
	if !t.isDense() && t.labels == nil {
		return argError("t", -1, "empty", ErrShape, "the target is neither Dense nor Labels")
	}
	return nil
}

// rawLabels is the memory of the labels.
func (t *Target) rawLabels() []byte {
	if t.labels == nil {
		return nil
	}
	return t.labels.raw(t.count)
}

// badPosition describes what is wrong with position i, whose weight or label
// is known to be bad.
func (t *Target) badPosition(i, classes int) error {
	if t.weights != nil && badWeight(t.weights[i]) {
		return argError("t.Weights", i, t.weights[i], ErrWeight, "want a finite number >= 0")
	}
	return argError("t.Labels", i, t.labels.at(i), ErrLabel, "want 0 … %d or the ignore index", max(classes, 2)-1)
}

func badWeight(v float32) bool { return !(v >= 0) || v > math.MaxFloat32 }
