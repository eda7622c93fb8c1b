package exact

import "fmt"

// A Fault is one wrong rule of differentiation, or of the definition, that the
// forward can have built in. It changes every loss whose path uses the rule; to
// any other it makes no difference. Faults of the definition, the last four,
// change the loss that is returned with the gradient, too.
type Fault uint8

// The faults.
const (
	NoFault           Fault = iota // the right gradient
	QuotientDropped                // (a/b)′ = a′/b
	NumeratorHeld                  // (a/b)′ = −a b′/b²
	SmoothForgotten                // (a/b)′ has b without its smoothing
	GammaDropped                   // (u^γ)′ = u^(γ−1) u′
	GammaOff                       // (u^γ)′ = γ u^(γ−0.9) u′
	ModulationHeld                 // focal losses: q^γ and p^γ are constants
	WeightHeld                     // wce: w is a constant, whatever detach says
	ClipKept                       // a clipped logarithm goes on with slope 1/clip
	FloorKept                      // a power below its floor goes on with the floor's slope
	CrossTermsDropped              // softmax: ∂p_c/∂x_k = 0 for k ≠ c
	DiagonalWrong                  // softmax: ∂p_c/∂x_c = p_c
	ChainDropped                   // the derivative by p for the one by x
	LogsSwapped                    // (ln q)′ = −p′/p
	WeightForgotten                // the derivative has no position weight
	FNForgotten                    // FN is a constant
	FPForgotten                    // FP is a constant
	SquareHalved                   // (u²)′ = u u′
	IgnoredCounted                 // means count positions that do not exist
	SkippedCounted                 // means count cells that are left out
	SamplesForgotten               // means are not divided by the number of samples
	StaleSums                      // sums are those of the prediction 0.9 x + 0.05
	faults
)

var faultNames = [faults]string{
	NoFault:           "none",
	QuotientDropped:   "quotient term dropped",
	NumeratorHeld:     "numerator held constant",
	SmoothForgotten:   "smoothing forgotten in the denominator",
	GammaDropped:      "factor gamma missing",
	GammaOff:          "exponent off by 0.1",
	ModulationHeld:    "modulating factor held constant",
	WeightHeld:        "weight made of p held constant",
	ClipKept:          "slope kept where a logarithm is clipped",
	FloorKept:         "slope kept below the floor of a power",
	CrossTermsDropped: "softmax cross terms dropped",
	DiagonalWrong:     "softmax diagonal p instead of p(1-p)",
	ChainDropped:      "activation's chain factor dropped",
	LogsSwapped:       "p for 1-p in the derivative of ln(1-p)",
	WeightForgotten:   "position weight forgotten",
	FNForgotten:       "derivative of FN forgotten",
	FPForgotten:       "derivative of FP forgotten",
	SquareHalved:      "factor 2 of a square forgotten",
	IgnoredCounted:    "ignored positions counted in the mean",
	SkippedCounted:    "left-out cells counted in the mean",
	SamplesForgotten:  "number of samples forgotten in the mean",
	StaleSums:         "stale sums",
}

// String says in plain words what is wrong.
func (f Fault) String() string {
	if f >= faults {
		return fmt.Sprintf("Fault(%d)", uint8(f))
	}
	return faultNames[f]
}

// Faults returns every fault but [NoFault].
func Faults() []Fault {
	all := make([]Fault, 0, faults-1)
	for f := NoFault + 1; f < faults; f++ {
		all = append(all, f)
	}
	return all
}
