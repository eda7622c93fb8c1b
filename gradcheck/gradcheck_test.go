package gradcheck

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/internal/brain"
	"github.com/segloss/segloss/internal/variants"
	"github.com/segloss/segloss/kernels"
)

func parse(t *testing.T, expr string, custom ...kernels.Region) kernels.Loss {
	t.Helper()
	l, err := kernels.Parse(expr, custom...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantVerdict fails the test with the report where its verdict is another.
func wantVerdict(t *testing.T, r Report, want Verdict) {
	t.Helper()
	if r.Verdict() == want {
		return
	}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	t.Errorf("%v, want %v\n%s", r.Verdict(), want, &b)
}

// TestTable runs the table of small tensors, thinned for a short run, and asks
// that no loss, activation, kind or edge is missing from it.
func TestTable(t *testing.T) {
	o := Options{}
	if testing.Short() {
		o.Level = Short
	}
	ways, err := o.ways(kernels.NCS, kernels.NSC)
	if err != nil {
		t.Fatal(err)
	}
	tests := o.testcases()
	p, want := &progress{}, newProgress(o, tests, nil).total
	take := func(tc testcase) []variant {
		vs, err := listed(tc.classes())
		if err != nil {
			t.Error(err)
		}
		return tc.share(vs)
	}
	rows, err := runTable(context.Background(), tests, take, ways, p)
	if err != nil {
		t.Fatal(err)
	}
	list, err := committed()
	if err != nil {
		t.Fatal(err)
	}
	list.mark(rows)
	wantVerdict(t, Report{Rows: rows}, Pass)
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Group+"|"+r.Activation] = true
		seen[r.Target] = true
		seen[r.Edge] = true
		seen[r.DType+"|"+r.Layout] = true
	}
	groups, names := []string{pairsGroup}, []string(nil)
	for _, info := range kernels.Losses() {
		groups = append(groups, info.Name)
	}
	for _, g := range groups {
		for _, a := range []string{"none", "sigmoid", "softmax"} {
			names = append(names, g+"|"+a)
		}
	}
	for _, k := range kinds {
		names = append(names, k.name)
	}
	for _, e := range edges {
		names = append(names, e.name)
	}
	names = append(names, "f64|ncs", "f64|nsc", "f32|ncs", "f32|nsc")
	for _, name := range names {
		if !seen[name] {
			t.Errorf("nothing was checked for %s", name)
		}
	}
	if p.done != want {
		t.Errorf("%d is told of %d", p.done, want)
	}
	if o.Level != Short {
		wantNoStale(t, rows)
	}
}

// wantNoStale asks that the committed list of inconclusive rows names no case of
// the table that is decided.
func wantNoStale(t *testing.T, rows []Row) {
	t.Helper()
	list, err := committed()
	if err != nil {
		t.Fatal(err)
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e exception) bool { return strings.HasPrefix(e.edge, volume{}.String()) })
	if stale := list.stale(rows); len(stale) > 0 {
		t.Errorf("these are decided, and should be off the list:\n%s", strings.Join(stale, "\n"))
	}
}

func TestUnavailableBackend(t *testing.T) {
	for _, b := range kernels.Backends() {
		_, err := Options{Backends: []string{b.Name}}.backends()
		if b.Err == nil && err != nil || b.Err != nil && !errors.Is(err, kernels.ErrBackend) {
			t.Errorf("%s, which is %v: %v", b.Name, b.Err, err)
		}
	}
}

