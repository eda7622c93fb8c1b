//go:build linux && !purego

package kernels

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

// The kernels of mixed classes give what those of the portable backend do, for every
// number of classes and every length around a few units, and touch nothing beside
// the tensors. Each of them is used.
func TestMixed(t *testing.T) {
	forEachFused(t, func(t *testing.T, s fusedISA) {
		t.Run("float32", func(t *testing.T) { testMixed[float32](t, s.name) })
		t.Run("float64", func(t *testing.T) { testMixed[float64](t, s.name) })
	})
}

// mixedTest is the memory and the random numbers of a test of mixed classes, and how
// often which kernel was called.
type mixedTest[T Float] struct {
	*testing.T
	rnd             *rand.Rand
	backend, what   string
	out, x, r, y    fenced
	calls           map[string]int
	classes, length int
}

const longestMixed = 260

func testMixed[T Float](t *testing.T, backend string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	size := 8 * maxUnrolled * longestMixed
	test := &mixedTest[T]{T: t, backend: backend, rnd: rand.New(rand.NewPCG(3, 4)), calls: map[string]int{},
		out: newFenced(t, size), x: newFenced(t, size), r: newFenced(t, size), y: newFenced(t, longestMixed)}
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", test.what, r)
		}
	}()
	tried := Sampler(3)
	for classes := 2; classes <= maxUnrolled; classes++ {
		for _, loss := range []string{"dice", "ss", "dice(squared=true)", "dice + dice(squared=true)"} {
			for n := 60; n <= longestMixed; n++ {
				if n > 131 && n%16 > 1 {
					n += 13
				}
				test.classes, test.length = classes, n
				if tried() {
					test.labels(loss, n%3 != 0)
				}
				if tried() {
					test.dense(loss, n%3 != 0)
				}
			}
		}
	}
	test.everyKernel()
}

// everyKernel demands that each kernel was called.
func (t *mixedTest[T]) everyKernel() {
	for s := range setSquare + 1 {
		for _, of := range []string{"forward labels", "forward", "backward labels", "backward"} {
			name := fmt.Sprintf("%s %d", of, s)
			if t.calls[name] == 0 && (s != setOverlap || strings.HasPrefix(of, "forward")) {
				t.Errorf("the kernel %q was never called", name)
			}
		}
	}
}

// count has the calls of a plan's kernels of mixed classes counted.
func (t *mixedTest[T]) count(p *Plan[T]) {
	m := p.workers[0].span.mixed
	if m == nil {
		t.Fatalf("%s: no kernels of mixed classes", t.what)
	}
	plain, k := m.kernels, *m.kernels
	for s := range setSquare + 1 {
		called := func(of string) { t.calls[fmt.Sprintf("%s %d", of, s)]++ }
		k.forwardY[s] = func(acc *mixedSums, x *T, y *uint8, at *mixedPlace, n, stride, step int, next *ahead) {
			called("forward labels")
			plain.forwardY[s](acc, x, y, at, n, stride, step, next)
		}
		k.forward[s] = func(acc *mixedSums, x, r *T, n, stride int, next *ahead) {
			called("forward")
			plain.forward[s](acc, x, r, n, stride, next)
		}
		if plain.backward[s] == nil {
			continue
		}
		k.backwardY[s] = func(out, x *T, y *uint8, at *mixedPlace, k *T, lines, n int, stream bool) {
			called("backward labels")
			plain.backwardY[s](out, x, y, at, k, lines, n, stream)
		}
		k.backward[s] = func(out, x, r, k *T, lines, n int, stream bool) {
			called("backward")
			plain.backward[s](out, x, r, k, lines, n, stream)
		}
	}
	m.kernels = &k
}

func (t *mixedTest[T]) labels(loss string, atEnd bool) {
	y := make([]uint8, t.length)
	for i := range y {
		y[i] = uint8(t.rnd.IntN(t.classes))
	}
	t.compare(loss, atEnd, Labels(y), Labels(fenceIn(t.y, y, atEnd)))
}

func (t *mixedTest[T]) dense(loss string, atEnd bool) {
	r := make([]T, t.classes*t.length)
	for i := range r {
		r[i] = T(min(max(0, 3*t.rnd.Float64()-1), 1))
	}
	t.compare(loss, atEnd, Dense(r), Dense(fenceIn(t.r, r, atEnd)))
}

// compare holds a plan, whose target is fenced, against the portable backend.
func (t *mixedTest[T]) compare(loss string, atEnd bool, target, fencedTarget Target) {
	t.Helper()
	t.what = fmt.Sprintf("%s, C=%d, S=%d, dense %v", loss, t.classes, t.length, target.isDense())
	x := make([]T, t.classes*t.length)
	for i := range x {
		x[i] = T(t.rnd.Float64())
	}
	want, wantGrad := t.run(loss, "generic", make([]T, len(x)), x, target)
	out := fenceIn(t.out, x, atEnd)
	got, grad := t.run(loss, t.backend, out, fenceIn(t.x, x, atEnd), fencedTarget)
	if !t.out.untouched(len(x)*int(unsafe.Sizeof(x[0])), atEnd) {
		t.Fatalf("%s: writes beside the gradient", t.what)
	}
	if !(math.Abs(got-want) <= 200*unit[T]()*max(1, math.Abs(want))) {
		t.Fatalf("%s: %v; want %v", t.what, got, want)
	}
	size := 0.0
	for _, v := range wantGrad {
		size = max(size, math.Abs(float64(v)))
	}
	for i, v := range wantGrad {
		if !(math.Abs(float64(grad[i]-v)) <= 200*unit[T]()*size) {
			t.Fatalf("%s: grad[%d] = %v; want %v", t.what, i, grad[i], v)
		}
	}
}

// run is the loss and gradient by a backend.
func (t *mixedTest[T]) run(loss, backend string, dx, x []T, target Target) (float64, []T) {
	t.Helper()
	l, err := Parse(loss)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New[T](l, Spec{N: 1, C: t.classes, S: t.length, Layout: NSC}, WithBackend(backend), WithWorkers(1))
	if err != nil {
		t.Fatal(err)
	}
	if backend == t.backend {
		t.count(p)
		p.config.thresholds.stream = []int{1, math.MaxInt}[t.rnd.IntN(2)]
	}
	v, err := p.ForwardBackward(context.Background(), dx, x, target, Grad{Scale: 1})
	if err != nil {
		t.Fatalf("%s: %v", t.what, err)
	}
	return v.Loss, dx
}
