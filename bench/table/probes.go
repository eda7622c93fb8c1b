package main

import (
	"slices"

	"github.com/segloss/segloss/bench/internal/report"
	"github.com/segloss/segloss/bench/internal/stat"
	"github.com/segloss/segloss/bench/probe"
)

// timedProbe is a probe of the kernel's traffic.
type timedProbe struct {
	isa     string
	pattern probe.Pattern
	pass    int     // of the kernel's passes, or reference
	bytes   float64 // of all its arrays
	time    func() float64
}

// reference is the pass of the probe that reads one array in the L2 with one
// thread: figures in there are told by its speed from one machine to another.
const reference = -1

// newProbes returns every probe whose traffic is the kernel's, on streams of
// that many float32.
func newProbes(p *setting, elements int) (all []timedProbe, free func()) {
	streams := probe.NewStreams(elements)
	add := func(im *probe.Implementation, pattern probe.Pattern, pass int) {
		passes := 1
		if p.in == "l2" {
			took := streams.Time(im, pattern, p.workers, 10)
			passes = int(stat.Least/max(took, 1)) + 1
		}
		all = append(all, timedProbe{im.Name, pattern, pass, float64(4 * pattern.Arrays() * elements), func() float64 {
			if p.in == "l2" {
				streams.Time(im, pattern, p.workers, 1) // fetches what others have put out
			}
			return float64(streams.Time(im, pattern, p.workers, passes))
		}})
	}
	for _, im := range probe.Available() {
		if !im.Asm && len(probe.Available()) > 1 {
			continue // a loop in Go is no ceiling where there is a better one
		}
		for pass, patterns := range p.patterns() {
			for _, pattern := range patterns {
				if im.Has(pattern) {
					add(&im, pattern, pass)
				}
			}
		}
		if p.in == "l2" && p.workers == 1 {
			add(&im, probe.Read1, reference)
		}
	}
	return all, streams.Free
}

// ceiling is that of a kernel: the fastest probe of each pass, one after the
// other.
type ceiling struct {
	names, isa string
	bytes      float64
	ns         []float64 // by round
	read       []float64 // GB/s of the reference by round, or nil
}

func newCeiling(all []timedProbe, times [][]float64) *ceiling {
	c := new(ceiling)
	for pass := reference; ; pass++ {
		best := -1
		for i := range all {
			if all[i].pass == pass && (best < 0 || stat.Median(times[i]) < stat.Median(times[best])) {
				best = i
			}
		}
		if best >= 0 {
			c.add(&all[best], times[best])
		} else if pass != reference {
			return c
		}
	}
}

// add takes another pass into account.
func (c *ceiling) add(p *timedProbe, times []float64) {
	switch {
	case p.pass == reference:
		for _, ns := range times {
			c.read = append(c.read, p.bytes/ns)
		}
		return
	case c.ns == nil:
		c.names, c.isa, c.ns = p.pattern.String(), p.isa, slices.Clone(times)
	default:
		c.names += "+" + p.pattern.String()
		for r := range c.ns {
			c.ns[r] += times[r]
		}
	}
	c.bytes += p.bytes
}

// fill adds the ceiling's figures to a row with times in ns an element, of that
// many bytes.
func (c *ceiling) fill(r *report.Row, times []float64, bytes float64) {
	r.Traffic, r.Probe, r.CeilingGBs = c.names, c.isa, c.bytes/stat.Median(c.ns)
	// A ceiling's ns are for its own bytes.
	r.Ceiling = stat.Ratios(c.ns, times).Median * bytes / c.bytes
	if c.read == nil {
		return
	}
	scaled := make([]float64, len(times))
	for i := range scaled {
		scaled[i] = times[i] * c.read[i] / theirRead
	}
	r.ReadGBs, r.Scaled = stat.Median(c.read), stat.Median(scaled)
}
