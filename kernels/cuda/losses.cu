// The kernels of all losses: a reduction to sums, which the last block finishes, the
// gradient from their coefficients, and both in one launch where the predictions fit on
// the chip. There is a module for each type of element (-DELEMENT=float, half, bfloat or
// double) and each family of losses; `make ptx` compiles them all:
//
//	-DFAMILY=POINTWISE -DFEATURES=…   classes that do not depend on each other
//	-DFAMILY=SOFTMAX -DFEATURES=…     any number of classes
//	-DFAMILY=FEW -DCLASSES=…     softmax of 2, 3, 4 or at most 8 classes
#include "few.h"
#include "tiles.h"

#define POINTWISE 1
#define SOFTMAX 2
#define FEW 3

using T = ELEMENT;

// V is how many positions of a tile a lane has: as many loads are under way at a time.
// Double arithmetic needs twice the registers.
constexpr bool wide = sizeof(typename Element<T>::Arithmetic) == sizeof(double);
#if FAMILY == POINTWISE
using Kernel = Pointwise<FEATURES>;
constexpr int V = wide ? 1 : (FEATURES) & POWERS ? 2 : 4;
#elif FAMILY == SOFTMAX
using Kernel = AnySoftmax<FEATURES>;
constexpr int V = 1;
#else
using Kernel = FewSoftmax<CLASSES>;
constexpr int V = CLASSES == 2 ? 4 : CLASSES == 8 ? 1 : 2;
#endif

extern __shared__ double dynamic[];

// reduce_chunk leaves the sums of a chunk in the workspace. A barrier has to follow, as
// complete has it.
FN_DEVICE void reduce_chunk(const Call& c, const Chunk& k, View<const T> x) {
	Rows rows(c, dynamic);
	rows.clear();
	Kernel kernel(c, k);
	for (i32 at = (i32)thread_index() / WARP * WARP * V; at < k.length; at += THREADS * V) {
		Tile<V> t;
		t.load<true>(c, k, at + (i32)lane_index());
		kernel.reduce(t, x, rows.mine());
	}
	kernel.flush(rows.mine());
	rows.store(c.partial + k.index * rows.stride);
}

FN_DEVICE void differentiate_chunk(const Call& c, const Chunk& k, View<const T> x, View<T> dx) {
	Kernel kernel(c, k);
	kernel.prepare();
	bool odd = odd_coefficients(c, k.sample);
	for (i32 at = (i32)thread_index() / WARP * WARP * V; at < k.length; at += THREADS * V) {
		Tile<V> t;
		t.load<false>(c, k, at + (i32)lane_index());
		kernel.differentiate(t, x, dx, odd);
	}
	block_barrier();
}

// keep copies a chunk of the prediction to shared memory, and returns it there. A barrier
// has to follow; Rows has one.
FN_DEVICE View<const T> keep(const Call& c, const Chunk& k, T* to) {
	View<const T> x = view(c, k, (const T*)c.x);
	i64 classes = c.program->classes;
	for (i64 i = thread_index(); i < classes * k.length; i += THREADS) {
		i64 at = c.channels_last ? i % classes : i / k.length, position = c.channels_last ? i / classes : i % k.length;
		to[at * c.chunk + position] = *x.at(at, position);
	}
	return {to, c.chunk, 1};
}

// run does one of the passes, or both in a launch whose blocks all run at once. Where
// the call says so, a block keeps its chunks of the prediction on the chip in between.
// The backward pass goes from the last chunk to the first, to find in the cache what the
// reduction has read last. It writes nothing where a label was bad.
ENTRY(THREADS) void run(Call call) {
	const Call& c = share(call);
	if (c.passes == FINISH) return finish(c.program, c.sums, c.coef, c.result, c.cells, c.n);
	i64 chunks = (i64)c.n * c.per_sample, slot = c.program->classes * c.chunk, grid = grid_size();
	T* kept = (T*)(dynamic + (c.scratch ? 0 : WARPS * c.program->stride()));
	bool both = c.passes == (REDUCE | BACKWARD);
	if (c.passes & REDUCE) {
		for (i64 i = block_index(), n = 0; i < chunks; i += grid, n++) {
			Chunk k(c, i);
			reduce_chunk(c, k, c.cached ? keep(c, k, kept + n * slot) : view(c, k, (const T*)c.x));
			if (complete(c, k.sample) && both) announce(c);
		}
	}
	if (both) await(c);
	if (!(c.passes & BACKWARD) || *c.bad != ~0ull) return;
	i64 n = (chunks - 1 - block_index()) / grid; // of this block's last chunk
	for (i64 i = block_index() + n * grid; i >= 0; i -= grid, n--) {
		Chunk k(c, i);
		View<const T> x = view(c, k, (const T*)c.x);
		if (c.cached) x = {kept + n * slot, c.chunk, 1};
		differentiate_chunk(c, k, x, view(c, k, (T*)c.dx));
	}
}
