package ptxsim

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestFMA32 holds the fused product and sum to exact arithmetic rounded once, near the
// middle of two numbers and among subnormals as well.
func TestFMA32(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	number := func() float32 {
		switch rng.IntN(3) {
		case 0:
			return math.Float32frombits(rng.Uint32())
		case 1: // few bits, so that sums lie in the middle
			return float32(math.Ldexp(float64(1+rng.IntN(1<<12)), rng.IntN(60)-30))
		}
		return float32(math.Ldexp(float64(rng.IntN(1<<24)), rng.IntN(20)-150))
	}
	fma := ternaryOps["fma.rn.f32"]
	for range 300000 {
		a, b, c := number(), number(), number()
		if rng.IntN(2) == 0 {
			c = -c
		}
		got := f32(fma(b32(a), b32(b), b32(c)))
		sum := float64(a)*float64(b) + float64(c)
		if math.IsNaN(sum) || math.IsInf(sum, 0) {
			if !(math.IsNaN(sum) && got != got || float64(got) == sum) {
				t.Fatalf("%v·%v + %v = %v, want %v", a, b, c, got, sum)
			}
			continue
		}
		x := new(big.Float).SetPrec(600).SetFloat64(float64(a))
		x.Mul(x, new(big.Float).SetFloat64(float64(b)))
		x.Add(x, new(big.Float).SetFloat64(float64(c)))
		if want, _ := x.Float32(); got != want {
			t.Fatalf("%v·%v + %v = %v, want %v", a, b, c, got, want)
		}
	}
}

// TestInstructions holds what is not Go's own arithmetic to what the manual says.
func TestInstructions(t *testing.T) {
	nan, inf := b32(float32(math.NaN())), b32(float32(math.Inf(1)))
	minus0 := uint64(1 << 31)
	for _, c := range []struct {
		name string
		args []uint64
		want uint64
	}{
		{"min.f32", []uint64{nan, b32(2)}, b32(2)},
		{"min.f32", []uint64{b32(2), nan}, b32(2)},
		{"min.f32", []uint64{0, minus0}, minus0},
		{"max.f32", []uint64{minus0, 0}, 0},
		{"max.f32", []uint64{inf, b32(3)}, inf},
		{"abs.f32", []uint64{b32(-5)}, b32(5)},
		{"neg.f32", []uint64{0}, minus0},
		{"shl.b32", []uint64{1, 31}, 1 << 31},
		{"shl.b32", []uint64{1, 32}, 0},
		{"shl.b32", []uint64{1, 1 << 31}, 0},
		{"shr.u32", []uint64{1 << 31, 40}, 0},
		{"shr.s32", []uint64{1 << 31, 40}, math.MaxUint32},
		{"shl.b64", []uint64{1, 64}, 0},
		{"shr.s64", []uint64{1 << 63, 99}, math.MaxUint64},
		{"mul.wide.s32", []uint64{math.MaxUint32, 7}, -7 & math.MaxUint64},
		{"mul.wide.u32", []uint64{math.MaxUint32, 7}, 7 * math.MaxUint32},
		{"mul.lo.s32", []uint64{1 << 31, 2}, 0},
		{"sub.s32", []uint64{0, 1}, math.MaxUint32},
		{"bfe.u32", []uint64{0xabcd1234, 8, 12}, 0xd12},
		{"bfe.u32", []uint64{0xabcd1234, 40, 4}, 0},
		{"div.s32", []uint64{low(int32(-7)), 2}, low(int32(-3))},
		{"rem.s64", []uint64{^uint64(6), 4}, ^uint64(2)},
		{"not.pred", []uint64{1}, 0},
		{"cvta.shared.u64", []uint64{8}, sharedWindow + 8},
	} {
		var got uint64
		switch len(c.args) {
		case 1:
			got = unaryOps[c.name](c.args[0])
		case 2:
			got = binaryOps[c.name](c.args[0], c.args[1])
		default:
			got = ternaryOps[c.name](c.args[0], c.args[1], c.args[2])
		}
		if got != c.want {
			t.Errorf("%s %#x = %#x, want %#x", c.name, c.args, got, c.want)
		}
	}
}

