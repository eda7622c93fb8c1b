package main

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// probs is the softmax of lanes of the tensors' type, for the fused kernels: p
// and q are C rows of a stride in scratch, labels are bytes.
var probs = []primitive{
	{"softmaxLanes2", true, true, softmaxFewType, softmaxFewDoc, func(g *gen) { softmaxLanesFew(g, 2) }},
	{"softmaxLanes3", true, true, softmaxFewType, softmaxFewDoc, func(g *gen) { softmaxLanesFew(g, 3) }},
	{"softmaxLanes4", true, true, softmaxFewType, softmaxFewDoc, func(g *gen) { softmaxLanesFew(g, 4) }},
	{"softmaxLanes8", true, true, softmaxFewType, softmaxFewDoc, func(g *gen) { softmaxLanesFew(g, 8) }},
	{"softmaxLanes", true, true, "(p, q, x, work *T, stride, xstride, c, n int, next uintptr) bool", softmaxFewDoc, softmaxLanes},
	{"memberLogsLanes", true, true, "(l, qy []T, p, q *T, y []uint8, stride, c int) bool", `
leaves ln p and q of each position's own class.

	for i, c := range y {
		at := int(c)*stride + i
		l[i], qy[i] = -log1p(q[at]/p[at]), q[at]
	}
	return true
`, memberLogsLanes},
	{"regionYLanes", true, true, "(acc *[16]float64, p, q []T, y []uint8, class uint8)", `
adds TP, FP, FN, TN and R of a class.

	for i, c := range y {
		if c == class {
			acc[0] += p[i]
			acc[2] += q[i]
			acc[4]++
		} else {
			acc[1] += p[i]
			acc[3] += q[i]
		}
	}
`, regionYLanes},
	{"squareYLanes", true, true, "(acc *[16]float64, p, q []T, y []uint8, class uint8)", `
adds PP, SQR and SQB of a class.

	for i, c := range y {
		acc[7] += p[i] * p[i]
		if c == class {
			acc[8] += q[i] * q[i]
		} else {
			acc[9] += p[i] * p[i]
		}
	}
`, squareYLanes},
	{"sumYLanes", true, true, "(acc *float64, row []T, y []uint8, class uint8)", `
adds a row where a class is.

	for i, c := range y {
		if c == class {
			*acc += row[i]
		}
	}
`, sumYLanes},
}

const (
	softmaxFewType = "(p, q, x *T, stride, xstride, n int, next uintptr) bool"
	softmaxFewDoc  = `
leaves the softmax of the logits x in p and the sums of the other
classes in q. It reports false, and p and q are unspecified, if some
logit is a NaN or beyond ±40, or ±150 in float64. Meanwhile it asks the
memory for logits that start at next.

	for i := range n {
		for k := range c {
			others := 0.0
			for o := range c {
				if o != k {
					others += exp(x[o*xstride+i])
				}
			}
			e := exp(x[k*xstride+i])
			p[k*stride+i] = e / (e + others)
			q[k*stride+i] = others / (e + others)
		}
	}
`
)

// softmaxLimit is what logits may be without a largest one to subtract.
var softmaxLimit = numbers("softmaxLimit", 150, 40)

// classRows is the rows of up to 8 classes at the positions at hand. The matrix
// stays in the frame: its parameter.
type classRows struct {
	matrix          string
	size            int
	stride, stride3 reg.GPVirtual // in bytes, and three of them
	here            reg.GPVirtual
	next            *classRows // what to ask for while these are read, or nil
}

// classRows takes a matrix and its stride in elements.
func (g *gen) classRows(matrix, stride string, classes int) *classRows {
	r := &classRows{matrix: matrix, size: g.elemSize(), stride: g.int(stride), here: g.GP64()}
	g.SHLQ(operand.U8(bits.TrailingZeros(uint(r.size))), r.stride)
	if classes > 3 {
		r.stride3 = g.GP64()
		g.LEAQ(operand.Mem{Base: r.stride, Index: r.stride, Scale: 2}, r.stride3)
	}
	return r
}

// beside is the rows of another matrix with the same stride.
func (r *classRows) beside(g *gen, matrix string) *classRows {
	other := *r
	other.matrix, other.here = matrix, g.GP64()
	return &other
}

// logitRows is the rows of logits, which asks for the rows next beside them.
func (g *gen) logitRows(classes int) *classRows {
	x := g.classRows("x", "xstride", classes)
	x.next = x.beside(g, "next")
	return x
}

