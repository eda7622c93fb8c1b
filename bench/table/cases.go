package main

import (
	"github.com/segloss/segloss/bench/probe"
	"github.com/segloss/segloss/kernels"
)

// op is what is timed of a plan.
type op string

const (
	forward  op = "forward"
	backward op = "backward"
	both     op = "forward+backward"
)

// kernel is one row of the table.
type kernel struct {
	name       string
	loss       string
	activation kernels.Activation
	labels     bool
	op         op
	classes    int // least number of them
	baseline   baselineFunc
}

// families holds the kernels of the table, each with what is timed of it.
var families = []struct {
	kernel
	ops []op
}{
	{kernel{name: "region sums, dense", loss: "dice"}, []op{forward}},
	{kernel{name: "region sums, labels", loss: "dice", labels: true}, []op{forward}},
	{kernel{name: "region gradient, dense", loss: "dice", baseline: probDice}, []op{backward, both}},
	{kernel{name: "region gradient, labels", loss: "dice", labels: true}, []op{backward}},
	{kernel{name: "sigmoid dice", loss: "dice", activation: kernels.Sigmoid}, []op{forward, backward}},
	{kernel{name: "bce", loss: "bce", activation: kernels.Sigmoid}, []op{forward, backward}},
	{kernel{name: "focal", loss: "focal(gamma=2)", activation: kernels.Sigmoid, baseline: sigmoidFocal}, []op{forward, backward, both}},
	{kernel{name: "softmax dice + ce, labels", loss: "dice + ce", activation: kernels.Softmax, labels: true, classes: 2, baseline: softmaxDiceCE}, []op{forward, backward, both}},
}

func allKernels() (all []kernel) {
	for _, f := range families {
		for _, o := range f.ops {
			k := f.kernel
			if k.op = o; o != both {
				k.baseline = nil // which computes both at once
			}
			all = append(all, k)
		}
	}
	return all
}

// streams returns the arrays of the prediction's size that the call reads and
// writes at least, each once: x and a dense target, and dx. What both passes
// read counts twice.
func (k *kernel) streams() (reads, writes int) {
	reads = 1
	if !k.labels {
		reads++
	}
	switch k.op {
	case backward:
		return reads, 1
	case both:
		return 2 * reads, 1
	}
	return reads, 0
}

// traffic returns the bytes an element that the call moves at least: the streams
// and, with labels, one byte a position for each pass.
func (k *kernel) traffic(size, classes int) float64 {
	reads, writes := k.streams()
	bytes := float64((reads + writes) * size)
	if k.labels {
		bytes += 1 / float64(classes)
		if k.op == both {
			bytes += 1 / float64(classes)
		}
	}
	return bytes
}

// patterns returns the probes whose traffic is the kernel's, with ordinary and
// with streaming stores: whichever is faster is the ceiling. A forward and a
// backward pass are as one of each.
func (k *kernel) patterns() [][]probe.Pattern {
	read, write := probe.Read2, []probe.Pattern{probe.R2W1, probe.R2W1NT}
	if k.labels {
		read, write = probe.Read1, []probe.Pattern{probe.R1W1, probe.R1W1NT}
	}
	switch k.op {
	case forward:
		return [][]probe.Pattern{{read}}
	case backward:
		return [][]probe.Pattern{write}
	}
	return [][]probe.Pattern{{read}, write}
}
