package ptxsim

import (
	"math"
	"math/big"
	"math/bits"
)

// Numbers as registers hold them.
func f32(v uint64) float32                     { return math.Float32frombits(uint32(v)) }
func f64(v uint64) float64                     { return math.Float64frombits(v) }
func b32(v float32) uint64                     { return uint64(math.Float32bits(v)) }
func b64(v float64) uint64                     { return math.Float64bits(v) }
func s32(v uint64) int32                       { return int32(uint32(v)) }
func s64(v uint64) int64                       { return int64(v) }
func u32(v uint64) uint32                      { return uint32(v) }
func low[T int32 | int64 | uint32](v T) uint64 { return uint64(uint32(v)) }

// unaryOps are the instructions of one operand that round correctly, or not at all.
var unaryOps = map[string]func(a uint64) uint64{
	"abs.f32": func(a uint64) uint64 { return a &^ (1 << 31) },
	"abs.f64": func(a uint64) uint64 { return a &^ (1 << 63) },
	"neg.f32": func(a uint64) uint64 { return a ^ 1<<31 },
	"neg.f64": func(a uint64) uint64 { return a ^ 1<<63 },
	"neg.s32": func(a uint64) uint64 { return low(-s32(a)) },
	"neg.s64": func(a uint64) uint64 { return -a },

	"not.pred": func(a uint64) uint64 { return a ^ 1 },
	"not.b16":  func(a uint64) uint64 { return ^a & 0xffff },
	"not.b32":  func(a uint64) uint64 { return low(^u32(a)) },
	"not.b64":  func(a uint64) uint64 { return ^a },

	"rcp.rn.f64":  func(a uint64) uint64 { return b64(1 / f64(a)) },
	"rcp.rn.f32":  func(a uint64) uint64 { return b32(1 / f32(a)) },
	"sqrt.rn.f64": func(a uint64) uint64 { return b64(math.Sqrt(f64(a))) },
	"sqrt.rn.f32": func(a uint64) uint64 { return b32(float32(math.Sqrt(float64(f32(a))))) },

	"cvta.shared.u64": func(a uint64) uint64 { return a + sharedWindow },
}

