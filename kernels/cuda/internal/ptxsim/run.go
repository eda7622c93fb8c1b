package ptxsim

import (
	"fmt"
	"math/bits"
)

const lanes = 32

// lane is the first lane of a mask that has one.
func lane(mask uint32) int { return bits.TrailingZeros32(mask) % lanes }

// Fault is something that a kernel must not do.
type Fault struct {
	Kernel string
	Line   int
	Text   string // of the instruction
	Block  int
	Thread int
	Msg    string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("ptxsim: %s, line %d, block %d, thread %d: %s: %s", f.Kernel, f.Line, f.Block, f.Thread, f.Msg, f.Text)
}

// row is a register of all lanes.
type row = [lanes]uint64

// frame is a function under way.
type frame struct {
	f       *function
	regs    []row
	written []uint32 // lanes that have written a register
	paths   []path   // of the lanes, the one that runs last
	result  int      // of the caller, where this one's goes
	covered []bool   // instructions that have run
}

// path is lanes that run together up to the place where they meet others.
type path struct {
	pc, until int
	mask      uint32
}

// warp is 32 threads in lock-step.
type warp struct {
	block  *block
	id     int // in the launch
	number int // in the block
	live   uint32
	frames []*frame
	top    *frame
	in     *instr
	waits  bool
	begin  epoch // of the launch
	clock  clock
	gained clock // by relaxed reads, until a fence
	passed clock // at the last fence
}

// block is a thread block.
type block struct {
	launch *launch
	index  int
	warps  []*warp
	shared *area
	alive  int // warps that have not ended
	held   int // warps at the barrier
}

// launch is a grid under way.
type launch struct {
	ctx     *Context
	entry   *function
	args    []byte
	grid    int
	threads int
	shared  int
	number  uint64 // of the launch in its context
	steps   uint64
}

func (w *warp) reg(r int) *row { return &w.top.regs[r] }

func (w *warp) seed() uint64 { return w.block.launch.ctx.options.Seed }

// fail ends the launch.
func (w *warp) fail(l int, format string, args ...any) {
	f := &Fault{Kernel: w.block.launch.entry.name, Block: w.block.index, Thread: w.number*lanes + l, Msg: fmt.Sprintf(format, args...)}
	if w.in != nil {
		f.Line, f.Text = w.in.line, w.in.text
	}
	panic(f)
}

// together is what a warp-wide instruction asks of the lanes that run it: to be those of
// its mask.
func (w *warp) together(mask uint32, member int) {
	if want := uint32(w.reg(member)[lane(mask)]); want != mask {
		w.fail(lane(mask), "the mask %#x is not the lanes %#x that are here", want, mask)
	}
}

// run executes a whole grid, some blocks of it at a time.
func (l *launch) run(resident int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(*Fault)
			if !ok {
				panic(r)
			}
			err = f
		}
	}()
	var active []*block
	for next := 0; next < l.grid || len(active) > 0; {
		for len(active) < resident && next < l.grid {
			active = append(active, l.start(l.ctx.order(next, l.grid)))
			next++
		}
		moved := false
		for i := 0; i < len(active); i++ {
			moved = active[i].turn() || moved
			if active[i].alive == 0 {
				active = append(active[:i], active[i+1:]...)
				i--
			}
		}
		if !moved {
			w := active[0].warps[0]
			for _, o := range active[0].warps {
				if o.waits {
					w = o
				}
			}
			w.fail(0, "all warps wait")
		}
	}
	return nil
}

func (l *launch) start(index int) *block {
	b := &block{launch: l, index: index, shared: newArea(l.ctx, dynamicBase(l.entry.module)+l.shared, 1)}
	warps := (l.threads + lanes - 1) / lanes
	for i := range warps {
		w := &warp{block: b, id: index*warps + i, number: i, live: ^uint32(0), begin: l.begin()}
		if rest := l.threads - i*lanes; rest < lanes {
			w.live = 1<<rest - 1
		}
		w.clock = newClock(l.grid * warps)
		w.clock[w.id] = 1
		w.push(l.entry, w.live, -1)
		b.warps = append(b.warps, w)
	}
	b.alive = warps
	return b
}

