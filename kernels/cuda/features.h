// What a loss asks of the positions: the features that are summed, and their
// derivatives. Each follows the rules of losses.md: a feature with r = 0 is 0 even
// where its logarithm is infinite, and a NaN stays one.
#pragma once
#include "math.h"
#include "sums.h"
#include "target.h"

// Values is what V positions of each lane have of one class.
template <class A, int V> struct Values {
	A p[V], q[V], r[V], weight[V];
	A log_p[V], log_q[V]; // where the loss has logarithms
};

// Sets of features that a kernel is compiled for; it has no code for others.
constexpr int REGION = 1, SQUARE = 2, SOFT = 4, LOGS = 8, POWERS = 16;
constexpr int EVERYTHING = REGION | SQUARE | SOFT | LOGS | POWERS;

template <int SET> FN_DEVICE bool has_powers(const Program* f) { return SET & POWERS && f->powers > 0; }
template <int SET> FN_DEVICE bool has_logs(const Program* f) {
	return has_powers<SET>(f) || (SET & LOGS && (f->log_p >= 0 || f->log_q >= 0 || f->log_all >= 0));
}

// nothing is 0, or NaN where p is. A float that is not finite has gone to double
// arithmetic before.
FN_DEVICE float nothing(float) { return 0; }
FN_DEVICE double nothing(double p) { return 0 * p; }

// times is the product of a factor that may be 0 and a logarithm that may be −∞: the
// limit of such a product is 0 here.
template <class A> FN_DEVICE A times(A factor, A log) { return factor == 0 && log < -3e38f ? A(0) : factor * log; }

// minus is p − r without cancellation where both are near 1.
template <class A> FN_DEVICE A minus(A p, A q, A r) { return p < A(0.5) ? p - r : (1 - r) - q; }

// power is u^γ, of a u in [0, 1] that is not clipped, and its logarithm.
template <class A> FN_DEVICE A power(double gamma, A u, A log_u) {
	if (gamma == 2) return u * u;
	if (gamma == 1) return u;
	if (gamma == 0) return 1 + nothing(u);
	return exp_of(A(gamma) * log_u);
}

// Below NEAR_ONE, −ln p = q + q²/2 to full accuracy.
constexpr double NEAR_ONE = 1e-8;

// minus_log is ln(−ln p), and its ratio q/(−ln p). For q near 0 they come from q and its
// logarithm, for −ln p may have underflowed there.
template <class A> FN_DEVICE A minus_log(A q, A log_p, A log_q, A& ratio) {
	if (q < A(NEAR_ONE)) {
		ratio = 1 - q / 2;
		return log_q + q / 2;
	}
	ratio = quotient(q, -log_p);
	return log_of(-log_p);
}

// minus_log_power is (−ln p)^γ.
template <class A> FN_DEVICE A minus_log_power(double gamma, A q, A log_p, A log_q) {
	if (gamma == 1 || log_p != log_p) return -log_p;
	if (gamma == 0) return 1;
	A ratio;
	return exp_of(A(gamma) * minus_log(q, log_p, log_q, ratio));
}

// Clip is the least probability whose logarithm is taken where predictions are
// probabilities; 0 elsewhere.
template <class A> struct Clip {
	A least; // p < least says the same as p < clip in double
	double clip;
};
FN_DEVICE Clip<double> clip_of(double clip, double) { return {clip, clip}; }
FN_DEVICE Clip<float> clip_of(double clip, float) {
	FloatBits b;
	b.f = (float)clip;
	if ((double)b.f < clip) b.u++;
	return {b.f, clip};
}

// clamp brings u to [clip, 1 − clip].
template <class A> FN_DEVICE A clamp(A u, const Clip<A>& k) {
	return u < k.least ? A(k.clip) : 1 - u < k.least ? A(1 - k.clip) : u;
}

