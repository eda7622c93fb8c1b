package kernels_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/ref"
)

// Whatever is read comes back from its canonical form; whatever is not is
// blamed on a place in the expression.
func FuzzParse(f *testing.F) {
	for _, expr := range everyOption(3) {
		f.Add(expr)
	}
	for _, expr := range []string{
		"", " ", "dize", "1e-3*bce + dice(smooth=1, weight=[1,2,0.5])", "-dice - -2*ce", "dice(", "dice(smooth=", "dice(weight=[", "2*", "\xff",
		"dice(smooth=1e400)", "1e308*exp_log(w_dice=1e308)", "0*mcc(batch=true)", "mcc + dice", "dice(weight=[1,", "+ + dice", "1e5e5*dice", "é*dice",
		"2*(dice + 0.5*(ce + focal)) - (iou)", "-(-(mcc))", "((", "())", "(dice", "1e-400*dice", "1e-200*(1e-200*dice)", "dice\x00", "dïce", "dice(smooth＝1)", "dice − ce",
	} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		l, err := kernels.Parse(expr, mcc{})
		if err != nil {
			var s *kernels.SyntaxError
			if !errors.As(err, &s) || s.Col < 1 || s.Col > utf8.RuneCountInString(expr)+1 || s.Msg == "" || s.Expr != expr {
				t.Fatalf("%q: %#v", expr, err)
			}
			return
		}
		again, err := kernels.Parse(l.String(), mcc{})
		if err != nil || again.String() != l.String() || !reflect.DeepEqual(again.Terms(), l.Terms()) {
			t.Fatalf("%q: %q comes back as %q, %v", expr, l, again, err)
		}
		combined, err := kernels.Combine(l.Terms()...)
		if err != nil || combined.String() != l.String() {
			t.Fatalf("%q: %q combined is %q, %v", expr, l, combined, err)
		}
		for c := 1; c <= 3; c++ {
			spec := kernels.Spec{N: 1, C: c, S: 1}
			p, err := kernels.New[float64](l, spec)
			if err != nil {
				if !errors.As(err, new(*kernels.ArgError)) {
					t.Fatalf("%q with %d classes: %v", expr, c, err)
				}
				continue
			}
			if _, err := p.Forward(context.Background(), make([]float64, c), kernels.Labels([]uint8{0})); err != nil {
				t.Fatalf("%q with %d classes: %v", expr, c, err)
			}
		}
	})
}

// numberOptions lists every option that is a number, as name(option=%v).
func numberOptions() []string {
	var all []string
	for _, info := range kernels.Losses() {
		for _, o := range info.Options {
			if o.Type == "number" || o.Type == "number or none" {
				all = append(all, info.Name+"("+o.Name+"=%v)")
				if o.Name == "smooth" && info.Name != "gdl" && info.Name != "exp_log_dice" {
					all = append(all, info.Name+"("+o.Name+"=%v,soft=true)")
				}
			}
		}
	}
	return append(all, "bce(pos_weight=%v)", "dice(smooth=%v,squared=true)", "iou(smooth=%v,invert_empty=true)", "dice(smooth=%v,batch=true,absent=skip)")
}

