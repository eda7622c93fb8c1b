package gradcheck

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

const someExceptions = `
# comment
dice | none | dense | tiny | f64 | noise | differences of rounded values
focal(gamma=0.5)|softmax|uint8, weights|brain|f64|divergent|a power below 1 at its zero
  ce | none | dense | tiny | f32 | domain | gone
`

func TestExceptions(t *testing.T) {
	list, err := parseExceptions(someExceptions)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d lines, %v", len(list), err)
	}
	row := func(loss, activation, target, edge, dtype, reason string) Row {
		return Row{Loss: loss, Activation: activation, Target: target, Edge: edge, DType: dtype, Reason: reason, Verdict: Inconclusive}
	}
	dice := row("dice", "none", "dense", "tiny", "f64", "noise: a relative defect of 1 could have been missed")
	rows := []Row{
		dice,
		row("focal(gamma=0.5)", "softmax", "uint8, weights", "brain", "f64", "along a direction: divergent: as h^-0.5"),
		row("dice", "none", "dense", "tiny", "f64", "domain: no finite difference could be formed"),
		row("dice2", "none", "dense", "tiny", "f64", dice.Reason),
		row("dice", "sigmoid", "dense", "tiny", "f64", dice.Reason),
		row("dice", "none", "uint8", "tiny", "f64", dice.Reason),
		row("dice", "none", "dense", "ordinary", "f64", dice.Reason),
		row("dice", "none", "dense", "tiny", "f32", dice.Reason),
		dice, dice,
	}
	rows[8].Backend, rows[8].Layout = "avx2", "nsc" // do not matter
	rows[9].Verdict = Fail                          // is never excused
	list.mark(rows)
	stale := list.stale(rows)
	for i, want := range []bool{true, true, false, false, false, false, false, false, true, false} {
		if rows[i].Listed != want {
			t.Errorf("row %d: listed %v, want %v", i, rows[i].Listed, want)
		}
	}
	if want := []string{"ce | none | dense | tiny | f32 | domain | gone"}; !slices.Equal(stale, want) {
		t.Errorf("stale %q, want %q", stale, want)
	}
}

func TestExceptionsRefused(t *testing.T) {
	for _, bad := range []string{
		"dice | none | dense | tiny | f64 | noise",
		"dice | none | dense | tiny | f64 | noise | why | more",
		"dice | none | dense |  | f64 | noise | why",
		"dice | none | dense | tiny | f64 | laziness | why",
	} {
		if list, err := parseExceptions("# one\n" + bad); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, %v", bad, list, err)
		}
	}
}

// TestCommittedExceptions asks that the list can be read and names what there is.
func TestCommittedExceptions(t *testing.T) {
	list, err := committed()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		parse(t, e.loss)
		if !slices.Contains(EdgeNames(), e.edge) || !slices.Contains(TargetNames(), e.target) || e.dtype != "f32" && e.dtype != "f64" {
			t.Errorf("%v", e)
		}
	}
}

// TestListedVerdict asks that listed rows are reported but do not count, unless
// they are too many.
func TestListedVerdict(t *testing.T) {
	rows := make([]Row, 400)
	rows[1] = Row{Verdict: Inconclusive, Listed: true, Reason: "noise"}
	rows[2] = rows[1]
	r := Report{Rows: rows, Stale: []string{"gone"}}
	if r.Verdict() != Pass {
		t.Errorf("2 listed of 400: %v", r.Verdict())
	}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"398 passed, 0 failed, 2 inconclusive (2 listed)", "none of any more: gone"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "\nINCONCLUSIVE ") {
		t.Errorf("details of listed rows:\n%s", &b)
	}
	r.Rows = rows[:399]
	if r.Verdict() != Inconclusive {
		t.Errorf("2 listed of 399: %v", r.Verdict())
	}
	rows[2].Listed = false
	r.Rows = rows
	if r.Verdict() != Inconclusive {
		t.Errorf("1 listed and 1 not: %v", r.Verdict())
	}
	rows[3].Verdict = Fail
	if r.Verdict() != Fail {
		t.Errorf("one failed: %v", r.Verdict())
	}
}

// TestWhole asks that only a run that leaves nothing out calls lines stale.
func TestWhole(t *testing.T) {
	if o := (Options{Backends: []string{reference()}}); !o.whole() {
		t.Error("a run on one backend leaves out lines of the list")
	}
	for name, o := range map[string]Options{
		"short": {Level: Short}, "seed": {Seed: 1}, "edges": {Edges: []string{"tiny"}}, "targets": {Targets: []string{"dense"}},
		"types": {DTypes: []DType{Float64}}, "layouts": {Layouts: []kernels.Layout{kernels.NCS}}, "activations": {Activations: []kernels.Activation{kernels.None}},
	} {
		if o.whole() {
			t.Errorf("%s: nothing is left out", name)
		}
	}
}
