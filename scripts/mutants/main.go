// Mutants puts faults into a copy of this repository, one at a time, and says which step
// of make test, and which test in it, finds each.
//
//	go run ./scripts/mutants [-run regexp] [-verify]
//
// The faults are those of mutants.tsv. A few are found by make verify alone, which that
// file says; they are tried with -verify, which takes as long.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed mutants.tsv
var table string

func main() {
	only := flag.String("run", "", "try the mutants whose name matches this `regexp`")
	verify := flag.Bool("verify", false, "try also those that make verify finds")
	flag.Parse()
	if err := run(os.Stdout, *only, *verify); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, only string, verify bool) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	mutants, err := parse(table)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(dir); err != nil {
		return err
	}
	tried, lived := 0, 0
	for _, m := range mutants {
		if !match.MatchString(m.name) || m.script == "verify" && !verify {
			continue
		}
		start := time.Now()
		step, test, err := m.try(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		tried++
		if step == "" {
			step = "NOT FOUND"
			lived++
		}
		fmt.Fprintf(w, "%-24s %-48s %-7s %s: %s  %.0fs\n", m.name, m.file, m.script, step, test, time.Since(start).Seconds())
	}
	fmt.Fprintf(w, "%d mutants, %d not found\n", tried, lived)
	if lived > 0 || tried == 0 {
		return fmt.Errorf("%d of %d were not found", lived, tried)
	}
	return nil
}

// A mutant is a line of a file that becomes another.
type mutant struct {
	name, file string
	line       int // of the file, from 1; 0 where old stands once in it
	old, new   string
	script     string // test or verify: what has to find it
}

// parse reads lines of five fields between tabs: name, file, old text, new text, and
// test or verify. The old text may follow @N and a space, which is the line of it.
func parse(table string) (all []mutant, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(table, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 5 || f[4] != "test" && f[4] != "verify" {
			return nil, fmt.Errorf("mutants.tsv:%d: want name, file, old, new, and test or verify between tabs: %q", i+1, line)
		}
		m := mutant{name: f[0], file: f[1], old: f[2], new: f[3], script: f[4]}
		if at, old, ok := strings.Cut(m.old, " "); ok && strings.HasPrefix(at, "@") {
			m.old = old
			if m.line, err = strconv.Atoi(at[1:]); err != nil || m.line < 1 {
				return nil, fmt.Errorf("mutants.tsv:%d: line %q of a file", i+1, at)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// apply gives the text of the file with the fault in it.
func (m *mutant) apply(text string) (string, error) {
	if m.line == 0 {
		if n := strings.Count(text, m.old); n != 1 {
			return "", fmt.Errorf("%q stands %d times in %s; want once", m.old, n, m.file)
		}
		return strings.Replace(text, m.old, m.new, 1), nil
	}
	lines := strings.SplitAfter(text, "\n")
	if m.line > len(lines) || !strings.Contains(lines[m.line-1], m.old) {
		return "", fmt.Errorf("%q is not in line %d of %s", m.old, m.line, m.file)
	}
	lines[m.line-1] = strings.Replace(lines[m.line-1], m.old, m.new, 1)
	return strings.Join(lines, ""), nil
}

// try runs the script with the fault in the copy, up to the first step that fails, and
// takes it out again.
func (m *mutant) try(dir string) (step, test string, err error) {
	name := filepath.Join(dir, m.file)
	kept, err := os.ReadFile(name)
	if err != nil {
		return "", "", err
	}
	text, err := m.apply(string(kept))
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(name, kept, 0o644)) }()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return "", "", err
	}
	cmd := exec.Command("scripts/" + m.script + ".sh")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "FAILFAST=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return "", "", err
	}
	step, test = firstFailure(string(out))
	return step, test, nil
}

var (
	failedStep = regexp.MustCompile(`(?m)^FAIL  (.*?) +\d+s$`)
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	complaint  = regexp.MustCompile(`(?m)^\s*(\S+\.go:\d+:.*|failed.*)`)
)

// firstFailure finds in the output of a script the step that failed, and the test, or
// the line that a compiler complains of.
func firstFailure(out string) (step, test string) {
	at := failedStep.FindStringSubmatchIndex(out)
	if at == nil {
		return "", ""
	}
	step = out[at[2]:at[3]]
	for _, first := range []*regexp.Regexp{failedTest, complaint} {
		if m := first.FindStringSubmatch(out[at[1]:]); m != nil {
			return step, m[1]
		}
	}
	return step, ""
}

// copyTree copies what git knows of the working tree, but for this program: its own test
// would find each mutant, as one that cannot be made any more.
func copyTree(dir string) error {
	names, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for _, name := range bytes.Split(bytes.TrimSuffix(names, []byte{0}), []byte{0}) {
		if bytes.HasPrefix(name, []byte("scripts/mutants/")) {
			continue
		}
		to := filepath.Join(dir, string(name))
		info, err := os.Stat(string(name))
		if err != nil {
			return err
		}
		text, err := os.ReadFile(string(name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, info.Mode()); err != nil {
			return err
		}
	}
	return nil
}
