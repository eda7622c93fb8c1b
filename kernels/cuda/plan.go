package cuda

import (
	"errors"
	"math"
	"runtime"
	"unsafe"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/driver"
	"github.com/segloss/segloss/kernels/cuda/internal/modules"
	"github.com/segloss/segloss/kernels/internal/losses"
	"github.com/segloss/segloss/kernels/internal/share"
)

// thresholds are how the work is cut. A chunk depends on the size of a sample and on
// nothing else, so that the bits of a result depend neither on the grid nor on the batch.
type thresholds struct {
	chunk  int // least positions of a chunk, and what its length is a multiple of
	chunks int // most of them in a sample
	shared int // most bytes of a block's sums that shared memory takes
	blocks int // most of a grid; 0 for what the device holds at a time
	cached bool
}

var realThresholds = thresholds{chunk: 1024, chunks: 1024, shared: 32 << 10, cached: true}

// Plan computes one loss for predictions of one shape in device memory. It holds all memory
// that its calls need. One goroutine at a time may use a plan.
//
// Calls return once their work is queued on the stream; a plan's calls on different streams
// are the caller's to order. [Plan.Value], [Plan.Reduce] and [Plan.Finish] wait.
type Plan struct {
	dev        *Device
	spec       kernels.Spec
	dtype      DType
	config     share.Config
	thresholds thresholds
	program    *losses.Program
	kind       string
	custom     bool // only the host can finish it

	run      driver.Function
	resident int // blocks that the device holds at a time
	shared   int // bytes of dynamic shared memory
	memory   uintptr
	lent     bool  // it is the caller's
	call     *call // whose addresses of the workspace stay

	batch *losses.Batch // of the samples' sums, on the host
	coef  []float64     // and of their coefficients
	bad   []uint64

	stream     Stream // of the latest Forward
	target     Target
	n, s       int // its samples and positions
	reduced    bool
	finished   bool // the device has the coefficients
	rows       int  // samples that have them
	generation uint64
}

// New makes a plan for predictions of a type. The options are those of kernels.New, but
// for the backend. The error is a kernels.ArgError, or comes from the driver.
func (d *Device) New(l kernels.Loss, s kernels.Spec, t DType, o ...kernels.Option) (*Plan, error) {
	return d.newPlan(l, s, t, realThresholds, o)
}

// WorkspaceSize is how many bytes of device memory a plan needs beside its arguments.
func (d *Device) WorkspaceSize(l kernels.Loss, s kernels.Spec, t DType, o ...kernels.Option) (int, error) {
	p, image, err := d.prepare(l, s, t, realThresholds, o)
	if err != nil {
		return 0, err
	}
	return p.layOut(len(image)).bytes, nil
}

// NewIn is New in memory of the caller's, at least WorkspaceSize bytes that the plan has
// to itself until it is closed. The address is a multiple of 128.
func (d *Device) NewIn(memory uintptr, bytes int, l kernels.Loss, s kernels.Spec, t DType, o ...kernels.Option) (*Plan, error) {
	p, image, err := d.prepare(l, s, t, realThresholds, o)
	if err != nil {
		return nil, err
	}
	if err := checkPointer("memory", memory, align); err != nil {
		return nil, err
	}
	w := p.layOut(len(image))
	if bytes < w.bytes {
		return nil, share.Error("bytes", -1, bytes, kernels.ErrShape, "want at least %d", w.bytes)
	}
	p.lent = true
	return p, p.settle(w, memory, image)
}

// maxRows bounds the numbers of a workspace.
const maxRows = math.MaxInt32

