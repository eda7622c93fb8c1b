package ptxsim

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// module is a parsed text.
type module struct {
	funcs   map[string]*function
	shared  map[string]uint64 // offsets of the variables
	static  int               // bytes of shared memory before the dynamic part
	dynamic string            // name of the dynamic part
}

// function is an entry or a device function. Its operands are all registers: constants,
// parameters and special registers have registers of their own.
type function struct {
	name   string
	entry  bool
	module *module
	params []symbol
	result *symbol

	regs      int // how many
	constants []constant
	specials  []special
	code      []instr
	labels    map[string]int
	frames    sync.Pool // of *frame, for the next call
}

// symbol is a parameter: of an entry an offset among its arguments, of a function a
// register.
type symbol struct {
	name         string
	offset, size int
	reg          int
}

type constant struct {
	reg   int
	value uint64
}

type special struct {
	reg  int
	kind string
}

// instr is one decoded instruction.
type instr struct {
	line   int
	text   string
	pred   int // register of the guard, or -1
	negate bool
	run    func(w *warp, mask uint32)

	reads, writes []int
	jump          *jump
	call          *call
	end           end
	converge      int // where the lanes of a branch meet again, or -1
}

type jump struct {
	label  string
	target int
}

type call struct {
	name   string
	callee *function
	args   []int
	result int
}

// end says that an instruction ends something.
type end int

const (
	goesOn end = iota
	returns
	exits
	waits // at a barrier
)

// SyntaxError reports text that is no PTX, or PTX that the interpreter does not know.
type SyntaxError struct {
	Line int
	Text string
	Msg  string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("ptxsim: line %d: %s: %s", e.Line, e.Msg, e.Text)
}

// statement is a piece of text up to a semicolon, a brace or a label.
type statement struct {
	line int
	text string
}

// split cuts a text into statements; braces and labels stand alone. Parameter lists keep
// their line breaks as blanks.
func split(text string) []statement {
	c := cutter{line: 1}
	for i := 0; i < len(text); i++ {
		i = c.take(text, i)
	}
	c.flush()
	return c.out
}

// cutter is a text on its way to statements.
type cutter struct {
	out         []statement
	b           []byte
	line, start int
	depth       int  // of brackets
	first       byte // of the statement, 0 before it
}

func (c *cutter) flush() {
	if s := strings.Join(strings.Fields(string(c.b)), " "); s != "" {
		c.out = append(c.out, statement{c.start, s})
	}
	c.b, c.first = c.b[:0], 0
}

func (c *cutter) put(text string) {
	for i := 0; i < len(text) && c.first == 0; i++ {
		if ch := text[i]; ch != ' ' && ch != '\t' {
			c.first, c.start = ch, c.line
		}
	}
	c.b = append(c.b, text...)
}

// take takes what begins at i, and returns where that ends.
func (c *cutter) take(text string, i int) int {
	switch ch := text[i]; {
	case ch == '/' && strings.HasPrefix(text[i:], "//"):
		if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
			return i + end - 1
		}
		return len(text)
	case ch == '\n':
		if c.first == '.' && c.depth == 0 && directive.Match(bytes.TrimSpace(c.b)) {
			c.flush()
		}
		c.put(" ")
		c.line++
	case ch == '{' && vector.MatchString(text[i:]):
		end := i + strings.IndexByte(text[i:], '}')
		if end < i {
			end = len(text) - 1
		}
		c.put(text[i : end+1])
		return end
	case ch == '{' || ch == '}':
		c.flush()
		c.out = append(c.out, statement{c.line, text[i : i+1]})
	case ch == ';':
		c.flush()
	case ch == ':' && c.first == '$':
		c.put(":")
		c.flush()
	default:
		if ch == '(' || ch == '[' {
			c.depth++
		} else if ch == ')' || ch == ']' {
			c.depth--
		}
		c.put(text[i : i+1])
	}
	return i
}

var (
	// directive is a line that no semicolon ends.
	directive = regexp.MustCompile(`^\.(version|target|address_size|maxntid|minnctapersm)\b`)
	vector    = regexp.MustCompile(`^\{\s*(%\w+|tmp)\s*,`)
)

// parse reads a module.
func parse(text string) (m *module, err error) {
	p := &parser{statements: split(text), m: &module{funcs: map[string]*function{}, shared: map[string]uint64{}}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*SyntaxError)
			if !ok {
				s := p.last()
				e = &SyntaxError{s.line, s.text, fmt.Sprint("malformed: ", r)}
			}
			m, err = nil, e
		}
	}()
	p.module()
	return p.m, nil
}

type parser struct {
	statements []statement
	at         int
	m          *module
	f          *function
	scopes     []map[string]int // registers and parameters by name, innermost last
}

