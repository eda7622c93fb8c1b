// A tile of any loss, class by class: what serves every activation, any number of
// classes and all features. Arithmetic A is float where the numbers allow it, and
// double where they do not.
#pragma once
#include "activation.h"

// Pass is a tile in one arithmetic: what it reads, and the values that come of that.
template <class A, int V, class T, int SET> struct Pass {
	const Call& c;
	const Chunk& k;
	const Tile<V>& t;
	View<const T> x;

	FN_DEVICE const Program* program() const { return c.program; }
	FN_DEVICE bool logs() const { return has_logs<SET>(program()); }
	FN_DEVICE bool powers() const { return has_powers<SET>(program()); }

	// read reads a class's logits or probabilities, and its target. It reports false
	// if this arithmetic does not take them.
	FN_DEVICE bool read(Values<A, V>& y, A (&logit)[V], i32 at) const {
		read_class(logit, t, x, at);
		read_target<T>(y.r, c, k, t, at);
		bool ok = true;
		UNROLLED for (int v = 0; v < V; v++) {
			y.weight[v] = t.weight[v];
			ok &= takes_target(y.r[v]);
		}
		return ok;
	}

	// pointwise gives a class's values where classes do not depend on each other.
	FN_DEVICE bool pointwise(Values<A, V>& y, i32 at, bool with_logs) const {
		A logit[V];
		bool ok = read(y, logit, at);
		UNROLLED for (int v = 0; v < V; v++) ok &= takes(c, logit[v]);
		if (c.activation == ACT_SIGMOID) {
			sigmoid(y, logit, with_logs);
		} else {
			probabilities(y, logit, with_logs, clip_of(c.clip, A()));
		}
		return ok;
	}

	// statistics sweeps over the classes of the positions. It reports false if this
	// arithmetic does not take them.
	FN_DEVICE bool statistics(Softmax<A> (&s)[V], bool with_logs) const {
		Values<A, V> y;
		A logit[V];
		bool ok = true;
		for (i32 at = 0; at < program()->classes; at++) {
			if (t.labels) {
				read_class(logit, t, x, at);
			} else {
				ok &= read(y, logit, at);
			}
			UNROLLED for (int v = 0; v < V; v++) {
				if (at == 0) {
					s[v].start(logit[v]);
				} else {
					s[v].next(logit[v], at);
				}
			}
		}
		UNROLLED for (int v = 0; v < V; v++) {
			s[v].end(with_logs);
			ok &= takes_softmax(s[v]);
		}
		return ok;
	}

	// softmax gives a class's values from the statistics.
	FN_DEVICE void softmax(Values<A, V>& y, A (&logit)[V], const Softmax<A> (&s)[V], i32 at, bool with_logs) const {
		read(y, logit, at);
		UNROLLED for (int v = 0; v < V; v++) {
			s[v].probability(logit[v], at, y.p[v], y.q[v]);
			if (with_logs) s[v].logarithms(logit[v], at, y.p[v], y.q[v], y.log_p[v], y.log_q[v]);
		}
	}

	FN_DEVICE Clip<A> clip() const { return clip_of(c.activation == ACT_NONE ? c.clip : 0, A()); }

private:
	FN_DEVICE bool takes_softmax(const Softmax<float>& s) const { return s.takes(c.limit); }
	FN_DEVICE bool takes_softmax(const Softmax<double>&) const { return true; }
};

// write brings the derivative at a tile's position to the gradient. A position that
// does not exist gets 0, whatever the derivative is.
template <class A, int V, class T, int SET> FN_DEVICE void write(const Pass<A, V, T, SET>& pass, View<T> dx, int v, i32 at, A g) {
	if (pass.t.at(v) >= pass.k.length) return;
	A weight = pass.t.weight[v];
	if (weight == 0) g = 0;
	T* to = dx.at(at, pass.t.at(v));
	g *= weight;
	if (pass.c.accumulate) g += widen<A>(*to);
	store_streaming(to, Narrow<T, A>::of(g));
}

// Stateless is a kernel that keeps nothing from tile to tile.
struct Stateless {
	const Call& c;
	const Chunk& k;

	FN_DEVICE Stateless(const Call& c, const Chunk& k) : c(c), k(k) {}
	FN_DEVICE void prepare() {}
	FN_DEVICE void flush(double*) {}
};

