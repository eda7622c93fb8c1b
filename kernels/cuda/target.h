// What a tile of positions is compared with. The positions of a tile belong to one
// warp: lane l has positions first + l, first + l + 32, …
#pragma once
#include "abi.h"
#include "elements.h"

// shared_call is the entry's parameter in shared memory, where it has an address; share
// puts it there.
FN_DEVICE Call& shared_call() {
	__shared__ Call call;
	return call;
}
FN_DEVICE const Call& share(const Call& call) {
	if (thread_index() == 0) shared_call() = call;
	block_barrier();
	return shared_call();
}

// Chunk is a range of positions of one sample.
struct Chunk {
	i64 index, sample, from;
	i32 length;

	FN_DEVICE Chunk(const Call& c, i64 index) : index(index) {
		sample = index / c.per_sample;
		from = (index - sample * c.per_sample) * c.chunk;
		i64 rest = c.s - from;
		length = (i32)(rest < c.chunk ? rest : c.chunk);
	}
	// position is the index of a position among those of the whole batch.
	FN_DEVICE i64 position(const Call& c, i32 i) const { return sample * c.s + from + i; }
};

// view gives the elements of a chunk in a tensor laid out as the prediction is.
template <class T> FN_DEVICE View<T> view(const Call& c, const Chunk& k, T* tensor) {
	i64 classes = c.program->classes;
	if (c.channels_last) return {tensor + (k.sample * c.s + k.from) * classes, 1, classes};
	return {tensor + k.sample * classes * c.s + k.from, c.s, 1};
}

// ordinary numbers are those whose products float arithmetic neither rounds to 0
// nor takes to infinity. A NaN is none.
FN_DEVICE bool ordinary(float v, float least, float most) {
	float size = __builtin_fabsf(v);
	return v == 0 || (size >= least && size <= most);
}
constexpr float LEAST_WEIGHT = 0x1p-16f, MOST_WEIGHT = 0x1p16f;

// Tile is V positions of each lane: their weights, 0 where there is no position, and
// their classes, −1 where none.
template <int V> struct Tile {
	i32 first; // of this lane, within the chunk
	float weight[V];
	i32 label[V];
	bool labels; // else the target is dense
	bool odd;    // a weight, or all, is out of the ordinary

	FN_DEVICE i32 at(int v) const { return first + v * WARP; }

	// load reads weights and labels. With Report it reports the bad ones.
	template <bool Report> FN_DEVICE void load(const Call& c, const Chunk& k, i32 from) {
		first = from;
		labels = c.target_kind >= TARGET_U8;
		odd = c.limit < 0; // float arithmetic takes nothing
		UNROLLED for (int v = 0; v < V; v++) {
			weight[v] = at(v) < k.length;
			label[v] = -1;
		}
		if (c.mask) apply_mask(c, k);
		if (c.weights) apply_weights<Report>(c, k);
		if (labels) load_labels<Report>(c, k);
	}

private:
	FN_DEVICE void apply_mask(const Call& c, const Chunk& k) {
		UNROLLED for (int v = 0; v < V; v++) {
			if (weight[v] != 0 && c.mask[k.position(c, at(v))] == 0) weight[v] = 0;
		}
	}

	template <bool Report> FN_DEVICE void apply_weights(const Call& c, const Chunk& k) {
		UNROLLED for (int v = 0; v < V; v++) {
			if (weight[v] == 0) continue;
			i64 i = k.position(c, at(v));
			float w = c.weights[i];
			if (!(w >= 0 && w <= 0x1.fffffep127f)) {
				if (Report) atomic_min(c.bad, (u64)i);
				w = 0;
			}
			odd |= !ordinary(w, LEAST_WEIGHT, MOST_WEIGHT);
			weight[v] = w;
		}
	}

	template <bool Report> FN_DEVICE void load_labels(const Call& c, const Chunk& k) {
		i64 y[V];
		switch (c.target_kind) { // only what differs, for the code is unrolled
		case TARGET_U8: read_labels(y, c, k, (const u8*)c.target); break;
		case TARGET_I32: read_labels(y, c, k, (const i32*)c.target); break;
		case TARGET_I8: read_labels(y, c, k, (const i8*)c.target); break;
		case TARGET_I16: read_labels(y, c, k, (const i16*)c.target); break;
		case TARGET_U16: read_labels(y, c, k, (const u16*)c.target); break;
		case TARGET_U32: read_labels(y, c, k, (const u32*)c.target); break;
		default: read_labels(y, c, k, (const i64*)c.target);
		}
		i32 classes = c.program->classes;
		i64 most = classes > 1 ? classes - 1 : 1;
		UNROLLED for (int v = 0; v < V; v++) {
			if (weight[v] == 0) continue;
			i64 l = y[v];
			if (c.has_ignore && l == c.ignore) {
				weight[v] = 0;
			} else if (l < 0 || l > most) {
				if (Report) atomic_min(c.bad, (u64)k.position(c, at(v)));
				weight[v] = 0;
			} else {
				label[v] = classes > 1 ? (i32)l : (i32)(1 - l); // of one class, 1 is its member and 0 is none
			}
		}
	}

	template <class L> FN_DEVICE void read_labels(i64 (&to)[V], const Call& c, const Chunk& k, const L* y) {
		UNROLLED for (int v = 0; v < V; v++) to[v] = weight[v] != 0 ? (i64)y[k.position(c, at(v))] : 0;
	}
};

// read_class copies the elements of one class at a tile's positions; 0 where there
// is no position.
template <class A, int V, class T>
FN_DEVICE void read_class(A (&out)[V], const Tile<V>& t, const View<const T>& x, i32 c) {
	UNROLLED for (int v = 0; v < V; v++) {
		out[v] = t.weight[v] != 0 ? widen<A>(*x.at(c, t.at(v))) : A(0);
	}
}

// read_target gives r of one class at a tile's positions.
template <class T, class A, int V>
FN_DEVICE void read_target(A (&r)[V], const Call& c, const Chunk& k, const Tile<V>& t, i32 at) {
	if (t.labels) {
		UNROLLED for (int v = 0; v < V; v++) r[v] = t.label[v] == at;
		return;
	}
	if (c.target_kind == TARGET_OWN) return read_class(r, t, view(c, k, (const T*)c.target), at);
	read_class(r, t, view(c, k, (const float*)c.target), at);
}