func (d *Device) newPlan(l kernels.Loss, s kernels.Spec, t DType, th thresholds, o []kernels.Option) (*Plan, error) {
	p, image, err := d.prepare(l, s, t, th, o)
	if err != nil {
		return nil, err
	}
	w := p.layOut(len(image))
	memory, err := d.ctx.Alloc(w.bytes)
	if err != nil {
		return nil, err
	}
	if err := p.settle(w, memory, image); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// prepare makes a plan that has no memory yet, and the image of its program.
func (d *Device) prepare(l kernels.Loss, s kernels.Spec, t DType, th thresholds, o []kernels.Option) (*Plan, []byte, error) {
	config, err := share.Check(l, s, o)
	if err != nil {
		return nil, nil, err
	}
	if int(t) >= len(dtypes) {
		return nil, nil, share.Error("t", -1, uint8(t), kernels.ErrOption, "unknown type")
	}
	p := &Plan{
		dev: d, spec: s, dtype: t, config: config, thresholds: th, kind: share.Kind(l, s.C), program: share.Program(l, s.C),
		call: &call{}, bad: make([]uint64, 1),
	}
	if p.program.Stride() > maxRows/max(s.N*p.mostChunks(), 1) {
		return nil, nil, share.Error("s", -1, s, kernels.ErrShape, "the sums of so many samples and classes do not fit in memory")
	}
	image, custom, err := encode(p.program)
	if err != nil {
		return nil, nil, share.Error("l", -1, l.String(), kernels.ErrOption, "%v", err)
	}
	p.custom = custom
	name := modules.Choose(&p.program.Features, dtypes[t].element, s.Activation == kernels.Softmax, s.C)
	if p.run, err = d.load(name); err != nil {
		return nil, nil, err
	}
	p.batch = p.program.NewBatch(s.N)
	p.coef = make([]float64, s.N*s.C*p.program.K)
	return p, image, p.fit()
}

// mostChunks bounds the chunks of a sample of any size up to the capacity.
func (p *Plan) mostChunks() int {
	return min(p.thresholds.chunks, (p.spec.S+p.thresholds.chunk-1)/p.thresholds.chunk)
}

// chunks cuts a sample of s positions: into how many chunks, and how long.
func (p *Plan) chunks(s int) (count, length int) {
	unit := p.thresholds.chunk * p.thresholds.chunks
	length = (s + unit - 1) / unit * p.thresholds.chunk
	return (s + length - 1) / length, length
}

// fit finds how many blocks the device holds at a time, and where their sums are.
func (p *Plan) fit() error {
	p.shared = warps * p.program.Stride() * 8
	if p.shared > p.thresholds.shared {
		p.shared = 0
	}
	per, err := p.dev.ctx.Resident(p.run, threads, p.shared)
	if err != nil {
		return err
	}
	p.resident = max(per, 1) * p.dev.info.Multiprocessors
	if p.thresholds.blocks > 0 {
		p.resident = p.thresholds.blocks
	}
	return nil
}

// layOut gives the workspace its parts.
func (p *Plan) layOut(image int) *workspace {
	c, n, stride := p.call, p.spec.N, p.program.Stride()
	w := &workspace{}
	w.add(&c.program, image)
	w.add(&c.sums, n*stride*8)
	w.add(&c.coef, n*(stride-1)*8)
	w.add(&c.result, (1+len(p.program.Terms))*8)
	w.add(&c.partial, n*p.mostChunks()*stride*8)
	w.add(&c.cells, (stride+2*n*p.spec.C)*8)
	w.add(&c.bad, 8)
	w.add(&c.counters, p.counters())
	if p.shared == 0 {
		w.add(&c.scratch, p.resident*warps*stride*8)
	}
	return w
}

// counters is the bytes of the device's counters.
func (p *Plan) counters() int { return (firstSample + p.spec.N) * 4 }

// settle takes memory as the workspace, and writes to it what does not change.
func (p *Plan) settle(w *workspace, memory uintptr, image []byte) error {
	p.memory = memory
	w.place(memory)
	p.fillCall()
	if err := p.dev.ctx.CopyIn(p.call.program, image, 0); err != nil {
		return err
	}
	if err := p.dev.ctx.Set(p.call.counters, 0, p.counters(), 0); err != nil {
		return err
	}
	err := p.dev.ctx.Synchronize(0)
	runtime.KeepAlive(image) // the copy may have been under way until now
	return err
}

// workspace lays out parts of one allocation.
type workspace struct {
	bytes int
	parts []part
}

type part struct {
	to *uintptr
	at int
}

// align is what the address of every part is a multiple of.
const align = 128

func (w *workspace) add(to *uintptr, bytes int) {
	w.parts = append(w.parts, part{to, w.bytes})
	w.bytes += (bytes + align - 1) &^ (align - 1)
}

func (w *workspace) place(memory uintptr) {
	for _, p := range w.parts {
		*p.to = memory + uintptr(p.at)
	}
}

// fillCall sets what all calls have in common.
func (p *Plan) fillCall() {
	c := p.call
	c.ignore, c.hasIgnore, c.clip = p.config.Ignore, truth(p.config.HasIgnore), p.config.Clip
	c.limit = limit
	if p.program.Features.Square {
		c.limit = limitSquares
	}
	for _, w := range p.program.Powers {
		if !losses.Plain(w.Gamma) {
			c.limit = noFloats
		}
	}
	c.activation = int32(p.spec.Activation)
	c.channelsLast = truth(p.spec.Layout == kernels.NSC)
}

// Close frees the workspace, unless it is the caller's.
func (p *Plan) Close() error {
	if p.open() != nil {
		return nil
	}
	memory := p.memory
	p.memory = 0
	if p.lent {
		return nil
	}
	return p.dev.ctx.Free(memory)
}

// SetCoefs gives the terms new coefficients, in the order of the loss's terms, for the
// values to come. It waits for the stream of the latest call.
func (p *Plan) SetCoefs(coef ...float64) error {
	if err := p.open(); err != nil {
		return err
	}
	if len(coef) != len(p.program.Terms) {
		return share.Error("coef", -1, len(coef), kernels.ErrShape, "length, want one for each of %d terms", len(p.program.Terms))
	}
	for i, v := range coef {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return share.Error("coef", i, v, kernels.ErrOption, "want a finite number")
		}
	}
	for i, v := range coef {
		p.program.Terms[i].Coef = v
	}
	image, _, err := encode(p.program)
	if err != nil {
		return err
	}
	if err := p.dev.ctx.CopyIn(p.call.program, image, p.stream); err != nil {
		return err
	}
	err = p.dev.ctx.Synchronize(p.stream)
	runtime.KeepAlive(image)
	return err
}

