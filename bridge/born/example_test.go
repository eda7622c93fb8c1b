package born_test

import (
	"fmt"
	"log"

	"github.com/born-ml/born/autodiff"
	"github.com/born-ml/born/backend/cpu"
	"github.com/born-ml/born/nn"
	"github.com/born-ml/born/optim"
	"github.com/born-ml/born/tensor"

	"github.com/segloss/segloss/bridge/born"
	"github.com/segloss/segloss/kernels"
)

// A linear model of two features finds the two lesion voxels among eight. Its
// output is [S, C], one sample in layout NSC.
func Example() {
	backend := autodiff.New(cpu.New())
	features, err := tensor.FromSlice([]float32{
		.1, .5, .2, .4, .1, .6, .9, .4, .8, .6, .2, .5, .1, .7, .3, .3}, tensor.Shape{8, 2}, backend)
	if err != nil {
		log.Fatal(err)
	}
	labels := kernels.Labels([]uint8{0, 0, 0, 1, 1, 0, 0, 0})
	zeros := tensor.Zeros[float32](tensor.Shape{2, 2}, backend) // nn.NewLinear draws at random
	w := nn.NewParameter("w", zeros)

	loss, err := kernels.Parse("dice(background=false) + ce")
	if err != nil {
		log.Fatal(err)
	}
	criterion := born.New[float32](backend, loss, kernels.Softmax, kernels.NSC)
	optimizer := optim.NewSGD([]*nn.Parameter[*autodiff.Backend[*cpu.Backend]]{w}, optim.SGDConfig{LR: 1}, backend)
	for step := range 41 {
		backend.Tape().Clear()
		backend.Tape().StartRecording()
		y, err := criterion.Forward(features.MatMul(w.Tensor()), labels)
		if err != nil {
			log.Fatal(err)
		}
		if step%20 == 0 {
			fmt.Printf("step %2d: loss %.3f\n", step, y.Data()[0])
		}
		optimizer.Step(autodiff.Backward(y, backend))
	}
	// Output:
	// step  0: loss 1.360
	// step 20: loss 0.695
	// step 40: loss 0.507
}