// Reduction adds what one class of a tile gives to its cell.
template <class A, int V, int SET> struct Reduction {
	const Program* f;
	const Values<A, V>& x;
	Clip<A> clip;

	FN_DEVICE void add(double* cell) const {
		add_counts(cell);
		if (SET & SOFT && f->soft >= 0) add_soft(cell + f->soft);
		if (SET & SQUARE && f->square >= 0) add_square(cell + f->square);
		if (SET & LOGS && f->log_p >= 0) add_log_p(cell + f->log_p);
		if (SET & LOGS && f->log_q >= 0) add_log_q(cell + f->log_q);
		if (SET & LOGS && f->log_all >= 0) add_log_all(cell + f->log_all);
		for (int i = 0; SET & POWERS && i < f->powers; i++) add_power(cell, f->power[i]);
	}

private:
	// add_counts sums R, NR and RR, and with them TP, FP, FN and TN.
	FN_DEVICE void add_counts(double* cell) const {
		A s[8] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			A r = x.r[v], in = x.weight[v] * r, out = x.weight[v] * (1 - r);
			s[0] += in;
			s[1] += out;
			s[2] = multiply_add(in, r, s[2]);
			s[4 + TP] = multiply_add(x.p[v], in, s[4 + TP]);
			s[4 + FP] = multiply_add(x.p[v], out, s[4 + FP]);
			s[4 + FN] = multiply_add(x.q[v], in, s[4 + FN]);
			s[4 + TN] = multiply_add(x.q[v], out, s[4 + TN]);
		}
		A sum = gather(s);
		u32 number = lane_index() / 4;
		i32 at = number < 4 ? (i32)number : f->region + (i32)number - 4;
		if (lane_index() % 4 == 0 && number != 3 && (number < 4 || f->region >= 0)) cell[at] += (double)sum;
	}

	FN_DEVICE void add_soft(double* sums) const {
		A s[4] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			A w = x.weight[v], d = minus(x.p[v], x.q[v], x.r[v]);
			bool over = d > 0; // a NaN goes the other way and stays one
			s[TP] += w * (over ? x.r[v] : x.p[v]);
			s[FP] += over ? w * d : A(0);
			s[FN] -= over ? A(0) : w * d;
			s[TN] += w * (over ? x.q[v] : 1 - x.r[v]);
		}
		add_to(sums, s);
	}

	FN_DEVICE void add_square(double* sums) const {
		A s[4] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			A w = x.weight[v], d = minus(x.p[v], x.q[v], x.r[v]);
			s[PP] += w * x.p[v] * x.p[v];
			s[SQR] += w * d * d * x.r[v];
			s[SQB] += w * d * d * (1 - x.r[v]);
		}
		add_to(sums, s, 3);
	}

	FN_DEVICE void add_log_p(double* sum) const {
		A s[1] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			s[0] += x.r[v] == 0 ? nothing(x.p[v]) : x.weight[v] * x.r[v] * x.log_p[v];
		}
		add_to(sum, s);
	}

	FN_DEVICE void add_log_q(double* sum) const {
		A s[1] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			s[0] += x.r[v] == 1 ? nothing(x.p[v]) : x.weight[v] * (1 - x.r[v]) * x.log_q[v];
		}
		add_to(sum, s);
	}

	FN_DEVICE void add_log_all(double* sum) const {
		A s[1] = {};
		UNROLLED for (int v = 0; v < V; v++) s[0] += x.weight[v] * x.log_p[v];
		add_to(sum, s);
	}

	FN_DEVICE void add_power(double* cell, const Power& k) const {
		A s[2] = {};
		UNROLLED for (int v = 0; v < V; v++) {
			s[0] += k.explog ? minus_log_term(k.gamma, v)
							 : power_term(k.gamma, v, x.r[v], x.p[v], x.q[v], x.log_p[v], x.log_q[v]);
			if (!k.explog && !k.pos) {
				s[1] += power_term(k.gamma, v, 1 - x.r[v], x.q[v], x.p[v], x.log_q[v], x.log_p[v]);
			}
		}
		add_to(cell + k.off, s, k.explog || k.pos ? 1 : 2);
	}

	// power_term is v t q^γ ln p.
	FN_DEVICE A power_term(double gamma, int v, A t, A p, A q, A log_p, A log_q) const {
		if (t == 0) return nothing(p);
		return x.weight[v] * t * times(power(gamma, clamp(q, clip), log_q), log_p);
	}

	FN_DEVICE A minus_log_term(double gamma, int v) const {
		if (x.r[v] == 0) return nothing(x.p[v]);
		A q = x.q[v] < A(clip.clip) ? A(clip.clip) : x.q[v]; // a NaN stays one
		return x.weight[v] * x.r[v] * minus_log_power(gamma, q, x.log_p[v], x.log_q[v]);
	}
};

// Derivative is of the loss: by p, of the features that are polynomials in it, and by
// the class's own log-odds, of the others, which stay bounded in that form.
template <class A> struct Derivative {
	A by_p, by_odds;
};

