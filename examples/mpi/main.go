// Command mpi computes losses and gradients of batches that are spread over
// processes, each with samples of its own, as if they lay in one:
//
//	go build -tags mpi -o mpi.out ./examples/mpi && mpirun --oversubscribe -np 4 ./mpi.out
//
// It needs cgo and Open MPI (Debian: libopenmpi-dev, openmpi-bin), whose mpirun wants
// --oversubscribe for more processes than cores, and --allow-run-as-root of root.
// Without the tag it is a single process, and prints the same lines. What makes it work
// are the four lines in step: clear, reduce, all-reduce, finish. Only the sums cross the
// network, a few hundred bytes for each sample of the batch, whatever its volume; each
// row of them comes from one process, and x + 0 is x, so that the order in which MPI adds
// does not matter and the result is that of one process to the last bit.
//
// With NCCL the all-reduce is ncclAllReduce on a copy of the sums on the device.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// The whole batch, as all processes know it.
const (
	samples   = 6
	classes   = 3
	positions = 20_000
	ignore    = 255
	steps     = 2 // each with a batch of its own
)

func main() {
	log.SetFlags(0)
	loss := flag.String("loss", "", "compute this loss instead of all of the list")
	hashes := flag.Bool("hashes", false, "print a hash of each sample's gradient")
	flag.Parse()
	w, err := connect()
	if err != nil {
		log.Fatal(err)
	}
	list := expressions()
	if *loss != "" {
		list = []string{*loss}
	}
	if err := w.show(list, *hashes); err != nil {
		log.Print(err)
		w.abort()
	}
	w.close()
}

// show prints what each loss gives in each step.
func (w world) show(list []string, hashes bool) error {
	first, n := w.share()
	var inputs [steps]input
	for i := range inputs {
		inputs[i] = draw(i, first, n)
	}
	for _, expr := range list {
		b, err := newBatch(expr, first, n)
		if err != nil {
			return err
		}
		for i, in := range inputs {
			loss, err := b.step(w, in)
			if err != nil {
				return err
			}
			if w.rank == 0 {
				fmt.Printf("%-32s step %d: loss %.17g, %d bytes cross the network\n", expr, i, loss, 8*len(b.sums.Data()))
			}
			if hashes {
				b.print(expr, i)
			}
		}
	}
	return nil
}

// expressions are all losses of the list, over the whole batch where they can be.
func expressions() (list []string) {
	for _, info := range kernels.Losses() {
		expr := info.Name
		for _, o := range info.Options {
			if o.Name == "batch" {
				expr += "(batch=true)"
			}
		}
		list = append(list, expr)
	}
	return append(list, "dice(batch=true) + gdl + 0.5*ce")
}

// world is the processes, and which of them this one is.
type world struct{ rank, size int }

// share is this process's part of the samples, as even as can be.
func (w world) share() (first, n int) {
	first = samples * w.rank / w.size
	return first, samples*(w.rank+1)/w.size - first
}

// input is this process's part of a batch.
type input struct {
	x      []float32
	target kernels.Target
}

// draw makes n samples of a step: class 1 is common, class 2 rare, and some of the
// second half's positions are to be ignored.
func draw(step, first, n int) input {
	var x []float32
	var y []uint8
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(step), uint64(first+i)))
		for range classes * positions {
			x = append(x, float32(2*rng.NormFloat64()))
		}
		for s := range positions {
			label := uint8(rng.IntN(2))
			if rng.IntN(1000) == 0 {
				label = 2
			}
			if s > positions/2 && rng.IntN(first+i+2) == 0 {
				label = ignore
			}
			y = append(y, label)
		}
	}
	return input{x, kernels.Labels(y).Sized(n, positions)}
}

// batch is what this process needs for its n samples in all steps, from row first on.
type batch struct {
	plan     *kernels.Plan[float32]
	sums     *kernels.Sums
	dx       []float32
	first, n int // n is 0 in some of more processes than samples
}

func newBatch(expr string, first, n int) (*batch, error) {
	loss, err := kernels.Parse(expr)
	if err != nil {
		return nil, err
	}
	spec := kernels.Spec{N: max(n, 1), C: classes, S: positions, Activation: kernels.Softmax}
	plan, err := kernels.New[float32](loss, spec, kernels.WithIgnore(ignore))
	if err != nil {
		return nil, err
	}
	return &batch{plan: plan, sums: plan.NewSums(samples), dx: make([]float32, n*classes*positions), first: first, n: n}, nil
}

// step is the loss of the whole batch, and this process's part of its gradient.
func (b *batch) step(w world, in input) (float64, error) {
	ctx := context.Background()
	clear(b.sums.Data()) // 1: the last step has left everybody's rows
	if b.n > 0 {
		if err := b.plan.Reduce(ctx, b.sums, b.first, in.x, in.target); err != nil { // 2
			return 0, err
		}
	}
	if err := w.sum(b.sums.Data()); err != nil { // 3
		return 0, err
	}
	v, err := b.plan.Finish(b.sums, b.first) // 4
	if err != nil || b.n == 0 {
		return v.Loss, err
	}
	return v.Loss, b.plan.Backward(ctx, b.dx, in.x, in.target, v, kernels.Grad{Scale: 1})
}

// print writes a line for each sample in one piece, since processes share the output.
func (b *batch) print(expr string, step int) {
	var lines strings.Builder
	for i := range b.n {
		h := sha256.New()
		binary.Write(h, binary.LittleEndian, b.dx[i*classes*positions:(i+1)*classes*positions])
		fmt.Fprintf(&lines, "%s step %d sample %d gradient %x\n", expr, step, b.first+i, h.Sum(nil)[:8])
	}
	fmt.Print(lines.String())
}
