package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"unsafe"

	"github.com/segloss/segloss/kernels"
)

// errPointer is the kind of error that Go callers cannot make.
var errPointer = errors.New("not a pointer")

// statuses are the kinds of error in the order of segloss.h, from 1 on.
var statuses = []error{kernels.ErrShape, kernels.ErrLabel, kernels.ErrWeight, kernels.ErrOption, kernels.ErrAlias,
	kernels.ErrStale, kernels.ErrBackend, errPointer}

// statusOf is the number of an error's kind.
func statusOf(err error) int {
	if err == nil {
		return 0
	}
	for i, kind := range statuses {
		if errors.Is(err, kind) {
			return i + 1
		}
	}
	return len(statuses) + 1
}

// target is a segloss_target.
type target struct {
	data    unsafe.Pointer
	kind    int32
	n, s    int
	weights *float32
	mask    *uint8
}

// plan is a kernels.Plan on pointers, of either type of elements. A call locks it.
type plan interface {
	sync.Locker
	forward(x unsafe.Pointer, t target) (float64, error)
	backward(dx, x unsafe.Pointer, t target, g kernels.Grad) error
	forwardBackward(dx, x unsafe.Pointer, t target, g kernels.Grad) (float64, error)
	sumsSize(rows int64) int
	sums(rows int64, theirs unsafe.Pointer) (*kernels.Sums, []float64, error)
	reduce(s *kernels.Sums, row int, x unsafe.Pointer, t target) error
	finish(s *kernels.Sums, row int) (float64, error)
}

// typed is a plan for elements of T, with the value of its last forward pass.
type typed[T kernels.Float] struct {
	sync.Mutex
	*kernels.Plan[T]
	spec   kernels.Spec
	stride int // numbers in a row of its sums
	value  kernels.Value
}

func newPlan[T kernels.Float](expr string, spec kernels.Spec, o []kernels.Option) (plan, error) {
	loss, err := kernels.Parse(expr)
	if err != nil {
		return nil, err
	}
	p, err := kernels.New[T](loss, spec, o...)
	if err != nil {
		return nil, err
	}
	return &typed[T]{Plan: p, spec: spec, stride: len(p.NewSums(1).Data())}, nil
}

// narrow stores what C has in more bits than Go, on some machines.
func narrow[To int | uint8, From int32 | int64](to *To, arg string, v From, kind error) error {
	*to = To(v)
	if From(*to) != v {
		return fmt.Errorf("segloss: %s = %d: %w", arg, v, kind)
	}
	return nil
}

// slice is n elements at p.
func slice[E any](arg string, p unsafe.Pointer, n int) ([]E, error) {
	if p == nil && n > 0 {
		return nil, fmt.Errorf("segloss: %s is NULL: %w", arg, errPointer)
	}
	return unsafe.Slice((*E)(p), n), nil
}

// size gives a target without a size the plan's. One of n and s alone is most likely
// forgotten, unless the plan has no other.
func (p *typed[T]) size(t *target) error {
	switch {
	case t.n == 0 && t.s == 0:
		t.n, t.s = p.spec.N, p.spec.S
	case t.n < 0 || t.n > p.spec.N || t.s < 0 || t.s > p.spec.S:
		return fmt.Errorf("segloss: target of n = %d, s = %d, plan for at most %d, %d: %w", t.n, t.s, p.spec.N, p.spec.S, kernels.ErrShape)
	case t.n == 0 && p.spec.N > 0:
		return fmt.Errorf("segloss: target.n = 0 with target.s = %d, want both or neither: %w", t.s, kernels.ErrShape)
	case t.s == 0 && p.spec.S > 0:
		return fmt.Errorf("segloss: target.s = 0 with target.n = %d, want both or neither: %w", t.n, kernels.ErrShape)
	}
	return nil
}

// batch reads a target, and the number of elements of its prediction.
func (p *typed[T]) batch(t target) (kernels.Target, int, error) {
	if err := p.size(&t); err != nil {
		return kernels.Target{}, 0, err
	}
	positions, elements := t.n*t.s, t.n*p.spec.C*t.s
	var kt kernels.Target
	var err error
	switch t.kind {
	case 0:
		kt, err = read(t.data, elements, kernels.Dense[T])
	case 1:
		kt, err = read(t.data, positions, kernels.Labels[uint8])
	case 2:
		kt, err = read(t.data, positions, kernels.Labels[int32])
	case 3:
		kt, err = read(t.data, positions, kernels.Labels[int64])
	case 4:
		kt, err = read(t.data, positions, kernels.Labels[int8])
	case 5:
		kt, err = read(t.data, positions, kernels.Labels[int16])
	case 6:
		kt, err = read(t.data, positions, kernels.Labels[uint16])
	case 7:
		kt, err = read(t.data, positions, kernels.Labels[uint32])
	default:
		err = fmt.Errorf("segloss: target.type = %d: %w", t.kind, kernels.ErrOption)
	}
	if t.weights != nil {
		kt = kt.Weights(unsafe.Slice(t.weights, positions))
	}
	if t.mask != nil {
		kt = kt.Mask(unsafe.Slice(t.mask, positions))
	}
	return kt.Sized(t.n, t.s), elements, err
}