// atIndex moves to the positions at the index.
func (r *classRows) atIndex(g *gen) {
	g.Load(g.Param(r.matrix), r.here)
	g.LEAQ(operand.Mem{Base: r.here, Index: g.index, Scale: uint8(r.size)}, r.here)
	if r.next != nil {
		r.next.atIndex(g)
	}
}

// class is the i-th vector of a class.
func (r *classRows) class(g *gen, c, i int) operand.Mem {
	m := operand.Mem{Base: r.here, Disp: i * g.bytes}
	if c > 4 {
		upper := g.GP64()
		g.LEAQ(operand.Mem{Base: r.here, Index: r.stride, Scale: 4}, upper)
		m.Base = upper
		c -= 4
	}
	switch c {
	case 1, 2, 4:
		m.Index, m.Scale = r.stride, uint8(c)
	case 3:
		m.Index, m.Scale = r.stride3, 1
	}
	return m
}

func (r *classRows) read(g *gen, c, vectors int) vec {
	v := g.regs(vectors)
	for i := range v {
		if r.next != nil && g.asks(i) {
			g.PREFETCHT0(r.next.class(g, c, i))
		}
		g.readAt(r.class(g, c, i), r.size, v[i])
	}
	return v
}

func (r *classRows) write(g *gen, c int, v vec) {
	for i := range v {
		g.writeAt(r.class(g, c, i), r.size, v[i])
	}
}

// watch keeps the largest size of logits in the integers of most: those of a
// NaN are larger than any number's.
func (g *gen) watch(most, x vec) {
	sizes := g.and(x, size)
	for _, s := range sizes {
		switch {
		case g.single:
			g.VPMAXUD(s, most[0], most[0])
		case g.wide():
			g.VPMAXUQ(s, most[0], most[0])
		default: // the upper halves tell enough
			g.VPMAXSD(s, most[0], most[0])
		}
	}
}

// returnWithin returns whether no size that was watched is above the limit.
func (g *gen) returnWithin(most vec, limit constant) {
	above, found, result := g.maskReg(), g.GP32(), g.GP8()
	if g.wide() {
		fp(g, g.VPCMPUQ_BCST, g.VPCMPUD_BCST)(operand.U8(6), g.mem(limit), most[0], above)
		fp(g, g.KMOVB, g.KMOVW)(above, found)
	} else {
		g.VPCMPGTD(g.mem(limit), most[0], above)
		fp(g, g.VMOVMSKPD, g.VMOVMSKPS)(above, found)
	}
	g.TESTL(found, found)
	g.SETEQ(result)
	g.Store(result, g.ReturnIndex(0))
	g.finish()
}

// eʳ for |r| ≤ ½ ln 2 from the highest power, to 1.1e-7 and 3.1e-16: a softmax
// divides by sums of exponentials, which need not be better than they are.
var (
	expPolyLogit32 = []float64{0x1.106286p-7, 0x1.5729f6p-5, 0x1.5557aep-3, 0x1.fffdfcp-2, 1, 1}
	expPolyLogit64 = []float64{
		0x1.26f51bccd9700p-22, 0x1.72e8c9c55c180p-19, 0x1.a01b8f5b55dc0p-16, 0x1.a0198d9fa8d08p-13, 0x1.6c16c0c19eff0p-10,
		0x1.11111125a0a1ap-7, 0x1.555555558ac32p-5, 0x1.555555555082ap-3, 0x1.ffffffffffeccp-2, 1, 1,
	}
)

// expLogit is e^x within the limit of a softmax. The error of one part of ln 2
// is less than those of a spread of logits that large. A power of two is added
// to the exponent's bits: to round by an instruction of AVX-512, and to scale
// by one, keeps the units busy that multiply.
func (g *gen) expLogit(x vec) vec {
	if g.wide() && !g.single {
		return g.expByTable(x)
	}
	rounded, rest := g.powerAndRest(x)
	power := g.shift(rounded, g.fractionBits())
	g.Comment("A polynomial of e^r.")
	if g.single {
		return g.addBits(g.polynomial("expLogit32", expPolyLogit32, rest), power)
	}
	return g.addBits(g.polynomial("expLogit64", expPolyLogit64, rest), power)
}

