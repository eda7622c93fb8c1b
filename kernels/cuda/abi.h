// What the host hands to the kernels. program.go and call.go write the same
// structs in Go, and a test holds the sizes and offsets to each other.
#pragma once
#include "shim.h"

// MAX_POWERS bounds the features with an exponent of one loss.
constexpr int MAX_POWERS = 4;

// Offsets of the sums that every cell has; package losses has the same.
constexpr int OFF_R = 0, OFF_NR = 1, OFF_RR = 2;
// Offsets within the region, soft and square groups of a cell.
constexpr int TP = 0, FP = 1, FN = 2, TN = 3;
constexpr int PP = 0, SQR = 1, SQB = 2;

// Power is a feature with an exponent: Σ v r q^γ ln p at off and, unless pos,
// Σ v (1−r) p^γ ln q after it; or, with explog, Σ v r (−ln p)^γ alone.
struct Power {
	double gamma;
	i32 off;
	i32 explog, pos;
	i32 pad;
};

// How a term is finished.
enum Finish : i32 {
	FINISH_DICE, FINISH_DICE_SQUARED, FINISH_DICE2, FINISH_IOU, FINISH_TVERSKY,
	FINISH_FOCAL_TVERSKY, FINISH_SS, FINISH_GDL, FINISH_EXP_LOG_DICE,
	FINISH_WCE,
	FINISH_LINEAR, // Σ_c (weights · sums) / divisor
};

// What divides a linear term, and what its weights depend on.
enum Divisor : i32 { DIV_ONE, DIV_ELEMENTS, DIV_POSITIONS, DIV_WEIGHTED };

enum WeightType : i32 { WEIGHT_SQUARE, WEIGHT_SIMPLE, WEIGHT_UNIFORM };
enum AbsentWeight : i32 { ABSENT_MAX, ABSENT_ZERO, ABSENT_EPS };

// Term is one term of the loss with its options.
struct Term {
	double coef;
	double smooth_nr, smooth_dr, eps, weight_eps, alpha, beta, gamma, lambda;
	i32 finish;
	i32 batch, background, soft, invert_empty, detach;
	i32 sum;         // reduction=sum
	i32 skip;        // absent=skip
	i32 weight_type, absent_weight, scaled;
	i32 divisor;     // of a linear term
	i32 by_freq;     // its weights are (Σ f / f_c)^½ of the batch's own label frequencies
	i32 off[2];      // of its sums within a cell, −1 for none
	i32 weights;     // where its 2 C weights (w_c of off[0], then of off[1]) start among
	                 // the numbers; of a region term its C weights, −1 for none
	i32 class_weight; // of DIV_WEIGHTED: where the C weights of R start, −1 for 1
	i32 shift;        // the mean is to be taken times 2^shift, which the weights of a region
	                  // term have lost; of a linear one it keeps what they add up to normal
};

// Program is a loss, compiled for C classes: the header, then `terms` Terms, then
// `numbers` doubles.
struct Program {
	i32 classes, sums; // C, and K: sums of a cell; a row of sums is M, then C cells
	i32 region, soft, square, log_p, log_q, log_all; // offsets within a cell, −1 for none
	i32 powers, terms, numbers;
	i32 custom;        // a term that only the host can finish
	u32 of_r, of_rest; // a bit for each sum of a cell that has a factor r, or 1−r
	Power power[MAX_POWERS];

	FN_DEVICE const Term* term(int i) const { return (const Term*)(this + 1) + i; }
	FN_DEVICE const double* number(int i) const { return (const double*)term(terms) + i; }
	FN_DEVICE i64 stride() const { return 1 + (i64)classes * sums; }
};

enum Activation : i32 { ACT_NONE, ACT_SIGMOID, ACT_SOFTMAX };

// What a target's elements are: dense ones of the prediction's type or floats, or labels.
enum TargetKind : i32 {
	TARGET_OWN, TARGET_F32,
	TARGET_U8, TARGET_I32, TARGET_I64, TARGET_I8, TARGET_I16, TARGET_U16, TARGET_U32,
};

// Places among the counters: samples done, the last launch whose loss is finished, and from
// FIRST_SAMPLE on the chunks done of each sample.
constexpr int SAMPLES = 0, EPOCH = 1, FIRST_SAMPLE = 2;

// The passes of a launch. FINISH finishes sums that are there already, in one block.
constexpr i32 REDUCE = 1, BACKWARD = 2, FINISH = 4;

// Call is the parameter of every entry.
struct Call {
	const void* x;           // prediction
	void* dx;                // gradient
	const void* target;
	const float* weights;    // of positions, or null
	const u8* mask;          // of positions, or null
	const Program* program;
	double* sums;            // n rows
	double* coef;            // n × C × K: ∂L/∂sum
	double* result;          // the loss, then the value of each term
	double* partial;         // n × per_sample rows: sums of chunks
	double* scratch;         // a row for each warp of the grid, or null where shared memory has them
	double* cells;           // 1 + C × K + 2 × n × C: what finish keeps between its steps
	u64* bad;                // the least position with a bad label or weight; all ones for none
	u32* counters;           // see below; all 0 before the first launch
	i64 s;                   // positions of a sample
	i64 chunk;               // positions of a chunk
	i64 ignore;              // label to ignore
	double scale;            // of the gradient
	double clip;
	float limit;             // of logits, or of their spread, that float arithmetic takes
	u32 n;                   // samples
	u32 per_sample;          // chunks of a sample
	u32 epoch;               // number of this launch, for the grid barrier
	i32 activation, target_kind;
	i32 has_ignore, accumulate;
	i32 channels_last;
	i32 finish;              // 1: the last block finishes the loss
	i32 cached;              // 1: a block keeps its chunks of the prediction on the chip
	i32 passes;              // REDUCE, BACKWARD or both; or FINISH
};

// The same sizes are in the tests of the host's structs.
static_assert(sizeof(Power) == 24);
static_assert(sizeof(Term) == 144);
static_assert(sizeof(Program) == 152);
static_assert(sizeof(Call) == 200);
static_assert(__builtin_offsetof(Call, s) == 112);
static_assert(__builtin_offsetof(Call, n) == 156);
