package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// shuffle turns vectors of elements with the channels last into one vector for
// each channel, and back. A vector is a stream of positions to it with AVX-512,
// and two with AVX2, one in each half, where instructions move elements at
// least cost.
//
// An even number of channels is halved: the elements at even places of two
// neighbours are a stream of the even channels. An odd number C has no common
// factor with the lanes, so that no two elements of a channel lie in the same
// lane: rotating the vectors by a number that depends on the lane, and then
// permuting each of them, brings every channel together.
type shuffle struct {
	*gen
	unit   int            // lanes of a stream
	pairs  []reg.Register // of AVX-512: what to take of two vectors
	order  []reg.Register // of AVX-512: what to take of one
	stages []stage
	back   bool // from channels to channels last
}

// stage of a rotation: so many vectors on, in some of the lanes.
type stage struct {
	by    int
	lanes uint
	k     reg.Register // of AVX-512: the lanes
}

// elemSize is the bytes of an element, which a lane holds.
func (g *gen) elemSize() int { return g.bytes / g.lanes() }

// shuffle loads what the channels need besides their elements.
func (g *gen) shuffle(channels int, back bool) *shuffle {
	s := &shuffle{gen: g, unit: g.lanes(), back: back}
	if !g.wide() {
		s.unit /= 2
	}
	odd := channels >> bits.TrailingZeros(uint(channels))
	if channels%s.unit == 0 {
		odd = 1
	}
	s.stages = stages(s.unit, odd)
	if !g.wide() {
		return s
	}
	if channels%2 == 0 {
		for i := range 2 {
			s.pairs = append(s.pairs, s.index("pair", i, func(lane int) int { return s.pairAt(i, lane) }))
		}
	}
	if odd > 1 {
		for c := range odd {
			s.order = append(s.order, s.index(fmt.Sprintf("of%d", odd), c, func(lane int) int { return s.orderAt(odd, c, lane) }))
		}
	}
	for i, st := range s.stages {
		bits := g.GP32()
		g.MOVL(operand.U32(st.lanes), bits)
		s.stages[i].k = g.K()
		g.KMOVW(bits, s.stages[i].k)
	}
	return s
}

// stages of the rotation of c vectors, an odd number, by −lane/unit mod c: those
// of the bits of the number or of the lane, whichever are fewer.
func stages(unit, c int) (all []stage) {
	if c == 1 {
		return nil
	}
	inverse := inverseOf(unit, c)
	byLane := bits.Len(uint(unit-1)) <= bits.Len(uint(c-1))
	for b := range min(bits.Len(uint(unit-1)), bits.Len(uint(c-1))) {
		s := stage{by: 1 << b}
		if byLane {
			s.by = (c - inverse) << b % c
		}
		for lane := range unit {
			by := lane
			if !byLane {
				by = lane * (c - inverse) % c
			}
			s.lanes |= uint(by>>b&1) << lane
		}
		all = append(all, s)
	}
	return all
}

// inverseOf is the number whose product with n is 1 mod c.
func inverseOf(n, c int) int {
	for i := range c {
		if n*i%c == 1 {
			return i
		}
	}
	panic("no inverse")
}

// pairAt is where lane of the i-th result of a pair comes from, of the lanes of
// both: even or odd places; or, back, those that alternate.
func (s *shuffle) pairAt(i, lane int) int {
	if s.back {
		from := i*s.unit + lane
		return from/2 + from%2*s.unit
	}
	return 2*lane + i
}

// orderAt is the lane that the position at lane of channel c comes from.
func (s *shuffle) orderAt(channels, c, lane int) int {
	if !s.back {
		return (lane*channels + c) % s.unit
	}
	return (lane + s.unit - c%s.unit) * inverseOf(channels, s.unit) % s.unit
}

// index is a register of lane numbers, from bytes in memory.
func (s *shuffle) index(what string, i int, at func(lane int) int) reg.Register {
	if s.back {
		what += "back"
	}
	lanes := make([]int, s.unit)
	for lane := range lanes {
		lanes[lane] = at(lane)
	}
	r, m := s.reg(), s.table(fmt.Sprintf("%s%d%s", what, i, s.elem), lanes...)
	fp(s.gen, s.VPMOVZXBQ, s.VPMOVZXBD)(m, r)
	return r
}

