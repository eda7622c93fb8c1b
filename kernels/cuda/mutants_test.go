package cuda

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/driver"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

// mutating is a device whose modules are changed before they are loaded.
type mutating struct {
	driver.Driver
	change func(ptx string) string
}

func (m mutating) Open(device int, current bool) (driver.Context, error) {
	c, err := m.Driver.Open(device, current)
	return mutatingContext{c, m.change}, err
}

type mutatingContext struct {
	driver.Context
	change func(ptx string) string
}

func (c mutatingContext) Load(ptx string) (driver.Module, error) {
	return c.Context.Load(c.change(ptx))
}

// battery is what a mutant has to survive: a loss on samples with tails, whose chunks are
// more than the blocks that run at a time, both passes apart and together, on both
// layouts and kinds of targets.
type battery struct {
	loss       string
	activation kernels.Activation
	classes    int
	least      float64 // share of the barriers, releases and acquires that matter
}

// result is what the battery computes, or the first error.
type result struct {
	steps []step
	err   error
	ptx   string       // the module, as it is loaded
	lines map[int]bool // of it, that have run
}

// step is one call forward and backward.
type step struct {
	loss float64
	dx   []float32
}

// errOther ends a battery whose result is not the one that is wanted.
var errOther = errors.New("another result")

// run computes with a module that was changed, up to the first step that is not as wanted.
func (b battery) run(change func(string) string, want []step) (r result) {
	load := func(ptx string) string {
		r.ptx = change(ptx)
		return r.ptx
	}
	d, err := Open(0, withDriver(mutating{ptxsim.New(ptxsim.Options{Budget: 5e6, Multiprocessors: 4}), load}))
	if err != nil {
		return result{err: err}
	}
	defer func() { r.lines = d.ctx.(mutatingContext).Context.(*ptxsim.Context).Lines() }()
	for _, n := range []int{5, 10} {
		for i, layout := range layouts {
			th := thresholds{chunk: 24, chunks: 3, shared: 32 << 10, cached: i == 1, blocks: 4}
			if r.err = b.one(d, n, layout, th, i == 0, want, &r); r.err != nil {
				return r
			}
		}
	}
	return r
}

func (b battery) one(d *Device, n int, layout kernels.Layout, th thresholds, labels bool, want []step, r *result) error {
	l, err := kernels.Parse(b.loss)
	if err != nil {
		return err
	}
	spec := kernels.Spec{N: n, C: b.classes, S: 61, Activation: b.activation, Layout: layout}
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, spec.N*spec.C*spec.S)
	for i := range x {
		x[i] = rng.Float32()
		if b.activation != kernels.None {
			x[i] = 8*x[i] - 4
		}
	}
	x[17], x[230] = x[17]+70, x[230]+70 // for double arithmetic
	y := make([]uint8, spec.N*spec.S)
	dense := make([]float32, len(x))
	for i := range y {
		y[i] = uint8(rng.IntN(max(spec.C, 2)))
	}
	for i := range dense {
		dense[i] = rng.Float32()
	}
	target := kernels.Dense(dense)
	if labels {
		target = kernels.Labels(y)
	}
	p, err := d.newPlan(l, spec, Float32, th, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	h, err := NewHost[float32](p)
	if err != nil {
		return err
	}
	defer h.Close()
	dx := make([]float32, len(x))
	for range 2 { // twice: what one launch leaves behind is there for the next
		v, err := h.ForwardBackward(context.Background(), dx, x, target, kernels.Grad{Scale: 1})
		if err != nil {
			return err
		}
		got := step{v.Loss, slices.Clone(dx)}
		if i := len(r.steps); want != nil && !got.equal(want[i]) {
			return errOther
		}
		r.steps = append(r.steps, got)
	}
	return nil
}

// equal reports whether no bit differs.
func (s step) equal(o step) bool { return same(s.loss, o.loss) && sameAll(s.dx, o.dx) }

