//go:build !cuda

package gorgonia

// gpu is what the tag cuda adds to a loss.
//
//lint:ignore U1000 the tag cuda uses it
type gpu struct{}
