package segloss_test

import (
	"context"
	"fmt"
	"log"

	"github.com/segloss/segloss/kernels"
)

func Example() {
	loss, err := kernels.Parse("dice(smooth=1) + 0.5*ce")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := kernels.New[float32](loss, kernels.Spec{N: 1, C: 2, S: 4, Activation: kernels.Softmax})
	if err != nil {
		log.Fatal(err)
	}
	logits := []float32{2, 1, 2, -1, -2, -1, -2, 1} // class 0, then class 1
	labels := []uint8{0, 0, 0, 1}
	grad := make([]float32, len(logits))
	v, err := plan.ForwardBackward(context.Background(), grad, logits, kernels.Labels(labels), kernels.Grad{Scale: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f, gradient of the lesion's logit %.4f\n", v.Loss, grad[7])

	// Output: loss 0.1012, gradient of the lesion's logit -0.0410
}
