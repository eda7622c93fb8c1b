package main

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Kernels of mixed classes work on channels-last elements as they lie. The classes
// of a vector's lanes are the same again after a cycle of vectors, whose length
// divides the number of classes. A sum is made of the vectors of one place in the
// cycle, so that its lanes belong to one class each; a gradient of 16 positions
// in turn, a cache line at a time, with the coefficients of each vector in memory.

// mixed is what such a kernel has beside one of rows.
type mixed struct {
	second map[reg.Register]reg.Register // where the odd vectors are, by where the even ones are
	at     reg.Register                  // of the labels: which of them the lanes take, and their classes
	y      reg.GPVirtual                 // index of the labels
	labels reg.Register                  // of 16 positions
	asked  reg.GPVirtual                 // how many bytes of what comes next were asked for
	k      array                         // coefficients of the vectors at hand
}

const (
	// mixedPlace is the bytes that say which labels the lanes take, and of those that
	// say of which class they are.
	mixedPlace = 16

	mixedLanes   = 16        // the room of a vector of sums, or of one coefficient
	mixedFactors = bySQB + 1 // the coefficients of a vector
	mixedAhead   = 8192      // bytes before they are read that a gradient's elements are asked for
)

// mixes is the kernels of mixed classes, by set, direction and target.
var mixes = func() (list []primitive) {
	for _, set := range rowSets {
		if set.takesLogs() {
			continue
		}
		for _, backward := range []bool{false, true} {
			if set.overlap && backward {
				continue
			}
			for _, labels := range []bool{true, false} {
				b := rowKernel{rowSet: set, labels: labels, backward: backward}
				name := strings.Replace(b.title(), "None", "Mixed", 1)
				list = append(list, primitive{name, true, true, b.mixedSignature(), b.mixedDoc(), func(g *gen) {
					own := b
					own.gen, own.mixed = g, &mixed{second: map[reg.Register]reg.Register{}}
					own.writeMixed()
				}})
			}
		}
	}
	return list
}()

func (b *rowKernel) mixedSignature() string {
	target := pick(b.labels, "x *T, y *uint8, at *[32]uint8", "x, r *T")
	if b.backward {
		return "(out, " + target + ", k *T, lines, n int, stream bool)"
	}
	return "(acc *[16][16]float64, " + target + ", n, stride" + pick(b.labels, ", step", "") + " int, next *[2]uintptr)"
}

// mixedDoc is what the kernel does, with its loop.
func (b *rowKernel) mixedDoc() string {
	if b.backward {
		return `
writes the gradient of n times so many cache lines, whose lanes have
coefficients of their own.` + pick(b.labels, ` They have 16 labels; at says which of them a
lane takes, and of which class it is.`, "") + `

	for i := range n {
		for j := range lines * elements {
			e := i*lines*elements + j
			out[e] = gradient(x[e], ` + pick(b.labels, "y[16*i+at[j]] == class[j]", "r[e]") + `, k[j])
		}
	}
`
	}
	return `
adds n vectors, an even number, stride elements apart, to the sums of
their lanes.` + pick(b.labels, ` Their labels are step bytes apart; at says which of them a lane
takes, and of which class it is.`, "") + ` Meanwhile it asks the memory for as much of what
starts at next, for x and for r.

	for i := range n {
		for j := range lanes {
			acc[j] += sums(x[i*stride+j], ` + pick(b.labels, "y[i*step+at[j]] == class[j]", "r[i*stride+j]") + `)
		}
	}
`
}

// writeMixed emits the kernel.
func (b *rowKernel) writeMixed() {
	b.x = b.elemPointer("x")
	if b.labels {
		b.y = array{base: b.Load(b.Param("y"), b.GP64()), size: 1}
		b.mixed.at = b.Load(b.Param("at"), b.GP64())
		b.mixed.y = b.zeroIndex()
	} else {
		b.r = b.elemPointer("r")
	}
	b.gen.index = b.zeroIndex()
	if b.backward {
		b.lines()
	} else {
		b.placeSums()
	}
	b.finish()
}

