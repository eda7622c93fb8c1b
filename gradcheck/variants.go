package gradcheck

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// A variant is a loss with its options, or with one of them set to another
// value than its default.
type variant struct {
	group string // the loss's name
	text  string // the expression; a list in it is written for the number of classes
	loss  kernels.Loss
	whole bool // to be checked on every case, not on a share of them
}

// variants lists the losses that can be computed on c classes, each followed by
// its variants: every option is set to every choice it has, switched over, or
// given another number, zero and a list. The list of losses says what there is,
// so that a new loss or option is checked from the day it is listed.
func variants(c int) ([]variant, error) {
	var all []variant
	for _, info := range kernels.Losses() {
		if info.Categorical && c < 2 {
			continue
		}
		exprs := []string{info.Name}
		for _, o := range info.Options {
			if o.Name == "background" && c == 1 {
				continue // there is nothing but class 0
			}
			for _, v := range settings(o, c) {
				exprs = append(exprs, fmt.Sprintf("%s(%s=%s)", info.Name, o.Name, v))
			}
		}
		for i, e := range exprs {
			l, err := kernels.Parse(e)
			if err != nil {
				return nil, fmt.Errorf("gradcheck: %s, made from the list of losses: %w", e, err)
			}
			all = append(all, variant{group: info.Name, text: e, loss: l, whole: i == 0})
		}
	}
	return all, nil
}

// settings returns values of an option other than its default, as expressions
// have them.
func settings(o kernels.OptionInfo, c int) []string {
	var values []string
	for _, kind := range strings.Split(o.Type, " or ") {
		switch kind {
		case "bool":
			values = append(values, "true", "false")
		case "choice":
			values = append(values, o.Allowed...)
		case "none":
			values = append(values, "none")
		case "number":
			values = append(values, other(o.Default), "0")
		case "list":
			values = append(values, list(c, 0.75), list(c, 0))
		}
	}
	kept := values[:0]
	for _, v := range values {
		if v != o.Default {
			kept = append(kept, v)
		}
	}
	return kept
}

// other returns a number unlike the default, and inside [0,1] where that is.
func other(number string) string {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		v = 0.5
	}
	w := v/2 + 0.2
	if w == v {
		w = 0.7
	}
	return strconv.FormatFloat(w, 'g', -1, 64)
}

// list returns a list of c numbers that begins with first.
func list(c int, first float64) string {
	v := make([]string, c)
	for i := range v {
		v[i] = strconv.FormatFloat(first+0.5*float64(i), 'g', -1, 64)
	}
	return "[" + strings.Join(v, ",") + "]"
}

// custom returns the variants of a caller's expression: itself.
func custom(l kernels.Loss) []variant {
	return []variant{{group: l.String(), text: l.String(), loss: l, whole: true}}
}

// fits reports whether a loss can be computed with an activation on c classes.
func fits(l kernels.Loss, a kernels.Activation, c int) error {
	_, err := kernels.New[float64](l, kernels.Spec{N: 1, C: c, S: 1, Activation: a}, kernels.WithBackend(reference()))
	return err
}
