package spago_test

import (
	"fmt"
	"log"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/nn"
	"github.com/nlpodyssey/spago/optimizers/sgd"

	"github.com/segloss/segloss/bridge/spago"
	"github.com/segloss/segloss/kernels"
)

// A linear model of two features finds the two lesion voxels among eight. (With more
// parameters, see that spaGO's Optimizer.Optimize, which returns while it still writes
// them, has ended before the next step.)
func Example() {
	features := mat.NewDense[float32](mat.WithShape(2, 8), mat.WithBacking([]float32{
		.1, .2, .1, .9, .8, .2, .1, .3,
		.5, .4, .6, .4, .6, .5, .7, .3}))
	labels := kernels.Labels([]uint8{0, 0, 0, 1, 1, 0, 0, 0})
	w := nn.NewParam(mat.NewDense[float32](mat.WithShape(2, 2)))

	loss, err := kernels.Parse("dice(background=false) + ce")
	if err != nil {
		log.Fatal(err)
	}
	criterion := spago.New[float32](loss, kernels.Softmax, kernels.NCS)
	optimizer := sgd.New[float32](sgd.NewConfig(1, 0, false))
	for step := range 41 {
		y, err := criterion.Forward(labels, ag.Mul(w, features))
		if err != nil {
			log.Fatal(err)
		}
		if step%20 == 0 {
			fmt.Printf("step %2d: loss %.3f\n", step, y.Value().Item().F64())
		}
		if err := ag.Backward(y); err != nil {
			log.Fatal(err)
		}
		if err := optimizer.OptimizeParams(w); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// step  0: loss 1.360
	// step 20: loss 0.695
	// step 40: loss 0.507
}
