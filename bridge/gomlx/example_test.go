package gomlx_test

import (
	"fmt"
	"log"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/segloss/segloss/bridge/gomlx"
	"github.com/segloss/segloss/kernels"
)

// linear is a model of two features: [1, S, 2] to logits [1, S, C].
func linear(scope *model.Scope, _ any, in []*graph.Node) []*graph.Node {
	w := scope.VariableWithValue("w", [][]float32{{0, 0}, {0, 0}})
	return []*graph.Node{graph.Einsum("nsf,fc->nsc", in[0], w.NodeValue(in[0].Graph()))}
}

func features() *tensors.Tensor {
	return tensors.FromValue([][][]float32{{{.1, .5}, {.2, .4}, {.1, .6}, {.9, .4}, {.8, .6}, {.2, .5}, {.1, .7}, {.3, .3}}})
}

var descent = optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(1).Done()

// A linear model finds the two lesion voxels among eight, with our kernels.
func Example() {
	backend, err := gobackend.New("")
	if err != nil {
		log.Fatal(err)
	}
	loss, err := kernels.Parse("dice(background=false) + ce")
	if err != nil {
		log.Fatal(err)
	}
	step, err := gomlx.NewStep[float32](backend, model.NewStore(), linear, descent, loss, kernels.Softmax, kernels.NSC)
	if err != nil {
		log.Fatal(err)
	}
	labels := kernels.Labels([]uint8{0, 0, 0, 1, 1, 0, 0, 0})
	for i := range 41 {
		loss, err := step.Train([]*tensors.Tensor{features()}, labels)
		if err != nil {
			log.Fatal(err)
		}
		if i%20 == 0 {
			fmt.Printf("step %2d: loss %.3f\n", i, loss)
		}
	}
	// Output:
	// step  0: loss 1.360
	// step 20: loss 0.695
	// step 40: loss 0.507
}

// The same in GoMLX's own operations, through its trainer.
func ExampleLossFn() {
	backend, err := gobackend.New("")
	if err != nil {
		log.Fatal(err)
	}
	loss, err := kernels.Parse("dice(background=false) + ce")
	if err != nil {
		log.Fatal(err)
	}
	lossFn, err := gomlx.LossFn(loss, kernels.Softmax, kernels.NSC)
	if err != nil {
		log.Fatal(err)
	}
	trainer := train.NewTrainer(backend, model.NewStore(), train.ModelFn(linear), lossFn, descent, nil, nil)
	for i := range 41 {
		metrics, err := trainer.TrainStep(train.Batch{
			Inputs: []*tensors.Tensor{features()},
			Labels: []*tensors.Tensor{tensors.FromValue([][]int32{{0, 0, 0, 1, 1, 0, 0, 0}})},
		})
		if err != nil {
			log.Fatal(err)
		}
		if i%20 == 0 {
			fmt.Printf("step %2d: loss %.3f\n", i, metrics[0].Value())
		}
	}
	// Output:
	// step  0: loss 1.360
	// step 20: loss 0.695
	// step 40: loss 0.507
}
