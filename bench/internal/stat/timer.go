package stat

import (
	"math"
	"time"
)

// Least is how long a timing lasts at least where a call is short.
const Least = 2 * time.Millisecond

// Timer returns a function that returns the ns of a call; a short call is
// repeated, after one that is not counted and fetches into the caches what
// others have put out.
func Timer(call func() error, short bool) func() float64 {
	calls := 1
	run := func() time.Duration {
		if short {
			_ = call()
		}
		began := time.Now()
		for range calls {
			if err := call(); err != nil {
				panic(err) // the same call has succeeded before
			}
		}
		return time.Since(began)
	}
	took := run()
	for short && took < Least {
		calls = int(float64(calls)*math.Min(100, 1.2*float64(Least)/float64(max(took, 1)))) + 1
		took = run()
	}
	return func() float64 { return float64(run()) / float64(calls) }
}
