// From the sums to the loss and its derivatives by them, in double: what package losses
// does on the host, by one block.
#pragma once
#include "abi.h"
#include "math.h"

// Cell is the sums of one (sample, class) pair by name, or the partial derivatives of a
// loss by them.
struct Cell {
	double m, r, nr, rr, tp, fp, fn, tn, pp, sqr, sqb, lp, lq;
};

FN_DEVICE i32 region_offset(const Program* f, const Term* t) { return t->soft ? f->soft : f->region; }

FN_DEVICE Cell load_cell(const Program* f, const Term* t, double m, const double* s) {
	Cell c = {m, s[OFF_R], s[OFF_NR], s[OFF_RR]};
	if (i32 o = region_offset(f, t); o >= 0) {
		c.tp = s[o + TP];
		c.fp = s[o + FP];
		c.fn = s[o + FN];
		c.tn = s[o + TN];
	}
	if (f->square >= 0) {
		c.pp = s[f->square + PP];
		c.sqr = s[f->square + SQR];
		c.sqb = s[f->square + SQB];
	}
	if (f->log_p >= 0) c.lp = s[f->log_p];
	if (f->log_q >= 0) c.lq = s[f->log_q];
	return c;
}

// add_scaled leaves a sum alone where the derivative is 0, so that an infinite scale does
// not turn "does not depend" into NaN.
FN_DEVICE void add_scaled(double* to, double scale, double d) {
	if (d != 0) *to += scale * d;
}

FN_DEVICE void store_cell(const Program* f, const Term* t, double* coef, const Cell& d, double scale) {
	if (i32 o = region_offset(f, t); o >= 0) {
		add_scaled(coef + o + TP, scale, d.tp);
		add_scaled(coef + o + FP, scale, d.fp);
		add_scaled(coef + o + FN, scale, d.fn);
		add_scaled(coef + o + TN, scale, d.tn);
	}
	if (f->square >= 0) {
		add_scaled(coef + f->square + PP, scale, d.pp);
		add_scaled(coef + f->square + SQR, scale, d.sqr);
		add_scaled(coef + f->square + SQB, scale, d.sqb);
	}
	if (f->log_p >= 0) add_scaled(coef + f->log_p, scale, d.lp);
	if (f->log_q >= 0) add_scaled(coef + f->log_q, scale, d.lq);
}

// where is the derivative d by a sum of squares, which is 0 where the sum is: every square
// is at its least. No 0·∞ comes of a denominator near 0.
FN_DEVICE double where(double sum, double d) { return sum == 0 ? 0 : d; }

// ratio is t/den with its derivative by t; 0/0 is 0 with derivative 0.
struct Ratio {
	double value, slope;
};
FN_DEVICE Ratio ratio(double t, double den) {
	if (t == 0 && den == 0) return {0, 0};
	return {t / den, 1 / den};
}

// exponent is that of x where it is a normal number.
FN_APART i32 exponent(double x) {
	DoubleBits b = {x};
	return (i32)(b.u >> 52 & 0x7ff) - 1023;
}

// shifted is x·2^n.
FN_APART double shifted(double x, i32 n) { return scale(x, n); }

// scaled is a·b/d·2^shift, also where double has no room for a·b or b/d.
FN_APART double scaled(double a, double b, double d, i32 shift) {
	i32 i = exponent(a), j = exponent(b), k = exponent(d);
	return shifted(shifted(a, -i) * shifted(b, -j) / shifted(d, -k), i + j - k + shift);
}

// overlap finishes a loss t/den = 1 − num/den, given both t and num so that nothing
// cancels. den grows with TP by by_tp, and with FP and FN by fp and fn, as t does.
FN_DEVICE double overlap(Cell& d, double t, double num, double den, double by_tp, double fp, double fn) {
	if (t == 0 && den == 0) return 0;
	double l = t / den, rest = num / den;
	d.tp = -by_tp * (l / den);
	d.fp = fp * rest / den;
	d.fn = fn * rest / den;
	return l;
}

// raise turns a region value u with derivatives d into u^γ. Under the floor the gradient
// is 0.
FN_DEVICE double raise(double u, double gamma, Cell& d) {
	constexpr double floor = 1e-7;
	if (gamma == 1) return u;
	if (gamma < 1 && u < floor) {
		d = {};
		return power_of(floor, gamma);
	}
	double by = gamma * power_of(u, gamma - 1);
	if (d.tp != 0) d.tp *= by; // no 0·∞
	if (d.fp != 0) d.fp *= by;
	if (d.fn != 0) d.fn *= by;
	return power_of(u, gamma);
}

