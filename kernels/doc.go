// Package kernels computes losses for image segmentation with rare classes, and
// their gradients by hand-derived formulas.
//
// # Shapes
//
// A prediction x has shape [N, C, S]: N samples, C classes, S positions, all
// spatial axes flattened. In layout [NCS] the positions of a class lie side by
// side, in [NSC] the classes of a position. The [Activation] turns x into a
// probability p; the gradient is always with respect to x. The [Target] is
// dense, r in [0,1] for every element, or a map of labels [N, S]; positions may
// carry weights. A position of weight 0, or with the ignore index for a label,
// does not exist: it enters nothing, whatever its values are, and its gradient
// is 0.
//
// # Losses
//
// A [Loss] is a weighted sum of named terms, from an expression ([Parse]), in
// which parentheses may group them, or from Go values ([Combine]); [Losses] lists
// the names with their options, formulas and sources. A [Region] of the caller's own stands in an expression
// like one of the list. All losses here are functions of sums of pointwise
// features over the positions of a class. Losses that are not (Lovász, top-k,
// Hausdorff, clDice) are out of this package's idea.
//
// # Plans
//
// A [Plan] is made once for a loss and a shape and holds all scratch memory:
// its calls allocate nothing, but for the first gradient with labels of another
// type than uint8. [Plan.Forward] gives the loss, [Plan.Backward] the gradient,
// [Plan.ForwardBackward] both. Where a batch is spread over shards, [Plan.Reduce]
// gives the [Sums] of each, [Sums.Add] adds them, and [Plan.Finish] gives every
// shard the loss of the whole batch, with which its Backward is that of the whole
// batch too.
//
// The same input gives the same bits on every run, with every number of
// workers, and, for a split by samples, with every order of shards. That is on
// one backend; backends differ in the last bits, within the accuracy below. The
// best one for the processor is taken ([Backends]); [WithBackend] or the
// environment variable SEGLOSS_BACKEND forces one by name.
//
// # Accuracy
//
// With u = 2⁻²⁴, K = 64 for float32 elements and u = 2⁻⁵³, K = 512 for float64,
// an element of the gradient is right to (K + 4·spread)·u of the sum of the
// absolute values of the terms it is made of, and the loss likewise; spread is
// |x| under sigmoid, the largest less the smallest logit of the position under
// softmax, and 0 for probabilities. All sums are float64.
//
// From probabilities (activation [None]) logarithms and powers are taken of
// max(p, 1e-7) and max(q, 1e-7), with derivative 0 where that bound holds;
// [WithClip] changes it. From logits nothing is clamped. A power of a region
// value with an exponent below 1 has a base of at least 1e-7, with gradient 0
// under that. An exact 0/0 is 0. A NaN at a position that exists makes the
// loss NaN.
//
// # Errors
//
// Bad arguments give an [*ArgError] that names the argument, the place and the
// value, and matches one of [ErrShape], [ErrLabel], [ErrWeight], [ErrOption],
// [ErrAlias], [ErrStale], [ErrBackend], [ErrNaN] with [errors.Is]; an expression
// that cannot be read gives a [*SyntaxError]. No buffer is written then.
package kernels
