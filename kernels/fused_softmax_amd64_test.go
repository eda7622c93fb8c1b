//go:build linux && !purego

package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// onFused runs a test on the instruction sets that the processor has; one that
// SEGLOSS_REQUIRE names must be there.
func onFused(t testing.TB, test func(isa fusedISA)) {
	SkipAssembly(t)
	for _, isa := range fusedISAs {
		if flag := isa.missing(); flag == "" {
			test(isa)
		} else if strings.Contains(os.Getenv("SEGLOSS_REQUIRE"), isa.name) {
			t.Fatalf("the processor lacks %s", flag)
		}
	}
}

// fencedRow is memory for a row, between two pages that may not be touched.
type fencedRow[T any] []T

func newFencedRow[T any](t *testing.T, n int) fencedRow[T] {
	var e T
	f := newFenced(t, n*int(unsafe.Sizeof(e)))
	return unsafe.Slice((*T)(unsafe.Pointer(&f[0])), len(f)/int(unsafe.Sizeof(e)))
}

// put copies x to the end of the memory or to its start.
func (g fencedRow[T]) put(x []T, atEnd bool) []T {
	at := 0
	if atEnd {
		at = len(g) - len(x)
	}
	return g[at:][:copy(g[at:], x):len(x)]
}

// softmaxSpan is a span of logits with labels and what the kernels make of it.
type softmaxSpan[T Float] struct {
	classes, n, stride, xstride int

	x, p, q, l, qy, m, work, coef []T
	y                             []uint8
}

// softmaxInputs are ways to draw the logits of a position.
var softmaxInputs = []string{"ordinary", "wide", "equal", "far ahead", "edges"}

func randomSpan[T Float](rnd *rand.Rand, classes, n int, input string) *softmaxSpan[T] {
	s := &softmaxSpan[T]{classes: classes, n: n, stride: (n + 63) &^ 63, xstride: n + rnd.IntN(3)}
	s.x = make([]T, max(0, (classes-1)*s.xstride+n))
	s.y = make([]uint8, n)
	limit := float64(logitLimit[T](Softmax))
	for i := range n {
		same := rnd.NormFloat64()
		ahead := rnd.IntN(classes)
		for c := range classes {
			v := 2 * rnd.NormFloat64()
			switch input {
			case "wide":
				v = limit * (2*rnd.Float64() - 1)
			case "equal":
				v = same
			case "far ahead":
				v = -limit * rnd.Float64()
				if c == ahead {
					v = limit
				}
			case "edges":
				v = limit * float64(rnd.IntN(3)-1)
			}
			s.x[c*s.xstride+i] = T(v)
		}
		s.y[i] = uint8(rnd.IntN(classes))
	}
	s.p, s.q = canaries[T](classes*s.stride), canaries[T](classes*s.stride)
	s.work = canaries[T]((classes + 2) * s.stride)
	s.l, s.qy, s.m = make([]T, n), make([]T, n), make([]T, n)
	for i := range s.m {
		s.m[i] = T(rnd.NormFloat64())
	}
	s.coef = make([]T, numCoefs*classes)
	for i := range s.coef {
		s.coef[i] = T(rnd.NormFloat64())
	}
	return s
}

// untouched is what a kernel has to leave where it has nothing to write.
const untouched = 12345

// canaries are untouched elements, aligned to 64 bytes.
func canaries[T Float](n int) []T {
	x := make([]T, n+16)
	for uintptr(unsafe.Pointer(&x[0]))%64 != 0 {
		x = x[1:]
	}
	x = x[:n]
	for i := range x {
		x[i] = untouched
	}
	return x
}

func (s *softmaxSpan[T]) row(a []T, c int) []T { return a[c*s.stride:][:s.n] }

// softmaxTest holds the kernels of one table to their loops.
type softmaxTest[T Float] struct {
	*testing.T
	asm, loops *softmaxKernels[T]
	x, l, qy   fencedRow[T]
	p, q, m    fencedRow[T]
	out        fencedRow[T]
	y          fencedRow[uint8]
	u          float64
	what       string
}