func read[E any](p unsafe.Pointer, n int, as func([]E) kernels.Target) (kernels.Target, error) {
	e, err := slice[E]("target.data", p, n)
	return as(e), err
}

// passed keeps the value of a forward pass. One that failed leaves the last one valid.
func (p *typed[T]) passed(v kernels.Value, err error) (float64, error) {
	if err == nil {
		p.value = v
	}
	return v.Loss, err
}

func (p *typed[T]) forward(x unsafe.Pointer, t target) (float64, error) {
	kt, n, err := p.batch(t)
	if err != nil {
		return 0, err
	}
	xs, err := slice[T]("x", x, n)
	if err != nil {
		return 0, err
	}
	return p.passed(p.Forward(context.Background(), xs, kt))
}

// arguments are those of a call that writes a gradient.
func (p *typed[T]) arguments(dx, x unsafe.Pointer, t target) (kt kernels.Target, dxs, xs []T, err error) {
	kt, n, err := p.batch(t)
	if err != nil {
		return
	}
	if xs, err = slice[T]("x", x, n); err != nil {
		return
	}
	dxs, err = slice[T]("dx", dx, n)
	return
}

func (p *typed[T]) backward(dx, x unsafe.Pointer, t target, g kernels.Grad) error {
	kt, dxs, xs, err := p.arguments(dx, x, t)
	if err != nil {
		return err
	}
	return p.Backward(context.Background(), dxs, xs, kt, p.value, g)
}

func (p *typed[T]) forwardBackward(dx, x unsafe.Pointer, t target, g kernels.Grad) (float64, error) {
	kt, dxs, xs, err := p.arguments(dx, x, t)
	if err != nil {
		return 0, err
	}
	return p.passed(p.ForwardBackward(context.Background(), dxs, xs, kt, g))
}

// sumsSize is the length of the sums of so many rows, or 0 where NewSums makes none.
func (p *typed[T]) sumsSize(rows int64) int {
	if rows < 0 || rows > int64(math.MaxInt32/p.stride) {
		return 0
	}
	return int(rows) * p.stride
}

// sums copies C's sums into ours.
func (p *typed[T]) sums(rows int64, theirs unsafe.Pointer) (*kernels.Sums, []float64, error) {
	n := p.sumsSize(rows)
	if n == 0 && rows != 0 {
		return nil, nil, fmt.Errorf("segloss: rows = %d, want 0 … %d: %w", rows, math.MaxInt32/p.stride, kernels.ErrShape)
	}
	data, err := slice[float64]("sums", theirs, n)
	if err != nil {
		return nil, nil, err
	}
	s := p.NewSums(int(rows))
	copy(s.Data(), data)
	return s, data, nil
}

func (p *typed[T]) reduce(s *kernels.Sums, row int, x unsafe.Pointer, t target) error {
	kt, n, err := p.batch(t)
	if err != nil {
		return err
	}
	xs, err := slice[T]("x", x, n)
	if err != nil {
		return err
	}
	return p.Reduce(context.Background(), s, row, xs, kt)
}

func (p *typed[T]) finish(s *kernels.Sums, row int) (float64, error) {
	return p.passed(p.Finish(s, row))
}

// plans are those that C holds, by number.
var plans struct {
	sync.Mutex
	last uint64
	byID map[uint64]plan
}

func keep(p plan) uint64 {
	plans.Lock()
	defer plans.Unlock()
	if plans.byID == nil {
		plans.byID = map[uint64]plan{}
	}
	plans.last++
	plans.byID[plans.last] = p
	return plans.last
}

func drop(id uint64) {
	plans.Lock()
	defer plans.Unlock()
	delete(plans.byID, id)
}

func find(id uint64) (plan, error) {
	plans.Lock()
	defer plans.Unlock()
	if p := plans.byID[id]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("segloss: plan %d does not exist: %w", id, errPointer)
}
