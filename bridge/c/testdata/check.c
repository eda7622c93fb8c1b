/* What the interface promises, called from C. Each failure is a line. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../segloss.h"

static int failures;

#define CHECK(ok) \
	do { \
		if (!(ok)) { \
			printf("line %d: not true: %s\n", __LINE__, #ok); \
			failures++; \
		} \
	} while (0)

/* An error of a kind, whose message says a word. */
static void expect(int line, int status, char *error, int want, const char *word) {
	if (status != want || error == NULL || strstr(error, word) == NULL) {
		printf("line %d: status %d and \"%s\", want %d and \"%s\"\n", line, status, error ? error : "", want, word);
		failures++;
	}
	segloss_free_string(error);
}

#define ERROR(call, want, word) \
	do { \
		char *error = NULL; \
		int status = call; \
		expect(__LINE__, status, error, want, word); \
	} while (0)

enum { N = 2, C = 3, S = 5 };
static const float x[N * C * S] = {1, -2, .5, 3, -1, 0, 2, -.5, 1, 1, -3, 0, 0, 2, 1, .1, .2, .3, .4, .5, 5, 4, 3, 2, 1, -1, -2, -3, -4, -5};
static const uint8_t y[N * S] = {0, 1, 2, 2, 1, 0, 0, 1, 2, 255};

static void errors(void) {
	segloss_spec spec = {.n = N, .c = C, .s = S, .activation = SEGLOSS_SOFTMAX};
	segloss_target target = {.data = y, .type = SEGLOSS_UINT8};
	segloss_plan plan = 0;
	float dx[N * C * S];
	double loss = -1;

	ERROR(segloss_new("dise", &spec, &plan, &error), SEGLOSS_ERROR_OPTION, "dice");
	ERROR(segloss_new(NULL, &spec, &plan, &error), SEGLOSS_ERROR_POINTER, "NULL");
	spec.backend = "abacus";
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_BACKEND, "abacus");
	spec.backend = NULL;
	spec.c = 0;
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_SHAPE, "C");
	spec.c = C;
	spec.type = 7;
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_OPTION, "type = 7");
	spec.type = SEGLOSS_FLOAT32;
	spec.activation = 256 + SEGLOSS_SOFTMAX;
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_OPTION, "activation = 258");
	spec.activation = 3;
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_OPTION, "3");
	spec.activation = SEGLOSS_SOFTMAX;
	spec.layout = -1;
	ERROR(segloss_new("dice", &spec, &plan, &error), SEGLOSS_ERROR_OPTION, "layout = -1");
	spec.layout = SEGLOSS_NCS;
	CHECK(plan == 0);

	CHECK(segloss_new("dice", &spec, &plan, NULL) == SEGLOSS_OK);
	ERROR(segloss_backward(plan, dx, x, &target, 1, 0, &error), SEGLOSS_ERROR_STALE, "");
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_LABEL, "[9] = 255");
	ERROR(segloss_forward(plan, NULL, &target, &loss, &error), SEGLOSS_ERROR_POINTER, "x is NULL");
	ERROR(segloss_forward(plan, x, NULL, &loss, &error), SEGLOSS_ERROR_POINTER, "target is NULL");
	target.s = S + 1;
	target.n = N;
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_SHAPE, "s = 6");
	target.s = 0;
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_SHAPE, "target.s = 0 with target.n = 2");
	target.s = S;
	target.n = 0;
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_SHAPE, "target.n = 0 with target.s = 5");
	target.n = 1;
	char *none = "none";
	CHECK(segloss_forward(plan, x, &target, NULL, &none) == SEGLOSS_OK && none == NULL);
	ERROR(segloss_backward(plan, (float *)x + 1, x, &target, 1, 0, &error), SEGLOSS_ERROR_ALIAS, "dx");
	float negative[S] = {1, 1, -1, 1, 1};
	target.weights = negative;
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_WEIGHT, "[2] = -1");
	CHECK(loss == -1);
	segloss_free(plan);
	segloss_free(plan);
	ERROR(segloss_forward(plan, x, &target, &loss, &error), SEGLOSS_ERROR_POINTER, "does not exist");
	CHECK(segloss_sums_size(plan, 1) == 0);
}