// push enters a function.
func (w *warp) push(f *function, mask uint32, result int) *frame {
	fr := f.frame()
	fr.covered = w.block.launch.ctx.coverage(f)
	fr.paths, fr.result = append(fr.paths[:0], path{0, -1, mask}), result
	for _, s := range f.specials {
		fr.fill(s.reg, func(l int) uint64 { return w.special(s.kind, l) })
	}
	w.frames = append(w.frames, fr)
	w.top = fr
	return fr
}

// frame gives one whose constants are there. It may be a used one: its other registers
// count as not written.
func (f *function) frame() *frame {
	fr, used := f.frames.Get().(*frame)
	if used {
		clear(fr.written)
	} else {
		fr = &frame{f: f, regs: make([]row, f.regs), written: make([]uint32, f.regs)}
	}
	for _, c := range f.constants {
		if !used {
			fr.fill(c.reg, func(int) uint64 { return c.value })
		}
		fr.written[c.reg] = ^uint32(0)
	}
	return fr
}

func (f *frame) fill(reg int, value func(lane int) uint64) {
	for l := range lanes {
		f.regs[reg][l] = value(l)
	}
	f.written[reg] = ^uint32(0)
}

func (w *warp) special(kind string, l int) uint64 {
	switch kind {
	case "%tid.x":
		return uint64(w.number*lanes + l)
	case "%ntid.x":
		return uint64(w.block.launch.threads)
	case "%ctaid.x":
		return uint64(w.block.index)
	case "%nctaid.x":
		return uint64(w.block.launch.grid)
	}
	return uint64(l) // %laneid
}

// quantum is how many instructions a warp runs before the next one does.
const quantum = 256

// turn runs each warp of a block for a while. It reports whether any did something.
func (b *block) turn() (moved bool) {
	for _, w := range b.warps {
		for range quantum {
			if w.live == 0 || w.waits {
				break
			}
			w.step()
			moved = true
		}
	}
	return moved
}

// step runs one instruction.
func (w *warp) step() {
	p := &w.top.paths[len(w.top.paths)-1]
	if p.pc == p.until || p.mask == 0 {
		w.top.paths = w.top.paths[:len(w.top.paths)-1]
		if len(w.top.paths) == 0 {
			w.pop()
		}
		return
	}
	if p.pc >= len(w.top.f.code) {
		w.fail(lane(p.mask), "the function ends without ret")
	}
	w.count()
	in := &w.top.f.code[p.pc]
	w.in = in
	mask := w.guard(in, p.mask)
	for _, r := range in.reads {
		if missing := mask &^ w.top.written[r]; missing != 0 {
			w.fail(lane(missing), "reads a register that nothing has written")
		}
	}
	switch {
	case in.jump != nil:
		w.branch(p, in, mask)
		return
	case in.end == returns || in.end == exits:
		p.pc++
		w.leave(mask, in.end)
		return
	case in.end == waits:
		w.top.covered[p.pc] = true
		p.pc++
		w.arrive(mask)
		return
	}
	if mask != 0 {
		w.top.covered[p.pc] = true
	}
	p.pc++
	if mask == 0 {
		return
	}
	if in.call != nil {
		w.enter(in.call, mask)
		return
	}
	in.run(w, mask)
	for _, r := range in.writes {
		w.top.written[r] |= mask
	}
}

// count ends kernels that do not end.
func (w *warp) count() {
	l := w.block.launch
	if l.steps++; l.steps > l.ctx.options.Budget {
		w.fail(0, "more than %d instructions", l.ctx.options.Budget)
	}
}

