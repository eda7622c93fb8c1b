/*
 * segloss for C, and for whatever calls C: losses for image segmentation with rare
 * classes, and their gradients.
 *
 *     go build -buildmode=c-shared -o libsegloss.so .
 *
 * in a clone of the repository, in bridge/c.
 *
 * A prediction has n samples of c classes at s positions, all spatial axes
 * flattened. A plan is made once for a loss and a shape and holds the memory it needs.
 * Every call returns SEGLOSS_OK or the kind of error; with `error` not NULL, a message
 * is stored there, to be freed with segloss_free_string, or NULL, which may be freed as
 * well. No buffer is written after an error in the arguments. A NaN in x is no error:
 * the loss is NaN.
 *
 * Calls on one plan wait for each other. Backward belongs to the last forward pass of
 * any thread, so that threads that train have a plan each, or hold a lock of their own
 * over both. After fork the child must not call the library, whose threads it does not
 * have: calls may wait for ever. Use posix_spawn, or exec first.
 *
 * Sizes are held against limits, not against the memory that there is: where it is
 * used up, the process ends.
 */
#ifndef SEGLOSS_H
#define SEGLOSS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { /* what a call returns */
	SEGLOSS_OK = 0,
	SEGLOSS_ERROR_SHAPE,   /* a size */
	SEGLOSS_ERROR_LABEL,   /* a label out of range */
	SEGLOSS_ERROR_WEIGHT,  /* a weight negative or not finite */
	SEGLOSS_ERROR_OPTION,  /* the loss expression, an option; a type, activation or layout that is none */
	SEGLOSS_ERROR_ALIAS,   /* buffers overlap */
	SEGLOSS_ERROR_STALE,   /* no forward pass for this backward pass */
	SEGLOSS_ERROR_BACKEND, /* not available on this machine */
	SEGLOSS_ERROR_POINTER, /* a pointer that is NULL, a plan that is none */
	SEGLOSS_ERROR_OTHER
};

enum { SEGLOSS_FLOAT32, SEGLOSS_FLOAT64 };                /* elements of predictions */
/* activation; none: x has probabilities. Logits beside none, as where it was forgotten, are
 * no error: region losses may become negative or larger than 1, and ce is 16.1 with gradient 0
 * where the logit of the right class is below 0. Probabilities beside softmax keep ce at
 * or above 0.313 for two classes, and beside sigmoid bce. */
enum { SEGLOSS_NONE, SEGLOSS_SIGMOID, SEGLOSS_SOFTMAX };
enum { SEGLOSS_NCS, SEGLOSS_NSC };                        /* layout: planar, channels-last */
enum { /* target: dense, or labels */
	SEGLOSS_DENSE, SEGLOSS_UINT8, SEGLOSS_INT32, SEGLOSS_INT64, SEGLOSS_INT8, SEGLOSS_INT16, SEGLOSS_UINT16, SEGLOSS_UINT32
};

/* The shape and meaning of predictions, and options whose zero is the default. */
typedef struct {
	int64_t n, c, s; /* at most so many samples, classes, positions */
	int32_t type, activation, layout;
	int32_t workers;     /* threads of a call; 0: one for each core */
	int32_t has_ignore;  /* 1: positions with the label `ignore` do not exist; a dense target is an error then */
	int64_t ignore;
	double clip;         /* least probability whose logarithm is taken; 0: 1e-7 */
	const char *backend; /* generic, avx2, avx512; NULL: the best */
} segloss_spec;

/* What a prediction is compared with. A dense target has the type and layout of the
 * prediction, labels are [n, s], and so are weights and mask, which may be NULL. */
typedef struct {
	const void *data;
	int32_t type;
	int64_t n, s; /* size of this batch; both 0: the plan's. One alone is 0 only if the plan's is */
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
 * what is there, or, with accumulate not 0, added to it. dx is x itself, or apart from
 * it; to accumulate, apart from it. */
int segloss_backward(segloss_plan plan, void *dx, const void *x, const segloss_target *target,
	double scale, int accumulate, char **error);

/* Both at once, which is faster. */
int segloss_forward_backward(segloss_plan plan, void *dx, const void *x, const segloss_target *target,
	double scale, int accumulate, double *loss, char **error);

/* A batch over several machines. `sums` has segloss_sums_size numbers, one row for
 * each sample of the whole batch; reduce fills the rows from `row` on and leaves the
 * others, which have to be 0: before every step all is set to 0, since the sums of the
 * last step have everybody's rows. The sums of all machines are added up
 * (MPI_Allreduce, ncclAllReduce); finish gives every machine the loss of the whole
 * batch, and backward its part of the gradient. A size of 0 says that rows is below 0
 * or far beyond any memory, or that the plan is none. */
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
