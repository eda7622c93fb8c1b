// The types of elements, and the arithmetic that each is computed in.
#pragma once
#include "shim.h"

using half = _Float16;

// bfloat is the upper half of a float. sm_70 has no conversion to it.
struct bfloat {
	u16 bits;
};

union FloatBits {
	float f;
	u32 u;
};

template <class T> struct Element { using Arithmetic = float; };
template <> struct Element<double> { using Arithmetic = double; };

// widen gives an element as a number of its arithmetic or of a wider one.
template <class A, class T> FN_DEVICE A widen(T v) { return (A)v; }
template <class A> FN_DEVICE A widen(bfloat v) {
	FloatBits b;
	b.u = (u32)v.bits << 16;
	return (A)b.f;
}

// narrow rounds to the nearest element, ties to even.
template <class T, class A> struct Narrow {
	static FN_DEVICE T of(A v) { return (T)v; }
};
template <class A> struct Narrow<bfloat, A> {
	static FN_DEVICE bfloat of(A v) {
		FloatBits b;
		b.f = (float)v;
		if (b.f != b.f) return bfloat{0x7fff};
		return bfloat{(u16)((b.u + 0x7fff + (b.u >> 16 & 1)) >> 16)};
	}
};

// store_streaming writes an element that will not be read again soon.
FN_DEVICE void store_streaming(float* p, float v) { asm volatile("st.global.cs.f32 [%0], %1;" ::"l"(p), "f"(v) : "memory"); }
FN_DEVICE void store_streaming(double* p, double v) { asm volatile("st.global.cs.f64 [%0], %1;" ::"l"(p), "d"(v) : "memory"); }
FN_DEVICE void store_streaming(u16* p, u16 v) { asm volatile("st.global.cs.u16 [%0], %1;" ::"l"(p), "h"(v) : "memory"); }
FN_DEVICE void store_streaming(bfloat* p, bfloat v) { store_streaming(&p->bits, v.bits); }
FN_DEVICE void store_streaming(half* p, half v) {
	union { half h; u16 u; } b = {v};
	store_streaming((u16*)p, b.u);
}

// View is how elements lie: class c at position i is at base[c·by_class + i·by_position].
template <class T> struct View {
	T* base;
	i64 by_class, by_position;

	FN_DEVICE T* at(i64 c, i64 i) const { return base + (c * by_class + i * by_position); }
};
