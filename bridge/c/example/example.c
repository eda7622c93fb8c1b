/* A loss and its gradient. In bridge/c:
 *
 *     go build -buildmode=c-shared -o libsegloss.so .
 *     cc example/example.c -o example.out -L. -lsegloss -Wl,-rpath,. && ./example.out
 */
#include <stdio.h>

#include "../segloss.h"

int main(void) {
	segloss_spec spec = {.n = 1, .c = 2, .s = 4, .type = SEGLOSS_FLOAT32, .activation = SEGLOSS_SOFTMAX};
	float logits[] = {2, 1, 2, -1, -2, -1, -2, 1}; /* class 0, then class 1 */
	uint8_t labels[] = {0, 0, 0, 1};
	segloss_target target = {.data = labels, .type = SEGLOSS_UINT8};
	float gradient[8];
	segloss_plan plan;
	char *error;
	double loss;

	if (segloss_new("dice(smooth=1) + 0.5*ce", &spec, &plan, &error) != SEGLOSS_OK ||
	    segloss_forward_backward(plan, gradient, logits, &target, 1, 0, &loss, &error) != SEGLOSS_OK) {
		fprintf(stderr, "%s\n", error);
		segloss_free_string(error);
		return 1;
	}
	printf("loss %.4f, gradient of the lesion's logit %.4f\n", loss, gradient[7]);
	segloss_free(plan);
	return 0;
}