func TestAllShort(t *testing.T) {
	last, whole := -1, 0
	r, err := All(context.Background(), Options{Level: Short, Activations: []kernels.Activation{kernels.Softmax}, DTypes: []DType{Float64}, Progress: func(done, total int, what string) {
		if done <= last || last < 0 && done > 0 || done > total || what == "" {
			t.Errorf("after %d, %d of %d is told, %q", last, done, total, what)
		}
		last, whole = done, total
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, r, Pass)
	if last != whole || r.Elapsed <= 0 {
		t.Errorf("%d of %d in %v", last, whole, r.Elapsed)
	}
}

// TestVolume checks every loss on the real volume, with a lesion in it.
func TestVolume(t *testing.T) {
	if testing.Short() {
		t.Skip("a volume takes long")
	}
	o := Options{}
	if n := len(o.volumes()); n != 4 {
		t.Errorf("%d runs over the volume, want 4", n)
	}
	ways, err := o.ways(kernels.NCS, kernels.NSC)
	if err != nil {
		t.Fatal(err)
	}
	v := volume{activation: kernels.Softmax, lesion: true, float32: true}
	p := &progress{total: v.cost()}
	rows, err := v.check(context.Background(), ways, p)
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, Report{Rows: rows}, Pass)
	if want := len(v.ways(ways)) * (len(kernels.Losses()) + 1); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	if p.done != p.total {
		t.Errorf("%d of %d is done", p.done, p.total)
	}
}

func TestVolumeWays(t *testing.T) {
	w := func(d DType, l kernels.Layout) way { return way{backend: "generic", dtype: d, layout: l} }
	all := []way{w(Float64, kernels.NCS), w(Float64, kernels.NSC), w(Float32, kernels.NCS), w(Float32, kernels.NSC)}
	for _, tt := range []struct {
		v          volume
		ways, want []way
	}{
		{volume{float32: true}, all, []way{w(Float64, kernels.NCS), w(Float32, kernels.NSC)}},
		{volume{}, all, []way{w(Float64, kernels.NCS)}},
		{volume{float32: true}, []way{w(Float64, kernels.NSC), w(Float32, kernels.NCS)}, []way{w(Float64, kernels.NSC), w(Float32, kernels.NCS)}},
		{volume{}, []way{w(Float32, kernels.NCS)}, nil},
	} {
		if got := tt.v.ways(tt.ways); !slices.Equal(got, tt.want) {
			t.Errorf("%v of %v, want %v", got, tt.ways, tt.want)
		}
	}
}

func TestVolumeProblem(t *testing.T) {
	activations := Options{}.activations()
	if testing.Short() {
		activations = []kernels.Activation{kernels.Softmax}
	}
	for _, a := range activations {
		p, err := volumeProblem(a, a == kernels.Softmax)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for s := range p.s {
			best := 0
			for c := range p.c {
				if v := p.x[p.index(0, c, s)]; math.IsNaN(v) || math.IsInf(v, 0) || float64(float32(v)) != v {
					t.Fatalf("%v: x[%d, %d] = %v", a, c, s, v)
				}
				if p.x[p.index(0, c, s)] > p.x[p.index(0, best, s)] {
					best = c
				}
			}
			if int64(best) == p.labels[s] {
				right++
			}
		}
		if share := float64(right) / float64(p.s); share < 0.85 || share > 0.999 {
			t.Errorf("%v: the model is right at %.3f of the voxels", a, share)
		}
		lesion := 0
		for _, y := range p.labels {
			if y == brain.Classes {
				lesion++
			}
		}
		if want := map[bool]int{true: lesionVoxels}[a == kernels.Softmax]; lesion != want {
			t.Errorf("%v: a lesion of %d voxels, want %d", a, lesion, want)
		}
	}
}

func TestLoss(t *testing.T) {
	for _, expr := range []string{"focal_tversky(gamma=0.5)", "0.5*dice(weight=[1,2,3]) - 2*ce", "wce(detach=true) + bce"} {
		r, err := Loss(context.Background(), parse(t, expr), Options{Level: Short})
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		wantVerdict(t, r, Pass)
		if len(r.Rows) == 0 || r.Rows[0].Group != parse(t, expr).String() {
			t.Errorf("%s: %d rows", expr, len(r.Rows))
		}
	}
}

// region is a caller's own loss: Σ FP·FN, whose derivatives are off by a factor.
type region struct{ off float64 }

func (region) Name() string { return "mine" }

func (r region) Eval(c, d []kernels.Cell) float64 {
	sum := 0.0
	for i, s := range c {
		sum += s.FP * s.FN
		d[i].FP = s.FN * r.off
		d[i].FN = s.FP
	}
	return sum
}

func TestLossRegion(t *testing.T) {
	for off, want := range map[float64]Verdict{1: Pass, 1.001: Fail} {
		r, err := Loss(context.Background(), parse(t, "mine + dice", region{off}), Options{Level: Short})
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, r, want)
	}
}

