package probe

import (
	"testing"
)

// A fits the length n at this many places beside a vector's alignment.
const places = 16

// Every length and every alignment of the streams, against the definition: the
// numbers are small integers, so that every order of adding gives the same bits.
func TestRun(t *testing.T) {
	for _, im := range Available() {
		for p := range Patterns {
			if !im.Has(p) {
				continue
			}
			for n := range 131 {
				for at := range places {
					check(t, &im, p, arena(n, at), arena(n, (at*7+3)%places), arena(n, (at*5+9)%places))
				}
			}
			check(t, &im, p, arena(100_003, 1), arena(100_003, 2), arena(100_003, 3))
		}
	}
}

func arena(n, at int) []float32 { return make([]float32, at+n)[at:] }

func check(t *testing.T, im *Implementation, p Pattern, o, a, b []float32) {
	t.Helper()
	want := float32(0)
	for i := range a {
		a[i], b[i], o[i] = float32(i%3), float32(2-i%2), -1
		switch p {
		case Read1:
			want += 1.5 * a[i]
		case Read2:
			want += a[i] * b[i]
		}
	}
	writes := p >= R1W1
	if p.Arrays() < 3 && p != Read2 {
		b = nil
	}
	if got := im.Run(p, o, a, b); got != want {
		t.Fatalf("%s %v of %d: sum %v, want %v", im.Name, p, len(a), got, want)
	}
	for i := range o {
		want := float32(-1)
		if writes {
			switch want = 1.5*a[i] + 1.5; {
			case b != nil:
				want = 1.5*a[i] + b[i]
			case p == W1 || p == W1NT:
				want = 1.5
			}
		}
		if o[i] != want {
			t.Fatalf("%s %v of %d: o[%d] = %v, want %v", im.Name, p, len(a), i, o[i], want)
		}
	}
}

func TestPatterns(t *testing.T) {
	want := map[string]int{"read1": 1, "read2": 2, "r1w1": 2, "r1w1nt": 2, "r2w1": 3, "r2w1nt": 3, "w1": 1, "w1nt": 1}
	for p := range Patterns {
		if want[p.String()] != p.Arrays() {
			t.Errorf("%v has %d arrays, want %d", p, p.Arrays(), want[p.String()])
		}
	}
}

func TestTime(t *testing.T) {
	s := NewStreams(1000)
	defer s.Free()
	for _, im := range Available() {
		for _, threads := range []int{1, 2, 3} {
			s.o[0], s.o[999] = -1, -1
			if d := s.Time(&im, R2W1, threads, 2); d <= 0 {
				t.Errorf("%s took %v", im.Name, d)
			}
			for _, i := range []int{0, 999} {
				if want := 1.5*s.a[i] + s.b[i]; s.o[i] != want {
					t.Errorf("%s with %d threads: o[%d] = %v, want %v", im.Name, threads, i, s.o[i], want)
				}
			}
		}
	}
}
