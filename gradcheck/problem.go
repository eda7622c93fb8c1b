package gradcheck

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/kernels"
)

// DType is the element type that a gradient is computed in.
type DType uint8

// The element types.
const (
	Float64 DType = iota
	Float32
)

// String returns f64 or f32.
func (d DType) String() string {
	if d == Float32 {
		return "f32"
	}
	return "f64"
}

// ParseDType is the inverse of String.
func ParseDType(s string) (DType, error) {
	for _, d := range []DType{Float64, Float32} {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, &kernels.ArgError{Arg: "dtype", Index: -1, Value: s, Err: fmt.Errorf("%w: %s", kernels.ErrOption, names.Suggest(s, []string{Float64.String(), Float32.String()}))}
}

// labelType is the element type that labels are handed over in.
type labelType uint8

const (
	noLabels labelType = iota // the target is dense
	uint8Labels
	int32Labels
	int64Labels
)

// A problem is a prediction with its target, planar, and holds both in the
// types and layouts that they were last asked for in.
type problem struct {
	n, c, s    int
	activation kernels.Activation
	x          []float64
	dense      []float64 // nil: labels
	labels     []int64
	labelType  labelType
	weights    []float32
	mask       []uint8
	ignore     *int64
	clip       float64
}

// problem returns the planar form of the caller's tensors.
func (in Input) problem() (*problem, error) {
	size := in.N * in.C * in.S
	if len(in.Pred) != size {
		return nil, &kernels.ArgError{Arg: "pred", Index: -1, Value: len(in.Pred), Err: fmt.Errorf("%w: want %d elements", kernels.ErrShape, size)}
	}
	p := &problem{
		n: in.N, c: in.C, s: in.S, activation: in.Activation, clip: in.Clip, ignore: in.Ignore,
		x: planar(in.Pred, in.N, in.C, in.S, in.Layout), weights: in.Weights,
	}
	switch {
	case (in.Dense == nil) == (in.Labels == nil):
		return nil, &kernels.ArgError{Arg: "target", Index: -1, Value: nil, Err: fmt.Errorf("%w: want either dense or labels", kernels.ErrShape)}
	case in.Labels != nil:
		p.labels, p.labelType = in.Labels, int64Labels
	case len(in.Dense) != size:
		return nil, &kernels.ArgError{Arg: "target", Index: -1, Value: len(in.Dense), Err: fmt.Errorf("%w: want %d elements", kernels.ErrShape, size)}
	default:
		p.dense = planar(in.Dense, in.N, in.C, in.S, in.Layout)
	}
	return p, nil
}

// targetKind names the kind of the target.
func (p *problem) targetKind() string {
	kind := "labels"
	if p.dense != nil {
		kind = "dense"
	}
	if p.weights != nil {
		kind += ", weights"
	}
	if p.ignore != nil {
		kind += ", ignore"
	}
	return kind
}

// planar returns a copy of v, which is laid out as given, with the positions
// fastest.
func planar(v []float64, n, c, s int, l kernels.Layout) []float64 {
	if l == kernels.NCS {
		return slices.Clone(v)
	}
	out := make([]float64, len(v))
	for i := range n {
		for j := range c {
			for k := range s {
				out[(i*c+j)*s+k] = v[(i*s+k)*c+j]
			}
		}
	}
	return out
}

// arrange converts planar v to a type and a layout.
func arrange[T kernels.Float](v []float64, n, c, s int, l kernels.Layout) []T {
	out := make([]T, len(v))
	if l == kernels.NCS {
		for i, a := range v {
			out[i] = T(a)
		}
		return out
	}
	for i := range n {
		for j := range c {
			for k := range s {
				out[(i*s+k)*c+j] = T(v[(i*c+j)*s+k])
			}
		}
	}
	return out
}

// collect is the inverse of arrange, and divides by scale.
func collect[T kernels.Float](v []T, n, c, s int, l kernels.Layout, scale float64) []float64 {
	out := make([]float64, len(v))
	if l == kernels.NCS {
		for i, a := range v {
			out[i] = float64(a) / scale
		}
		return out
	}
	for i := range n {
		for j := range c {
			for k := range s {
				out[(i*c+j)*s+k] = float64(v[(i*s+k)*c+j]) / scale
			}
		}
	}
	return out
}

// index returns the place of an element, and place the element of an index.
func (p *problem) index(n, c, s int) int { return (n*p.c+c)*p.s + s }

func (p *problem) place(i int) (n, c, s int) { return i / (p.c * p.s), i / p.s % p.c, i % p.s }

// target returns r of an element.
func (p *problem) target(n, c, s int) float64 {
	if p.dense != nil {
		return p.dense[p.index(n, c, s)]
	}
	y := p.labels[n*p.s+s]
	if p.c == 1 {
		return float64(y)
	}
	if y == int64(c) {
		return 1
	}
	return 0
}

// exists reports whether a position takes part in the loss.
func (p *problem) exists(n, s int) bool {
	i := n*p.s + s
	switch {
	case p.weights != nil && p.weights[i] == 0, p.mask != nil && p.mask[i] == 0:
		return false
	case p.labels != nil && p.ignore != nil && p.labels[i] == *p.ignore:
		return false
	}
	return true
}

// spreads returns, for every element, the measure of its position's logits that
// its error bound grows with, 0 where the position does not exist.
func (p *problem) spreads() []float64 {
	out := make([]float64, len(p.x))
	if p.activation == kernels.None {
		return out
	}
	for i := range p.n * p.s {
		n, s := i/p.s, i%p.s
		if !p.exists(n, s) {
			continue
		}
		lo, hi := math.Inf(1), math.Inf(-1)
		for c := range p.c {
			v := p.x[p.index(n, c, s)]
			out[p.index(n, c, s)] = math.Abs(v)
			lo, hi = min(lo, v), max(hi, v)
		}
		for c := 0; c < p.c && p.activation == kernels.Softmax; c++ {
			out[p.index(n, c, s)] = hi - lo
		}
	}
	return out
}

// probability returns p and q of an element.
func (p *problem) probability(n, c, s int) (prob, rest float64) {
	x := p.x[p.index(n, c, s)]
	switch p.activation {
	case kernels.Sigmoid:
		return 1 / (1 + math.Exp(-x)), 1 / (1 + math.Exp(x))
	case kernels.Softmax:
		others := 0.0
		for k := range p.c {
			if k != c {
				others += math.Exp(p.x[p.index(n, k, s)] - x)
			}
		}
		return 1 / (1 + others), 1 / (1 + 1/others)
	}
	return x, 1 - x
}

// at returns the problem of one position alone, with the values copied.
func (p *problem) at(n, s int) *problem { return p.gather(n, []int{s}) }

// gather returns the problem of some positions of sample n, with the values
// copied.
func (p *problem) gather(n int, positions []int) *problem {
	part := &problem{n: 1, c: p.c, s: len(positions), activation: p.activation, labelType: p.labelType, ignore: p.ignore, clip: p.clip}
	part.x = p.elements(p.x, n, positions)
	part.dense = p.elements(p.dense, n, positions)
	start := n * p.s
	part.labels = at(p.labels, start, positions)
	part.weights = at(p.weights, start, positions)
	part.mask = at(p.mask, start, positions)
	return part
}

// elements returns what v, which is laid out like the prediction, has for some
// positions of sample n, nil for nil.
func (p *problem) elements(v []float64, n int, positions []int) []float64 {
	if v == nil {
		return nil
	}
	out := make([]float64, 0, p.c*len(positions))
	for c := range p.c {
		out = append(out, at(v, p.index(n, c, 0), positions)...)
	}
	return out
}

// at returns the values that lie the given distances behind start, nil for nil.
func at[T any](v []T, start int, distances []int) []T {
	if v == nil {
		return nil
	}
	out := make([]T, len(distances))
	for j, d := range distances {
		out[j] = v[start+d]
	}
	return out
}

// options returns the plan options that the problem asks for.
func (p *problem) options(backend string) []kernels.Option {
	var o []kernels.Option
	if backend != "" {
		o = append(o, kernels.WithBackend(backend))
	}
	if p.ignore != nil {
		o = append(o, kernels.WithIgnore(*p.ignore))
	}
	if p.clip != 0 {
		o = append(o, kernels.WithClip(p.clip))
	}
	return o
}

// spec returns the plan's capacities, which fit exactly.
func (p *problem) spec(l kernels.Layout) kernels.Spec {
	return kernels.Spec{N: p.n, C: p.c, S: p.s, Activation: p.activation, Layout: l}
}

// bound is a problem in one type and layout, as the kernels take it.
type bound[T kernels.Float] struct {
	x []T
	t kernels.Target
}

// bind lays a problem out.
func bind[T kernels.Float](p *problem, l kernels.Layout) bound[T] {
	b := bound[T]{x: arrange[T](p.x, p.n, p.c, p.s, l)}
	switch p.labelType {
	case uint8Labels:
		b.t = kernels.Labels(convert[uint8](p.labels))
	case int32Labels:
		b.t = kernels.Labels(convert[int32](p.labels))
	case int64Labels:
		b.t = kernels.Labels(p.labels)
	default:
		b.t = kernels.Dense(arrange[T](p.dense, p.n, p.c, p.s, l))
	}
	if p.weights != nil {
		b.t = b.t.Weights(p.weights)
	}
	if p.mask != nil {
		b.t = b.t.Mask(p.mask)
	}
	return b
}

func convert[L kernels.Label](y []int64) []L {
	out := make([]L, len(y))
	for i, v := range y {
		out[i] = L(v)
	}
	return out
}

// A gradient is a loss and its derivatives by every element, planar.
type gradient struct {
	loss float64
	dx   []float64
}

// upstream multiplies every gradient that is checked and is divided out again,
// without rounding; a gradient that forgets it is off by a factor of four.
const upstream = 4

// gradientOf evaluates a loss on a problem. The planar layout goes through the
// two calls and channels-last through the one that does both.
func gradientOf[T kernels.Float](ctx context.Context, l kernels.Loss, p *problem, b bound[T], w way, o ...kernels.Option) (gradient, error) {
	plan, err := newPlan[T](l, p, w, o)
	if err != nil {
		return gradient{}, err
	}
	if c, ok := plan.(io.Closer); ok {
		defer c.Close()
	}
	dx := make([]T, len(b.x))
	g := kernels.Grad{Scale: upstream}
	var v kernels.Value
	if w.layout == kernels.NCS {
		if v, err = plan.Forward(ctx, b.x, b.t); err == nil {
			err = plan.Backward(ctx, dx, b.x, b.t, v, g)
		}
	} else {
		v, err = plan.ForwardBackward(ctx, dx, b.x, b.t, g)
	}
	if err != nil {
		return gradient{}, err
	}
	return gradient{v.Loss, collect(dx, p.n, p.c, p.s, w.layout, upstream)}, nil
}
