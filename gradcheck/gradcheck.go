// Package gradcheck checks gradients by finite differences, and says how small
// an error it would have found. It was made for the losses of package kernels
// and takes any other function too.
//
// In a test, [Check] checks a function with a gradient, of two coordinates or a
// million, and [CheckLoss] a loss expression, which may have region losses of
// the caller's own:
//
//	gradcheck.Check(t, gradcheck.Function{Name: "mine", Value: f, Gradient: df}, x)
//	gradcheck.CheckLoss(t, loss, gradcheck.Options{})
//
// [Func] and [Loss] do the same without a test and return what they found.
// [All] checks every loss that package kernels lists, on every backend of the
// machine, in both element types and layouts: first on a table of small tensors
// of every kind that code gets wrong, each element of them, where sums of two
// losses are drawn as well, then on a real volume with rare structures; the level [Full]
// leaves out nothing of that. [Tensors] checks a loss on the caller's own tensors.
//
// Differences are taken in float64 and extrapolated (see [Derivative]). A
// float64 gradient is judged by them; a float32 one by the float64 gradient at
// the same input, within the error bound that the losses promise, since
// differences of float32 values would show nothing. The tolerance comes from
// the numeric derivatives alone and has no absolute part.
//
// Of a region loss of the caller's, the partial derivatives are checked first, and
// one that is wrong is named, with its class, instead of what follows from it. How
// coarsely its value and they are rounded, as 1 − a/b is near 0, is measured beside
// the sums that they were asked for, and is part of the errors of the estimates.
//
// A gradient passes, fails, or is inconclusive, for a reason that is given:
// noise, truncation, domain or divergent. Where a function stands still near x and
// its values further out show how coarsely they are rounded, a derivative that
// this could hide is inconclusive, by noise. A [Report] is inconclusive where a row
// is that is not on a committed list, testdata/inconclusive.txt, or where more
// than one row in 200 is. It prints itself as a table or, with [Report.JSON], as
// lines of JSON, and has for each row the command that repeats it.
package gradcheck

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/kernels"
)

// Options narrows a check. The zero value checks all that there is on this machine, at
// the level [Usual].
type Options struct {
	Activations []kernels.Activation // nil: none, sigmoid and softmax; not read by Tensors, whose input has it
	Backends    []string             // nil: every backend that is available
	Devices     []Device             // beside the backends of package kernels
	DTypes      []DType              // nil: float64 and float32
	Layouts     []kernels.Layout     // nil: both; for Tensors that of the input
	Edges       []string             // kinds of input, of EdgeNames; nil: all; not read by Tensors
	Targets     []string             // kinds of target, of TargetNames; nil: all; not read by Tensors
	Level       Level                // how much of all that; not read by Tensors
	Seed        uint64               // another one draws other inputs, directions and samples

	// Progress is told what is being done, and how much of the whole has been, in
	// units that take about equally long; first at the start, when nothing has.
	// It is called from one goroutine at a time.
	Progress func(done, total int, what string)

	thin bool // as All does at the level Usual
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
	if err := o.Level.check(); err != nil {
		return nil, err
	}
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
				ways = append(ways, way{b, d, l, o.device(b)})
			}
		}
	}
	return ways, nil
}

// backends returns the names of the backends to check, or an error where one
// that was asked for cannot be used.
func (o Options) backends() ([]string, error) {
	var known, chosen []string
	for _, b := range kernels.Backends() {
		known = append(known, b.Name)
		switch {
		case o.device(b.Name) != nil:
		case o.Backends == nil && b.Err == nil:
			chosen = append(chosen, b.Name)
		case slices.Contains(o.Backends, b.Name) && b.Err != nil:
			return nil, &kernels.ArgError{Arg: "backend", Index: -1, Value: b.Name, Err: b.Err}
		}
	}
	for _, name := range o.Backends {
		if o.device(name) == nil && !slices.Contains(known, name) {
			return nil, &kernels.ArgError{Arg: "backend", Index: -1, Value: name,
				Err: fmt.Errorf("%w: unknown name; %s", kernels.ErrBackend, names.Suggest(name, known))}
		}
		chosen = append(chosen, name)
	}
	if o.Backends == nil {
		for _, d := range o.Devices {
			chosen = append(chosen, d.Name)
		}
	}
	return chosen, nil
}

