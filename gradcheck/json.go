package gradcheck

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"runtime"
	"strconv"
)

// Schema names the form of the lines that [Report.JSON] writes. The number goes
// up when a reader would have to change.
const Schema = "segloss.gradcheck/1"

// JSON writes the report as lines of JSON, each an object whose member "line"
// says what it is: first one "header" with the schema, the seed and what ran
// where, then a "row" for every row, a "selftest" where there was one, and last
// the "total" with the verdict. It is whole where the run was interrupted too;
// the total then says so.
//
// Numbers that are compared come twice: readable, with a string for what is
// not finite, and exact, as a hexadecimal float in a string, under the same name
// with _hex.
func (r Report) JSON(w io.Writer) error {
	b := bufio.NewWriter(w) // which keeps the first error
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := e.Encode(r.header())
	for i := 0; i < len(r.Rows) && err == nil; i++ {
		err = e.Encode(jsonRow(r.Rows[i]))
	}
	if r.SelfTest != nil && err == nil {
		err = e.Encode(jsonSelfTest{"selftest", r.SelfTest.Verdict(), r.SelfTest})
	}
	if err == nil {
		err = e.Encode(r.totals())
	}
	return cmp.Or(err, b.Flush())
}

// A jsonHeader is the first line.
type jsonHeader struct {
	Line     string   `json:"line"`
	Schema   string   `json:"schema"`
	Seed     uint64   `json:"seed"`
	Go       string   `json:"go"`
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	Backends []string `json:"backends"` // of the rows
}

func (r Report) header() jsonHeader {
	h := jsonHeader{Line: "header", Schema: Schema, Seed: r.Seed, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Backends: []string{}}
	seen := map[string]bool{"": true}
	for i := range r.Rows {
		if name := r.Rows[i].Backend; !seen[name] {
			seen[name] = true
			h.Backends = append(h.Backends, name)
		}
	}
	return h
}

// A jsonSelfTest is the line of the self-test.
type jsonSelfTest struct {
	Line    string  `json:"line"`
	Verdict Verdict `json:"verdict"`
	*SelfTest
}

// A jsonTotal is the last line.
type jsonTotal struct {
	Line         string   `json:"line"`
	Verdict      Verdict  `json:"verdict"`
	Partial      bool     `json:"partial"`
	Rows         int      `json:"rows"`
	Checks       int      `json:"checks"`
	Floored      int      `json:"floored"`
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Inconclusive int      `json:"inconclusive"`
	Listed       int      `json:"listed"`
	Thinned      *Thinned `json:"thinned,omitempty"`
	Stale        []string `json:"stale,omitempty"`
	Seconds      float64  `json:"seconds"`
}

func (r Report) totals() jsonTotal {
	t := jsonTotal{
		Line: "total", Verdict: r.Verdict(), Partial: r.Partial, Rows: len(r.Rows),
		Passed: r.Count(Pass), Failed: r.Count(Fail), Inconclusive: r.Count(Inconclusive), Listed: r.listed(),
		Thinned: r.Thinned, Stale: r.Stale, Seconds: r.Elapsed.Seconds(),
	}
	for i := range r.Rows {
		t.Checks += r.Rows[i].Checks
		t.Floored += r.Rows[i].Floored
	}
	return t
}

// jsonRow is a row as a line has it.
type jsonRow Row

// MarshalJSON adds the numbers.
func (r jsonRow) MarshalJSON() ([]byte, error) {
	type plain jsonRow
	var worst *jsonElement
	if r.Worst.What != "" {
		e := jsonElement(r.Worst)
		worst = &e
	}
	return json.Marshal(struct {
		Line string `json:"line"`
		plain
		Power    number       `json:"power"`
		PowerHex hexNumber    `json:"power_hex"`
		Worst    *jsonElement `json:"worst,omitempty"`
		Command  string       `json:"command,omitempty"` // last, where it is easily seen
	}{"row", plain(r), number(r.Power), hexNumber(r.Power), worst, r.Command})
}

// jsonElement is an element as a line has it.
type jsonElement Element

// MarshalJSON adds the numbers.
func (e jsonElement) MarshalJSON() ([]byte, error) {
	type plain jsonElement
	return json.Marshal(struct {
		plain
		X           number    `json:"x"`
		XHex        hexNumber `json:"x_hex"`
		R           number    `json:"r"`
		RHex        hexNumber `json:"r_hex"`
		Analytic    number    `json:"analytic"`
		AnalyticHex hexNumber `json:"analytic_hex"`
		Numeric     number    `json:"numeric"`
		NumericHex  hexNumber `json:"numeric_hex"`
		Err         number    `json:"err"`
		ErrHex      hexNumber `json:"err_hex"`
		Tol         number    `json:"tol"`
		TolHex      hexNumber `json:"tol_hex"`
	}{
		plain(e), number(e.X), hexNumber(e.X), number(e.R), hexNumber(e.R), number(e.Analytic), hexNumber(e.Analytic),
		number(e.Numeric), hexNumber(e.Numeric), number(e.Err), hexNumber(e.Err), number(e.Tol), hexNumber(e.Tol),
	})
}

// A number is written in decimal, or as a string where JSON has no number for it.
type number float64

func (v number) MarshalJSON() ([]byte, error) {
	if finite(float64(v)) {
		return json.Marshal(float64(v))
	}
	return json.Marshal(strconv.FormatFloat(float64(v), 'g', -1, 64))
}

// A hexNumber is written as a string that strconv.ParseFloat reads exactly.
type hexNumber float64

func (v hexNumber) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatFloat(float64(v), 'x', -1, 64))
}
