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
	classes    int  // least number of them
	pointwise  bool // forward+backward reads memory once
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
	{kernel{name: "focal", loss: "focal(gamma=2)", activation: kernels.Sigmoid, baseline: sigmoidFocal, pointwise: true}, []op{forward, backward, both}},
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

// arrays are those of the prediction's size that a pass reads and writes at
// least, each once.
type arrays struct{ reads, writes int }

// forward reads x and a dense target; with labels there is a byte a position.
func (k *kernel) forward() arrays {
	if k.labels {
		return arrays{reads: 1}
	}
	return arrays{reads: 2}
}

// backward reads the same and writes dx. On probabilities it does not read x: the
// losses of the table that take them are linear in each position's probability
// there, and the labels or the target say which of two numbers it gets.
func (k *kernel) backward() arrays {
	a := k.forward()
	if a.writes = 1; k.activation == kernels.None {
		a.reads--
	}
	return a
}

// passes are what the call is made of, as the memory sees it.
func (k *kernel) passes() []arrays {
	switch k.op {
	case forward:
		return []arrays{k.forward()}
	case backward:
		return []arrays{k.backward()}
	}
	if k.pointwise {
		return []arrays{k.backward()}
	}
	return []arrays{k.forward(), k.backward()}
}

// traffic returns the bytes an element that the call moves at least. What both
// passes read counts twice.
func (k *kernel) traffic(size, classes int) (bytes float64) {
	for _, a := range k.passes() {
		bytes += float64((a.reads + a.writes) * size)
		if k.labels {
			bytes += 1 / float64(classes)
		}
	}
	return bytes
}

// resident returns the bytes an element of what lies in the cache.
func (k *kernel) resident(size, classes int) float64 {
	one := *k
	if one.op != both {
		return one.traffic(size, classes)
	}
	one.op = forward
	return one.traffic(size, classes) + float64(size) // and dx
}

// patterns returns, for each pass, the probes whose traffic is the kernel's, with
// ordinary and with streaming stores: whichever is faster is the ceiling.
func (k *kernel) patterns() (all [][]probe.Pattern) {
	of := map[arrays][]probe.Pattern{
		{1, 0}: {probe.Read1}, {2, 0}: {probe.Read2},
		{0, 1}: {probe.W1, probe.W1NT}, {1, 1}: {probe.R1W1, probe.R1W1NT}, {2, 1}: {probe.R2W1, probe.R2W1NT},
	}
	for _, a := range k.passes() {
		all = append(all, of[a])
	}
	return all
}