FN_DEVICE double finish_dice_squared(const Term* t, const Cell& s, Cell& d) {
	Ratio l = ratio(s.sqr + s.sqb + (t->smooth_dr - t->smooth_nr), s.pp + s.rr + t->smooth_dr);
	d.sqr = where(s.sqr, l.slope);
	d.sqb = where(s.sqb, l.slope);
	d.pp = where(s.pp, -l.value * l.slope);
	return l.value;
}

// finish_dice2 is ½(FP+FN−ε)(1/A + 1/B) with A = 2I+FP+FN+ε and B = 2TN+FP+FN+ε.
FN_DEVICE double finish_dice2(const Term* t, const Cell& s, Cell& d) {
	double e = s.fp + s.fn, up = e - t->eps;
	Ratio a = ratio(up, 2 * s.tp + e + t->eps), b = ratio(up, 2 * s.tn + e + t->eps);
	d.tp = -a.value * a.slope;
	d.tn = -b.value * b.slope;
	d.fp = d.fn = (s.tp + t->eps) * a.slope * a.slope + (s.tn + t->eps) * b.slope * b.slope;
	return (a.value + b.value) / 2;
}

// finish_tversky is iou where alpha and beta are 1, and dice where TP counts twice as
// well. An empty cell of iou may be finished on (1−p, 1−r). It divides everything by a power
// of two where α FP and β FN might be too large.
FN_DEVICE double finish_tversky(const Term* t, const Cell& s, Cell& d) {
	bool plain = t->finish == FINISH_DICE || t->finish == FINISH_IOU;
	bool invert = t->finish == FINISH_IOU && t->invert_empty && s.r == 0;
	double alpha = plain ? 1 : t->alpha, beta = plain ? 1 : t->beta, one = 1;
	double tp = invert ? s.tn : s.tp, fp = invert ? s.fn : s.fp, fn = invert ? s.fp : s.fn;
	if (alpha > 0x1p512 || beta > 0x1p512) one = 0x1p-600;
	alpha *= one;
	beta *= one;
	double nr = one * t->smooth_nr, dr = one * t->smooth_dr;
	if (t->finish == FINISH_DICE) one = 2;
	double e = alpha * fp + beta * fn, hit = one * tp;
	Cell g = {};
	double l = overlap(g, e + (dr - nr), hit + nr, hit + e + dr, one, alpha, beta);
	d.fp = invert ? g.fn : g.fp;
	d.fn = invert ? g.fp : g.fn;
	(invert ? d.tn : d.tp) = g.tp;
	return l;
}

FN_DEVICE double finish_ss(const Term* t, const Cell& s, Cell& d) {
	Ratio sens = ratio(s.sqr, s.r + t->eps), spec = ratio(s.sqb, s.nr + t->eps);
	d.sqr = where(s.sqr, t->lambda * sens.slope);
	d.sqb = where(s.sqb, (1 - t->lambda) * spec.slope);
	return t->lambda * sens.value + (1 - t->lambda) * spec.value;
}

// finish_log_dice is −ln D = ln(1 + t/num), t = FP+FN+(s_dr−s_nr), and where t/num has lost
// what matters, ln den − ln num.
FN_DEVICE double finish_log_dice(const Term* t, const Cell& s, Cell& d) {
	double e = s.fp + s.fn, up = e + (t->smooth_dr - t->smooth_nr);
	double num = 2 * s.tp + t->smooth_nr, den = 2 * s.tp + e + t->smooth_dr;
	double quotient = ratio(up, num).value;
	if (up != 0 || num != 0) {
		d.tp = -2 * (up / den) / num;
		d.fp = d.fn = 1 / den;
	}
	bool apart = quotient < -0.5 || quotient == (double)INFINITE;
	return apart ? log_of(den) - log_of(num) : log1p_of(quotient);
}

