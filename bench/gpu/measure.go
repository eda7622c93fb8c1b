package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

// measured is a loss as it is timed: on 4 classes, with a byte a label.
type measured struct {
	name       string
	activation kernels.Activation
	peer       string // in bench/peers/peers.py, or none
	blind      bool   // the gradient does not depend on the prediction, which it does not read
}

var list = []measured{
	{"dice", kernels.None, "", true},
	{"dice", kernels.Sigmoid, "", false},
	{"tversky", kernels.Sigmoid, "", false},
	{"bce", kernels.Sigmoid, "bce", false},
	{"bce_dice", kernels.Sigmoid, "", false},
	{"focal", kernels.Sigmoid, "focal", false},
	{"dice", kernels.Softmax, "dice", false},
	{"gdl", kernels.Softmax, "gdl", false},
	{"ce", kernels.Softmax, "ce", false},
	{"dice_ce", kernels.Softmax, "dice_ce", false},
	{"dice_focal", kernels.Softmax, "dice_focal", false},
}

const classes = 4

// passes are what is timed of each.
var passes = []string{"forward", "backward", "both"}

// bench is a run on one device.
type bench struct {
	options
	dev      *cuda.Device
	from, to cuda.Event
	peers    *peers
}

func (b *bench) start() (err error) {
	if b.from, err = b.dev.NewEvent(); err != nil {
		return err
	}
	if b.to, err = b.dev.NewEvent(); err != nil {
		return err
	}
	b.peers = startPeers(b.options)
	return nil
}

func (b *bench) close() {
	b.peers.close()
}

// tensors are the memory of one size: several of each where they would fit a cache, for a
// repeated run over one would measure that.
type tensors struct {
	x, dx, y []uintptr
	bytes    int
}

func (b *bench) allocate(bytes, positions int) (t tensors, err error) {
	sets := min(1+2*b.dev.Info().L2/bytes, 8)
	draw := rand.New(rand.NewPCG(1, 2))
	labels := make([]byte, positions)
	for i := range labels {
		labels[i] = byte(draw.IntN(classes))
	}
	t.bytes = bytes
	for range sets {
		for _, to := range []*[]uintptr{&t.x, &t.dx, &t.y} {
			p, err := b.dev.Alloc(bytes)
			if err != nil {
				return t, errors.Join(err, b.free(t))
			}
			*to = append(*to, p)
		}
		if err := b.dev.CopyIn(t.y[len(t.y)-1], labels, 0); err != nil {
			return t, errors.Join(err, b.free(t))
		}
	}
	return t, b.dev.Synchronize(0)
}

func (b *bench) free(t tensors) error {
	var errs []error
	for _, p := range slices.Concat(t.x, t.dx, t.y) {
		errs = append(errs, b.dev.Free(p))
	}
	return errors.Join(errs...)
}

// draw fills the predictions with numbers of a type.
func (b *bench) draw(t tensors, e cuda.DType, a kernels.Activation) error {
	n := t.bytes / e.Size()
	image := make([]byte, t.bytes)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		v := float32(rng.NormFloat64() * 2)
		if a == kernels.None {
			v = rng.Float32()
		}
		put(image[i*e.Size():], e, v)
	}
	for _, x := range t.x {
		if err := b.dev.CopyIn(x, image, 0); err != nil {
			return err
		}
	}
	return b.dev.Synchronize(0)
}

// put writes an element; those of 16 bits are bfloat16, cut off.
func put(to []byte, e cuda.DType, v float32) {
	bits := *(*uint32)(unsafe.Pointer(&v))
	switch e {
	case cuda.Float64:
		*(*float64)(unsafe.Pointer(&to[0])) = float64(v)
	case cuda.Float32:
		*(*uint32)(unsafe.Pointer(&to[0])) = bits
	case cuda.Float16: // normal numbers of a moderate size
		*(*uint16)(unsafe.Pointer(&to[0])) = uint16(bits>>16&0x8000 | (bits>>13-112<<10)&0x7fff)
	default:
		*(*uint16)(unsafe.Pointer(&to[0])) = uint16(bits >> 16)
	}
}

// median times a call on each set of tensors in turn.
func (b *bench) median(sets int, call func(set int) error) (seconds float64, err error) {
	var times []float64
	for i := range b.repeats + 3 {
		if err := b.dev.Record(b.from, 0); err != nil {
			return 0, err
		}
		if err := call(i % sets); err != nil {
			return 0, err
		}
		if err := b.dev.Record(b.to, 0); err != nil {
			return 0, err
		}
		ms, err := b.dev.Elapsed(b.from, b.to)
		if err != nil {
			return 0, err
		}
		if i >= 3 { // the first ones warm up
			times = append(times, ms/1e3)
		}
	}
	slices.Sort(times)
	return max(times[len(times)/2], 1e-9), nil
}