// pack makes the vectors of the channels from as many with the channels last.
func (s *shuffle) pack(v vec) vec {
	c := len(v)
	switch {
	case c == 1:
		return v
	case c > s.unit && c%s.unit == 0:
		return s.packGroups(v)
	case c%2 == 1:
		return s.packOdd(v)
	}
	var even, odd vec
	for i := 0; i < c; i += 2 {
		e, o := s.pair(v[i], v[i+1])
		even, odd = append(even, e), append(odd, o)
	}
	even, odd = s.pack(even), s.pack(odd)
	out := make(vec, c)
	for i := range even {
		out[2*i], out[2*i+1] = even[i], odd[i]
	}
	return out
}

// packGroups packs streams of as many channels as they have lanes: their
// vectors take turns.
func (s *shuffle) packGroups(v vec) (out vec) {
	turns := len(v) / s.unit
	for t := range turns {
		var group vec
		for i := range s.unit {
			group = append(group, v[i*turns+t])
		}
		out = append(out, s.pack(group)...)
	}
	return out
}

func (s *shuffle) packOdd(v vec) vec {
	c := len(v)
	for _, st := range s.stages {
		v = s.rotate(v, st, st.by)
	}
	out := make(vec, c)
	for i := range out {
		out[i] = s.permute(v[i*inverseOf(s.unit, c)%c], i, c)
	}
	return out
}

// unpack is the opposite of pack.
func (s *shuffle) unpack(v vec) vec {
	c := len(v)
	switch {
	case c == 1:
		return v
	case c > s.unit && c%s.unit == 0:
		return s.unpackGroups(v)
	case c%2 == 1:
		return s.unpackOdd(v)
	}
	var even, odd, out vec
	for i := 0; i < c; i += 2 {
		even, odd = append(even, v[i]), append(odd, v[i+1])
	}
	even, odd = s.unpack(even), s.unpack(odd)
	for i := range even {
		low, high := s.pair(even[i], odd[i])
		out = append(out, low, high)
	}
	return out
}

func (s *shuffle) unpackGroups(v vec) vec {
	turns := len(v) / s.unit
	out := make(vec, len(v))
	for t := range turns {
		for i, r := range s.unpack(v[t*s.unit:][:s.unit]) {
			out[i*turns+t] = r
		}
	}
	return out
}

func (s *shuffle) unpackOdd(v vec) vec {
	c := len(v)
	rotated := make(vec, c)
	for i := range v {
		rotated[i*inverseOf(s.unit, c)%c] = s.permute(v[i], i, c)
	}
	for _, st := range s.stages {
		rotated = s.rotate(rotated, st, c-st.by)
	}
	return rotated
}

// rotate takes the lanes of a stage from the vector that is so many further.
func (s *shuffle) rotate(v vec, st stage, by int) vec {
	out := s.regs(len(v))
	for i := range out {
		near, far := v[i], v[(i+by)%len(v)]
		if s.wide() {
			fp(s.gen, s.VBLENDMPD, s.VBLENDMPS)(far, near, st.k, out[i])
		} else {
			both := operand.U8(st.lanes | st.lanes<<s.unit)
			fp(s.gen, s.VBLENDPD, s.VBLENDPS)(both, far, near, out[i])
		}
	}
	return out
}

// permute brings the positions of channel c into their order, or back.
func (s *shuffle) permute(v reg.Register, c, channels int) reg.Register {
	out := s.reg()
	if s.wide() {
		fp(s.gen, s.VPERMPD, s.VPERMPS)(v, s.order[c], out)
		return out
	}
	order, same := 0, true
	for lane := range s.unit {
		at := s.orderAt(channels, c, lane)
		same = same && at == lane
		order |= at << (lane * bits.Len(uint(s.unit-1)))
	}
	switch {
	case same:
		return v
	case s.single:
		s.VPERMILPS(operand.U8(order), v, out) // of either half
	default:
		s.VPERMILPD(operand.U8(order|order<<s.unit), v, out)
	}
	return out
}

// pair is the two results of pairAt.
func (s *shuffle) pair(a, b reg.Register) (first, second reg.Register) {
	out := s.regs(2)
	switch {
	case s.wide():
		for i, r := range out {
			s.VMOVAPD(a, r)
			fp(s.gen, s.VPERMT2PD, s.VPERMT2PS)(b, s.pairs[i], r)
		}
	case s.back || !s.single:
		fp(s.gen, s.VUNPCKLPD, s.VUNPCKLPS)(b, a, out[0])
		fp(s.gen, s.VUNPCKHPD, s.VUNPCKHPS)(b, a, out[1])
	default:
		s.VSHUFPS(operand.U8(0x88), b, a, out[0])
		s.VSHUFPS(operand.U8(0xdd), b, a, out[1])
	}
	return out[0], out[1]
}
