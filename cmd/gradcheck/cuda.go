package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/segloss/segloss/gradcheck"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

// cudaBackend is the name of package cuda's plans among the backends.
const cudaBackend = "cuda"

// interpreted reports whether the environment asks for the interpreter of the kernels,
// which is too slow for large tensors.
func interpreted() bool { return os.Getenv(cuda.Env) == "sim" }

// cudaDevice opens the first GPU, or the interpreter, for a check.
func cudaDevice() (gradcheck.Device, error) {
	g := &gpu{}
	d, err := g.acquire()
	if err != nil {
		return gradcheck.Device{}, fmt.Errorf("%w: %w", kernels.ErrBackend, err)
	}
	if err := g.release(d); err != nil {
		return gradcheck.Device{}, err
	}
	return gradcheck.Device{
		Name: cudaBackend,
		Float32: func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (gradcheck.Plan[float32], error) {
			return newCUDAPlan[float32](g, l, s, cuda.Float32, o)
		},
		Float64: func(l kernels.Loss, s kernels.Spec, o ...kernels.Option) (gradcheck.Plan[float64], error) {
			return newCUDAPlan[float64](g, l, s, cuda.Float64, o)
		},
	}, nil
}

// gpu is the one device of all plans, where its modules stay loaded. Of the interpreter
// each plan has a machine of its own, so that plans run side by side.
type gpu struct {
	mu     sync.Mutex
	device *cuda.Device
}

func (g *gpu) acquire() (*cuda.Device, error) {
	if interpreted() {
		return cuda.Open(0)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.device == nil {
		d, err := cuda.Open(0)
		if err != nil {
			return nil, err
		}
		g.device = d
	}
	return g.device, nil
}

func (g *gpu) release(d *cuda.Device) error {
	if interpreted() {
		return d.Close()
	}
	return nil
}

// cudaPlan is a plan with what it has to give back.
type cudaPlan[T kernels.Float] struct {
	*cuda.Host[T]
	plan   *cuda.Plan
	device *cuda.Device
	gpu    *gpu
}

func newCUDAPlan[T kernels.Float](g *gpu, l kernels.Loss, s kernels.Spec, t cuda.DType, o []kernels.Option) (*cudaPlan[T], error) {
	d, err := g.acquire()
	if err != nil {
		return nil, err
	}
	p, err := d.New(l, s, t, o...)
	if err != nil {
		return nil, errors.Join(err, g.release(d))
	}
	h, err := cuda.NewHost[T](p)
	if err != nil {
		return nil, errors.Join(err, p.Close(), g.release(d))
	}
	return &cudaPlan[T]{h, p, d, g}, nil
}

// Close gives everything back.
func (p *cudaPlan[T]) Close() error {
	return errors.Join(p.Host.Close(), p.plan.Close(), p.gpu.release(p.device))
}
