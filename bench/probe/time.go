package probe

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Streams are the arrays of the probes, of the same length.
type Streams struct {
	o, a, b []float32
	free    []func()
}

// stagger sets b off from the start of a page, as in ceiling.c: streams at the
// same place of their pages would take turns in the same lines of a cache.
const stagger = 1024

// NewStreams allocates and fills n elements for each stream.
func NewStreams(n int) *Streams {
	s := &Streams{free: make([]func(), 3)}
	s.o, s.free[0] = Alloc[float32](n)
	s.a, s.free[1] = Alloc[float32](n)
	s.b, s.free[2] = Alloc[float32](n + stagger)
	s.b = s.b[stagger:]
	for i := range n {
		v := float32(i&1023) / 1024
		s.o[i], s.a[i], s.b[i] = v, v, v
	}
	return s
}

// Len returns the number of elements of a stream.
func (s *Streams) Len() int { return len(s.a) }

// Free gives the memory back.
func (s *Streams) Free() {
	for _, f := range s.free {
		f()
	}
	*s = Streams{}
}

var sink atomic.Uint64 // of the sums, so that none of them is for nothing

// Time runs pattern p over the streams that many times, each of the threads over
// its own part, and returns the time of one pass. All threads start at once; the
// time ends with the last one's.
func (s *Streams) Time(im *Implementation, p Pattern, threads, passes int) time.Duration {
	part := len(s.a) / threads / vector * vector
	run := func(i int) {
		lo, hi := i*part, (i+1)*part
		if i == threads-1 {
			hi = len(s.a)
		}
		for range passes {
			if v := im.Run(p, s.o[lo:hi], s.a[lo:hi], s.b[lo:hi]); v < 0 {
				sink.Add(1)
			}
		}
	}
	var ready atomic.Int64
	var start atomic.Bool
	var wait sync.WaitGroup
	for i := 1; i < threads; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer pin(i)()
			ready.Add(1)
			for !start.Load() {
			}
			run(i)
		}()
	}
	defer pin(0)()
	for ready.Load() < int64(threads-1) {
		runtime.Gosched()
	}
	began := time.Now()
	start.Store(true)
	run(0)
	wait.Wait()
	return time.Since(began) / time.Duration(passes)
}
