// Softmax of few classes, all of a position in registers, for the sums that most
// losses ask for: TP, FP, FN and TN, ln p and q² ln p.
#pragma once
#include "tiles.h"

// exponential is e^x of an x ≤ 0 whose error may grow with |x|, as that of the
// logits themselves does.
FN_DEVICE float exponential(float x) { return exp2_of(x * 0x1.715476p0f); }

// FewSoftmax reduces and differentiates tiles of at most MOST classes; of exactly so many
// below 8. A lane keeps the sums of some tiles before the warp's are formed.
template <int MOST> struct FewSoftmax {
	static constexpr int set = REGION | LOGS | POWERS;

	const Call& c;
	const Chunk& k;
	const Program* f;
	i32 classes;
	float total;         // Σ v since the last flush
	float sums[MOST][8]; // R, RR, ln p, q² ln p; TP, FP, FN, TN
	i32 pending;         // positions of a lane in them
	const float* coef;   // of each class, times the scale: in, out, ln p, q² ln p

	FN_DEVICE FewSoftmax(const Call& c, const Chunk& k) : c(c), k(k), f(c.program), total(0), pending(0) {
		classes = MOST == 8 ? f->classes : MOST;
		clear();
	}

	// reduce adds a tile to the sums, or leaves it to double arithmetic.
	template <int V, class T> FN_DEVICE void reduce(const Tile<V>& t, View<const T> x, double* row) {
		float logit[MOST][V], r[MOST][V];
		if (!(read(logit, t, x) & read_targets<T>(r, t))) {
			add_total<float>(row, t);
			return reduce_apart<V, AnySoftmax<set>>(k.index, t.first, x.base, x.by_class, x.by_position, row, 0);
		}
		UNROLLED for (int v = 0; v < V; v++) add(logit, r, t, v);
		pending += V;
		if (pending >= MOST_PENDING) flush(row);
	}

	// flush moves the sums to those of the warp.
	FN_DEVICE void flush(double* row) {
		float all[1] = {total};
		float weight = gather(all);
		if (lane_index() == 0) row[0] += (double)weight;
		u32 number = lane_index() / 4;
		i32 off = number == 0 ? OFF_R : number == 1 ? OFF_RR : number == 2 ? f->log_p : number == 3 ? power_offset() : f->region < 0 ? -1 : f->region + (i32)number - 4;
		if (lane_index() % 4 != 0) off = -1;
		UNROLLED for (int at = 0; at < MOST; at++) {
			float sum = gather(sums[at]);
			if (at >= classes || off < 0) continue;
			double* cell = row + 1 + at * f->sums;
			cell[off] += (double)sum;
			if (off == OFF_R) cell[OFF_NR] += (double)weight - (double)sum;
		}
		clear();
	}

	// prepare gathers the coefficients of the chunk's sample. A barrier has to follow.
	FN_DEVICE void prepare() {
		__shared__ float shared[MOST * 4];
		coef = shared;
		i32 at = (i32)thread_index() / 4;
		if (at >= classes) return;
		const double* cell = c.coef + (k.sample * classes + at) * f->sums;
		double v = 0;
		switch (thread_index() % 4) {
		case 0: v = f->region < 0 ? 0 : cell[f->region + TP] - cell[f->region + FN]; break;
		case 1: v = f->region < 0 ? 0 : cell[f->region + FP] - cell[f->region + TN]; break;
		case 2: v = f->log_p < 0 ? 0 : cell[f->log_p]; break;
		default: v = power_offset() < 0 ? 0 : cell[power_offset()];
		}
		shared[thread_index()] = (float)(c.scale * v);
	}

	template <int V, class T> FN_DEVICE void differentiate(const Tile<V>& t, View<const T> x, View<T> dx, bool odd) const {
		float logit[MOST][V], r[MOST][V];
		if (!(read(logit, t, x) & read_targets<T>(r, t)) || odd) {
			return differentiate_apart<V, AnySoftmax<set>>(k.index, t.first, x.base, x.by_class, x.by_position, dx.base, dx.by_class, dx.by_position, 0);
		}
		UNROLLED for (int v = 0; v < V; v++) derive(logit, r, t, dx, v);
	}

private:
	static constexpr i32 MOST_PENDING = 32;

	// Position is what the classes of a position have in common.
	struct Position {
		float e[MOST]; // e^(x − top)
		float top;
		i32 at;        // class of the largest
		float odds, inverse, log_z;

		FN_DEVICE float p(int c) const { return e[c] * inverse; }
		FN_DEVICE float q(int c) const { return (c == at ? odds : 1 + (odds - e[c])) * inverse; }
		FN_DEVICE float log_p(float x) const { return (x - top) - log_z; }
	};

	FN_DEVICE i32 power_offset() const { return f->powers > 0 ? f->power[0].off : -1; }
	FN_DEVICE bool has(int at) const { return MOST < 8 || at < classes; }

	FN_DEVICE void clear() {
		pending = 0;
		total = 0;
		UNROLLED for (int at = 0; at < MOST; at++) {
			UNROLLED for (int i = 0; i < 8; i++) sums[at][i] = 0;
		}
	}

	// read reports whether float arithmetic takes the logits of the whole warp.
	template <int V, class T> FN_DEVICE bool read(float (&logit)[MOST][V], const Tile<V>& t, View<const T> x) const {
		UNROLLED for (int at = 0; at < MOST; at++) {
			if (has(at)) {
				read_class(logit[at], t, x, at);
			} else {
				UNROLLED for (int v = 0; v < V; v++) logit[at][v] = -INFINITE;
			}
		}
		bool ok = !t.odd;
		UNROLLED for (int v = 0; v < V; v++) {
			float top = logit[0][v], least = top;
			UNROLLED for (int at = 1; at < MOST; at++) {
				if (!has(at)) continue;
				float l = logit[at][v];
				top = l > top ? l : top;
				least = l < least ? l : least;
				ok &= l == l;
			}
			ok &= top - least <= c.limit;
		}
		return !any_lane(!ok);
	}

	template <class T, int V> FN_DEVICE bool read_targets(float (&r)[MOST][V], const Tile<V>& t) const {
		bool ok = true;
		UNROLLED for (int at = 0; at < MOST; at++) {
			UNROLLED for (int v = 0; v < V; v++) r[at][v] = 0;
			if (!has(at)) continue;
			read_target<T>(r[at], c, k, t, at);
			UNROLLED for (int v = 0; v < V; v++) ok &= takes_target(r[at][v]);
		}
		return !any_lane(!ok);
	}

	template <int V> FN_DEVICE Position position(const float (&logit)[MOST][V], int v, bool logs) const {
		Position o;
		o.top = logit[0][v];
		o.at = 0;
		UNROLLED for (int at = 1; at < MOST; at++) {
			if (logit[at][v] > o.top) {
				o.top = logit[at][v];
				o.at = at;
			}
		}
		o.odds = 0;
		UNROLLED for (int at = 0; at < MOST; at++) {
			o.e[at] = exponential(logit[at][v] - o.top);
			o.odds += at == o.at ? 0.0f : o.e[at];
		}
		o.inverse = reciprocal(1 + o.odds);
		o.log_z = logs ? log1p_of(o.odds) : 0.0f;
		return o;
	}

	template <int V> FN_DEVICE void add(const float (&logit)[MOST][V], const float (&target)[MOST][V], const Tile<V>& t, int v) {
		Position o = position(logit, v, has_logs<set>(f));
		total += t.weight[v];
		UNROLLED for (int at = 0; at < MOST; at++) {
			if (!has(at)) continue;
			float r = target[at][v], p = o.p(at), q = o.q(at), in = t.weight[v] * r, out = t.weight[v] * (1 - r);
			float* s = sums[at];
			s[0] += in;
			s[1] = multiply_add(in, r, s[1]);
			if (f->log_p >= 0) s[2] = multiply_add(in, o.log_p(logit[at][v]), s[2]);
			if (f->powers > 0 && in != 0) s[3] = multiply_add(in, q * q * o.log_p(logit[at][v]), s[3]);
			if (f->region < 0) continue;
			s[4 + TP] = multiply_add(p, in, s[4 + TP]);
			s[4 + FP] = multiply_add(p, out, s[4 + FP]);
			s[4 + FN] = multiply_add(q, in, s[4 + FN]);
			s[4 + TN] = multiply_add(q, out, s[4 + TN]);
		}
	}

	// derive forms h_k q_k − p_k Σ_{c≠k} h_c, where h_c is the derivative of the features
	// of class c by its log-odds, over q_c. The largest class stands apart from the sum,
	// whose other terms are small where its own q is.
	template <int V, class T>
	FN_DEVICE void derive(const float (&logit)[MOST][V], const float (&target)[MOST][V], const Tile<V>& t, View<T> dx, int v) const {
		Position o = position(logit, v, f->powers > 0);
		float h[MOST], rest = 0, largest = 0;
		UNROLLED for (int at = 0; at < MOST; at++) {
			if (!has(at)) continue;
			const float* by = coef + 4 * at;
			float r = target[at][v], p = o.p(at), q = o.q(at);
			h[at] = multiply_add(by[0] * r + by[1] * (1 - r), p, by[2] * r);
			if (f->powers > 0 && r != 0) h[at] += by[3] * r * q * (q - 2 * p * o.log_p(logit[at][v]));
			rest += at == o.at ? 0.0f : h[at];
			largest = at == o.at ? h[at] : largest;
		}
		Pass<float, V, T, set> pass{c, k, t, {}};
		UNROLLED for (int at = 0; at < MOST; at++) {
			if (!has(at)) continue;
			float others = at == o.at ? rest : (rest - h[at]) + largest;
			write(pass, dx, v, at, h[at] * o.q(at) - o.p(at) * others);
		}
	}
};
