package main

import (
	"fmt"
	"slices"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// compile is pass.Compile with register allocation that knows how many vector
// registers the instruction set has: avo would give AVX2 those of AVX-512 too.
func compile(f *ir.File, vectors int) error {
	return pass.Concat(
		pass.Verify,
		pass.FunctionPass(pass.PruneJumpToFollowingLabel),
		pass.FunctionPass(pass.PruneDanglingLabels),
		pass.InstructionPass(pass.ZeroExtend32BitOutputs),
		pass.InstructionPass(inputs),
		pass.FunctionPass(func(fn *ir.Function) error {
			if err := allocateOrSpill(fn, vectors); err != nil {
				return fmt.Errorf("%s: %w", fn.Name, err)
			}
			return nil
		}),
		pass.FunctionPass(pass.BindRegisters),
		pass.FunctionPass(pass.VerifyAllocation),
		pass.FunctionPass(pass.EnsureBasePointerCalleeSaved),
		pass.Func(pass.IncludeTextFlagHeader),
		pass.FunctionPass(pass.PruneSelfMoves),
		pass.FunctionPass(pruneVectorSelfMoves),
		pass.FunctionPass(pass.RequiredISAExtensions),
	).Execute(f)
}

// inputs corrects what avo says is read: a blend does not read what it writes,
// and the exclusive or of a register with itself depends on nothing. Either
// would be live from the function's first instruction on.
func inputs(i *ir.Instruction) error {
	switch i.Opcode {
	case "VBLENDMPS", "VBLENDMPD":
		i.Inputs = i.Operands[:3]
	case "VPXORQ", "VXORPS", "VXORPD", "VPCMPEQD":
		if len(i.Operands) == 3 && i.Operands[0] == i.Operands[1] && i.Operands[1] == i.Operands[2] {
			i.CancellingInputs = true
		}
	}
	return nil
}

// allocateOrSpill allocates registers, and moves vectors to the frame until there
// are enough of them.
func allocateOrSpill(fn *ir.Function, vectors int) error {
	var f frame
	for pressure := vectors; ; {
		fn.LabelTarget = nil
		for _, i := range fn.Instructions() {
			i.Pred, i.Succ = nil, nil
		}
		for _, p := range []func(*ir.Function) error{pass.LabelTarget, pass.CFG, pass.Liveness} {
			if err := p(fn); err != nil {
				return err
			}
		}
		err := allocate(fn, vectors)
		if err == nil {
			return nil
		}
		if pressure < vectors/2 {
			return err
		}
		spilled, err := f.spill(fn, pressure, vectors)
		if err != nil {
			return err
		}
		if !spilled {
			pressure--
		}
	}
}

// allocate colours the registers of each kind. The base pointer is left alone.
func allocate(fn *ir.Function, vectors int) error {
	allocators := map[reg.Kind]*pass.Allocator{}
	for _, i := range fn.Instructions() {
		for _, r := range i.Registers() {
			if allocators[r.Kind()] == nil {
				a, err := pass.NewAllocator(available(r.Kind(), vectors))
				if err != nil {
					return err
				}
				allocators[r.Kind()] = a
			}
			allocators[r.Kind()].Add(r.ID())
		}
	}
	for _, i := range fn.Instructions() {
		for _, d := range i.OutputRegisters() {
			out := i.LiveOut.OfKind(d.Kind())
			out.DiscardRegister(d)
			allocators[d.Kind()].AddInterferenceSet(d, out)
		}
	}
	fn.Allocation = reg.NewEmptyAllocation()
	for _, a := range allocators {
		found, err := a.Allocate()
		if err != nil {
			return err
		}
		if err := fn.Allocation.Merge(found); err != nil {
			return err
		}
	}
	return nil
}

// pruneVectorSelfMoves drops the copies of vectors that need none, for which
// the allocator found the same register.
func pruneVectorSelfMoves(fn *ir.Function) error {
	fn.Nodes = slices.DeleteFunc(fn.Nodes, func(n ir.Node) bool {
		i, ok := n.(*ir.Instruction)
		return ok && i.Opcode == "VMOVAPD" && len(i.Operands) == 2 && i.Operands[0].Asm() == i.Operands[1].Asm()
	})
	return nil
}

func available(k reg.Kind, vectors int) (rs []reg.Physical) {
	for _, r := range reg.FamilyOfKind(k).Registers() {
		isVector := k == reg.KindVector
		if isVector && int(r.PhysicalIndex()) >= vectors || !isVector && r.Info()&reg.BasePointer != 0 {
			continue
		}
		rs = append(rs, r)
	}
	return rs
}