// reduce_apart and differentiate_apart do a tile whose numbers are out of the ordinary
// in double arithmetic, position by position. They are calls, so that they cost the
// others neither registers nor instructions; a call takes numbers, for a struct would
// go through memory. first is the lane's first position. A kernel whose classes do not
// depend on each other does class `at` alone.
template <int V, class Kernel, class T>
FN_APART void reduce_apart(i64 chunk, i32 first, const T* x, i64 by_class, i64 by_position, double* row, i32 at) {
	const Call& c = shared_call();
	Chunk k(c, chunk);
#pragma unroll 1
	for (int v = 0; v < V; v++) {
		Tile<1> t;
		t.template load<false>(c, k, first + v * WARP);
		Kernel::reduce_double(Pass<double, 1, T, Kernel::set>{c, k, t, {x, by_class, by_position}}, row, at);
	}
}
template <int V, class Kernel, class T>
FN_APART void differentiate_apart(i64 chunk, i32 first, const T* x, i64 by_class, i64 by_position, T* dx, i64 dx_by_class, i64 dx_by_position, i32 at) {
	const Call& c = shared_call();
	Chunk k(c, chunk);
#pragma unroll 1
	for (int v = 0; v < V; v++) {
		Tile<1> t;
		t.template load<false>(c, k, first + v * WARP);
		Kernel::differentiate_double(Pass<double, 1, T, Kernel::set>{c, k, t, {x, by_class, by_position}}, {dx, dx_by_class, dx_by_position}, at);
	}
}

// coefficients are those of class `at` of a chunk's sample.
FN_DEVICE const double* coefficients(const Call& c, const Chunk& k, i32 at) {
	return c.coef + (k.sample * c.program->classes + at) * c.program->sums;
}

// add_total adds Σ v of a tile to a row.
template <class A, int V> FN_DEVICE void add_total_in(double* row, const Tile<V>& t) {
	A sum[1] = {};
	UNROLLED for (int v = 0; v < V; v++) sum[0] += t.weight[v];
	add_to(row, sum);
}
template <class A, int V> FN_DEVICE void add_total(double* row, const Tile<V>& t) {
	if (sizeof(A) == sizeof(double) || any_lane(t.odd)) {
		add_total_in<double>(row, t);
	} else {
		add_total_in<float>(row, t);
	}
}

// Pointwise reduces and differentiates a tile whose classes do not depend on each other.
template <int SET> struct Pointwise : Stateless {
	static constexpr int set = SET;
	using Stateless::Stateless;

	template <class A, int V, class T> static FN_DEVICE bool reduce_class(const Pass<A, V, T, SET>& pass, double* cell, i32 at) {
		Values<A, V> y;
		bool ok = pass.pointwise(y, at, pass.logs());
		if (any_lane(!ok)) return false;
		Reduction<A, V, SET>{pass.program(), y, pass.clip()}.add(cell);
		return true;
	}

	template <class T> static FN_DEVICE void reduce_double(const Pass<double, 1, T, SET>& pass, double* row, i32 at) {
		reduce_class(pass, row + 1 + (i64)at * pass.program()->sums, at);
	}

	template <int V, class T> FN_DEVICE void reduce(const Tile<V>& t, View<const T> x, double* row) const {
		using A = typename Element<T>::Arithmetic;
		add_total<A>(row, t);
		bool odd = sizeof(A) < sizeof(double) && any_lane(t.odd);
		for (i32 at = 0; at < c.program->classes; at++) {
			double* cell = row + 1 + (i64)at * c.program->sums;
			if (!odd && reduce_class(Pass<A, V, T, SET>{c, k, t, x}, cell, at)) continue;
			if (sizeof(A) < sizeof(double)) reduce_apart<V, Pointwise>(k.index, t.first, x.base, x.by_class, x.by_position, row, at);
		}
	}

	template <class A, int V, class T>
	static FN_DEVICE bool differentiate_class(const Pass<A, V, T, SET>& pass, View<T> dx, i32 at) {
		Values<A, V> y;
		bool ok = pass.pointwise(y, at, pass.powers());
		if (any_lane(!ok)) return false;
		Derivative<A> d[V];
		Gradient<A, SET>{pass.program(), coefficients(pass.c, pass.k, at), pass.c.scale}.of(d, y);
		Clip<A> clip = pass.clip();
		bool probabilities = pass.c.activation == ACT_NONE;
		UNROLLED for (int v = 0; v < V; v++) {
			A p = y.p[v], q = y.q[v], g = probabilities ? d[v].by_p : d[v].by_p * p * q + d[v].by_odds;
			// where p or q is clipped, the features of logarithms are constant
			if (probabilities && d[v].by_odds != 0 && !(p < clip.least || q < clip.least)) g += quotient(d[v].by_odds, p * q);
			write(pass, dx, v, at, g);
		}
		return true;
	}

	template <class T> static FN_DEVICE void differentiate_double(const Pass<double, 1, T, SET>& pass, View<T> dx, i32 at) {
		differentiate_class(pass, dx, at);
	}

	template <int V, class T>
	FN_DEVICE void differentiate(const Tile<V>& t, View<const T> x, View<T> dx, bool odd) const {
		using A = typename Element<T>::Arithmetic;
		odd = sizeof(A) < sizeof(double) && (odd || any_lane(t.odd));
		for (i32 at = 0; at < c.program->classes; at++) {
			if (!odd && differentiate_class(Pass<A, V, T, SET>{c, k, t, x}, dx, at)) continue;
			if (sizeof(A) < sizeof(double)) differentiate_apart<V, Pointwise>(k.index, t.first, x.base, x.by_class, x.by_position, dx.base, dx.by_class, dx.by_position, at);
		}
	}
};

