package driver

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of error that a caller can match with [errors.Is]. Each arrives
// wrapped in an [*Error], which says what was asked and what to do.
var (
	ErrNoDriver     = errors.New("no CUDA driver")
	ErrNoDevice     = errors.New("no CUDA device")
	ErrDriverTooOld = errors.New("CUDA driver too old")
	ErrNoContext    = errors.New("no current CUDA context")
	ErrMemory       = errors.New("out of memory for the GPU")
	ErrLaunch       = errors.New("kernel failed")

	// ErrPoisoned is a context that an error has made useless for good. The
	// error itself matches it, and whatever any method says from then on.
	ErrPoisoned = errors.New("GPU context lost")

	// ErrClosed is a context that was closed.
	ErrClosed = errors.New("GPU context closed")
)

// Error is what a driver has to say.
type Error struct {
	Kind   error  // one of the Err variables, or nil
	Op     string // the driver's function; empty where none was called
	Code   int    // its CUresult; 0 where it is not the driver that complains
	Name   string // the code's name: CUDA_ERROR_OUT_OF_MEMORY
	Text   string // what happened
	Advice string // what to do about it; may be empty
	Log    string // what the compiler of PTX says; may be empty

	// Sticky says that the context is lost with this: the error matches
	// [ErrPoisoned] beside its kind.
	Sticky bool
}

// Error gives the kind, the function, the code and its text on one line, then
// the advice; the compiler's log follows on lines of its own.
func (e *Error) Error() string {
	var parts []string
	if e.Kind != nil {
		parts = append(parts, e.Kind.Error())
	}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Code != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s (%d)", e.Name, e.Code)))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	s := strings.Join(parts, ": ")
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	if e.Log != "" {
		s += "\n" + e.Log
	}
	return s
}

// Unwrap gives the kinds that the error is of.
func (e *Error) Unwrap() []error {
	var kinds []error
	if e.Kind != nil {
		kinds = append(kinds, e.Kind)
	}
	if e.Sticky {
		kinds = append(kinds, ErrPoisoned)
	}
	return kinds
}

// Poisoned is what the methods of a context say after the error that it was
// lost with.
func Poisoned(first error) error {
	return fmt.Errorf("%w by an earlier error: %w", ErrPoisoned, first)
}
