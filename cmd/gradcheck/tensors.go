package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// A problem is a prediction with its target and weights, checked for type and
// shape: what the tensor flags of eval and check describe.
type problem struct {
	spec                  kernels.Spec
	pred, target, weights *tensor // weights is nil where there are none
	labels                bool    // target is a label map
}

// readProblem reads the tensors and finds out what their axes are. An empty
// weights file means none.
func readProblem(pred, target, weights string, act kernels.Activation, layout kernels.Layout) (*problem, error) {
	p := &problem{spec: kernels.Spec{Activation: act, Layout: layout}}
	var err error
	if p.pred, err = readTensor(pred); err != nil {
		return nil, argument("-pred", err)
	}
	positions, err := p.setSpec()
	if err != nil {
		return nil, argument("-pred", err)
	}
	if p.target, err = readTensor(target); err != nil {
		return nil, argument("-target", err)
	}
	if p.labels, err = p.isLabelMap(positions); err != nil {
		return nil, argument("-target", err)
	}
	if weights == "" {
		return p, nil
	}
	if p.weights, err = readTensor(weights); err != nil {
		return nil, argument("-weights", err)
	}
	if !p.hasShape(p.weights, positions) {
		return nil, argument("-weights", fmt.Errorf("%s: shape %v, want %v, one weight for each position", weights, p.weights.shape, positions))
	}
	if err := p.weights.checkWeights(); err != nil {
		return nil, argument("-weights", err)
	}
	return p, nil
}

// argument says which flag an error is about.
func argument(flag string, err error) error { return fmt.Errorf("%s %w", flag, err) }

// maxEmpty is the largest number of samples × classes of a prediction without
// positions. A plan needs memory for each, which no file has to back up there.
const maxEmpty = 1 << 20

// setSpec finds N, C and S in the prediction's shape, and returns the shape
// that is left without C: that of a label map.
func (p *problem) setSpec() (positions []int, err error) {
	shape := p.pred.shape
	if !p.pred.isFloat() {
		return nil, fmt.Errorf("%s: element type %s, want float32 or float64", p.pred.file, p.pred.dtype)
	}
	if len(shape) < 2 || len(shape) > 5 {
		return nil, fmt.Errorf("%s: shape %v has %d axes, want 2 to 5: %s", p.pred.file, shape, len(shape), axes(p.spec.Layout))
	}
	channel := len(shape) - 1
	if p.spec.Layout == kernels.NCS {
		channel = min(len(shape)-2, 1)
	}
	positions = slices.Delete(slices.Clone(shape), channel, channel+1)
	p.spec.C = shape[channel]
	p.spec.N = 1
	space := positions
	if len(shape) > 2 {
		p.spec.N, space = positions[0], positions[1:]
	}
	if p.spec.S, err = volume(space); err != nil {
		return nil, fmt.Errorf("%s: %w", p.pred.file, err)
	}
	if slices.Contains(shape, 0) && max(p.spec.N, p.spec.C) > maxEmpty/max(min(p.spec.N, p.spec.C), 1) {
		return nil, fmt.Errorf("%s: the empty shape %v is out of range", p.pred.file, shape)
	}
	return positions, nil
}

// axes names the axes of a prediction.
func axes(l kernels.Layout) string {
	if l == kernels.NSC {
		return "[S,C], [N,S,C], [N,H,W,C] or [N,D,H,W,C]"
	}
	return "[C,S], [N,C,S], [N,C,H,W] or [N,C,D,H,W]"
}

// isLabelMap tells a label map from a dense target. A target that has the
// prediction's C > 1 classes is dense whatever its type.
func (p *problem) isLabelMap(positions []int) (bool, error) {
	t := p.target
	if !t.isFloat() && p.hasShape(t, positions) {
		return true, nil
	}
	if slices.Equal(t.shape, p.pred.shape) {
		return false, nil
	}
	if t.isFloat() {
		return false, fmt.Errorf("%s: a dense target (%s) of shape %v, want the prediction's %v; a label map has an integer or bool type",
			t.file, t.dtype, t.shape, p.pred.shape)
	}
	return false, fmt.Errorf("%s: %s of shape %v, want %v for a label map or the prediction's %v for a mask of each class (layout %v)",
		t.file, t.dtype, t.shape, positions, p.pred.shape, p.spec.Layout)
}

