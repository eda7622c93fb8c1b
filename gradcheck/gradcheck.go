// Package gradcheck checks the gradients of segmentation losses by finite
// differences, and says how small an error it would have found.
//
// [All] checks every loss that package kernels lists, on every backend of the
// machine, in both element types and layouts: first on a table of small tensors
// of every kind that code gets wrong, each element of them, then on a real
// volume with rare structures. [Check] runs the table for one loss expression,
// [Tensors] checks it on the caller's own tensors, and [Func] any function that
// has a gradient.
//
// Differences are taken in float64 and extrapolated (see [Derivative]). A
// float64 gradient is judged by them; a float32 one by the float64 gradient at
// the same input, within the error bound that the losses promise, since
// differences of float32 values would show nothing. The tolerance comes from
// the numeric derivatives alone and has no absolute part.
package gradcheck

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/segloss/segloss/kernels"
)

// Options narrows a check. The zero value checks everything there is on this
// machine.
type Options struct {
	Activations []kernels.Activation // nil: none, sigmoid and softmax; not read by Tensors, whose input has it
	Backends    []string             // nil: every backend that is available
	DTypes      []DType              // nil: float64 and float32
	Layouts     []kernels.Layout     // nil: both; for Tensors that of the input
	Short       bool                 // a thinner table, and no real volume

	// Progress is told what is being done, and how much of the whole has been.
	// It is called from one goroutine at a time.
	Progress func(done, total int, what string)
}

// Input is a prediction with its target, which is either Dense or Labels.
type Input struct {
	N, C, S    int
	Activation kernels.Activation
	Layout     kernels.Layout // of Pred and Dense
	Pred       []float64      // [N, C, S] or [N, S, C]
	Dense      []float64      // like Pred
	Labels     []int64        // [N, S]
	Weights    []float32      // [N, S]; nil: all 1
	Ignore     *int64         // label of positions that do not exist; nil: none
	Clip       float64        // as in kernels.WithClip; 0: the default
}

// ways lists the ways to compute a gradient that the options ask for, with the
// given layouts where they name none.
func (o Options) ways(layouts ...kernels.Layout) ([]way, error) {
	if o.Layouts != nil {
		layouts = o.Layouts
	}
	dtypes := o.DTypes
	if dtypes == nil {
		dtypes = []DType{Float64, Float32}
	}
	backends, err := o.backends()
	if err != nil {
		return nil, err
	}
	var ways []way
	for _, b := range backends {
		for _, d := range dtypes {
			for _, l := range layouts {
				ways = append(ways, way{b, d, l})
			}
		}
	}
	return ways, nil
}

// backends returns the names of the backends to check, or an error where one
// that was asked for cannot be used.
func (o Options) backends() ([]string, error) {
	var names []string
	for _, b := range kernels.Backends() {
		switch {
		case o.Backends == nil && b.Err == nil:
			names = append(names, b.Name)
		case slices.Contains(o.Backends, b.Name) && b.Err != nil:
			return nil, &kernels.ArgError{Arg: "backend", Index: -1, Value: b.Name, Err: b.Err}
		}
	}
	for _, name := range o.Backends {
		if !slices.ContainsFunc(kernels.Backends(), func(b kernels.Backend) bool { return b.Name == name }) {
			return nil, &kernels.ArgError{Arg: "backend", Index: -1, Value: name, Err: kernels.ErrBackend}
		}
		names = append(names, name)
	}
	return names, nil
}

func (o Options) activations() []kernels.Activation {
	if o.Activations != nil {
		return o.Activations
	}
	return []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax}
}

// progress counts the steps of a run.
type progress struct {
	mu          sync.Mutex
	done, total int
	tell        func(done, total int, what string)
}

func (p *progress) step(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.tell != nil {
		p.tell(p.done, p.total, what)
	}
}

// All checks every loss on the table of small tensors and, unless o.Short is
// set, on the real volume, as it is and with a small lesion in it. When the
// context ends, it returns what there is, and the context's error.
func All(ctx context.Context, o Options) (Report, error) {
	start := time.Now()
	ways, err := o.ways(kernels.NCS, kernels.NSC)
	if err != nil {
		return Report{}, err
	}
	all := map[int][]variant{}
	tests := o.testcases()
	for _, t := range tests {
		if c := t.classes(); all[c] == nil {
			if all[c], err = listed(c); err != nil {
				return Report{}, err
			}
		}
	}
	stages := o.volumes()
	p := &progress{tell: o.Progress, total: len(tests)}
	for _, v := range stages {
		p.total += v.steps()
	}
	rows, err := runTable(ctx, tests, func(t testcase) []variant { return all[t.classes()] }, ways, p)
	for _, v := range stages {
		if err != nil {
			break
		}
		var more []Row
		more, err = v.check(ctx, ways, p)
		rows = append(rows, more...)
	}
	return report(ctx, rows, start, err)
}

