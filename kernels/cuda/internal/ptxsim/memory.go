package ptxsim

import (
	"encoding/binary"
	"regexp"
	"sort"
	"strings"
)

// Windows of the generic address space. Device memory lies far above host addresses that
// a test could have, so that confusing them is found.
const (
	sharedWindow = 0x0100_0000_0000_0000
	sharedEnd    = sharedWindow + 1<<24
	globalStart  = 0x0000_7f00_0000_0000
	redZone      = 4096
)

// area is memory that is allocated at once.
type area struct {
	base   uint64
	data   []byte
	known  []bool // bytes that something has written
	grain  uint   // bytes of a trace, as a power of two
	traces []trace
	flags  map[uint64]*meeting
}

func newArea(c *Context, size int, grainBytes int) *area {
	a := &area{data: make([]byte, size), known: make([]bool, size)}
	if grainBytes > 1 {
		a.grain = 1
	}
	if !c.options.NoRaces {
		a.traces = make([]trace, size>>a.grain+1)
	}
	return a
}

// memory is a device's: areas by address, with room between them that is nobody's.
type memory struct {
	areas []*area
	end   uint64
	last  *area
}

func (m *memory) find(addr uint64) *area {
	if a := m.last; a != nil && addr-a.base < uint64(len(a.data)) {
		return a
	}
	i := sort.Search(len(m.areas), func(i int) bool { return m.areas[i].base > addr }) - 1
	if i < 0 || addr-m.areas[i].base >= uint64(len(m.areas[i].data)) {
		return nil
	}
	m.last = m.areas[i]
	return m.last
}

// access is a load or a store as its modifiers have it.
type access struct {
	space  string // "", global, shared or param
	size   uint64 // of one element
	signed bool
	typ    string
	kind   kind
	order  order
	count  int
}

// place finds where an access goes, and checks that it may.
func (w *warp) place(l int, addr uint64, a *access) (*area, uint64) {
	size := a.size * uint64(a.count)
	if addr%size != 0 {
		w.fail(l, "address %#x is not a multiple of %d", addr, size)
	}
	var in *area
	at := addr
	switch {
	case a.space == "shared":
		in = w.block.shared
	case a.space == "" && addr >= sharedWindow && addr < sharedEnd:
		in, at = w.block.shared, addr-sharedWindow
	default:
		if in = w.block.launch.ctx.memory.find(addr); in == nil {
			w.fail(l, "address %#x is in no allocation%s", addr, w.block.launch.ctx.nearest(addr))
		}
		at = addr - in.base
	}
	if at+size > uint64(len(in.data)) || at+size < at {
		w.fail(l, "address %#x is %d bytes into an area of %d", addr, at, len(in.data))
	}
	return in, at
}

// touch records an access for the search for races.
func (w *warp) touch(l int, in *area, at, size uint64, k kind) {
	if in.traces == nil {
		return
	}
	now := w.now()
	for g := at >> in.grain; g<<in.grain < at+size; g++ {
		if with := in.traces[g].touch(w, now, k); with != "" {
			w.fail(l, "races with %s of another warp, at byte %d of an area of %d", with, at, len(in.data))
		}
	}
}

func (w *warp) load(l int, in *area, at uint64, a *access) uint64 {
	for i := at; i < at+a.size; i++ {
		if !in.known[i] {
			w.fail(l, "reads byte %d of an area of %d, which nothing has written", i, len(in.data))
		}
	}
	w.touch(l, in, at, a.size, a.kind)
	return get(in.data[at:], a.size)
}

func (w *warp) store(l int, in *area, at uint64, a *access, v uint64) {
	w.touch(l, in, at, a.size, a.kind)
	put(in.data[at:], a.size, v)
	for i := at; i < at+a.size; i++ {
		in.known[i] = true
	}
}

