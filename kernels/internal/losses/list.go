package losses

import "slices"

// Kind says how a loss is finished.
type Kind string

const (
	RegionKind      Kind = "region"
	PointwiseKind   Kind = "pointwise"
	CombinationKind Kind = "combination"
)

// Loss is one row of the list. Exactly one of Cell, Sample, Linear and Parts
// is set.
type Loss struct {
	Name        string
	Kind        Kind
	Formula     string
	Source      string
	Categorical bool // needs at least two classes
	Options     []Setting

	// Needs says which features the term sums, under its options.
	Needs func(o *Options) Features

	// Cell is the value of one cell and its partial derivatives, which it
	// stores in the zeroed d.
	Cell func(o *Options, s, d *Cell) float64

	// Sample is the value of one sample from the cells of its classes.
	Sample func(o *Options, s, d []Cell) float64

	// Linear is a pointwise loss Σ_c (weights · sums) / divisor.
	Linear *Linear

	// Parts is what a combination stands for.
	Parts []Part
}

// Part is one term of a combination: Coef names the option that is its
// coefficient ("" for 1), Fixed holds options it sets, From maps its options
// to those of the combination.
type Part struct {
	Name  string
	Coef  string
	Fixed map[string]any
	From  map[string]string
}

// All is the list of losses, in the order of the documentation.
var All = slices.Concat(regions, pointwise, combinations)

// Find returns the loss of that name, or nil.
func Find(name string) *Loss {
	if i := slices.IndexFunc(All, func(l *Loss) bool { return l.Name == name }); i >= 0 {
		return All[i]
	}
	return nil
}

// Names lists the names of all losses.
func Names() []string {
	names := make([]string, len(All))
	for i, l := range All {
		names[i] = l.Name
	}
	return names
}

// Custom is the row of a caller's own region loss. The sample function is
// bound when a plan is made.
func Custom(name string) *Loss {
	return &Loss{
		Name: name, Kind: RegionKind,
		Options: []Setting{{optBatch, false}, {optReduction, "mean"}},
		Needs:   func(*Options) Features { return Features{Region: true, TN: true, Square: true} },
	}
}

var combinations = []*Loss{
	{
		Name: "bce_dice", Kind: CombinationKind,
		Formula: "bce + dice",
		Source:  "common practice, also as 1e-3*bce + dice(smooth=1)",
		Parts:   []Part{{Name: "bce"}, {Name: "dice"}},
	},
	{
		Name: "dice_ce", Kind: CombinationKind, Categorical: true,
		Formula: "dice + ce",
		Source:  "nnU-Net (whose trainers use dice(background=false) + ce, in 2D with batch=true), MONAI",
		Parts:   []Part{{Name: "dice"}, {Name: "ce"}},
	},
	{
		Name: "dice_focal", Kind: CombinationKind, Categorical: true,
		Formula: "tversky(alpha=0.5,beta=0.5,reduction=sum) + λ focal_ce(gamma=2)",
		Source:  "Zhu 2018, AnatomyNet",
		Options: []Setting{{optFocalLambda, 0.5}},
		Parts: []Part{
			{Name: "tversky", Fixed: map[string]any{"alpha": 0.5, "beta": 0.5, "reduction": "sum"}},
			{Name: "focal_ce", Coef: "lambda"},
		},
	},
	{
		Name: "exp_log", Kind: CombinationKind, Categorical: true,
		Formula: "w_dice exp_log_dice(gamma_dice) + w_cross exp_log_ce(gamma_cross)",
		Source:  "Wong 2018",
		Options: []Setting{{optWDice, 0.8}, {optWCross, 0.2}, {optGammaDice, 0.3}, {optGammaCross, 0.3}},
		Parts: []Part{
			{Name: "exp_log_dice", Coef: "w_dice", From: map[string]string{"gamma": "gamma_dice"}},
			{Name: "exp_log_ce", Coef: "w_cross", From: map[string]string{"gamma": "gamma_cross"}},
		},
	},
}

// Expand gives the terms that a combination with the given options stands for,
// as losses of the list, with their coefficients and given options.
func (l *Loss) Expand(given map[string]any) (terms []Given) {
	o := l.Resolve(given)
	for _, p := range l.Parts {
		g := Given{Loss: Find(p.Name), Coef: 1, Options: map[string]any{}}
		if p.Coef != "" {
			g.Coef = l.Option(p.Coef).Get(&o).(float64)
		}
		for name, v := range p.Fixed {
			g.Options[name] = v
		}
		for name, from := range p.From {
			g.Options[name] = l.Option(from).Get(&o)
		}
		terms = append(terms, g)
	}
	return terms
}

// Given is a term before its defaults are filled in.
type Given struct {
	Loss    *Loss
	Coef    float64
	Options map[string]any
}
