// Package cpu holds the portable microkernels: plain loops on flat slices,
// generic over float32 and float64. They are what every instruction set starts
// from and what it is tested against.
//
// The caller's elements are float32 or float64; whatever happens between a load
// and a store is float64, the rows of a tile and every sum included. So the
// float32 kernels err by the rounding of their result, and a probability of
// 1e-60 beside a coefficient of 1e30 costs no digits.
package cpu

import "unsafe"

// Float is the element type of a kernel.
type Float interface{ float32 | float64 }

// Tile is N positions of C classes. Class c of a matrix is the row that starts
// at c times its stride.
type Tile[T Float] struct {
	C, N int

	X       []T // input
	XStride int

	R       []T // target; nil where Y serves
	RStride int

	Out       []T // derivative by x; may lie in the caller's buffer, even on X
	OutStride int

	V []T     // weights of the positions, N; nil where all are 1
	Y []int32 // class of each position, C for none of them; nil with a dense target

	P, Q   []float64 // probability and its complement
	LP, LQ []float64 // their logarithms; nil where no feature needs them
	G, U   []float64 // derivative by p; by the class's own log-odds, nil where no feature needs it
	Stride int       // of all of these

	Work  []float64 // (2·C + 2)·N
	Spare []float64 // N

	// The probabilities in powers and logarithms lie in [Clip, 1−Clip];
	// 0 with logits.
	Clip float64
}

// Row is one class of a tile.
type Row[T Float] struct {
	R, V                     []T
	P, Q, LP, LQ, G, U, Work []float64
	Clip                     float64
}

// Row returns class c; rows that the tile does not have are empty.
func (t *Tile[T]) Row(r *Row[T], c int) {
	r.P, r.Q = row(t.P, t.Stride, c, t.N), row(t.Q, t.Stride, c, t.N)
	r.LP, r.LQ = row(t.LP, t.Stride, c, t.N), row(t.LQ, t.Stride, c, t.N)
	r.G, r.U = row(t.G, t.Stride, c, t.N), row(t.U, t.Stride, c, t.N)
	r.R = row(t.R, t.RStride, c, t.N)
	r.V, r.Work, r.Clip = t.V, t.Work[:t.N], t.Clip
}

func row[E any](m []E, stride, c, n int) []E {
	if m == nil {
		return nil
	}
	return m[c*stride:][:n]
}

// Kernels is one implementation: a table of microkernels. An instruction set
// starts with the portable table and overwrites the rows it has.
type Kernels[T Float] struct {
	// Activations fill P and Q and, where they are not nil, LP and LQ.
	Probabilities, Sigmoid, Softmax func(t *Tile[T])

	// Sums of one row are added to acc, in the order of package losses.
	Counts, Region, Soft, Square, LogP, LogQ, LogAll func(acc []float64, r *Row[T])

	// Sums of the features with an exponent; neg may be nil.
	Power  func(pos, neg []float64, gamma float64, r *Row[T])
	ExpLog func(acc []float64, gamma float64, r *Row[T])

	// Sums of a tile without weights by its labels: the cell of class c starts
	// at acc[c·k]. RegionY destroys P and Q.
	CountsY, RegionY, LogPY func(acc []float64, k int, t *Tile[T])

	// Derivatives, added to G or U of a row.
	RegionGrad func(r *Row[T], byTP, byFP, byFN, byTN float64)
	SoftGrad   func(r *Row[T], byTP, byFP, byFN, byTN float64)
	SquareGrad func(r *Row[T], byPP, bySQR, bySQB float64)
	LogGrad    func(r *Row[T], byLogP, byLogQ, byLogAll float64)
	PowerGrad  func(r *Row[T], gamma, byPos, byNeg float64)
	ExpLogGrad func(r *Row[T], gamma, by float64)

	// Chains turn G and U into the derivative by x, in Out.
	ProbabilitiesChain, SigmoidChain, SoftmaxChain func(t *Tile[T])

	// SoftmaxRegionY is the whole derivative of a softmax with labels, where
	// class c has at coef[4c] the derivatives by p of a member and of another
	// class's position, and the coefficient of r ln p.
	SoftmaxRegionY func(t *Tile[T], coef []float64)
}

// Generic returns the portable table.
func Generic[T Float]() *Kernels[T] {
	return &Kernels[T]{
		Probabilities: probabilities[T], Sigmoid: sigmoid[T], Softmax: softmax[T],

		Counts: counts[T], Region: region[T], Soft: soft[T], Square: square[T],
		LogP: logP[T], LogQ: logQ[T], LogAll: logAll[T], Power: power[T], ExpLog: expLog[T],
		CountsY: countsY[T], RegionY: regionY[T], LogPY: logPY[T],

		RegionGrad: regionGrad[T], SoftGrad: softGrad[T], SquareGrad: squareGrad[T],
		LogGrad: logGrad[T], PowerGrad: powerGrad[T], ExpLogGrad: expLogGrad[T],

		ProbabilitiesChain: probabilitiesChain[T], SigmoidChain: sigmoidChain[T], SoftmaxChain: softmaxChain[T],
		SoftmaxRegionY: softmaxRegionY[T],
	}
}

// isFloat32 tells the two element types apart, for the choice of exp and log.
func isFloat32[T Float]() bool {
	var t T
	return unsafe.Sizeof(t) == 4
}
