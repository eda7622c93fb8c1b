package cuda

import "github.com/segloss/segloss/kernels/cuda/internal/modules"

// DType is the type of the elements of predictions and gradients.
type DType uint8

// The types of elements. Those of 16 bits are computed in float32.
const (
	Float32 DType = iota
	Float16
	BFloat16
	Float64
)

var dtypes = []struct {
	name    string
	size    int
	element modules.Element
}{
	{"float32", 4, modules.Float32},
	{"float16", 2, modules.Float16},
	{"bfloat16", 2, modules.BFloat16},
	{"float64", 8, modules.Float64},
}

func (t DType) String() string {
	if int(t) < len(dtypes) {
		return dtypes[t].name
	}
	return "unknown"
}

// Size is the bytes of an element.
func (t DType) Size() int {
	if int(t) < len(dtypes) {
		return dtypes[t].size
	}
	return 0
}

// LabelType is the type of the elements of a label map.
type LabelType uint8

// The types of labels.
const (
	Uint8 LabelType = iota
	Int32
	Int64
	Int8
	Int16
	Uint16
	Uint32
)

// labelType is Go's name of a type, its bytes, and what reads one of them.
type labelType struct {
	name string
	size int
	read func(p *Plan, array uintptr, i int) (int64, error)
}

var labelTypes = []labelType{
	{"uint8", 1, readLabel[uint8]},
	{"int32", 4, readLabel[int32]},
	{"int64", 8, readLabel[int64]},
	{"int8", 1, readLabel[int8]},
	{"int16", 2, readLabel[int16]},
	{"uint16", 2, readLabel[uint16]},
	{"uint32", 4, readLabel[uint32]},
}

func (t LabelType) String() string {
	if int(t) < len(labelTypes) {
		return labelTypes[t].name
	}
	return "unknown"
}

// Target is what a prediction is compared with, in device memory: as kernels.Target is.
type Target struct {
	data, weights, mask uintptr
	kind                targetKind
	dense               bool
	dtype               DType // of a dense one
	size                int   // bytes of an element
	n, s                int
	sized               bool
}

// targetKind is enum TargetKind of abi.h. What is dense is its own or float32 only beside a
// prediction.
type targetKind int32

const (
	targetOwn targetKind = iota
	targetF32
	targetLabels // of the first LabelType; the others follow
)

// Dense is a target r in [0,1] for every element, at device address p, laid out as the
// prediction is. Its type is the prediction's or Float32. An ignore index beside it is an
// error; Mask or Weights leave positions out.
func Dense(p uintptr, t DType) Target {
	if int(t) >= len(dtypes) {
		return Target{}
	}
	return Target{data: p, dense: true, dtype: t, size: t.Size()}
}

// Labels is a map [N, S] of class indices at device address p.
func Labels(p uintptr, t LabelType) Target {
	if int(t) >= len(labelTypes) {
		return Target{}
	}
	return Target{data: p, kind: targetLabels + targetKind(t), size: labelTypes[t].size}
}

// Weights gives each position [N, S] a weight v ≥ 0, float32. With address 0 there are no
// weights.
func (t Target) Weights(p uintptr) Target {
	t.weights = p
	return t
}

// Mask leaves out the positions [N, S] where the byte at p is 0. With address 0 there is no
// mask.
func (t Target) Mask(p uintptr) Target {
	t.mask = p
	return t
}

// Sized says that the call's batch has n samples of s positions, at most the capacities
// of the plan.
func (t Target) Sized(n, s int) Target {
	t.n, t.s, t.sized = n, s, true
	return t
}
