package gradcheck

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/segloss/segloss/gradcheck/internal/peers"
	"github.com/segloss/segloss/kernels"
)

// SelfTest is what came of putting wrong gradients of every loss, and right
// ones, to the checker.
type SelfTest struct {
	Losses   []string       `json:"losses"`
	Mutants  []MutantRow    `json:"mutants"`
	Checkers []Checker      `json:"checkers"` // this one first, then the criteria of others, on the same gradients
	Oracles  map[string]int `json:"oracles"`  // gradients by the arithmetic that said what is right
	Partial  bool           `json:"partial"`
	Elapsed  time.Duration  `json:"elapsed_ns"`
}

// MutantRow is what became of one kind of mistake, by loss.
type MutantRow struct {
	Name  string       `json:"name"`
	Cells []MutantCell `json:"cells"` // of each of the losses
}

// MutantCell is what became of one kind of mistake in one loss. A mutant is
// effective where it moves an element by more than ten tolerances, as the exact
// oracle says, which the checker does not ask.
type MutantCell struct {
	Effective int      `json:"effective"`
	Caught    int      `json:"caught"` // of the effective
	Harmless  int      `json:"harmless"`
	Most      float64  `json:"most"`    // the largest change that a harmless one makes, in tolerances
	Escaped   []string `json:"escaped"` // inputs on which an effective one passed
}

// Checker is how one checker did.
type Checker struct {
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	Mutants   int      `json:"mutants"` // effective ones
	Caught    int      `json:"caught"`
	Right     int      `json:"right"`     // right gradients
	Rejected  int      `json:"rejected"`  // of them: false alarms
	Undecided int      `json:"undecided"` // of them
	Alarms    []string `json:"alarms"`    // false ones
}

// Verdict is Fail where an effective mutant escaped or a right gradient was
// rejected, and Inconclusive where one was not decided or the run is partial.
func (s *SelfTest) Verdict() Verdict {
	us := s.Checkers[0]
	switch {
	case us.Caught < us.Mutants || us.Rejected > 0:
		return Fail
	case us.Undecided > 0 || s.Partial || us.Mutants == 0:
		return Inconclusive
	}
	return Pass
}

// effective is the number of tolerances that a mutant has to move an element by
// to count.
const effective = 10

// library lists the inputs that mutants are made on, each with the kind of
// target that shows the most.
var library = []struct{ edge, kind string }{
	{"ordinary", "dense, weights"},
	{"many classes", "uint8"},
	{"empty mask", "uint8"},
	{"absent class", "int32, mask"},
	{"single pixel", "int64, ignore"},
	{"nearly perfect", "dense"},
	{"perfect", "uint8"},
	{"saturated", "uint8, weights"},
	{"far apart", "dense"},
	{"clamp edge", "dense, mask"},
	{"tiny", "dense"},
	{"all ignored", "int64, ignore"},
}