func get(b []byte, size uint64) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func put(b []byte, size, v uint64) {
	switch size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// flag is what is known of a place that warps synchronise by.
func (a *area) flag(at uint64) *meeting {
	if a.flags == nil {
		a.flags = map[uint64]*meeting{}
	}
	if a.flags[at] == nil {
		a.flags[at] = &meeting{}
	}
	return a.flags[at]
}

var address = regexp.MustCompile(`^\[([\w%$]+)(?:\+(-?\d+))?\]$`)

// address reads "[base+offset]": the register of the base and the offset.
func (d *decoder) address(i int) (base int, offset uint64) {
	v := address.FindStringSubmatch(d.args[i])
	if v == nil {
		d.p.fail("unknown form of an address")
	}
	if v[2] != "" {
		offset = d.p.literal(v[2], "s64")
	}
	base = d.p.operand(v[1], "u64")
	d.in.reads = append(d.in.reads, base)
	return base, offset
}

// memory decodes loads, stores, atomics and fences.
func (d *decoder) memory() bool {
	switch d.name[0] {
	case "ld", "st":
		a := d.access()
		if a == nil {
			return false
		}
		switch {
		case a.space == "param":
			d.parameter(a)
		case d.name[0] == "ld":
			d.load(a)
		default:
			d.store(a)
		}
		return true
	case "atom", "red":
		return d.atomic()
	case "fence":
		if !d.is("fence.acq_rel.gpu") {
			return false
		}
		d.in.run = func(w *warp, _ uint32) { w.fence() }
		return true
	}
	return false
}

// access reads the modifiers of ld and st, in the order that the manual gives them.
func (d *decoder) access() *access {
	rest := d.name[1:]
	a := &access{count: 1}
	take := func(words ...string) string {
		for _, w := range words {
			if len(rest) > 0 && rest[0] == w {
				rest = rest[1:]
				return w
			}
		}
		return ""
	}
	load := d.name[0] == "ld"
	if !load {
		a.kind = writes
	}
	switch take("relaxed", "acquire", "release", "volatile") {
	case "relaxed", "volatile":
		a.kind = atomics
	case "acquire":
		a.kind, a.order.acquire = atomics, true
		if !load {
			return nil
		}
	case "release":
		a.kind, a.order.release = atomics, true
		if load {
			return nil
		}
	}
	take("gpu")
	a.space = take("global", "shared", "param")
	take("cs", "cg")
	if take("v2") != "" {
		a.count = 2
	}
	if len(rest) != 1 || !scalar.MatchString(rest[0]) {
		return nil
	}
	a.typ = rest[0]
	a.size, a.signed = width(a.typ), a.typ[0] == 's'
	return a
}

var scalar = regexp.MustCompile(`^([busf](8|16|32|64))$`)

// parameter decodes accesses to the arguments of an entry and to those of calls. The
// latter are registers.
func (d *decoder) parameter(a *access) {
	d.want(2)
	if a.count != 1 {
		d.p.fail("a vector of parameters")
	}
	at, other := 1, 0
	if d.name[0] == "st" {
		at, other = 0, 1
	}
	name := strings.TrimSuffix(strings.Trim(d.args[at], "[]"), "+0")
	if r, ok := d.p.find(name); ok && !strings.HasPrefix(name, "%") {
		from, to := r, r
		if d.name[0] == "ld" {
			d.in.reads = append(d.in.reads, r)
			to = d.write(other)
		} else {
			from = d.read(other, a.typ)
			d.in.writes = append(d.in.writes, r)
		}
		d.in.run = func(w *warp, mask uint32) {
			x, y := w.reg(from), w.reg(to)
			for m := mask; m != 0; m &= m - 1 {
				y[lane(m)] = truncate(x[lane(m)], a.typ)
			}
		}
		return
	}
	if !d.p.f.entry || d.name[0] == "st" {
		d.p.fail("unknown parameter")
	}
	base, offset := d.address(at)
	to := d.write(other)
	d.in.run = func(w *warp, mask uint32) {
		args := w.block.launch.args
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			i := w.reg(base)[l] + offset
			if i%a.size != 0 || i+a.size > uint64(len(args)) {
				w.fail(l, "byte %d of %d of the arguments", i, len(args))
			}
			w.reg(to)[l] = sign(get(args[i:], a.size), a)
		}
	}
}