// The kernels of a softmax are their loops, at every length and alignment, and
// touch nothing beside their rows.
func TestFusedSoftmax(t *testing.T) {
	onFused(t, func(isa fusedISA) {
		t.Run(isa.name, func(t *testing.T) {
			t.Run("float32", func(t *testing.T) { testFusedSoftmax(t, &isa.f32.softmax, 0x1p-24) })
			t.Run("float64", func(t *testing.T) { testFusedSoftmax(t, &isa.f64.softmax, 0x1p-53) })
		})
	})
}

func testFusedSoftmax[T Float](t *testing.T, asm *softmaxKernels[T], u float64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	const most = 600 * 10
	k := &softmaxTest[T]{T: t, asm: asm, loops: &fusedLoops[T]().softmax, u: u}
	for _, g := range []*fencedRow[T]{&k.x, &k.l, &k.qy, &k.p, &k.q, &k.m, &k.out} {
		*g = newFencedRow[T](t, 150*200)
	}
	k.y = newFencedRow[uint8](t, most)
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", k.what, r)
		}
	}()
	rnd := rand.New(rand.NewPCG(51, 52))
	for n := range 131 {
		for _, classes := range []int{2, 3, 4, 5, 6, 7, 8, 9, 19, 150} {
			if classes == 150 && n%7 != 0 {
				continue
			}
			input := softmaxInputs[(n+classes)%len(softmaxInputs)]
			k.what = fmt.Sprintf("%d classes, n = %d, %s", classes, n, input)
			k.span(randomSpan[T](rnd, classes, n, input), n%2 == 0)
		}
	}
	k.what = "more than a window"
	for _, classes := range []int{2, 3, 4, 5, 8} {
		k.span(randomSpan[T](rnd, classes, 1100, "ordinary"), true)
	}
}

// span tests all kernels on one span.
func (k *softmaxTest[T]) span(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	x := k.x.put(s.x, atEnd)
	s.y = k.y.put(s.y, atEnd)
	wantP, wantQ := slices.Clone(s.p), slices.Clone(s.q)
	k.loops.any(ptr(wantP), ptr(wantQ), ptr(x), nil, s.stride, s.xstride, s.classes, s.n, 0)
	if s.classes <= maxUnrolled && k.asm.few[s.classes] != nil {
		if !k.asm.few[s.classes](ptr(s.p), ptr(s.q), ptr(x), s.stride, s.xstride, s.n, 0) {
			k.Fatalf("%s: declined", k.what)
		}
		k.near("p of few", s.p, wantP, nil, k.softmaxULPs())
		k.near("q of few", s.q, wantQ, nil, k.softmaxULPs())
	}
	if !k.asm.any(ptr(s.p), ptr(s.q), ptr(x), ptr(s.work), s.stride, s.xstride, s.classes, s.n, 0) {
		k.Fatalf("%s: declined", k.what)
	}
	k.near("p", s.p, wantP, nil, k.softmaxULPs()+float64(s.classes))
	k.near("q", s.q, wantQ, nil, k.softmaxULPs()+float64(s.classes))
	s.p, s.q = wantP, wantQ
	k.members(s, atEnd)
	k.sums(s, atEnd)
	k.chain(s, atEnd)
	k.wholePowers(s, atEnd)
	k.whole(s, atEnd)
}