func (p *parser) last() statement {
	if p.at == 0 || p.at > len(p.statements) {
		return statement{}
	}
	return p.statements[p.at-1]
}

func (p *parser) next() (statement, bool) {
	if p.at >= len(p.statements) {
		return statement{}, false
	}
	p.at++
	return p.statements[p.at-1], true
}

func (p *parser) fail(format string, args ...any) {
	s := p.last()
	panic(&SyntaxError{s.line, s.text, fmt.Sprintf(format, args...)})
}

// module reads all statements: the shared variables first, for those of functions lie
// before the dynamic part as well.
func (p *parser) module() {
	for {
		s, ok := p.next()
		if !ok {
			break
		}
		if strings.Contains(s.text, ".shared .align") {
			p.shared(s.text)
		}
	}
	p.at = 0
	for {
		s, ok := p.next()
		if !ok {
			break
		}
		words := strings.Fields(s.text)
		switch {
		case directive.MatchString(s.text):
		case strings.Contains(s.text, ".shared .align"):
		case strings.Contains(s.text, ".entry ") || strings.Contains(s.text, ".func "):
			p.function(s.text)
		default:
			p.fail("unknown directive %s", words[0])
		}
	}
	for _, f := range p.m.funcs {
		p.resolve(f)
	}
}

var variable = regexp.MustCompile(`^(\.extern |\.weak |\.visible )?\.shared \.align (\d+) \.([buf]\d+) ([\w$]+)(\[(\d*)\])?$`)

func (p *parser) shared(text string) {
	v := variable.FindStringSubmatch(text)
	if v == nil {
		p.fail("unknown form of a shared variable")
	}
	align, size := atoi(v[2]), int(width(v[3]))
	if v[1] == ".extern " {
		p.m.dynamic = v[4]
		return
	}
	if v[5] != "" {
		size *= atoi(v[6])
	}
	p.m.static = roundUp(p.m.static, align)
	p.m.shared[v[4]] = uint64(p.m.static)
	p.m.static += size
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<20 {
		panic("number " + s)
	}
	return n
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// width is the bytes of a type such as u32 or b64.
func width(t string) uint64 { return uint64(atoi(t[1:])) / 8 }

var (
	header = regexp.MustCompile(`^(?:\.visible |\.weak |\.extern )?\.(entry|func) (?:\(\.param \.[a-z](\d+) ([\w$]+)\) )?([\w$]+) ?\((.*?)\)(?: \.noreturn)?(?: \.maxntid [\d, ]+)?(?: \.minnctapersm \d+)?$`)
	param  = regexp.MustCompile(`^\.param (?:\.align \d+ )?\.[a-z](\d+) ([\w$]+)(?:\[(\d+)\])?$`)
)

// function reads a header and, unless it is a prototype, the body.
func (p *parser) function(text string) {
	for p.at < len(p.statements) && directive.MatchString(p.statements[p.at].text) {
		p.at++
	}
	h := header.FindStringSubmatch(text)
	if h == nil {
		p.fail("unknown form of a function")
	}
	if p.at >= len(p.statements) || p.statements[p.at].text != "{" {
		return // a prototype
	}
	f := &function{name: h[4], entry: h[1] == "entry", module: p.m, labels: map[string]int{}}
	p.f, p.scopes = f, []map[string]int{{}}
	if h[3] != "" {
		f.result = &symbol{name: h[3], reg: p.register(h[3])}
	}
	offset := 0
	for _, s := range strings.Split(h[5], ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		f.params = append(f.params, p.parameter(s, &offset))
	}
	p.m.funcs[f.name] = f
	p.at++
	p.body()
}

func (p *parser) parameter(text string, offset *int) symbol {
	v := param.FindStringSubmatch(text)
	if v == nil {
		p.fail("unknown form of a parameter")
	}
	size := atoi(v[1]) / 8
	if v[3] != "" {
		if !p.f.entry {
			p.fail("a function's parameter is an array")
		}
		size *= atoi(v[3])
	}
	*offset = roundUp(*offset, min(size, 8))
	s := symbol{name: v[2], offset: *offset, size: size, reg: -1}
	if !p.f.entry {
		s.reg = p.register(v[2])
	}
	*offset += size
	return s
}

// register declares a register of the innermost scope.
func (p *parser) register(name string) int {
	n := p.anonymous()
	p.scopes[len(p.scopes)-1][name] = n
	return n
}

// maxRegisters bounds the registers of a function, far above what compilers use.
const maxRegisters = 1 << 16

// anonymous makes a register without a name.
func (p *parser) anonymous() int {
	if p.f.regs == maxRegisters {
		p.fail("too many registers")
	}
	p.f.regs++
	return p.f.regs - 1
}

func (p *parser) body() {
	depth := 1
	for depth > 0 {
		s, ok := p.next()
		if !ok {
			p.fail("the function does not end")
		}
		switch {
		case s.text == "{":
			depth++
			p.scopes = append(p.scopes, map[string]int{})
		case s.text == "}":
			depth--
			p.scopes = p.scopes[:len(p.scopes)-1]
		case strings.HasPrefix(s.text, ".reg "):
			p.declare(strings.TrimPrefix(s.text, ".reg "))
		case strings.HasPrefix(s.text, ".param "):
			words := strings.Fields(s.text)
			if len(words) != 3 || strings.Contains(words[2], "[") {
				p.fail("unknown form of a parameter")
			}
			p.register(words[2])
		case strings.HasSuffix(s.text, ":"):
			p.f.labels[strings.TrimSuffix(s.text, ":")] = len(p.f.code)
		case s.text == `.pragma "nounroll"` || strings.HasPrefix(s.text, ".shared .align"):
		case strings.HasPrefix(s.text, "."):
			p.fail("unknown directive")
		default:
			p.instruction(s)
		}
	}
}

var registers = regexp.MustCompile(`^\.(\w+) ([%\w]+?)(?:<(\d+)>)?$`)

// declare reads ".b32 %r<6>".
func (p *parser) declare(text string) {
	v := registers.FindStringSubmatch(text)
	if v == nil {
		p.fail("unknown form of a register")
	}
	if v[3] == "" {
		p.register(v[2])
		return
	}
	for i := range atoi(v[3]) {
		p.register(v[2] + strconv.Itoa(i))
	}
}

// find looks a register up by name, innermost scope first.
func (p *parser) find(name string) (int, bool) {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if r, ok := p.scopes[i][name]; ok {
			return r, true
		}
	}
	return 0, false
}

