package gradcheck

import (
	"context"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// scaled is a device that computes on the CPU and gets the gradient wrong by a factor.
func scaled(factor float64) Device {
	return Device{
		Name: "other",
		Float32: func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (Plan[float32], error) {
			p, err := kernels.New[float32](l, s, o...)
			return wrong[float32]{p, factor}, err
		},
		Float64: func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (Plan[float64], error) {
			p, err := kernels.New[float64](l, s, o...)
			return wrong[float64]{p, factor}, err
		},
	}
}

type wrong[T kernels.Float] struct {
	*kernels.Plan[T]
	factor float64
}

func (w wrong[T]) Backward(ctx context.Context, dx, x []T, t kernels.Target, v kernels.Value, g kernels.Grad) error {
	g.Scale *= w.factor
	return w.Plan.Backward(ctx, dx, x, t, v, g)
}

func (w wrong[T]) ForwardBackward(ctx context.Context, dx, x []T, t kernels.Target, g kernels.Grad) (kernels.Value, error) {
	g.Scale *= w.factor
	return w.Plan.ForwardBackward(ctx, dx, x, t, g)
}

func TestDevice(t *testing.T) {
	in := Input{N: 1, C: 2, S: 3, Activation: kernels.Sigmoid, Pred: []float64{0, 1, -2, 0.5, 2, 3}, Labels: []int64{0, 1, 1}}
	for _, test := range []struct {
		factor float64
		want   Verdict
	}{{1, Pass}, {1.001, Fail}, {0, Fail}} {
		o := Options{Devices: []Device{scaled(test.factor)}, Backends: []string{"other"}}
		r, err := Tensors(context.Background(), parse(t, "bce_dice"), in, o)
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, r, test.want)
		if len(r.Rows) != 2 || r.Rows[0].Backend != "other" || r.Rows[1].DType == r.Rows[0].DType {
			t.Errorf("rows %+v; want one for each type, of the device", r.Rows)
		}
	}
}

// A check of everything takes the devices as well.
func TestDeviceBesideBackends(t *testing.T) {
	all, err := Options{}.backends()
	if err != nil {
		t.Fatal(err)
	}
	with, err := Options{Devices: []Device{scaled(1)}}.backends()
	if err != nil || len(with) != len(all)+1 || with[len(all)] != "other" {
		t.Errorf("backends %v, %v; want %v and the device", with, err, all)
	}
}
