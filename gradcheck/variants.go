package gradcheck

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
)

// A variant is a loss with its options, or with one of them set to another
// value than its default.
type variant struct {
	group string // the loss's name
	text  string // the expression; a list in it is written for the number of classes
	loss  kernels.Loss
	whole bool // to be checked on every case, not on a share of them

	silent bool // in the union, but no row is asked for
}

// listed lists the losses that can be computed on c classes, each followed by
// its variants: every option is set to every choice it has, switched over, or
// given another number, zero and a list. The list of losses says what there is,
// so that a new loss or option is checked from the day it is listed.
func listed(c int) ([]variant, error) {
	if all, ok := lists.Load(c); ok {
		return slices.Clone(all.([]variant)), nil
	}
	all, err := list(c)
	if err == nil {
		lists.Store(c, slices.Clone(all))
	}
	return all, err
}

// lists has what was listed before, by the number of classes.
var lists sync.Map

func list(c int) ([]variant, error) {
	var all []variant
	for _, info := range kernels.Losses() {
		if info.Categorical && c < 2 {
			continue
		}
		for i, e := range variants.Expressions(info, c, numbers) {
			l, err := kernels.Parse(e)
			if err != nil {
				return nil, fmt.Errorf("gradcheck: %s, made from the list of losses: %w", e, err)
			}
			all = append(all, variant{group: info.Name, text: e, loss: l, whole: i == 0})
		}
	}
	return all, nil
}

// pairsGroup is the group of sums of two variants, and pairsOfCase how many of them a
// case is checked with.
const (
	pairsGroup  = "pairs"
	pairsOfCase = 3
)

// pairs draws sums of two variants. Their terms are there already, so that a sum costs
// no evaluation more; its gradient is another matter, for the kernels that serve each
// of two losses may not serve both.
func pairs(of []variant, rng *rand.Rand) []variant {
	var all []variant
	for range pairsOfCase {
		text := of[rng.IntN(len(of))].text + " + 0.5*" + of[rng.IntN(len(of))].text
		if l, err := kernels.Parse(text); err == nil { // as it is for both alone
			all = append(all, variant{group: pairsGroup, text: text, loss: l, whole: true})
		}
	}
	return all
}

// numbers returns the values that a numeric option is set to.
func numbers(o kernels.OptionInfo) []string { return []string{other(o.Default), "0"} }

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

// custom returns the variants of a caller's expression: itself.
func custom(l kernels.Loss) []variant {
	l = shield(l)
	return []variant{{group: l.String(), text: l.String(), loss: l, whole: true}}
}

// fits reports whether a loss can be computed with an activation on c classes.
func fits(l kernels.Loss, a kernels.Activation, c int) error {
	_, err := kernels.New[float64](l, kernels.Spec{N: 1, C: c, S: 1, Activation: a}, kernels.WithBackend(reference()))
	return err
}