// binaryOps are those of two. A float64 operation on float32 numbers, rounded to float32,
// is what rounds once: 53 bits are more than twice 24 and two.
var binaryOps = map[string]func(a, b uint64) uint64{
	"add.rn.f32": func(a, b uint64) uint64 { return b32(f32(a) + f32(b)) },
	"sub.rn.f32": func(a, b uint64) uint64 { return b32(f32(a) - f32(b)) },
	"mul.rn.f32": func(a, b uint64) uint64 { return b32(f32(a) * f32(b)) },
	"div.rn.f32": func(a, b uint64) uint64 { return b32(f32(a) / f32(b)) },
	"add.rn.f64": func(a, b uint64) uint64 { return b64(f64(a) + f64(b)) },
	"sub.rn.f64": func(a, b uint64) uint64 { return b64(f64(a) - f64(b)) },
	"mul.rn.f64": func(a, b uint64) uint64 { return b64(f64(a) * f64(b)) },
	"div.rn.f64": func(a, b uint64) uint64 { return b64(f64(a) / f64(b)) },
	"min.f32":    func(a, b uint64) uint64 { return b32(float32(least(float64(f32(a)), float64(f32(b))))) },
	"max.f32":    func(a, b uint64) uint64 { return b32(float32(-least(-float64(f32(a)), -float64(f32(b))))) },
	"min.f64":    func(a, b uint64) uint64 { return b64(least(f64(a), f64(b))) },
	"max.f64":    func(a, b uint64) uint64 { return b64(-least(-f64(a), -f64(b))) },

	"add.s32": func(a, b uint64) uint64 { return low(u32(a) + u32(b)) },
	"sub.s32": func(a, b uint64) uint64 { return low(u32(a) - u32(b)) },
	"add.s64": func(a, b uint64) uint64 { return a + b },
	"sub.s64": func(a, b uint64) uint64 { return a - b },

	"mul.lo.s32":   func(a, b uint64) uint64 { return low(u32(a) * u32(b)) },
	"mul.lo.s64":   func(a, b uint64) uint64 { return a * b },
	"mul.wide.s32": func(a, b uint64) uint64 { return uint64(int64(s32(a)) * int64(s32(b))) },
	"mul.wide.u32": func(a, b uint64) uint64 { return uint64(u32(a)) * uint64(u32(b)) },
	"mul.hi.u32":   func(a, b uint64) uint64 { return uint64(u32(a)) * uint64(u32(b)) >> 32 },
	"mul.hi.u64":   func(a, b uint64) uint64 { hi, _ := bits.Mul64(a, b); return hi },

	"div.u32": func(a, b uint64) uint64 { return low(u32(a) / u32(b)) },
	"div.u64": func(a, b uint64) uint64 { return a / b },
	"div.s32": func(a, b uint64) uint64 { return low(s32(a) / s32(b)) },
	"div.s64": func(a, b uint64) uint64 { return uint64(s64(a) / s64(b)) },
	"rem.u32": func(a, b uint64) uint64 { return low(u32(a) % u32(b)) },
	"rem.u64": func(a, b uint64) uint64 { return a % b },
	"rem.s32": func(a, b uint64) uint64 { return low(s32(a) % s32(b)) },
	"rem.s64": func(a, b uint64) uint64 { return uint64(s64(a) % s64(b)) },

	"min.s32": func(a, b uint64) uint64 { return low(min(s32(a), s32(b))) },
	"max.s32": func(a, b uint64) uint64 { return low(max(s32(a), s32(b))) },
	"min.u32": func(a, b uint64) uint64 { return low(min(u32(a), u32(b))) },
	"max.u32": func(a, b uint64) uint64 { return low(max(u32(a), u32(b))) },
	"min.s64": func(a, b uint64) uint64 { return uint64(min(s64(a), s64(b))) },
	"max.s64": func(a, b uint64) uint64 { return uint64(max(s64(a), s64(b))) },
	"min.u64": func(a, b uint64) uint64 { return min(a, b) },
	"max.u64": func(a, b uint64) uint64 { return max(a, b) },

	"and.pred": and, "and.b16": and, "and.b32": and, "and.b64": and,
	"or.pred": or, "or.b16": or, "or.b32": or, "or.b64": or,
	"xor.pred": xor, "xor.b16": xor, "xor.b32": xor, "xor.b64": xor,

	// shifts by more than the width give what the last one gives
	"shl.b32": func(a, b uint64) uint64 { return low(u32(a) << min(u32(b), 32)) },
	"shl.b64": func(a, b uint64) uint64 { return a << min(u32(b), 64) },
	"shr.u32": func(a, b uint64) uint64 { return low(u32(a) >> min(u32(b), 32)) },
	"shr.u64": func(a, b uint64) uint64 { return a >> min(u32(b), 64) },
	"shr.s32": func(a, b uint64) uint64 { return low(s32(a) >> min(u32(b), 32)) },
	"shr.s64": func(a, b uint64) uint64 { return uint64(s64(a) >> min(u32(b), 64)) },
}

func and(a, b uint64) uint64 { return a & b }
func or(a, b uint64) uint64  { return a | b }
func xor(a, b uint64) uint64 { return a ^ b }

// least is min of PTX: of a number and a NaN the number, and −0 is less than 0.
func least(a, b float64) float64 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	}
	return math.Min(a, b)
}

// ternaryOps are those of three.
var ternaryOps = map[string]func(a, b, c uint64) uint64{
	"fma.rn.f32": func(a, b, c uint64) uint64 { return b32(fma32(f32(a), f32(b), f32(c))) },
	"fma.rn.f64": func(a, b, c uint64) uint64 { return b64(math.FMA(f64(a), f64(b), f64(c))) },

	"mad.lo.s32": func(a, b, c uint64) uint64 { return low(u32(a)*u32(b) + u32(c)) },
	"mad.lo.s64": func(a, b, c uint64) uint64 { return a*b + c },

	"bfe.u32": func(a, b, c uint64) uint64 {
		from, n := min(u32(b)&0xff, 32), min(u32(c)&0xff, 32)
		return uint64(u32(a)) >> from & (1<<n - 1)
	},
}

