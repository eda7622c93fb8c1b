package gradcheck

import (
	"context"
	"errors"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// ending is a context that is cancelled when it has been looked at often enough.
type ending struct {
	context.Context
	looks int // so far
	most  int // 0: it never ends
}

func (e *ending) Err() error {
	if e.looks++; e.most > 0 && e.looks > e.most {
		return context.Canceled
	}
	return nil
}

// TestInterrupted: what grows with the square of the classes looks at the context in
// each step, and ends with its error.
func TestInterrupted(t *testing.T) {
	const c = 40
	p := &problem{n: 1, c: c, s: 1, activation: kernels.Softmax, x: make([]float64, c), labels: []int64{3}, labelType: uint8Labels}
	for i := range p.x {
		p.x[i] = float64(i%7) / 4
	}
	b, err := newBench(t.Context(), p, custom(parse(t, "exp_log")))
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func(context.Context) error{
		"the sums' coefficients": b.scope.differentiate,
		"the exact gradient":     func(ctx context.Context) error { _, err := b.judge(ctx, 0); return err },
	} {
		ctx := &ending{Context: t.Context()}
		if err := f(ctx); err != nil || ctx.looks < c {
			t.Errorf("%s: %d looks at the context for %d classes, %v", what, ctx.looks, c, err)
		}
		ctx = &ending{Context: t.Context(), most: 5}
		if err := f(ctx); !errors.Is(err, context.Canceled) || ctx.looks != 6 {
			t.Errorf("%s: %d looks at a context that ended at the sixth, %v", what, ctx.looks, err)
		}
	}
}