// Forward queues the computation of the loss of the prediction at x and its target.
func (p *Plan) Forward(s Stream, x uintptr, t Target) error {
	if err := p.begin(s, x, t); err != nil {
		return err
	}
	return p.reduce()
}

// Backward queues the gradient of the latest Forward's loss, or Finish's, by x, times
// g.Scale, into dx. x and t are those of that call. dx is x itself, or apart from it. Where
// a label or a weight was bad, which [Plan.Value] reports, dx is left as it is. A loss that
// only the host can finish, such as a caller's own region, makes it wait.
func (p *Plan) Backward(s Stream, dx, x uintptr, t Target, g kernels.Grad) error {
	n, size, err := p.checkBackward(dx, x, t, g)
	if err != nil {
		return err
	}
	switch {
	case p.generation == 0:
		return share.Error("p", -1, "no value", kernels.ErrStale, "want a Forward or a Finish before")
	case n > p.rows:
		return share.Error("t.Sized", 0, n, kernels.ErrShape, "samples, but the value has coefficients for %d", p.rows)
	}
	if !p.finished {
		if _, err := p.Value(); err != nil {
			return err
		}
	}
	p.describe(x, t, n, size)
	return p.backward(s, dx, g, n, size)
}

// ForwardBackward queues Forward and Backward. Where the prediction fits on the chip it is
// one launch, which reads the prediction once.
func (p *Plan) ForwardBackward(s Stream, dx, x uintptr, t Target, g kernels.Grad) error {
	n, size, err := p.checkBackward(dx, x, t, g)
	if err != nil {
		return err
	}
	if err := p.begin(s, x, t); err != nil {
		return err
	}
	if blocks, shared := p.cached(n, size); blocks > 0 && g.Scale != 0 && !p.custom {
		return p.both(dx, g, blocks, shared)
	}
	if err := p.reduce(); err != nil {
		return err
	}
	return p.Backward(s, dx, x, t, g)
}

