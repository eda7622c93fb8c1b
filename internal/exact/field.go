package exact

import "fmt"

// A field is an arithmetic on numbers of type T. Operations return new numbers
// and change none. What an arithmetic cannot do — a logarithm of a fraction, a
// division of another number by 0 — it leaves by [raise].
type field[T any] interface {
	Num(x float64) T // x itself, not rounded; x is finite unless T is float64's
	Add(a, b T) T
	Sub(a, b T) T
	Mul(a, b T) T // 0 where either is 0, even beside an infinite one
	Div(a, b T) T
	Exp(a T) T
	Log(a T) T
	Log1p(a T) T
	Pow(a T, g float64) T
	Cmp(a, b T) int    // of the values
	IsZero(a T) bool   // of the value
	Float(a T) float64 // the value, rounded
}

// A base is a field that duals are made over.
type base[T any] interface {
	field[T]
	Blank(a T) bool // whether a is 0 with every derivative
}

// A calculus is a field whose numbers carry a derivative. In one of duals of
// duals, these three speak of the outer derivative.
type calculus[T any] interface {
	field[T]
	Vary(a T) T        // a's value with derivative 1
	Graft(a, b T) T    // a's value with b's derivative
	Slope(a T) float64 // the derivative, rounded
}

// An unjudged says why an oracle has no answer. It crosses the forward as a
// panic, which does not leave the package: see [catch].
type unjudged struct{ err error }

// raise leaves the forward.
func raise(format string, args ...any) {
	panic(unjudged{fmt.Errorf("exact: %w: "+format, append([]any{ErrUnjudged}, args...)...)})
}

// catch turns what raise threw into an error.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case unjudged:
		*err = r.err
	default:
		panic(r)
	}
}

// arithmetic is a calculus with the rules of all losses written in it.
type arithmetic[T any] struct {
	calculus[T]
	rules map[string]rule[T]
}

func newArithmetic[T any](f calculus[T]) *arithmetic[T] {
	return &arithmetic[T]{f, rules[T]()}
}
