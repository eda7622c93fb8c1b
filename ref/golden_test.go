package ref_test

import (
	"testing"

	"github.com/segloss/segloss/internal/golden"
)

func TestGolden(t *testing.T) {
	worst, which := 0.0, ""
	for _, c := range golden.Load(t) {
		loss, grad := evaluate(t, input(&c), c.Loss)
		e, err := c.Check(golden.K64, golden.U64, loss, grad)
		if err != nil {
			t.Error(err)
		}
		if e > worst {
			worst, which = e, c.ID
		}
	}
	t.Logf("largest error: %.3g of its bound, in %s", worst, which)
}
