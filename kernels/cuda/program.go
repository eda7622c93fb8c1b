package cuda

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// What follows is abi.h once more; a test holds both to each other.

const maxPowers = 4 // MAX_POWERS

type devicePower struct {
	gamma            float64
	off, explog, pos int32
	_                int32
}

type deviceTerm struct {
	coef                                                           float64
	smoothNR, smoothDR, eps, weightEps, alpha, beta, gamma, lambda float64
	finish                                                         int32
	batch, background, soft, invertEmpty, detach                   int32
	sum, skip, weightType, absentWeight, scaled, divisor, byFreq   int32
	off                                                            [2]int32
	weights, classWeight, shift                                    int32
}

type deviceProgram struct {
	classes, sums                            int32
	region, soft, square, logP, logQ, logAll int32
	powers, terms, numbers, custom           int32
	ofR, ofRest                              uint32
	power                                    [maxPowers]devicePower
}

// finishes tells how a term is finished on the device, in the order of enum Finish. A
// loss that is not among them, such as a new one or a caller's own, is finished on the
// host.
var finishes = []string{
	"dice", "dice squared", "dice2", "iou", "tversky", "focal_tversky", "ss", "gdl", "exp_log_dice", "wce", "linear",
}

// divisors tells what divides a linear term, in the order of enum Divisor.
var divisors = []string{"one", "elements", "positions", "weighted"}

// linear has for each pointwise loss that is linear in its sums what divides it.
var linear = map[string]string{
	"bce": "elements", "focal": "elements", "ce": "weighted", "focal_ce": "positions", "exp_log_ce": "positions",
}

var (
	weightTypes   = []string{"square", "simple", "uniform"}
	absentWeights = []string{"max", "zero", "eps"}
)

// encoder builds the bytes of a Program.
type encoder struct {
	p       *losses.Program
	head    deviceProgram
	terms   []deviceTerm
	numbers []float64
}

// encode writes a program as the kernels read it. custom says that only the host can
// finish it.
func encode(p *losses.Program) (b []byte, custom bool, err error) {
	if len(p.Powers) > maxPowers {
		return nil, false, fmt.Errorf("%d different exponents, want at most %d", len(p.Powers), maxPowers)
	}
	e := &encoder{p: p}
	for i := range p.Terms {
		e.term(&p.Terms[i])
	}
	l := &p.Layout
	e.head = deviceProgram{
		classes: int32(p.C), sums: int32(p.K),
		region: int32(l.Region), soft: int32(l.Soft), square: int32(l.Square),
		logP: int32(l.LogP), logQ: int32(l.LogQ), logAll: int32(l.LogAll),
		powers: int32(len(l.Powers)), terms: int32(len(e.terms)), numbers: int32(len(e.numbers)), custom: e.head.custom,
	}
	for k, factor := range l.Factors {
		switch factor {
		case losses.OffR:
			e.head.ofR |= 1 << k
		case losses.OffNR:
			e.head.ofRest |= 1 << k
		}
	}
	for i, w := range l.Powers {
		e.head.power[i] = devicePower{gamma: w.Gamma, off: int32(w.Off), explog: truth(w.ExpLog), pos: truth(w.Pos)}
	}
	b = append(b, bytesOf(&e.head, 1)...)
	if len(e.terms) > 0 {
		b = append(b, bytesOf(&e.terms[0], len(e.terms))...)
	}
	if len(e.numbers) > 0 {
		b = append(b, bytesOf(&e.numbers[0], len(e.numbers))...)
	}
	return b, e.head.custom != 0, nil
}

// bytesOf is the memory of n values from v on.
func bytesOf[T any](v *T, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), n*int(unsafe.Sizeof(*v)))
}

func truth(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// index is the place of name in a list, or -1.
func index(list []string, name string) int32 {
	for i, s := range list {
		if s == name {
			return int32(i)
		}
	}
	return -1
}

func (e *encoder) term(t *losses.Term) {
	o := &t.Opt
	d := deviceTerm{
		coef: t.Coef, smoothNR: o.SmoothNR, smoothDR: o.SmoothDR, eps: o.Eps, weightEps: o.WeightEps,
		alpha: o.Alpha, beta: o.Beta, gamma: o.Gamma, lambda: o.Lambda,
		finish: index(finishes, finishOf(t)),
		batch:  truth(o.Batch), background: truth(o.Background), soft: truth(o.Soft), invertEmpty: truth(o.InvertEmpty),
		detach: truth(o.Detach), sum: truth(o.Reduction == "sum"), skip: truth(o.Absent == "skip"),
		weightType: index(weightTypes, o.WeightType), absentWeight: index(absentWeights, o.AbsentWeight), scaled: truth(o.Scaled),
		off: [2]int32{-1, -1}, weights: -1, classWeight: -1,
	}
	switch {
	case d.finish < 0:
		e.head.custom = 1
	case t.Linear != nil:
		e.linear(&d, t)
	default:
		shift := losses.Exponent(o.Weight)
		d.weights = e.list(o.Weight, shift)
		if d.sum != 0 {
			d.shift = int32(shift)
		}
	}
	e.terms = append(e.terms, d)
}

// finishOf names the finish of a term, or has a name that is not among the finishes.
func finishOf(t *losses.Term) string {
	switch {
	case losses.Find(t.Name) == nil:
		return "caller's own"
	case linear[t.Name] != "":
		return "linear"
	case t.Name == "dice" && t.Opt.Squared:
		return "dice squared"
	}
	return t.Name
}

// linear describes a term that is linear in its sums: the weights of all classes, where
// they do not depend on the batch.
func (e *encoder) linear(d *deviceTerm, t *losses.Term) {
	off := t.Linear.Offsets(&e.p.Layout, &t.Opt)
	d.off = [2]int32{int32(off[0]), int32(off[1])}
	d.divisor = index(divisors, linear[t.Name])
	if d.sum != 0 {
		d.divisor = index(divisors, "one")
	}
	if t.Name == "exp_log_ce" && t.Opt.Freq == nil {
		d.byFreq = 1
		return
	}
	totals := losses.Totals{C: e.p.C, R: make([]float64, e.p.C)}
	weights := make([][2]float64, e.p.C)
	t.Linear.Weights(&t.Opt, &totals, weights)
	var list []float64
	for k := range 2 {
		for _, w := range weights {
			list = append(list, w[k])
		}
	}
	if linear[t.Name] == "weighted" {
		d.classWeight = e.list(t.Opt.Weight, 0)
	}
	d.weights = e.list(list, 0)
	if d.divisor != index(divisors, "weighted") { // which is as small as the weights
		d.shift = int32(min(losses.Exponent(list), 0))
	}
}

// list stores numbers, one for each class, times 2^−shift, and returns where they start;
// -1 for none.
func (e *encoder) list(numbers []float64, shift int) int32 {
	if numbers == nil {
		return -1
	}
	at := len(e.numbers)
	if len(numbers) == 1 { // one stands for all
		numbers = slices.Repeat(numbers, e.p.C)
	}
	for _, v := range numbers {
		e.numbers = append(e.numbers, math.Ldexp(v, -shift))
	}
	return int32(at)
}
