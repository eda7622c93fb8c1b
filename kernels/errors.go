package kernels

import (
	"errors"
	"fmt"
)

// The kinds of error that a caller can match with [errors.Is]. Each arrives
// wrapped in an [*ArgError], which names the argument, the place and the value.
var (
	ErrShape   = errors.New("wrong shape")
	ErrLabel   = errors.New("label out of range")
	ErrWeight  = errors.New("weight negative or not finite")
	ErrOption  = errors.New("invalid option")
	ErrAlias   = errors.New("buffers overlap")
	ErrStale   = errors.New("stale value")
	ErrBackend = errors.New("backend not available")
	ErrNaN     = errors.New("not a number")
)

// ArgError reports an argument that cannot be used. No buffer was written.
type ArgError struct {
	Arg   string // name of the argument, as in the signature
	Index int    // place in the argument, or -1 where the whole is meant
	Value any    // the offending value
	Err   error  // the kind, one of the Err variables of this package, possibly with detail
}

func (e *ArgError) Error() string {
	if e.Index >= 0 {
		return fmt.Sprintf("segloss: %s[%d] = %v: %v", e.Arg, e.Index, e.Value, e.Err)
	}
	return fmt.Sprintf("segloss: %s = %v: %v", e.Arg, e.Value, e.Err)
}

func (e *ArgError) Unwrap() error { return e.Err }

// argError builds an [*ArgError] whose kind carries a detail in words.
func argError(arg string, index int, value any, kind error, format string, args ...any) error {
	return &ArgError{Arg: arg, Index: index, Value: value, Err: fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))}
}
