package main

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