// fuzzedCase makes a case of raw bytes: four bytes for each prediction, then
// one for its target; those of class 0 also say whether the position exists.
func fuzzedCase(expr string, act kernels.Activation, classes int, raw []byte) *golden.Case {
	const each = 5
	n := 1 + len(raw)%2
	s := len(raw) / (each * classes * n)
	c := &golden.Case{
		ID: expr, Loss: expr, Activation: act.String(), N: n, C: classes, S: s,
		Pred: make([]float64, n*classes*s), Target: make([]float64, n*classes*s), Mask: make([]uint8, n*s),
	}
	for i := range c.Pred {
		b := raw[each*i:]
		c.Pred[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		if act == kernels.None && b[4]&3 != 0 { // mostly probabilities
			c.Pred[i] = float64(binary.LittleEndian.Uint16(b)) / math.MaxUint16
		}
		c.Target[i] = float64(float32(min(float64(b[4]&15)/8, 1)))
		if i/s%classes == 0 {
			c.Mask[i/(s*classes)*s+i%s] = min(b[4]>>4, 1)
		}
	}
	return c
}

// existing reports whether an element's position exists.
type existing func(i int) bool

// sound reports whether there is anything at all, whether it is sound, of a
// size at which no exponential underflows in package ref, without cancellation
// in the sums (so no probability outside [0,1]) and without derivatives of 1/p
// that cancel to what is left of their rounding, and whether there is a NaN.
func (x existing) sound(c *golden.Case) (any, sound, isNaN bool) {
	sound = true
	for i, v := range c.Pred {
		if x(i) {
			any = true
			sound = sound && math.Abs(v) <= 350 && (c.Activation != "none" || v == 0 || v >= 1e-8 && v <= 1)
			isNaN = isNaN || math.IsNaN(v)
		}
	}
	return any, sound, isNaN
}

func existingOf(c *golden.Case) existing {
	return func(i int) bool { return c.Mask[i/(c.S*c.C)*c.S+i%c.S] != 0 }
}

// Whatever the options and the input: no panic, NaN for NaN, no gradient where
// nothing exists, and package ref's value for sound input.
func FuzzEdges(f *testing.F) {
	options := numberOptions()
	seed := func(x ...float32) (raw []byte) {
		for i, v := range x {
			raw = append(binary.LittleEndian.AppendUint32(raw, math.Float32bits(v)), byte(0x10+i*8%16))
		}
		return raw
	}
	inf32, nan32 := float32(inf), float32(nan)
	for i := range options {
		for _, v := range []float64{0, 1e-7, 0.5, 1, 3, 1e6} {
			f.Add(uint8(i), uint8(i), uint8(i), v, 1e-7, seed(0, 1, 1e-8, 1-1e-7, 0.5, 2, -1, 1e-7))
		}
		f.Add(uint8(i), uint8(1), uint8(0), 1e-5, 0.25, seed(0, 100, -100, 40, inf32, -inf32))
		f.Add(uint8(i), uint8(2), uint8(2), 0.3, 1e-3, seed(0, 100, -100, 1e30, 88, -88, 7, nan32))
		f.Add(uint8(i), uint8(2), uint8(1), 0.0, 1e-3, seed(5, 5, -5, -5, 0, 0))
	}
	f.Fuzz(func(t *testing.T, pick, activation, classes uint8, option, clip float64, raw []byte) {
		act := activations[int(activation)%len(activations)]
		c := fuzzedCase(fmt.Sprintf(options[int(pick)%len(options)], option), act, 1+int(classes)%4, raw)
		l, err := kernels.Parse(c.Loss)
		if err != nil || c.S == 0 {
			return
		}
		spec := kernels.Spec{N: c.N, C: c.C, S: c.S, Activation: act}
		for _, backend := range availableBackends() {
			plan, err := kernels.New[float64](l, spec, kernels.WithClip(clip), kernels.WithBackend(backend))
			if err != nil {
				return
			}
			c.ID = c.Loss + " on " + backend
			loose := option > 1e6 || clip < 1e-12
			checkFuzzed(t, c, plan, l, clip, loose)
		}
	})
}

// checkFuzzed checks one plan on a fuzzed case; the digits only where it is not
// loose.
func checkFuzzed(t *testing.T, c *golden.Case, plan *kernels.Plan[float64], l kernels.Loss, clip float64, loose bool) {
	t.Helper()
	exists := existingOf(c)
	any, sound, isNaN := exists.sound(c)
	dx := filled[float64](len(c.Pred), 7)
	v, err := plan.ForwardBackward(context.Background(), dx, c.Pred, kernels.Dense(c.Target).Mask(c.Mask), once)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	for i, g := range dx {
		if !exists(i) && (g != 0 || math.Signbit(g)) {
			t.Fatalf("%s: gradient %v at %d, which does not exist", c.ID, g, i)
		}
	}
	switch {
	case isNaN && !math.IsNaN(v.Loss):
		t.Fatalf("%s: loss %v of a NaN", c.ID, v.Loss)
	case !any && v.Loss != 0:
		t.Fatalf("%s: loss %v of nothing", c.ID, v.Loss)
	case sound && any && !loose:
		withinRef(t, c, l, clip, v.Loss, dx)
	}
}

// withinRef compares a result in float64 with package ref's, loosely: this is
// about edges, not digits.
func withinRef(t *testing.T, c *golden.Case, l kernels.Loss, clip, loss float64, dx []float64) {
	t.Helper()
	r, v := c.Dense()
	act, _ := kernels.ParseActivation(c.Activation)
	in := ref.Input{N: c.N, C: c.C, S: c.S, Activation: ref.Activation(act), X: c.Pred, R: r, V: v, Clip: clip}
	want, grad := 0.0, make([]float64, len(dx))
	for _, term := range l.Terms() {
		value, g := ref.Losses[term.Name](in, options(t, term))
		want += term.Coef * value
		for i := range g {
			grad[i] += term.Coef * g[i]
		}
	}
	if math.IsNaN(want) || math.IsInf(want, 0) {
		if !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			t.Fatalf("%s: loss %v; want %v", c.ID, loss, want)
		}
		return
	}
	if !(math.Abs(loss-want) <= 1e-6*(1+math.Abs(want))) {
		t.Fatalf("%s: x %v, r %v, clip %v: loss %v; want %v", c.ID, c.Pred, r, clip, loss, want)
	}
	most := 0.0
	for _, g := range grad {
		most = max(most, math.Abs(g))
	}
	if math.IsNaN(most) { // a power of the logarithm of a probability far below 0
		return
	}
	for i, g := range grad {
		if !(math.Abs(dx[i]-g) <= 1e-6*(1+most)) {
			t.Fatalf("%s: x %v, r %v, clip %v: gradient %v at %d; want %v", c.ID, c.Pred, r, clip, dx[i], i, g)
		}
	}
}