func (o Options) activations() []kernels.Activation {
	if o.Activations != nil {
		return o.Activations
	}
	return []kernels.Activation{kernels.None, kernels.Sigmoid, kernels.Softmax}
}

// All checks every loss, and drawn sums of two, on the table of small tensors and,
// but at the level Short, every loss on the real volume, as it is and with a small
// lesion in it. At the level Usual it thins both, unless o.Edges or o.Targets
// names inputs. Where the options leave out nothing else, it checks itself, too
// ([RunSelfTest], at the level Short). When the context ends, it returns what there is, and the
// context's error.
func All(ctx context.Context, o Options) (Report, error) {
	start := time.Now()
	o.thin = o.Level == Usual && o.Edges == nil && o.Targets == nil
	ways, err := o.inputs()
	if err != nil {
		return Report{}, err
	}
	all := map[int][]variant{}
	tests, stages := o.testcases(), o.volumes()
	if len(tests)+len(stages) == 0 {
		return Report{}, o.nothing()
	}
	for _, t := range tests {
		if c := t.classes(); all[c] == nil {
			if all[c], err = listed(c); err != nil {
				return Report{}, err
			}
		}
	}
	take := func(t testcase) []variant { return t.share(all[t.classes()]) }
	p := newProgress(o, tests, stages)
	self := o
	self.Level, self.thin = Short, false // the options that mistakes show in
	if o.whole() {
		p.total += self.selfTestCost()
	}
	rows, err := run(ctx, tests, take, stages, ways, p)
	r, err := o.report(ctx, rows, start, err)
	r.Thinned = o.thinned(ways)
	if err != nil || !o.whole() {
		return r, err
	}
	if !o.thin {
		list, _ := committed()
		r.Stale = list.stale(r.Rows)
	}
	r.SelfTest, err = self.selfTest(ctx, p)
	r.Elapsed, r.Partial = time.Since(start), ctx.Err() != nil
	return r, err
}

// Loss runs the table of small tensors for one loss, and the real volume where
// o.Edges names it. Only the level Short leaves something out.
//
// Of region losses of the caller's it checks the partial derivatives first, by
// every sum of every class, and where one is wrong, that is the one row there is.
func Loss(ctx context.Context, l kernels.Loss, o Options) (Report, error) {
	start := time.Now()
	ways, err := o.inputs()
	if err != nil {
		return Report{}, err
	}
	tests := slices.DeleteFunc(o.testcases(), func(t testcase) bool { return fits(l, t.activation, t.classes()) != nil })
	var stages []volume
	for _, v := range o.volumes() {
		if o.Edges != nil && fits(l, v.activation, v.classes()) == nil {
			v.loss = &l
			stages = append(stages, v)
		}
	}
	if len(tests)+len(stages) == 0 {
		return Report{}, refusal(l, o)
	}
	if rows, err := regionRows(ctx, l, tests); rows != nil || err != nil {
		return o.report(ctx, rows, start, err)
	}
	rows, err := run(ctx, tests, o.takeOne(l), stages, ways, newProgress(o, tests, stages))
	return o.report(ctx, rows, start, err)
}

// takeOne returns what to check on a case where one loss is asked for.
func (o Options) takeOne(l kernels.Loss) func(testcase) []variant {
	return func(t testcase) []variant {
		all, err := listed(t.classes())
		if err != nil || !o.single() {
			return custom(l)
		}
		return among(l, t.share(all))
	}
}

// inputs checks what the options say about inputs, and returns the ways.
func (o Options) inputs() ([]way, error) {
	if err := o.checkNames(); err != nil {
		return nil, err
	}
	return o.ways(kernels.NCS, kernels.NSC)
}

