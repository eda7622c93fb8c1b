package cuda

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
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
	losses []float64
	dx     []float32
	err    error
	lines  map[int]bool
}

func (b battery) run(change func(string) string) (r result) {
	d, err := Open(0, withDriver(mutating{ptxsim.New(ptxsim.Options{Budget: 5e6, Multiprocessors: 4}), change}))
	if err != nil {
		return result{err: err}
	}
	defer func() { r.lines = d.ctx.(mutatingContext).Context.(*ptxsim.Context).Lines() }()
	for _, n := range []int{5, 10} {
		for i, layout := range layouts {
			th := thresholds{chunk: 24, chunks: 3, shared: 32 << 10, cached: i == 1, blocks: 4}
			if r.err = b.one(d, n, layout, th, i == 0, &r); r.err != nil {
				return r
			}
		}
	}
	return r
}

func (b battery) one(d *Device, n int, layout kernels.Layout, th thresholds, labels bool, r *result) error {
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
		r.losses = append(r.losses, v.Loss)
		r.dx = append(r.dx, dx...)
	}
	return nil
}

// equal reports whether no bit differs.
func (r result) equal(o result) bool {
	if r.err != nil || o.err != nil || len(r.losses) != len(o.losses) {
		return false
	}
	for i, v := range r.losses {
		if !same(v, o.losses[i]) {
			return false
		}
	}
	return sameAll(r.dx, o.dx)
}

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
// interpreter finds it or that the result is another.
func TestMutants(t *testing.T) {
	if raceDetector {
		t.Skip("the interpreter is too slow under the race detector, and has no goroutines")
	}
	for _, b := range []battery{
		{"tversky + ce + focal_ce(gamma=1)", kernels.Softmax, 12, 1},
		{"dice_ce", kernels.Softmax, 4, 0.75}, // one warp reads all coefficients
		{"focal + bce + tversky", kernels.Sigmoid, 10, 0.75},
	} {
		t.Run(b.loss, func(t *testing.T) {
			t.Parallel()
			want := b.run(func(s string) string { return s })
			if want.err != nil {
				t.Fatal(want.err)
			}
			for _, m := range mutations {
				tried, alive := m.survivors(b, want)
				if tried < 3 || float64(tried-len(alive)) < m.least*b.least*float64(tried) {
					t.Errorf("%s: of %d mutants %d live, at lines %v", m.name, tried, len(alive), alive)
				}
				t.Logf("%s: %d of %d mutants found", m.name, tried-len(alive), tried)
			}
		})
		if testing.Short() {
			break
		}
	}
}

// survivors tries the mutants of the instructions that the battery runs, and returns the
// lines of those that nothing has shown.
func (m mutation) survivors(b battery, want result) (tried int, alive []int) {
	for n, more := 0, true; more; n += m.step {
		line := 0
		r := b.runIf(func(ptx string) (string, bool) {
			at := m.where.FindAllStringIndex(ptx, -1)
			if more = n < len(at); !more {
				return "", false
			}
			line = 1 + strings.Count(ptx[:at[n][0]], "\n")
			changed := m.what.ReplaceAllString(ptx[at[n][0]:at[n][1]], m.to)
			return ptx[:at[n][0]] + changed + ptx[at[n][1]:], want.lines[line]
		})
		if !want.lines[line] {
			continue
		}
		tried++
		if r.equal(want) {
			alive = append(alive, line)
		}
	}
	return tried, alive
}

var errSkipped = errors.New("the change is not wanted")

// runIf runs the battery with a change, if it is wanted.
func (b battery) runIf(change func(string) (string, bool)) (r result) {
	defer func() {
		if e := recover(); e == errSkipped {
			r.err = errSkipped
		} else if e != nil {
			panic(e)
		}
	}()
	return b.run(func(s string) string {
		out, ok := change(s)
		if !ok {
			panic(errSkipped)
		}
		return out
	})
}
