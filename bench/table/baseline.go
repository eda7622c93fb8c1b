package main

import "github.com/segloss/segloss/bench/baseline"

// baselineFunc runs the plain loop in Go for the same loss on the same tensors.
// It returns nil where it has no such loss.
type baselineFunc func(t *tensors[float32]) func() float64

// probDice has one cell only.
func probDice(t *tensors[float32]) func() float64 {
	if t.n*t.c != 1 {
		return nil
	}
	return func() float64 { return baseline.ProbDice(t.dx, t.x, t.r) }
}

func sigmoidFocal(t *tensors[float32]) func() float64 {
	return func() float64 { return baseline.SigmoidFocal(t.dx, t.x, t.r) }
}

func softmaxDiceCE(t *tensors[float32]) func() float64 {
	return func() float64 { return baseline.SoftmaxDiceCE(t.dx, t.x, t.y, t.n, t.c, t.s) }
}
