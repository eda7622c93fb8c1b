package gradcheck

import (
	"fmt"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// Level is how much of what there is to check is checked.
type Level uint8

const (
	// Usual leaves out nothing of one loss, of named inputs or of a caller's tensors.
	// Where [All] goes over every loss on every input it takes about a minute: each
	// kind of input meets each kind of target under one activation, another from case
	// to case and from seed to seed, and the real volume has fewer directions and, but
	// for the last backend, takes turns. [Report.Thinned] says how much that is.
	Usual Level = iota
	// Short is for tests: one kind of target for each kind of input, unless
	// Options.Targets names some, no real volume unless Options.Edges does, and in
	// [RunSelfTest] the options that show the most.
	Short
	// Full leaves out nothing.
	Full
)

// check looks for a level that there is not.
func (l Level) check() error {
	if l <= Full {
		return nil
	}
	return &kernels.ArgError{Arg: "level", Index: -1, Value: int(l), Err: fmt.Errorf("%w: want Usual, Short or Full, 0 to %d", kernels.ErrOption, Full)}
}

// Thinned says which share a run at the level [Usual] had of one at the level [Full].
type Thinned struct {
	Cases      Share `json:"cases"`      // of the table: a kind of input with a kind of target under an activation
	Gradients  Share `json:"gradients"`  // on the real volume
	Directions Share `json:"directions"` // there
	Workers    Share `json:"workers"`    // numbers of workers that a gradient there is computed with again
}

// Share is a part of a whole.
type Share struct {
	Checked int `json:"checked"`
	Of      int `json:"of"`
}

func (s Share) String() string { return fmt.Sprintf("%d of %d", s.Checked, s.Of) }

// String is what a report says of it.
func (t *Thinned) String() string {
	var parts []string
	if c := t.Cases; c.Checked < c.Of {
		parts = append(parts, fmt.Sprintf("%v cases of the table, each kind of input with each kind of target under one activation", c))
	}
	if t.Directions.Checked < t.Directions.Of {
		parts = append(parts, fmt.Sprintf("on the real volume %v gradients, along %v directions, again with %v numbers of workers", t.Gradients, t.Directions, t.Workers))
	}
	return "Thinned: " + strings.Join(parts, "; ") + ". With -full nothing is left out."
}

// thinned returns what the options leave out of what Full would check, nil for nothing.
func (o Options) thinned(ways []way) *Thinned {
	if !o.thin {
		return nil
	}
	full := o
	full.thin = false
	t := &Thinned{Cases: Share{len(o.testcases()), len(full.testcases())}}
	few, all := o.volumes(), full.volumes()
	for i := range few {
		t.Gradients.Checked += few[i].gradients(ways)
		t.Gradients.Of += all[i].gradients(ways)
	}
	if len(few) > 0 {
		t.Directions = Share{few[0].directions(), all[0].directions()}
		t.Workers = Share{len(few[0].workers(0)), len(all[0].workers(0))}
	}
	if t.Cases.Checked == t.Cases.Of && len(few) == 0 {
		return nil
	}
	return t
}

// takes reports whether a level has a case of the table.
func (o Options) takes(t testcase) bool {
	switch {
	case o.thin:
		return o.turn(t)
	case o.Level == Short && o.Targets == nil:
		return oneKind(t)
	}
	return true
}

// oneKind picks one kind of target for each edge, another for the next.
func oneKind(t testcase) bool {
	for i := range kinds {
		if k := (t.edge + int(t.activation) + i) % len(kinds); edges[t.edge].takes(t.activation, k) {
			return k == t.kind
		}
	}
	return false
}

// turn picks one of the activations for each edge with each kind of target: the next
// one for the next edge, kind or seed.
func (o Options) turn(t testcase) bool {
	var able []kernels.Activation
	for _, a := range o.activations() {
		if edges[t.edge].takes(a, t.kind) {
			able = append(able, a)
		}
	}
	k := uint64(t.edge+t.kind) + o.Seed
	return able[k%uint64(len(able))] == t.activation
}
