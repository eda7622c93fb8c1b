// Package bench measures every loss on every backend. The yardsticks that
// nobody here may tune are in its folders baseline and ceiling.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

const classes, side = 4, 64

// BenchmarkForwardBackward runs a loss forward and backward on one volume with
// labels: C = 4 under softmax. The bytes are those of prediction and gradient.
func BenchmarkForwardBackward(b *testing.B) {
	for _, info := range kernels.Losses() {
		for _, backend := range kernels.Backends() {
			if backend.Err != nil {
				continue
			}
			name := fmt.Sprintf("loss=%s/isa=%s", info.Name, backend.Name)
			b.Run(fmt.Sprintf("%s/type=f32/n=%d", name, side*side*side), func(b *testing.B) {
				forwardBackward[float32](b, info.Name, backend.Name)
			})
			b.Run(fmt.Sprintf("%s/type=f64/n=%d", name, side*side*side), func(b *testing.B) {
				forwardBackward[float64](b, info.Name, backend.Name)
			})
		}
	}
}

func forwardBackward[T kernels.Float](b *testing.B, expr, backend string) {
	l, err := kernels.Parse(expr)
	if err != nil {
		b.Fatal(err)
	}
	spec := kernels.Spec{N: 1, C: classes, S: side * side * side, Activation: kernels.Softmax}
	p, err := kernels.New[T](l, spec, kernels.WithBackend(backend))
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	x, dx, y := make([]T, spec.C*spec.S), make([]T, spec.C*spec.S), make([]uint8, spec.S)
	for i := range x {
		x[i] = T(3 * rnd.NormFloat64())
	}
	for i := range y {
		y[i] = uint8(rnd.IntN(classes))
	}
	b.SetBytes(int64(2 * len(x) * int(unsafe.Sizeof(x[0]))))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ForwardBackward(context.Background(), dx, x, kernels.Labels(y), kernels.Grad{Scale: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
