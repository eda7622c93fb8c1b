package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segloss/segloss/bench/plain"
	"github.com/segloss/segloss/kernels"
)

// Every loss of the list has a row, and a plain loop beside it.
func TestEntries(t *testing.T) {
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range entries(o) {
		found[e.loss] = true
		if plain.Find(e.loss, e.by) == nil {
			t.Errorf("no plain loop for %s, %s", e.loss, e.by)
		}
	}
	for _, info := range kernels.Losses() {
		if !found[info.Name] {
			t.Errorf("%s is not measured", info.Name)
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-loss", "gdl,ce", "-activation", "softmax", "-c", "3"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(o); len(got) != 2 || o.classes != 3 {
		t.Errorf("%v with %d classes", got, o.classes)
	}
	for _, bad := range [][]string{{"-loss", "mse"}, {"-c", "1"}, {"-rounds", "0"}, {"-run", "0"}, {"-type", "f16"}, {"x"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestVerdict(t *testing.T) {
	rows := []row{
		{Loss: "dice", Activation: "none", Backend: "avx2", Type: "f32", Portable: 6, Plain: 3},
		{Loss: "bce", Activation: "sigmoid", Backend: "avx2", Type: "f32", Portable: 4, Plain: 31},
		{Loss: "bce", Activation: "sigmoid", Backend: "avx512", Type: "f32", Portable: 8, Plain: 29.9, Baseline: 60},
	}
	var b strings.Builder
	verdict(&b, rows, []string{"avx2", "avx512"})
	const want = `
avx2: 5 times portable: 1 of 2 rows; below: bce sigmoid f32 4.00
avx2: 30 times plain Go with exp and log: 1 of 1 rows
avx512: 8 times portable: 1 of 1 rows
avx512: 30 times plain Go with exp and log: 0 of 1 rows; below: bce sigmoid f32 29.90
avx512: 30 times bench/baseline with exp and log: 1 of 1 rows
`
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("times things")
	}
	file := filepath.Join(t.TempDir(), "losses.json")
	o, err := parse([]string{"-rounds", "1", "-type", "f32,f64", "-loss", "dice,focal,dice_ce", "-json", file}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := run(&b, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil || len(r.Rows) == 0 {
		t.Fatalf("%d rows, %v", len(r.Rows), err)
	}
	for _, row := range r.Rows {
		if row.NS <= 0 || row.Portable <= 0 || (row.Plain > 0) != (row.Type == "f32") {
			t.Errorf("row %+v", row)
		}
		if (row.Baseline > 0) != (row.Type == "f32" && (row.Activation == "none" || row.Loss != "dice")) {
			t.Errorf("baseline of %+v", row)
		}
	}
}