/* A forward pass that fails leaves the one before it to go back from. */
static void failed(void) {
	segloss_spec spec = {.n = 1, .c = C, .s = S, .activation = SEGLOSS_SOFTMAX};
	segloss_target good = {.data = y, .type = SEGLOSS_UINT8}, bad = {.data = y + S, .type = SEGLOSS_UINT8};
	float want[C * S], got[C * S];
	double loss;
	segloss_plan plan;
	CHECK(segloss_new("dice", &spec, &plan, NULL) == SEGLOSS_OK);
	CHECK(segloss_forward_backward(plan, want, x, &good, 1, 0, &loss, NULL) == SEGLOSS_OK);
	ERROR(segloss_forward(plan, x, &bad, &loss, &error), SEGLOSS_ERROR_LABEL, "255");
	ERROR(segloss_forward_backward(plan, got, x, &bad, 1, 0, &loss, &error), SEGLOSS_ERROR_LABEL, "255");
	ERROR(segloss_finish(plan, NULL, 1, 0, &loss, &error), SEGLOSS_ERROR_POINTER, "sums");
	double sums[100] = {0};
	ERROR(segloss_finish(plan, sums, 1, 2, &loss, &error), SEGLOSS_ERROR_SHAPE, "row = 2");
	CHECK(segloss_backward(plan, got, x, &good, 1, 0, NULL) == SEGLOSS_OK);
	CHECK(memcmp(got, want, sizeof want) == 0);
	segloss_free(plan);
}

/* A plan without samples or positions takes batches of just that. */
static void nothing(void) {
	static const struct { int64_t n, s; } sizes[] = {{0, S}, {N, 0}, {0, 0}};
	for (int i = 0; i < 3; i++) {
		segloss_spec spec = {.n = sizes[i].n, .c = C, .s = sizes[i].s, .activation = SEGLOSS_SOFTMAX};
		segloss_target target = {.type = SEGLOSS_UINT8, .n = spec.n, .s = spec.s};
		double loss = -1;
		segloss_plan plan;
		CHECK(segloss_new("dice", &spec, &plan, NULL) == SEGLOSS_OK);
		CHECK(segloss_forward(plan, NULL, &target, &loss, NULL) == SEGLOSS_OK && loss == 0);
		segloss_free(plan);
	}
}

/* Threads that share a plan, each with a prediction of its own. */
enum { BIG = 3000, THREADS = 4 };

static struct job {
	float x[C * BIG], dx[C * BIG];
	double loss;
	int wrong;
} jobs[THREADS];
static const uint8_t background[BIG];
static segloss_plan shared;

static void *work(void *arg) {
	struct job *job = arg;
	segloss_target target = {.data = background, .type = SEGLOSS_UINT8};
	for (int k = 0; k < 300; k++) {
		float dx[C * BIG];
		double loss;
		int status = segloss_forward_backward(shared, dx, job->x, &target, 1, 0, &loss, NULL);
		if (status != SEGLOSS_OK || loss != job->loss || memcmp(dx, job->dx, sizeof dx) != 0)
			job->wrong++;
	}
	return NULL;
}

static void threads(void) {
	segloss_spec spec = {.n = 1, .c = C, .s = BIG, .activation = SEGLOSS_SOFTMAX};
	segloss_target target = {.data = background, .type = SEGLOSS_UINT8};
	pthread_t running[THREADS];
	CHECK(segloss_new("dice", &spec, &shared, NULL) == SEGLOSS_OK);
	for (int i = 0; i < THREADS; i++) {
		for (int k = 0; k < C * BIG; k++)
			jobs[i].x[k] = (float)(k * (i + 3) % 17) / 4;
		CHECK(segloss_forward_backward(shared, jobs[i].dx, jobs[i].x, &target, 1, 0, &jobs[i].loss, NULL) == SEGLOSS_OK);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&running[i], NULL, work, &jobs[i]) == 0);
	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_join(running[i], NULL) == 0);
		CHECK(jobs[i].wrong == 0);
	}
	segloss_free(shared);
}

/* Two shards of a batch, whose labels have one to ignore, give the bits of the whole. */
static void shards(void) {
	segloss_spec spec = {.n = N, .c = C, .s = S, .activation = SEGLOSS_SOFTMAX, .has_ignore = 1, .ignore = 255};
	segloss_target target = {.data = y, .type = SEGLOSS_UINT8}, part = {.type = SEGLOSS_UINT8, .n = 1, .s = S};
	segloss_plan plan;
	float want[N * C * S], got[N * C * S];
	double loss, again, sums[2][1000] = {{0}};
	CHECK(segloss_new("dice(batch=true) + ce + gdl", &spec, &plan, NULL) == SEGLOSS_OK);
	CHECK(segloss_forward_backward(plan, want, x, &target, 2, 0, &loss, NULL) == SEGLOSS_OK);

	int64_t size = segloss_sums_size(plan, N);
	CHECK(size > 0 && size <= 1000);
	CHECK(segloss_sums_size(plan, N * 1000) == size * 1000);
	CHECK(segloss_sums_size(plan, -1) == 0 && segloss_sums_size(plan, INT64_MAX / 2) == 0);
	for (int i = 0; i < N; i++) {
		part.data = y + i * S;
		CHECK(segloss_reduce(plan, sums[i], N, i, x + i * C * S, &part, NULL) == SEGLOSS_OK);
	}
	for (int k = 0; k < size; k++)
		sums[0][k] += sums[1][k];
	for (int i = 0; i < N; i++) {
		part.data = y + i * S;
		CHECK(segloss_finish(plan, sums[0], N, i, &again, NULL) == SEGLOSS_OK);
		CHECK(again == loss);
		CHECK(segloss_backward(plan, got + i * C * S, x + i * C * S, &part, 2, 0, NULL) == SEGLOSS_OK);
	}
	CHECK(memcmp(got, want, sizeof want) == 0);
	ERROR(segloss_reduce(plan, NULL, N, 0, x, &target, &error), SEGLOSS_ERROR_POINTER, "sums is NULL");
	ERROR(segloss_reduce(plan, sums[0], -1, 0, x, &target, &error), SEGLOSS_ERROR_SHAPE, "rows = -1");
	ERROR(segloss_finish(plan, sums[0], INT64_MAX, 0, &loss, &error), SEGLOSS_ERROR_SHAPE, "rows = 9223372036854775807");
	segloss_free(plan);
}

