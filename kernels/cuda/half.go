package cuda

import "math"

// Float16 and BFloat16 elements on the host, as the kernels round them: to nearest, ties
// to even.

func toBFloat16(v float32) uint16 {
	if v != v {
		return 0x7fff
	}
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func fromBFloat16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

func toFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	sign, b := uint16(b>>16&0x8000), b&^(1<<31)
	switch {
	case b > 0x7f800000:
		return 0x7fff // NaN
	case b >= 0x477ff000: // 65520
		return sign | 0x7c00
	case b < 0x38800000: // 2^-14: adding ½ rounds to a multiple of 2^-24, in the low bits
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	}
	return sign | uint16((b-(127-15)<<23+0xfff+b>>13&1)>>13)
}

func fromFloat16(h uint16) float32 {
	sign, b := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	switch {
	case b >= 0x7c00<<13: // infinite or NaN
		b |= 0x7f800000
	case b < 0x400<<13: // subnormal
		return math.Float32frombits(sign | math.Float32bits(float32(h&0x3ff)*0x1p-24))
	default:
		b += (127 - 15) << 23
	}
	return math.Float32frombits(sign | b)
}
