package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The sums of a class, in the order of acc.
const (
	sumTP = iota
	sumFP
	sumFN
	sumTN
	sumR
	sumNR
	sumRR
	sumPP
	sumSQR
	sumSQB
	sumLogP
	sumLogQ
	sumPos
	sumNeg
)

// What a row kernel takes at k: forward kernels the first list, backward ones
// the second.
const (
	factorClip = iota
	factorLnClip
	factorLnRest
	factorGamma
	factorGamma2
)

const (
	byIn = iota
	byOut
	byPP
	bySQR
	bySQB
	byLogP
	byLogQ
	byPos
	byNeg
	byGamma
	byGamma2
	byClip
)

// rowSet is what a kernel of a row computes.
type rowSet struct {
	name                                   string
	region, square, logs, powers, anyPower bool
	overlap                                bool // of the region sums all but TN, and of the target R alone
}

var rowSets = []rowSet{
	{name: "Overlap", region: true, overlap: true},
	{name: "Region", region: true},
	{name: "Square", square: true},
	{name: "Logs", region: true, logs: true},
	{name: "Powers", region: true, logs: true, powers: true},
	{name: "AnyPower", region: true, logs: true, powers: true, anyPower: true},
	{name: "OnlyLogs", logs: true},
	{name: "OnlyPowers", powers: true},
	{name: "OnlyAnyPower", powers: true, anyPower: true},
}

// rowKernel is one kernel of a row while it is generated.
type rowKernel struct {
	*gen
	rowSet
	sigmoid, labels, backward bool
	mixed                     *mixed // nil for a row of one class

	out, x, r, y array
	nextX, nextR array // what to ask for while x and r are read; nil where registers are few
	class        reg.Register
	k            array
	stream       reg.Register

	from    int   // the first vector of the step at hand
	buffer  array // what the first pass leaves of a window, at the index of its elements
	filling bool  // the buffer, from elements that are in memory yet

	sums     rowSums
	ones     vec          // where there is a register for them
	members  reg.Register // how many, with labels
	most     watch
	kept     map[int]vec // factors
	exponent gammaParts
}

// rows is the kernels of rows: by activation, set, target and direction.
var rows = func() (list []primitive) {
	for _, set := range rowSets {
		for _, sigmoid := range []bool{false, true} {
			for _, labels := range []bool{true, false} {
				for _, backward := range []bool{false, true} {
					if set.overlap && (sigmoid || backward) {
						continue // the region sums cost no more, or are the same
					}
					b := rowKernel{rowSet: set, sigmoid: sigmoid, labels: labels, backward: backward}
					list = append(list, primitive{b.title(), true, true, b.signature(), b.doc(), func(g *gen) {
						own := b
						own.gen = g
						own.write()
					}})
				}
			}
		}
	}
	return list
}()

func pick[S any](first bool, yes, no S) S {
	if first {
		return yes
	}
	return no
}

func (b *rowKernel) title() string {
	return pick(b.backward, "backward", "forward") + pick(b.sigmoid, "Sigmoid", "None") + b.name + pick(b.labels, "Y", "")
}

func (b *rowKernel) signature() string {
	target := pick(b.labels, "x []T, y []uint8, class uint8", "x, r []T")
	if b.backward {
		return "(out, " + target + ", k *[16]T, next *[2]uintptr, stream bool) bool"
	}
	return "(acc *[16]float64, " + target + ", k *[16]T, next *[2]uintptr) bool"
}

// doc is what the kernel does, with its loop.
func (b *rowKernel) doc() string {
	var s strings.Builder
	line := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&s, "\t\t"+format+"\n", args...)
		}
	}
	if b.backward {
		s.WriteString("writes the gradient of a class.")
	} else {
		s.WriteString("adds the sums of a class.")
	}
	if b.sigmoid {
		s.WriteString(" It reports false, and what it\nwrites is unspecified, where some |x| is beyond the limit or a NaN.")
	} else {
		s.WriteString(" It reports true.")
	}
	s.WriteString(" Meanwhile it asks the\nmemory for what starts at next, for x and for r.")
	s.WriteString("\n\n\tfor i := range x {\n")
	line(b.labels, "r := 0 // 1 where y[i] == class")
	line(!b.labels, "r := r[i]")
	line(b.readsX(), "%s", pick(b.sigmoid, "p, q := 1/(1+exp(-x[i])), 1/(1+exp(x[i]))", "p, q := x[i], 1-x[i]"))
	line(b.takesLogs(), "lp, lq := log(p), log(q) // %s", pick(b.sigmoid, "from x", "of the clipped pair"))
	if b.backward {
		line(b.region || b.square, "g := in*r + out*(1-r)")
		line(b.square, "g += 2*byPP*p + 2*(p-r)*(bySQR*r+bySQB*(1-r))")
		line(b.logs, "u := byLogP*r*q - byLogQ*(1-r)*p")
		line(b.powers, "u %s byPos*r*pow(q, gamma)*(q-gamma*p*lp) - byNeg*(1-r)*pow(p, gamma)*(p-gamma*q*lq)", pick(b.logs, "+=", ":="))
		g, u := pick(b.sigmoid, "g*p*q", "g"), pick(b.sigmoid, "u", "u/(p*q) // without u where clipped")
		switch {
		case !b.takesLogs():
			line(true, "out[i] = %s", g)
		case b.region:
			line(true, "out[i] = %s + %s", g, u)
		default:
			line(true, "out[i] = %s", u)
		}
	} else {
		line(true, "R += r")
		line(!b.labels && !b.overlap, "NR, RR = NR+1-r, RR+r*r")
		line(b.overlap, "TP, FP, FN = TP+p*r, FP+p*(1-r), FN+q*r")
		line(b.region && !b.overlap, "TP, FP, FN, TN = TP+p*r, FP+p*(1-r), FN+q*r, TN+q*(1-r)")
		line(b.square, "PP, SQR, SQB = PP+p*p, SQR+(p-r)*(p-r)*r, SQB+(p-r)*(p-r)*(1-r)")
		line(b.logs, "LogP, LogQ = LogP+r*lp, LogQ+(1-r)*lq")
		line(b.powers, "Pos, Neg = Pos+r*pow(q, gamma)*lp, Neg+(1-r)*pow(p, gamma)*lq")
	}
	s.WriteString("\t}\n")
	return s.String()
}

