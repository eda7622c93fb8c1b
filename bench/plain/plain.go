// Package plain continues bench/baseline: every loss of the list, forward and
// backward, as a Go programmer would write it today with math.Exp and math.Log.
// One goroutine, one loop a thought, no table and no approximation; and nothing
// done twice that need not be, so that a comparison with it is fair: labels are
// compared, a logarithm is taken only where it counts, squares are multiplied,
// and the memory for probabilities is kept between calls.
package plain

// Tensors are logits or probabilities X of shape [N, C, S] with labels Y [N, S],
// and the gradient of the loss by X.
type Tensors struct {
	N, C, S int
	X, Grad []float32
	Y       []uint8

	p      []float32 // probabilities of X
	cells  []cell    // sums by sample and class
	slopes []slope
}

// Activation says what makes probabilities of X.
type Activation string

const (
	None    Activation = "none" // X is one
	Sigmoid Activation = "sigmoid"
	Softmax Activation = "softmax"
)

// Loss writes the gradient and returns the loss.
type Loss func(t *Tensors) float64

// Find returns the loss of that name with its default options under an
// activation, or nil where there is none.
func Find(name string, by Activation) Loss {
	if f := regions[name]; f != nil {
		return func(t *Tensors) float64 { return region(t, by, f) }
	}
	switch {
	case name == "ss":
		return func(t *Tensors) float64 { return ss(t, by) }
	case by == Sigmoid:
		return binary[name]
	case by == Softmax:
		return categorical[name]
	}
	return nil
}

// binary losses take each class on its own.
var binary = map[string]Loss{
	"bce": bce, "wce": wce, "focal": focal,
	"bce_dice": func(t *Tensors) float64 { return bce(t) + addRegion(t, Sigmoid, dice, 1) },
}

var categorical = map[string]Loss{
	"ce":         func(t *Tensors) float64 { softmax(t); return addCE(t) },
	"focal_ce":   func(t *Tensors) float64 { softmax(t); return addFocalCE(t, 1) },
	"exp_log_ce": func(t *Tensors) float64 { softmax(t); return addExpLogCE(t, 1) },
	"dice_ce":    func(t *Tensors) float64 { return region(t, Softmax, dice) + addCE(t) },
	"dice_focal": func(t *Tensors) float64 { return region(t, Softmax, halves) + addFocalCE(t, 0.5) },
	"exp_log": func(t *Tensors) float64 {
		softmax(t)
		return addRegion(t, Softmax, expLogDice, 0.8) + addExpLogCE(t, 0.2)
	},
}

// row returns sample b, class k of a tensor.
func (t *Tensors) row(x []float32, b, k int) []float32 { return x[(b*t.C+k)*t.S:][:t.S] }

func (t *Tensors) labels(b int) []uint8 { return t.Y[b*t.S:][:t.S] }

// own is the label of class k; with one class it is 1.
func (t *Tensors) own(k int) uint8 {
	if t.C == 1 {
		return 1
	}
	return uint8(k)
}

// elements is what the losses of single elements are divided by.
func (t *Tensors) elements() float64 { return float64(len(t.X)) }

// positions is what the losses of positions are divided by.
func (t *Tensors) positions() float64 { return float64(t.N * t.S) }