// whole tests what does all of few classes.
func (k *softmaxTest[T]) whole(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	if s.classes > maxUnrolled || k.asm.sumsY[s.classes] == nil {
		return
	}
	x := k.x.put(s.x, atEnd)
	got, withLogs, want := make([][numSums]float64, s.classes), make([][numSums]float64, s.classes), make([][numSums]float64, s.classes)
	for range 2 {
		ok := k.asm.sumsY[s.classes](&got[0], ptr(x), s.y, s.xstride, 0)
		if !k.asm.logSumsY[s.classes](&withLogs[0], ptr(x), s.y, s.xstride, 0) || !ok {
			k.Fatalf("%s: sums declined", k.what)
		}
		for c := range want {
			k.loops.regionY(&want[c], s.row(s.p, c), s.row(s.q, c), s.y, uint8(c))
			k.loops.sumY(&want[c][sumLogP], s.l, s.y, uint8(c))
		}
	}
	for c := range want {
		for i, w := range want[c] {
			tol := ((16+2*k.softmaxULPs())*k.u+float64(s.n)*0x1p-53)*math.Abs(w) + 0x1p-120
			v := got[c][i]
			if i == sumLogP {
				v = withLogs[c][i]
			}
			if i != sumR && (math.Abs(v-w) > tol || math.Abs(withLogs[c][i]-w) > tol) {
				k.Fatalf("%s: sum %d of class %d: %g and %g, want %g", k.what, i, c, v, withLogs[c][i], w)
			}
		}
	}
	if k.asm.gradY[s.classes] == nil {
		return
	}
	for c := range s.classes {
		s.coef[numCoefs*c+coefB] = 0
	}
	k.gradient(s, atEnd, "gradient at once", 32+2*k.softmaxULPs(), func(out, x *T, stride int, stream bool) bool {
		return k.asm.gradY[s.classes](out, x, ptr(s.coef), s.y, stride, s.xstride, 0, stream)
	})
}

// wholePowers tests the same with a power, each span with another.
func (k *softmaxTest[T]) wholePowers(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	if s.classes > maxUnrolled || k.asm.powerSumsY[s.classes] == nil {
		return
	}
	gammas := []T{1, 1.5, 2, 2.5, 3, 4, 5.5, 8}
	gamma := gammas[s.n%len(gammas)]
	x := k.x.put(s.x, atEnd)
	got, only, want := make([][numSums]float64, s.classes), make([][numSums]float64, s.classes), make([][numSums]float64, s.classes)
	powers := make([]T, s.n)
	k.loops.memberPowers(powers, s.l, s.qy, gamma)
	for range 2 {
		ok := k.asm.powerSumsY[s.classes](&got[0], ptr(x), s.y, s.xstride, 0, gamma)
		if !k.asm.onlyPowerSumsY[s.classes](&only[0], ptr(x), s.y, s.xstride, 0, gamma) || !ok {
			k.Fatalf("%s: sums declined", k.what)
		}
		for c := range want {
			k.loops.regionY(&want[c], s.row(s.p, c), s.row(s.q, c), s.y, uint8(c))
			k.loops.sumY(&want[c][sumPos], powers, s.y, uint8(c))
			want[c][sumR] = 0
		}
	}
	ulps := 16 + (2+2*float64(gamma))*k.softmaxULPs()
	for c := range want {
		for i, w := range want[c] {
			tol := (ulps*k.u+float64(s.n)*0x1p-53)*math.Abs(w) + 0x1p-120
			alone := 0.0 // the other sums
			if i == sumPos {
				alone = w
			}
			if !(math.Abs(got[c][i]-w) <= tol && math.Abs(only[c][i]-alone) <= tol) || i != sumPos && only[c][i] != 0 {
				k.Fatalf("%s: γ = %v: sum %d of class %d: %g and alone %g, want %g", k.what, gamma, i, c, got[c][i], only[c][i], w)
			}
		}
	}
	k.loops.memberPowersGrad(s.m, s.l, s.qy, gamma)
	k.gradient(s, atEnd, fmt.Sprintf("gradient with γ = %v", gamma), ulps+16, func(out, x *T, stride int, stream bool) bool {
		return k.asm.powerGradY[s.classes](out, x, ptr(s.coef), s.y, stride, s.xstride, 0, gamma, stream)
	})
	members := *s // whose gradient takes these coefficients for 0
	members.coef = slices.Clone(s.coef)
	for c := range s.classes {
		members.coef[numCoefs*c+coefIn], members.coef[numCoefs*c+coefOut] = 0, 0
	}
	k.gradient(&members, atEnd, fmt.Sprintf("members' gradient with γ = %v", gamma), ulps+16, func(out, x *T, stride int, stream bool) bool {
		return k.asm.onlyPowerGradY[s.classes](out, x, ptr(s.coef), s.y, stride, s.xstride, 0, gamma, stream)
	})
}

