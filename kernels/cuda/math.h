// Elementary functions, for there is no libm here. Those of float are inlined, those of
// double are calls.
#pragma once
#include "shim.h"

union DoubleBits {
	double d;
	u64 u;
};

constexpr float INFINITE = __builtin_inff();

// exp2_of is 2^x to 2 units in the last place.
FN_DEVICE float exp2_of(float x) {
	float y;
	asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}

// reciprocal is 1/x to 1 unit in the last place.
FN_DEVICE float reciprocal(float x) {
	float y;
	asm("rcp.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}
FN_DEVICE double reciprocal(double x) { return 1 / x; }

// quotient is a/b to 2 units in the last place, where 1/b is neither infinite nor 0.
FN_DEVICE float quotient(float a, float b) { return a * reciprocal(b); }
FN_DEVICE double quotient(double a, double b) { return a / b; }

// exp_of is e^x to 3 units in the last place: what rounding takes from x·log₂e is put
// back.
FN_DEVICE float exp_of(float x) {
	constexpr float high = 0x1.715476p0f, low = 0x1.4ae0bep-26f; // log₂e
	float n = x * high;
	float rest = multiply_add(x, low, multiply_add(x, high, -n));
	float y = exp2_of(n);
	return __builtin_fabsf(x) < 200 ? multiply_add(y * rest, 0x1.62e43p-1f, y) : y;
}

// log_near is ln(1+f) for f in [√½ − 1, √2 − 1]. The coefficients are those of Cephes'
// logf.
FN_DEVICE float log_near(float f) {
	float z = f * f, p = 7.0376836292e-2f;
	p = multiply_add(p, f, -1.1514610310e-1f);
	p = multiply_add(p, f, 1.1676998740e-1f);
	p = multiply_add(p, f, -1.2420140846e-1f);
	p = multiply_add(p, f, 1.4249322787e-1f);
	p = multiply_add(p, f, -1.6668057665e-1f);
	p = multiply_add(p, f, 2.0000714765e-1f);
	p = multiply_add(p, f, -2.4999993993e-1f);
	p = multiply_add(p, f, 3.3333331174e-1f);
	return multiply_add(f * z, p, multiply_add(-0.5f, z, f));
}

// log_of is ln x, to 2 units in the last place for x that are normal and finite.
FN_DEVICE float log_of(float x) {
	union { float f; i32 i; } b = {x};
	i32 e = (b.i - 0x3f3504f3) >> 23; // the mantissa becomes one in [√½, √2)
	b.i -= e << 23;
	float y = log_near(b.f - 1), n = (float)e;
	y = multiply_add(n, 0x1.62e4p-1f, multiply_add(n, 0x1.7f7d1cp-20f, y));
	return x > 0 ? (x < INFINITE ? y : x) : x == 0 ? -INFINITE : x - x;
}

// log1p_of is ln(1+x) for x ≥ −½, to 2 units in the last place.
FN_DEVICE float log1p_of(float x) {
	if (x > -0.29f && x < 0.41f) return log_near(x);
	float u = 1 + x, lost = x - (u - 1);
	return log_of(u) + (u < INFINITE ? lost * reciprocal(u) : 0.0f);
}

// scale is x·2^n, also where 2^n itself is out of range. The most that matters is 2^2044.
FN_DEVICE double scale(double x, i32 n) {
	DoubleBits a, b;
	n = n > 2044 ? 2044 : n < -2044 ? -2044 : n;
	i32 half = n >> 1;
	a.u = (u64)(half + 1023) << 52;
	b.u = (u64)(n - half + 1023) << 52;
	return x * a.d * b.d;
}

// exp_of is e^x, by its Taylor series around a multiple of ln 2, to 2 units in the last
// place.
FN_APART double exp_of(double x) {
	if (!(x < 710)) return x > 0 ? (double)INFINITE : x; // or NaN
	if (x < -750) return 0;
	i32 n = (i32)__builtin_floor(multiply_add(x, 0x1.71547652b82fep0, 0.5));
	double r = multiply_add(-(double)n, 0x1.62e42fee00000p-1, x);
	r = multiply_add(-(double)n, 0x1.a39ef35793c76p-33, r);
	constexpr double inverse[] = {
		1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
		1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5,
	};
	double p = inverse[0];
	UNROLLED for (int i = 1; i < 12; i++) p = multiply_add(p, r, inverse[i]);
	return scale(1 + multiply_add(r * r, p, r), n);
}

// log_near is ln(1+f) for f in [√½ − 1, √2 − 1], as 2 artanh s with s = f/(2+f).
FN_DEVICE double log_near(double f) {
	double s = f / (2 + f), z = s * s, p = 2.0 / 25;
	UNROLLED for (int i = 23; i >= 3; i -= 2) p = multiply_add(p, z, 2.0 / i);
	double half = f * f / 2;
	return f - (half - s * multiply_add(z, p, half));
}

// log_of is ln x, to 2 units in the last place.
FN_APART double log_of(double x) {
	if (!(x > 0)) return x == 0 ? -(double)INFINITE : x - x;
	if (x > 0x1.fffffffffffffp1023) return x;
	i32 e = 0;
	if (x < 0x1p-1022) {
		x *= 0x1p54;
		e = -54;
	}
	DoubleBits b = {x};
	i32 k = (i32)((i64)(b.u - 0x3fe6a09e667f3bcd) >> 52); // the mantissa becomes one in [√½, √2)
	b.u -= (u64)(i64)k << 52;
	double n = e + k;
	return n * 0x1.62e42fee00000p-1 + (log_near(b.d - 1) + n * 0x1.a39ef35793c76p-33);
}

// log1p_of is ln(1+x) for x ≥ −½, to 2 units in the last place.
FN_APART double log1p_of(double x) {
	if (x > -0.29 && x < 0.41) return log_near(x);
	double u = 1 + x;
	if (!(u < (double)INFINITE)) return u;
	return log_of(u) + (x - (u - 1)) / u;
}

FN_DEVICE double root(double x) { return __builtin_sqrt(x); }

// power_of is u^γ for u ≥ 0, as math.Pow has it.
FN_APART double power_of(double u, double gamma) {
	if (gamma == 0 || u == 1) return 1;
	if (gamma == 1) return u;
	if (gamma == 2) return u * u;
	return exp_of(gamma * log_of(u));
}