// powerAndRest is n, in the lowest bits, and r of e^x = 2^n e^r, |r| ≤ ½ ln 2.
func (g *gen) powerAndRest(x vec) (n, r vec) {
	g.Comment("e^x = 2^n e^r: n = round(x log2(e)), r = x - n ln(2).")
	n = g.copy(g.load(roundBits).times(len(x)))
	g.addTo(n, x, log2e)
	r = g.copy(x)
	g.subFrom(r, g.sub(n, roundBits), ln2)
	return n, r
}

// sixteenths is like roundBits, but rounds to a sixteenth.
var sixteenths = number("sixteenths", 0x1.8p48)

// eʳ for |r| ≤ ln 2/32 from the highest power, to 1.2e-17.
var expPolyTable = []float64{0x1.6c14d7ff52931p-10, 0x1.11123b3b2c113p-7, 0x1.55555558f48aap-5, 0x1.555555548ecf0p-3, 0x1.fffffffffffb8p-2, 1}

// expByTable is expLogit of float64 with AVX-512: a table of 2^(j/16) saves a
// third of the multiplications.
func (g *gen) expByTable(x vec) vec {
	g.Comment("e^x = 2^n 2^(j/16) e^r: n + j/16 = round(16 x log2(e))/16, r = x - (n + j/16) ln(2).")
	rounded := g.copy(g.load(sixteenths).times(len(x)))
	g.addTo(rounded, x, log2e)
	rest := g.copy(x)
	g.subFrom(rest, g.sub(rounded, sixteenths), ln2)
	g.Comment("2^(j/16) less the bits of j that come with n.")
	low := g.reg()
	g.VMOVUPD(g.rootTable(), low)
	power := g.copy(rounded)
	for i := range power {
		g.VPERMI2PD(g.rootTable().Offset(64), low, power[i])
	}
	power = g.addBits(power, g.shift(rounded, 48))
	g.Comment("A polynomial of e^r - 1.")
	y := g.mul(g.polynomial("expTable", expPolyTable, rest), rest)
	g.timesPlus(y, power, power)
	return y
}