// gradient tests a gradient of all classes at once, with streaming stores and
// where it lies on x.
func (k *softmaxTest[T]) gradient(s *softmaxSpan[T], atEnd bool, name string, ulps float64, asm func(out, x *T, stride int, stream bool) bool) {
	k.Helper()
	for _, stream := range []bool{false, true} {
		x, stride := k.x.put(s.x, atEnd), s.xstride
		if stream {
			stride = s.stride
		}
		size := max(0, (s.classes-1)*stride+s.n)
		got, want, scale := canaries[T](size), canaries[T](size), canaries[T](size)
		if !stream {
			got = k.out.put(got, atEnd)
		}
		if !asm(ptr(got), ptr(x), stride, stream) {
			k.Fatalf("%s: %s declined", k.what, name)
		}
		k.loops.chainY[0](ptr(want), ptr(s.p), ptr(s.q), ptr(s.m), ptr(s.coef), nil, s.y, stride, s.stride, s.classes, stream)
		k.scale(s, scale, stride)
		k.near(fmt.Sprintf("%s, stream %v", name, stream), got, want, scale, ulps)
		if stream {
			continue
		}
		for c := range s.classes { // what lies between the rows
			copy(want[c*stride:][:s.n], got[c*stride:][:s.n])
		}
		for i, v := range want {
			if v == untouched {
				want[i] = x[i]
			}
		}
		asm(ptr(x), ptr(x), stride, stream)
		k.near(name+" in place", x, want, nil, 0)
	}
}

// softmaxULPs is the error of probabilities: that of polynomials, and of ln 2 in
// one part, which grows with the logits.
func (k *softmaxTest[T]) softmaxULPs() float64 {
	return 8 + float64(logitLimit[T](Softmax))
}

// members tests what is made of each position's own class.
func (k *softmaxTest[T]) members(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	l, qy := k.l.put(s.l, atEnd), k.qy.put(s.qy, atEnd)
	if !k.asm.memberLogs(l, qy, ptr(s.p), ptr(s.q), s.y, s.stride, s.classes) {
		k.Fatalf("%s: memberLogs declined", k.what)
	}
	k.loops.memberLogs(s.l, s.qy, ptr(s.p), ptr(s.q), s.y, s.stride, s.classes)
	k.near("ln p", l, s.l, nil, 6)
	k.near("its q", qy, s.qy, nil, 0)
	got, want := k.out.put(make([]T, s.n), atEnd), make([]T, s.n)
	for _, gamma := range []T{0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.25, 4, 5, 8, 9.5} {
		k.asm.memberPowers(got, l, qy, gamma)
		k.loops.memberPowers(want, s.l, s.qy, gamma)
		k.power("q^γ ln p", got, want, s.l, nil, gamma)
		k.asm.memberPowersGrad(got, l, qy, gamma)
		k.loops.memberPowersGrad(want, s.l, s.qy, gamma)
		k.power("its derivative", got, want, s.l, s.qy, gamma)
		k.asm.memberExpLog(got, l, qy, gamma)
		k.loops.memberExpLog(want, s.l, s.qy, gamma)
		k.power("(−ln p)^γ", got, want, s.l, nil, gamma)
		k.asm.memberExpLogGrad(got, l, qy, gamma)
		k.loops.memberExpLogGrad(want, s.l, s.qy, gamma)
		k.power("its derivative", got, want, s.l, nil, gamma-1)
	}
}

// power compares what comes by exponentials of γ times logarithms of up to the
// spread of the logits; q is given for what is a sum of q^γ and γ q^(γ-1) p ln p.
func (k *softmaxTest[T]) power(what string, got, want, l, q []T, gamma T) {
	k.Helper()
	scale := slices.Clone(want)
	spread := 2 * float64(logitLimit[T](Softmax))
	for i := range scale {
		if q != nil {
			scale[i] = T(math.Pow(float64(q[i]), float64(gamma)) * (1 - float64(gamma)*math.Exp(float64(l[i]))*float64(l[i])/float64(q[i])))
		}
	}
	k.near(fmt.Sprintf("%s, γ = %v", what, gamma), got, want, scale, 16+2*spread*math.Abs(float64(gamma)))
}

