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
	return &duals[T]{over, over.num(0), over.num(1)}
}

func (f *duals[T]) num(x float64) number[T] { return number[T]{f.base.num(x), f.zero} }

func (f *duals[T]) add(a, b number[T]) number[T] {
	d := a.d
	switch {
	case f.base.blank(a.d):
		d = b.d
	case !f.base.blank(b.d):
		d = f.base.add(a.d, b.d)
	}
	return number[T]{f.base.add(a.v, b.v), d}
}

func (f *duals[T]) sub(a, b number[T]) number[T] {
	d := a.d
	if !f.base.blank(b.d) {
		d = f.base.sub(a.d, b.d)
	}
	return number[T]{f.base.sub(a.v, b.v), d}
}

func (f *duals[T]) mul(a, b number[T]) number[T] {
	return number[T]{f.base.mul(a.v, b.v), f.base.add(f.times(b.v, a.d), f.times(a.v, b.d))}
}

// times is a·d for a derivative d.
func (f *duals[T]) times(a, d T) T {
	if f.base.blank(d) {
		return f.zero
	}
	return f.base.mul(a, d)
}

func (f *duals[T]) div(a, b number[T]) number[T] {
	q := f.base.div(a.v, b.v)
	d := a.d
	if !f.base.blank(b.d) {
		d = f.base.sub(a.d, f.base.mul(q, b.d))
	}
	if !f.base.blank(d) {
		d = f.base.div(d, b.v)
	}
	return number[T]{q, d}
}

func (f *duals[T]) exp(a number[T]) number[T] {
	e := f.base.exp(a.v)
	return number[T]{e, f.times(e, a.d)}
}

func (f *duals[T]) log(a number[T]) number[T] {
	return number[T]{f.base.log(a.v), f.over(a.d, a.v)}
}

func (f *duals[T]) log1p(a number[T]) number[T] {
	return number[T]{f.base.log1p(a.v), f.over(a.d, f.base.add(f.one, a.v))}
}

// over is d/b for a derivative d.
func (f *duals[T]) over(d, b T) T {
	if f.base.blank(d) {
		return f.zero
	}
	return f.base.div(d, b)
}

func (f *duals[T]) pow(a number[T], g float64) number[T] {
	p := number[T]{f.base.pow(a.v, g), f.zero}
	if g == 0 || f.base.blank(a.d) {
		return p
	}
	var less T // a^(g−1); g−1 is not exact
	if f.base.isZero(a.v) {
		less = f.base.pow(a.v, g-1)
	} else {
		less = f.base.div(p.v, a.v)
	}
	p.d = f.base.mul(f.base.mul(f.base.num(g), less), a.d)
	return p
}

func (f *duals[T]) cmp(a, b number[T]) int         { return f.base.cmp(a.v, b.v) }
func (f *duals[T]) isZero(a number[T]) bool        { return f.base.isZero(a.v) }
func (f *duals[T]) blank(a number[T]) bool         { return f.base.blank(a.v) && f.base.blank(a.d) }
func (f *duals[T]) float(a number[T]) float64      { return f.base.float(a.v) }
func (f *duals[T]) vary(a number[T]) number[T]     { return number[T]{a.v, f.one} }
func (f *duals[T]) slope(a number[T]) float64      { return f.base.float(a.d) }
func (f *duals[T]) graft(a, b number[T]) number[T] { return number[T]{a.v, b.d} }