// rootTable is 2^(j/16) for j = 0 … 15, less j·2⁴⁸ in the bits.
func (g *gen) rootTable() operand.Mem {
	const name = "roots"
	if m, ok := g.constants[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for j := range 16 {
		g.AddDatum(8*j, operand.U64(math.Float64bits(math.Exp2(float64(j)/16))-uint64(j)<<48))
	}
	g.constants[name] = m
	return m
}

// exps is the exponentials of the vectors of all classes, computed side by side.
func (g *gen) exps(x []vec) []vec {
	var flat vec
	for _, v := range x {
		flat = append(flat, v...)
	}
	flat = g.expLogit(flat)
	e := make([]vec, len(x))
	for c, v := range x {
		e[c], flat = flat[:len(v)], flat[len(v):]
	}
	return e
}

// classTree is sums of classes, of ever more of them.
type classTree struct {
	class       int
	sum         vec
	left, right *classTree // nil for a single class
	again       func() vec // reads what is not kept in sum
}

func (g *gen) classTree(e []vec, first int) *classTree {
	parts := make([]*classTree, len(e))
	for c, v := range e {
		parts[c] = &classTree{class: first + c, sum: v}
	}
	return g.joinAll(parts)
}

func (g *gen) join(left, right *classTree) *classTree {
	return &classTree{left: left, right: right, sum: g.add(left.sum, right.sum)}
}

func (g *gen) joinAll(parts []*classTree) *classTree {
	if len(parts) == 1 {
		return parts[0]
	}
	half := (len(parts) + 1) / 2
	return g.join(g.joinAll(parts[:half]), g.joinAll(parts[half:]))
}

// forget lets the registers of single classes go.
func (t *classTree) forget(again func(class int) vec) {
	if t.left == nil {
		t.sum, t.again = nil, func() vec { return again(t.class) }
		return
	}
	t.left.forget(again)
	t.right.forget(again)
}

// others calls use with each class and the sum of the others, so that nothing
// cancels; beside is the sum of the classes outside the tree, or nil.
func (t *classTree) others(g *gen, beside vec, use func(class int, own, others vec)) {
	if t.left == nil {
		use(t.class, t.sum, beside)
		return
	}
	for _, single := range []*classTree{t.left, t.right} {
		if single.sum == nil { // before the first is used
			single.sum = single.again()
		}
	}
	outside := func(v vec) vec {
		if beside == nil {
			return v
		}
		return g.add(beside, v)
	}
	t.left.others(g, outside(t.right.sum), use)
	t.right.others(g, outside(t.left.sum), use)
}

// softmaxVectors is how many vectors of so many classes go side by side.
func (g *gen) softmaxVectors(classes int) int {
	switch {
	case g.wide() && g.single:
		return max(1, 8/classes)
	case g.wide():
		return max(1, 4/classes)
	case classes == 2:
		return 2
	}
	return 1
}

// classMatrix is where the rows of a few classes are.
type classMatrix interface {
	read(g *gen, class, vectors int) vec
	write(g *gen, class int, v vec)
}

func softmaxLanesFew(g *gen, classes int) {
	x, p := g.logitRows(classes), g.classRows("p", "stride", classes)
	q := p.beside(g, "q")
	n := g.int("n")
	g.sharing = true
	most := g.zero(1)
	g.row(n, g.softmaxVectors(classes), func(k int) {
		x.atIndex(g)
		p.atIndex(g)
		q.atIndex(g)
		g.softmaxOf(x, softmaxRows{p: p, q: q, room: p}, classes, k, most)
	})
	g.returnWithin(most, softmaxLimit)
}

// softmaxRows is where a softmax goes: the probabilities of all classes, and those
// of each position's own class, p before q. What is nil is not asked for. room is
// for exponentials that wait; it may be p.
type softmaxRows struct {
	p, q, room classMatrix
	own        *scratch
}

// softmaxOf leaves the softmax of the vectors at hand in rows. In lanes that do
// not exist it is 0.
func (g *gen) softmaxOf(x classMatrix, to softmaxRows, classes, vectors int, most vec) {
	tree := g.expTree(x, to.room, classes, vectors, most)
	inverse := g.existing(g.div(g.load(one).times(vectors), tree.sum))
	var labels vec
	var members []vec
	if to.own != nil {
		labels = g.labelLanes(g.byteLabels("y"), vectors)
		members = g.accumulators(2, vectors)
	}
	g.Comment("Each sum of the others adds up: nothing cancels.")
	tree.others(g, nil, func(c int, own, others vec) {
		if to.own != nil {
			m := g.isLabel(labels, c)
			g.merge(members[0], m, own)
			g.merge(members[1], m, others)
		}
		if to.p != nil {
			to.p.write(g, c, g.mul(own, inverse))
		}
		if to.q != nil {
			to.q.write(g, c, g.mul(others, inverse))
		}
	})
	for i, v := range members {
		to.own.write(g, i, g.mul(v, inverse))
	}
}

// expTree is the sums of the exponentials of the logits at hand.
func (g *gen) expTree(x, room classMatrix, classes, vectors int, most vec) *classTree {
	var parts []*classTree
	together, keep := 4, classes <= 4 || g.wide()
	if !keep {
		together = 2
	}
	for from := 0; from < classes; from += together {
		logits := make([]vec, min(together, classes-from))
		for c := range logits {
			logits[c] = x.read(g, from+c, vectors)
			g.watch(most, logits[c])
		}
		e := g.exps(logits)
		part := g.classTree(e, from)
		if !keep {
			g.Comment("There are too few registers: they come back from memory.")
			for c := range e {
				room.write(g, from+c, e[c])
			}
			part.forget(func(c int) vec { return room.read(g, c, vectors) })
		}
		parts = append(parts, part)
	}
	return g.joinAll(parts)
}

func softmaxLanes(g *gen) {
	p, q, x, n := g.matrix("p"), g.matrix("q"), g.matrix("x"), g.int("n")
	stride, xStride := g.int("stride"), g.int("xstride")
	next := array{g.Load(g.Param("next"), g.GP64()), g.elemSize()}
	most := g.zero(1)
	g.sharing = true
	g.row(n, g.few(2), func(k int) {
		at, from := g.cursor(), g.cursor()
		sum := g.zero(k)
		g.Comment("Upwards: the exponentials to p, the sum of the classes before each to q.")
		g.classes(func() {
			logits := g.from(x, from, k)
			for i := range logits {
				if g.asks(i) {
					g.PREFETCHT0(next.mem(from, i*g.lanes()))
				}
			}
			g.watch(most, logits)
			e := g.expLogit(logits)
			g.to(q, at, sum)
			g.to(p, at, e)
			g.sum(sum, e)
			g.ADDQ(stride, at)
			g.ADDQ(xStride, from)
		})
		inverse := g.div(g.load(one).times(k), sum)
		after := g.zero(k)
		g.Comment("Downwards: the sum of those after it is added.")
		g.classes(func() {
			g.SUBQ(stride, at)
			others, e := g.add(g.from(q, at, k), after), g.from(p, at, k)
			g.to(q, at, g.mul(others, inverse))
			g.to(p, at, g.mul(e, inverse))
			g.sum(after, e)
		})
	})
	g.returnWithin(most, softmaxLimit)
}

// wholeBits is 2⁵², to which a small integer in the low bits is added.
var wholeBits = number("integerBits", 1<<52)

// ownLog is −ln(1 + others/own) of positive numbers, by one division: with sum =
// own + others and 2^k the power of two below sum/own, s is ((2^k−1) own −
// others)/(sum + 2^k own) and −ln(sum/own) = 2 atanh(s) − k ln 2.
func (g *gen) ownLog(own, others vec) vec {
	g.Comment("-ln(1 + q/p) = 2 atanh(s) - k ln(2), 2^k <= 1 + q/p < 2^(k+1).")
	sum := g.add(own, others)
	k := g.and(g.subBits(sum, own), constant{"signAndExponent", 0xfff << 52, 0x1ff << 23})
	power := g.addBits(own, k)
	num := g.sub(g.sub(power, own), others)
	s := g.div(num, g.add(sum, power))
	z := g.mul(s, s)
	l := g.add(s, s)
	g.subFrom(l, g.wholeExponent(k), ln2)
	to := g.precision()
	g.addTo(l, g.mul(s, z), g.polynomial("unit"+to.name, to.unit, z))
	return l
}

// wholeExponent is the number k whose bits stand where an exponent does.
func (g *gen) wholeExponent(bits vec) vec {
	v := g.regs(len(bits))
	switch {
	case g.single:
		shifted := g.shift(bits, -g.fractionBits())
		for i := range v {
			g.VCVTDQ2PS(shifted[i], v[i])
		}
	case g.wide():
		shifted := g.shift(bits, -g.fractionBits())
		for i := range v {
			g.VCVTQQ2PD(shifted[i], v[i])
		}
	default:
		return g.sub(g.or(g.shift(bits, -g.fractionBits()), wholeBits), wholeBits)
	}
	return v
}

// labelLanes expands the next labels to lanes; those that do not exist are 0.
func (g *gen) labelLanes(y array, vectors int) vec {
	v := g.regs(vectors)
	for i := range v {
		if g.tail == nil {
			fp(g, g.VPMOVZXBQ, g.VPMOVZXBD)(y.mem(g.index, i*g.lanes()), v[i])
		} else {
			fp(g, g.VPMOVZXBQ, g.VPMOVZXBD)(g.readBytes(y, i), v[i])
		}
	}
	return v
}

// isLabel compares labels in lanes with a class, which is a vec or a number.
func (g *gen) isLabel(labels vec, class any) mask {
	m := g.masks(len(labels))
	for i := range m {
		switch class := class.(type) {
		case vec:
			fp(g, g.VPCMPEQQ, g.VPCMPEQD)(class.at(i), labels[i], m[i])
		case int:
			c := constant{fmt.Sprintf("label%d", class), uint64(class), uint32(class)}
			g.withConstant(fp(g, g.VPCMPEQQ, g.VPCMPEQD), fp(g, g.VPCMPEQQ_BCST, g.VPCMPEQD_BCST), c, labels[i], m[i])
		}
	}
	return m
}

// laneCounter is 0 in every lane, and a register of −1 to step it by subtracting.
func (g *gen) laneCounter() (class, step vec) {
	class, step = g.zero(1), g.regs(1)
	if g.wide() {
		g.VPTERNLOGD(operand.U8(0xff), step[0], step[0], step[0])
	} else {
		g.VPCMPEQD(step[0], step[0], step[0])
	}
	return class, step
}

// stepUp and stepDown move a laneCounter.
func (g *gen) stepUp(class, step vec) {
	fp(g, g.VPSUBQ, g.VPSUBD)(step[0], class[0], class[0])
}

func (g *gen) stepDown(class, step vec) {
	fp(g, g.VPADDQ, g.VPADDD)(step[0], class[0], class[0])
}

func memberLogsLanes(g *gen) {
	l, qy, p, q, y := g.elems("l"), g.elems("qy"), g.matrix("p"), g.matrix("q"), g.byteLabels("y")
	n, stride := g.length("l"), g.int("stride")
	g.row(n, 2, func(k int) {
		at := g.cursor()
		labels := g.labelLanes(y, k)
		class, step := g.laneCounter()
		pp, qq := g.zero(k), g.zero(k)
		g.Comment("The probability of each position's own class.")
		g.classes(func() {
			member := g.isLabel(labels, class)
			g.mergeFrom(pp, member, p, at)
			g.mergeFrom(qq, member, q, at)
			g.ADDQ(stride, at)
			g.stepUp(class, step)
		})
		g.write(qy, qq)
		g.write(l, g.ownLog(pp, qq))
	})
	g.returnTrue()
}

// mergeFrom reads at a cursor where m holds.
func (g *gen) mergeFrom(dst vec, m mask, a array, cursor reg.Register) {
	if !g.wide() {
		g.merge(dst, m, g.from(a, cursor, len(dst)))
		return
	}
	if g.tail != nil {
		for i := range m {
			fp(g, g.KANDB, g.KANDW)(g.tail[0], m[i], m[i])
		}
	}
	for i := range dst {
		fp(g, g.VMOVUPD, g.VMOVUPS)(a.mem(cursor, i*g.lanes()), m[i], dst[i])
	}
}

// memberCount counts the lanes of m.
func (g *gen) memberCount(count reg.GPVirtual, m mask) {
	for i := range m {
		bits := g.GP32()
		if g.wide() {
			fp(g, g.KMOVB, g.KMOVW)(m[i], bits)
		} else {
			fp(g, g.VMOVMSKPD, g.VMOVMSKPS)(m[i], bits)
		}
		g.POPCNTL(bits, bits)
		g.ADDQ(bits.As64(), count)
	}
}

// addCount adds a number of positions to acc[i].
func (g *gen) addCount(acc reg.Register, i int, count reg.Register) {
	at, x := operand.Mem{Base: acc, Disp: 8 * i}, g.XMM()
	g.VXORPS(x, x, x)
	g.VCVTSI2SDQ(count, x, x)
	g.VADDSD(at, x, x)
	g.VMOVSD(x, at)
}

// addSplit adds v to the i-th sum where m holds and to the j-th elsewhere.
func (s *laneSums) addSplit(g *gen, i, j int, m mask, v vec) {
	s.addIf(g, i, m, v)
	s.addUnless(g, j, m, v)
}

func regionYLanes(g *gen) {
	acc, p, q, y, n := g.pointer("acc"), g.elems("p"), g.elems("q"), g.byteLabels("y"), g.length("p")
	class, count := g.byteClass(), g.GP64()
	g.XORQ(count, count)
	g.sumsRow(n, 2, acc.base, []int{0, 1, 2, 3}, func(k int, s *laneSums) {
		m := g.members(y, class, k)
		s.addSplit(g, 0, 1, m, g.read(p, k))
		s.addSplit(g, 2, 3, m, g.read(q, k))
		g.memberCount(count, m)
	})
	g.addCount(acc.base, 4, count)
	g.finish()
}

func squareYLanes(g *gen) {
	acc, p, q, y, n := g.pointer("acc"), g.elems("p"), g.elems("q"), g.byteLabels("y"), g.length("p")
	class := g.byteClass()
	g.sumsRow(n, 2, acc.base, []int{7, 8, 9}, func(k int, s *laneSums) {
		m := g.members(y, class, k)
		pp, qq := g.read(p, k), g.read(q, k)
		pp, qq = g.mul(pp, pp), g.mul(qq, qq)
		s.add(g, 0, pp)
		s.addIf(g, 1, m, qq)
		s.addUnless(g, 2, m, pp)
	})
	g.finish()
}

func sumYLanes(g *gen) {
	acc, row, y, n := g.pointer("acc"), g.elems("row"), g.byteLabels("y"), g.length("row")
	class := g.byteClass()
	g.sumsRow(n, 4, acc.base, []int{0}, func(k int, s *laneSums) {
		s.addIf(g, 0, g.members(y, class, k), g.read(row, k))
	})
	g.finish()
}

// numbered makes a label of the loops and branches inside a body unique.
func (g *gen) numbered(what string) string { return fmt.Sprintf("%s%d", what, g.inner) }
