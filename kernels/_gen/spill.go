package main

import (
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// firstReload is the index of the virtual registers that stand for a spilled one
// between memory and the instruction that needs it.
const firstReload = 50000

// frame is where a function's spilled registers are: slots of a vector, aligned to
// their size, which the stack is not.
type frame struct {
	base  reg.Register // nil before the first slot
	slots int
}

func (f *frame) slot(fn *ir.Function, size int) (operand.Mem, error) {
	if f.base == nil {
		f.base = reg.NewVirtual(firstReload, reg.KindGP, reg.S64)
		pad := fn.AllocLocal(size)
		var nodes []ir.Node
		for _, step := range []func() (*ir.Instruction, error){
			func() (*ir.Instruction, error) { return x86.LEAQ(pad, f.base) },
			func() (*ir.Instruction, error) { return x86.ADDQ(operand.U8(size-1), f.base) },
			func() (*ir.Instruction, error) { return x86.ANDQ(operand.I8(-size), f.base) },
		} {
			i, err := step()
			if err != nil {
				return operand.Mem{}, err
			}
			nodes = append(nodes, i)
		}
		fn.Nodes = append(nodes, fn.Nodes...)
	}
	fn.AllocLocal(size)
	f.slots++
	return operand.Mem{Base: f.base, Disp: (f.slots - 1) * size}, nil
}

// spill moves vector registers to the frame so that no more than pressure are
// live at once, and reports whether it found any: those that save the most and
// cost the least loads and stores in loops.
func (f *frame) spill(fn *ir.Function, pressure, vectors int) (bool, error) {
	spilled := map[reg.ID]operand.Mem{}
	for _, id := range victims(fn, pressure) {
		at, err := f.slot(fn, 2*vectors)
		if err != nil {
			return false, err
		}
		spilled[id] = at
	}
	if len(spilled) == 0 {
		return false, nil
	}
	fn.Attributes &^= attr.NOSPLIT // the frame may need a larger stack
	next := reg.Index(firstReload)
	for _, i := range fn.Instructions() {
		for _, r := range i.Registers() {
			if v, ok := r.(reg.Virtual); ok && r.Kind() == reg.KindVector && v.VirtualIndex() >= next {
				next = v.VirtualIndex() + 1
			}
		}
	}
	var nodes []ir.Node
	for _, n := range fn.Nodes {
		i, ok := n.(*ir.Instruction)
		if !ok {
			nodes = append(nodes, n)
			continue
		}
		var after []ir.Node
		for id, at := range inOrder(spilled) {
			read, written := touches(i.InputRegisters(), id), touches(i.OutputRegisters(), id)
			if !read && !written {
				continue
			}
			whole := reg.NewVirtual(next, reg.KindVector, specOf(uint(2*vectors)))
			if read {
				load, err := x86.VMOVUPS(at, whole)
				if err != nil {
					return false, err
				}
				nodes = append(nodes, load)
			}
			if written {
				store, err := x86.VMOVUPS(whole, at)
				if err != nil {
					return false, err
				}
				after = append(after, store)
			}
			for _, ops := range [][]operand.Op{i.Operands, i.Inputs, i.Outputs} {
				rename(ops, id, next)
			}
			next++
		}
		nodes = append(append(nodes, i), after...)
	}
	fn.Nodes = nodes
	return true, nil
}

// inOrder visits what is spilled in the order of the registers' numbers, so that
// the output is always the same.
func inOrder(spilled map[reg.ID]operand.Mem) func(yield func(reg.ID, operand.Mem) bool) {
	var ids []reg.ID
	for id := range spilled {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return func(yield func(reg.ID, operand.Mem) bool) {
		for _, id := range ids {
			if !yield(id, spilled[id]) {
				return
			}
		}
	}
}

func touches(rs []reg.Register, id reg.ID) bool {
	return slices.ContainsFunc(rs, func(r reg.Register) bool { return r.ID() == id })
}

func rename(ops []operand.Op, id reg.ID, to reg.Index) {
	for j, op := range ops {
		if r, ok := op.(reg.Register); ok && r.ID() == id {
			ops[j] = reg.NewVirtual(to, reg.KindVector, specOf(r.Size()))
		}
	}
}

// specOf is what avo calls a vector register of so many bytes.
func specOf(size uint) reg.Spec {
	switch size {
	case 16:
		return reg.S128
	case 32:
		return reg.S256
	}
	return reg.S512
}

// victims chooses what to spill.
func victims(fn *ir.Function, pressure int) (chosen []reg.ID) {
	is := fn.Instructions()
	weights := loopWeights(fn)
	excess := make([]int, len(is))
	live := make([]map[reg.ID]bool, len(is))
	cost, lifetime := map[reg.ID]float64{}, map[reg.ID]int{}
	for n, i := range is {
		live[n] = map[reg.ID]bool{}
		for id := range i.LiveOut.OfKind(reg.KindVector) {
			live[n][id] = true
		}
		for _, r := range i.OutputRegisters() {
			if r.Kind() == reg.KindVector {
				live[n][r.ID()] = true
			}
		}
		for id := range live[n] {
			lifetime[id]++
		}
		excess[n] = len(live[n]) - pressure
		for _, rs := range [][]reg.Register{i.InputRegisters(), i.OutputRegisters()} {
			for _, r := range rs {
				if v, ok := r.(reg.Virtual); ok && r.Kind() == reg.KindVector {
					cost[r.ID()] += weights[n]
					if v.VirtualIndex() >= firstReload {
						cost[r.ID()] += 1e9
					}
				}
			}
		}
	}
	var ids []reg.ID
	for id := range cost {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for {
		best, most := reg.ID(0), 0.0
		for _, id := range ids {
			saved := 0.0
			for n := range is {
				if excess[n] > 0 && live[n][id] {
					saved += weights[n]
				}
			}
			if s := saved / (cost[id] * waiting(lifetime[id])); s > most && cost[id] < 1e9 {
				best, most = id, s
			}
		}
		if most == 0 {
			return chosen
		}
		chosen = append(chosen, best)
		for n, i := range is {
			if live[n][best] && !touches(i.OutputRegisters(), best) {
				excess[n]--
			}
			delete(live[n], best)
		}
	}
}

// waiting is by how much a register that is live for so many instructions costs
// more than its loads and stores: of those that live long hardly anything waits
// for memory, of the others the next steps do.
func waiting(lifetime int) float64 { return 1 + 100/float64(lifetime) }

// loopWeights is how often instructions run, for comparisons: ten times as often
// in a loop as before it.
func loopWeights(fn *ir.Function) []float64 {
	at, n := map[ir.Label]int{}, 0
	var weights []float64
	for _, node := range fn.Nodes {
		switch node := node.(type) {
		case ir.Label:
			at[node] = n
		case *ir.Instruction:
			weights = append(weights, 1)
			if target := node.TargetLabel(); target != nil {
				if from, ok := at[*target]; ok {
					for j := from; j <= n; j++ {
						weights[j] *= 10
					}
				}
			}
			n++
		}
	}
	return weights
}
