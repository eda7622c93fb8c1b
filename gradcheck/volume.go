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
}

// volumes lists the runs that the options ask for.
func (o Options) volumes() []volume {
	if o.Short && o.Edges == nil || !allows(o.Targets, volumeTarget) {
		return nil
	}
	all := []volume{
		{activation: kernels.Softmax, float32: true, seed: o.Seed},
		{activation: kernels.Softmax, float32: true, seed: o.Seed, lesion: true},
		{activation: kernels.Sigmoid, seed: o.Seed},
		{activation: kernels.None, seed: o.Seed},
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

// steps returns the number of progress steps of the run.
func (v volume) steps() int {
	all, _ := v.variants() // an error is found again by check
	return directions + 2 + len(all)
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
	if err := b.large(ctx, v.String(), p); err != nil {
		return nil, err
	}
	rows, err := b.steady(ctx, ways, volumeTarget, v.String())
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if v.loss == nil {
			rows[i].Command = rows[i].commandLine(v.seed)
		}
	}
	p.step(fmt.Sprintf("%v, %v, determinism", v, v.activation))
	for i, l := range all {
		if !l.silent {
			more, err := b.rows(ctx, i, ways, volumeTarget, v.String())
			rows = append(rows, more...)
			if err != nil {
				return rows, err
			}
		}
		p.step(fmt.Sprintf("%v, %v, %s", v, v.activation, l.text))
	}
	return rows, nil
}
