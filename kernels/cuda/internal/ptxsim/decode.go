package ptxsim

import (
	"slices"
	"strings"
)

// instruction decodes one statement. What is not known, down to the last modifier, is an
// error.
func (p *parser) instruction(s statement) {
	in := instr{line: s.line, text: s.text, pred: -1}
	text := s.text
	if strings.HasPrefix(text, "@") {
		guard, rest, _ := strings.Cut(text[1:], " ")
		in.negate = strings.HasPrefix(guard, "!")
		r, ok := p.find(strings.TrimPrefix(guard, "!"))
		if !ok {
			p.fail("unknown guard")
		}
		in.pred, text = r, rest
		in.reads = append(in.reads, r)
	}
	name, rest, _ := strings.Cut(text, " ")
	d := decoder{p, &in, strings.Split(name, "."), operands(rest)}
	if !d.control() && !d.memory() && !d.warp() && !d.convert() && !d.arithmetic() {
		p.fail("unknown instruction %s", name)
	}
	p.f.code = append(p.f.code, in)
}

// decoder is an instruction in pieces.
type decoder struct {
	p    *parser
	in   *instr
	name []string // the opcode and its modifiers
	args []string
}

// operands cuts a list at its commas, but not inside brackets.
func operands(text string) (args []string) {
	depth, start := 0, 0
	for i, c := range text {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args = append(args, strings.TrimSpace(text[start:i]))
				start = i + 1
			}
		}
	}
	if last := strings.TrimSpace(text[start:]); last != "" {
		args = append(args, last)
	}
	return args
}

// is reports whether the instruction has this name; the type is apart.
func (d *decoder) is(name string) bool { return strings.Join(d.name, ".") == name }

// typed returns the type where the instruction is name and one of types.
func (d *decoder) typed(name string, types ...string) (string, bool) {
	t := d.name[len(d.name)-1]
	return t, strings.Join(d.name[:len(d.name)-1], ".") == name && slices.Contains(types, t)
}

func (d *decoder) want(n int) {
	if len(d.args) != n {
		d.p.fail("%d operands; want %d", len(d.args), n)
	}
}

// read gives the register of an operand that is read.
func (d *decoder) read(i int, typ string) int {
	r := d.p.operand(d.args[i], typ)
	d.in.reads = append(d.in.reads, r)
	return r
}

// write gives the register of an operand that is written.
func (d *decoder) write(i int) int {
	r, ok := d.p.find(d.args[i])
	if !ok {
		d.p.fail("unknown register %s", d.args[i])
	}
	d.in.writes = append(d.in.writes, r)
	return r
}

// control decodes branches, calls and ends.
func (d *decoder) control() bool {
	switch {
	case d.is("bra") || d.is("bra.uni"):
		d.want(1)
		d.in.jump = &jump{label: d.args[0]}
	case d.is("ret"):
		d.in.end = returns
	case d.is("exit"):
		d.in.end = exits
	case d.is("call.uni"):
		d.call()
	case d.is("bar.sync"):
		d.want(1)
		if d.args[0] != "0" {
			d.p.fail("a barrier other than 0")
		}
		d.in.end = waits
	default:
		return false
	}
	return true
}

// call decodes "(result), name, (arguments)", where the first may be missing.
func (d *decoder) call() {
	c := &call{result: -1}
	args := d.args
	if strings.HasPrefix(args[0], "(") {
		r, ok := d.p.find(strings.Trim(args[0], "() "))
		if !ok {
			d.p.fail("unknown result")
		}
		c.result, args = r, args[1:]
		d.in.writes = append(d.in.writes, r)
	}
	c.name = args[0]
	if len(args) > 1 {
		for _, a := range operands(strings.Trim(args[1], "() ")) {
			r, ok := d.p.find(a)
			if !ok {
				d.p.fail("unknown argument %s", a)
			}
			c.args = append(c.args, r)
			d.in.reads = append(d.in.reads, r)
		}
	}
	d.in.call = c
}

// arithmetic decodes what computes on each lane alone.
func (d *decoder) arithmetic() bool {
	name := strings.Join(d.name, ".")
	if d.name[0] == "setp" {
		return d.compare()
	}
	if t, ok := d.typed("selp", "b16", "u16", "b32", "u32", "b64", "u64", "f32", "f64"); ok {
		d.want(4)
		// what is not chosen need not have been written, and a copy of what was not is none
		to, a, b, c := d.write(0), d.p.operand(d.args[1], t), d.p.operand(d.args[2], t), d.read(3, "pred")
		d.in.writes = nil
		d.in.run = func(w *warp, mask uint32) {
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				from := b
				if w.reg(c)[l] != 0 {
					from = a
				}
				w.reg(to)[l] = w.reg(from)[l]
				w.top.written[to] = w.top.written[to]&^(1<<l) | w.top.written[from]&(1<<l)
			}
		}
		return true
	}
	if d.name[0] == "mov" && len(d.name) == 2 && strings.HasPrefix(d.args[len(d.args)-1], "%") || d.name[0] == "mov" {
		return d.move()
	}
	typ := d.name[len(d.name)-1]
	if f, ok := unaryOps[name]; ok {
		d.want(2)
		to, a := d.write(0), d.read(1, typ)
		d.in.run = func(w *warp, mask uint32) {
			x, y := w.reg(a), w.reg(to)
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				y[l] = f(x[l])
			}
		}
		return true
	}
	if f, ok := approximateOps[name]; ok {
		d.want(2)
		to, a := d.write(0), d.read(1, typ)
		d.in.run = func(w *warp, mask uint32) {
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				w.reg(to)[l] = f(w.reg(a)[l], w.seed())
			}
		}
		return true
	}
	if f, ok := binaryOps[name]; ok {
		d.want(3)
		second := typ
		if d.name[0] == "shl" || d.name[0] == "shr" {
			second = "u32"
		}
		to, a, b := d.write(0), d.read(1, typ), d.read(2, second)
		divides := (d.name[0] == "div" || d.name[0] == "rem") && typ[0] != 'f'
		d.in.run = func(w *warp, mask uint32) {
			x, y, z := w.reg(a), w.reg(b), w.reg(to)
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				if divides && truncate(y[l], typ) == 0 {
					w.fail(l, "division by 0")
				}
				z[l] = f(x[l], y[l])
			}
		}
		return true
	}
	if f, ok := ternaryOps[name]; ok {
		d.want(4)
		to, a, b, c := d.write(0), d.read(1, typ), d.read(2, typ), d.read(3, typ)
		d.in.run = func(w *warp, mask uint32) {
			x, y, z, r := w.reg(a), w.reg(b), w.reg(c), w.reg(to)
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				r[l] = f(x[l], y[l], z[l])
			}
		}
		return true
	}
	return false
}

