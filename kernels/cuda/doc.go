// Package cuda computes the losses of package kernels on NVIDIA GPUs: on predictions,
// targets and gradients that lie in device memory.
//
//	dev, err := cuda.Open(0)
//	plan, err := dev.New(loss, kernels.Spec{N: 2, C: 4, S: 128 * 128 * 128, Activation: kernels.Softmax}, cuda.Float32)
//	err = plan.Forward(stream, x, cuda.Labels(y, cuda.Uint8))          // returns at once
//	err = plan.Backward(stream, dx, x, target, kernels.Grad{Scale: 1}) // behind it in the stream
//	v, err := plan.Value()                                             // waits
//
// Pointers are device addresses and streams are CUstreams, as every framework has them.
// Losses, specs, values and sums are those of package kernels; sums reduced here and
// there may be added.
//
// The driver is loaded when a device is opened. A program that imports this package runs
// on machines without one, where [Open] returns an error; it is linked dynamically with
// the C library.
package cuda
