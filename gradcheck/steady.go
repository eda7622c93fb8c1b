package gradcheck

import (
	"context"
	"fmt"
	"math"

	"github.com/segloss/segloss/kernels"
)

// workerCounts are the numbers of workers that a large gradient is computed
// with again; the first computation has the default, one for every processor.
var workerCounts = []int{1, 2, 3}

// again computes the gradient of a variant once more, by another plan and with
// the given number of workers, and fails the row where a bit differs: a result
// that depends on the run or on the machine cannot be debugged.
func (b *bench) again(ctx context.Context, row *Row, l kernels.Loss, w way, workers int, first gradient) error {
	second, err := b.gradient(ctx, l, w, kernels.WithWorkers(workers))
	if err != nil {
		return err
	}
	row.Checks += len(first.dx) + 1
	if math.Float64bits(first.loss) != math.Float64bits(second.loss) {
		row.fail(fmt.Sprintf("not deterministic: another run with %d workers gives another loss", workers),
			Element{What: "loss", N: -1, C: -1, S: -1, Analytic: second.loss, Numeric: first.loss})
		return nil
	}
	for i, v := range first.dx {
		if math.Float64bits(v) != math.Float64bits(second.dx[i]) {
			n, c, s := b.p.place(i)
			row.fail(fmt.Sprintf("not deterministic: another run with %d workers gives another derivative", workers),
				Element{What: "element", N: n, C: c, S: s, X: b.p.x[i], Analytic: second.dx[i], Numeric: v})
			return nil
		}
	}
	return nil
}

// fail makes a failure of a row that has not failed before.
func (r *Row) fail(reason string, worst Element) {
	if r.Verdict != Fail {
		r.Verdict, r.Reason, r.Worst = Fail, reason, worst
	}
}

// steady computes all losses in one expression with the numbers of workers that each
// of the ways has, which must not matter. One row stands for all losses, since they
// share every pass over the tensor.
func (b *bench) steady(ctx context.Context, ways []way, workers func(k int) []int, kind, edge string) ([]Row, error) {
	var rows []Row
	for k, w := range ways {
		row := Row{
			Group: "determinism", Loss: "every loss at once", Activation: b.p.activation.String(), Target: kind, Edge: edge,
			Backend: w.backend, DType: w.dtype.String(), Layout: w.layout.String(),
		}
		first, err := b.gradient(ctx, b.field.sum, w)
		if err != nil {
			return rows, err
		}
		for _, n := range workers(k) {
			if err := b.again(ctx, &row, b.field.sum, w, n, first); err != nil {
				return rows, err
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