// guard is the lanes that run an instruction.
func (w *warp) guard(in *instr, mask uint32) uint32 {
	if in.pred < 0 {
		return mask
	}
	if missing := mask &^ w.top.written[in.pred]; missing != 0 {
		w.fail(lane(missing), "the guard is a register that nothing has written")
	}
	set := uint32(0)
	g := w.reg(in.pred)
	for m := mask; m != 0; m &= m - 1 {
		l := lane(m)
		set |= uint32(g[l]&1) << l
	}
	if in.negate {
		set = ^set
	}
	return set & mask
}

// branch sends the lanes of a path on. Where they part, both sides run up to the place
// where they meet again, the path itself goes on from there.
func (w *warp) branch(p *path, in *instr, taken uint32) {
	stay := p.mask &^ taken
	next := p.pc + 1
	switch {
	case stay == 0:
		p.pc = in.jump.target
	case taken == 0:
		p.pc = next
	default:
		meet := in.converge
		if meet < 0 {
			meet = len(w.top.f.code)
		}
		p.pc = meet
		w.top.paths = append(w.top.paths, path{next, meet, stay}, path{in.jump.target, meet, taken})
	}
}

// leave takes lanes out of the function, or out of the kernel.
func (w *warp) leave(mask uint32, how end) {
	if how == exits || len(w.frames) == 1 {
		w.live &^= mask
		for _, f := range w.frames {
			f.drop(mask)
		}
	} else {
		if r := w.top.f.result; r != nil && mask&^w.top.written[r.reg] != 0 {
			w.fail(lane(mask), "returns without a result")
		}
		w.top.drop(mask)
	}
	for w.top != nil && w.top.empty() {
		w.pop()
	}
}

func (f *frame) drop(mask uint32) {
	for i := range f.paths {
		f.paths[i].mask &^= mask
	}
}

func (f *frame) empty() bool {
	for _, p := range f.paths {
		if p.mask != 0 {
			return false
		}
	}
	return true
}

// pop goes back to the caller, with the result of the lanes that came from it.
func (w *warp) pop() {
	f := w.top
	w.frames = w.frames[:len(w.frames)-1]
	w.top = nil
	if n := len(w.frames); n > 0 {
		w.top = w.frames[n-1]
		if f.result >= 0 {
			to, from := w.reg(f.result), &f.regs[f.f.result.reg]
			for m := f.written[f.f.result.reg]; m != 0; m &= m - 1 {
				to[lane(m)] = from[lane(m)]
			}
			w.top.written[f.result] |= f.written[f.f.result.reg]
		}
	}
	f.f.frames.Put(f)
	if w.top == nil {
		w.live = 0
		w.block.alive--
		w.block.release()
	}
}

// enter calls a function.
func (w *warp) enter(c *call, mask uint32) {
	caller := w.top
	f := w.push(c.callee, mask, c.result)
	for i, a := range c.args {
		f.regs[c.callee.params[i].reg] = caller.regs[a]
		f.written[c.callee.params[i].reg] = mask
	}
}

// arrive brings a warp to the barrier.
func (w *warp) arrive(mask uint32) {
	if mask != w.live {
		w.fail(lane(w.live&^mask), "a barrier that lanes %#x of %#x reach", mask, w.live)
	}
	if w.block.alive < len(w.block.warps) {
		w.fail(0, "a barrier after warps have ended")
	}
	w.waits = true
	w.block.held++
	w.block.release()
}

// release opens the barrier once all warps are there. What each did before is before
// what any does after.
func (b *block) release() {
	if b.held == 0 || b.held < b.alive {
		return
	}
	if b.alive < len(b.warps) {
		b.warps[0].fail(0, "a barrier that some warps never reach")
	}
	b.held = 0
	all := newClock(len(b.warps[0].clock))
	for _, w := range b.warps {
		all.join(w.clock)
	}
	for _, w := range b.warps {
		w.waits = false
		copy(w.clock, all)
		w.clock[w.id]++
	}
}
