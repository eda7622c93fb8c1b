package main

import (
	"fmt"
	"math"
	"reflect"

	"github.com/segloss/segloss/kernels"
)

// existing reports, for each position, whether it takes part in the loss: its weight
// is not 0, nor its label the one to ignore. It is nil where all positions do.
func (p *problem) existing(ignore optional[int64]) (exists []bool, err error) {
	if p.weights == nil && !ignore.set {
		return nil, nil
	}
	exists = make([]bool, p.spec.N*p.spec.S)
	for i := range exists {
		exists[i] = true
	}
	if p.weights != nil {
		for i, v := range floats[float32](p.weights) {
			exists[i] = v != 0
		}
	}
	if !ignore.set {
		return exists, nil
	}
	labels, err := integers(p.target)
	if err != nil {
		return nil, argument("-target", err)
	}
	for i, y := range labels {
		exists[i] = exists[i] && y != ignore.v
	}
	return exists, nil
}

// position returns the position that an element of the prediction, or of a dense
// target, belongs to.
func (p *problem) position(i int) int {
	if p.spec.Layout == kernels.NSC {
		return i / p.spec.C
	}
	return i/(p.spec.C*p.spec.S)*p.spec.S + i%p.spec.S
}

// outside returns the first element outside [0, 1] at a position that exists, -1 if
// there is none, and its value. NaN is not outside: it makes the loss NaN.
func (p *problem) outside(t *tensor, exists []bool) (i int, v float64) {
	if v, ok := t.data.([]float32); ok {
		return firstOutside(p, v, exists)
	}
	return firstOutside(p, floats[float64](t), exists)
}

func firstOutside[T kernels.Float](p *problem, v []T, exists []bool) (int, float64) {
	for i, x := range v {
		if (x < 0 || x > 1) && (exists == nil || exists[p.position(i)]) {
			return i, float64(x)
		}
	}
	return -1, 0
}

// checkProbabilities looks for a prediction that is no probability: logits, as a rule.
func (p *problem) checkProbabilities(exists []bool) error {
	i, _ := p.outside(p.pred, exists)
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%s, no probability, and -activation is not given: for logits give -activation sigmoid or softmax, to take such values as they are -activation none",
		p.pred.element(i))
}

// checkDense looks for what cannot be a member of a dense target: a label map stored
// once for each class, or a mask of 0 and 255.
func (p *problem) checkDense(exists []bool) error {
	i, v := p.outside(p.target, exists)
	if i < 0 {
		return nil
	}
	want := "a number in [0, 1]"
	if !p.target.isFloat() {
		want = fmt.Sprintf("0 or 1 in a mask of each class (%s with the prediction's shape)", p.target.dtype)
	}
	if v > 1 {
		want += byteMask
	}
	return fmt.Errorf("%s, want %s", p.target.element(i), want)
}

// byteMask is what to do about the commonest mistake with targets.
const byteMask = "; divide a mask of 0 and 255 by 255"

// checkWeights looks for a weight that float32 does not hold: one that becomes
// infinite, or 0, which would leave its position out.
func (t *tensor) checkWeights() error {
	v, ok := t.data.([]float64)
	if !ok {
		return nil
	}
	for i, w := range v {
		f := float64(float32(w))
		if w != 0 && f == 0 || math.IsInf(f, 0) && !math.IsInf(w, 0) {
			return fmt.Errorf("%s, which float32 does not hold: weights are float32", t.element(i))
		}
	}
	return nil
}

// element says where an element is and what its value is, as the file has it.
func (t *tensor) element(i int) string {
	return fmt.Sprintf("%s: element %v is %v", t.file, place(t.shape, i), reflect.ValueOf(t.data).Index(i))
}
