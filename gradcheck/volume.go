package gradcheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/kernels"
)

// A volume is one run over the real volume.
type volume struct {
	activation kernels.Activation
	lesion     bool
	float32    bool // in float32 too

	loss *kernels.Loss // nil: every loss, with its default options
	seed uint64

	thinned bool
	turn    int // of the volumes of a run, with the seed; where it is thinned, losses and ways take turns
}

// volumes lists the runs that the options ask for.
func (o Options) volumes() []volume {
	if o.Level == Short && o.Edges == nil || !allows(o.Targets, volumeTarget) {
		return nil
	}
	all := []volume{
		{activation: kernels.Softmax, float32: true},
		{activation: kernels.Softmax, float32: true, lesion: true},
		{activation: kernels.Sigmoid},
		{activation: kernels.None},
	}
	for i := range all {
		all[i].seed, all[i].thinned, all[i].turn = o.Seed, o.thin, i+int(o.Seed%turns)
	}
	return slices.DeleteFunc(all, func(v volume) bool {
		return !slices.Contains(o.activations(), v.activation) || !allows(o.Edges, v.String())
	})
}

// volumeTarget is the kind of target that the volume has.
const volumeTarget = "uint8"

// classes returns the number of classes.
func (v volume) classes() int {
	if v.lesion {
		return brain.Classes + 1
	}
	return brain.Classes
}

// variants returns what is checked.
func (v volume) variants() ([]variant, error) {
	all, err := listed(v.classes())
	all = slices.DeleteFunc(all, func(v variant) bool { return !v.whole })
	if v.loss == nil || err != nil {
		return all, err
	}
	return among(*v.loss, all), nil
}

// turns is a whole number of rounds of whatever takes turns.
const turns = 60

// directions is the number of directions that the volume is checked along.
func (v volume) directions() int {
	if v.thinned {
		return fewDirections
	}
	return directions
}

// workers returns the numbers of workers that gradients in way k are computed with again.
func (v volume) workers(k int) []int {
	if v.thinned {
		k = (k + v.turn) % len(workerCounts)
		return workerCounts[k : k+1]
	}
	return workerCounts
}

// waysOf returns the ways to check loss i in, or with 0 all losses at once: where the run is thinned the best
// backend's, which is the last, and one of the others.
func (v volume) waysOf(i int, ways []way) []way {
	best := ways[len(ways)-1].backend
	others := slices.IndexFunc(ways, func(w way) bool { return w.backend == best })
	if !v.thinned || others < 2 {
		return ways
	}
	k := (i + v.turn) % others
	return append(ways[k:k+1:k+1], ways[others:]...)
}

// gradients returns how many are checked.
func (v volume) gradients(ways []way) (n int) {
	all, _ := v.variants() // an error is found again by check
	if ways = v.ways(ways); len(ways) == 0 {
		return 0
	}
	for i, l := range all {
		if !l.silent {
			n += len(v.waysOf(i, ways))
		}
	}
	return n
}

// cost is what the run costs.
func (v volume) cost() int {
	cost := costOfBench + costOfLarge(v.directions()) + (1+len(v.workers(0)))*costOfSteady
	all, _ := v.variants() // an error is found again by check
	for _, l := range all {
		if !l.silent {
			cost += costOfLoss
		}
	}
	return cost
}

func (v volume) String() string {
	if v.lesion {
		return "brain with lesion"
	}
	return "brain"
}

// ways picks the ways to check on the volume: of the two layouts, where there
// is a choice, planar for float64 and channels-last for float32. Of a backend
// beside the reference it takes one type: float32 where there is a lesion, else
// float64.
func (v volume) ways(ways []way) []way {
	var picked []way
	for _, w := range ways {
		if w.backend != reference() && v.lesion != (w.dtype == Float32) && slices.Contains(ways, way{w.backend, Float32 - w.dtype, w.layout, w.device}) {
			continue
		}
		favourite := way{w.backend, w.dtype, kernels.NCS, w.device}
		if w.dtype == Float32 {
			favourite.layout = kernels.NSC
		}
		if w.dtype == Float32 && !v.float32 || w != favourite && slices.Contains(ways, favourite) {
			continue
		}
		picked = append(picked, w)
	}
	return picked
}

// check runs every loss with its default options on the volume.
func (v volume) check(ctx context.Context, ways []way, p *progress) ([]Row, error) {
	if ways = v.ways(ways); len(ways) == 0 {
		return nil, nil
	}
	problem, err := volumeProblem(v.activation, v.lesion)
	if err != nil {
		return nil, err
	}
	all, err := v.variants()
	if err != nil {
		return nil, err
	}
	b, err := newBench(ctx, problem, all)
	if err != nil {
		return nil, err
	}
	b.seed = v.seed
	p.step(costOfBench, fmt.Sprintf("%v, %v", v, v.activation))
	if err := b.large(ctx, v.String(), v.directions(), p); err != nil {
		return nil, err
	}
	rows, err := b.steady(ctx, v.waysOf(0, ways), v.workers, volumeTarget, v.String())
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if v.loss == nil {
			rows[i].Command = rows[i].commandLine(v.seed)
		}
	}
	p.step((1+len(v.workers(0)))*costOfSteady, fmt.Sprintf("%v, %v, determinism", v, v.activation))
	for i, l := range all {
		if l.silent {
			continue
		}
		more, err := b.rows(ctx, i, v.waysOf(i, ways), volumeTarget, v.String())
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
		p.step(costOfLoss, fmt.Sprintf("%v, %v, %s", v, v.activation, l.text))
	}
	return rows, nil
}
