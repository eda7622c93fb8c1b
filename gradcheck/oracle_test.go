package gradcheck

import (
	"testing"

	"github.com/segloss/segloss/kernels"
)

// TestJudges asks for an exact oracle of every loss, and for none where there
// can be none.
func TestJudges(t *testing.T) {
	for _, info := range kernels.Losses() {
		if l := parse(t, info.Name); !ruled(l) {
			t.Errorf("no exact rule for %s", info.Name)
		}
	}
	if ruled(parse(t, "mine", region{1})) {
		t.Error("an exact rule for a region of the caller's")
	}
	p := libraryCases(Options{})[0].problem()
	for _, tt := range []struct {
		loss  string
		value float64
		want  string
	}{
		{"dice + gdl", 1, "differences and the rational oracle"},
		{"dice + ce", 1, "differences and the dual oracle"},
		{"dice", inf, "differences"},
		{"mine", 1, "differences"},
	} {
		b := &bench{p: p, variants: custom(parse(t, tt.loss, region{1})), value: []float64{tt.value}}
		j, err := b.judge(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := j.names(Float64); got != tt.want {
			t.Errorf("%s is judged by %q, want %q", tt.loss, got, tt.want)
		}
		if got := j.names(Float32); got != "the float64 gradient" {
			t.Errorf("%s in float32 is judged by %q", tt.loss, got)
		}
	}
}