// TestConversions: what does not fit is clamped, and a NaN becomes 0.
func TestConversions(t *testing.T) {
	for _, c := range []struct {
		rounding, to, from string
		arg, want          uint64
	}{
		{"", "u64", "s32", 1 << 31, 0xffffffff80000000},
		{"", "u64", "u32", 0xf00000001, 1},
		{"", "s32", "s8", 0x180, 0xffffff80},
		{"rn", "f32", "s64", 1<<24 + 1, b32(1 << 24)},
		{"rn", "f32", "u64", math.MaxUint64, b32(1 << 64)},
		{"rn", "f64", "s32", math.MaxUint32, b64(-1)},
		{"rzi", "s32", "f64", b64(-2.9), low(int32(-2))},
		{"rmi", "s32", "f64", b64(-2.1), low(int32(-3))},
		{"rni", "s32", "f64", b64(2.5), 2},
		{"rpi", "s32", "f64", b64(2.1), 3},
		{"rzi", "s32", "f64", b64(1e300), math.MaxInt32},
		{"rzi", "s32", "f64", b64(math.Inf(-1)), 1 << 31},
		{"rzi", "s32", "f64", b64(math.NaN()), 0},
		{"rn", "f32", "f64", b64(1 + 0x1p-25), b32(1)},
		{"rn", "f16", "f32", b32(65519), 0x7bff},
		{"rn", "f16", "f32", b32(65520), 0x7c00},
		{"rn", "f16", "f32", b32(0x1p-25), 0},
		{"rn", "f16", "f32", b32(0x1.8p-24), 2},
		{"rn", "f16", "f64", b64(-1), 0xbc00},
		{"", "f32", "f16", 0x3555, b32(0x1.554p-2)},
	} {
		if got := conversion(c.rounding, c.to, c.from)(c.arg); got != c.want {
			t.Errorf("cvt.%s.%s.%s %#x = %#x, want %#x", c.rounding, c.to, c.from, c.arg, got, c.want)
		}
	}
	for h := range 1 << 16 {
		if v := fromHalf(uint16(h)); v == v && toHalf(float64(v)) != uint16(h) {
			t.Fatalf("half %#x is %v is %#x", h, v, toHalf(float64(v)))
		}
	}
}

// TestComparisons: of a NaN those that end in u are true, and nan, and no other.
func TestComparisons(t *testing.T) {
	nan := b64(math.NaN())
	for op, want := range map[string]struct{ less, equal, more, nan bool }{
		"eq": {false, true, false, false}, "equ": {false, true, false, true},
		"ne": {true, false, true, false}, "neu": {true, false, true, true},
		"lt": {true, false, false, false}, "ltu": {true, false, false, true},
		"le": {true, true, false, false}, "leu": {true, true, false, true},
		"gt": {false, false, true, false}, "gtu": {false, false, true, true},
		"ge": {false, true, true, false}, "geu": {false, true, true, true},
		"num": {true, true, true, false}, "nan": {false, false, false, true},
	} {
		f := comparison(op, "f64")
		if f(b64(1), b64(2)) != want.less || f(b64(2), b64(2)) != want.equal || f(b64(3), b64(2)) != want.more || f(nan, b64(2)) != want.nan || f(b64(2), nan) != want.nan {
			t.Errorf("setp.%s.f64", op)
		}
	}
	if comparison("lt", "s32")(math.MaxUint32, 0) == comparison("lt", "u32")(math.MaxUint32, 0) {
		t.Error("signed and unsigned comparisons agree about -1")
	}
	if comparison("lo", "u32") != nil || comparison("lt", "f8") != nil {
		t.Error("unknown comparisons are known")
	}
}

// TestApproximate: special values are as the manual's tables have them, others move within
// the bound, and some seed moves each to both sides.
func TestApproximate(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name      string
		units     float64
		exact     func(float64) float64
		arg, want []float32
	}{
		{"ex2.approx.f32", 2, math.Exp2, []float32{0, float32(math.Copysign(0, -1)), inf, -inf, nan}, []float32{1, 1, inf, 0, nan}},
		{"rcp.approx.f32", 1, func(x float64) float64 { return 1 / x }, []float32{inf, -inf, 0, float32(math.Copysign(0, -1)), nan}, []float32{0, float32(math.Copysign(0, -1)), inf, -inf, nan}},
	} {
		f := approximateOps[c.name]
		for i, x := range c.arg {
			if got := f32(f(b32(x), 9)); got != c.want[i] && (got == got || c.want[i] == c.want[i]) {
				t.Errorf("%s %v = %v, want %v", c.name, x, got, c.want[i])
			}
		}
		low, high := 0, 0
		for i := range 20000 {
			x := float32(i-10000)*0.0113 + 0.003
			y := c.exact(float64(x))
			if a := math.Abs(y); a < 0x1p-120 || a > 0x1p120 {
				continue
			}
			ulp := float64(math.Nextafter32(float32(math.Abs(y)), inf)) - math.Abs(float64(float32(y)))
			e := (float64(f32(f(b32(x), uint64(1+i%7)))) - y) / ulp
			if math.Abs(e) > c.units {
				t.Fatalf("%s %v is off by %v units", c.name, x, e)
			}
			if e < -0.6*c.units {
				low++
			}
			if e > 0.6*c.units {
				high++
			}
			if f32(f(b32(x), 0)) != float32(y) {
				t.Fatalf("%s %v moves without a seed", c.name, x)
			}
		}
		if low < 100 || high < 100 {
			t.Errorf("%s: %d far below and %d far above", c.name, low, high)
		}
	}
}
