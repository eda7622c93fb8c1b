package gradcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segloss/segloss/kernels"
)

// lines decodes a report's lines, and asks that their order is right.
func lines(t *testing.T, r Report) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for i, text := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in line %d: %s", err, i+1, text)
		}
		all = append(all, l)
	}
	if want := len(r.Rows) + 2; len(all) != want {
		t.Fatalf("%d lines, want %d", len(all), want)
	}
	for i, l := range all {
		want := "row"
		switch i {
		case 0:
			want = "header"
		case len(all) - 1:
			want = "total"
		}
		if l["line"] != want {
			t.Errorf("line %d is %v, want %v", i+1, l["line"], want)
		}
	}
	return all
}

// wantMembers fails the test where a line has other values.
func wantMembers(t *testing.T, line map[string]any, want map[string]any) {
	t.Helper()
	for name, v := range want {
		if line[name] != v {
			t.Errorf("%s: %v (%T), want %v", name, line[name], line[name], v)
		}
	}
}

func TestReportJSON(t *testing.T) {
	r := Report{Seed: 7, Partial: true, Elapsed: 1500 * time.Millisecond, Stale: []string{"gone"}, Rows: []Row{
		{Group: "dice", Loss: "dice<2>", Backend: "generic", DType: "f64", Checks: 4, Floored: 1, Power: 1e-7, Verdict: Fail, Reason: "wrong", Command: "gradcheck check",
			Worst: Element{What: "element", N: 1, C: 2, S: 3, X: 0.1, R: 1, Analytic: math.NaN(), Numeric: -2.5, Err: math.Inf(1), Tol: 5e-324}},
		{Loss: "ce", Backend: "generic", Verdict: Inconclusive, Listed: true, Checks: 3, Power: math.Inf(1)},
	}}
	got := lines(t, r)
	wantMembers(t, got[0], map[string]any{"schema": "segloss.gradcheck/1", "seed": 7.0})
	if b := got[0]["backends"].([]any); len(b) != 1 || b[0] != "generic" || !strings.HasPrefix(got[0]["go"].(string), "go") {
		t.Errorf("header %v", got[0])
	}
	wantMembers(t, got[1], map[string]any{"group": "dice", "loss": "dice<2>", "dtype": "f64", "checks": 4.0, "floored": 1.0, "power": 1e-7,
		"verdict": "FAIL", "reason": "wrong", "command": "gradcheck check", "listed": nil})
	worst := got[1]["worst"].(map[string]any)
	wantMembers(t, worst, map[string]any{"what": "element", "n": 1.0, "c": 2.0, "s": 3.0, "x": 0.1, "r": 1.0, "r_hex": "0x1p+00",
		"analytic": "NaN", "analytic_hex": "NaN", "numeric": -2.5, "numeric_hex": "-0x1.4p+01", "err": "+Inf", "err_hex": "+Inf", "tol": 5e-324, "tol_hex": "0x1p-1074"})
	if x, err := strconv.ParseFloat(worst["x_hex"].(string), 64); err != nil || x != 0.1 {
		t.Errorf("x_hex %v is %v, %v", worst["x_hex"], x, err)
	}
	wantMembers(t, got[2], map[string]any{"listed": true, "power": "+Inf", "worst": nil, "command": nil, "verdict": "INCONCLUSIVE"})
	wantMembers(t, got[3], map[string]any{"verdict": "FAIL", "partial": true, "rows": 2.0, "checks": 7.0, "floored": 1.0,
		"passed": 0.0, "failed": 1.0, "inconclusive": 1.0, "listed": 1.0, "seconds": 1.5})
}

// TestJSONCancelled asks for whole lines from a run that was interrupted.
func TestJSONCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := All(ctx, Options{Level: Short, Activations: []kernels.Activation{kernels.None}, DTypes: []DType{Float64}, Progress: func(done, _ int, _ string) {
		if done > 200 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(r.Rows) == 0 {
		t.Fatalf("%d rows, %v", len(r.Rows), err)
	}
	got := lines(t, r)
	wantMembers(t, got[len(got)-1], map[string]any{"partial": true, "rows": float64(len(r.Rows))})
}

// full is a writer that takes so many bytes.
type full int

func (f *full) Write(b []byte) (int, error) {
	if *f -= full(len(b)); *f < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestJSONWriteError(t *testing.T) {
	r := Report{Rows: make([]Row, 100)}
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < b.Len(); room += 997 {
		if f := full(room); r.JSON(&f) == nil {
			t.Fatalf("no error for room of %d of %d bytes", room, b.Len())
		}
	}
}
