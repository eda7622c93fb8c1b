package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestSelfTest interrupts the self-test, which as a whole is package gradcheck's
// to test: what was done by then is printed, as tables and as JSON.
func TestSelfTest(t *testing.T) {
	for _, args := range [][]string{{"-selftest"}, {"-selftest", "-json"}} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(200*time.Millisecond, cancel)
		var out, complaint bytes.Buffer
		if code := run(ctx, args, &out, &complaint); code != exitInconclusive {
			t.Fatalf("%v: exit code %d: %s", args, code, &complaint)
		}
		if len(args) == 1 {
			for _, want := range []string{"dice", "alpha and beta exchanged", "torch slow", "interrupted, so partial"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
			continue
		}
		found := false
		for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
			var v struct {
				Line     string
				Partial  bool
				Verdict  string
				Mutants  []struct{ Name string }
				Checkers []struct{ Name string }
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			found = found || v.Line == "selftest" && v.Partial && v.Verdict == "INCONCLUSIVE" && len(v.Mutants) >= 20 && len(v.Checkers) > 1
		}
		if !found {
			t.Errorf("no line of the self-test in\n%s", &out)
		}
	}
}
