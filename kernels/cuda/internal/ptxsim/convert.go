package ptxsim

import (
	"math"
	"strings"
)

// convert decodes cvt: from one type of number to another.
func (d *decoder) convert() bool {
	if d.name[0] != "cvt" || len(d.name) < 3 {
		return false
	}
	to, from := d.name[len(d.name)-2], d.name[len(d.name)-1]
	f := conversion(strings.Join(d.name[1:len(d.name)-2], "."), to, from)
	if f == nil {
		return false
	}
	d.want(2)
	r, a := d.write(0), d.read(1, from)
	d.in.run = func(w *warp, mask uint32) {
		x, y := w.reg(a), w.reg(r)
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			y[l] = f(x[l])
		}
	}
	return true
}

func conversion(rounding, to, from string) func(uint64) uint64 {
	switch {
	case to[0] != 'f' && from[0] != 'f' && rounding == "":
		bits, widen := truncate(^uint64(0), to), extension(from)
		return func(v uint64) uint64 { return widen(v) & bits }
	case to[0] == 'f' && from[0] != 'f' && rounding == "rn":
		return fromInteger(to, from)
	case to[0] != 'f' && from == "f64":
		return toInteger(rounding, to)
	case to == "f64" && from == "f64":
		return wholeFloat(rounding)
	}
	switch rounding + " " + to + " " + from {
	case " f64 f32":
		return func(v uint64) uint64 { return b64(float64(f32(v))) }
	case "rn f32 f64":
		return func(v uint64) uint64 { return b32(float32(f64(v))) }
	case " f32 f16":
		return func(v uint64) uint64 { return b32(fromHalf(uint16(v))) }
	case " f64 f16":
		return func(v uint64) uint64 { return b64(float64(fromHalf(uint16(v)))) }
	case "rn f16 f32":
		return func(v uint64) uint64 { return uint64(toHalf(float64(f32(v)))) }
	case "rn f16 f64":
		return func(v uint64) uint64 { return uint64(toHalf(f64(v))) }
	}
	return nil
}

// extension makes 64 bits of an integer type.
func extension(typ string) func(uint64) uint64 {
	if typ[0] == 's' {
		bytes := width(typ)
		return func(v uint64) uint64 { return signed(v, bytes) }
	}
	bits := truncate(^uint64(0), typ)
	return func(v uint64) uint64 { return v & bits }
}

// signed makes 64 bits of a signed integer.
func signed(v, bytes uint64) uint64 {
	above := 64 - 8*bytes
	return uint64(int64(v<<above) >> above)
}

func fromInteger(to, from string) func(uint64) uint64 {
	isSigned, widen := from[0] == 's', extension(from)
	switch {
	case to == "f64" && isSigned:
		return func(v uint64) uint64 { return b64(float64(s64(widen(v)))) }
	case to == "f64":
		return func(v uint64) uint64 { return b64(float64(widen(v))) }
	case to == "f32" && isSigned:
		return func(v uint64) uint64 { return b32(float32(s64(widen(v)))) }
	case to == "f32":
		return func(v uint64) uint64 { return b32(float32(widen(v))) }
	}
	return nil
}

// toInteger clamps to the type's range, and a NaN is 0.
func toInteger(rounding, to string) func(uint64) uint64 {
	whole := wholeFloat(rounding)
	if whole == nil || to != "s32" {
		return nil
	}
	return func(v uint64) uint64 {
		x := f64(whole(v))
		switch {
		case x != x:
			return 0
		case x >= math.MaxInt32:
			return low(int32(math.MaxInt32))
		case x <= math.MinInt32:
			return low(int32(math.MinInt32))
		}
		return low(int32(x))
	}
}

func wholeFloat(rounding string) func(uint64) uint64 {
	switch rounding {
	case "rzi":
		return func(v uint64) uint64 { return b64(math.Trunc(f64(v))) }
	case "rni":
		return func(v uint64) uint64 { return b64(math.RoundToEven(f64(v))) }
	case "rmi":
		return func(v uint64) uint64 { return b64(math.Floor(f64(v))) }
	case "rpi":
		return func(v uint64) uint64 { return b64(math.Ceil(f64(v))) }
	}
	return nil
}

// fromHalf widens a half.
func fromHalf(h uint16) float32 {
	sign, e, m := float32(1), int(h>>10&31), float64(h&0x3ff)
	if h>>15 != 0 {
		sign = -1
	}
	switch e {
	case 0:
		return sign * float32(math.Ldexp(m, -24))
	case 31:
		if m != 0 {
			return float32(math.NaN())
		}
		return sign * float32(math.Inf(1))
	}
	return sign * float32(math.Ldexp(m+1024, e-25))
}

// toHalf rounds to the nearest half, ties to even.
func toHalf(x float64) uint16 {
	sign := uint16(math.Float64bits(x) >> 48 & 0x8000)
	a := math.Abs(x)
	switch {
	case x != x:
		return 0x7fff
	case a >= 65520:
		return sign | 0x7c00
	}
	_, e := math.Frexp(a) // a < 2^e
	e = max(e, -13)       // subnormal below 2^-14
	m := math.RoundToEven(math.Ldexp(a, 11-e))
	if m == 0 {
		return sign
	}
	return sign + uint16(int(m)-1024+(e+14)<<10)
}
