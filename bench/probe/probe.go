// Package probe measures what a machine's memory gives for the traffic of the
// kernels, in their process and by the instructions that they have: it is
// bench/ceiling/ceiling.c once more, in assembly.
//
// Without assembly (other architectures, the build tag purego) there are
// portable loops, which are not a ceiling but say what Go's compiler makes of
// the same traffic, and no streaming stores.
package probe

import "unsafe"

// Pattern is the traffic of a kernel, in streams of float32.
type Pattern int

const (
	Read1  Pattern = iota // one array read
	Read2                 // two arrays read
	R1W1                  // one read, one written
	R1W1NT                // the same with streaming stores, which go past the caches
	R2W1                  // two read, one written
	R2W1NT                // the same with streaming stores
	W1                    // one written; ceiling.c has no such pattern
	W1NT                  // the same with streaming stores
	Patterns
)

var names = [Patterns]string{"read1", "read2", "r1w1", "r1w1nt", "r2w1", "r2w1nt", "w1", "w1nt"}

// String returns the name of p, which is that of ceiling.c.
func (p Pattern) String() string { return names[p] }

// Arrays returns the number of streams, those written included.
func (p Pattern) Arrays() int { return [Patterns]int{1, 2, 2, 2, 3, 3, 1, 1}[p] }

// InC reports whether ceiling.c has p.
func (p Pattern) InC() bool { return p < W1 }

// streaming says that the stores of p go past the caches.
func (p Pattern) streaming() bool { return p == R1W1NT || p == R2W1NT || p == W1NT }

// A loop runs one pattern over as many whole blocks of a as there are. It reads
// a, or a and b, and returns a sum, or writes o.
type loop func(o, a, b []float32) float32

// Implementation is the set of loops for one instruction set.
type Implementation struct {
	Name  string
	Asm   bool // false: what the compiler makes of a loop in Go
	block int  // elements in a block of the loops
	loops [Patterns]loop
}

// Has reports whether there is a loop for p: Go has no streaming stores.
func (im *Implementation) Has(p Pattern) bool { return im.loops[p] != nil }

// Available lists the implementations that this machine can run.
func Available() []Implementation { return append(assembly(), portable) }

// vector is the alignment that streaming stores of every width accept.
const vector = 64

// Run runs pattern p once over the whole of a; b and o are as long where p has
// them. It returns Σ 1.5·a or Σ a·b, or 0 and writes o = 1.5·a + 1.5, 1.5·a + b or 1.5.
func (im *Implementation) Run(p Pattern, o, a, b []float32) float32 {
	if p.streaming() && len(o) > 0 {
		misaligned := uintptr(unsafe.Pointer(&o[0])) % vector / unsafe.Sizeof(o[0])
		if misaligned != 0 {
			head := min(vector/int(unsafe.Sizeof(o[0]))-int(misaligned), len(o))
			rest(p, o, a, b, 0, head)
			o, a, b = o[head:], a[head:], from(b, head)
		}
	}
	whole := len(a) / im.block * im.block
	sum := im.loops[p](o, a[:whole], b)
	return sum + rest(p, o, a, b, whole, len(a))
}

func from(b []float32, i int) []float32 {
	if b == nil {
		return nil
	}
	return b[i:]
}

// rest does the positions [lo, hi) that no block covers.
func rest(p Pattern, o, a, b []float32, lo, hi int) float32 {
	if lo == hi {
		return 0
	}
	a = a[lo:hi]
	if o != nil {
		o = o[lo:hi]
	}
	if b != nil {
		b = b[lo:hi]
	}
	switch p {
	case Read1:
		return read1(nil, a, nil)
	case Read2:
		return read2(nil, a, b)
	case R1W1, R1W1NT:
		return r1w1(o, a, nil)
	case W1, W1NT:
		return w1(o, a, nil)
	}
	return r2w1(o, a, b)
}