// mutation is a mistake of which every instance has to be found, or a share of them where
// some do not matter: a bound that is never met, a difference of equals.
type mutation struct {
	name  string
	where *regexp.Regexp
	what  *regexp.Regexp // within it
	to    string
	step  int // every step-th instance is tried
	least float64
}

var mutations = []mutation{
	{"dropped barrier", regexp.MustCompile(`bar\.sync[^;]*;`), regexp.MustCompile(`.*`), "", 1, 1},
	{"half a warp's mask", regexp.MustCompile(`shfl\.sync\.bfly\.b32[^;]*, -1;`), regexp.MustCompile(`-1;`), "65535;", 9, 1},
	{"relaxed for acquire and release", regexp.MustCompile(`(atom|ld|st)\.(acq_rel|acquire|release)`), regexp.MustCompile(`acq_rel|acquire|release`), "relaxed", 1, 1},
	{"<= for <", regexp.MustCompile(`setp\.lt\.s(32|64)\s+%p\d+, %rd?\d+, %rd?\d+;`), regexp.MustCompile(`lt`), "le", 1, 0.4},
	{"swapped operands", regexp.MustCompile(`sub\.rn\.f(32|64)\s+%fd?\d+, %fd?\d+, %fd?\d+;`), regexp.MustCompile(`(%fd?\d+), (%fd?\d+);`), "$2, $1;", 5, 0.4},
}

// TestMutants changes the kernels, one instruction that runs at a time, and sees that the
// interpreter finds it or that the result is another. A short run tries some of a kind where
// there are many, others for each loss.
func TestMutants(t *testing.T) {
	if raceDetector {
		t.Skip("the interpreter is too slow under the race detector, and has no goroutines")
	}
	for i, b := range []battery{
		{"tversky + ce + focal_ce(gamma=1)", kernels.Softmax, 12, 1},
		{"dice_ce", kernels.Softmax, 4, 0.75}, // one warp reads all coefficients
		{"focal + bce + tversky", kernels.Sigmoid, 10, 0.75},
	} {
		t.Run(b.loss, func(t *testing.T) {
			t.Parallel()
			original := b.run(func(s string) string { return s }, nil)
			if original.err != nil {
				t.Fatal(original.err)
			}
			for _, m := range mutations {
				sites := m.sites(original)
				if len(sites) < 3 {
					t.Errorf("%s: %d instructions to change; want 3 or more", m.name, len(sites))
				}
				found, alive := m.try(b, original, sites, i)
				if found == 0 || float64(found) < m.share(b)*float64(found+len(alive)) {
					t.Errorf("%s: %d mutants are found, those of lines %v live", m.name, found, alive)
				}
				t.Logf("%s: %d of %d mutants found", m.name, found, found+len(alive))
			}
		})
	}
}

// share is how many of the mutants have to be found. Few that are tried say nothing of a
// share other than all.
func (m mutation) share(b battery) float64 {
	if least := m.least * b.least; least == 1 || thin() == 1 {
		return least
	}
	return 0
}

// site is where an instruction stands in a module.
type site struct{ from, to, line int }

// sites are the instructions to change, of those that have run.
func (m mutation) sites(r result) (s []site) {
	for i, at := range m.where.FindAllStringIndex(r.ptx, -1) {
		line := 1 + strings.Count(r.ptx[:at[0]], "\n")
		if i%m.step == 0 && r.lines[line] {
			s = append(s, site{at[0], at[1], line})
		}
	}
	return s
}

// try tries the mutants, and returns how many are found, and the lines of the others.
func (m mutation) try(b battery, original result, sites []site, phase int) (found int, alive []int) {
	for i, s := range sites {
		if len(sites) > 5 && !chosen(i, phase) {
			continue
		}
		r := b.run(func(ptx string) string {
			return ptx[:s.from] + m.what.ReplaceAllString(ptx[s.from:s.to], m.to) + ptx[s.to:]
		}, original.steps)
		if r.err == nil {
			alive = append(alive, s.line)
		} else {
			found++
		}
	}
	return found, alive
}
