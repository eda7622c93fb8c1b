/*
 * segloss for C, and for whatever calls C: losses for image segmentation with rare
 * classes, and their gradients.
 *
 *     go build -buildmode=c-shared -o libsegloss.so github.com/segloss/segloss/bridge/c
 *
 * A prediction has n samples of c classes at s positions, all spatial axes
 * flattened. A plan is made once for a loss and a shape and holds the memory it needs.
 * One thread at a time may use a plan. Every call returns SEGLOSS_OK or the kind of
 * error; with `error` not NULL, a message is stored there, to be freed with
 * segloss_free_string. No buffer is written after an error in the arguments.
 */
#ifndef SEGLOSS_H
#define SEGLOSS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { /* what a call returns */
	SEGLOSS_OK = 0,
	SEGLOSS_ERROR_SHAPE,   /* a size or a type */
	SEGLOSS_ERROR_LABEL,   /* a label out of range */
	SEGLOSS_ERROR_WEIGHT,  /* a weight negative or not finite */
	SEGLOSS_ERROR_OPTION,  /* the loss expression, or an option */
	SEGLOSS_ERROR_ALIAS,   /* buffers overlap */
	SEGLOSS_ERROR_STALE,   /* no forward pass for this backward pass */
	SEGLOSS_ERROR_BACKEND, /* not available on this machine */
	SEGLOSS_ERROR_NAN,     /* not a number */
	SEGLOSS_ERROR_POINTER, /* a pointer that is NULL, a plan that is none */
	SEGLOSS_ERROR_OTHER
};

enum { SEGLOSS_FLOAT32, SEGLOSS_FLOAT64 };                /* elements of predictions */
enum { SEGLOSS_NONE, SEGLOSS_SIGMOID, SEGLOSS_SOFTMAX };  /* activation; none: probabilities */
enum { SEGLOSS_NCS, SEGLOSS_NSC };                        /* layout: planar, channels-last */
enum { SEGLOSS_DENSE, SEGLOSS_UINT8, SEGLOSS_INT32, SEGLOSS_INT64 }; /* target: dense, or labels */

/* The shape and meaning of predictions, and options whose zero is the default. */
typedef struct {
	int64_t n, c, s; /* at most so many samples, classes, positions */
	int32_t type, activation, layout;
	int32_t workers;     /* threads of a call; 0: one for each core */
	int32_t has_ignore;  /* 1: positions with the label `ignore` do not exist */
	int64_t ignore;
	double clip;         /* least probability whose logarithm is taken; 0: 1e-7 */
	const char *backend; /* generic, avx2, avx512; NULL: the best */
} segloss_spec;

/* What a prediction is compared with. A dense target has the type and layout of the
 * prediction, labels are [n, s], and so are weights and mask, which may be NULL. */
typedef struct {
	const void *data;
	int32_t type;
	int64_t n, s; /* size of this batch; 0: the plan's */
	const float *weights;
	const uint8_t *mask;
} segloss_target;

typedef uint64_t segloss_plan; /* 0 is none */

#ifndef SEGLOSS_TYPES_ONLY

/* Makes a plan for a loss such as "dice(batch=true) + 0.5*ce". */
int segloss_new(const char *loss, const segloss_spec *spec, segloss_plan *plan, char **error);
void segloss_free(segloss_plan plan);

/* The loss of prediction x. */
int segloss_forward(segloss_plan plan, const void *x, const segloss_target *target, double *loss, char **error);

/* The gradient by x, times scale, of the last forward pass or finish, into dx: over
 * what is there, or added to it. dx is x itself, or apart from it. */
int segloss_backward(segloss_plan plan, void *dx, const void *x, const segloss_target *target,
	double scale, int accumulate, char **error);

/* Both at once, which is faster. */
int segloss_forward_backward(segloss_plan plan, void *dx, const void *x, const segloss_target *target,
	double scale, int accumulate, double *loss, char **error);

/* A batch over several machines. `sums` has segloss_sums_size numbers, one row for
 * each sample of the whole batch, all zero at first; reduce fills the rows from `row`
 * on; the sums of all machines are added up (MPI_Allreduce, ncclAllReduce); finish gives
 * every machine the loss of the whole batch, and backward its part of the gradient. */
int64_t segloss_sums_size(segloss_plan plan, int64_t rows);
int segloss_reduce(segloss_plan plan, double *sums, int64_t rows, int64_t row, const void *x,
	const segloss_target *target, char **error);
int segloss_finish(segloss_plan plan, const double *sums, int64_t rows, int64_t row, double *loss, char **error);

/* The list of losses with their options, formulas and sources, as JSON. */
char *segloss_losses(void);
void segloss_free_string(char *s);

#endif

#ifdef __cplusplus
}
#endif
#endif
