package kernels

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/kernels/cpu"
	"github.com/segloss/segloss/kernels/internal/losses"
)

// Float is the element type of predictions, gradients and dense targets.
type Float interface{ float32 | float64 }

// Activation turns predictions into probabilities.
type Activation uint8

const (
	None    Activation = iota // the predictions are probabilities
	Sigmoid                   // each class on its own: binary, multi-label
	Softmax                   // over the C ≥ 2 classes of a position
)

var activationNames = []string{"none", "sigmoid", "softmax"}

func (a Activation) String() string { return enumName(activationNames, int(a)) }

// ParseActivation reads "none", "sigmoid" or "softmax".
func ParseActivation(s string) (Activation, error) {
	i, err := parseEnum("activation", activationNames, s)
	return Activation(i), err
}

// Layout is the order of a prediction's elements in memory.
type Layout uint8

const (
	NCS Layout = iota // planar: the positions of a class lie side by side
	NSC               // channels-last: the classes of a position lie side by side
)

var layoutNames = []string{"ncs", "nsc"}

func (l Layout) String() string { return enumName(layoutNames, int(l)) }

// ParseLayout reads "ncs" or "nsc".
func ParseLayout(s string) (Layout, error) {
	i, err := parseEnum("layout", layoutNames, s)
	return Layout(i), err
}

func enumName(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}

func parseEnum(arg string, allowed []string, s string) (int, error) {
	i := slices.Index(allowed, s)
	if i < 0 {
		return 0, argError(arg, -1, s, ErrOption, "%s", names.Suggest(s, allowed))
	}
	return i, nil
}

// Spec is the shape and meaning of predictions: at most N samples of C classes
// at S positions, all spatial axes flattened.
type Spec struct {
	N, C, S    int
	Activation Activation
	Layout     Layout
}

// Option changes a default of [New].
type Option func(*config)

type config struct {
	ignore     int64
	hasIgnore  bool
	clip       float64
	workers    int
	backend    string
	thresholds thresholds
}

// WithIgnore names a label, inside or outside [0, C), whose positions do not
// exist. A dense target has no labels: each call of such a plan that is given one
// returns an error that matches [ErrOption]. [Target.Mask] or [Target.Weights] leave
// positions out of it.
func WithIgnore(label int64) Option {
	return func(c *config) { c.ignore, c.hasIgnore = label, true }
}

// defaultClip is the clip of losses without [WithClip].
const defaultClip = 1e-7

// WithClip sets the least probability whose logarithm is taken with activation
// none, in (0, ½). The default is 1e-7.
func WithClip(clip float64) Option { return func(c *config) { c.clip = clip } }

// WithWorkers sets the number of goroutines of a call; 0, the default, stands
// for GOMAXPROCS. The results do not depend on it.
func WithWorkers(n int) Option { return func(c *config) { c.workers = n } }

// WithBackend forces an implementation by name. Without it the environment
// variable SEGLOSS_BACKEND does, and without that the best one is taken.
func WithBackend(name string) Option { return func(c *config) { c.backend = name } }

// thresholds are the sizes at which the work is cut. They depend on nothing
// but the shape of a sample, so that the bits of a result do not depend on the
// batch around it or on the workers.
type thresholds struct {
	tile   int // positions computed at a time; 0 fits the tile to the cache
	span   int // positions that fused kernels sum at a time; 0 fits span and block to the caches
	block  int // and those that stay in the first cache
	flush  int // positions summed before they join the chunk's sums
	chunk  int // least positions of a unit of work
	single int // elements of a batch below which one goroutine does it, by rows of tiles
	alone  int // and by fused kernels
	stream int // bytes of a gradient from which on it is stored past the caches
	bytes  int // positions of a plan up to which one pass keeps labels as bytes for the next
}

// Below some 0.3 ms of work, waking a second core costs more than it saves. A
// gradient goes past the caches where that is faster with a reader that follows:
// from a third of the last one on, 32 MiB where this was measured, since the
// logits pass through it as well. A smaller one is still there for its reader.
var realThresholds = thresholds{flush: 512, chunk: 16 << 10, single: 1 << 15, alone: 1 << 18, stream: 12 << 20, bytes: 2 << 20}

// Plan computes one loss for predictions of one shape. It holds all memory
// that its calls need, but for a byte a position, 2 MiB at most, which the first
// gradient with labels of another type than uint8 adds. One goroutine at a time may
// use a plan; many plans may run side by side.
type Plan[T Float] struct {
	spec    Spec
	loss    Loss
	config  config
	program *losses.Program
	kernels *cpu.Kernels[T]
	fused   *fused[T] // nil where the backend has none
	backend string
	path    path   // which kernels the loss needs
	kind    string // tells apart sums that do not go together

	fusedLabels, fusedDense fusedPath[T] // by the target

	sums    *Sums // of Forward
	chunks  []float64
	workers []*worker[T]
	bytes   []uint8 // for call.bytes; nil before it was needed
	call    call[T] // the call under way
	wait    sync.WaitGroup

	parts      []Part
	generation uint64 // of the last Value
	rows       int    // samples that the last Value has coefficients for
	coef       []float64
	foreseen   []float64 // coef as expected before the sums; nil once it was not
}

