package gradcheck

import (
	"context"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// TestHint makes gradients wrong and asks for the name of the mistake: by each
// mutant that changes them, or by one of another name that makes the same of
// them.
func TestHint(t *testing.T) {
	ctx := context.Background()
	w := []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}}
	named := 0
	for _, loss := range []string{"focal_tversky", "dice(weight=[0.75,1.25,1.75])", "focal + gdl"} {
		for _, tc := range libraryCases(Options{Activations: []kernels.Activation{kernels.Softmax}}) {
			if edges[tc.edge].name != "ordinary" {
				continue
			}
			sp := specimenOf(t, loss, tc)
			b := sp.b
			for _, m := range mutants() {
				wrong, err := m.gradient(t.Context(), b.p, b.variants[0].loss, sp.judge.dx)
				if err != nil {
					t.Fatal(err)
				}
				if wrong == nil || sp.change(wrong) < 1e4 {
					continue
				}
				b.hints = 0
				b.alter = func(dx []float64) { copy(dx, wrong) }
				rows, err := b.rows(ctx, 0, w, "", "")
				if err != nil {
					t.Fatal(err)
				}
				switch h := rows[0].Hint; {
				case strings.HasSuffix(h, ": "+m.name):
					named++
				case h == "" || !sameMistake(t.Context(), b, h, wrong, sp.judge.dx):
					t.Errorf("%s, %s: hint %q", loss, m.name, h)
				}
			}
		}
	}
	if named < 60 {
		t.Errorf("%d mistakes were named", named)
	}
}

// sameMistake reports whether the mutant that a hint names makes the same of the
// right gradient as the one that was injected.
func sameMistake(ctx context.Context, b *bench, hint string, wrong, right []float64) bool {
	for _, m := range mutants() {
		if strings.HasSuffix(hint, ": "+m.name) {
			other, err := m.gradient(ctx, b.p, b.variants[0].loss, right)
			return err == nil && distance(other, wrong) < 1e-9*distance(right, wrong)
		}
	}
	return false
}

// TestHintNone asks for no hint where a gradient resembles no mistake, and for
// few of one problem.
func TestHintNone(t *testing.T) {
	ctx := context.Background()
	b, err := newBench(ctx, libraryCases(Options{})[0].problem(), custom(parse(t, "dice + mine", region{1})))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.small(ctx); err != nil {
		t.Fatal(err)
	}
	dx := values(b.numeric[0])
	scale(dx, -1)
	for k, want := range []string{"sign", "sign", ""} {
		if h := b.hint(t.Context(), 0, dx, nil); !strings.HasSuffix(h, want) || want == "" && h != "" {
			t.Errorf("failure %d: hint %q, want %q", k, h, want)
		}
	}
	b.hints = 0
	for i := range dx {
		dx[i] *= 0.3 + float64(i)
	}
	if h := b.hint(t.Context(), 0, dx, nil); h != "" {
		t.Errorf("hint %q for an unknown mistake", h)
	}
}

// TestHintLarge asks for the mistake in a tensor too large for the oracle of
// small ones.
func TestHintLarge(t *testing.T) {
	ctx := context.Background()
	for loss, want := range map[string]string{"tversky": "alpha and beta exchanged", "ce": "times the positions"} {
		b := largeProblem(t, loss)
		right, err := b.p.oracleGradient(b.variants[0].loss)
		if err != nil {
			t.Fatal(err)
		}
		var wrong []float64
		for _, m := range mutants() {
			if m.name == want {
				if wrong, err = m.gradient(t.Context(), b.p, b.variants[0].loss, right); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.alter = func(dx []float64) { copy(dx, wrong) }
		rows, err := b.rows(ctx, 0, []way{{backend: reference(), dtype: Float64, layout: kernels.NCS}, {backend: reference(), dtype: Float32, layout: kernels.NSC}}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Verdict != Fail || !strings.HasSuffix(r.Hint, want) {
				t.Errorf("%s, %s: %v, hint %q, want %q", loss, r.DType, r.Verdict, r.Hint, want)
			}
		}
	}
}