// fma32 is a·b + c rounded once. The product is exact in float64. Its sum with c is not,
// and where it lies so near to the middle of two float32 that rounding twice could go
// wrong, the low bits of the sum are 1 followed by zeros, or the sum is in the subnormal
// range: there the sum is formed exactly.
func fma32(a, b, c float32) float32 {
	p := float64(a) * float64(b)
	s := p + float64(c)
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	if tail := math.Float64bits(s) & (1<<29 - 1); tail != 1<<28 && math.Abs(s) > 0x1p-120 {
		return float32(s)
	}
	if s == 0 {
		return float32(s)
	}
	exact := new(big.Float).SetPrec(600).SetFloat64(p)
	exact.Add(exact, new(big.Float).SetFloat64(float64(c)))
	if exact.Sign() == 0 {
		return float32(s)
	}
	f, _ := exact.Float32()
	return f
}

// comparison is a setp of a type, or nil. Those that end in u are true of NaN.
func comparison(op, typ string) func(a, b uint64) bool {
	switch typ {
	case "f32":
		return ordered(op, func(v uint64) float64 { return float64(f32(v)) })
	case "f64":
		return ordered(op, f64)
	case "f16":
		return ordered(op, func(v uint64) float64 { return float64(fromHalf(uint16(v))) })
	case "s16":
		return whole(op, func(v uint64) int64 { return int64(int16(v)) })
	case "s32":
		return whole(op, func(v uint64) int64 { return int64(s32(v)) })
	case "s64":
		return whole(op, s64)
	case "u16", "b16", "u32", "b32", "u64", "b64":
		bits := truncate(^uint64(0), typ)
		return whole(op, func(v uint64) uint64 { return v & bits })
	}
	return nil
}

func ordered(op string, get func(uint64) float64) func(a, b uint64) bool {
	nan := func(a, b uint64) bool { x, y := get(a), get(b); return x != x || y != y }
	switch op {
	case "num":
		return func(a, b uint64) bool { return !nan(a, b) }
	case "nan":
		return nan
	case "equ", "neu", "ltu", "leu", "gtu", "geu":
		f := whole(op[:2], get)
		return func(a, b uint64) bool { return nan(a, b) || f(a, b) }
	case "ne":
		return func(a, b uint64) bool { return !nan(a, b) && get(a) != get(b) }
	}
	return whole(op, get)
}

func whole[T int64 | uint64 | float64](op string, get func(uint64) T) func(a, b uint64) bool {
	switch op {
	case "eq":
		return func(a, b uint64) bool { return get(a) == get(b) }
	case "ne":
		return func(a, b uint64) bool { return get(a) != get(b) }
	case "lt":
		return func(a, b uint64) bool { return get(a) < get(b) }
	case "le":
		return func(a, b uint64) bool { return get(a) <= get(b) }
	case "gt":
		return func(a, b uint64) bool { return get(a) > get(b) }
	case "ge":
		return func(a, b uint64) bool { return get(a) >= get(b) }
	}
	return nil
}

// approximateOps are the instructions whose results the manual bounds only. They are
// computed exactly and then moved by a part of the bound that depends on the argument
// and the seed, so that what holds here holds with any hardware within the bounds.
var approximateOps = map[string]func(a, seed uint64) uint64{
	// ex2.approx: 2 units in the last place; of ±0 it is 1, of −Inf 0 and of Inf Inf.
	"ex2.approx.f32": func(a, seed uint64) uint64 {
		x := float64(f32(a))
		if x == 0 {
			return b32(1)
		}
		return moved(math.Exp2(x), 2, a, seed)
	},
	// rcp.approx: 1 unit; of ±0 ±Inf, of ±Inf ±0.
	"rcp.approx.f32": func(a, seed uint64) uint64 { return moved(1/float64(f32(a)), 1, a, seed) },
}

// moved rounds y to float32 within so many units in the last place. Seed 0 moves nothing.
func moved(y, units float64, arg, seed uint64) uint64 {
	f := float32(y)
	if seed == 0 || f == 0 || y != y || math.IsInf(float64(f), 0) {
		return b32(f)
	}
	h := (arg ^ seed) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	part := float64(h>>11)/(1<<52) - 1 // in [−1, 1)
	size := float64(math.Float32frombits(math.Float32bits(f)&^(1<<31)+1)) - math.Abs(float64(f))
	return b32(float32(y + part*(units-0.5)*size))
}
