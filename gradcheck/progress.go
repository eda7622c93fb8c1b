package gradcheck

import "sync"

// What the steps of a run cost, roughly, in units of an element of the table: so much of
// the whole is done when they are.
const (
	costOfCase      = 20  // beside its elements
	costOfBench     = 700 // of a large tensor: to prepare it
	costOfDirection = 500
	costOfElements  = 350 // that are looked at one by one
	costOfSteady    = 280 // a pass of every loss at once
	costOfLoss      = 200
	costOfMistakes  = 80 // in every loss, on a case of the self-test
)

// cost is what a case of the table costs.
func (t testcase) cost() int {
	e := edges[t.edge]
	return costOfCase + e.n*t.classes()*e.s
}

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
	p := &progress{tell: o.Progress}
	for _, t := range tests {
		p.total += t.cost()
	}
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