/* float64, a dense target, every type of labels, a mask, a gradient that is added. */
static void kinds(void) {
	segloss_spec spec = {.n = 1, .c = 1, .s = 4, .type = SEGLOSS_FLOAT64, .activation = SEGLOSS_SIGMOID};
	double logits[] = {1, -2, .5, 3}, r[] = {0, 1, 1, 0}, dx[] = {1, 1, 1, 1}, alone[4], loss, other;
	uint8_t mask[] = {1, 1, 0, 1}, u8[] = {0, 1, 1, 0};
	int8_t i8[] = {0, 1, 1, 0}, low[] = {0, -1, 1, 0};
	int16_t i16[] = {0, 1, 1, 0};
	int32_t i32[] = {0, 1, 1, 0};
	int64_t i64[] = {0, 1, 1, 0};
	uint16_t u16[] = {0, 1, 1, 0};
	uint32_t u32[] = {0, 1, 1, 0}, high[] = {0, 4294967295u, 1, 0};
	const void *data[] = {r, u8, i32, i64, i8, i16, u16, u32};
	segloss_plan plan;
	CHECK(segloss_new("dice + bce", &spec, &plan, NULL) == SEGLOSS_OK);
	for (int type = SEGLOSS_DENSE; type <= SEGLOSS_UINT32; type++) {
		segloss_target target = {.data = data[type], .type = type, .mask = mask};
		CHECK(segloss_forward_backward(plan, alone, logits, &target, 1, 0, type ? &other : &loss, NULL) == SEGLOSS_OK);
		CHECK(type == SEGLOSS_DENSE || fabs(other - loss) < 1e-15);
		CHECK(alone[2] == 0 && alone[1] < 0 && alone[3] > 0);
		if (type == SEGLOSS_DENSE) {
			CHECK(segloss_backward(plan, dx, logits, &target, 1, 1, NULL) == SEGLOSS_OK);
			CHECK(dx[2] == 1 && dx[1] == 1 + alone[1]);
		}
	}
	segloss_plan ignoring;
	segloss_target floats = {.data = r};
	spec.has_ignore = 1;
	spec.ignore = 255;
	CHECK(segloss_new("dice + bce", &spec, &ignoring, NULL) == SEGLOSS_OK);
	ERROR(segloss_forward(ignoring, logits, &floats, &loss, &error), SEGLOSS_ERROR_OPTION, "ignore index 255 is for labels");
	ERROR(segloss_forward_backward(ignoring, dx, logits, &floats, 1, 0, &loss, &error), SEGLOSS_ERROR_OPTION, "ignore index");
	CHECK(dx[2] == 1);
	segloss_free(ignoring);
	segloss_target below = {.data = low, .type = SEGLOSS_INT8}, beyond = {.data = high, .type = SEGLOSS_UINT32};
	ERROR(segloss_forward(plan, logits, &below, &loss, &error), SEGLOSS_ERROR_LABEL, "[1] = -1");
	ERROR(segloss_forward(plan, logits, &beyond, &loss, &error), SEGLOSS_ERROR_LABEL, "[1] = 4294967295");
	segloss_target odd = {.data = r, .type = 9};
	ERROR(segloss_forward(plan, logits, &odd, &loss, &error), SEGLOSS_ERROR_OPTION, "type = 9");
	segloss_target dense = {.data = r};
	ERROR(segloss_forward_backward(plan, logits, logits, &dense, 1, 1, &loss, &error), SEGLOSS_ERROR_ALIAS, "in place");
	logits[3] = NAN;
	CHECK(segloss_forward(plan, logits, &dense, &loss, NULL) == SEGLOSS_OK && isnan(loss));
	segloss_free(plan);
}

int main(void) {
	errors();
	failed();
	nothing();
	threads();
	shards();
	kinds();
	char *list = segloss_losses();
	CHECK(strstr(list, "\"focal_tversky\"") != NULL);
	segloss_free_string(list);
	return failures != 0;
}
