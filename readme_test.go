package segloss_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

var update = flag.Bool("update", false, "write what is made of something else into the documents")

// parts are the sections of documents that are made of something else: each lies
// between a line that says how and one that ends it.
var parts = []struct {
	file, begin, end string
	make             func() (string, error)
}{
	{"README.md", "<!-- losses: made from the list by `make readme` -->\n", "<!-- end of losses -->\n", lossTable},
	{"README.md", "<!-- brain: made from docs/brain/losses.csv by `make readme` -->\n", "<!-- end of brain -->\n", brainExcerpt},
	{"docs/brain.md", "<!-- brain: made from docs/brain/losses.csv by `make readme` -->\n", "<!-- end of brain -->\n", brainTable},
}

// TestReadmeParts holds the documents to what their sections are made of.
func TestReadmeParts(t *testing.T) {
	for _, p := range parts {
		text, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, ok := strings.Cut(string(text), p.begin)
		got, tail, ok2 := strings.Cut(rest, p.end)
		if !ok || !ok2 {
			t.Fatalf("%s lacks the lines %q and %q", p.file, p.begin, p.end)
		}
		want, err := p.make()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(p.file, []byte(head+p.begin+want+p.end+tail), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != want {
			t.Errorf("%s is out of date; run make readme\ngot:\n%s\nwant:\n%s", p.file, got, want)
		}
	}
}

// brainTable is the table that examples/brain left, whole.
func brainTable() (string, error) {
	return brainRows(func(string) bool { return true }, func(string) bool { return true })
}

// brainExcerpt is the part of it that most people look for.
func brainExcerpt() (string, error) {
	losses := []string{"ce", "bce", "focal_ce", "dice", "dice(batch=true)", "tversky(batch=true)", "gdl(batch=true)",
		"exp_log_dice(batch=true)", "dice_ce", "dice + focal_ce"}
	left := []string{"amygdala recall", "amygdala precision", "ms a step"}
	return brainRows(
		func(loss string) bool { return slices.Contains(losses, strings.Trim(loss, "`")) },
		func(column string) bool { return !slices.Contains(left, column) })
}

func brainRows(loss, column func(string) bool) (string, error) {
	f, err := os.Open("docs/brain/losses.csv")
	if err != nil {
		return "", err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, row := range rows {
		var cells []string
		for k, cell := range row {
			if column(rows[0][k]) {
				cells = append(cells, cell)
			}
		}
		if i == 0 || loss(row[0]) {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
		}
	}
	return b.String(), nil
}

func lossTable() (string, error) {
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
	return b.String(), nil
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