// begin checks the arguments of a forward pass and takes them over.
func (p *Plan) begin(s Stream, x uintptr, t Target) error {
	n, size, err := p.checkForward(x, t)
	if err != nil {
		return err
	}
	p.stream, p.target, p.n, p.s = s, t, n, size
	p.generation++
	p.reduced, p.finished, p.rows = true, false, n
	p.describe(x, t, n, size)
	return nil
}

// describe fills in the call what depends on the arguments.
func (p *Plan) describe(x uintptr, t Target, n, s int) {
	c := p.call
	c.x, c.target, c.weights, c.mask = x, t.data, t.weights, t.mask
	c.targetKind = int32(t.kind)
	if t.dense && t.dtype != p.dtype {
		c.targetKind = int32(targetF32)
	}
	c.n, c.s = uint32(n), int64(s)
	if n*s > 0 {
		per, chunk := p.chunks(s)
		c.perSample, c.chunk = uint32(per), int64(chunk)
	}
}

// reduce queues the forward pass.
func (p *Plan) reduce() error {
	c := p.call
	if err := p.dev.ctx.Set(c.bad, 0xff, 8, p.stream); err != nil {
		return err
	}
	if p.n*p.s == 0 {
		p.finished = true
		return p.dev.ctx.Set(c.result, 0, (1+len(p.program.Terms))*8, p.stream)
	}
	c.finish, c.cached, c.passes, c.accumulate = truth(!p.custom), 0, passReduce, 0
	err := p.launch(p.grid(), p.shared, p.stream, false)
	p.finished = err == nil && !p.custom
	return err
}

// grid is the blocks of a launch.
func (p *Plan) grid() int { return min(int(p.call.n)*int(p.call.perSample), p.resident) }

// backward queues the backward pass of n samples of size positions.
func (p *Plan) backward(s Stream, dx uintptr, g kernels.Grad, n, size int) error {
	switch {
	case n*size == 0 || g.Scale == 0 && g.Accumulate:
		return nil
	case g.Scale == 0:
		return p.dev.ctx.Set(dx, 0, n*p.spec.C*size*p.dtype.Size(), s)
	}
	c := p.call
	c.dx, c.scale, c.accumulate = dx, g.Scale, truth(g.Accumulate)
	c.cached, c.passes = 0, passBackward
	return p.launch(p.grid(), p.shared, s, false)
}

// both queues both passes as one launch.
func (p *Plan) both(dx uintptr, g kernels.Grad, blocks, shared int) error {
	c := p.call
	if err := p.dev.ctx.Set(c.bad, 0xff, 8, p.stream); err != nil {
		return err
	}
	c.dx, c.scale, c.accumulate = dx, g.Scale, truth(g.Accumulate)
	c.finish, c.cached, c.passes = 1, 1, passReduce|passBackward
	c.epoch++
	err := p.launch(blocks, shared, p.stream, true)
	p.finished = err == nil
	return err
}

// cached is the grid and the shared memory of a launch that keeps the prediction on the
// chip, or 0 where it does not fit. Each multiprocessor has one block.
func (p *Plan) cached(n, s int) (blocks, shared int) {
	if !p.thresholds.cached || !p.dev.info.Cooperative || p.shared == 0 || n*s == 0 {
		return 0, 0
	}
	per, chunk := p.chunks(s)
	blocks = min(n*per, p.dev.info.Multiprocessors)
	slots := (n*per + blocks - 1) / blocks
	const static = 8 << 10 // more than the kernels' own shared memory
	shared = p.shared + slots*p.spec.C*chunk*p.dtype.Size()
	if shared+static > p.dev.info.SharedPerBlock {
		return 0, 0
	}
	return blocks, shared
}

func (p *Plan) launch(blocks, shared int, s Stream, cooperative bool) error {
	args := unsafe.Slice((*byte)(unsafe.Pointer(p.call)), unsafe.Sizeof(*p.call))
	return p.dev.ctx.Launch(p.run, driver.Config{Blocks: blocks, Threads: threads, Shared: shared, Cooperative: cooperative}, args, s)
}

