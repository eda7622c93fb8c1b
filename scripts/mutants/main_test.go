package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Every fault of the table can be made.
func TestTable(t *testing.T) {
	mutants, err := parse(table)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range mutants {
		text, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if changed, err := m.apply(string(text)); err != nil || changed == string(text) {
			t.Errorf("%s changes nothing, error %v", m.name, err)
		}
		if names[m.name] {
			t.Errorf("there are two mutants %s", m.name)
		}
		names[m.name] = true
	}
}

func TestFirstFailure(t *testing.T) {
	out := "ok    gofmt   1s\nFAIL  tests, examples                     12s\n      sums_test.go:7: bad\n      --- FAIL: TestSums (0.1s)\n          --- FAIL: TestSums/a (0.1s)\n"
	if step, test := firstFailure(out); step != "tests, examples" || test != "TestSums" {
		t.Errorf("found by %q, %q", step, test)
	}
	if step, test := firstFailure("ok    go vet   1s\n"); step != "" || test != "" {
		t.Errorf("found by %q, %q where nothing failed", step, test)
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"a\tb\tc\td", "a\tb\tc\td\tnightly", "a\tb\t@x c\td\ttest", "a\tb\t@0 c\td\ttest"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
