package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// tensors are the inputs of both sides and the place for our gradient.
type tensors struct {
	s       int // positions of a sample
	x, dx   []float32
	y8      []uint8 // one of these is nil
	y64     []int64
	release []func()
}

func newTensors(o *options) *tensors {
	t := &tensors{s: o.side * o.side * o.side}
	alloc := func() []float32 {
		v, free := probe.Alloc[float32](samples * classes * t.s)
		t.release = append(t.release, free)
		return v
	}
	t.x, t.dx = alloc(), alloc()
	clear(t.dx)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range t.x {
		t.x[i] = float32(3 * rnd.NormFloat64())
	}
	y := make([]uint8, samples*t.s)
	for i := range y {
		y[i] = uint8(rnd.IntN(classes))
	}
	if o.labels.Has("uint8") {
		t.y8 = y
		return t
	}
	t.y64 = make([]int64, len(y))
	for i, v := range y {
		t.y64[i] = int64(v)
	}
	return t
}

func (t *tensors) free() {
	for _, f := range t.release {
		f()
	}
}

func (t *tensors) target() kernels.Target {
	if t.y8 != nil {
		return kernels.Labels(t.y8)
	}
	return kernels.Labels(t.y64)
}

// save writes x and y as the files that peers.py reads: plain numbers in the
// machine's order.
func (t *tensors) save(dir string) error {
	y := t.y8
	if y == nil {
		y = bytesOf(t.y64)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), bytesOf(t.x), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "y"), y, 0o600)
}

func bytesOf[E any](v []E) []byte {
	var e E
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(e)))
}

// loadGradient reads the file that peers.py wrote.
func loadGradient(dir string) ([]float32, error) {
	b, err := os.ReadFile(filepath.Join(dir, "grad"))
	if err != nil {
		return nil, err
	}
	g := make([]float32, len(b)/4)
	for i := range g {
		g[i] = math.Float32frombits(binary.NativeEndian.Uint32(b[4*i:]))
	}
	return g, nil
}