// run checks the table and then the volumes.
func run(ctx context.Context, tests []testcase, take func(testcase) []variant, stages []volume, ways []way, p *progress) ([]Row, error) {
	p.start()
	rows, err := runTable(ctx, tests, take, ways, p)
	for _, v := range stages {
		if err != nil || ctx.Err() != nil {
			break
		}
		var more []Row
		more, err = v.check(ctx, ways, p)
		rows = append(rows, more...)
	}
	return rows, err
}

// Tensors checks a loss on the caller's own tensors: every element of small
// ones; of large ones random directions, and sampled elements of every class.
// Region losses of the caller's are looked at first, as by [Loss].
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
	var wrong flaw
	if err := checkRegions(ctx, l, problem, &wrong); err != nil {
		return o.report(ctx, nil, start, err)
	}
	if wrong.excess > 0 {
		return o.report(ctx, []Row{wrong.row(l, in.Activation.String(), problem.targetKind(), "tensors")}, start, nil)
	}
	b, err := newBench(ctx, problem, custom(l))
	if err != nil {
		return o.report(ctx, nil, start, err)
	}
	b.own, b.seed = true, o.Seed
	p := &progress{tell: o.Progress, total: costOfCase + len(ways)*costOfLoss}
	what := "every element"
	if len(problem.x) <= smallTensor {
		p.start()
		err = b.small(ctx)
		p.step(costOfCase, what)
	} else {
		what = "directions and samples"
		p.total = costOfLarge(directions) + len(ways)*costOfLoss
		p.start()
		err = b.large(ctx, "tensors", directions, p)
	}
	var rows []Row
	for _, w := range ways {
		if err != nil {
			break
		}
		var more []Row
		more, err = b.rows(ctx, 0, []way{w}, problem.targetKind(), what)
		rows = append(rows, more...)
		p.step(costOfLoss, fmt.Sprintf("%s, %v, %v", w.backend, w.dtype, w.layout))
	}
	return o.report(ctx, rows, start, err)
}

// refusal returns why no case of the table takes a loss.
func refusal(l kernels.Loss, o Options) error {
	for _, a := range o.activations() {
		if err := fits(l, a, 3); err != nil {
			return err
		}
	}
	return o.nothing()
}

// testcases lists the cases of the table that the options ask for.
func (o Options) testcases() []testcase {
	var all []testcase
	for _, a := range o.activations() {
		for _, t := range testcases(a) {
			if !allows(o.Edges, edges[t.edge].name) || !allows(o.Targets, kinds[t.kind].name) {
				continue
			}
			if o.takes(t) {
				t.seed = o.Seed
				all = append(all, t)
			}
		}
	}
	return all
}

// runTable checks the cases side by side.
func runTable(ctx context.Context, tests []testcase, take func(testcase) []variant, ways []way, p *progress) ([]Row, error) {
	rows := make([][]Row, len(tests))
	err := sideBySide(ctx, len(tests), func(i int) (err error) {
		rows[i], err = tests[i].check(ctx, take(tests[i]), ways)
		p.step(tests[i].cost(), tests[i].String())
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
// It adds what the rows do not know of themselves.
func (o Options) report(ctx context.Context, rows []Row, start time.Time, err error) (Report, error) {
	order := map[string]int{}
	for i := range rows {
		if _, ok := order[rows[i].Group]; !ok {
			order[rows[i].Group] = len(order)
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return order[a.Group] - order[b.Group] })
	for i := range rows {
		if rows[i].Command == "" {
			rows[i].Command = rows[i].command(o.Seed)
		}
	}
	r := Report{Rows: rows, Elapsed: time.Since(start), Partial: ctx.Err() != nil, Seed: o.Seed}
	list, broken := committed()
	list.mark(rows)
	if err == nil {
		err = broken
	}
	if r.Partial {
		return r, fmt.Errorf("gradcheck: %w", ctx.Err())
	}
	return r, err
}
