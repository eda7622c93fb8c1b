package kernels

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// SyntaxError reports a loss expression that cannot be read. It matches
// [ErrOption].
type SyntaxError struct {
	Expr    string
	Col     int      // 1-based column, in characters; a byte that is not UTF-8 counts as one
	Msg     string   // what is wrong
	Allowed []string // what could stand there
	Nearest string   // the allowed name nearest to the one found, or ""
}

func (e *SyntaxError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "segloss: loss %q, column %d: %s", e.Expr, e.Col, e.Msg)
	if e.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Nearest)
	}
	if len(e.Allowed) > 0 {
		fmt.Fprintf(&b, " (allowed: %s)", strings.Join(e.Allowed, ", "))
	}
	return b.String()
}

func (e *SyntaxError) Unwrap() error { return ErrOption }

// parser reads
//
//	sum    = term { ("+" | "-") term }
//	term   = [ sign ] [ number "*" ] ( loss | "(" sum ")" )
//	loss   = name [ "(" [ option { "," option } ] ")" ]
//	option = name "=" ( number | list | word )
//	list   = "[" number { "," number } "]"
type parser struct {
	expr   string
	pos    int
	custom []Region
	terms  []term
	err    *SyntaxError
}

// maxDepth bounds the parentheses that may be open at a time.
const maxDepth = 100

func (p *parser) fail(col int, nearest string, allowed []string, format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Expr: p.expr, Col: p.column(col), Msg: fmt.Sprintf(format, args...), Allowed: allowed, Nearest: nearest}
	}
}

// column counts the characters up to a byte.
func (p *parser) column(at int) int { return utf8.RuneCountInString(p.expr[:at]) + 1 }

// sum reads terms, each times coef: the whole expression at a depth of 0, else up to
// the ")" of the "(" at open.
func (p *parser) sum(coef float64, open, depth int) {
	sign, end := 1.0, "the end"
	if depth > 0 {
		end = ")"
	}
	for p.err == nil {
		p.term(sign*coef, depth)
		switch {
		case p.err != nil, depth == 0 && p.atEnd(), depth > 0 && p.accept(')'):
			return
		case p.accept('+'):
			sign = 1
		case p.accept('-'):
			sign = -1
		case p.atEnd():
			p.fail(p.pos, "", []string{"+", "-", end}, "the \"(\" in column %d is not closed", p.column(open))
		default:
			p.fail(p.pos, "", []string{"+", "-", end}, "unexpected %s after a term", p.found())
		}
	}
}

// peek skips spaces and looks at the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.atEnd() {
		return 0
	}
	return p.expr[p.pos]
}

func (p *parser) atEnd() bool {
	for p.pos < len(p.expr) && strings.IndexByte(" \t\r\n", p.expr[p.pos]) >= 0 {
		p.pos++
	}
	return p.pos == len(p.expr)
}