// size measures everything on predictions of so many bytes.
func (b *bench) size(bytes int) (rows []result, err error) {
	for _, e := range b.types {
		positions := bytes / e.Size() / classes
		t, err := b.allocate(positions*classes*e.Size(), positions)
		if err != nil {
			return rows, err
		}
		copying, err := b.median(len(t.x), func(i int) error { return b.dev.Copy(t.dx[i], t.x[i], t.bytes, 0) })
		if err != nil {
			return rows, errors.Join(err, b.free(t))
		}
		ceiling := 2 * float64(t.bytes) / copying
		for _, m := range list {
			if b.losses != nil && !slices.Contains(b.losses, m.name) {
				continue
			}
			more, err := b.loss(m, e, t, positions, ceiling)
			if rows = append(rows, more...); err != nil {
				return rows, errors.Join(err, b.free(t))
			}
		}
		if err := b.free(t); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// loss measures the passes of one loss.
func (b *bench) loss(m measured, e cuda.DType, t tensors, positions int, ceiling float64) (rows []result, err error) {
	l, err := kernels.Parse(m.name)
	if err != nil {
		return nil, err
	}
	if err := b.draw(t, e, m.activation); err != nil {
		return nil, err
	}
	p, err := b.dev.New(l, kernels.Spec{N: 1, C: classes, S: positions, Activation: m.activation}, e)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.Forward(0, t.x[0], cuda.Labels(t.y[0], cuda.Uint8)); err != nil {
		return nil, err
	}
	peer := b.peers.time(m, e, positions)
	for _, pass := range passes {
		seconds, err := b.median(len(t.x), func(i int) error {
			y, g := cuda.Labels(t.y[i], cuda.Uint8), kernels.Grad{Scale: 1}
			switch pass {
			case "forward":
				return p.Forward(0, t.x[i], y)
			case "backward":
				return p.Backward(0, t.dx[i], t.x[i], y, g)
			}
			return p.ForwardBackward(0, t.dx[i], t.x[i], y, g)
		})
		if err != nil {
			return rows, err
		}
		name := fmt.Sprintf("loss=%s/activation=%v/pass=%s/type=%v/bytes=%d", m.name, m.activation, pass, e, t.bytes)
		r := result{Name: name, Seconds: seconds, Moved: moved(m, pass, t.bytes, positions), Ceiling: ceiling}
		if pass != "backward" { // PyTorch's backward cannot be had without its forward
			r.Eager, r.Compiled = peer.of(pass)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// moved is the bytes that a pass has to read and write: predictions, labels and gradient,
// each once. Both passes read the prediction twice where it does not stay on the chip.
func moved(m measured, pass string, bytes, labels int) int {
	forward, backward := bytes+labels, 2*bytes+labels
	if m.blind {
		backward -= bytes
	}
	switch pass {
	case "forward":
		return forward
	case "backward":
		return backward
	}
	return forward + backward
}

// firstPlan is the milliseconds of the first plan of a process, whose module the driver
// compiles.
func firstPlan(d *cuda.Device) (ms float64, err error) {
	l, err := kernels.Parse("dice_ce")
	if err != nil {
		return 0, err
	}
	start := time.Now()
	p, err := d.New(l, kernels.Spec{N: 1, C: classes, S: 1024, Activation: kernels.Softmax}, cuda.Float32)
	if err != nil {
		return 0, err
	}
	return time.Since(start).Seconds() * 1e3, p.Close()
}

// footer prints what the driver's compiler takes, cold and from its cache on disk, and
// what is to be said of peers.
func (b *bench) footer() {
	for _, run := range []struct{ name, env string }{{"cold", "CUDA_CACHE_DISABLE=1"}, {"to fill the cache", "CUDA_CACHE_DISABLE=0"}, {"cached", "CUDA_CACHE_DISABLE=0"}} {
		cmd := exec.Command(os.Args[0], "-jit")
		cmd.Env = append(os.Environ(), run.env)
		if b.dry {
			cmd.Args = append(cmd.Args, "-dry")
		}
		out, err := cmd.Output()
		if err != nil {
			out = []byte(err.Error())
		}
		fmt.Printf("first plan, %s: %s ms\n", run.name, strings.TrimSpace(string(out)))
	}
	fmt.Println(b.peers.note)
}
