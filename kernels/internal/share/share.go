// Package share is what package kernels lends to package cuda beyond its exported names,
// so that plans of both share losses, specs, values and sums. Package kernels fills it in
// when it is initialised.
package share

import "github.com/segloss/segloss/kernels/internal/losses"

// Config is what options say to a plan on any hardware.
type Config struct {
	Ignore    int64
	HasIgnore bool
	Clip      float64
}

// Target is what a kernels.Target refers to: one of the dense slices, or labels.
type Target struct {
	Dense32   []float32
	Dense64   []float64
	Labels    []byte // their memory
	LabelType string // Go's name for it, or ""
	Weights   []float32
	Mask      []uint8
	N, S      int
}

// The types of the arguments named loss, spec, options, sums and target are those of
// package kernels.
var (
	// Check checks a loss, a spec and options, as New does.
	Check func(loss, spec, options any) (Config, error)

	// Program compiles a loss, and Kind tells its sums apart from those of others.
	Program func(loss any, classes int) *losses.Program
	Kind    func(loss any, classes int) string

	// NewSums makes sums of a batch, and Batch gives the batch of sums with their kind.
	NewSums func(b *losses.Batch, kind string) any
	Batch   func(sums any) (b *losses.Batch, kind string)

	// Finish finishes rows rows of a batch to a kernels.Value of a plan, and fills coef
	// with the coefficients of n samples from the first on.
	Finish func(b *losses.Batch, coef []float64, rows, first, n int, plan any, generation uint64) any

	// Fresh reports whether a value is a plan's of that generation.
	Fresh func(value, plan any, generation uint64) bool

	// CheckTarget checks options and lengths, as Forward and Backward do.
	CheckTarget func(target, spec any, c Config) (Target, error)

	// DenseIgnored is the error of an ignore index beside a dense target.
	DenseIgnored func(ignore int64) error

	// CheckRow checks that sums of so many rows have room for n samples from a row on.
	CheckRow func(row, n, rows int) error

	// Error makes a kernels.ArgError.
	Error func(arg string, index int, value any, kind error, format string, args ...any) error
)
