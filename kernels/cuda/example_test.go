package cuda_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

// Tensors in Go slices, on the interpreter: without SEGLOSS_CUDA it is the first GPU.
func Example() {
	os.Setenv(cuda.Env, "sim")
	defer os.Unsetenv(cuda.Env)
	dev, err := cuda.Open(0)
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	loss, err := kernels.Parse("dice(smooth=1) + 0.5*ce")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := dev.New(loss, kernels.Spec{N: 1, C: 2, S: 4, Activation: kernels.Softmax}, cuda.Float32)
	if err != nil {
		log.Fatal(err)
	}
	defer plan.Close()
	host, err := cuda.NewHost[float32](plan)
	if err != nil {
		log.Fatal(err)
	}
	defer host.Close()
	logits := []float32{2, 1, 2, -1, -2, -1, -2, 1} // class 0, then class 1
	grad := make([]float32, len(logits))
	v, err := host.ForwardBackward(context.Background(), grad, logits, kernels.Labels([]uint8{0, 0, 0, 1}), kernels.Grad{Scale: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f, gradient of the lesion's logit %.4f\n", v.Loss, grad[7])
	// Output: loss 0.1012, gradient of the lesion's logit -0.0410
}

// Tensors in device memory: a framework has their addresses, and its stream.
func ExamplePlan_Forward() {
	os.Setenv(cuda.Env, "sim")
	defer os.Unsetenv(cuda.Env)
	dev, err := cuda.Open(0)
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	loss, err := kernels.Parse("dice(smooth=0)")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := dev.New(loss, kernels.Spec{N: 1, C: 1, S: 4}, cuda.BFloat16)
	if err != nil {
		log.Fatal(err)
	}
	defer plan.Close()
	x, y := upload(dev, []byte{0x80, 0x3f, 0, 0, 0, 0x3f, 0, 0}), upload(dev, []byte{1, 0, 1, 0}) // 1, 0, ½, 0
	if err := plan.Forward(0, x, cuda.Labels(y, cuda.Uint8)); err != nil {
		log.Fatal(err)
	}
	v, err := plan.Value() // waits
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", v.Loss)
	// Output: 0.1429
}

func upload(dev *cuda.Device, b []byte) uintptr {
	p, err := dev.Alloc(len(b))
	if err == nil {
		err = dev.CopyIn(p, b, 0)
	}
	if err != nil {
		log.Fatal(err)
	}
	return p
}
