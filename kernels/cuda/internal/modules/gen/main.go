// Command gen compiles losses.cu to the PTX of all modules with clang 19, which needs no
// CUDA toolkit for it. With -check it compares instead, and fails where they differ.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"

	"github.com/segloss/segloss/kernels/cuda/internal/modules"
)

var (
	source = flag.String("source", "kernels/cuda", "folder of losses.cu")
	check  = flag.Bool("check", false, "compare with the files that are there")
	clang  = flag.String("clang", "clang-19", "compiler")
)

func main() {
	flag.Parse()
	all := modules.All()
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i, m := range all {
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = generate(m)
		}()
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// generate writes or checks one module.
func generate(m modules.Module) error {
	ptx, err := compile(m)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	file := filepath.Join(*source, "internal", "modules", m.Name+".ptx")
	if !*check {
		return os.WriteFile(file, ptx, 0o644)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, ptx) {
		return fmt.Errorf("%s is not what the compiler makes of losses.cu; run make ptx", file)
	}
	return nil
}

func compile(m modules.Module) ([]byte, error) {
	stamp, err := m.Stamp(os.DirFS(*source))
	if err != nil {
		return nil, err
	}
	args := slices.Clone(modules.Flags)
	for _, d := range m.Defines {
		args = append(args, "-D"+d)
	}
	cmd := exec.Command(*clang, append(args, filepath.Join(*source, "losses.cu"), "-o", "-")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return append([]byte(stamp), strip(out)...), nil
}

// What the compiler writes for readers of its output is a third of the text.
var (
	comment = regexp.MustCompile(`[ \t]*//[^\n]*`)
	blank   = regexp.MustCompile(`[ \t]*(\n[ \t]*)+`)
)

func strip(ptx []byte) []byte {
	return blank.ReplaceAll(comment.ReplaceAll(ptx, nil), []byte("\n"))
}
