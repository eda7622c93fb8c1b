package kernels

import (
	"fmt"

	"github.com/segloss/segloss/kernels/internal/losses"
	"github.com/segloss/segloss/kernels/internal/share"
)

func init() {
	share.Check = func(loss, spec, options any) (share.Config, error) {
		c, err := configOf(options.([]Option))
		if err == nil {
			err = checkSpec(loss.(Loss), spec.(Spec), &c)
		}
		if err == nil && c.backend != "" {
			err = argError("backend", -1, c.backend, ErrOption, "a plan of package cuda has no other")
		}
		return share.Config{Ignore: c.ignore, HasIgnore: c.hasIgnore, Clip: c.clip}, err
	}
	share.Program = func(loss any, classes int) *losses.Program { return loss.(Loss).bind(classes) }
	share.Kind = func(loss any, classes int) string { return kindOf(loss.(Loss), classes) }
	share.NewSums = func(b *losses.Batch, kind string) any { return &Sums{b, kind} }
	share.Batch = func(sums any) (*losses.Batch, string) {
		s := sums.(*Sums)
		if s == nil {
			return nil, ""
		}
		return s.batch, s.kind
	}
	share.Finish = func(b *losses.Batch, coef []float64, rows, first, n int, plan any, generation uint64) any {
		return finishBatch(b, make([]Part, len(b.Program.Terms)), coef, rows, first, n, plan, generation)
	}
	share.Fresh = func(value, plan any, generation uint64) bool {
		v := value.(Value)
		return v.plan == plan && v.generation == generation
	}
	share.CheckTarget = func(target, spec any, c share.Config) (share.Target, error) {
		t := target.(Target)
		n, s := t.size(spec.(Spec))
		to := share.Target{Dense32: t.dense32, Dense64: t.dense64, Weights: t.weights, Mask: t.mask, N: n, S: s}
		if t.labels != nil {
			to.Labels, to.LabelType = t.rawLabels(), t.labels.name()
		}
		return to, t.check(spec.(Spec), &config{ignore: c.Ignore, hasIgnore: c.HasIgnore})
	}
	share.DenseIgnored = denseIgnored
	share.CheckRow = checkRow
	share.Error = argError
}

// kindOf tells apart sums that do not go together.
func kindOf(l Loss, classes int) string { return fmt.Sprintf("%d classes of %v", classes, l) }

// finishBatch makes a Value from the first rows rows of a batch, with the coefficients of
// n samples from first on.
func finishBatch(b *losses.Batch, parts []Part, coef []float64, rows, first, n int, plan any, generation uint64) Value {
	v := Value{Loss: b.Finish(coef, rows, first, n), Terms: parts, plan: plan, generation: generation}
	for i := range b.Program.Terms {
		t := &b.Program.Terms[i]
		parts[i] = Part{Name: t.Name, Coef: t.Coef, Value: b.Values[i], Cells: b.CellsOf(i, rows)}
	}
	return v
}
