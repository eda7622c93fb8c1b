//go:build linux && !purego

package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// BenchmarkFusedSoftmax times the kernels on the spans of a problem that fits in
// L2; ns/elem is per element of [C, S].
func BenchmarkFusedSoftmax(b *testing.B) {
	onFused(b, func(isa fusedISA) {
		for _, classes := range []int{2, 3, 4, 8, 19, 150} {
			benchSoftmax(b, isa.name+"/float32", &isa.f32.softmax, classes)
			benchSoftmax(b, isa.name+"/float64", &isa.f64.softmax, classes)
		}
	})
}

func benchSoftmax[T Float](b *testing.B, name string, k *softmaxKernels[T], classes int) {
	var e T
	size := int(unsafe.Sizeof(e))
	span := min(max(24<<10/(2*classes*size), 64), 512) &^ 63
	rnd := rand.New(rand.NewPCG(1, 2))
	n := max(span, (256<<10)/(classes*size)/span*span)
	all := randomSpan[T](rnd, classes, n, "ordinary")
	s := randomSpan[T](rnd, classes, span, "ordinary")
	out := canaries[T](classes * n)
	var acc [numSums]float64
	whole := make([][numSums]float64, classes)
	each := func(f func(x, out *T, y []uint8)) func() {
		return func() {
			for at := 0; at < n; at += span {
				f(&all.x[at], &out[at], all.y[at:][:span])
			}
		}
	}
	probabilities := func(x *T) {
		if classes <= maxUnrolled && k.few[classes] != nil {
			k.few[classes](ptr(s.p), ptr(s.q), x, s.stride, all.xstride, span, 0)
		} else {
			k.any(ptr(s.p), ptr(s.q), x, ptr(s.work), s.stride, all.xstride, classes, span, 0)
		}
	}
	chain, square := k.chainY[0], k.squareChainY[0]
	if classes <= maxUnrolled && k.chainY[classes] != nil {
		chain, square = k.chainY[classes], k.squareChainY[classes]
	}
	steps := []benchStep{
		{"probabilities", each(func(x, _ *T, _ []uint8) { probabilities(x) })},
		{"memberLogs", each(func(_, _ *T, y []uint8) { k.memberLogs(s.l, s.qy, ptr(s.p), ptr(s.q), y, s.stride, classes) })},
		{"regionY", each(func(_, _ *T, y []uint8) {
			for c := range classes {
				k.regionY(&acc, s.row(s.p, c), s.row(s.q, c), y, uint8(c))
			}
		})},
		{"squareY", each(func(_, _ *T, y []uint8) {
			for c := range classes {
				k.squareY(&acc, s.row(s.p, c), s.row(s.q, c), y, uint8(c))
			}
		})},
		{"sumY", each(func(_, _ *T, y []uint8) {
			for c := range classes {
				k.sumY(&acc[sumNeg], s.l, y, uint8(c))
			}
		})},
		{"memberPowers2", each(func(_, _ *T, _ []uint8) { k.memberPowers(s.m, s.l, s.qy, 2) })},
		{"memberPowers1.7", each(func(_, _ *T, _ []uint8) { k.memberPowers(s.m, s.l, s.qy, 1.7) })},
		{"memberPowersGrad2", each(func(_, _ *T, _ []uint8) { k.memberPowersGrad(s.m, s.l, s.qy, 2) })},
		{"memberExpLog", each(func(_, _ *T, _ []uint8) { k.memberExpLog(s.m, s.l, s.qy, 0.3) })},
		{"memberExpLogGrad", each(func(_, _ *T, _ []uint8) { k.memberExpLogGrad(s.m, s.l, s.qy, 0.3) })},
		{"chainY", each(func(_, out *T, y []uint8) {
			chain(out, ptr(s.p), ptr(s.q), ptr(s.m), ptr(s.coef), ptr(s.work), y, n, s.stride, classes, false)
		})},
		{"squareChainY", each(func(_, out *T, y []uint8) {
			square(out, ptr(s.p), ptr(s.q), ptr(s.m), ptr(s.coef), ptr(s.work), y, n, s.stride, classes, false)
		})},
		{"forward", each(func(x, _ *T, y []uint8) {
			if classes <= maxUnrolled && k.logSumsY[classes] != nil {
				k.logSumsY[classes](&whole[0], x, y, all.xstride, 0)
				return
			}
			probabilities(x)
			k.memberLogs(s.l, s.qy, ptr(s.p), ptr(s.q), y, s.stride, classes)
			for c := range classes {
				k.regionY(&acc, s.row(s.p, c), s.row(s.q, c), y, uint8(c))
				k.sumY(&acc[sumNeg], s.l, y, uint8(c))
			}
		})},
		{"backward", each(func(x, out *T, y []uint8) {
			probabilities(x)
			chain(out, ptr(s.p), ptr(s.q), ptr(s.m), ptr(s.coef), ptr(s.work), y, n, s.stride, classes, false)
		})},
	}
	if classes <= maxUnrolled && k.gradY[classes] != nil {
		steps = append(steps, []benchStep{
			{"sumsY", each(func(x, _ *T, y []uint8) { k.sumsY[classes](&whole[0], x, y, all.xstride, 0) })},
			{"logSumsY", each(func(x, _ *T, y []uint8) { k.logSumsY[classes](&whole[0], x, y, all.xstride, 0) })},
			{"gradY", each(func(x, out *T, y []uint8) {
				k.gradY[classes](out, x, ptr(s.coef), y, n, all.xstride, 0, false)
			})},
			{"powerSumsY2", each(func(x, _ *T, y []uint8) { k.powerSumsY[classes](&whole[0], x, y, all.xstride, 0, 2) })},
			{"onlyPowerSumsY2", each(func(x, _ *T, y []uint8) { k.onlyPowerSumsY[classes](&whole[0], x, y, all.xstride, 0, 2) })},
			{"powerGradY2", each(func(x, out *T, y []uint8) {
				k.powerGradY[classes](out, x, ptr(s.coef), y, n, all.xstride, 0, 2, false)
			})},
			{"onlyPowerGradY2", each(func(x, out *T, y []uint8) {
				k.onlyPowerGradY[classes](out, x, ptr(s.coef), y, n, all.xstride, 0, 2, false)
			})},
		}...)
	}
	for _, step := range steps {
		b.Run(fmt.Sprintf("%s/C=%d/%s", name, classes, step.name), func(b *testing.B) {
			b.SetBytes(int64(n * classes * size))
			for range b.N {
				step.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n*classes), "ns/elem")
		})
	}
}

type benchStep struct {
	name string
	run  func()
}
