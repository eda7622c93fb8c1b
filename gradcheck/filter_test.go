package gradcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func TestOptionsNames(t *testing.T) {
	for name, o := range map[string]Options{
		`edges[1] = "sharp"`:                   {Edges: []string{"tiny", "sharp"}},
		`targets[0] = "soft"`:                  {Targets: []string{"soft"}},
		`edges ["far apart"], targets ["uint8`: {Activations: []kernels.Activation{kernels.None}, Edges: []string{"far apart"}, Targets: []string{"uint8"}},
		`edges []`:                             {Edges: []string{}},
		`targets []`:                           {Targets: []string{}},
		`edges ["brain"], targets ["dense"]`:   {Edges: []string{"brain"}, Targets: []string{"dense"}},
	} {
		_, all := All(context.Background(), o)
		_, one := Loss(context.Background(), parse(t, "dice"), o)
		for _, err := range []error{all, one} {
			var arg *kernels.ArgError
			if !errors.As(err, &arg) || !errors.Is(err, kernels.ErrOption) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestTestcasesFiltered(t *testing.T) {
	o := Options{Edges: []string{"tiny", "far apart", "brain"}, Targets: []string{"uint8", "dense, mask"}, Seed: 9}
	tests := o.testcases()
	if len(tests) != 2*(1+2) { // tiny without an activation, far apart with either of the two
		t.Errorf("%d cases: %v", len(tests), tests)
	}
	for _, tc := range tests {
		if !slices.Contains(o.Edges, edges[tc.edge].name) || !slices.Contains(o.Targets, kinds[tc.kind].name) || tc.seed != 9 {
			t.Errorf("%+v", tc)
		}
	}
	o.Level = Short
	if got := o.testcases(); !slices.Equal(got, tests) {
		t.Errorf("a short run leaves out targets that are named: %v", got)
	}
	if all := (Options{}).testcases(); len(all) <= len((Options{Level: Short}).testcases()) {
		t.Errorf("%d cases, and no fewer in a short run", len(all))
	}
}

func TestVolumesFiltered(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want []string
	}{
		{Options{}, []string{"softmax brain", "softmax brain with lesion", "sigmoid brain", "none brain"}},
		{Options{Level: Short}, nil},
		{Options{Level: Short, Edges: []string{"brain with lesion"}}, []string{"softmax brain with lesion"}},
		{Options{Edges: []string{"tiny"}}, nil},
		{Options{Targets: []string{"dense"}}, nil},
		{Options{Edges: []string{"brain"}, Activations: []kernels.Activation{kernels.None}}, []string{"none brain"}},
	} {
		var got []string
		for _, v := range tt.o.volumes() {
			got = append(got, v.activation.String()+" "+v.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.o, got, tt.want)
		}
	}
}

// TestSeed asks that a seed draws another input of the same kind, the same one
// every time.
func TestSeed(t *testing.T) {
	for _, tc := range (Options{Activations: []kernels.Activation{kernels.Softmax}}).testcases() {
		zero := tc.problem()
		tc.seed = 1
		one, again := tc.problem(), tc.problem()
		if zero.n != one.n || zero.c != one.c || zero.s != one.s {
			t.Errorf("%+v has another shape", tc)
		}
		if differs(one.x, again.x) >= 0 {
			t.Errorf("%+v is not the same twice", tc)
		}
		if differs(zero.x, one.x) < 0 {
			t.Errorf("%+v is the same for another seed", tc)
		}
	}
}

// TestLossReproduces asks that a row of a run over all losses is found again,
// to the bit, by its loss, edge and target.
func TestLossReproduces(t *testing.T) {
	r, err := All(context.Background(), Options{Level: Short, Seed: 2, Activations: []kernels.Activation{kernels.Sigmoid}})
	if err != nil {
		t.Fatal(err)
	}
	every := 1
	if testing.Short() {
		every = 5
	}
	for i, row := range r.Rows {
		if pair := row.Group == pairsGroup; i%(97*every) > 0 && !(pair && i%(5*every) == 0) {
			continue
		}
		o := Options{Seed: 2, Activations: []kernels.Activation{kernels.Sigmoid}, Edges: []string{row.Edge}, Targets: []string{row.Target}}
		one, err := Loss(context.Background(), parse(t, row.Loss), o)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint(row) // rather than ==, for NaN
		if !slices.ContainsFunc(one.Rows, func(r Row) bool { return fmt.Sprint(r) == want }) {
			t.Errorf("%+v is not among %d rows", row, len(one.Rows))
		}
		if slices.ContainsFunc(one.Rows, func(other Row) bool { return parse(t, other.Loss).String() != parse(t, row.Loss).String() }) {
			t.Errorf("%s: rows of other losses", row.Loss)
		}
	}
}

// TestLossVolume runs the real volume for one loss, of the list and not.
func TestLossVolume(t *testing.T) {
	o := Options{Edges: []string{"brain"}, Activations: []kernels.Activation{kernels.Sigmoid}, thin: testing.Short()}
	exprs := []string{"dice", "mine"}
	if testing.Short() {
		exprs = exprs[1:] // which is alone, and dice among all others
	}
	for _, expr := range exprs {
		r, err := Loss(context.Background(), parse(t, expr, region{1}), o)
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, r, Pass)
		rows := slices.DeleteFunc(r.Rows, func(r Row) bool { return r.Group == "determinism" })
		available, err := Options{}.backends()
		if err != nil || len(rows) != len(available) && !o.thin {
			t.Fatalf("%s: %d rows, %v", expr, len(rows), err)
		}
		if row := rows[0]; row.Loss != expr || row.Edge != "brain" || (row.Command == "") != (expr == "mine") {
			t.Errorf("%s: %+v", expr, row)
		}
	}
}

func TestRowCommand(t *testing.T) {
	row := Row{Loss: "dice(smooth=0)", Activation: "sigmoid", Edge: "single pixel", Target: "uint8, weights", Backend: "generic", DType: "f64", Layout: "ncs"}
	want := "gradcheck check -loss 'dice(smooth=0)' -activation sigmoid -edge 'single pixel' -target 'uint8, weights' -backend generic -dtype f64 -layout ncs -seed 12"
	if got := row.command(12); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	own := row
	own.Loss = "mine + dice"
	tensors := row
	tensors.Edge = "every element"
	for _, r := range []Row{own, tensors} {
		if got := r.command(0); got != "" {
			t.Errorf("%s, %s: %s", r.Loss, r.Edge, got)
		}
	}
}
