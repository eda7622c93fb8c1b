package gradcheck

import (
	"context"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// TestAgain spoils one bit of a first computation.
func TestAgain(t *testing.T) {
	ctx := context.Background()
	b := largeProblem(t, "dice + focal")
	l, w := b.variants[0].loss, way{backend: reference(), dtype: Float32, layout: kernels.NSC}
	for _, tt := range []struct {
		name  string
		spoil func(*gradient)
		want  Verdict
		what  string
	}{
		{"the same", func(*gradient) {}, Pass, ""},
		{"loss", func(g *gradient) { g.loss += 1e-9 }, Fail, "loss"},
		{"derivative", func(g *gradient) { g.dx[4321] *= 1 + 0x1p-23 }, Fail, "element"},
	} {
		first, err := b.gradient(ctx, l, w)
		if err != nil {
			t.Fatal(err)
		}
		tt.spoil(&first)
		var row Row
		if err := b.again(ctx, &row, l, w, 2, first); err != nil {
			t.Fatal(err)
		}
		if row.Verdict != tt.want || row.Worst.What != tt.what || tt.want == Fail && !strings.Contains(row.Reason, "not deterministic") {
			t.Errorf("%s: %+v", tt.name, row)
		}
	}
}

// TestSteady asks for a row for every way, with every number of workers in it.
func TestSteady(t *testing.T) {
	b := largeProblem(t, "gdl + ce")
	ways := []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}, {backend: reference(), dtype: Float32, layout: kernels.NSC}}
	rows, err := b.steady(context.Background(), ways, volume{}.workers, "uint8", "large")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(ways) {
		t.Fatalf("%d rows, want %d", len(rows), len(ways))
	}
	for _, r := range rows {
		if r.Verdict != Pass || r.Checks != len(workerCounts)*(len(b.p.x)+1) {
			t.Errorf("%+v", r)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.steady(ctx, ways, volume{}.workers, "", ""); err == nil {
		t.Error("no error where the context has ended")
	}
}
