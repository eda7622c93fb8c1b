package cuda

import (
	"math"
	"testing"

	"github.com/segloss/segloss/internal/golden"
	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda/internal/modules"
	"github.com/segloss/segloss/kernels/cuda/internal/ptxsim"
	"github.com/segloss/segloss/kernels/internal/share"
)

var layouts = []kernels.Layout{kernels.NCS, kernels.NSC}

// route is a way through a plan.
type route struct {
	name     string
	th       thresholds
	together bool
}

var routes = []route{
	{"apart", realThresholds, false},
	{"chunks", small, true},
	{"on-chip", realThresholds, true},
}

// TestGolden holds the kernels, executed instruction by instruction, to the golden data.
// Approximate instructions are as wrong as the manual lets them be.
func TestGolden(t *testing.T) {
	t.Run("f32", func(t *testing.T) { testGolden[float32](t, Float32, golden.K32, golden.U32) })
	t.Run("f64", func(t *testing.T) { testGolden[float64](t, Float64, golden.K64, golden.U64) })
}

func testGolden[T kernels.Float](t *testing.T, e DType, k, u float64) {
	cases := golden.Load(t)
	for i, r := range routes {
		for j, layout := range layouts {
			way := i*len(layouts) + j
			t.Run(r.name+"/"+layout.String(), func(t *testing.T) {
				t.Parallel()
				d := open(t, ptxsim.Options{Seed: uint64(1 + way), NoRaces: r.name == "apart"})
				worst, which := 0.0, ""
				for n := range cases {
					if !chosen(n, way+e.Size()) {
						continue
					}
					c := &cases[n]
					p := newProblem[T](t, c, layout)
					loss, dx := p.gradient(t, d, e, r.th, r.together)
					e, err := c.Check(k, u, loss, planar(dx, p.spec))
					if err != nil {
						t.Error(err)
					}
					if e > worst {
						worst, which = e, c.ID
					}
				}
				t.Logf("largest error: %.3g of its bound, in %s", worst, which)
			})
		}
	}
}

// TestGoldenCoversModules: the cases leave no module out.
func TestGoldenCoversModules(t *testing.T) {
	left := map[string]bool{}
	for _, m := range modules.All() {
		left[m.Name] = true
	}
	for _, c := range golden.Load(t) {
		p := newProblem[float32](t, &c, kernels.NCS)
		f := &share.Program(p.loss, c.C).Features
		for _, e := range dtypes {
			delete(left, modules.Choose(f, e.element, p.spec.Activation == kernels.Softmax, c.C))
		}
	}
	if len(left) > 0 {
		t.Errorf("no golden case runs %v", left)
	}
}

// TestGoldenLabelTypes: the type of the labels makes no difference to any bit.
func TestGoldenLabelTypes(t *testing.T) {
	d := open(t, ptxsim.Options{})
	tried := 0
	for _, c := range golden.Load(t) {
		if c.Labels == nil || c.N*c.S == 0 || !fit(c.Labels) {
			continue
		}
		if tried++; tried%3 != 0 || !chosen(tried/3, 0) {
			continue
		}
		p := newProblem[float32](t, &c, kernels.NCS)
		loss, dx := p.gradient(t, d, Float32, realThresholds, false)
		other := labels[tried/3%len(labels)]
		p.target = other.make(c.Labels)
		p.cover()
		if l, g := p.gradient(t, d, Float32, realThresholds, false); !same(l, loss) || !sameAll(g, dx) {
			t.Errorf("%s: %s: loss %v, want %v, or another gradient", c.ID, other.name, l, loss)
		}
	}
	if tried < 200 {
		t.Errorf("only %d cases have labels that fit", tried)
	}
}

// labels make targets of every type, each with what its ignore index usually is.
var labels = []struct {
	name    string
	ignored int64
	make    func(y []int64) kernels.Target
}{
	{"uint8", 255, targetOf[uint8]}, {"int32", -100, targetOf[int32]}, {"int64", -100, targetOf[int64]},
	{"int8", -100, targetOf[int8]}, {"int16", -100, targetOf[int16]},
	{"uint16", math.MaxUint16, targetOf[uint16]}, {"uint32", math.MaxUint32, targetOf[uint32]},
}

func targetOf[L kernels.Label](y []int64) kernels.Target { return kernels.Labels(convert[L](y)) }

func fit(labels []int64) bool {
	for _, y := range labels {
		if y < 0 || y > math.MaxInt8 {
			return false
		}
	}
	return true
}

func same[T kernels.Float](a, b T) bool { return a == b || a != a && b != b }

func sameAll[T kernels.Float](a, b []T) bool {
	for i := range a {
		if !same(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// TestGoldenHalf holds elements of 16 bits to the float64 gradient of the same elements:
// within one rounding of their format, beside the error that float32 may have.
func TestGoldenHalf(t *testing.T) {
	for _, half := range []struct {
		e          DType
		digits     float64 // units roundoff
		least, max float64 // spacing of subnormals, and the largest number
		to         func(float32) uint16
		from       func(uint16) float32
	}{
		{Float16, 0x1p-11, 0x1p-24, 65504, toFloat16, fromFloat16},
		{BFloat16, 0x1p-8, 0x1p-133, math.MaxFloat32, toBFloat16, fromBFloat16},
	} {
		for j, layout := range layouts {
			t.Run(half.e.String()+"/"+layout.String(), func(t *testing.T) {
				t.Parallel()
				d := open(t, ptxsim.Options{Seed: 7})
				cases := golden.Load(t)
				for n := range cases {
					if n%2 != j || !chosen(n/2, j+int(half.e)) {
						continue
					}
					c := cases[n]
					c.Pred = append([]float64(nil), c.Pred...)
					for i, v := range c.Pred {
						c.Pred[i] = float64(half.from(half.to(float32(v))))
					}
					p := newProblem[float32](t, &c, layout)
					loss, dx := p.gradient(t, d, half.e, realThresholds, n%3 == 0)
					want := newProblem[float64](t, &c, layout)
					wantLoss, wantDx := onCPU(t, want)
					if bound := golden.LossBound(golden.K32, golden.U32, c.MaxSpread(), 2*c.ValueScale); math.Abs(loss-wantLoss) > bound {
						t.Errorf("%s: loss %v, want %v within %.3g", c.ID, loss, wantLoss, bound)
					}
					spread, got, exact := c.Spread(), planar(dx, p.spec), planar(wantDx, p.spec)
					for i := range got {
						bound := golden.GradBound(golden.K32, golden.U32, spread[i], 2*c.Scale[i]) + half.digits*math.Abs(exact[i]) + half.least/2
						if math.Abs(exact[i]) > half.max {
							continue
						}
						if !(math.Abs(got[i]-exact[i]) <= bound) && !same(got[i], exact[i]) {
							t.Errorf("%s: gradient[%d] = %v, want %v within %.3g", c.ID, i, got[i], exact[i], bound)
							break
						}
					}
				}
			})
		}
	}
}

func onCPU(t *testing.T, p *problem[float64]) (float64, []float64) {
	t.Helper()
	plan, err := kernels.New[float64](p.loss, p.spec, p.opts...)
	if err != nil {
		t.Fatal(err)
	}
	dx := make([]float64, len(p.x))
	v, err := plan.ForwardBackward(t.Context(), dx, p.x, p.target, kernels.Grad{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	return v.Loss, dx
}
