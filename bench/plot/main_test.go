package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/segloss/segloss/bench/internal/report"
)

var everything = choice{c: 4, workers: 1, elem: "f32", in: "memory", layout: "ncs"}

func sample() *report.Report {
	row := func(kernel, op, backend string, c int, part float64) report.Row {
		return report.Row{Kernel: kernel, Op: op, Backend: backend, C: c, Workers: 1, Type: "f32", In: "memory", Layout: "ncs", Ceiling: part}
	}
	return &report.Report{Machine: "a machine", Rows: []report.Row{
		row("bce", "forward", "generic", 4, 0.01),
		row("bce", "forward", "avx2", 4, 0.5),
		row("bce", "forward", "avx2", 19, 0.6),
		row("bce", "forward+backward", "avx2", 4, 0.7),
		row("focal", "backward", "generic", 4, 0.02),
	}}
}

func TestBarsOf(t *testing.T) {
	b, err := barsOf(sample(), everything)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.kernels, []string{"bce, forward", "focal, backward"}) || !slices.Equal(b.backends, []string{"generic", "avx2"}) {
		t.Errorf("kernels %q, backends %q", b.kernels, b.backends)
	}
	if !slices.Equal(b.part[0], []float64{0.01, 0.02}) || !slices.Equal(b.part[1], []float64{0.5, 0}) {
		t.Errorf("parts %v", b.part)
	}
	none := everything
	none.elem = "f16"
	if _, err := barsOf(sample(), none); err == nil {
		t.Error("a picture of nothing")
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := sample().JSON(&b); err != nil {
		t.Fatal(err)
	}
	from, to := filepath.Join(dir, "bench.json"), filepath.Join(dir, "bench.png")
	if err := os.WriteFile(from, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(from, to, everything); err != nil {
		t.Fatal(err)
	}
	png, err := os.ReadFile(to)
	if err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no picture: %v", err)
	}
}