// finish_wce is −(w LP + LQ), over M unless the cells are summed plainly. With no
// positive LP is 0 and wins over a w that may be infinite.
FN_DEVICE double finish_wce(const Term* t, const Cell& s, Cell& d) {
	double m = t->sum ? 1 : s.m;
	d.lq = -1 / m;
	if (s.lp == 0) return -s.lq / m;
	Ratio w = ratio(s.fn + s.tn, s.tp + s.fp + t->eps);
	d.lp = -w.value / m;
	if (!t->detach) {
		d.fn = d.tn = -s.lp / m * w.slope;
		d.tp = d.fp = s.lp / m * w.value * w.slope;
	}
	if (w.value == 0) return -s.lq / m; // no 0·∞
	return -(w.value * s.lp + s.lq) / m;
}

// finish_cell is the value of one cell, whose derivatives it leaves in d.
FN_DEVICE double finish_cell(const Term* t, const Cell& s, Cell& d) {
	d = {};
	double u;
	switch (t->finish) {
	case FINISH_DICE_SQUARED: return finish_dice_squared(t, s, d);
	case FINISH_DICE2: return finish_dice2(t, s, d);
	case FINISH_SS: return finish_ss(t, s, d);
	case FINISH_WCE: return finish_wce(t, s, d);
	case FINISH_EXP_LOG_DICE: u = finish_log_dice(t, s, d); break;
	default: u = finish_tversky(t, s, d);
	}
	return t->finish == FINISH_EXP_LOG_DICE || t->finish == FINISH_FOCAL_TVERSKY ? raise(u, t->gamma, d) : u;
}

// gdl_side is one over the root of the weight of a class of volume r, 0 for an absent one;
// with weight_type=simple one over the weight itself. Of a small r there may be no square.
FN_APART double gdl_side(const Term* t, double r) {
	double eps = t->absent_weight == ABSENT_EPS ? t->weight_eps : 0;
	if (t->weight_type == WEIGHT_UNIFORM) return 1;
	if (t->weight_type == WEIGHT_SIMPLE) return r + eps;
	if (eps == 0) return r;
	double e = root(eps), large = r > e ? r : e, small = r > e ? e : r;
	return large * root(1 + small / large * (small / large));
}

// gdl_times is v times the volume of a side.
FN_DEVICE double gdl_times(const Term* t, double v, double side) {
	if (t->weight_type == WEIGHT_SQUARE) v *= side;
	return v * side;
}

// gdl_weight is the weight of a class relative to that of a class of side unit; an absent
// one may have that of the least side there is.
FN_APART double gdl_weight(const Term* t, double r, double unit, double least) {
	double side = gdl_side(t, r);
	if (side == 0) {
		if (t->absent_weight == ABSENT_ZERO) return 0;
		side = least;
	}
	return gdl_times(t, 1, unit / side);
}

// finish_gdl is the value of one sample. With coef it adds the derivatives, times by.
FN_DEVICE double finish_gdl(const Program* f, const Term* t, const double* row, double* coef, double by) {
	i32 first = t->background ? 0 : 1;
	double least = INFINITE; // the side of the smallest class that is there
	for (i32 c = first; c < f->classes; c++) {
		double side = gdl_side(t, row[1 + c * f->sums + OFF_R]);
		if (side > 0 && side < least) least = side;
	}
	if (least == (double)INFINITE) least = 1;
	// The largest weight is 1. Without scaled it is that of a side of 1, and below that
	// side the smoothing is divided instead: 1/R² may be too large.
	double unit = least, nr = t->smooth_nr, dr = t->smooth_dr;
	if (!t->scaled) {
		if (unit > 1) unit = 1;
		nr = gdl_times(t, nr, unit);
		dr = gdl_times(t, dr, unit);
	}
	double up = dr - nr, num = nr, den = dr;
	for (i32 c = first; c < f->classes; c++) {
		const double* cell = row + 1 + c * f->sums;
		const double* s = cell + f->region;
		double w = gdl_weight(t, cell[OFF_R], unit, least);
		up += w * (s[FP] + s[FN]);
		num += w * 2 * s[TP];
		den += w * (2 * s[TP] + s[FP] + s[FN]);
	}
	double l = 0;
	for (i32 c = first; c < f->classes; c++) {
		double w = gdl_weight(t, row[1 + c * f->sums + OFF_R], unit, least);
		Cell d = {};
		l = overlap(d, up, num, den, 2 * w, w, w);
		if (!coef) continue;
		double* to = coef + c * f->sums + f->region;
		add_scaled(to + TP, by, d.tp);
		add_scaled(to + FP, by, d.fp);
		add_scaled(to + FN, by, d.fn);
	}
	return l;
}