// accept takes c if it comes next.
func (p *parser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(c byte, allowed ...string) {
	if !p.accept(c) {
		p.fail(p.pos, "", allowed, "expected %q, found %s", c, p.found())
	}
}

// found names what stands at the position, for messages.
func (p *parser) found() string {
	if p.atEnd() {
		return "the end"
	}
	r, size := utf8.DecodeRuneInString(p.expr[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("a byte %#02x, which is not UTF-8", p.expr[p.pos])
	}
	return describe(r)
}

func (p *parser) term(coef float64, depth int) {
	if p.accept('-') {
		coef = -coef
	} else {
		p.accept('+')
	}
	if startsNumber(p.peek()) {
		col := p.pos
		number := p.number()
		p.expect('*', "*")
		if msg := badProduct(coef, number); msg != "" {
			p.fail(col, "", nil, "the coefficient %s", msg)
		}
		coef *= number
	}
	if p.err == nil && p.peek() == '(' {
		p.group(coef, depth+1)
		return
	}
	p.loss(coef)
}

// group reads a sum in parentheses.
func (p *parser) group(coef float64, depth int) {
	open := p.pos
	if depth > maxDepth {
		p.fail(open, "", nil, "more than %d parentheses are open", maxDepth)
		return
	}
	p.accept('(')
	p.sum(coef, open, depth)
}

// loss reads one of the list or of the caller's own.
func (p *parser) loss(coef float64) {
	col := p.peekPos()
	name := p.word()
	if p.err != nil {
		return
	}
	if name == "" {
		p.fail(col, "", append(p.names(), "("), "expected the name of a loss or '(', found %s", p.found())
		return
	}
	l, region := p.lookup(name)
	if l == nil {
		p.fail(col, nearest(name, p.names()), p.names(), "unknown loss %q%s", name, foreign(name))
		return
	}
	given := p.options(l)
	if p.err != nil {
		return
	}
	terms, msg := expand(l, region, coef, given)
	if msg != "" {
		p.fail(col, "", nil, "%s: %s", name, msg)
	}
	p.terms = append(p.terms, terms...)
}

func (p *parser) peekPos() int {
	p.peek()
	return p.pos
}

func (p *parser) names() []string {
	names := losses.Names()
	for _, r := range p.custom {
		names = append(names, r.Name())
	}
	return names
}

func (p *parser) lookup(name string) (*losses.Loss, Region) {
	for _, r := range p.custom {
		if r.Name() == name {
			return losses.Custom(name), r
		}
	}
	return losses.Find(name), nil
}

func (p *parser) options(l *losses.Loss) map[string]any {
	given := map[string]any{}
	if !p.accept('(') || p.accept(')') {
		return given
	}
	for p.err == nil {
		p.option(l, given)
		if p.err != nil || p.accept(')') {
			break
		}
		p.expect(',', ",", ")")
	}
	return given
}

func (p *parser) option(l *losses.Loss, given map[string]any) {
	col := p.peekPos()
	name := p.word()
	o := l.Option(name)
	switch {
	case name == "":
		p.fail(col, "", l.OptionNames(), "expected an option of %s, found %s", l.Name, p.found())
		return
	case o == nil:
		p.fail(col, nearest(name, l.OptionNames()), l.OptionNames(), "%s has no option %q%s", l.Name, name, foreign(name))
		return
	case given[name] != nil:
		p.fail(col, "", nil, "option %s is given twice", name)
		return
	}
	p.expect('=', "=")
	col = p.peekPos()
	v := p.value(o)
	if p.err != nil {
		return
	}
	if msg := o.Check(v); msg != "" {
		near := ""
		if s, ok := v.(string); ok {
			near = nearest(s, o.Choices)
		}
		p.fail(col, near, o.Allowed(), "%s: %s", name, msg)
		return
	}
	given[name] = v
}

// value reads a number, a list or a word; what it is allowed to be is checked
// by the option.
func (p *parser) value(o *losses.Option) any {
	col := p.peekPos()
	switch c := p.peek(); {
	case c == '[':
		return p.list(o)
	case c == '-' || c == '+' || startsNumber(c):
		return p.number()
	}
	switch w := p.word(); w {
	case "":
		p.fail(col, "", o.Allowed(), "expected a value of %s, found %s", o.Name, p.found())
		return nil
	case "true":
		return true
	case "false":
		return false
	default:
		return w
	}
}

func (p *parser) list(o *losses.Option) []float64 {
	p.accept('[')
	list := []float64{}
	for p.err == nil && !p.accept(']') {
		if len(list) > 0 {
			p.expect(',', ",", "]")
		}
		if c := p.peek(); p.err == nil && c != '-' && c != '+' && !startsNumber(c) {
			p.fail(p.pos, "", o.Allowed(), "expected a number in the list, found %s", p.found())
		}
		if p.err == nil {
			list = append(list, p.number())
		}
	}
	return list
}

func startsNumber(c byte) bool { return c == '.' || c >= '0' && c <= '9' }

// number reads a decimal number with an optional sign and exponent.
func (p *parser) number() float64 {
	start := p.peekPos()
	end := start
	for end < len(p.expr) {
		c := p.expr[end]
		afterE := end > start && (p.expr[end-1] == 'e' || p.expr[end-1] == 'E')
		if !startsNumber(c) && c != 'e' && c != 'E' && !((c == '-' || c == '+') && (end == start || afterE)) {
			break
		}
		end++
	}
	text := p.expr[start:end]
	p.pos = end
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsInf(v, 0):
		p.fail(start, "", []string{"a finite number"}, "%s is not finite", text)
	case err != nil && end < len(p.expr) && p.expr[end] >= utf8.RuneSelf:
		p.fail(start, "", []string{"a number"}, "%q is not a number, with %s after it", text, p.found())
	case err != nil:
		p.fail(start, "", []string{"a number"}, "%q is not a number", text)
	case v == 0 && !isZero(text):
		p.fail(start, "", []string{"0", "a number from 5e-324 on"}, "%s is too small for a float64, which would hold 0", text)
	}
	return v
}

// isZero reports whether a number is 0 as it is written.
func isZero(text string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return strings.Trim(mantissa, "+-.0") == ""
}

// word reads a name, or "" where none stands.
func (p *parser) word() string {
	start := p.peekPos()
	for p.pos < len(p.expr) {
		r, size := utf8.DecodeRuneInString(p.expr[p.pos:])
		if !isNameRune(r, p.pos > start) {
			break
		}
		p.pos += size
	}
	return p.expr[start:p.pos]
}

func isNameByte(c byte, inside bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || inside && c >= '0' && c <= '9'
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i], i > 0) {
			return false
		}
	}
	return s != ""
}