func TestLossRefuses(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]Options{
		"unknown backend": {Backends: []string{"abacus"}},
		"no activation":   {Activations: []kernels.Activation{}},
	} {
		var arg *kernels.ArgError
		if _, err := Loss(ctx, parse(t, "dice"), o); !errors.As(err, &arg) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Loss(ctx, parse(t, "dice(weight=[1,2,3,4,5])"), Options{}); !errors.Is(err, kernels.ErrShape) {
		t.Errorf("a list for five classes: %v", err)
	}
	if _, err := All(ctx, Options{Backends: []string{"abacus"}}); !errors.Is(err, kernels.ErrBackend) {
		t.Errorf("All: %v", err)
	}
	if _, err := Tensors(ctx, parse(t, "dice"), Input{}, Options{Backends: []string{"abacus"}}); !errors.Is(err, kernels.ErrBackend) {
		t.Errorf("Tensors: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := All(ctx, Options{Progress: func(done, _ int, _ string) {
		if done > 300 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !r.Partial || len(r.Rows) == 0 || r.Verdict() == Pass {
		t.Errorf("%d rows, partial %v, %v, %v", len(r.Rows), r.Partial, r.Verdict(), err)
	}
	if r, err := Tensors(ctx, parse(t, "dice"), input(1, 2, 3), Options{}); !errors.Is(err, context.Canceled) || !r.Partial {
		t.Errorf("Tensors: partial %v, %v", r.Partial, err)
	}
}

// input returns random logits with labels.
func input(n, c, s int) Input {
	rng := rand.New(rand.NewPCG(5, 6))
	in := Input{N: n, C: c, S: s, Activation: kernels.Softmax}
	for range n * c * s {
		in.Pred = append(in.Pred, rng.NormFloat64())
	}
	for range n * s {
		in.Labels = append(in.Labels, int64(rng.IntN(c)))
	}
	return in
}

func TestTensors(t *testing.T) {
	ignore := int64(1)
	small := input(2, 3, 20)
	channelsLast := small
	channelsLast.Layout = kernels.NSC
	ignoring := small
	ignoring.Ignore = &ignore
	weights := small
	weights.Weights = make([]float32, 40)
	for i := range weights.Weights {
		weights.Weights[i] = float32(i % 3)
	}
	dense := Input{N: 1, C: 2, S: 5, Activation: kernels.None, Clip: 1e-3,
		Pred:  []float64{0, 0.5, 1, 1e-4, 0.3, 1, 0.5, 0, 0.25, 0.75},
		Dense: []float64{0, 0.5, 1, 0, 0.9, 1, 0.5, 1, 0.25, 0}}
	large := input(2, 3, 3000)
	largeDense := Input{N: 1, C: 1, S: 4000, Activation: kernels.Sigmoid, Weights: make([]float32, 4000)}
	for i := range largeDense.S {
		largeDense.Pred = append(largeDense.Pred, math.Sin(float64(i)))
		largeDense.Dense = append(largeDense.Dense, float64(i%5)/4)
		largeDense.Weights[i] = float32(i % 2)
	}
	largeSoftmax := large
	largeSoftmax.Labels, largeSoftmax.Dense = nil, make([]float64, len(large.Pred))
	for i := range largeSoftmax.Dense {
		largeSoftmax.Dense[i] = float64(i%4) / 3
	}
	largeIgnoring := large
	largeIgnoring.Ignore = &ignore
	tests := []struct {
		name, expr string
		in         Input
	}{
		{"small", "dice_ce", small},
		{"channels last", "dice_ce", channelsLast},
		{"ignored label", "tversky + focal", ignoring},
		{"weights", "gdl + 0.5*ce", weights},
		{"probabilities on kinks", "dice(soft=true) + bce + iou", dense},
		{"large", "dice + ce + wce(detach=true)", large},
		{"large, dense, weights", "ss + bce", largeDense},
		{"large, dense softmax", "dice(soft=true)", largeSoftmax},
		{"large, ignored label", "exp_log", largeIgnoring},
	}
	available, err := Options{}.backends()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.in.Pred)
			r, err := Tensors(context.Background(), parse(t, tt.expr), tt.in, Options{})
			if err != nil {
				t.Fatal(err)
			}
			wantVerdict(t, r, Pass)
			if want := 2 * len(available); len(r.Rows) != want {
				t.Errorf("%d rows, want %d", len(r.Rows), want)
			}
			if !slices.Equal(before, tt.in.Pred) {
				t.Error("the prediction was changed")
			}
		})
	}
}

// TestTensorsLarge asks that a caller's wrong derivative is found on a large
// tensor too.
func TestTensorsLarge(t *testing.T) {
	r, err := Tensors(context.Background(), parse(t, "mine", region{1.001}), input(1, 3, 2000), Options{DTypes: []DType{Float64}})
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, r, Fail)
}

func TestTensorsNaN(t *testing.T) {
	in := input(1, 2, 4)
	in.Pred[3] = math.NaN()
	r, err := Tensors(context.Background(), parse(t, "dice"), in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, r, Inconclusive)
}

