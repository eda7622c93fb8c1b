package exact

import "github.com/segloss/segloss/ref"

// rule is a loss: the features that one element adds to the sums of its cell,
// the value of the sums of a cell (or of several), and how values are reduced.
type rule[T any] struct {
	features func(*job[T], *ref.Options, *element[T], []T) []T // appends them
	value    func(*job[T], *ref.Options, []cell[T]) T
	layout   layout
	weigh    func(*job[T], *term[T]) (divisor T) // sets the weights of the parts

	logs        bool // the features need logarithms
	rational    bool // a rational function of probabilities
	categorical bool // needs two classes
}

// layout says which cells are a part, which has one value.
type layout uint8

const (
	perCell    layout = iota // a class of a sample, or of the batch; option background
	perSample                // all classes of a sample, or of the batch; option background
	perAnyCell               // a class of a sample, or of the batch; always all classes
	perClass                 // a class of the batch
)

// rules lists the losses, by the names and in the notation of the definitions.
func rules[T any]() map[string]rule[T] {
	type j = job[T]
	return map[string]rule[T]{
		"dice":          {(*j).diceSums, (*j).dice, perCell, (*j).byRegions, false, true, false},
		"dice2":         {(*j).confusion, (*j).dice2, perCell, (*j).byRegions, false, true, false},
		"iou":           {(*j).confusion, (*j).iou, perCell, (*j).byRegions, false, true, false},
		"tversky":       {(*j).confusion, (*j).tversky, perCell, (*j).byRegions, false, true, false},
		"focal_tversky": {(*j).confusion, (*j).focalTversky, perCell, (*j).byRegions, false, false, false},
		"ss":            {(*j).squares, (*j).ss, perCell, (*j).byRegions, false, true, false},
		"gdl":           {(*j).confusion, (*j).gdl, perSample, (*j).bySamples, false, true, false},
		"exp_log_dice":  {(*j).confusion, (*j).expLogDice, perCell, (*j).byRegions, false, false, false},

		"bce":        {(*j).logSums, (*j).bce, perClass, (*j).byElements, true, false, false},
		"wce":        {(*j).wceSums, (*j).wce, perAnyCell, (*j).byCells, true, false, false},
		"ce":         {(*j).ceSum, (*j).sum, perClass, (*j).byLabels, true, false, true},
		"focal":      {(*j).focalSum, (*j).sum, perClass, (*j).byElements, true, false, false},
		"focal_ce":   {(*j).focalCESum, (*j).sum, perClass, (*j).byPositions, true, false, true},
		"exp_log_ce": {(*j).expLogSum, (*j).sum, perClass, (*j).byFrequencies, true, false, true},
	}
}
