// Package gomlx trains models of GoMLX with the losses of segloss, in two ways.
//
// GoMLX compiles whole graphs, from which nothing calls back into Go. So Step cuts
// the graph at the loss: one executor gives the predictions, our kernels the loss and
// its gradient, and a second executor goes through the model again and back. That
// costs one more forward pass of the model, and the predictions and their gradient
// cross from the backend's device to the host and back.
//
// LossFn writes a loss in GoMLX's own operations, for the backend to compile and to
// differentiate. It costs what the backend makes of them, keeps the loss in the
// graph, and promises no more digits than the backend has.
package gomlx

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/segloss/segloss/bridge"
	"github.com/segloss/segloss/kernels"
)

// Step trains a model with a loss of segloss, batch by batch. T is the type of the
// model's first output, the prediction, of shape [N, C, …] in layout NCS and
// [N, …, C] in NSC, or, of one sample, [C, S] and [S, C]: what a classifier gives for a
// batch has to be reshaped to [N, C, 1] or [N, 1, C].
type Step[T kernels.Float] struct {
	forward   *model.Exec
	trainer   *train.Trainer
	criterion *bridge.Criterion[T]
}

// NewStep makes a step of a model whose variables are in the store. A wrong activation is
// no error; [bridge.New] says what it looks like.
func NewStep[T kernels.Float](backend compute.Backend, store *model.Store, modelFn train.ModelFn, opt optimizer.Interface, loss kernels.Loss, a kernels.Activation, l kernels.Layout, o ...kernels.Option) (*Step[T], error) {
	forward, err := model.NewExec(backend, store, func(scope *model.Scope, inputs []*graph.Node) *graph.Node {
		return predict(scope, modelFn, inputs)
	})
	if err != nil {
		return nil, err
	}
	return &Step[T]{
		forward:   forward.SetMaxCache(-1), // the trainer's is the limit
		trainer:   train.NewTrainer(backend, store, modelFn, product, opt, nil, nil),
		criterion: bridge.New[T](loss, a, l, o...),
	}, nil
}

// predict is the first pass forward. What the model changes on its way, such as the
// state of the random numbers and running averages, is left to the second pass, which
// is to see what the first saw, and to change it once.
func predict(scope *model.Scope, modelFn train.ModelFn, inputs []*graph.Node) *graph.Node {
	g := inputs[0].Graph()
	scope.Store().SetTraining(g, true)
	prediction := modelFn(scope, nil, inputs)[0]
	for v := range scope.Store().IterVariables() {
		if v.ChangedInGraph(g) {
			v.SetNodeValue(g.GetParameterByName(v.Path())) // its value on entry
		}
	}
	return prediction
}

// product has the gradient that stands in place of the labels.
func product(gradient, predictions []*graph.Node) *graph.Node {
	return graph.ReduceAllSum(graph.Mul(predictions[0], graph.StopGradient(gradient[0])))
}

// Trainer is the trainer that the step drives, for its global step and its executors:
// each shape of the inputs is a graph, of which GoMLX allows 32, and SetMaxCache in a
// handler of OnExecCreation allows more. It knows neither the loss nor the target, so
// what it reports means nothing, and it cannot evaluate; an executor of the model can.
func (s *Step[T]) Trainer() *train.Trainer { return s.trainer }

// Train makes one step of the optimizer and returns the loss before it. The inputs
// stay the caller's.
func (s *Step[T]) Train(inputs []*tensors.Tensor, t kernels.Target) (float64, error) {
	args := make([]any, len(inputs))
	for i, in := range inputs {
		args[i] = in
	}
	x, err := s.forward.Call1(args...)
	if err != nil {
		return 0, err
	}
	defer x.FinalizeAll()
	loss, dx, err := s.differentiate(x, t)
	if err != nil {
		return 0, err
	}
	batch := train.Batch{Labels: []*tensors.Tensor{dx}}
	for _, in := range inputs { // the trainer takes them over
		own, err := in.LocalClone()
		if err != nil {
			return 0, err
		}
		batch.Inputs = append(batch.Inputs, own)
	}
	_, err = s.trainer.TrainStep(batch)
	return loss, err
}

// differentiate gives the loss of a prediction and its gradient.
func (s *Step[T]) differentiate(x *tensors.Tensor, t kernels.Target) (loss float64, dx *tensors.Tensor, err error) {
	if want := dtypes.FromGenericsType[T](); x.DType() != want {
		return 0, nil, &kernels.ArgError{Arg: "modelFn", Index: 0, Value: x.DType(),
			Err: fmt.Errorf("%w: the prediction's type, want %v", kernels.ErrShape, want)}
	}
	dx = tensors.FromShape(x.Shape().Clone())
	var inner error
	err = tensors.ConstFlatData(x, func(flat []T) {
		var pass bridge.Pass[T]
		if pass, inner = s.criterion.Forward(x.Shape().Dimensions, flat, t); inner != nil {
			return
		}
		loss = pass.Loss()
		err := tensors.MutableFlatData(dx, func(dx []T) { inner = pass.Backward(dx, kernels.Grad{Scale: 1}) })
		if err != nil {
			inner = err
		}
	})
	return loss, dx, errors.Join(err, inner)
}