func TestTensorsRefuse(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"prediction":  func(in *Input) { in.Pred = in.Pred[1:] },
		"labels":      func(in *Input) { in.Labels = in.Labels[1:] },
		"label":       func(in *Input) { in.Labels[2] = 9 },
		"no target":   func(in *Input) { in.Labels = nil },
		"two targets": func(in *Input) { in.Dense = in.Pred },
		"dense":       func(in *Input) { in.Dense, in.Labels = in.Pred[1:], nil },
		"weights":     func(in *Input) { in.Weights = []float32{1} },
		"weight":      func(in *Input) { in.Weights = []float32{1, -1, 1, 1} },
		"clip":        func(in *Input) { in.Clip = -1 },
		"classes": func(in *Input) {
			*in = Input{N: 1, C: 1, S: 1, Activation: kernels.Softmax, Pred: []float64{1}, Labels: []int64{0}}
		},
	} {
		in := input(1, 2, 4)
		change(&in)
		_, err := Tensors(context.Background(), parse(t, "dice"), in, Options{})
		var arg *kernels.ArgError
		if !errors.As(err, &arg) {
			t.Errorf("%s: %v, want an *ArgError", name, err)
		}
	}
}

func TestPrint(t *testing.T) {
	r := Report{Partial: true, Rows: []Row{
		{Group: "dice", Loss: "dice", Activation: "none", DType: "f64", Checks: 3, Power: 1e-7},
		{Group: "dice", Loss: "dice(soft=true)", Activation: "none", DType: "f32", Checks: 2, Power: 1e-4},
		{Group: "ce", Loss: "ce", Activation: "softmax", DType: "f64", Checks: 1, Verdict: Fail, Reason: "wrong", Worst: Element{What: "element", N: 1, C: 2, S: 3, Analytic: 2, Numeric: 1, Tol: 0.5}},
		{Group: "ce", Loss: "ce", Activation: "none", DType: "f64", Checks: 1, Verdict: Inconclusive, Reason: "noise", Worst: Element{What: "direction", N: 7, Tol: math.NaN()}},
		{Group: "ce", Loss: "ce", Activation: "none", DType: "f64", Verdict: Fail, Reason: "loss", Worst: Element{What: "loss"}},
	}}
	for range maxDetails {
		r.Rows = append(r.Rows, Row{Group: "ss", Verdict: Fail})
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"dice  none        2          5            0.00   1e-07      1e-04      PASS",
		"FAIL ce, softmax", "[1, 2, 3] x=0 r=0: analytic 2, numeric 1", "loss: analytic 0",
		"… and 3 more", "FAIL: 25 gradients, 7 derivatives; 2 passed, 22 failed, 1 inconclusive (0 listed)", "interrupted",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

func TestReportVerdict(t *testing.T) {
	for want, r := range map[Verdict]Report{
		Pass:         {Rows: []Row{{}}},
		Inconclusive: {},
		Fail:         {Rows: []Row{{Verdict: Fail}, {Verdict: Inconclusive}}},
	} {
		if got := r.Verdict(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestParseDType(t *testing.T) {
	for _, d := range []DType{Float64, Float32} {
		if got, err := ParseDType(d.String()); err != nil || got != d {
			t.Errorf("%v gives %v, %v", d, got, err)
		}
	}
	if _, err := ParseDType("f16"); !errors.Is(err, kernels.ErrOption) {
		t.Errorf("f16: %v", err)
	}
}

func TestOptionValues(t *testing.T) {
	for _, tt := range []struct {
		o    kernels.OptionInfo
		want []string
	}{
		{kernels.OptionInfo{Type: "bool", Default: "false"}, []string{"true"}},
		{kernels.OptionInfo{Type: "choice", Default: "mean", Allowed: []string{"mean", "sum"}}, []string{"sum"}},
		{kernels.OptionInfo{Type: "number or none", Default: "0.25"}, []string{"0.325", "0", "none"}},
		{kernels.OptionInfo{Type: "number", Default: "0.4"}, []string{"0.7", "0"}},
		{kernels.OptionInfo{Type: "number or list", Default: "1"}, []string{"0.7", "0", "[0.75,1.25]", "[0,0.5]"}},
		{kernels.OptionInfo{Type: "number"}, []string{"0.45", "0"}},
	} {
		if got := variants.Values(tt.o, 2, numbers(tt.o)); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.o, got, tt.want)
		}
	}
}
