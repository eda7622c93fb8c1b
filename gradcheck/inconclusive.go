package gradcheck

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed testdata/inconclusive.txt
var inconclusiveText string

// committed returns the committed list of rows that cannot be decided.
var committed = sync.OnceValues(func() (exceptionList, error) { return parseExceptions(inconclusiveText) })

// An exception is a row that is known to be inconclusive.
type exception struct {
	loss, activation, target, edge, dtype string
	kind                                  string // the first word of the reason
	why                                   string
}

func (e exception) String() string {
	return strings.Join([]string{e.loss, e.activation, e.target, e.edge, e.dtype, e.kind, e.why}, " | ")
}

type exceptionList []exception

// reasonKinds are the reasons for which a row may be on the list.
var reasonKinds = []string{"noise", "truncation", "domain", "divergent"}

// parseExceptions reads a list: fields between bars, one row a line, and lines
// of comment that begin with #.
func parseExceptions(text string) (exceptionList, error) {
	var list exceptionList
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "|")
		for k := range f {
			f[k] = strings.TrimSpace(f[k])
		}
		if len(f) != 7 || slices.Contains(f, "") {
			return nil, fmt.Errorf("gradcheck: line %d of the inconclusive rows has not 7 fields: %q", i+1, line)
		}
		if !slices.Contains(reasonKinds, f[5]) {
			return nil, fmt.Errorf("gradcheck: line %d of the inconclusive rows: %q is none of %q", i+1, f[5], reasonKinds)
		}
		list = append(list, exception{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	return list, nil
}

// mark sets Listed in the rows that are on the list.
func (list exceptionList) mark(rows []Row) {
	for i := range rows {
		rows[i].Listed = slices.ContainsFunc(list, func(e exception) bool { return e.matches(rows[i]) })
	}
}

// stale returns the lines that match none of the rows.
func (list exceptionList) stale(rows []Row) []string {
	var lines []string
	for _, e := range list {
		if !slices.ContainsFunc(rows, e.matches) {
			lines = append(lines, e.String())
		}
	}
	return lines
}

// matches reports whether the row is the inconclusive one that is meant.
func (e exception) matches(r Row) bool {
	return r.Verdict == Inconclusive && e.loss == r.Loss && e.activation == r.Activation && e.target == r.Target && e.edge == r.Edge &&
		e.dtype == r.DType && e.kind == r.reasonKind()
}

// whole reports whether the options, but for the level Usual, leave nothing out that the
// list could name. A backend may be missing, since the list names none.
func (o Options) whole() bool {
	return o.Activations == nil && o.DTypes == nil && o.Layouts == nil && o.Edges == nil && o.Targets == nil && o.Level != Short && o.Seed == 0
}
