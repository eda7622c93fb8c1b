package gradcheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/segloss/segloss/kernels"
)

// A volume is one run over the real volume.
type volume struct {
	activation kernels.Activation
	lesion     bool
	float32    bool // in float32 too
}

// volumes lists the runs that the options ask for.
func (o Options) volumes() []volume {
	if o.Short {
		return nil
	}
	all := []volume{
		{kernels.Softmax, false, true},
		{kernels.Softmax, true, true},
		{kernels.Sigmoid, false, false},
		{kernels.None, false, false},
	}
	return slices.DeleteFunc(all, func(v volume) bool { return !slices.Contains(o.activations(), v.activation) })
}

// steps returns the number of progress steps of the run.
func (v volume) steps() int { return directions + 2 + len(kernels.Losses()) }

func (v volume) String() string {
	if v.lesion {
		return "brain with lesion"
	}
	return "brain"
}

// ways picks the ways to check on the volume: of the two layouts, where there
// is a choice, planar for float64 and channels-last for float32.
func (v volume) ways(ways []way) []way {
	var picked []way
	for _, w := range ways {
		favourite := way{w.backend, w.dtype, kernels.NCS}
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
	all, err := listed(problem.c)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v variant) bool { return !v.whole })
	b, err := newBench(ctx, problem, all)
	if err != nil {
		return nil, err
	}
	if err := b.large(ctx, v.String(), p); err != nil {
		return nil, err
	}
	rows, err := b.steady(ctx, ways, "uint8", v.String())
	if err != nil {
		return nil, err
	}
	p.step(fmt.Sprintf("%v, %v, determinism", v, v.activation))
	for i, l := range all {
		more, err := b.rows(ctx, i, ways, "uint8", v.String())
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
		p.step(fmt.Sprintf("%v, %v, %s", v, v.activation, l.text))
	}
	return rows, nil
}