// elemPointer is a parameter that points to elements.
func (b *rowKernel) elemPointer(param string) array {
	return array{base: b.Load(b.Param(param), b.GP64()), size: b.elemSize()}
}

func (b *rowKernel) zeroIndex() reg.GPVirtual {
	index := b.GP64()
	b.XORQ(index, index)
	return index
}

// lines forms a gradient: 16 positions after another.
func (b *rowKernel) lines() {
	b.out, b.mixed.k = b.elemPointer("out"), b.elemPointer("k")
	b.stream = b.Load(b.Param("stream"), b.GP8())
	n, left, vectors := b.Load(b.Param("n"), b.GP64()), b.GP64(), 64/b.bytes
	k, at := b.mixed.k, b.mixed.at
	b.mixed.k.base = b.GP64()
	b.Label("positions")
	if b.labels {
		b.mixed.at, b.mixed.labels = b.GP64(), b.XMM()
		b.loadLabels(b.y.base, b.mixed.labels)
		b.MOVQ(at, b.mixed.at)
		b.ADDQ(operand.U8(16), b.mixed.y)
	}
	b.Load(b.Param("lines"), left)
	b.MOVQ(k.base, b.mixed.k.base)
	b.Label("line")
	if b.labels {
		b.backwardLabels(0, vectors)
		b.ADDQ(operand.U8(2*mixedPlace), b.mixed.at)
	} else {
		b.backwardDense(0, vectors)
	}
	b.ADDQ(operand.U32(vectors*mixedFactors*mixedLanes*k.size), b.mixed.k.base)
	b.ADDQ(operand.U32(vectors*b.lanes()), b.gen.index)
	b.DECQ(left)
	b.JNZ(operand.LabelRef("line"))
	b.DECQ(n)
	b.JNZ(operand.LabelRef("positions"))
}

// placeSums forms the sums of one place in the cycle, two vectors at a time.
func (b *rowKernel) placeSums() {
	left, size, stride := b.Load(b.Param("n"), b.GP64()), b.GP64(), b.Load(b.Param("stride"), b.GP64())
	b.nextX = b.next(b.x)
	if b.labels {
		b.doubled(b.y, b.Load(b.Param("step"), b.GP64()))
	} else {
		b.nextR = b.next(b.r)
		b.doubled(b.r, stride)
	}
	b.doubled(b.x, stride)
	b.mixed.asked = b.zeroIndex()
	if b.labels || b.square {
		b.ones = b.load(one)
	}
	b.openSums()
	b.Label("window")
	if b.single {
		most := b.windowVectors()
		b.Commentf("Up to %d vectors.", most)
		b.MOVQ(operand.U32(most), size)
		b.CMPQ(left, size)
		b.CMOVQLT(left, size)
	} else {
		b.MOVQ(left, size)
	}
	b.SUBQ(size, left)
	b.Label("two")
	b.addTwo()
	b.LEAQ(operand.Mem{Base: b.gen.index, Index: stride, Scale: 2}, b.gen.index)
	b.SUBQ(operand.U8(2), size)
	b.JG(operand.LabelRef("two"))
	b.Comment("The lanes join their sums.")
	acc := b.Load(b.Param("acc"), b.GP64())
	for _, i := range b.index() {
		b.joinLanes(b.takeSum(i)[0], operand.Mem{Base: acc, Disp: 8 * mixedLanes * i})
	}
	b.TESTQ(left, left)
	b.JG(operand.LabelRef("window"))
}

// windowVectors is how many vectors lanes of float32 sum up.
func (b *rowKernel) windowVectors() int {
	n := laneAdditions
	for _, i := range b.index() {
		n = min(n, laneAdditions*b.registersOf(i)/2)
	}
	return 2 * n
}

