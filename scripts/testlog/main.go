// Testlog says what is in the output of go test -json.
//
//	testlog failures file …   what the tests printed that failed, or did not build
//	testlog slowest n file …  the n tests that took longest
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(2)
	}
}

func run(w io.Writer, args []string) error {
	if len(args) > 1 && args[0] == "failures" {
		events, err := read(args[1:])
		failures(w, events)
		return err
	}
	if len(args) > 1 && args[0] == "slowest" {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return fmt.Errorf("slowest %q: want a number of tests, at least 1", args[1])
		}
		events, err := read(args[2:])
		slowest(w, events, n)
		return err
	}
	return errors.New("usage: testlog failures file … | testlog slowest n file …")
}

// An event is a line of go test -json (go doc test2json), or of the build before it
// (go help buildjson), which names an import path in place of a package.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// read takes files one after the other. What is no event, such as a complaint about
// a flag, is the output of a build.
func read(files []string) (events []event, err error) {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return events, err
		}
		defer f.Close()
		for s := bufio.NewReader(f); ; {
			line, err := s.ReadString('\n')
			if line != "" {
				var e event
				if json.Unmarshal([]byte(line), &e) != nil {
					e = event{Action: "build-output", Output: line}
				}
				events = append(events, e)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return events, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return events, nil
}

// failures prints the output of what failed: of tests, those among them that a crash did
// not let end, and of the package apart from its tests (a time limit).
func failures(w io.Writer, events []event) {
	type test struct{ pkg, name string }
	good, failed := map[test]bool{}, map[string]bool{}
	for _, e := range events {
		switch {
		case e.Action == "pass", e.Action == "skip":
			good[test{e.Package, e.Test}] = true
		case e.Action == "fail" && e.Test == "":
			failed[e.Package] = true
		}
	}
	for _, e := range events {
		if e.Action == "build-output" || e.Action == "output" && failed[e.Package] && !good[test{e.Package, e.Test}] {
			io.WriteString(w, e.Output)
		}
	}
}

// slowest prints the tests that took longest. Subtests count as part of theirs.
func slowest(w io.Writer, events []event, n int) {
	var ended []event
	for _, e := range events {
		if (e.Action == "pass" || e.Action == "fail") && e.Test != "" && !strings.Contains(e.Test, "/") {
			ended = append(ended, e)
		}
	}
	slices.SortStableFunc(ended, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	fmt.Fprintf(w, "the slowest of %d tests:\n", len(ended))
	for _, e := range ended[:min(n, len(ended))] {
		fmt.Fprintf(w, "%7.1fs  %s %s\n", e.Elapsed, strings.TrimPrefix(e.Package, "github.com/segloss/segloss/"), e.Test)
	}
}
