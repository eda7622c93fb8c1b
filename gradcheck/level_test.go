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

// TestThinnedCases: of the cases, a thinned run has each kind of input with each kind of
// target once, and under each activation every kind of both; the seeds share the rest.
func TestThinnedCases(t *testing.T) {
	full, ever := Options{}.testcases(), map[string]bool{}
	for seed := range uint64(6) {
		tests := Options{thin: true, Seed: seed}.testcases()
		inputs, pairs := map[string]int{}, map[string]bool{}
		for _, tc := range tests {
			inputs[fmt.Sprint(tc.edge, tc.kind)]++
			pairs[fmt.Sprint(tc.activation, "edge", tc.edge)] = true
			pairs[fmt.Sprint(tc.activation, "kind", tc.kind)] = true
			ever[tc.String()] = true
		}
		for _, tc := range full {
			if inputs[fmt.Sprint(tc.edge, tc.kind)] != 1 {
				t.Errorf("seed %d: %d cases of the input and the target of %v", seed, inputs[fmt.Sprint(tc.edge, tc.kind)], tc)
			}
			if !pairs[fmt.Sprint(tc.activation, "edge", tc.edge)] || !pairs[fmt.Sprint(tc.activation, "kind", tc.kind)] {
				t.Errorf("seed %d: nothing of the input or of the target of %v", seed, tc)
			}
		}
		if len(tests) > len(full)/2 {
			t.Errorf("seed %d: %d of %d cases", seed, len(tests), len(full))
		}
	}
	if len(ever) != len(full) {
		t.Errorf("%d of %d cases with any of the seeds", len(ever), len(full))
	}
}

// TestThinnedVariants: every loss with every option is in a thinned run, and as often as
// another with as many kinds of input.
func TestThinnedVariants(t *testing.T) {
	count := map[string]int{}
	for _, tc := range (Options{thin: true}).testcases() {
		all, err := listed(tc.classes())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			count[v.text] += 0
		}
		for _, v := range tc.share(all) {
			count[v.text]++
		}
	}
	for text, n := range count {
		if n == 0 && !strings.Contains(text, "[") { // a list is of one number of classes
			t.Errorf("%s is not checked", text)
		}
	}
}

// TestThinnedVolume: on the volumes of a thinned run every loss is checked by the best
// backend each time and by every other in turn, along fewer directions.
func TestThinnedVolume(t *testing.T) {
	var ways []way
	for _, backend := range []string{reference(), "good", "best"} {
		for _, d := range []DType{Float64, Float32} {
			ways = append(ways, way{backend: backend, dtype: d, layout: kernels.NCS}, way{backend: backend, dtype: d, layout: kernels.NSC})
		}
	}
	few, all := Options{thin: true}.volumes(), Options{}.volumes()
	if len(few) != len(all) {
		t.Fatalf("%d of %d volumes", len(few), len(all))
	}
	counts := map[int]bool{}
	for i := range len(kernels.Losses()) {
		seen := map[string]int{}
		for k, v := range few {
			for _, w := range v.waysOf(i, v.ways(ways)) {
				seen[w.backend]++
			}
			if v.directions() != fewDirections || len(v.workers(i)) != 1 || all[k].directions() != directions || len(all[k].workers(i)) != len(workerCounts) {
				t.Errorf("%v: %d directions, %v workers", v, v.directions(), v.workers(i))
			}
			counts[v.workers(i)[0]] = true
		}
		if seen["best"] != len(few) || seen["good"] == 0 || seen[reference()] == 0 {
			t.Errorf("loss %d is checked by %v", i, seen)
		}
	}
	if len(counts) != len(workerCounts) {
		t.Errorf("gradients are computed again with %v workers", counts)
	}
	v := few[0]
	if alone := v.ways(ways[:4]); len(v.waysOf(0, alone)) != len(alone) {
		t.Errorf("of a single backend's %v: %v", alone, v.waysOf(0, alone))
	}
}

// TestThinnedSaid: what is left out is counted, in words and in JSON, and only inputs
// that nobody has named are thinned.
func TestThinnedSaid(t *testing.T) {
	o := Options{thin: true}
	ways, err := o.inputs()
	if err != nil {
		t.Fatal(err)
	}
	said := o.thinned(ways)
	full := len(Options{}.testcases())
	if said == nil || said.Cases != (Share{len(o.testcases()), full}) || said.Gradients.Of <= said.Gradients.Checked && len(ways) > 8 || said.Directions != (Share{2, 8}) || said.Workers != (Share{1, 3}) {
		t.Fatalf("%+v", said)
	}
	r := Report{Thinned: said}
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("Thinned: %d of %d cases", len(o.testcases()), full); !strings.Contains(b.String(), want) || !strings.HasSuffix(b.String(), "-full nothing is left out.\n") {
		t.Errorf("no %q in\n%s", want, &b)
	}
	got := lines(t, r)
	if cases := got[len(got)-1]["thinned"].(map[string]any)["cases"].(map[string]any); cases["of"] != float64(full) {
		t.Errorf("JSON: %v", cases)
	}
	for name, o := range map[string]Options{
		"an input":       {Edges: []string{"one position"}, Activations: []kernels.Activation{kernels.None}},
		"a target":       {Edges: []string{"tiny"}, Targets: []string{"uint8"}},
		"the level Full": {Level: Full, Edges: []string{"tiny"}},
	} {
		o.DTypes, o.Backends = []DType{Float64}, []string{reference()}
		r, err := All(context.Background(), o)
		if err != nil || r.Thinned != nil || len(r.Rows) == 0 {
			t.Errorf("%s is named: %v, %d rows, thinned %+v", name, err, len(r.Rows), r.Thinned)
		}
		edges := func(r Row) bool { return r.Edge != o.Edges[0] }
		if slices.ContainsFunc(r.Rows, edges) {
			t.Errorf("%s is named, and there are others", name)
		}
	}
}

// TestLevels: which levels thin a run over every loss, and that one activation alone has
// every case.
func TestLevels(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for level, want := range map[Level]bool{Usual: true, Short: false, Full: false} {
		r, _ := All(ctx, Options{Level: level}) // the error is that of the context
		if (r.Thinned != nil) != want {
			t.Errorf("level %d: thinned %+v", level, r.Thinned)
		}
	}
	_, all := All(ctx, Options{Level: 3})
	_, self := RunSelfTest(ctx, Options{Level: 3})
	for _, err := range []error{all, self} {
		if !errors.Is(err, kernels.ErrOption) || !strings.Contains(err.Error(), "level = 3") {
			t.Errorf("level 3: %v", err)
		}
	}
	o := Options{Level: Usual, thin: true, Activations: []kernels.Activation{kernels.None}}
	if n, all := len(o.testcases()), len(testcases(kernels.None)); n != all {
		t.Errorf("%d of %d cases of one activation", n, all)
	}
}