// value_of is the value of class c of a row, or of all its classes. With coef, the coefficients
// of the row's sample, it adds the derivatives, times scale.
FN_APART double value_of(const Program* f, const Term* t, const double* row, i32 c, double* coef, double scale) {
	if (t->finish == FINISH_GDL) return finish_gdl(f, t, row, coef, scale);
	Cell d;
	Cell s = load_cell(f, t, row[0], row + 1 + c * f->sums);
	double v = finish_cell(t, s, d);
	if (coef) store_cell(f, t, coef + c * f->sums, d, scale);
	return v;
}

// Finishing is what the steps of finish share.
struct Finishing {
	const Program* f;
	const double* sums;
	double* coef;
	double* total;  // one row: the sum of all rows in order
	double* value;  // of each cell of the term under way
	double* weight; // and its weight in the mean, −1 where it takes no part
	u32 n;
	double* shared; // of the block: the divisor, then the value of the term, times 2^−shift

	FN_DEVICE const double* row(const Term* t, u32 i) const { return t->batch ? total : sums + i * f->stride(); }
	FN_DEVICE u32 rows(const Term* t) const { return t->batch && n > 1 ? 1 : n; }
	FN_DEVICE i32 per_row(const Term* t) const { return t->finish == FINISH_GDL ? 1 : f->classes; }

	// add_rows sums all rows, and reports whether there is a NaN among them.
	FN_DEVICE bool add_rows() const {
		bool nan = false;
		for (i64 k = thread_index(); k < f->stride(); k += THREADS) {
			double sum = 0;
			for (u32 i = 0; i < n; i++) {
				double v = sums[i * f->stride() + k];
				sum += v;
				nan |= v != v;
			}
			total[k] = sum;
		}
		return nan;
	}

	FN_DEVICE double weight_of(const Term* t, const double* row, i32 c) const {
		if (row[0] == 0) return -1;
		if (t->finish == FINISH_GDL || t->finish == FINISH_WCE) return 1;
		if (c == 0 && !t->background) return -1;
		if (t->skip && row[1 + c * f->sums + OFF_R] == 0) return -1;
		return t->weights < 0 ? 1 : f->number(t->weights)[c];
	}

	// evaluate gives the values of the term's cells.
	FN_DEVICE void evaluate(const Term* t) const {
		i32 per = per_row(t);
		for (i64 i = thread_index(); i < (i64)rows(t) * per; i += THREADS) {
			const double* r = row(t, (u32)(i / per));
			i32 c = (i32)(i % per);
			weight[i] = weight_of(t, r, c);
			value[i] = value_of(f, t, r, c, nullptr, 0);
		}
	}

	// mean leaves the divisor and the mean of the values, added in their order.
	FN_DEVICE void mean(const Term* t) const {
		double num = 0, div = 0, samples = 0;
		i32 per = per_row(t);
		for (u32 i = 0; i < rows(t); i++) {
			if (double m = row(t, i)[0]; m > 0 || m != m) samples++;
			for (i32 c = 0; c < per; c++) {
				double w = weight[i * (i64)per + c];
				if (w >= 0) div += w;
				if (w > 0) num += w * value[i * (i64)per + c];
			}
		}
		if (t->sum) div = t->finish == FINISH_WCE ? 1 : samples;
		shared[0] = div;
		shared[1] = div == 0 ? 0 : num / div;
	}

	// differentiate adds the term's coefficients. A thread has whole cells, or samples.
	FN_DEVICE void differentiate(const Term* t) const {
		double div = shared[0];
		i32 per = per_row(t);
		if (div == 0 || t->coef == 0) return;
		for (i64 i = thread_index(); i < (i64)n * per; i += THREADS) {
			u32 s = (u32)(i / per);
			i32 c = (i32)(i % per);
			double w = weight[t->batch ? c : i];
			if (w <= 0) continue;
			value_of(f, t, row(t, s), c, coef + (i64)s * f->classes * f->sums, scaled(t->coef, w, div, t->shift));
		}
	}

