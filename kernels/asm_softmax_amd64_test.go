//go:build linux && !purego

package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// The primitives of a softmax are the loops of their documentation, at every
// length and for several numbers of classes, and touch nothing beside the rows
// of their matrices.
func TestSoftmaxPrimitives(t *testing.T) {
	forEachISA(t, func(t *testing.T, f32 *kernels.Primitives[float32], f64 *kernels.Primitives[float64]) {
		t.Run("float32", func(t *testing.T) { testMatrixPrimitives(t, f32, 1e-9) })
		t.Run("float64", func(t *testing.T) { testMatrixPrimitives(t, f64, 4e-15) })
	})
}

func testMatrixPrimitives[T kernels.Float](t *testing.T, k *kernels.Primitives[T], tol float64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	mem := newRowMemory[T](t)
	rnd := rand.New(rand.NewPCG(7, 8))
	what := ""
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v", what, r)
		}
	}()
	for n := range 131 {
		for classes := 2; classes <= 5; classes++ {
			for i, p := range softmaxTests(k, classes, tol) {
				what = fmt.Sprintf("%s, %d classes, n = %d", p.name, classes, n)
				a := randomSoftmax[T](rnd, classes, n, (n+i)%5 == 1)
				got, want := mem.place(a, (n+i)%3 != 0), a.clone()
				p.asm(got)
				p.loop(want)
				if diff := got.differs(want, p.tol, p.floor); diff != "" {
					t.Fatalf("%s: %s", what, diff)
				}
			}
		}
	}
}

// randomSoftmax has logits in X, their exponentials in W, and the probabilities.
func randomSoftmax[T kernels.Float](rnd *rand.Rand, classes, n int, withSpecial bool) *rows[T] {
	stride := n + n%4
	a := randomRows[T](rnd, max(0, (classes-1)*stride+n), false)
	a.C, a.N, a.Stride, a.Y, a.V, a.R = classes, n, stride, a.Y[:n], nil, nil
	a.W = make([]float64, 2*classes*n)
	for i := range n {
		sum := 0.0
		for c := range classes {
			a.X[c*stride+i] = T(2 * rnd.NormFloat64())
			if withSpecial && rnd.IntN(4*n) == 0 {
				a.X[c*stride+i] = T(special[rnd.IntN(len(special))])
			}
			a.W[c*n+i] = math.Exp(float64(a.X[c*stride+i]))
			sum += a.W[c*n+i]
		}
		for c := range classes {
			a.P[c*stride+i], a.Q[c*stride+i] = a.W[c*n+i]/sum, others(a, c, i, a.W)/sum
		}
		a.Y[i] = rnd.Int32N(int32(classes))
	}
	return a
}

// others sums the rows of w but row c.
func others[T kernels.Float](a *rows[T], c, i int, w []float64) (s float64) {
	for k := range a.C {
		if k != c {
			s += w[k*a.N+i]
		}
	}
	return s
}

