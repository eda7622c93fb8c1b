package gradcheck

import "sync"

// What the steps of a run cost, roughly, in units of a case of the table: so much
// of the whole is done when they are.
const (
	costOfCase      = 1
	costOfBench     = 30 // of a large tensor: to prepare it
	costOfDirection = 20
	costOfElements  = 10 // that are looked at one by one
	costOfSteady    = 5  // a pass of every loss at once, in each of the ways
	costOfLoss      = 6
	costOfMistakes  = 2 // in every loss, on a case of the self-test
)

// costOfLarge is what a large tensor costs before the first gradient.
func costOfLarge(directions int) int { return directions*costOfDirection + costOfElements }

// progress counts what is done of a run.
type progress struct {
	mu          sync.Mutex
	done, total int
	tell        func(done, total int, what string)
}

// newProgress is that of a run over cases and volumes.
func newProgress(o Options, tests []testcase, stages []volume) *progress {
	p := &progress{tell: o.Progress, total: len(tests) * costOfCase}
	for _, v := range stages {
		p.total += v.cost()
	}
	return p
}

// start tells of a run in which nothing is done yet.
func (p *progress) start() { p.step(0, "starting") }

// step tells of what has just been done, and counts its cost.
func (p *progress) step(cost int, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += cost
	if p.tell != nil {
		p.tell(p.done, p.total, what)
	}
}