// Gradient forms the derivatives at positions of one class. Coefficients are times
// the scale.
template <class A, int SET> struct Gradient {
	const Program* f;
	const double* coef; // of the cell
	double scale;

	FN_DEVICE A at(i32 off) const { return off < 0 ? A(0) : A(scale * coef[off]); }

	template <int V> FN_DEVICE void of(Derivative<A> (&d)[V], const Values<A, V>& x) const {
		UNROLLED for (int v = 0; v < V; v++) d[v] = {0, 0};
		if (SET & REGION && f->region >= 0) region(d, x);
		if (SET & SOFT && f->soft >= 0) soft(d, x);
		if (SET & SQUARE && f->square >= 0) square(d, x);
		if (SET & LOGS && (f->log_p >= 0 || f->log_q >= 0 || f->log_all >= 0)) logs(d, x);
		for (int i = 0; SET & POWERS && i < f->powers; i++) powers(d, x, f->power[i]);
	}

private:
	template <int V> FN_DEVICE void region(Derivative<A> (&d)[V], const Values<A, V>& x) const {
		A in = A(scale * (coef[f->region + TP] - coef[f->region + FN]));
		A out = A(scale * (coef[f->region + FP] - coef[f->region + TN]));
		UNROLLED for (int v = 0; v < V; v++) d[v].by_p += in * x.r[v] + out * (1 - x.r[v]);
	}

	// soft takes the mean of both sides' derivatives where p = r.
	template <int V> FN_DEVICE void soft(Derivative<A> (&d)[V], const Values<A, V>& x) const {
		A under = A(scale * (coef[f->soft + TP] - coef[f->soft + FN]));
		A over = A(scale * (coef[f->soft + FP] - coef[f->soft + TN]));
		UNROLLED for (int v = 0; v < V; v++) {
			A e = minus(x.p[v], x.q[v], x.r[v]);
			d[v].by_p += e < 0 ? under : e > 0 ? over : (under + over) / 2;
		}
	}

	template <int V> FN_DEVICE void square(Derivative<A> (&d)[V], const Values<A, V>& x) const {
		A pp = at(f->square + PP), in = at(f->square + SQR), out = at(f->square + SQB);
		UNROLLED for (int v = 0; v < V; v++) {
			A e = minus(x.p[v], x.q[v], x.r[v]);
			d[v].by_p += 2 * (x.p[v] * pp + e * (in * x.r[v] + out * (1 - x.r[v])));
		}
	}

	template <int V> FN_DEVICE void logs(Derivative<A> (&d)[V], const Values<A, V>& x) const {
		A p = at(f->log_p), q = at(f->log_q), all = at(f->log_all);
		UNROLLED for (int v = 0; v < V; v++) d[v].by_odds += (p * x.r[v] + all) * x.q[v] - q * (1 - x.r[v]) * x.p[v];
	}

	template <int V> FN_DEVICE void powers(Derivative<A> (&d)[V], const Values<A, V>& x, const Power& k) const {
		A pos = at(k.off), neg = k.explog || k.pos ? A(0) : at(k.off + 1);
		UNROLLED for (int v = 0; v < V; v++) {
			if (k.explog) {
				d[v].by_odds -= minus_log_derivative(k.gamma, pos, x.r[v], x.q[v], x.log_p[v], x.log_q[v]);
				continue;
			}
			d[v].by_odds += power_derivative(k.gamma, pos, x.r[v], x.p[v], x.q[v], x.log_p[v], x.log_q[v]);
			d[v].by_odds -= power_derivative(k.gamma, neg, 1 - x.r[v], x.q[v], x.p[v], x.log_q[v], x.log_p[v]);
		}
	}

	// power_derivative is that of t q^γ ln p: q^γ (q − γ p ln p).
	static FN_DEVICE A power_derivative(double gamma, A by, A t, A p, A q, A log_p, A log_q) {
		if (by == 0 || t == 0) return 0;
		A w = power(gamma, q, log_q);
		return by * t * (w * q - A(gamma) * w * times(p, log_p));
	}

	// minus_log_derivative is less that of t (−ln p)^γ: γ (−ln p)^γ q/(−ln p).
	static FN_DEVICE A minus_log_derivative(double gamma, A by, A t, A q, A log_p, A log_q) {
		if (t == 0 || gamma == 0) return 0;
		if (gamma == 1) return by * t * q;
		A ratio, log = minus_log(q, log_p, log_q, ratio);
		return by * t * (A(gamma) * exp_of(A(gamma) * log) * ratio);
	}
};