// Check runs the table of small tensors for one loss.
func Check(ctx context.Context, l kernels.Loss, o Options) (Report, error) {
	start := time.Now()
	ways, err := o.ways(kernels.NCS, kernels.NSC)
	if err != nil {
		return Report{}, err
	}
	vs := custom(l)
	tests := slices.DeleteFunc(o.testcases(), func(t testcase) bool { return fits(l, t.activation, t.classes()) != nil })
	if len(tests) == 0 {
		return Report{}, refusal(l, o)
	}
	p := &progress{tell: o.Progress, total: len(tests)}
	rows, err := runTable(ctx, tests, func(testcase) []variant { return vs }, ways, p)
	return report(ctx, rows, start, err)
}

// Tensors checks a loss on the caller's own tensors: every element of small
// ones; of large ones random directions, and sampled elements of every class.
func Tensors(ctx context.Context, l kernels.Loss, in Input, o Options) (Report, error) {
	start := time.Now()
	ways, err := o.ways(in.Layout)
	if err != nil {
		return Report{}, err
	}
	problem, err := in.problem()
	if err != nil {
		return Report{}, err
	}
	if slices.Contains(o.DTypes, Float32) || o.DTypes == nil {
		problem.round() // both types see the same values
	}
	b, err := newBench(ctx, problem, custom(l))
	if err != nil {
		return report(ctx, nil, start, err)
	}
	b.own = true
	p := &progress{tell: o.Progress, total: 1 + len(ways)}
	what := "every element"
	if len(problem.x) <= smallTensor {
		err = b.small(ctx)
		p.step(what)
	} else {
		what = "directions and samples"
		p.total += directions
		err = b.large(ctx, "tensors", p)
	}
	var rows []Row
	for _, w := range ways {
		if err != nil {
			break
		}
		var more []Row
		more, err = b.rows(ctx, 0, []way{w}, problem.targetKind(), what)
		rows = append(rows, more...)
		p.step(fmt.Sprintf("%s, %v, %v", w.backend, w.dtype, w.layout))
	}
	return report(ctx, rows, start, err)
}

// refusal returns why no case of the table takes a loss.
func refusal(l kernels.Loss, o Options) error {
	for _, a := range o.activations() {
		if err := fits(l, a, 3); err != nil {
			return err
		}
	}
	return &kernels.ArgError{Arg: "activation", Index: -1, Value: o.Activations, Err: kernels.ErrOption}
}

// testcases lists the cases of the table, for a short run one kind of target
// for each edge.
func (o Options) testcases() []testcase {
	var all []testcase
	for _, a := range o.activations() {
		for _, t := range testcases(a) {
			if !o.Short || thin(a, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// thin picks one kind of target for each edge, another for the next.
func thin(a kernels.Activation, t testcase) bool {
	e := edges[t.edge]
	for i := range kinds {
		k := (t.edge + int(a) + i) % len(kinds)
		if e.fits == nil || e.fits(a, kinds[k]) {
			return k == t.kind
		}
	}
	return false
}

// runTable checks the cases side by side.
func runTable(ctx context.Context, tests []testcase, take func(testcase) []variant, ways []way, p *progress) ([]Row, error) {
	rows := make([][]Row, len(tests))
	err := sideBySide(ctx, len(tests), func(i int) (err error) {
		rows[i], err = tests[i].check(ctx, take(tests[i]), ways)
		p.step(tests[i].String())
		return err
	})
	return slices.Concat(rows...), err
}

// sideBySide does n jobs on all processors, until the context ends.
func sideBySide(ctx context.Context, n int, job func(i int) error) error {
	errs := make([]error, n)
	queue := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range queue {
				errs[i] = job(i)
			}
		}()
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		queue <- i
	}
	close(queue)
	wg.Wait()
	return errors.Join(errs...)
}

// report puts the rows in order: by loss, as they first appear, and activation.
func report(ctx context.Context, rows []Row, start time.Time, err error) (Report, error) {
	order := map[string]int{}
	for i := range rows {
		if _, ok := order[rows[i].Group]; !ok {
			order[rows[i].Group] = len(order)
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return order[a.Group] - order[b.Group] })
	r := Report{Rows: rows, Elapsed: time.Since(start), Partial: ctx.Err() != nil}
	if r.Partial {
		return r, fmt.Errorf("gradcheck: %w", ctx.Err())
	}
	return r, err
}
