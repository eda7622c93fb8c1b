package main

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// report is what -json writes.
type report struct {
	header, total map[string]any
	rows          []map[string]any
}

// readReport decodes the lines and fails the test where they are not whole.
func readReport(t *testing.T, text string) report {
	t.Helper()
	var r report
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		switch {
		case l["line"] == "header" && i == 0:
			r.header = l
		case l["line"] == "row" && r.total == nil:
			r.rows = append(r.rows, l)
		case l["line"] == "total" && r.total == nil:
			r.total = l
		default:
			t.Fatalf("line %d is out of place: %s", i+1, line)
		}
	}
	if r.header == nil || r.total == nil {
		t.Fatalf("no header or no total in\n%s", text)
	}
	return r
}

// words splits a command line as a shell does, with single quotes only.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

// again runs the command of a row, and returns the rows that it gives.
func again(t *testing.T, row map[string]any) []map[string]any {
	t.Helper()
	line, _ := row["command"].(string)
	args := words(line)
	if len(args) < 2 || args[0] != "gradcheck" {
		t.Fatalf("a command %q", line)
	}
	_, stdout, stderr := runCommand(append(args[1:], "-json")...)
	if stderr != "" {
		t.Fatalf("%s: %s", line, stderr)
	}
	return readReport(t, stdout).rows
}

// TestReproduce runs the commands of rows, which give the same rows to the bit:
// the first of every loss, and so on every backend and in every type and layout
// by turns.
func TestReproduce(t *testing.T) {
	code, stdout, stderr := runCommand("-json", "-edge", "single pixel", "-target", "uint8, weights", "-seed", "5")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	r := readReport(t, stdout)
	if r.header["seed"] != 5.0 || r.total["partial"] != false || r.total["verdict"] != "PASS" || r.total["rows"] != float64(len(r.rows)) {
		t.Errorf("header %v, total %v", r.header, r.total)
	}
	tried := map[any]bool{}
	for i, row := range r.rows {
		if row["edge"] != "single pixel" || row["target"] != "uint8, weights" {
			t.Fatalf("a row that was not asked for: %v", row)
		}
		if i%7 != 0 || tried[row["loss"]] {
			continue
		}
		tried[row["loss"]] = true
		if got := again(t, row); len(got) != 1 || !reflect.DeepEqual(got[0], row) {
			t.Errorf("got  %v\nwant %v", got, row)
		}
	}
	if len(tried) < 15 {
		t.Errorf("only %d losses were tried", len(tried))
	}
}

// TestReproduceTensors does the same for tensors of files.
func TestReproduceTensors(t *testing.T) {
	weights := writeTensor(t, "the weights.npy", "|b1", "(1, 3)", []uint8{1, 0, 1})
	args := append([]string{"check", "-json", "-loss", "2*dice + ce", "-weights", weights, "-ignore-index", "9", "-seed", "3"}, small(t)[2:]...)
	code, stdout, stderr := runCommand(args...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, row := range readReport(t, stdout).rows {
		found := false
		for _, other := range again(t, row) {
			found = found || reflect.DeepEqual(other, row)
		}
		if !found {
			t.Errorf("%s does not give %v", row["command"], row)
		}
	}
}

// TestJSONInterrupted: the lines are whole, and say that the run was not.
func TestJSONInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"-json"}, {"check", "-json", "-loss", "dice"}, append([]string{"check", "-json", "-loss", "dice"}, small(t)[2:]...)} {
		var stdout, stderr bytes.Buffer
		code := run(ctx, args, &stdout, &stderr)
		if code != exitInconclusive || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%q: exit code %d, stderr %q", args, code, &stderr)
		}
		if r := readReport(t, stdout.String()); r.total["partial"] != true || r.total["verdict"] == "PASS" {
			t.Errorf("%q: total %v", args, r.total)
		}
	}
}

func TestInputErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-edge", "sharp"}, `-edge "sharp": invalid option: want one of ordinary, binary`},
		{[]string{"check", "-loss", "dice", "-edge", "brain", "-edge", "sharp"}, `brain, "brain with lesion"`},
		{[]string{"-target", "soft"}, `-target "soft", without -pred: invalid option: want one of dense, "dense, weights"`},
		{[]string{"check", "-edge", "far apart", "-activation", "none"}, "no input is all of that"},
		{[]string{"check", "-loss", "dice", "-edge", "far apart", "-activation", "none"}, "no input is all of that"},
		{append([]string{"check", "-edge", "tiny"}, small(t)[2:]...), "-edge the tensors"},
		{[]string{"-seed", "x"}, "-seed"},
	} {
		code, stdout, stderr := runCommand(tt.args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want an error with %q", tt.args, code, stdout, stderr, tt.want)
		}
	}
}