	// divisor is what divides a linear term, times 2^−e. The weight of a class that is not
	// there may be too large beside those that are.
	FN_DEVICE double divisor(const Term* t, i32& e) const {
		double sum = 0, largest = 0;
		e = 0;
		switch (t->divisor) {
		case DIV_ONE: return 1;
		case DIV_ELEMENTS: return f->classes * total[0];
		case DIV_POSITIONS: return total[0];
		}
		for (i32 i = 0; i < 2 * f->classes; i++) {
			i32 c = i % f->classes;
			if (i == f->classes) e = exponent(largest);
			double r = total[1 + c * f->sums + OFF_R], w = t->class_weight < 0 ? 1 : f->number(t->class_weight)[c];
			if (r == 0) continue;
			if (w > largest) largest = w;
			if (i >= f->classes) sum += shifted(w, -e) * r;
		}
		return sum;
	}

	// linear_weight is w_c of one of the term's two sums.
	FN_DEVICE double linear_weight(const Term* t, i32 which, i32 c, double frequencies) const {
		if (!t->by_freq) return f->number(t->weights)[which * f->classes + c];
		double r = total[1 + c * f->sums + OFF_R];
		return r == 0 || which > 0 ? 0 : root(frequencies / r);
	}

	// linear finishes a pointwise term, whose coefficients are those of every sample.
	FN_DEVICE void linear(const Term* t) const {
		i32 e;
		double div = divisor(t, e), frequencies = 0, value = 0;
		for (i32 c = 0; c < f->classes; c++) frequencies += total[1 + c * f->sums + OFF_R];
		for (i32 i = 0; div != 0 && i < 2 * f->classes; i++) {
			i32 c = i / 2, off = t->off[i % 2];
			double w = off < 0 ? 0 : linear_weight(t, i % 2, c, frequencies);
			if (w == 0) continue;
			off += c * f->sums;
			if (total[1 + off] != 0) value += scaled(w, total[1 + off], div, -e - t->shift);
			double d = scaled(t->coef, w, div, -e);
			for (u32 s = thread_index(); s < n; s += THREADS) coef[(i64)s * f->classes * f->sums + off] += d;
		}
		if (thread_index() == 0) shared[1] = value;
	}

	// drop_empty clears the coefficients that are too large of sums in which no position has a
	// share, since r or 1−r is 0 at all of them: the gradient would make 0·∞.
	FN_DEVICE void drop_empty() const {
		for (i64 i = thread_index(); i < (i64)n * f->classes * f->sums; i += THREADS) {
			if (__builtin_fabs(coef[i]) <= 0x1p100) continue;
			i64 cell = i / f->sums;
			u32 bit = 1u << (i - cell * f->sums);
			const double* s = sums + cell / f->classes * f->stride() + 1 + cell % f->classes * f->sums;
			if ((f->of_r & bit && s[OFF_R] == 0) || (f->of_rest & bit && s[OFF_NR] == 0)) coef[i] = 0;
		}
	}

	// term leaves the value of a term, and adds its coefficients.
	FN_DEVICE void term(const Term* t) const {
		if (t->finish == FINISH_LINEAR) return linear(t);
		evaluate(t);
		block_barrier();
		if (thread_index() == 0) mean(t);
		block_barrier();
		differentiate(t);
	}
};

// finish computes the loss from the sums of n samples and stores it in result, with the
// value of each term behind it, and in coef its derivatives by the sums. All threads of
// one block call it. cells is a row of sums and two numbers for each cell long.
FN_APART void finish(const Program* f, const double* sums, double* coef, double* result, double* cells, u32 n) {
	__shared__ double shared[2];
	__shared__ bool nans[WARPS];
	i64 numbers = (i64)n * f->classes;
	Finishing all = {f, sums, coef, cells, cells + f->stride(), cells + f->stride() + numbers, n, shared};
	for (i64 i = thread_index(); i < numbers * f->sums; i += THREADS) coef[i] = 0;
	bool nan = any_lane(all.add_rows());
	if (thread_index() % WARP == 0) nans[thread_index() / WARP] = nan;
	block_barrier();
	nan = false;
	for (u32 w = 0; w < WARPS; w++) nan |= nans[w];
	double loss = 0;
	for (i32 i = 0; i < f->terms; i++) {
		const Term* t = f->term(i);
		all.term(t);
		block_barrier();
		double value = nan ? (double)__builtin_nanf("") : shifted(shared[1], t->shift);
		if (t->coef != 0 || nan) loss += t->coef * value;
		if (thread_index() == 0) result[1 + i] = value;
		block_barrier();
	}
	all.drop_empty();
	if (thread_index() == 0) result[0] = loss;
}