// operand is a register, a special one, or a constant of a type.
func (p *parser) operand(text, typ string) int {
	if r, ok := p.find(text); ok {
		return r
	}
	if strings.HasPrefix(text, "%") {
		switch text {
		case "%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x", "%laneid":
		default:
			p.fail("unknown register %s", text)
		}
		for _, s := range p.f.specials {
			if s.kind == text {
				return s.reg
			}
		}
		r := p.anonymous()
		p.f.specials = append(p.f.specials, special{r, text})
		return r
	}
	return p.constant(p.literal(text, typ))
}

func (p *parser) constant(v uint64) int {
	for _, c := range p.f.constants {
		if c.value == v {
			return c.reg
		}
	}
	r := p.anonymous()
	p.f.constants = append(p.f.constants, constant{r, v})
	return r
}

// literal reads a number, or the address of a variable or of an entry's parameter.
func (p *parser) literal(text, typ string) uint64 {
	switch {
	case strings.HasPrefix(text, "0f") || strings.HasPrefix(text, "0d"):
		v, err := strconv.ParseUint(text[2:], 16, 64)
		if err != nil {
			p.fail("bad number %s", text)
		}
		return v
	case text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9'):
		v, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			u, err := strconv.ParseUint(text, 0, 64)
			if err != nil {
				p.fail("bad number %s", text)
			}
			return u
		}
		return truncate(uint64(v), typ)
	}
	if at, ok := p.m.shared[text]; ok {
		return at
	}
	if text == p.m.dynamic && text != "" {
		return uint64(dynamicBase(p.m))
	}
	for _, s := range p.f.params {
		if p.f.entry && s.name == text {
			return uint64(s.offset)
		}
	}
	p.fail("unknown name %s", text)
	return 0
}

// dynamicBase is where the dynamic part of shared memory starts.
func dynamicBase(m *module) int { return roundUp(m.static, 16) }

// truncate keeps the bits of a type.
func truncate(v uint64, typ string) uint64 {
	switch typ {
	case "pred":
		return v & 1
	case "b8", "u8", "s8":
		return v & 0xff
	case "b16", "u16", "s16", "f16":
		return v & 0xffff
	case "b32", "u32", "s32", "f32":
		return v & 0xffffffff
	}
	return v
}

// resolve gives branches and calls their targets.
func (p *parser) resolve(f *function) {
	for i := range f.code {
		in := &f.code[i]
		if j := in.jump; j != nil {
			target, ok := f.labels[j.label]
			if !ok {
				panic(&SyntaxError{in.line, in.text, "no such label"})
			}
			j.target = target
		}
		if c := in.call; c != nil {
			c.callee = p.m.funcs[c.name]
			if c.callee == nil || c.callee.entry || len(c.callee.params) != len(c.args) || (c.callee.result != nil) != (c.result >= 0) {
				panic(&SyntaxError{in.line, in.text, "no such function"})
			}
		}
	}
	converge(f)
}