// sums tests the sums of every class.
func (k *softmaxTest[T]) sums(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	for c := range s.classes {
		p, q := k.p.put(s.row(s.p, c), atEnd), k.q.put(s.row(s.q, c), atEnd)
		var got, want [numSums]float64
		for range 2 { // they are added to what is there
			k.asm.regionY(&got, p, q, s.y, uint8(c))
			k.asm.squareY(&got, p, q, s.y, uint8(c))
			k.asm.sumY(&got[sumNeg], k.m.put(s.m, atEnd), s.y, uint8(c))
			k.loops.regionY(&want, p, q, s.y, uint8(c))
			k.loops.squareY(&want, p, q, s.y, uint8(c))
			k.loops.sumY(&want[sumNeg], s.m, s.y, uint8(c))
		}
		for i, w := range want {
			scale := math.Abs(w)
			if i == sumNeg {
				scale = float64(s.n)
			}
			if math.Abs(got[i]-w) > (16*k.u+float64(s.n)*0x1p-53)*scale+0x1p-120 {
				k.Fatalf("%s: sum %d of class %d: %g, want %g", k.what, i, c, got[i], w)
			}
		}
	}
}

// chain tests the gradients, at any stride and with streaming stores.
func (k *softmaxTest[T]) chain(s *softmaxSpan[T], atEnd bool) {
	k.Helper()
	at := min(s.classes, maxUnrolled)
	asm := map[string][2]softmaxChain[T]{
		"chainY of any":       {k.asm.chainY[0], k.loops.chainY[0]},
		"squareChainY of any": {k.asm.squareChainY[0], k.loops.squareChainY[0]},
	}
	if s.classes <= maxUnrolled && k.asm.chainY[at] != nil {
		asm["chainY"] = [2]softmaxChain[T]{k.asm.chainY[at], k.loops.chainY[0]}
		asm["squareChainY"] = [2]softmaxChain[T]{k.asm.squareChainY[at], k.loops.squareChainY[0]}
	}
	m := k.m.put(s.m, atEnd)
	for name, f := range asm {
		for _, stream := range []bool{false, true} {
			stride := s.xstride
			if stream {
				stride = s.stride
			}
			size := max(0, (s.classes-1)*stride+s.n)
			got, want, scale := canaries[T](size), canaries[T](size), canaries[T](size)
			if !stream {
				got = k.out.put(got, atEnd)
			}
			f[0](ptr(got), ptr(s.p), ptr(s.q), ptr(m), ptr(s.coef), ptr(s.work), s.y, stride, s.stride, s.classes, stream)
			f[1](ptr(want), ptr(s.p), ptr(s.q), ptr(m), ptr(s.coef), nil, s.y, stride, s.stride, s.classes, stream)
			k.scale(s, scale, stride)
			k.near(fmt.Sprintf("%s, stream %v", name, stream), got, want, scale, 16+float64(s.classes))
		}
	}
}

// scale is the sum of the absolute values of the terms of the gradient.
func (k *softmaxTest[T]) scale(s *softmaxSpan[T], out []T, stride int) {
	abs := func(v T) float64 { return math.Abs(float64(v)) }
	for i := range s.n {
		total := 0.0
		h := make([]float64, s.classes)
		for c := range h {
			p, q := abs(s.p[c*s.stride+i]), abs(s.q[c*s.stride+i])
			by := s.coef[numCoefs*c:]
			h[c] = p*(abs(by[coefIn])+abs(by[coefOut])+2*p*(abs(by[coefPP])+abs(by[coefSQB]))+2*q*abs(by[coefSQR])) + 0
			if int(s.y[i]) == c {
				h[c] += abs(by[coefA]) + abs(by[coefB]*s.m[i])
			}
			total += h[c]
		}
		for c := range h {
			out[c*stride+i] = T(h[c]*abs(s.q[c*s.stride+i]) + abs(s.p[c*s.stride+i])*total)
		}
	}
}