// Labels, weights, masks and lengths of any kind: an error where the rules ask
// for one and nowhere else, nothing written with it, and never a panic.
func FuzzLabels(f *testing.F) {
	f.Add(uint8(1), uint8(2), uint8(4), uint8(0), int8(0), int64(-1), []byte{0, 1, 1, 0}, []byte(nil), []byte(nil))
	f.Add(uint8(2), uint8(3), uint8(2), uint8(1), int8(0), int64(255), []byte{0, 255, 2, 1}, []byte{1, 0, 1, 1}, []byte(nil))
	f.Add(uint8(1), uint8(1), uint8(3), uint8(2), int8(0), int64(7), []byte{1, 2, 0}, []byte(nil), []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0xbf})
	f.Add(uint8(1), uint8(5), uint8(3), uint8(3), int8(1), int64(0), []byte{1, 2, 0}, []byte{1}, []byte{0, 0, 0x80})
	f.Add(uint8(0), uint8(0), uint8(0), uint8(0), int8(-1), int64(0), []byte{}, []byte{}, []byte{})
	f.Add(uint8(3), uint8(4), uint8(5), uint8(7), int8(0), int64(3), []byte("ABCDEFGHIJKLMNO"), []byte("\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00"), []byte(nil))
	l := mustParse(f, "dice + bce")
	f.Fuzz(func(t *testing.T, n, c, s, kind uint8, extra int8, ignore int64, labels, mask, weights []byte) {
		spec := kernels.Spec{N: int(n % 4), C: int(c % 6), S: int(s % 40), Activation: activations[kind>>2%3], Layout: layouts[kind>>4%2]}
		available := availableBackends()
		opts := append(manyUnits(1+int(kind>>5%3)), kernels.WithBackend(available[len(labels)%len(available)]))
		if kind%2 == 0 {
			opts = append(opts, kernels.WithIgnore(ignore))
		}
		plan, err := kernels.New[float32](l, spec, opts...)
		if err != nil {
			if spec.C >= 2 || spec.C == 1 && spec.Activation != kernels.Softmax {
				t.Fatalf("%+v: %v", spec, err)
			}
			return
		}
		target, class := fuzzedLabels(kind, labels)
		bad := len(labels) != spec.N*spec.S
		if mask != nil {
			target = target.Mask(mask)
			bad = bad || len(mask) != spec.N*spec.S
		}
		v := make([]float32, len(weights)/4)
		if weights != nil {
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(weights[4*i:]))
			}
			target = target.Weights(v)
			bad = bad || len(v) != spec.N*spec.S
		}
		for i := 0; i < len(labels) && !bad; i++ {
			if mask != nil && mask[i] == 0 {
				continue
			}
			if weights != nil {
				bad = !(v[i] >= 0 && v[i] <= math.MaxFloat32)
				if v[i] == 0 {
					continue
				}
			}
			y := class(i)
			bad = bad || (y < 0 || y >= int64(max(spec.C, 2))) && !(kind%2 == 0 && y == ignore)
		}
		x := make([]float32, max(0, spec.N*spec.C*spec.S+int(extra)))
		for i := range x {
			x[i] = float32(i%7) / 7
		}
		bad = bad || len(x) != spec.N*spec.C*spec.S
		dx := filled[float32](len(x), 7)
		value, err := plan.ForwardBackward(context.Background(), dx, x, target, once)
		if (err != nil) != bad {
			t.Fatalf("%+v: error %v; expected one: %v", spec, err, bad)
		}
		if err == nil {
			if math.IsNaN(value.Loss) {
				t.Fatalf("%+v: loss %v", spec, value.Loss)
			}
			return
		}
		if !errors.As(err, new(*kernels.ArgError)) {
			t.Fatalf("%+v: %v is no ArgError", spec, err)
		}
		if i := different(dx, filled[float32](len(x), 7)); i >= 0 {
			t.Fatalf("%+v: %v, but dx[%d] was written", spec, err, i)
		}
	})
}

// fuzzedLabels reads labels as one of the types, and stretches the larger bytes over
// its whole range.
func fuzzedLabels(kind uint8, labels []byte) (kernels.Target, func(i int) int64) {
	l := labelTypes[int(kind)%len(labelTypes)]
	y := convert[int64](labels)
	for i := range y {
		if y[i] > 200 && l.most != math.MaxUint8 {
			y[i] = (y[i] - 230) * (l.most / 26)
		}
		y[i] = min(max(y[i], l.least), l.most)
	}
	return l.make(y), func(i int) int64 { return y[i] }
}