// AnySoftmax does the same under softmax. It reads the logits once for what they have
// in common, and once more to reduce them or twice to differentiate.
template <int SET> struct AnySoftmax : Stateless {
	static constexpr int set = SET;
	using Stateless::Stateless;

	template <class A, int V, class T> static FN_DEVICE bool reduce_tile(const Pass<A, V, T, SET>& pass, double* row) {
		const Program* f = pass.program();
		bool logs = pass.logs();
		Softmax<A> s[V];
		bool ok = pass.statistics(s, logs);
		if (any_lane(!ok)) return false;
		for (i32 at = 0; at < f->classes; at++) {
			Values<A, V> y;
			A logit[V];
			pass.softmax(y, logit, s, at, logs);
			Reduction<A, V, SET>{f, y, pass.clip()}.add(row + 1 + (i64)at * f->sums);
		}
		return true;
	}

	template <class T> static FN_DEVICE void reduce_double(const Pass<double, 1, T, SET>& pass, double* row, i32) {
		reduce_tile(pass, row);
	}

	template <int V, class T> FN_DEVICE void reduce(const Tile<V>& t, View<const T> x, double* row) const {
		using A = typename Element<T>::Arithmetic;
		add_total<A>(row, t);
		bool odd = sizeof(A) < sizeof(double) && any_lane(t.odd);
		if (!odd && reduce_tile(Pass<A, V, T, SET>{c, k, t, x}, row)) return;
		if (sizeof(A) < sizeof(double)) reduce_apart<V, AnySoftmax>(k.index, t.first, x.base, x.by_class, x.by_position, row, 0);
	}

	// by_odds is u, the derivative of the features of class `at` by its log-odds.
	template <class A, int V, class T>
	static FN_DEVICE void by_odds(const Pass<A, V, T, SET>& pass, Values<A, V>& y, A (&logit)[V], A (&u)[V], const Softmax<A> (&s)[V], i32 at) {
		const Program* f = pass.program();
		pass.softmax(y, logit, s, at, pass.powers());
		Derivative<A> d[V];
		Gradient<A, SET>{f, coefficients(pass.c, pass.k, at), pass.c.scale}.of(d, y);
		UNROLLED for (int v = 0; v < V; v++) u[v] = d[v].by_p * y.p[v] * y.q[v] + d[v].by_odds;
	}

	// differentiate_tile forms u_k − Σ_{c≠k} u_c p_k/q_c. The sum over all classes but
	// the largest serves every k, for their q is not small.
	template <class A, int V, class T>
	static FN_DEVICE bool differentiate_tile(const Pass<A, V, T, SET>& pass, View<T> dx) {
		Softmax<A> s[V];
		bool ok = pass.statistics(s, pass.powers());
		if (any_lane(!ok)) return false;
		Values<A, V> y;
		A logit[V], u[V], largest[V] = {}, rest[V] = {};
		for (i32 at = 0; at < pass.program()->classes; at++) {
			by_odds(pass, y, logit, u, s, at);
			UNROLLED for (int v = 0; v < V; v++) {
				if (at == s[v].at) {
					largest[v] = u[v];
				} else {
					rest[v] += quotient(u[v], y.q[v]);
				}
			}
		}
		for (i32 at = 0; at < pass.program()->classes; at++) {
			by_odds(pass, y, logit, u, s, at);
			UNROLLED for (int v = 0; v < V; v++) {
				A g = at == s[v].at ? u[v] - y.p[v] * rest[v]
									: u[v] - y.p[v] * (rest[v] - quotient(u[v], y.q[v])) - largest[v] * s[v].odds_against(logit[v]);
				write(pass, dx, v, at, g);
			}
		}
		return true;
	}

	template <class T> static FN_DEVICE void differentiate_double(const Pass<double, 1, T, SET>& pass, View<T> dx, i32) {
		differentiate_tile(pass, dx);
	}

	template <int V, class T>
	FN_DEVICE void differentiate(const Tile<V>& t, View<const T> x, View<T> dx, bool odd) const {
		using A = typename Element<T>::Arithmetic;
		odd = sizeof(A) < sizeof(double) && (odd || any_lane(t.odd));
		if (!odd && differentiate_tile(Pass<A, V, T, SET>{c, k, t, x}, dx)) return;
		if (sizeof(A) < sizeof(double)) differentiate_apart<V, AnySoftmax>(k.index, t.first, x.base, x.by_class, x.by_position, dx.base, dx.by_class, dx.by_position, 0);
	}
};
