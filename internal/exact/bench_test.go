package exact

import (
	"math/rand/v2"
	"testing"

	"github.com/segloss/segloss/ref"
)

// BenchmarkGradient reports the time for one element.
func BenchmarkGradient(b *testing.B) {
	for _, k := range []struct {
		o       Oracle
		a       ref.Activation
		e       string
		n, c, s int
	}{
		{Rational, ref.None, "dice", 1, 1, 33},
		{Rational, ref.None, "tversky", 1, 3, 11},
		{Rational, ref.None, "gdl", 1, 3, 11},
		{Dual, ref.None, "dice", 1, 1, 33},
		{Dual, ref.Sigmoid, "bce", 1, 1, 33},
		{Dual, ref.Softmax, "dice", 1, 8, 12},
		{Dual, ref.Softmax, "dice + ce", 2, 4, 12},
		{Dual, ref.Softmax, "exp_log", 2, 4, 12},
		{Big, ref.None, "exp_log_dice", 1, 1, 33},
		{Big, ref.Sigmoid, "bce", 1, 1, 33},
		{Big, ref.Softmax, "dice + ce", 1, 4, 8},
		{Big, ref.Softmax, "exp_log", 1, 4, 8},
	} {
		r := rand.New(rand.NewPCG(1, 1))
		in := ref.Input{N: k.n, C: k.c, S: k.s, Activation: k.a}
		for range k.n * k.c * k.s {
			in.X = append(in.X, r.Float64())
			in.R = append(in.R, float64(float32(r.Float64())))
		}
		ts := terms(b, k.e)
		b.Run(string(k.o)+"/"+k.e, func(b *testing.B) {
			for range b.N {
				if _, _, err := Gradient(b.Context(), k.o, in, ts, NoFault, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(in.X)), "ns/element")
		})
	}
}
