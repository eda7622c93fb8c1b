// Sums over the lanes of a warp, the warps of a block and the blocks of a grid, all
// in an order that depends on the shape alone.
#pragma once
#include "abi.h"
#include "finish.h"
#include "target.h"

FN_DEVICE u32 lane_index() { return thread_index() % WARP; }
FN_DEVICE u32 warp_index() { return thread_index() / WARP; }

// choose is p ? a : b of two values. Written so, the compiler would choose between their
// addresses, and an array with an address is no longer registers.
FN_DEVICE float choose(bool p, float a, float b) {
	float v;
	asm("{ .reg .pred %%p; setp.ne.u32 %%p, %3, 0; selp.f32 %0, %1, %2, %%p; }" : "=f"(v) : "f"(a), "f"(b), "r"((u32)p));
	return v;
}
FN_DEVICE double choose(bool p, double a, double b) {
	double v;
	asm("{ .reg .pred %%p; setp.ne.u32 %%p, %3, 0; selp.f64 %0, %1, %2, %%p; }" : "=d"(v) : "d"(a), "d"(b), "r"((u32)p));
	return v;
}

// gather sums each of N numbers over the warp. Halves of the list go to halves of the
// lanes until one number is left for each, so that N sums cost N − 1 shuffles and a
// few more: lane l has the sum of number l·N/32 in the end, wherever that is whole.
template <int N, int LANES = WARP / 2, class A> FN_DEVICE A gather(A (&a)[N]) {
	if constexpr (N == 1) {
		A sum = a[0];
		UNROLLED for (int lanes = LANES; lanes > 0; lanes /= 2) sum += shuffle_xor(sum, lanes);
		return sum;
	} else {
		bool upper = lane_index() & LANES;
		A half[N / 2];
		UNROLLED for (int i = 0; i < N / 2; i++) {
			A keep = choose(upper, a[i + N / 2], a[i]), give = choose(upper, a[i], a[i + N / 2]);
			half[i] = keep + shuffle_xor(give, LANES);
		}
		return gather<N / 2, LANES / 2>(half);
	}
}

// add_to adds the warp's sums of n ≤ N numbers to n doubles that only this warp has.
template <int N, class A> FN_DEVICE void add_to(double* sums, A (&a)[N], int n = N) {
	A sum = gather(a);
	u32 number = lane_index() / (WARP / N);
	if (lane_index() % (WARP / N) == 0 && number < n) sums[number] += (double)sum;
}

// Rows are the sums of a block's warps while a chunk is under way, in shared memory
// or, where they do not fit, in the workspace.
struct Rows {
	double* first;
	i64 stride;

	FN_DEVICE Rows(const Call& c, double* shared) : stride(c.program->stride()) {
		first = c.scratch ? c.scratch + block_index() * WARPS * stride : shared;
	}
	FN_DEVICE double* mine() const { return first + warp_index() * stride; }

	FN_DEVICE void clear() const {
		for (i64 i = thread_index(); i < WARPS * stride; i += THREADS) first[i] = 0;
		block_barrier();
	}

	// store writes the sums of all warps, in order.
	FN_DEVICE void store(double* to) const {
		block_barrier();
		for (i64 i = thread_index(); i < stride; i += THREADS) {
			double sum = 0;
			for (u32 w = 0; w < WARPS; w++) sum += first[w * stride + i];
			to[i] = sum;
		}
	}
};

// arrive says that this block has done one of `all` things that blocks do, and whether
// it was the last: then everything that the others wrote before is visible to it. The
// barriers order the other threads around what one does for the block.
FN_DEVICE bool arrive(u32* counter, u32 all) {
	__shared__ bool last;
	block_barrier();
	if (thread_index() == 0) {
		last = atomic_add(counter, 1) == all - 1;
		if (last) *counter = 0; // for the next launch
	}
	block_barrier();
	return last;
}

// sum_chunks adds the sums of a sample's chunks in their order, cut into as many parts
// as there are threads for: of long rows one, whose sum each thread has to itself.
FN_DEVICE void sum_chunks(const Call& c, i64 sample) {
	__shared__ double part[THREADS];
	i64 stride = c.program->stride();
	const double* from = c.partial + sample * c.per_sample * stride;
	double* to = c.sums + sample * stride;
	u32 parts = stride < THREADS ? (u32)(THREADS / stride) : 1;
	u32 each = (c.per_sample + parts - 1) / parts;
	for (i64 base = 0; base < stride; base += THREADS) {
		u32 p = thread_index() / (u32)stride;
		i64 k = base + (parts > 1 ? thread_index() % (u32)stride : thread_index());
		if (parts == 1) p = 0;
		if (p < parts && k < stride) {
			double sum = 0;
			u32 end = (p + 1) * each < c.per_sample ? (p + 1) * each : c.per_sample;
#pragma unroll 8
			for (u32 i = p * each; i < end; i++) sum += from[i * stride + k];
			part[thread_index()] = sum;
		}
		block_barrier();
		if (p == 0 && k < stride) {
			double sum = 0;
			for (u32 i = 0; i < parts; i++) sum += part[i * (u32)stride + thread_index()];
			to[k] = sum;
		}
	}
}

// complete is what a block does after a chunk: the last one of a sample sums its
// chunks, and the last one of all finishes the loss. It reports whether it did that.
FN_DEVICE bool complete(const Call& c, i64 sample) {
	if (!arrive(c.counters + FIRST_SAMPLE + sample, c.per_sample)) return false;
	sum_chunks(c, sample);
	if (!arrive(c.counters + SAMPLES, c.n)) return false;
	if (c.finish) finish(c.program, c.sums, c.coef, c.result, c.cells, c.n);
	return true;
}

// announce lets the blocks that wait in await go on. The block that has finished the
// loss calls it; finish has a barrier behind all coefficients.
FN_DEVICE void announce(const Call& c) {
	if (thread_index() == 0) store_release(c.counters + EPOCH, c.epoch);
}

FN_DEVICE void await(const Call& c) {
	if (thread_index() == 0) {
		while (load_acquire(c.counters + EPOCH) != c.epoch) {
		}
	}
	block_barrier();
}

// odd_coefficients reports whether float arithmetic does not take all coefficients of
// a sample.
FN_DEVICE bool odd_coefficients(const Call& c, i64 sample) {
	__shared__ bool odd[WARPS];
	i64 n = c.program->stride() - 1;
	const double* coef = c.coef + sample * n;
	bool mine = false;
	for (i64 i = thread_index(); i < n; i += THREADS) mine |= !ordinary((float)(c.scale * coef[i]), 0x1p-80f, 0x1p60f);
	mine = any_lane(mine);
	if (lane_index() == 0) odd[warp_index()] = mine;
	block_barrier();
	bool some = false;
	for (u32 w = 0; w < WARPS; w++) some |= odd[w];
	return some;
}
