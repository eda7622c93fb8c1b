package gradcheck

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/segloss/segloss/kernels"
)

// A kind is a way to hand over a target.
type kind struct {
	name   string
	labels labelType
	extra  extra
}

// extra is what the target has beside its values.
type extra uint8

const (
	nothing extra = iota
	weighted
	masked
	ignoring
)

var kinds = []kind{
	{"dense", noLabels, nothing},
	{"dense, weights", noLabels, weighted},
	{"dense, mask", noLabels, masked},
	{"uint8", uint8Labels, nothing},
	{"uint8, weights", uint8Labels, weighted},
	{"int32, mask", int32Labels, masked},
	{"int64, ignore", int64Labels, ignoring},
}

// An edge is a kind of input, most of them one that code gets wrong.
type edge struct {
	name    string
	n, c, s int
	draw    func(*problem, *rand.Rand)
	fits    func(kernels.Activation, kind) bool // nil: always
}

// edges holds the classes of input. The draw functions start from labels or
// soft targets and predictions of an ordinary kind.
var edges = []edge{
	{"ordinary", 2, 3, 11, nil, nil},
	{"binary", 2, 1, 9, nil, nil},
	{"many classes", 1, 9, 10, nil, nil},
	{"empty mask", 2, 3, 7, func(p *problem, rng *rand.Rand) { p.relabel(rng, func(*rand.Rand) int { return 0 }) }, nil},
	{"empty binary mask", 2, 1, 7, func(p *problem, rng *rand.Rand) { p.relabel(rng, func(*rand.Rand) int { return 0 }) }, nil},
	{"full binary mask", 1, 1, 7, func(p *problem, rng *rand.Rand) { p.relabel(rng, func(*rand.Rand) int { return 1 }) }, nil},
	{"absent class", 2, 4, 8, func(p *problem, rng *rand.Rand) { p.relabel(rng, func(r *rand.Rand) int { return r.IntN(3) }) }, nil},
	{"single pixel", 1, 3, 12, singlePixel, nil},
	{"one position", 1, 3, 1, nil, nil},
	{"nearly perfect", 1, 3, 8, nearlyPerfect, nil},
	{"perfect", 1, 3, 8, perfect, nil},
	{"saturated", 1, 3, 12, saturated, nil},
	{"far apart", 1, 4, 12, farApart, logits},
	{"clamp edge", 1, 3, 10, clampEdge, probabilities},
	{"tiny", 1, 2, 6, tiny, probabilities},
	{"empty sample", 2, 2, 6, func(p *problem, _ *rand.Rand) { p.drop(p.s, 2*p.s) }, excluding},
	{"all ignored", 2, 2, 4, func(p *problem, _ *rand.Rand) { p.drop(0, 2*p.s) }, excluding},
}

// takes reports whether an edge can have an activation and a kind of target.
func (e edge) takes(a kernels.Activation, kind int) bool {
	return e.fits == nil || e.fits(a, kinds[kind])
}

// probabilities fits what only predictions without an activation have.
func probabilities(a kernels.Activation, _ kind) bool { return a == kernels.None }

// logits fits what a probability cannot express.
func logits(a kernels.Activation, _ kind) bool { return a != kernels.None }

// excluding fits targets that can leave positions out.
func excluding(_ kernels.Activation, k kind) bool { return k.extra != nothing }

// A testcase names one input of the table.
type testcase struct {
	activation kernels.Activation
	kind       int
	edge       int
	seed       uint64
}

func (t testcase) String() string {
	return fmt.Sprintf("%v, %s, %s", t.activation, edges[t.edge].name, kinds[t.kind].name)
}

// testcases returns the table's inputs for an activation.
func testcases(a kernels.Activation) []testcase {
	var all []testcase
	for e := range edges {
		for k := range kinds {
			if edges[e].takes(a, k) {
				all = append(all, testcase{activation: a, kind: k, edge: e})
			}
		}
	}
	return all
}

// classes returns the number of classes of the case: a softmax has two at least.
func (t testcase) classes() int {
	c := edges[t.edge].c
	if t.activation == kernels.Softmax {
		c = max(c, 2)
	}
	return c
}