// configOf is the defaults with the options o.
func configOf(o []Option) (config, error) {
	c := config{clip: defaultClip, thresholds: realThresholds}
	for i, set := range o {
		if set == nil {
			return c, argError("o", i, "nil", ErrOption, "want an option")
		}
		set(&c)
	}
	return c, nil
}

// New makes a plan. The error is an [*ArgError].
func New[T Float](l Loss, s Spec, o ...Option) (*Plan[T], error) {
	c, err := configOf(o)
	if err != nil {
		return nil, err
	}
	if err := checkSpec(l, s, &c); err != nil {
		return nil, err
	}
	name, tables, err := chooseBackend[T](c.backend)
	if err != nil {
		return nil, err
	}
	c.workers = cmp.Or(c.workers, runtime.GOMAXPROCS(0))
	p := &Plan[T]{spec: s, loss: l, config: c, program: l.bind(s.C), kernels: tables.rows, fused: tables.fused, backend: name}
	if p.program.Stride() > maxScratch/max(s.N, 1) {
		return nil, argError("s", -1, s, ErrShape, "the sums of so many samples and classes do not fit in memory")
	}
	p.path = choosePath(p.program, s.Activation)
	p.fusedLabels, p.fusedDense = p.chooseFused(false), p.chooseFused(true)
	p.kind = kindOf(l, s.C)
	p.sums = p.NewSums(s.N)
	p.parts = make([]Part, len(p.program.Terms))
	p.allocate()
	return p, nil
}

// check reports a plan that New did not make: the calls of one are errors.
func (p *Plan[T]) check() error {
	if p == nil || p.program == nil {
		return argError("p", -1, "no plan", ErrOption, "want one that New has made")
	}
	return nil
}

// Backend returns the name of the implementation in use.
func (p *Plan[T]) Backend() string {
	if p == nil {
		return ""
	}
	return p.backend
}

// SetCoefs gives the terms new coefficients, in the order of [Loss.Terms], for
// the values to come.
func (p *Plan[T]) SetCoefs(coef ...float64) error {
	if err := p.check(); err != nil {
		return err
	}
	if len(coef) != len(p.program.Terms) {
		return argError("coef", -1, len(coef), ErrShape, "length, want one for each of %d terms", len(p.program.Terms))
	}
	for i, v := range coef {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return argError("coef", i, v, ErrOption, "want a finite number")
		}
	}
	for i, v := range coef {
		p.program.Terms[i].Coef = v
	}
	return nil
}

// Limits far above any use, under which no size overflows.
const (
	maxElements = math.MaxInt >> 4 // of a prediction
	maxClasses  = 1 << 20
	maxScratch  = math.MaxInt32 // numbers in the sums of a batch
)

func checkSpec(l Loss, s Spec, c *config) error {
	switch {
	case len(l.terms) == 0:
		return argError("l", -1, "empty", ErrOption, "a loss needs a term")
	case s.N < 0:
		return argError("s.N", -1, s.N, ErrShape, "want >= 0")
	case s.S < 0:
		return argError("s.S", -1, s.S, ErrShape, "want >= 0")
	case s.C < 1:
		return argError("s.C", -1, s.C, ErrShape, "want >= 1")
	case s.C > maxClasses:
		return argError("s.C", -1, s.C, ErrShape, "want <= %d", maxClasses)
	case s.N > 0 && s.S > maxElements/s.C/s.N:
		return argError("s", -1, s, ErrShape, "too many elements, want <= %d", maxElements)
	case int(s.Activation) >= len(activationNames):
		return argError("s.Activation", -1, uint8(s.Activation), ErrOption, "unknown activation")
	case int(s.Layout) >= len(layoutNames):
		return argError("s.Layout", -1, uint8(s.Layout), ErrOption, "unknown layout")
	case s.Activation == Softmax && s.C < 2:
		return argError("s.C", -1, s.C, ErrShape, "softmax needs at least 2 classes")
	case !(c.clip > 0 && c.clip < 0.5):
		return argError("clip", -1, c.clip, ErrOption, "want a number in (0, 0.5)")
	case c.workers < 0:
		return argError("workers", -1, c.workers, ErrOption, "want >= 0")
	}
	for i := range l.terms {
		if err := checkTerm(i, &l.terms[i], s.C); err != nil {
			return err
		}
	}
	return nil
}

// checkTerm checks what depends on the number of classes.
func checkTerm(i int, t *term, c int) error {
	if t.Categorical && c < 2 {
		return argError("s.C", -1, c, ErrShape, "%s needs at least 2 classes", t.Name)
	}
	for _, s := range t.Options {
		switch v := s.Get(&t.Opt).(type) {
		case bool:
			if s.Name == "background" && !v && c == 1 {
				return argError("l.Terms", i, v, ErrOption, "%s: background=false leaves nothing of 1 class", t.Name)
			}
		case []float64:
			if len(v) != c {
				return argError("l.Terms", i, v, ErrShape, "%s: %s has %d numbers, want one for each of %d classes", t.Name, s.Name, len(v), c)
			}
		}
	}
	return nil
}
