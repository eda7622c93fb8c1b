package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// programs are ceiling.c, and its loop in the L2, as cc builds them.
type programs struct{ dir string }

// build compiles both; CC names another compiler.
func build(from string) (*programs, error) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		return nil, fmt.Errorf("a C compiler is needed to build %s (install gcc, or name one by CC): %w", filepath.Join(from, "ceiling.c"), err)
	}
	dir, err := os.MkdirTemp("", "ceiling")
	if err != nil {
		return nil, err
	}
	p := &programs{dir}
	for _, name := range []string{"ceiling", "resident"} {
		cmd := exec.Command(cc, "-O3", "-mavx2", "-mfma", "-pthread", filepath.Join(from, name+".c"), "-o", p.path(name))
		if out, err := cmd.CombinedOutput(); err != nil {
			p.remove()
			return nil, fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
	}
	return p, nil
}

func (p *programs) path(name string) string { return filepath.Join(p.dir, name) }

func (p *programs) remove() { _ = os.RemoveAll(p.dir) }

// run returns the shortest ns an element by the name of the pattern.
func (p *programs) run(at place, threads int) (map[string]float64, error) {
	cmd := exec.Command(p.path("ceiling"), strconv.Itoa(at.bytes(threads)>>20), strconv.Itoa(threads), strconv.Itoa(repeats))
	if at.l2 {
		cmd = exec.Command(p.path("resident"), strconv.Itoa(at.bytes(threads)>>10), strconv.Itoa(threads), strconv.Itoa(repeats), strconv.Itoa(at.passes))
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", cmd, err)
	}
	return parse(out)
}

// parse reads the shortest time from lines such as
//
//	r1w1nt  threads=2  0.2513 ns/float  31.8 GB/s  (min 0.2490 max 0.2601)
func parse(out []byte) (map[string]float64, error) {
	ns := map[string]float64{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 8 || f[3] != "ns/float" || f[6] != "(min" {
			return nil, fmt.Errorf("not a line of ceiling.c: %q", s.Text())
		}
		v, err := strconv.ParseFloat(f[7], 64)
		if err != nil || !(v > 0) {
			return nil, fmt.Errorf("not a time in %q", s.Text())
		}
		ns[f[0]] = v
	}
	return ns, nil
}