// share returns the variants that the case is to be checked with, and pairs of
// them but where all is perfect: a power is constant there, and its last bit as
// large as the loss beside it.
func (t testcase) share(all []variant) []variant {
	var mine []variant
	for i, v := range all {
		if v.whole || (i+t.edge)%len(kinds) == t.kind {
			mine = append(mine, v)
		}
	}
	if edges[t.edge].name == "perfect" {
		return mine
	}
	return append(mine, pairs(mine, t.rng(2))...)
}

// rng returns one of the case's own sources of random numbers.
func (t testcase) rng(stream uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(edges[t.edge].name + "|" + kinds[t.kind].name + "|" + t.activation.String()))
	return rand.New(rand.NewPCG(h.Sum64(), stream^t.seed))
}

// problem draws the case. The same case is the same problem on every run. All
// values are float32 values, so that both types compute the same thing.
func (t testcase) problem() *problem {
	e, k, rng := edges[t.edge], kinds[t.kind], t.rng(1)
	p := &problem{n: e.n, c: t.classes(), s: e.s, activation: t.activation, labelType: k.labels}
	p.x = make([]float64, p.n*p.c*p.s)
	if k.labels == noLabels {
		p.dense = make([]float64, len(p.x))
	} else {
		p.labels = make([]int64, p.n*p.s)
	}
	p.accompany(k.extra, rng)
	p.relabel(rng, func(r *rand.Rand) int { return r.IntN(max(p.c, 2)) })
	for i := range p.x {
		p.x[i] = p.predict(rng)
	}
	if e.draw != nil {
		e.draw(p, rng)
	}
	p.round()
	p.separate()
	p.poison()
	return p
}

// accompany gives the target weights, a mask or an ignored label. Its first
// position stays in.
func (p *problem) accompany(x extra, rng *rand.Rand) {
	size := p.n * p.s
	switch x {
	case weighted:
		p.weights = make([]float32, size)
		for i := range p.weights {
			p.weights[i] = float32(rng.IntN(4)) * 0.75
		}
		p.weights[0] = 0.5
	case masked:
		p.mask = make([]uint8, size)
		for i := range p.mask {
			p.mask[i] = uint8(min(rng.IntN(4), 1))
		}
		p.mask[0] = 1
	case ignoring:
		ignore := int64(255)
		p.ignore = &ignore
	}
}

// relabel draws the class of every position. Dense targets are soft at every
// second position, over the classes that can be drawn.
func (p *problem) relabel(rng *rand.Rand, class func(*rand.Rand) int) {
	for i := range p.n * p.s {
		n, s := i/p.s, i%p.s
		y, z := class(rng), class(rng)
		if p.labels != nil {
			p.labels[i] = int64(y)
			if p.ignore != nil && i%4 == 3 {
				p.labels[i] = *p.ignore
			}
			continue
		}
		share := 1.0
		if i%2 == 1 {
			share = 0.55 + 0.4*rng.Float64()
		}
		for c := range p.c {
			r := 0.0
			if y == c || p.c == 1 && y == 1 {
				r += share
			}
			if z == c || p.c == 1 && z == 1 {
				r += 1 - share
			}
			p.dense[p.index(n, c, s)] = float64(float32(r))
		}
	}
}

// predict draws an ordinary element.
func (p *problem) predict(rng *rand.Rand) float64 {
	if p.activation == kernels.None {
		return 0.05 + 0.9*rng.Float64()
	}
	return 1.5 * rng.NormFloat64()
}

// wish sets an element to what gives about the probability r, held between low
// and 1−low.
func (p *problem) wish(n, c, s int, r, low float64) {
	r = math.Min(math.Max(r, low), 1-low)
	switch p.activation {
	case kernels.Sigmoid:
		r = math.Log(r / (1 - r))
	case kernels.Softmax:
		r = math.Log(r)
	}
	p.x[p.index(n, c, s)] = r
}

func singlePixel(p *problem, rng *rand.Rand) {
	next := 0
	p.relabel(rng, func(*rand.Rand) int {
		next++
		if next == 6 || next == 5 {
			return 1
		}
		return 0
	})
}

func nearlyPerfect(p *problem, rng *rand.Rand) {
	for i := range p.x {
		n, c, s := p.place(i)
		if p.labels != nil && !p.exists(n, s) {
			continue
		}
		p.wish(n, c, s, p.target(n, c, s)+1e-3*(rng.Float64()-0.5), 1e-3*(1+rng.Float64()))
	}
}