// libraryCases returns the library as cases of the table.
func libraryCases(o Options) []testcase {
	var all []testcase
	for _, a := range o.activations() {
		for _, t := range testcases(a) {
			for _, l := range library {
				t.seed = o.Seed
				if edges[t.edge].name == l.edge && kinds[t.kind].name == l.kind {
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// RunSelfTest injects every mutant into every loss on a library of inputs, and
// puts it to the finite differences alone and to the criteria of other
// checkers. When the context ends, it returns what there is, and the context's
// error.
func RunSelfTest(ctx context.Context, o Options) (*SelfTest, error) {
	if err := o.Level.check(); err != nil {
		return newSelfTest(), err
	}
	p := &progress{tell: o.Progress, total: o.selfTestCost()}
	p.start()
	return o.selfTest(ctx, p)
}

// selfTestCost is what the self-test costs.
func (o Options) selfTestCost() int { return len(libraryCases(o)) * costOfMistakes }

// selfTest is RunSelfTest as a part of a run.
func (o Options) selfTest(ctx context.Context, p *progress) (*SelfTest, error) {
	start := time.Now()
	s := newSelfTest()
	cases := libraryCases(o)
	trials := make([]*SelfTest, len(cases))
	err := sideBySide(ctx, len(cases), func(i int) error {
		trials[i] = newSelfTest()
		err := trials[i].run(ctx, cases[i], o)
		p.step(costOfMistakes, "self-test, "+cases[i].String())
		return err
	})
	for _, t := range trials {
		if t != nil {
			s.add(t)
		}
	}
	s.Elapsed, s.Partial = time.Since(start), ctx.Err() != nil
	if s.Partial {
		err = fmt.Errorf("gradcheck: %w", ctx.Err())
	}
	return s, err
}

// newSelfTest makes an empty outcome.
func newSelfTest() *SelfTest {
	s := &SelfTest{Oracles: map[string]int{}}
	for _, info := range kernels.Losses() {
		s.Losses = append(s.Losses, info.Name)
	}
	for _, m := range mutants() {
		s.Mutants = append(s.Mutants, MutantRow{m.name, make([]MutantCell, len(s.Losses))})
	}
	s.Checkers = []Checker{{Name: "segloss", Source: "this checker, by finite differences alone"}}
	for _, c := range peers.All {
		s.Checkers = append(s.Checkers, Checker{Name: c.Name, Source: c.Source})
	}
	return s
}

// add counts another outcome in.
func (s *SelfTest) add(t *SelfTest) {
	for i, row := range t.Mutants {
		for l, c := range row.Cells {
			s.Mutants[i].Cells[l].add(c)
		}
	}
	for i, c := range t.Checkers {
		s.Checkers[i].add(c)
	}
	for o, n := range t.Oracles {
		s.Oracles[o] += n
	}
}

func (c *MutantCell) add(d MutantCell) {
	c.Effective += d.Effective
	c.Caught += d.Caught
	c.Harmless += d.Harmless
	c.Most = math.Max(c.Most, d.Most)
	c.Escaped = append(c.Escaped, d.Escaped...)
}

func (c *Checker) add(d Checker) {
	c.Mutants += d.Mutants
	c.Caught += d.Caught
	c.Right += d.Right
	c.Rejected += d.Rejected
	c.Undecided += d.Undecided
	c.Alarms = append(c.Alarms, d.Alarms...)
}

// revealing reports whether a variant is one that mistakes show in which no
// other has: the default, lists of class weights, cells left out.
func (v variant) revealing() bool {
	return v.whole || strings.Contains(v.text, "[") || strings.Contains(v.text, "absent=skip")
}

// run does one case: every loss with every option, or in a short run with those
// that matter most. Losses that are infinite, as some are without smoothing,
// have no gradient to get wrong.
func (s *SelfTest) run(ctx context.Context, t testcase, o Options) error {
	all, err := listed(t.classes())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(v variant) bool { return o.Level == Short && !v.revealing() })
	b, err := newBench(ctx, t.problem(), all)
	if err != nil {
		return err
	}
	if err := b.small(ctx); err != nil {
		return err
	}
	for i := range all {
		if !finite(b.value[i]) {
			continue
		}
		sp, err := b.specimen(ctx, i, t)
		if err != nil {
			return err
		}
		if err := s.try(ctx, sp); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// A specimen is one loss on one input, with its right gradient by an oracle.
type specimen struct {
	b    *bench
	i    int // of the loss among the variants of the bench
	name string
	judge
	dx      []float64 // by the kernels
	numeric []Estimate
	hidden  func(j int) float64 // slope that rounding could hide
	value   func(x []float64) float64
}

// specimen prepares variant i.
func (b *bench) specimen(ctx context.Context, i int, t testcase) (*specimen, error) {
	v := b.variants[i]
	frozen, err := b.p.frozenGradient(v.loss)
	if err != nil {
		return nil, err
	}
	sp := &specimen{b: b, i: i, name: fmt.Sprintf("%s, %v", v.text, t), numeric: withFrozen(b.numeric[i], frozen, b.elements)}
	sp.hidden = func(j int) float64 { return b.hidden(ctx, i, j) }
	if sp.judge, err = b.judge(ctx, i); err != nil {
		return nil, err
	}
	if sp.judge.dx == nil {
		return nil, fmt.Errorf("gradcheck: %s: no oracle", sp.name)
	}
	g, err := b.gradient(ctx, v.loss, way{backend: reference(), dtype: Float64, layout: kernels.NCS})
	if err != nil {
		return nil, err
	}
	sp.dx = g.dx
	f, err := newUnion([]kernels.Loss{v.loss})
	if err != nil {
		return nil, err
	}
	field, err := f.on(b.p, reference())
	if err != nil {
		return nil, err
	}
	sp.value = remembered(func(x []float64) float64 {
		copy(field.b.x, x)
		out := []float64{0}
		field.eval(ctx, out)
		return out[0]
	})
	return sp, nil
}

// remembered returns f with a memory, since the points at which a checker
// evaluates it do not depend on the gradient.
func remembered(f func([]float64) float64) func([]float64) float64 {
	known := map[string]float64{}
	key := []byte{}
	return func(x []float64) float64 {
		key = key[:0]
		for _, v := range x {
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v))
		}
		v, ok := known[string(key)]
		if !ok {
			v = f(x)
			known[string(key)] = v
		}
		return v
	}
}

// change returns how far a gradient is from the right one, in tolerances.
func (sp *specimen) change(dx []float64) float64 {
	least, most := floor*rms(sp.judge.dx), 0.0
	for i, v := range sp.judge.dx {
		if dx[i] == v || math.IsNaN(dx[i]) && math.IsNaN(v) {
			continue
		}
		gap := math.Abs(dx[i]-v) / (tolerance * math.Max(math.Abs(v), least))
		if math.IsNaN(gap) {
			gap = math.Inf(1)
		}
		most = math.Max(most, gap)
	}
	return most
}

// verdict is what the finite differences say of a gradient.
func (sp *specimen) verdict(dx []float64) Verdict {
	c := numerically(sp.numeric, dx)
	c.hidden = sp.hidden
	return c.judge().verdict
}

// try puts the right gradient and every mutant to the checkers.
func (s *SelfTest) try(ctx context.Context, sp *specimen) error {
	s.Oracles[string(sp.oracle)]++
	s.right(sp)
	loss := slices.Index(s.Losses, sp.b.variants[sp.i].group)
	for k, m := range mutants() {
		wrong, err := m.gradient(ctx, sp.b.p, sp.b.variants[sp.i].loss, sp.judge.dx)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", sp.name, m.name, err)
		}
		if wrong == nil {
			continue
		}
		cell := &s.Mutants[k].Cells[loss]
		if change := sp.change(wrong); change <= effective {
			cell.Harmless++
			cell.Most = math.Max(cell.Most, change)
			continue
		}
		s.wrong(sp, cell, wrong)
	}
	return nil
}

// right puts the right gradient to the checkers.
func (s *SelfTest) right(sp *specimen) {
	for k := range s.Checkers {
		c := &s.Checkers[k]
		c.Right++
		ok := true
		if k == 0 {
			v := sp.verdict(sp.dx)
			ok = v != Fail
			if v == Inconclusive {
				c.Undecided++
			}
		} else {
			ok = peers.All[k-1].Accepts(sp.value, sp.dx, sp.b.p.x)
		}
		if !ok {
			c.Rejected++
			c.Alarms = append(c.Alarms, sp.name)
		}
	}
}

// wrong puts an effective mutant to the checkers.
func (s *SelfTest) wrong(sp *specimen, cell *MutantCell, dx []float64) {
	cell.Effective++
	for k := range s.Checkers {
		c := &s.Checkers[k]
		c.Mutants++
		switch {
		case k > 0 && peers.All[k-1].Accepts(sp.value, dx, sp.b.p.x):
		case k == 0 && sp.verdict(dx) != Fail:
			cell.Escaped = append(cell.Escaped, sp.name)
		default:
			c.Caught++
			if k == 0 {
				cell.Caught++
			}
		}
	}
}