// takesLogs reports whether logarithms enter the result, or a power's gradient.
func (s rowSet) takesLogs() bool { return s.logs || s.powers }

// readsX reports whether the prediction enters the result at all.
func (b *rowKernel) readsX() bool { return !b.backward || b.sigmoid || b.square || b.takesLogs() }

// write emits the kernel.
func (b *rowKernel) write() {
	var n reg.GPVirtual
	if b.backward {
		b.out, n = b.elems("out"), b.length("out")
		b.stream = b.Load(b.Param("stream"), b.GP8())
	} else {
		n = b.length("x")
	}
	if b.readsX() {
		b.x = b.elems("x")
	}
	if b.labels {
		b.y, b.class = b.byteLabels("y"), b.byteClass()
	} else {
		b.r = b.elems("r")
	}
	b.k = array{base: b.Load(b.Param("k"), b.GP64()), size: b.elemSize()}
	if !b.sigmoid {
		b.nextX, b.nextR = b.next(b.x), b.next(b.r)
	}
	b.keepFactors()
	b.startPowers()
	if b.sigmoid {
		b.startWatch()
	}
	if b.region && b.labels && !b.sigmoid && !b.takesLogs() && !b.backward && !b.wide() {
		b.ones = b.load(one)
	}
	unroll, group := b.shape()
	steps := func(step func(at, k int)) func(int) {
		return func(vectors int) {
			for at := 0; at < vectors; at += group {
				b.from = at
				step(at, min(group, vectors-at))
			}
		}
	}
	if b.sigmoid {
		b.makeBuffer()
	}
	switch {
	case b.backward:
		b.loop(n, unroll, steps(pick(b.labels, b.backwardLabels, b.backwardDense)))
	default:
		b.sumsOver(n, unroll, steps(pick(b.labels, b.forwardLabels, b.forwardDense)))
	}
	b.finishWatch()
}

// next is what to ask for while a, one of x and r, is read.
func (b *rowKernel) next(a array) array {
	switch {
	case a.base == nil:
		return array{}
	case a == b.x && b.nextX.base != nil:
		return b.nextX
	case a == b.r && b.nextR.base != nil:
		return b.nextR
	}
	next := b.Load(b.Param("next"), b.GP64())
	b.MOVQ(operand.Mem{Base: next, Disp: pick(a == b.x, 0, 8)}, next)
	return array{next, a.size}
}

// shape is how many vectors an iteration takes, and how many of them go side by
// side.
func (b *rowKernel) shape() (unroll, group int) {
	switch {
	case b.overlap:
		return 4, pick(b.wide(), 2, 1)
	case !b.sigmoid && !b.takesLogs() && !b.backward:
		return pick(b.labels && !b.wide(), 4, 2), pick(b.wide(), 2, 1)
	case !b.sigmoid && !b.takesLogs() && !b.square:
		return 4, pick(b.wide(), 4, 1)
	case b.sigmoid && b.square && b.backward && !b.labels && !b.wide() && !b.single:
		return 2, 1 // registers are too few for two
	case b.sigmoid:
		return 2, 2
	case b.wide():
		return 2, 1 // masks are few
	}
	return 1, 1
}

// index is the sums of a forward kernel.
func (b *rowKernel) index() (index []int) {
	if !b.labels || b.mixed != nil {
		index = append(index, sumR)
	}
	if !b.labels && !b.overlap {
		index = append(index, sumNR, sumRR)
	}
	if b.region {
		index = append(index, sumTP, sumFP, sumFN)
	}
	if b.region && !b.overlap {
		index = append(index, sumTN)
	}
	if b.square {
		index = append(index, sumPP, sumSQR, sumSQB)
	}
	if b.logs {
		index = append(index, sumLogP, sumLogQ)
	}
	if b.powers {
		index = append(index, sumPos, sumNeg)
	}
	slices.Sort(index)
	return index
}

// registersOf is how many registers add up a sum: more where an iteration is so
// short that the next would wait for it.
func (b *rowKernel) registersOf(sum int) int {
	if b.sigmoid || b.takesLogs() {
		return 1
	}
	if !b.wide() && !b.overlap && (sum == sumR || sum == sumNR) {
		return 1
	}
	return 2
}

// at is the memory of one factor.
func (b *rowKernel) at(factor int) operand.Mem {
	return operand.Mem{Base: b.k.base, Disp: factor * b.k.size}
}