// move decodes mov, also from and to the halves of a register.
func (d *decoder) move() bool {
	if len(d.name) != 2 || len(d.args) != 2 {
		return false
	}
	typ := d.name[1]
	bits := uint(width(strings.Replace(typ, "pred", "b8", 1))) * 8
	if strings.HasPrefix(d.args[0], "{") {
		lo, hi := d.pair(d.args[0], true)
		a := d.read(1, typ)
		d.in.run = func(w *warp, mask uint32) {
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				v := w.reg(a)[l]
				w.reg(lo)[l], w.reg(hi)[l] = v&(1<<(bits/2)-1), v>>(bits/2)
			}
		}
		return true
	}
	if strings.HasPrefix(d.args[1], "{") {
		lo, hi := d.pair(d.args[1], false)
		to := d.write(0)
		d.in.run = func(w *warp, mask uint32) {
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				w.reg(to)[l] = w.reg(lo)[l] | w.reg(hi)[l]<<(bits/2)
			}
		}
		return true
	}
	// A copy of what nothing has written is what nothing has written: compilers make such
	// copies where the value is not used.
	to, a := d.write(0), d.p.operand(d.args[1], typ)
	d.in.writes = nil
	d.in.run = func(w *warp, mask uint32) {
		x, y := w.reg(a), w.reg(to)
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			y[l] = x[l]
		}
		w.top.written[to] = w.top.written[to]&^mask | w.top.written[a]&mask
	}
	return true
}

// pair reads "{lo, hi}".
func (d *decoder) pair(text string, written bool) (lo, hi int) {
	parts := operands(strings.Trim(text, "{} "))
	if len(parts) != 2 {
		d.p.fail("a vector of %d", len(parts))
	}
	var r [2]int
	for i, name := range parts {
		reg, ok := d.p.find(name)
		if !ok {
			d.p.fail("unknown register %s", name)
		}
		r[i] = reg
	}
	if written {
		d.in.writes = append(d.in.writes, r[:]...)
	} else {
		d.in.reads = append(d.in.reads, r[:]...)
	}
	return r[0], r[1]
}

// compare decodes setp.
func (d *decoder) compare() bool {
	if len(d.name) != 3 {
		return false
	}
	f := comparison(d.name[1], d.name[2])
	if f == nil {
		return false
	}
	d.want(3)
	to, a, b := d.write(0), d.read(1, d.name[2]), d.read(2, d.name[2])
	d.in.run = func(w *warp, mask uint32) {
		x, y, z := w.reg(a), w.reg(b), w.reg(to)
		for m := mask; m != 0; m &= m - 1 {
			l := lane(m)
			z[l] = 0
			if f(x[l], y[l]) {
				z[l] = 1
			}
		}
	}
	return true
}

// warp decodes what lanes do together.
func (d *decoder) warp() bool {
	switch {
	case d.is("shfl.sync.bfly.b32"):
		d.want(5)
		to, a, x, c, member := d.write(0), d.read(1, "b32"), d.read(2, "b32"), d.read(3, "b32"), d.read(4, "b32")
		d.in.run = func(w *warp, mask uint32) {
			w.together(mask, member)
			if w.reg(c)[lane(mask)] != 31 {
				w.fail(lane(mask), "a shuffle in parts of a warp")
			}
			from := *w.reg(a)
			for m := mask; m != 0; m &= m - 1 {
				l := lane(m)
				other := l ^ int(w.reg(x)[l]&31)
				if mask>>other&1 == 0 {
					w.fail(l, "a shuffle from a lane that does not take part")
				}
				w.reg(to)[l] = from[other]
			}
		}
	case d.is("vote.sync.any.pred"):
		d.want(3)
		to, a, member := d.write(0), d.read(1, "pred"), d.read(2, "b32")
		d.in.run = func(w *warp, mask uint32) {
			w.together(mask, member)
			any := uint64(0)
			for m := mask; m != 0; m &= m - 1 {
				any |= w.reg(a)[lane(m)]
			}
			for m := mask; m != 0; m &= m - 1 {
				w.reg(to)[lane(m)] = any
			}
		}
	default:
		return false
	}
	return true
}