// hasShape reports whether t has one element for each position. With C = 1 it
// may have the prediction's shape too.
func (p *problem) hasShape(t *tensor, positions []int) bool {
	return slices.Equal(t.shape, positions) || p.spec.C == 1 && slices.Equal(t.shape, p.pred.shape)
}

func (t *tensor) isFloat() bool { return t.dtype == "float32" || t.dtype == "float64" }

// targetOf returns the target and the weights in the form that a plan of T takes.
func targetOf[T kernels.Float](p *problem) (kernels.Target, error) {
	var t kernels.Target
	if p.labels {
		var err error
		if t, err = labelTarget(p.target); err != nil {
			return t, argument("-target", err)
		}
	} else {
		t = kernels.Dense(floats[T](p.target))
	}
	if p.weights != nil {
		t = t.Weights(floats[float32](p.weights))
	}
	return t, nil
}

// labelTarget makes a target of a label map; most types need no copy.
func labelTarget(t *tensor) (kernels.Target, error) {
	switch v := t.data.(type) {
	case []uint8:
		return kernels.Labels(v), nil
	case []int8:
		return kernels.Labels(v), nil
	case []uint16:
		return kernels.Labels(v), nil
	case []int16:
		return kernels.Labels(v), nil
	case []uint32:
		return kernels.Labels(v), nil
	case []int32:
		return kernels.Labels(v), nil
	}
	y, err := integers(t)
	return kernels.Labels(y), err
}

// integers returns the elements of a label map.
func integers(t *tensor) ([]int64, error) {
	switch v := t.data.(type) {
	case []int64:
		return v, nil
	case []bool:
		return convertBool[int64](v), nil
	case []int8:
		return convert[int64](v), nil
	case []int16:
		return convert[int64](v), nil
	case []int32:
		return convert[int64](v), nil
	case []uint8:
		return convert[int64](v), nil
	case []uint16:
		return convert[int64](v), nil
	case []uint32:
		return convert[int64](v), nil
	case []uint64:
		for i, y := range v {
			if y > math.MaxInt64 {
				return nil, fmt.Errorf("%s, not a label", t.element(i))
			}
		}
		return convert[int64](v), nil
	}
	panic("a label map of " + t.dtype) // isLabelMap lets no other type pass
}

// floats returns the elements of t rounded to T: the very slice where it holds T.
func floats[T kernels.Float](t *tensor) []T {
	switch v := t.data.(type) {
	case []T:
		return v
	case []float32:
		return convert[T](v)
	case []float64:
		return convert[T](v)
	case []bool:
		return convertBool[T](v)
	case []int8:
		return convert[T](v)
	case []int16:
		return convert[T](v)
	case []int32:
		return convert[T](v)
	case []int64:
		return convert[T](v)
	case []uint8:
		return convert[T](v)
	case []uint16:
		return convert[T](v)
	case []uint32:
		return convert[T](v)
	case []uint64:
		return convert[T](v)
	}
	panic("elements of type " + t.dtype) // elems has no other
}

type number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

func convert[T, E number](v []E) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

func convertBool[T number](v []bool) []T {
	out := make([]T, len(v))
	for i, x := range v {
		if x {
			out[i] = 1
		}
	}
	return out
}

// locate says which flag, file and place in it an error of package kernels is
// about, which knows arguments and flat indices only.
func (p *problem) locate(err error) error {
	var a *kernels.ArgError
	if !errors.As(err, &a) {
		return err
	}
	switch a.Arg {
	case "s.C", "s.N", "s.S", "s":
		return argument("-pred", fmt.Errorf("%s: shape %v, layout %v: %w", p.pred.file, p.pred.shape, p.spec.Layout, err))
	case "l.Terms":
		return argument("-loss", err)
	case "t.Labels":
		err = p.target.locate(a)
		if p.spec.C == 1 {
			err = fmt.Errorf("%w%s", err, byteMask)
		}
		return argument("-target", err)
	case "t.Weights":
		return argument("-weights", p.weights.locate(a))
	}
	return err
}

func (t *tensor) locate(a *kernels.ArgError) error {
	if a.Index < 0 {
		return fmt.Errorf("%s: %w", t.file, a)
	}
	return fmt.Errorf("%s: %w", t.element(a.Index), a.Err)
}

// place returns the index, axis by axis, of the i-th element of a tensor.
func place(shape []int, i int) []int {
	at := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
	return at
}