// near fails unless every element is as wanted to so many ULP of scale, or of
// itself.
func (k *softmaxTest[T]) near(name string, got, want, scale []T, ulps float64) {
	k.Helper()
	if scale == nil {
		scale = want
	}
	for i, w := range want {
		least := map32or64[T](0x1p-120, 0x1p-1000)
		if w == got[i] {
			continue
		}
		if diff := math.Abs(float64(got[i]) - float64(w)); !(diff <= ulps*k.u*math.Abs(float64(scale[i]))+float64(least)) {
			k.Fatalf("%s: %s at %d: %g, want %g: %g ULP", k.what, name, i, got[i], w, diff/k.u/math.Abs(float64(scale[i])))
		}
	}
}

func ptr[E any](x []E) *E { return unsafe.SliceData(x) }

// A logit beyond the limit, or a NaN, is declined wherever it is.
func TestFusedSoftmaxDeclines(t *testing.T) {
	onFused(t, func(isa fusedISA) {
		declinesLogits(t, isa.name, &isa.f32.softmax)
		declinesLogits(t, isa.name, &isa.f64.softmax)
	})
}

func declinesLogits[T Float](t *testing.T, isa string, asm *softmaxKernels[T]) {
	rnd := rand.New(rand.NewPCG(53, 54))
	limit := logitLimit[T](Softmax)
	for _, bad := range []T{limit * 1.01, -limit * 1.01, T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), -T(math.NaN()), 1e30} {
		for _, classes := range []int{2, 3, 4, 5, 8} {
			for n := 1; n < 70; n++ {
				s := randomSpan[T](rnd, classes, n, "ordinary")
				s.x[rnd.IntN(classes)*s.xstride+rnd.IntN(n)] = bad
				if asm.any(ptr(s.p), ptr(s.q), ptr(s.x), ptr(s.work), s.stride, s.xstride, classes, n, 0) {
					t.Fatalf("%s: %d classes, n = %d: %g", isa, classes, n, bad)
				}
				if few := asm.few[classes]; few != nil && few(ptr(s.p), ptr(s.q), ptr(s.x), s.stride, s.xstride, n, 0) {
					t.Fatalf("%s: %d classes, n = %d: few %g", isa, classes, n, bad)
				}
				if asm.sumsY[classes] == nil {
					continue
				}
				acc := make([][numSums]float64, classes)
				if asm.sumsY[classes](&acc[0], ptr(s.x), s.y, s.xstride, 0) || asm.logSumsY[classes](&acc[0], ptr(s.x), s.y, s.xstride, 0) {
					t.Fatalf("%s: %d classes, n = %d: sums %g", isa, classes, n, bad)
				}
				if asm.gradY[classes] != nil && asm.gradY[classes](ptr(s.p), ptr(s.x), ptr(s.coef), s.y, s.stride, s.xstride, 0, false) {
					t.Fatalf("%s: %d classes, n = %d: gradient %g", isa, classes, n, bad)
				}
				if asm.powerSumsY[classes] == nil {
					continue
				}
				if asm.powerSumsY[classes](&acc[0], ptr(s.x), s.y, s.xstride, 0, 2) || asm.onlyPowerSumsY[classes](&acc[0], ptr(s.x), s.y, s.xstride, 0, 2) {
					t.Fatalf("%s: %d classes, n = %d: sums with a power %g", isa, classes, n, bad)
				}
				if asm.powerGradY[classes](ptr(s.p), ptr(s.x), ptr(s.coef), s.y, s.stride, s.xstride, 0, 2, false) ||
					asm.onlyPowerGradY[classes](ptr(s.p), ptr(s.x), ptr(s.coef), s.y, s.stride, s.xstride, 0, 2, false) {
					t.Fatalf("%s: %d classes, n = %d: gradient with a power %g", isa, classes, n, bad)
				}
			}
		}
	}
}
