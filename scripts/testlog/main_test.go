package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const log = `{"ImportPath":"x/b","Action":"build-output","Output":"b.go:1:1: no\n"}
{"Action":"output","Package":"x/a","Test":"TestBad","Output":"--- FAIL: TestBad\n"}
{"Action":"output","Package":"x/a","Test":"TestGood","Output":"--- PASS: TestGood\n"}
{"Action":"fail","Package":"x/a","Test":"TestBad","Elapsed":0.5}
{"Action":"pass","Package":"x/a","Test":"TestGood/part","Elapsed":2}
{"Action":"pass","Package":"x/a","Test":"TestGood","Elapsed":3}
{"Action":"output","Package":"x/a","Test":"TestCut","Output":"fatal error\n"}
{"Action":"output","Package":"x/a","Output":"panic: late\n"}
{"Action":"fail","Package":"x/a","Elapsed":4}
no JSON
`

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"failures " + file, "b.go:1:1: no\n--- FAIL: TestBad\nfatal error\npanic: late\nno JSON\n"},
		{"slowest 1 " + file, "the slowest of 2 tests:\n    3.0s  x/a TestGood\n"},
		{"slowest 9 " + file, "the slowest of 2 tests:\n    3.0s  x/a TestGood\n    0.5s  x/a TestBad\n"},
	} {
		var b strings.Builder
		if err := run(&b, strings.Fields(tt.args)); err != nil || b.String() != tt.want {
			t.Errorf("%s: %v, printed\n%swant\n%s", tt.args, err, b.String(), tt.want)
		}
	}
	for _, args := range [][]string{nil, {"slowest"}, {"slowest", "x", file}, {"slowest", "0", file}, {"failures", file + "x"}} {
		if err := run(new(strings.Builder), args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