// LossPtr is the device address of the loss of the latest Forward, a float64, followed by
// the value of each term. A loss that only the host can finish has none, nor has a closed
// plan, and it is 0.
func (p *Plan) LossPtr() uintptr {
	if p.open() != nil || p.custom {
		return 0
	}
	return p.call.result
}

// Value waits for the latest Forward, or what did its work, and returns the loss with its
// terms. A label or a weight out of range is an error that names its position.
func (p *Plan) Value() (kernels.Value, error) {
	if err := p.open(); err != nil {
		return kernels.Value{}, err
	}
	if !p.reduced {
		return kernels.Value{}, share.Error("p", -1, "no value", kernels.ErrStale, "want a Forward before")
	}
	if err := p.fetch(); err != nil {
		return kernels.Value{}, err
	}
	p.batch.Program = p.program
	v := share.Finish(p.batch, p.coef, p.n, 0, p.n, p, p.generation).(kernels.Value)
	if p.finished {
		return v, nil
	}
	return v, p.upload()
}

// fetch waits for the sums of the latest reduction and brings them to the batch.
func (p *Plan) fetch() error {
	stride := p.program.Stride()
	if p.n*p.s == 0 {
		clear(p.batch.Data)
		return p.dev.ctx.Synchronize(p.stream)
	}
	if err := p.dev.ctx.CopyOut(bytesOf(&p.bad[0], 1), p.call.bad, p.stream); err != nil {
		return err
	}
	if err := p.dev.ctx.CopyOut(bytesOf(&p.batch.Data[0], p.n*stride), p.call.sums, p.stream); err != nil {
		return err
	}
	if err := p.dev.ctx.Synchronize(p.stream); err != nil {
		return err
	}
	if p.bad[0] != math.MaxUint64 {
		return p.badPosition(int(p.bad[0]))
	}
	return nil
}

// upload brings the coefficients that the host has found to the device.
func (p *Plan) upload() error {
	if len(p.coef) > 0 {
		if err := p.dev.ctx.CopyIn(p.call.coef, bytesOf(&p.coef[0], len(p.coef)), p.stream); err != nil {
			return err
		}
	}
	p.finished = true
	return p.dev.ctx.Synchronize(p.stream)
}

// NewSums makes the sums of rows samples, all zero, as kernels.Plan.NewSums does.
func (p *Plan) NewSums(rows int) *kernels.Sums {
	if p == nil || p.program == nil {
		return &kernels.Sums{}
	}
	if rows < 0 || rows > maxRows/p.program.Stride() {
		rows = 0
	}
	return share.NewSums(p.program.NewBatch(rows), p.kind).(*kernels.Sums)
}

// Reduce computes the sums of a prediction and its target, n samples, waits for them, and
// stores them in the rows row … row+n−1 of sums. With an error those are unchanged.
func (p *Plan) Reduce(s Stream, sums *kernels.Sums, row int, x uintptr, t Target) error {
	n, _, err := p.checkForward(x, t)
	if err != nil {
		return err
	}
	b, err := p.checkSums(sums, row, n)
	if err != nil {
		return err
	}
	if err := p.begin(s, x, t); err != nil {
		return err
	}
	if err := p.reduce(); err != nil {
		return err
	}
	if err := p.fetch(); err != nil {
		return err
	}
	stride := p.program.Stride()
	copy(b.Data[row*stride:], p.batch.Data[:n*stride])
	return nil
}

// Finish computes the loss of all rows of sums, and brings the coefficients of this plan's
// samples, from row on, to the device for Backward.
func (p *Plan) Finish(sums *kernels.Sums, row int) (kernels.Value, error) {
	if err := p.open(); err != nil {
		return kernels.Value{}, err
	}
	b, err := p.checkSums(sums, row, 0)
	if err != nil {
		return kernels.Value{}, err
	}
	p.rows = min(p.spec.N, b.Rows-row)
	p.generation++
	p.reduced = false
	b.Program = p.program
	v := share.Finish(b, p.coef, b.Rows, row, p.rows, p, p.generation).(kernels.Value)
	return v, p.upload()
}
