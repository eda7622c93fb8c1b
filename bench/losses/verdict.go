package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/segloss/segloss/bench/plain"
)

// timesPortable is how many times as fast as the portable backend every loss is
// to be, by backend, and timesPlain how many times as fast as plain Go where that
// takes exponentials and logarithms: on probabilities a region loss has none.
var timesPortable = map[string]float64{"avx512": 8, "avx2": 5}

const timesPlain = 30

// verdict prints a line for each target: how many rows reach it, and the others.
func verdict(w io.Writer, rows []row, backends []string) {
	fmt.Fprintln(w)
	for _, b := range backends {
		if want, ok := timesPortable[b]; ok {
			judge(w, fmt.Sprintf("%s: %g times portable", b, want), want, rows, b, func(r *row) float64 { return r.Portable })
		}
		judge(w, fmt.Sprintf("%s: %d times plain Go with exp and log", b, timesPlain), timesPlain, rows, b, func(r *row) float64 {
			if r.Activation == string(plain.None) {
				return 0
			}
			return r.Plain
		})
		judge(w, fmt.Sprintf("%s: %d times bench/baseline with exp and log", b, timesPlain), timesPlain, rows, b, func(r *row) float64 {
			if r.Activation == string(plain.None) {
				return 0
			}
			return r.Baseline
		})
	}
}

// judge counts the rows of a backend that reach a figure. A row without one, 0,
// does not take part.
func judge(w io.Writer, what string, want float64, rows []row, backend string, figure func(r *row) float64) {
	reached, all := 0, 0
	var missed []string
	for i := range rows {
		r := &rows[i]
		v := figure(r)
		if r.Backend != backend || v == 0 {
			continue
		}
		if all++; v >= want {
			reached++
			continue
		}
		missed = append(missed, fmt.Sprintf("%s %s %s %.2f", r.Loss, r.Activation, r.Type, v))
	}
	if all == 0 {
		return
	}
	fmt.Fprintf(w, "%s: %d of %d rows", what, reached, all)
	if missed != nil {
		fmt.Fprintf(w, "; below: %s", strings.Join(missed, ", "))
	}
	fmt.Fprintln(w)
}
