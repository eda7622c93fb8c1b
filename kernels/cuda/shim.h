// The few things of CUDA that the kernels use, so that clang compiles them with
// no toolkit.
#pragma once

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define FN_DEVICE __device__ inline __attribute__((always_inline))
#define FN_APART __device__ __attribute__((noinline))
// UNROLLED loops go over arrays that have to be registers.
#define UNROLLED _Pragma("unroll")
#ifndef BLOCKS
#define BLOCKS 2 // of a multiprocessor at a time, at least: bounds the registers
#endif
#define ENTRY(threads) extern "C" __attribute__((global)) __attribute__((launch_bounds(threads, BLOCKS)))

using i8 = signed char;
using u8 = unsigned char;
using i16 = short;
using u16 = unsigned short;
using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

FN_DEVICE u32 thread_index() { return __nvvm_read_ptx_sreg_tid_x(); }
FN_DEVICE u32 block_index() { return __nvvm_read_ptx_sreg_ctaid_x(); }
FN_DEVICE u32 grid_size() { return __nvvm_read_ptx_sreg_nctaid_x(); }

constexpr int WARP = 32;
constexpr u32 THREADS = 256; // of a block
constexpr u32 WARPS = THREADS / WARP;
constexpr u32 ALL_LANES = 0xffffffffu;

FN_DEVICE void block_barrier() { __syncthreads(); }
FN_DEVICE float shuffle_xor(float v, int lanes) { return __nvvm_shfl_sync_bfly_f32(ALL_LANES, v, lanes, 31); }
FN_DEVICE i32 shuffle_xor(i32 v, int lanes) { return __nvvm_shfl_sync_bfly_i32(ALL_LANES, v, lanes, 31); }
FN_DEVICE double shuffle_xor(double v, int lanes) {
	union { double d; i32 w[2]; } b = {v};
	b.w[0] = shuffle_xor(b.w[0], lanes);
	b.w[1] = shuffle_xor(b.w[1], lanes);
	return b.d;
}
FN_DEVICE bool any_lane(bool p) { return __nvvm_vote_any_sync(ALL_LANES, p); }

// atomic_add, store_release and load_acquire order what a thread did before with what
// another does after; atomic_min does not.
FN_DEVICE u32 atomic_add(u32* p, u32 v) {
	u32 old;
	asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(v) : "memory");
	return old;
}
FN_DEVICE void atomic_min(u64* p, u64 v) {
	asm volatile("red.relaxed.gpu.global.min.u64 [%0], %1;" :: "l"(p), "l"(v) : "memory");
}
FN_DEVICE u32 load_acquire(const u32* p) {
	u32 v;
	asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
	return v;
}
FN_DEVICE void store_release(u32* p, u32 v) {
	asm volatile("st.release.gpu.global.u32 [%0], %1;" :: "l"(p), "r"(v) : "memory");
}

// Instructions that round to nearest, whatever flags the compiler was given.
FN_DEVICE float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
FN_DEVICE double multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
