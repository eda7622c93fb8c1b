// From predictions to probabilities, their complements and their logarithms, and
// from derivatives by probabilities and log-odds back to predictions.
#pragma once
#include "features.h"

// takes reports whether float arithmetic serves a prediction; double takes all. Where there
// is no position the prediction has become 0, which both take.
FN_DEVICE bool takes(const Call& c, float x) {
	if (c.activation == ACT_SIGMOID) return __builtin_fabsf(x) <= c.limit;
	return ordinary(x, 0x1p-40f, 16);
}
FN_DEVICE bool takes(const Call&, double) { return true; }

// takes_target does the same for r.
FN_DEVICE bool takes_target(float r) { return ordinary(r, LEAST_WEIGHT, MOST_WEIGHT); }
FN_DEVICE bool takes_target(double) { return true; }

// sigmoid forms the smaller of p and q from the exponential itself, so that both keep
// their relative accuracy.
template <class A, int V> FN_DEVICE void sigmoid(Values<A, V>& x, const A (&logit)[V], bool logs) {
	UNROLLED for (int v = 0; v < V; v++) {
		bool negative = logit[v] < 0;
		A e = exp_of(negative ? logit[v] : -logit[v]);
		A larger = reciprocal(1 + e), smaller = e * larger;
		x.p[v] = negative ? smaller : larger;
		x.q[v] = negative ? larger : smaller;
		if (!logs) continue;
		A near = -log1p_of(e), far = (negative ? logit[v] : -logit[v]) + near;
		x.log_p[v] = negative ? far : near;
		x.log_q[v] = negative ? near : far;
	}
}

// probabilities takes p = x as it is; the logarithms are those of the clipped pair,
// whose ends are rounded from double.
template <class A, int V>
FN_DEVICE void probabilities(Values<A, V>& x, const A (&p)[V], bool logs, const Clip<A>& k) {
	A least = 0, most = 0;
	if (logs) {
		least = A(log_of(k.clip));
		most = A(log1p_of(-k.clip));
	}
	UNROLLED for (int v = 0; v < V; v++) {
		A q = 1 - p[v];
		x.p[v] = p[v];
		x.q[v] = q;
		if (!logs) continue;
		bool low = p[v] < k.least, high = q < k.least;
		x.log_p[v] = low ? least : high ? most : log_of(p[v]);
		x.log_q[v] = low ? most : high ? least : p[v] < A(0.5) ? log1p_of(-p[v]) : log_of(q);
	}
}

// Softmax is what a position's logits have in common. The class with the largest
// stands apart from the others, whose exponentials have a maximum of their own: then
// nothing cancels, and nothing underflows that matters.
template <class A> struct Softmax {
	A top, second; // logits
	i32 at;        // class of the largest
	A others;      // Σ e^(x − second) over the other classes
	A odds;        // Σ e^(x − top) over them, which is q/p of the largest
	A inverse;     // p of the largest
	A log_z;       // −ln p of the largest, where the loss has logarithms
	A least;       // logit

	// start takes the first class, next another one.
	FN_DEVICE void start(A x) {
		top = least = x;
		second = -__builtin_inff();
		at = 0;
		others = 0;
	}
	FN_DEVICE void next(A x, i32 c) {
		least = x < least ? x : least;
		if (x > top) {
			others = others == 0 ? A(1) : others * exp_of(second - top) + 1;
			second = top;
			top = x;
			at = c;
		} else if (x > second) {
			others = others == 0 ? A(1) : others * exp_of(second - x) + 1;
			second = x;
		} else {
			others += gone(x) ? A(0) : exp_of(x - second);
		}
	}
	FN_DEVICE void end(bool logs) {
		bool finite = __builtin_fabs(top) < __builtin_inff();
		odds = others == 0 ? A(0) : others * exp_of(second - top);
		if (!finite) odds = top - top; // NaN
		inverse = reciprocal(1 + odds);
		log_z = logs ? log1p_of(odds) : A(0);
	}

	FN_DEVICE bool takes(float limit) const { return top - least <= limit && odds == odds; }

	// probability sets p and q of class c, whose logit is x.
	FN_DEVICE void probability(A x, i32 c, A& p, A& q) const {
		A e = exp_of(x - top);
		p = c == at ? inverse : e * inverse;
		q = (c == at ? odds : 1 + (odds - e)) * inverse;
	}
	FN_DEVICE void logarithms(A x, i32 c, A p, A q, A& log_p, A& log_q) const {
		log_p = (c == at ? A(0) : x - top) - log_z;
		log_q = c == at ? log_of(others) + (second - top) - log_z : -log1p_of(quotient(p, q));
	}
	// odds_against is p_k/q of the largest, for another class k with logit x.
	FN_DEVICE A odds_against(A x) const { return gone(x) ? A(0) : quotient(exp_of(x - second), others); }

private:
	static FN_DEVICE bool gone(A x) { return x == -__builtin_inff(); }
};
