package main

import (
	"slices"

	"github.com/mmcloughlin/avo/reg"
)

// moves look at the caller's elements and labels as they come, and make labels
// bytes.
var moves = []primitive{
	{"labelsMost", false, true, "(y []uint8) uint8", `
is the largest label, or 0 if there is none.

	for _, v := range y {
		most = max(most, v)
	}
`, labelsMost},
	{"narrow32", false, true, "(dst []uint8, y []int32) uint32", `
copies the lowest byte of each label to dst, which is as long, and
returns the largest label, where one that is negative counts as huge.

	for i, v := range y {
		dst[i] = uint8(v)
		most = max(most, uint32(v))
	}
`, func(g *gen) { narrow(g, 4) }},
	{"narrow64", false, true, "(dst []uint8, y []int64) uint64", `
copies the lowest byte of each label to dst, which is as long, and
returns the largest label, where one that is negative counts as huge.

	for i, v := range y {
		dst[i] = uint8(v)
		most = max(most, uint64(v))
	}
`, func(g *gen) { narrow(g, 8) }},
	{"within", true, true, "(x []T, limit T) bool", `
reports whether no |x| is beyond limit, which is not negative, and none
a NaN.

	for _, v := range x {
		ok = ok && -limit <= v && v <= limit
	}
`, within},
	{"fence", false, true, "()", `
makes what streaming stores wrote visible before later stores.

	SFENCE
`, fence},
}

func labelsMost(g *gen) {
	y, n := g.ofSize("y", 1), g.length("y")
	most := g.GP32()
	g.XORL(most, most)
	acc := g.zero(4)
	g.sweep(n, g.bytes, 4, func(vectors int) {
		for i := range vectors {
			g.VPMAXUB(y.mem(g.index, i*g.bytes), acc[i], acc[i])
		}
	}, func() {
		low := g.across(acc, 1, func(a, b, dst reg.Register) { g.VPMAXUB(a, b, dst) })
		g.VMOVD(low, most)
		g.MOVBLZX(most.As8(), most)
	}, func() {
		v := g.GP32()
		g.MOVBLZX(y.mem(g.index, 0), v)
		g.CMPL(v, most)
		g.CMOVLHI(v, most)
	})
	g.Store(most.As8(), g.ReturnIndex(0))
	g.finish()
}

func within(g *gen) {
	x, n, limit := g.elems("x"), g.length("x"), g.broadcast("limit")
	ok := slices.Concat(g.all(), g.all(), g.all()) // there are seven masks with AVX-512
	g.row(n, len(ok), func(k int) {
		g.both(ok[:k], g.cmp(le, g.and(g.read(x, k), size), limit))
	})
	for i := range ok[1:] {
		g.both(ok[:1], ok[i+1:][:1])
	}
	g.returnAll(ok)
}

func fence(g *gen) {
	g.SFENCE()
	g.RET()
}
