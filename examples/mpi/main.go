// Command mpi computes losses and gradients of one batch that is spread over
// processes, each with samples of its own, as if it lay in one:
//
//	go build -tags mpi -o mpi.out ./examples/mpi && mpirun -np 4 ./mpi.out
//
// It needs Open MPI (Debian: libopenmpi-dev, openmpi-bin). Without the tag it is a
// single process, and prints the same lines. What makes it work are the three lines in
// step: reduce, all-reduce, finish. Only the sums cross the network, a few hundred
// bytes for each sample of the batch, whatever its volume; each row of them comes from
// one process, and x + 0 is x, so that the order in which MPI adds does not matter and
// the result is that of one process to the last bit.
//
// With NCCL the second line is ncclAllReduce on a copy of the sums on the device.
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
)

func main() {
	log.SetFlags(0)
	hashes := flag.Bool("hashes", false, "print a hash of each sample's gradient")
	flag.Parse()
	w, err := connect()
	if err != nil {
		log.Fatal(err)
	}
	defer w.close()
	first, n := w.share()
	for _, expr := range expressions() {
		b, err := newBatch(expr, first, n)
		if err != nil {
			log.Fatal(err)
		}
		loss, err := b.step(w)
		if err != nil {
			log.Fatal(err)
		}
		if w.rank == 0 {
			fmt.Printf("%-32s loss %.17g, %d bytes cross the network\n", expr, loss, 8*len(b.sums.Data()))
		}
		if *hashes {
			b.print(expr, first, n)
		}
	}
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

// share is this process's part of the samples, as even as can be.
func (w world) share() (first, n int) {
	first = samples * w.rank / w.size
	return first, samples*(w.rank+1)/w.size - first
}

// batch is this process's part of it.
type batch struct {
	plan    *kernels.Plan[float32]
	sums    *kernels.Sums
	x, dx   []float32
	target  kernels.Target
	row     int
	nothing bool // more processes than samples
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
	x, y := draw(first, n)
	return &batch{plan: plan, sums: plan.NewSums(samples), x: x, dx: make([]float32, len(x)),
		target: kernels.Labels(y).Sized(n, positions), row: first, nothing: n == 0}, nil
}

// draw makes n samples: class 1 is common, class 2 rare, and some of the second
// half's positions are to be ignored.
func draw(first, n int) (x []float32, y []uint8) {
	for i := range n {
		rng := rand.New(rand.NewPCG(1, uint64(first+i)))
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
	return x, y
}

// step is the loss of the whole batch, and this process's part of its gradient.
func (b *batch) step(w world) (float64, error) {
	ctx := context.Background()
	if !b.nothing {
		if err := b.plan.Reduce(ctx, b.sums, b.row, b.x, b.target); err != nil { // 1
			return 0, err
		}
	}
	if err := w.sum(b.sums.Data()); err != nil { // 2
		return 0, err
	}
	v, err := b.plan.Finish(b.sums, b.row) // 3
	if err != nil || b.nothing {
		return v.Loss, err
	}
	return v.Loss, b.plan.Backward(ctx, b.dx, b.x, b.target, v, kernels.Grad{Scale: 1})
}

// print writes a line for each sample in one piece, since processes share the output.
func (b *batch) print(expr string, first, n int) {
	var lines strings.Builder
	for i := range n {
		h := sha256.New()
		binary.Write(h, binary.LittleEndian, b.dx[i*classes*positions:(i+1)*classes*positions])
		fmt.Fprintf(&lines, "%s sample %d gradient %x\n", expr, first+i, h.Sum(nil)[:8])
	}
	fmt.Print(lines.String())
}
