package exact

// number is v + d·ε with ε² = 0: a value and its derivative, both of type T,
// which may be such a pair itself.
type number[T any] struct{ v, d T }

// duals is the arithmetic of such numbers over another. Derivatives of constants
// are not computed with.
type duals[T any] struct {
	base[T]
	zero, one T
}

func newDuals[T any](over base[T]) *duals[T] {
	return &duals[T]{over, over.Num(0), over.Num(1)}
}

func (f *duals[T]) Num(x float64) number[T] { return number[T]{f.base.Num(x), f.zero} }

func (f *duals[T]) Add(a, b number[T]) number[T] {
	d := a.d
	switch {
	case f.base.Blank(a.d):
		d = b.d
	case !f.base.Blank(b.d):
		d = f.base.Add(a.d, b.d)
	}
	return number[T]{f.base.Add(a.v, b.v), d}
}

func (f *duals[T]) Sub(a, b number[T]) number[T] {
	d := a.d
	if !f.base.Blank(b.d) {
		d = f.base.Sub(a.d, b.d)
	}
	return number[T]{f.base.Sub(a.v, b.v), d}
}

func (f *duals[T]) Mul(a, b number[T]) number[T] {
	return number[T]{f.base.Mul(a.v, b.v), f.base.Add(f.times(b.v, a.d), f.times(a.v, b.d))}
}

// times is a·d for a derivative d.
func (f *duals[T]) times(a, d T) T {
	if f.base.Blank(d) {
		return f.zero
	}
	return f.base.Mul(a, d)
}

func (f *duals[T]) Div(a, b number[T]) number[T] {
	q := f.base.Div(a.v, b.v)
	d := a.d
	if !f.base.Blank(b.d) {
		d = f.base.Sub(a.d, f.base.Mul(q, b.d))
	}
	if !f.base.Blank(d) {
		d = f.base.Div(d, b.v)
	}
	return number[T]{q, d}
}

func (f *duals[T]) Exp(a number[T]) number[T] {
	e := f.base.Exp(a.v)
	return number[T]{e, f.times(e, a.d)}
}

func (f *duals[T]) Log(a number[T]) number[T] {
	return number[T]{f.base.Log(a.v), f.over(a.d, a.v)}
}

func (f *duals[T]) Log1p(a number[T]) number[T] {
	return number[T]{f.base.Log1p(a.v), f.over(a.d, f.base.Add(f.one, a.v))}
}

// over is d/b for a derivative d.
func (f *duals[T]) over(d, b T) T {
	if f.base.Blank(d) {
		return f.zero
	}
	return f.base.Div(d, b)
}

func (f *duals[T]) Pow(a number[T], g float64) number[T] {
	p := number[T]{f.base.Pow(a.v, g), f.zero}
	if g == 0 || f.base.Blank(a.d) {
		return p
	}
	var less T // a^(g−1); g−1 is not exact
	if f.base.IsZero(a.v) {
		less = f.base.Pow(a.v, g-1)
	} else {
		less = f.base.Div(p.v, a.v)
	}
	p.d = f.base.Mul(f.base.Mul(f.base.Num(g), less), a.d)
	return p
}

func (f *duals[T]) Cmp(a, b number[T]) int         { return f.base.Cmp(a.v, b.v) }
func (f *duals[T]) IsZero(a number[T]) bool        { return f.base.IsZero(a.v) }
func (f *duals[T]) Blank(a number[T]) bool         { return f.base.Blank(a.v) && f.base.Blank(a.d) }
func (f *duals[T]) Float(a number[T]) float64      { return f.base.Float(a.v) }
func (f *duals[T]) Vary(a number[T]) number[T]     { return number[T]{a.v, f.one} }
func (f *duals[T]) Slope(a number[T]) float64      { return f.base.Float(a.d) }
func (f *duals[T]) Graft(a, b number[T]) number[T] { return number[T]{a.v, b.d} }
