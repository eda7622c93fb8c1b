package cuda

import (
	"math"
	"unsafe"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/internal/losses"
	"github.com/segloss/segloss/kernels/internal/share"
)

// size is the samples and positions of a call.
func (p *Plan) size(t *Target) (n, s int) {
	if t.sized {
		return t.n, t.s
	}
	return p.spec.N, p.spec.S
}

// open reports a plan that is closed, or that no device has made.
func (p *Plan) open() error {
	if p == nil || p.memory == 0 {
		return ErrClosed
	}
	return nil
}

// checkForward checks what can be checked of arguments that are addresses.
func (p *Plan) checkForward(x uintptr, t Target) (n, s int, err error) {
	if err := p.open(); err != nil {
		return 0, 0, err
	}
	n, s = p.size(&t)
	switch {
	case n < 0 || n > p.spec.N:
		return 0, 0, share.Error("t.Sized", 0, n, kernels.ErrShape, "samples, want 0 … %d", p.spec.N)
	case s < 0 || s > p.spec.S:
		return 0, 0, share.Error("t.Sized", 1, s, kernels.ErrShape, "positions, want 0 … %d", p.spec.S)
	case t.size == 0:
		return 0, 0, share.Error("t", -1, "empty", kernels.ErrShape, "the target is neither Dense nor Labels of a known type")
	case t.dense && p.config.HasIgnore:
		return 0, 0, share.DenseIgnored(p.config.Ignore)
	case t.dense && t.dtype != p.dtype && t.dtype != Float32:
		return 0, 0, share.Error("t.Dense", -1, t.dtype, kernels.ErrOption, "want %v, as the prediction, or float32", p.dtype)
	case n*s == 0:
		return n, s, nil
	}
	for _, a := range []struct {
		arg   string
		p     uintptr
		size  int
		given bool
	}{
		{"x", x, p.dtype.Size(), true}, {"t", t.data, t.size, true},
		{"t.Weights", t.weights, 4, t.weights != 0},
	} {
		if a.given {
			if err := checkPointer(a.arg, a.p, a.size); err != nil {
				return 0, 0, err
			}
		}
	}
	return n, s, nil
}

func checkPointer(arg string, p uintptr, size int) error {
	switch {
	case p == 0:
		return share.Error(arg, -1, p, kernels.ErrShape, "want a device address")
	case p%uintptr(size) != 0:
		return share.Error(arg, -1, p, kernels.ErrShape, "want a multiple of %d bytes", size)
	}
	return nil
}

func (p *Plan) checkBackward(dx, x uintptr, t Target, g kernels.Grad) (n, s int, err error) {
	if n, s, err = p.checkForward(x, t); err != nil || n*s == 0 {
		return n, s, err
	}
	if err := checkPointer("dx", dx, p.dtype.Size()); err != nil {
		return 0, 0, err
	}
	bytes := uintptr(n * p.spec.C * s * p.dtype.Size())
	target := uintptr(n * s * t.size)
	if t.dense {
		target *= uintptr(p.spec.C)
	}
	positions := uintptr(n * s)
	switch {
	case dx == x && g.Accumulate:
		err = share.Error("dx", -1, "x", kernels.ErrAlias, "cannot accumulate in place")
	case dx != x && overlap(dx, bytes, x, bytes):
		err = share.Error("dx", -1, "part of x", kernels.ErrAlias, "want x itself or a buffer apart from it")
	case overlap(dx, bytes, t.data, target), t.weights != 0 && overlap(dx, bytes, t.weights, 4*positions),
		t.mask != 0 && overlap(dx, bytes, t.mask, positions):
		err = share.Error("dx", -1, "part of t", kernels.ErrAlias, "want a buffer apart from the target")
	}
	return n, s, err
}

// overlap reports whether two ranges of addresses share any.
func overlap(a, bytesA, b, bytesB uintptr) bool { return a < b+bytesB && b < a+bytesA }

func (p *Plan) checkSums(s *kernels.Sums, row, n int) (*losses.Batch, error) {
	b, kind := share.Batch(s)
	if b == nil || kind != p.kind {
		return nil, share.Error("sums", -1, s, kernels.ErrShape, "sums of another loss, want %s", p.kind)
	}
	return b, share.CheckRow(row, n, b.Rows)
}

// badPosition describes what is wrong with a position of the latest call, which it asks
// the device for.
func (p *Plan) badPosition(i int) error {
	t := &p.target
	if t.weights != 0 {
		w, err := read[float32](p, t.weights, i)
		if err != nil {
			return err
		}
		if !(w >= 0) || w > math.MaxFloat32 {
			return share.Error("t.Weights", i, w, kernels.ErrWeight, "want a finite number >= 0")
		}
	}
	label, err := labelTypes[t.kind-targetLabels].read(p, t.data, i)
	if err != nil {
		return err
	}
	return share.Error("t.Labels", i, label, kernels.ErrLabel, "want 0 … %d or the ignore index", max(p.spec.C, 2)-1)
}

func readLabel[L kernels.Label](p *Plan, array uintptr, i int) (int64, error) {
	v, err := read[L](p, array, i)
	return int64(v), err
}

// read copies element i of an array from the device.
func read[T float32 | kernels.Label](p *Plan, array uintptr, i int) (T, error) {
	v := new(T)
	size := unsafe.Sizeof(*v)
	err := p.dev.ctx.CopyOut(bytesOf(v, 1), array+uintptr(i)*size, p.stream)
	if err == nil {
		err = p.dev.ctx.Synchronize(p.stream)
	}
	return *v, err
}