// addTwo adds two vectors to the sums.
func (b *rowKernel) addTwo() {
	_, group := b.shape()
	for at := 0; at < 2; at += group {
		if b.labels {
			b.forwardLabels(at, group)
		} else {
			b.forwardDense(at, group)
		}
	}
	b.ADDQ(operand.U32(2*b.bytes), b.mixed.asked)
	if b.labels {
		b.ADDQ(b.frame("step"), b.mixed.y)
		b.ADDQ(b.frame("step"), b.mixed.y)
	}
}

// doubled makes the address of the odd vectors of a, apart from the even ones.
func (b *rowKernel) doubled(a array, apart reg.Register) {
	second := b.GP64()
	b.LEAQ(operand.Mem{Base: a.base, Index: apart, Scale: uint8(a.size)}, second)
	b.mixed.second[a.base] = second
}

// joinLanes adds each lane of v to one of float64.
func (b *rowKernel) joinLanes(v reg.Register, sums operand.Mem) {
	parts := vec{v}
	if b.single {
		low, high := b.widened(v)
		parts = vec{low, high}
	}
	for i, p := range parts {
		at := sums.Offset(i * b.bytes)
		b.VADDPD(at, p, p)
		b.VMOVUPD(p, at)
	}
}

// vector is the i-th vector of a.
func (b *rowKernel) vector(a array, i int) operand.Mem {
	if b.mixed == nil || b.backward {
		return a.mem(b.gen.index, i*b.lanes())
	}
	if i == 1 {
		a.base = b.mixed.second[a.base]
	}
	return a.mem(b.gen.index, 0)
}

// askMixed asks for what is to come when the i-th vector of a is read: for a
// gradient later elements, for sums what is at next.
func (b *rowKernel) askMixed(a array, i int) {
	switch {
	case !b.asks(i):
	case b.backward:
		b.PREFETCHT0(b.vector(a, i).Offset(mixedAhead))
	default:
		b.PREFETCHT0(operand.Mem{Base: b.next(a).base, Index: b.mixed.asked, Scale: 1, Disp: i * b.bytes})
	}
}

// lanesOf is which lanes of k vectors from the at-th one on have the class of their
// label: for a gradient those of a cache line.
func (b *rowKernel) lanesOf(at, k int) mask {
	m := b.masks(k)
	if b.backward {
		b.compareLabels(b.mixed.labels, m)
		return m
	}
	for i := range m {
		base, labels := b.y.base, b.XMM()
		if at+i == 1 {
			base = b.mixed.second[base]
		}
		b.loadLabels(base, labels)
		b.compareLabels(labels, m[i:i+1])
	}
	return m
}

func (b *rowKernel) loadLabels(base, labels reg.Register) {
	b.VMOVDQU(operand.Mem{Base: base, Index: b.mixed.y, Scale: 1}, labels)
}

// compareLabels makes masks of the lanes that take a label of their class.
func (b *rowKernel) compareLabels(labels reg.Register, m mask) {
	from, class, x := operand.Mem{Base: b.mixed.at}, operand.Mem{Base: b.mixed.at, Disp: mixedPlace}, b.XMM()
	b.VPSHUFB(from, labels, x)
	if b.wide() {
		b.VPCMPEQB(class, x, m[0])
		return
	}
	b.VPCMPEQB(class, x, x)
	for i := range m {
		if i > 0 {
			b.VPSRLDQ(operand.U8(b.lanes()), x, x)
		}
		fp(b.gen, b.VPMOVSXBQ, b.VPMOVSXBD)(x, m[i])
	}
}

// laneFactor is a factor of each lane, of k vectors.
func (b *rowKernel) laneFactor(factor, k int) vec {
	v := b.regs(k)
	for i := range v {
		at := (i*mixedFactors + factor) * mixedLanes * b.mixed.k.size
		fp(b.gen, b.VMOVUPD, b.VMOVUPS)(operand.Mem{Base: b.mixed.k.base, Disp: at}, v[i])
	}
	return v
}
