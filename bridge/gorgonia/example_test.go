package gorgonia_test

import (
	"fmt"
	"log"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/segloss/segloss/bridge/gorgonia"
	"github.com/segloss/segloss/kernels"
)

// A linear model of two features finds the two lesion voxels among eight. Its
// output is [S, C], one sample in layout NSC.
func Example() {
	g := G.NewGraph()
	features := G.NewMatrix(g, tensor.Float32, G.WithName("features"), G.WithShape(8, 2), G.WithValue(tensor.New(tensor.WithShape(8, 2),
		tensor.WithBacking([]float32{.1, .5, .2, .4, .1, .6, .9, .4, .8, .6, .2, .5, .1, .7, .3, .3}))))
	labels := G.NewVector(g, tensor.Uint8, G.WithName("labels"), G.WithShape(8), G.WithValue(tensor.New(tensor.WithShape(8),
		tensor.WithBacking([]uint8{0, 0, 0, 1, 1, 0, 0, 0}))))
	w := G.NewMatrix(g, tensor.Float32, G.WithName("w"), G.WithShape(2, 2), G.WithInit(G.Zeroes()))

	loss, err := kernels.Parse("dice(background=false) + ce")
	if err != nil {
		log.Fatal(err)
	}
	logits := G.Must(G.Mul(features, w))
	cost, err := gorgonia.Cost(logits, labels, loss, kernels.Softmax, kernels.NSC)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := G.Grad(cost, w); err != nil {
		log.Fatal(err)
	}
	vm := G.NewTapeMachine(g, G.BindDualValues(w))
	defer vm.Close()
	solver := G.NewVanillaSolver(G.WithLearnRate(1))
	for step := range 41 {
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if step%20 == 0 {
			fmt.Printf("step %2d: loss %.3f\n", step, cost.Value().Data())
		}
		if err := solver.Step(G.NodesToValueGrads(G.Nodes{w})); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}
	// Output:
	// step  0: loss 1.360
	// step 20: loss 0.695
	// step 40: loss 0.507
}
