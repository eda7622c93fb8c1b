package main

import (
	"math"
	"time"

	"github.com/segloss/segloss/bench/internal/machine"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
)

// place is where the arrays lie.
type place struct {
	name   string
	bytes  func(threads int) int // of an array, all threads' parts of it
	passes int                   // over the arrays in one timing
	l2     bool
}

func memory(mib int) place {
	return place{name: "memory", bytes: func(int) int { return mib << 20 }, passes: 1}
}

// resident has three arrays that fill three eighths of each thread's L2.
func resident() place {
	part := machine.L2() / 8 / 1024 * 1024
	return place{name: "L2", bytes: func(threads int) int { return part * threads }, passes: 500, l2: true}
}

type key struct {
	probe   string
	pattern probe.Pattern
}

// repeats is the number of timings in a round of which the shortest is taken,
// here and in C, after one to warm up: a ceiling is what can be reached.
const repeats = 5

// alternate runs the C program and our probes in turn, on fresh arrays each, and
// returns the times in ns an element by round.
func alternate(rounds int, at place, threads int, c *programs) (map[key][]float64, map[probe.Pattern][]float64, error) {
	ours, theirs := map[key][]float64{}, map[probe.Pattern][]float64{}
	var failed error
	stat.Interleave(rounds, func() float64 {
		lines, err := c.run(at, threads)
		if err != nil {
			failed = err
		}
		for p := range probe.Patterns {
			if p.InC() {
				theirs[p] = append(theirs[p], lines[p.String()])
			}
		}
		return 0
	}, func() float64 {
		s := probe.NewStreams(at.bytes(threads) / 4)
		defer s.Free()
		for _, im := range probe.Available() {
			for p := range probe.Patterns {
				if im.Has(p) {
					k := key{im.Name, p}
					ours[k] = append(ours[k], once(s, &im, p, threads, at.passes))
				}
			}
		}
		return 0
	})
	return ours, theirs, failed
}

func once(s *probe.Streams, im *probe.Implementation, p probe.Pattern, threads, passes int) float64 {
	s.Time(im, p, threads, passes)
	best := time.Duration(math.MaxInt64)
	for range repeats {
		best = min(best, s.Time(im, p, threads, passes))
	}
	return float64(best) / float64(s.Len())
}
