package main

/*
#define SEGLOSS_TYPES_ONLY
#include "segloss.h"
#include <stdlib.h>
*/
import "C"

import (
	"cmp"
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// report stores an error's text where the caller wants it, or NULL for none, and
// returns its kind.
func report(err error, message **C.char) C.int {
	if message != nil {
		*message = nil
		if err != nil {
			*message = C.CString(err.Error())
		}
	}
	return C.int(statusOf(err))
}

//export segloss_new
func segloss_new(loss *C.char, spec *C.segloss_spec, id *C.segloss_plan, message **C.char) C.int {
	if loss == nil || spec == nil || id == nil {
		return report(fmt.Errorf("segloss: loss, spec or plan is NULL: %w", errPointer), message)
	}
	s, err := specOf(spec)
	if err != nil {
		return report(err, message)
	}
	var p plan
	switch spec._type {
	case C.SEGLOSS_FLOAT32:
		p, err = newPlan[float32](C.GoString(loss), s, optionsOf(spec))
	case C.SEGLOSS_FLOAT64:
		p, err = newPlan[float64](C.GoString(loss), s, optionsOf(spec))
	default:
		err = fmt.Errorf("segloss: spec.type = %d: %w", spec._type, kernels.ErrOption)
	}
	if err == nil {
		*id = C.segloss_plan(keep(p))
	}
	return report(err, message)
}

// specOf copies a spec's shape and meaning.
func specOf(spec *C.segloss_spec) (s kernels.Spec, err error) {
	return s, cmp.Or(
		narrow(&s.N, "spec.n", int64(spec.n), kernels.ErrShape),
		narrow(&s.C, "spec.c", int64(spec.c), kernels.ErrShape),
		narrow(&s.S, "spec.s", int64(spec.s), kernels.ErrShape),
		narrow((*uint8)(&s.Activation), "spec.activation", int32(spec.activation), kernels.ErrOption),
		narrow((*uint8)(&s.Layout), "spec.layout", int32(spec.layout), kernels.ErrOption))
}

// optionsOf are those of a spec that have another value than the default.
func optionsOf(spec *C.segloss_spec) []kernels.Option {
	o := []kernels.Option{kernels.WithWorkers(int(spec.workers))}
	if spec.has_ignore != 0 {
		o = append(o, kernels.WithIgnore(int64(spec.ignore)))
	}
	if spec.clip != 0 {
		o = append(o, kernels.WithClip(float64(spec.clip)))
	}
	if spec.backend != nil {
		o = append(o, kernels.WithBackend(C.GoString(spec.backend)))
	}
	return o
}

//export segloss_free
func segloss_free(id C.segloss_plan) { drop(uint64(id)) }

// targetOf copies a target's fields.
func targetOf(t *C.segloss_target) (target, error) {
	if t == nil {
		return target{}, fmt.Errorf("segloss: target is NULL: %w", errPointer)
	}
	kt := target{data: t.data, kind: int32(t._type), weights: (*float32)(t.weights), mask: (*uint8)(t.mask)}
	return kt, cmp.Or(
		narrow(&kt.n, "target.n", int64(t.n), kernels.ErrShape),
		narrow(&kt.s, "target.s", int64(t.s), kernels.ErrShape))
}

// use finds a plan for a call. Those of other threads wait meanwhile.
func use(id C.segloss_plan, call func(plan) error) error {
	p, err := find(uint64(id))
	if err != nil {
		return err
	}
	p.Lock()
	defer p.Unlock()
	return call(p)
}

// with finds a plan and reads a target for a call.
func with(id C.segloss_plan, t *C.segloss_target, call func(plan, target) error) error {
	return use(id, func(p plan) error {
		kt, err := targetOf(t)
		if err != nil {
			return err
		}
		return call(p, kt)
	})
}

// store hands a loss over, to those who want it.
func store(to *C.double, loss float64) {
	if to != nil {
		*to = C.double(loss)
	}
}

//export segloss_forward
func segloss_forward(id C.segloss_plan, x unsafe.Pointer, t *C.segloss_target, loss *C.double, message **C.char) C.int {
	return report(with(id, t, func(p plan, t target) error {
		v, err := p.forward(x, t)
		if err == nil {
			store(loss, v)
		}
		return err
	}), message)
}

//export segloss_backward
func segloss_backward(id C.segloss_plan, dx, x unsafe.Pointer, t *C.segloss_target, scale C.double, accumulate C.int, message **C.char) C.int {
	return report(with(id, t, func(p plan, t target) error {
		return p.backward(dx, x, t, kernels.Grad{Scale: float64(scale), Accumulate: accumulate != 0})
	}), message)
}

//export segloss_forward_backward
func segloss_forward_backward(id C.segloss_plan, dx, x unsafe.Pointer, t *C.segloss_target, scale C.double, accumulate C.int, loss *C.double, message **C.char) C.int {
	return report(with(id, t, func(p plan, t target) error {
		v, err := p.forwardBackward(dx, x, t, kernels.Grad{Scale: float64(scale), Accumulate: accumulate != 0})
		if err == nil {
			store(loss, v)
		}
		return err
	}), message)
}

//export segloss_sums_size
func segloss_sums_size(id C.segloss_plan, rows C.int64_t) C.int64_t {
	p, err := find(uint64(id))
	if err != nil {
		return 0
	}
	return C.int64_t(p.sumsSize(int64(rows)))
}

// sumsOf reads the arguments of a call on sums.
func sumsOf(p plan, sums *C.double, rows, row C.int64_t) (s *kernels.Sums, theirs []float64, first int, err error) {
	if err = narrow(&first, "row", int64(row), kernels.ErrShape); err == nil {
		s, theirs, err = p.sums(int64(rows), unsafe.Pointer(sums))
	}
	return s, theirs, first, err
}

//export segloss_reduce
func segloss_reduce(id C.segloss_plan, sums *C.double, rows, row C.int64_t, x unsafe.Pointer, t *C.segloss_target, message **C.char) C.int {
	return report(with(id, t, func(p plan, t target) error {
		s, theirs, first, err := sumsOf(p, sums, rows, row)
		if err != nil {
			return err
		}
		if err = p.reduce(s, first, x, t); err == nil {
			copy(theirs, s.Data())
		}
		return err
	}), message)
}

//export segloss_finish
func segloss_finish(id C.segloss_plan, sums *C.double, rows, row C.int64_t, loss *C.double, message **C.char) C.int {
	return report(use(id, func(p plan) error {
		s, _, first, err := sumsOf(p, sums, rows, row)
		if err != nil {
			return err
		}
		v, err := p.finish(s, first)
		if err == nil {
			store(loss, v)
		}
		return err
	}), message)
}

//export segloss_losses
func segloss_losses() *C.char {
	list, err := json.Marshal(kernels.Losses())
	if err != nil {
		return nil
	}
	return C.CString(string(list))
}

//export segloss_free_string
func segloss_free_string(s *C.char) { C.free(unsafe.Pointer(s)) }