// perfect puts every prediction within 1e-9 of its target, or as near as a
// float32 can be and be another number: on it the soft forms have a kink. That
// takes powers of region values below their floor.
func perfect(p *problem, rng *rand.Rand) {
	for i := range p.x {
		n, c, s := p.place(i)
		if p.labels != nil && !p.exists(n, s) {
			continue
		}
		p.wish(n, c, s, p.target(n, c, s), 1e-9*(0.5+0.5*rng.Float64()))
		if p.activation == kernels.None {
			p.x[i] = math.Min(p.x[i], 1-0x1p-24)
		}
	}
}

// saturated pushes two positions of three to the far ends, half of them right.
func saturated(p *problem, rng *rand.Rand) {
	for i := range p.x {
		n, c, s := p.place(i)
		right := s%3 == 1
		if s%3 == 0 || p.labels != nil && !p.exists(n, s) {
			continue
		}
		sign := -1.0
		if (p.target(n, c, s) > 0.5) == right {
			sign = 1
		}
		p.x[i] = sign * (30 - 2*rng.Float64())
		if p.activation == kernels.None {
			p.x[i] = 0.5 + sign*(0.5-2e-5*(1+rng.Float64()))
		}
	}
}

// farApart spreads the logits of every second position over 80 to 115, so that
// in float32 some exponentials have few digits left or none beside the others.
// Which class is on top changes, and so where the target's is.
func farApart(p *problem, rng *rand.Rand) {
	for i := range p.x {
		_, c, s := p.place(i)
		if s%2 == 0 {
			continue
		}
		rank := float64((c + s) % p.c)
		p.x[i] = 45 - rank*(80+35*rng.Float64())/float64(max(p.c-1, 1))
	}
}

// clampEdge puts probabilities where the logarithms are clamped, onto the
// bounds of [0,1] and outside of them.
func clampEdge(p *problem, rng *rand.Rand) {
	special := []float64{0, 5e-8, 1 - 0x1p-24, 1, 2e-6, 1 - 2e-6, 1.25, -0.25}
	for i := range p.x {
		if rng.IntN(2) == 0 {
			p.x[i] = special[rng.IntN(len(special))]
		}
	}
	copy(p.x, special[:min(len(special), p.s)])
}

func tiny(p *problem, rng *rand.Rand) {
	for i := range p.x {
		p.x[i] = 1e-6 * (1 + rng.Float64())
		if p.dense != nil {
			p.dense[i] = math.Min(p.dense[i], 1) * 1e-6
		}
	}
}

// drop takes the positions from..to out.
func (p *problem) drop(from, to int) {
	for i := from; i < to; i++ {
		switch {
		case p.weights != nil:
			p.weights[i] = 0
		case p.mask != nil:
			p.mask[i] = 0
		default:
			p.labels[i] = *p.ignore
		}
	}
}

// round makes float32 values of all.
func (p *problem) round() {
	for i := range p.x {
		p.x[i] = float64(float32(p.x[i]))
	}
	for i := range p.dense {
		p.dense[i] = float64(float32(p.dense[i]))
	}
}

// apart is the least distance of an ordinary prediction from a soft target,
// relative to both.
const apart = 0.02

// separate moves predictions off soft targets, where the soft region terms
// have a kink: until each has some room, for moving one logit moves the others'
// probabilities.
func (p *problem) separate() {
	if p.dense == nil {
		return
	}
	for i := range p.x {
		n, c, s := p.place(i)
		for range 100 {
			prob, _ := p.probability(n, c, s)
			r := p.dense[i]
			if r <= 0 || r >= 1 || math.Abs(prob-r) > apart*(prob+r)*math.Min(1, (1-r)/0.02) {
				break
			}
			if p.activation == kernels.None {
				p.x[i] = float64(float32(p.x[i] * (1 - 2*apart)))
			} else {
				p.x[i] = float64(float32(p.x[i] - 0.2))
			}
		}
	}
}

// poison puts NaN into positions that do not exist.
func (p *problem) poison() {
	for i := range p.x {
		n, c, s := p.place(i)
		if p.exists(n, s) {
			continue
		}
		if (n+c+s)%2 == 0 {
			p.x[i] = math.NaN()
		}
		if p.dense != nil && s%2 == 0 {
			p.dense[i] = math.NaN()
		}
	}
}
