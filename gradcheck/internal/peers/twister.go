package peers

import "math"

// A twister is the generator that NumPy's RandomState and PyTorch's CPU generator
// share, MT19937 (Matsumoto and Nishimura 1998), so that the checkers' directions
// are drawn here as they are drawn there.
type twister struct {
	state [624]uint32
	next  int

	spare    float64 // the second of a pair of normal numbers
	hasSpare bool
}

// newTwister seeds the generator as both do with one number.
func newTwister(seed uint32) *twister {
	t := &twister{next: 624}
	t.state[0] = seed
	for i := 1; i < len(t.state); i++ {
		s := t.state[i-1]
		t.state[i] = 1812433253*(s^s>>30) + uint32(i)
	}
	return t
}

// bits returns the next 32 bits.
func (t *twister) bits() uint32 {
	if t.next == len(t.state) {
		t.twist()
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// twist makes the next block of the state.
func (t *twister) twist() {
	const n, m = 624, 397
	for i := range n {
		y := t.state[i]&0x80000000 | t.state[(i+1)%n]&0x7fffffff
		v := t.state[(i+m)%n] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		t.state[i] = v
	}
	t.next = 0
}

// float32 returns a uniform number of 24 bits in [0, 1), as torch.rand does.
func (t *twister) float32() float64 { return float64(t.bits()&(1<<24-1)) / (1 << 24) }

// float64 returns a uniform number of 53 bits in [0, 1), as random_sample does.
func (t *twister) float64() float64 {
	a, b := t.bits()>>5, t.bits()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// normal returns a normal number as randn does, by the polar method.
func (t *twister) normal() float64 {
	if t.hasSpare {
		t.hasSpare = false
		return t.spare
	}
	for {
		x, y := 2*t.float64()-1, 2*t.float64()-1
		r := x*x + y*y
		if r >= 1 || r == 0 {
			continue
		}
		f := math.Sqrt(-2 * math.Log(r) / r)
		t.spare, t.hasSpare = f*x, true
		return f * y
	}
}
