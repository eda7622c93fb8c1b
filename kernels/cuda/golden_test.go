package cuda

import (
	"context"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
)

func TestGoldenQuick(t *testing.T) {
	cases := golden.Load(t)
	dev, err := Open(0, withDriver(ptxsim.New(ptxsim.Options{NoRaces: true})))
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for i := range cases {
		c := &cases[i]
		l, err := kernels.Parse(c.Loss)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := kernels.ParseActivation(c.Activation)
		var o []kernels.Option
		if c.IgnoreIndex != nil {
			o = append(o, kernels.WithIgnore(*c.IgnoreIndex))
		}
		p, err := dev.New(l, kernels.Spec{N: c.N, C: c.C, S: c.S, Activation: a}, Float32, o...)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		h, err := NewHost[float32](p)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, len(c.Pred))
		for i, v := range c.Pred {
			x[i] = float32(v)
		}
		var target kernels.Target
		if c.Labels != nil {
			target = kernels.Labels(c.Labels)
		} else {
			r := make([]float32, len(c.Target))
			for i, v := range c.Target {
				r[i] = float32(v)
			}
			target = kernels.Dense(r)
		}
		if c.Mask != nil {
			target = target.Mask(c.Mask)
		}
		if c.Weights != nil {
			w := make([]float32, len(c.Weights))
			for i, v := range c.Weights {
				w[i] = float32(v)
			}
			target = target.Weights(w)
		}
		v, err := h.Forward(context.Background(), x, target)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		dx := make([]float32, len(x))
		if err := h.Backward(context.Background(), dx, x, target, v, kernels.Grad{Scale: 1}); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		d := make([]float64, len(dx))
		for i, v := range dx {
			d[i] = float64(v)
		}
		if _, err := c.Check(golden.K32, golden.U32, v.Loss, d); err != nil {
			t.Errorf("%v", err)
			if bad++; bad > 12 {
				break
			}
		}
		h.Close()
		p.Close()
	}
}