func softmaxTests[T kernels.Float](k *kernels.Primitives[T], classes int, tol float64) []primitiveTest[T] {
	few := func(of ...func(p, q *float64, x *T, stride, xstride, n int) bool) func(a *rows[T]) {
		return func(a *rows[T]) {
			a.Ok = of[classes-2](ptr(a.P), ptr(a.Q), ptr(a.X), a.Stride, a.Stride, a.N)
			a.clearUnless(a.Ok)
		}
	}
	coef := []float64{0.3, -0.7, 0.2, 9, -0.1, 0.4, 0.5, 9, 0.25, 0.75, -1, 9, 0.1, 0.2, 0.3, 9, 0.6, 0.7, 0.8, 9}
	byLabel := func(a *rows[T]) {
		for i, y := range a.Y {
			for c := range classes {
				p := a.P[c*a.Stride+i]
				a.W[c*a.N+i] = coef[4*c+1] * p
				if int(y) == c {
					a.W[c*a.N+i] = coef[4*c]*p + coef[4*c+2]
				}
			}
			for c := range classes {
				at := c*a.Stride + i
				a.Out[at] = T(a.W[c*a.N+i]*a.Q[at] - a.P[at]*others(a, c, i, a.W))
			}
		}
		clear(a.W)
	}
	tests := []primitiveTest[T]{
		{"normalise", func(a *rows[T]) {
			k.Normalise(ptr(a.P), ptr(a.Q), ptr(a.W), a.Stride, a.C, a.N)
		}, func(a *rows[T]) {
			for i := range a.N {
				sum := 0.0
				for c := range a.C {
					sum += a.W[c*a.N+i]
				}
				for c := range a.C {
					o := others(a, c, i, a.W)
					a.W[(a.C+c)*a.N+i] = o
					a.P[c*a.Stride+i], a.Q[c*a.Stride+i] = a.W[c*a.N+i]/sum, o/sum
				}
			}
		}, 2e-15, 0},
		{"memberLogs", func(a *rows[T]) {
			a.Ok = k.MemberLogs(a.W[:a.N], ptr(a.P), ptr(a.Q), a.Y, a.Stride, a.C)
			a.clearLarge()
		}, func(a *rows[T]) {
			a.Ok = true
			for i, y := range a.Y {
				at := int(y)*a.Stride + i
				a.W[i] = math.Log1p(a.Q[at] / a.P[at])
				a.Ok = a.Ok && !(a.W[i] > 300)
			}
			a.clearLarge()
		}, tol, 0},
		{"softmaxRegionY", func(a *rows[T]) {
			k.SoftmaxRegionY(ptr(a.Out), ptr(a.P), ptr(a.Q), ptr(a.W), ptr(coef), a.Y, a.Stride, a.Stride, a.C)
			clear(a.W)
		}, byLabel, 1e-12, 1e-2},
		{"softmaxChain", func(a *rows[T]) {
			a.Ok = k.SoftmaxChain(ptr(a.Out), ptr(a.P), ptr(a.Q), ptr(a.G), ptr(a.W), a.Stride, a.Stride, a.C, a.N)
			clear(a.W)
		}, func(a *rows[T]) { a.chain(func(at int) float64 { return a.G[at] * a.P[at] * a.Q[at] }) }, 1e-12, 1e-2},
		{"softmaxChainU", func(a *rows[T]) {
			a.Ok = k.SoftmaxChainU(ptr(a.Out), ptr(a.P), ptr(a.Q), ptr(a.G), ptr(a.U), ptr(a.W), a.Stride, a.Stride, a.C, a.N)
			clear(a.W)
		}, func(a *rows[T]) { a.chain(func(at int) float64 { return a.G[at]*a.P[at]*a.Q[at] + a.U[at] }) }, 1e-12, 1e-2},
	}
	if classes > 4 {
		return tests
	}
	return append(tests, primitiveTest[T]{"softmax of few", few(k.Softmax2, k.Softmax3, k.Softmax4), func(a *rows[T]) {
		a.Ok = true
		for i := range a.N {
			sum := 0.0
			for c := range a.C {
				a.Ok = a.Ok && math.Abs(float64(a.X[c*a.Stride+i])) <= 300
				sum += a.W[c*a.N+i]
			}
			for c := range a.C {
				a.P[c*a.Stride+i], a.Q[c*a.Stride+i] = a.W[c*a.N+i]/sum, others(a, c, i, a.W)/sum
			}
		}
		a.clearUnless(a.Ok)
	}, tol, 0}, primitiveTest[T]{"softmaxRegionY of few", func(a *rows[T]) {
		f := []func(out *T, p, q, coef *float64, y []int32, outStride, stride int){k.SoftmaxRegionY2, k.SoftmaxRegionY3, k.SoftmaxRegionY4}
		f[classes-2](ptr(a.Out), ptr(a.P), ptr(a.Q), ptr(coef), a.Y, a.Stride, a.Stride)
		clear(a.W)
	}, byLabel, 1e-12, 1e-2})
}

func ptr[E any](x []E) *E { return unsafe.SliceData(x) }

func (a *rows[T]) clearUnless(ok bool) {
	if !ok {
		clear(a.P)
		clear(a.Q)
	}
}

// clearLarge drops what only is to be reported as above 300.
func (a *rows[T]) clearLarge() {
	for i, l := range a.W {
		if l > 300 {
			a.W[i] = 301
		}
	}
}

// chain is the softmax chain of u, which has a value for every element.
func (a *rows[T]) chain(u func(at int) float64) {
	clear(a.W)
	a.Ok = true
	for i := range a.N {
		for c := range a.C {
			at := c*a.Stride + i
			a.Ok = a.Ok && a.P[at] > 1e-290 && a.Q[at] > 1e-290
		}
	}
	if !a.Ok {
		return
	}
	for i := range a.N {
		for k := range a.C {
			at := k*a.Stride + i
			d := u(at)
			for c := range a.C {
				if c != k {
					d -= u(c*a.Stride+i) * a.P[at] / a.Q[c*a.Stride+i]
				}
			}
			a.Out[at] = T(d)
		}
	}
}
