package gradcheck

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// TestSelfTest asks that every effective mutant of every loss is caught and no
// right gradient rejected, that every kind of mistake is effective somewhere,
// and that the comparison with other checkers is worth its name.
func TestSelfTest(t *testing.T) {
	o := Options{Level: Short}
	if testing.Short() {
		o.Activations = []kernels.Activation{kernels.None, kernels.Softmax}
	}
	s, err := RunSelfTest(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := s.Print(&text); err != nil {
		t.Fatal(err)
	}
	if s.Verdict() != Pass {
		t.Errorf("%v\n%s", s.Verdict(), text.String())
	}
	if len(s.Mutants) < 20 || len(s.Losses) != len(kernels.Losses()) {
		t.Errorf("%d mutants of %d losses", len(s.Mutants), len(s.Losses))
	}
	for _, m := range s.Mutants {
		if !slices.ContainsFunc(m.Cells, func(c MutantCell) bool { return c.Effective > 0 }) {
			t.Errorf("%q changes no loss on any input", m.Name)
		}
		if !strings.Contains(text.String(), m.Name) {
			t.Errorf("%q is not in the report", m.Name)
		}
	}
	for l, name := range s.Losses {
		kinds := 0
		for _, m := range s.Mutants {
			if m.Cells[l].Effective > 0 {
				kinds++
			}
		}
		if kinds < 20 {
			t.Errorf("%s: %d kinds of mistake are effective, want 20", name, kinds)
		}
	}
	for _, c := range s.Checkers[1:] {
		if c.Mutants != s.Checkers[0].Mutants || c.Right != s.Checkers[0].Right || c.Caught == c.Mutants && c.Rejected == 0 {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
}

// specimenOf prepares one loss on one case.
func specimenOf(t *testing.T, loss string, tc testcase) *specimen {
	t.Helper()
	ctx := context.Background()
	b, err := newBench(ctx, tc.problem(), custom(parse(t, loss)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.small(ctx); err != nil {
		t.Fatal(err)
	}
	sp, err := b.specimen(ctx, 0, tc)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// TestSelfTestEscape blinds the checker on one loss: estimates with an error as
// large as the derivative let mutants pass, and noise in them rejects what is
// right.
func TestSelfTestEscape(t *testing.T) {
	sp := specimenOf(t, "dice", libraryCases(Options{})[0])
	right := slices.Clone(sp.numeric)
	for i := range sp.numeric {
		sp.numeric[i].Err = math.Abs(sp.numeric[i].Value)
	}
	blind := newSelfTest()
	if err := blind.try(t.Context(), sp); err != nil {
		t.Fatal(err)
	}
	if blind.Verdict() != Fail || blind.Checkers[0].Undecided != 1 {
		t.Errorf("blind: %s", blind.Summary())
	}
	for i := range sp.numeric {
		sp.numeric[i] = right[i]
		sp.numeric[i].Value *= 1.1
	}
	wrong := newSelfTest()
	if err := wrong.try(t.Context(), sp); err != nil {
		t.Fatal(err)
	}
	if wrong.Verdict() != Fail || wrong.Checkers[0].Rejected != 1 {
		t.Errorf("wrong: %s", wrong.Summary())
	}
	for _, s := range []*SelfTest{blind, wrong} {
		var text strings.Builder
		if err := s.Print(&text); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "ESCAPED ", false: "REJECTED though right: dice"}[s == blind]; !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestSelfTestInterrupted asks for what there is, and that it is called partial.
func TestSelfTestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := RunSelfTest(ctx, Options{Level: Short, Progress: func(done, _ int, what string) {
		if done > 0 && !strings.HasPrefix(what, "self-test, ") {
			t.Errorf("progress %q", what)
		}
		if done == 2*costOfMistakes {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !s.Partial || s.Verdict() != Inconclusive || !strings.Contains(s.Summary(), "partial") {
		t.Errorf("%v, %s", err, s.Summary())
	}
	if s.Checkers[0].Mutants == 0 {
		t.Error("nothing of what was done is there")
	}
}

// TestMutants asks that no mutant changes its input, and for the reach of those
// that are made of options and rules.
func TestMutants(t *testing.T) {
	p := libraryCases(Options{})[0].problem()
	names := map[string]bool{}
	for _, m := range mutants() {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		right := make([]float64, len(p.x))
		for i := range right {
			right[i] = float64(i + 1)
		}
		before := slices.Clone(right)
		foreign := parse(t, "mine", region{1})
		dx, err := m.gradient(t.Context(), p, foreign, right)
		if err != nil || (dx == nil) != (m.finish == nil) {
			t.Errorf("%s of a foreign loss: %v, %v", m.name, dx, err)
		}
		if !slices.Equal(right, before) {
			t.Errorf("%s changed the right gradient", m.name)
		}
	}
	if len(names) != 49 {
		t.Errorf("%d kinds of mistake; the README says 49", len(names))
	}
	g := []float64{1 + 0x1p-12}
	if halve(nil, g); g[0] != 1 {
		t.Errorf("half precision has %v, want 1", g[0])
	}
}