// sign extends what was loaded to the register's width, whatever that is.
func sign(v uint64, a *access) uint64 {
	if a.signed {
		return signed(v, a.size)
	}
	return v
}

// vector gives the registers of an operand that may be "{a, b}".
func (d *decoder) vector(i, count int, written bool) []int {
	if count == 1 {
		if written {
			return []int{d.write(i)}
		}
		return []int{d.read(i, d.name[len(d.name)-1])}
	}
	lo, hi := d.pair(d.args[i], written)
	return []int{lo, hi}
}

func (d *decoder) load(a *access) {
	d.want(2)
	base, offset := d.address(1)
	to := d.vector(0, a.count, true)
	d.in.run = func(w *warp, mask uint32) {
		before, where := -1, uint64(0)
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			addr := w.reg(base)[l] + offset
			if before >= 0 && addr == where {
				for _, r := range to { // what the lane before has read
					w.reg(r)[l] = w.reg(r)[before]
				}
				continue
			}
			before, where = l, addr
			in, at := w.place(l, addr, a)
			if a.kind == atomics {
				w.synchronise(in.flag(at), a.order, true, false)
			}
			for i, r := range to {
				w.reg(r)[l] = sign(w.load(l, in, at+uint64(i)*a.size, a), a)
			}
		}
	}
}

func (d *decoder) store(a *access) {
	d.want(2)
	base, offset := d.address(0)
	from := d.vector(1, a.count, false)
	d.in.run = func(w *warp, mask uint32) {
		w.apart(mask, base, from, a)
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			in, at := w.place(l, w.reg(base)[l]+offset, a)
			if a.kind == atomics {
				w.synchronise(in.flag(at), a.order, false, true)
			}
			for i, r := range from {
				w.store(l, in, at+uint64(i)*a.size, a, w.reg(r)[l])
			}
		}
	}
}

// apart sees that no two lanes store different values at one address.
func (w *warp) apart(mask uint32, base int, from []int, a *access) {
	addr := w.reg(base)
	before := uint64(0)
	rising := true
	for m := mask; m != 0; m &= m - 1 {
		rising = rising && addr[lane(m)] > before
		before = addr[lane(m)]
	}
	if rising {
		return
	}
	values := map[uint64]uint64{}
	for m := mask; m != 0; m &= m - 1 {
		l := lane(m)
		v := truncate(w.reg(from[0])[l], a.typ)
		if old, ok := values[addr[l]]; ok && old != v {
			w.fail(l, "two lanes store different values at one address")
		}
		values[addr[l]] = v
	}
}

// atomic decodes atom and red.
func (d *decoder) atomic() bool {
	o := order{}
	name := strings.Join(d.name, ".")
	switch {
	case strings.Contains(name, ".acq_rel.gpu.global."):
		o = order{true, true}
	case !strings.Contains(name, ".relaxed.gpu.global."):
		return false
	}
	if len(d.name) != 6 {
		return false
	}
	typ := d.name[5]
	f, ok := atomicOps[d.name[4]+"."+typ]
	if !ok {
		return false
	}
	a := &access{space: "global", size: width(typ), typ: typ, kind: atomics, count: 1}
	to, first := -1, 0
	if d.name[0] == "atom" {
		to, first = d.write(0), 1
	}
	d.want(first + 2)
	base, offset := d.address(first)
	value := d.read(first+1, typ)
	d.in.run = func(w *warp, mask uint32) {
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			in, at := w.place(l, w.reg(base)[l]+offset, a)
			w.synchronise(in.flag(at), o, true, true)
			old := w.load(l, in, at, a)
			w.store(l, in, at, a, f(old, w.reg(value)[l]))
			if to >= 0 {
				w.reg(to)[l] = old
			}
		}
	}
	return true
}

// atomicOps are the operations of atomics.
var atomicOps = map[string]func(old, v uint64) uint64{
	"add.u32": binaryOps["add.s32"],
	"min.u64": binaryOps["min.u64"],
	"min.u32": binaryOps["min.u32"],
	"max.u32": binaryOps["max.u32"],
}
