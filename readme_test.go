package segloss_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var update = flag.Bool("update", false, "write the table of losses into README.md")

const begin, end = "<!-- losses: made from the list by `make readme` -->\n", "<!-- end of losses -->\n"

// TestReadmeTable holds the README's table to the list of losses.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md lacks the lines %q and %q", begin, end)
	}
	want := lossTable()
	if *update {
		if err := os.WriteFile("README.md", []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != want {
		t.Errorf("the table of losses in README.md is out of date; run make readme\ngot:\n%s\nwant:\n%s", table, want)
	}
}

func lossTable() string {
	var b strings.Builder
	b.WriteString("| name | definition | options and defaults | source |\n|---|---|---|---|\n")
	for _, l := range kernels.Losses() {
		var opts []string
		for _, o := range l.Options {
			if o.Default == "" {
				opts = append(opts, o.Name)
			} else {
				opts = append(opts, o.Name+"="+o.Default)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", l.Name, l.Formula, strings.Join(opts, ", "), l.Source)
	}
	return b.String()
}

// TestReadmeExample holds the README's Go example to the one that runs.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	example, _, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("README.md has no Go example")
	}
	var body []string
	for _, line := range strings.Split(strings.TrimSpace(example), "\n") {
		body = append(body, strings.TrimSpace(line))
	}
	for _, line := range body {
		if !strings.Contains(string(source), line) {
			t.Errorf("example_test.go does not have the README's line %q", line)
		}
	}
}
