package kernels

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// SyntaxError reports a loss expression that cannot be read. It matches
// [ErrOption].
type SyntaxError struct {
	Expr    string
	Col     int      // 1-based column, in bytes
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
//	term   = [ sign ] [ number "*" ] name [ "(" [ option { "," option } ] ")" ]
//	option = name "=" ( number | list | word )
//	list   = "[" number { "," number } "]"
type parser struct {
	expr   string
	pos    int
	custom []Region
	terms  []term
	err    *SyntaxError
}

func (p *parser) fail(col int, nearest string, allowed []string, format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Expr: p.expr, Col: col + 1, Msg: fmt.Sprintf(format, args...), Allowed: allowed, Nearest: nearest}
	}
}

func (p *parser) parse() {
	sign := 1.0
	for p.err == nil {
		p.term(sign)
		switch col, c := p.next(); {
		case p.err != nil || c == 0:
			return
		case c == '+':
			sign = 1
		case c == '-':
			sign = -1
		default:
			p.pos = col
			p.fail(col, "", []string{"+", "-", "the end"}, "unexpected %s after a term", p.found())
		}
	}
}

// next skips spaces and takes one byte, 0 at the end.
func (p *parser) next() (col int, c byte) {
	c = p.peek()
	col = p.pos
	if c != 0 {
		p.pos++
	}
	return col, c
}

func (p *parser) peek() byte {
	for p.pos < len(p.expr) && strings.IndexByte(" \t\r\n", p.expr[p.pos]) >= 0 {
		p.pos++
	}
	if p.pos == len(p.expr) {
		return 0
	}
	return p.expr[p.pos]
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
	if col := p.pos; !p.accept(c) {
		p.fail(max(col, p.pos), "", allowed, "expected %q, found %s", c, p.found())
	}
}

// found names what stands at the position, for messages.
func (p *parser) found() string {
	if p.peek() == 0 {
		return "the end"
	}
	return strconv.QuoteRune([]rune(p.expr[p.pos:])[0])
}

func (p *parser) term(sign float64) {
	coef := sign
	if p.accept('-') {
		coef = -coef
	} else {
		p.accept('+')
	}
	if startsNumber(p.peek()) {
		coef *= p.number()
		p.expect('*', "*")
	}
	col := p.peekPos()
	name := p.word()
	if p.err != nil {
		return
	}
	if name == "" {
		p.fail(col, "", p.names(), "expected the name of a loss, found %s", p.found())
		return
	}
	l, region := p.lookup(name)
	if l == nil {
		p.fail(col, nearest(name, p.names()), p.names(), "unknown loss %q", name)
		return
	}
	given := p.options(l)
	if p.err != nil {
		return
	}
	terms := expand(l, region, coef, given)
	if msg := fault(terms); msg != "" {
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
		p.fail(col, nearest(name, l.OptionNames()), l.OptionNames(), "%s has no option %q", l.Name, name)
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
	case err != nil:
		p.fail(start, "", []string{"a number"}, "%q is not a number", text)
	}
	return v
}

// word reads a name, or "" where none stands.
func (p *parser) word() string {
	start := p.peekPos()
	for p.pos < len(p.expr) && isNameByte(p.expr[p.pos], p.pos > start) {
		p.pos++
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

// nearest returns the name at the least edit distance, if it is near at all.
func nearest(s string, names []string) string {
	best, at := "", 1+max(2, len(s)/2)
	for _, n := range names {
		if d := editDistance(strings.ToLower(s), n); d < at {
			best, at = n, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
