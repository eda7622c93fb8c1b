// Package ref holds the segmentation losses as their papers print them: one
// function a loss, in float64, with a gradient derived by hand. It is the
// oracle that the fast implementations are tested against, and it shares
// nothing with them: it imports only math.
//
// Every function takes an [Input] and [Options] and returns the loss and its
// gradient with respect to Input.X. The notation is this throughout:
//
//	x  the prediction              r  the target, in [0,1]
//	p  its probability, q = 1 − p  v  the weight of a position
//
// From logits, p is the logistic function of t, the element's log-odds, for
// sigmoid (t = x) and softmax (t = x_c − ln Σ_{k≠c} e^x_k) alike:
//
//	dp/dt = p q     d ln p/dt = q     d ln q/dt = −p
//
// The derivatives by t stay bounded where those by p do not, so the log losses
// are derived by t and only then carried over to p or x.
//
// Common edges: a position of weight 0 does not exist; a NaN at a position that
// exists makes the loss NaN, and the gradient NaN at all that exist; 0/0 is 0
// with gradient 0; a factor of exactly 0 wins over an infinite logarithm, as it
// does in the limit; where no position is left, loss and gradient are 0.
//
// The functions validate nothing but lengths and names, and panic on those.
package ref

// Activation turns a prediction into a probability.
type Activation int

const (
	None    Activation = iota // p = x, with x outside [0,1] allowed
	Sigmoid                   // p = 1/(1+e^-x), every class on its own
	Softmax                   // p = e^x / Σ e^x over the classes of a position
)

// Input is a batch of N samples, C classes and S positions. X and R are planar,
// [N, C, S] with S fastest; V is [N, S].
type Input struct {
	N, C, S    int
	Activation Activation
	X          []float64 // prediction
	R          []float64 // target
	V          []float64 // weights ≥ 0 of the positions; nil means 1 everywhere

	// Clip bounds p and q from below in logarithms and in the powers beside
	// them, for Activation None only; 0 means 1e-7.
	Clip float64
}

// Losses maps the names of the expression language to their functions.
var Losses = union(regionLosses, pointwiseLosses)

type table = map[string]func(Input, Options) (loss float64, grad []float64)

func union(tables ...table) table {
	all := table{}
	for _, t := range tables {
		for name, f := range t {
			all[name] = f
		}
	}
	return all
}
