package exact

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/segloss/segloss/ref"
)

// Losses that a fault makes a difference to, by what they are made of.
const (
	quotients = "dice dice2 iou tversky focal_tversky gdl exp_log_dice wce"
	powers    = "focal_tversky exp_log_dice focal focal_ce exp_log_ce"
	modulated = "focal focal_ce"
	pointwise = "bce ce focal focal_ce exp_log_ce"
	regional  = "dice dice2 iou tversky focal_tversky ss gdl exp_log_dice"
	everyLoss = regional + " wce " + pointwise
)

// touched lists the losses that each fault changes in some problem. To every
// other it makes no difference, to the last bit.
var touched = map[Fault]string{
	QuotientDropped:   quotients,
	NumeratorHeld:     quotients + " ss",
	SmoothForgotten:   quotients + " ss",
	GammaDropped:      powers,
	GammaOff:          powers,
	ModulationHeld:    modulated,
	WeightHeld:        "wce",
	ClipKept:          pointwise + " wce",
	FloorKept:         "focal_tversky exp_log_dice",
	CrossTermsDropped: everyLoss,
	DiagonalWrong:     everyLoss,
	ChainDropped:      everyLoss,
	LogsSwapped:       "bce wce focal",
	WeightForgotten:   everyLoss,
	FNForgotten:       quotients,
	FPForgotten:       quotients,
	SquareHalved:      "dice ss",
	IgnoredCounted:    pointwise + " wce ss",
	SkippedCounted:    regional + " wce",
	SamplesForgotten:  everyLoss,
	StaleSums:         quotients,
}

func TestFaultsTouch(t *testing.T) {
	changed := make(map[Fault]map[string]bool)
	for _, f := range Faults() {
		changed[f] = make(map[string]bool)
	}
	for _, k := range kinds {
		for _, a := range []ref.Activation{ref.None, ref.Sigmoid, ref.Softmax} {
			in := k.problem(7, 3, 3, 4, a)
			for _, e := range expressions(3) {
				ts := terms(t, e)
				_, want, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil)
				if len(ts) > 1 || err != nil {
					continue // a combination, or infinite
				}
				for _, f := range Faults() {
					_, got, err := Gradient(t.Context(), Dual, in, ts, f, nil)
					if err != nil {
						t.Errorf("%s, activation %d, %s, %s: %v", k.name, a, e, f, err)
					}
					if !slices.Equal(got, want) {
						changed[f][ts[0].Name] = true
					}
				}
			}
		}
	}
	for _, f := range Faults() {
		for _, name := range strings.Fields(everyLoss) {
			if want := slices.Contains(strings.Fields(touched[f]), name); changed[f][name] != want {
				t.Errorf("%s changes %s: %v; want %v", f, name, changed[f][name], want)
			}
		}
	}
}

// single is one element.
func single(a ref.Activation, x, r float64) ref.Input {
	return ref.Input{N: 1, C: 1, S: 1, Activation: a, X: []float64{x}, R: []float64{r}}
}

// TestFaultValues holds faulty gradients to what the wrong rule gives by hand.
func TestFaultValues(t *testing.T) {
	const p, r, s = 0.3, 0.875, 0.25
	const num, den = p + r - 2*p*r, p + r // of dice without smoothing
	given := single(ref.None, p, r)
	lnP, lnQ := math.Log(p), math.Log(1-p)
	x := lnP - lnQ // of p under sigmoid
	logit := single(ref.Sigmoid, x, r)
	heavy := given
	heavy.V = []float64{0.5}
	two := ref.Input{N: 1, C: 2, S: 1, Activation: ref.Softmax, X: []float64{x, 0}, R: []float64{1, 0}}
	const stale = 0.9*p + 0.05
	const staleNum, staleDen = stale + r - 2*stale*r, stale + r
	q := 1 - p
	for _, c := range []struct {
		fault      Fault
		expression string
		in         ref.Input
		want       float64 // by the first element
	}{
		{NoFault, "dice(smooth=0)", given, (1-2*r)/den - num/(den*den)},
		{QuotientDropped, "dice(smooth=0)", given, (1 - 2*r) / den},
		{NumeratorHeld, "dice(smooth=0)", given, -num / (den * den)},
		{SmoothForgotten, "dice(smooth=0.25)", given, (1-2*r)/den - num/(den*den)},
		{FNForgotten, "dice(smooth=0)", given, (1-r)/den - num*(1+r)/(den*den)},
		{FPForgotten, "dice(smooth=0)", given, -r/den - num*r/(den*den)},
		{StaleSums, "dice(smooth=0)", given, (1-2*r)/staleDen - staleNum/(staleDen*staleDen)},
		{SquareHalved, "dice(squared=true,smooth=0)", given,
			((p-r)*2*p*r - (p-r)*(p-r)*2*r) / math.Pow(p*p+r*r, 2)},
		{SmoothForgotten, "exp_log_dice(gamma=1)", given, 1/den - 2*r/(2*p*r+1)},
		{QuotientDropped, "exp_log_dice(gamma=1)", given, -2 * r / (2*p*r + 1)},
		{NumeratorHeld, "exp_log_dice(gamma=1)", given, 1 / (den + 1)},
		{FloorKept, "exp_log_dice", single(ref.None, 1, 1), -0.3 * math.Pow(1e-7, -0.7) / 3},
		{ClipKept, "bce", single(ref.None, 0, 1), -1e7},
		{ClipKept, "bce", single(ref.None, 1, 0), 1e7},
		{ChainDropped, "bce", logit, -r/p + (1-r)/q},
		{LogsSwapped, "bce", logit, -r*q + (1-r)*q},
		{LogsSwapped, "bce", given, -r/p + (1-r)/p},
		{WeightForgotten, "bce", heavy, 2 * (-r/p + (1-r)/q)},
		{ModulationHeld, "focal(alpha=none)", given, -r*q*q/p + (1-r)*p*p/q},
		{GammaDropped, "focal(alpha=none)", given, -r*(q*q/p-q*lnP) - (1-r)*(p*lnQ-p*p/q)},
		{GammaOff, "focal(alpha=none)", given,
			-r*(q*q/p-2*math.Pow(q, 1.1)*lnP) - (1-r)*(2*math.Pow(p, 1.1)*lnQ-p*p/q)},
		{NoFault, "ce", two, -q},
		{DiagonalWrong, "ce", two, -1},
		{ChainDropped, "ce", two, -1 / p},
	} {
		_, grad, err := Gradient(t.Context(), Dual, c.in, terms(t, c.expression), c.fault, []int{0})
		if err != nil {
			t.Errorf("%s, %s: %v", c.expression, c.fault, err)
			continue
		}
		if !(math.Abs(grad[0]-c.want) <= 1e-12*math.Abs(c.want)) {
			t.Errorf("%s, %s: %v; want %v", c.expression, c.fault, grad[0], c.want)
		}
	}
	_, grad, err := Gradient(t.Context(), Dual, two, terms(t, "ce"), CrossTermsDropped, nil)
	if err != nil || math.Abs(grad[0]+q) > 1e-15 || grad[1] != 0 {
		t.Errorf("ce, %s: %v, %v; want %v, 0", CrossTermsDropped, grad, err, -q)
	}
}

// TestFaultsOfMeans holds faults of divisors to the factor that they are.
func TestFaultsOfMeans(t *testing.T) {
	in := ref.Input{N: 2, C: 1, S: 3, X: []float64{0.1, 0.7, 0.4, 0.6, 0.9, 0.2}, R: []float64{0, 1, 1, 0, 0, 0}, V: []float64{1, 1, 0, 1, 1, 1}}
	for _, c := range []struct {
		fault      Fault
		expression string
		factor     float64
	}{
		{IgnoredCounted, "bce", 5.0 / 6},
		{IgnoredCounted, "focal", 5.0 / 6},
		{IgnoredCounted, "dice", 1},
		{SkippedCounted, "dice(absent=skip)", 1.0 / 2},
		{SkippedCounted, "dice", 1},
		{SamplesForgotten, "dice", 2},
		{SamplesForgotten, "dice(batch=true)", 1},
		{SamplesForgotten, "gdl", 2},
		{SamplesForgotten, "wce", 2},
		{SamplesForgotten, "bce", 2},
		{SamplesForgotten, "bce(reduction=sum)", 1},
	} {
		ts := terms(t, c.expression)
		_, right, err := Gradient(t.Context(), Dual, in, ts, NoFault, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, wrong, err := Gradient(t.Context(), Dual, in, ts, c.fault, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range right {
			if math.Abs(wrong[i]-c.factor*g) > 1e-14*math.Abs(g) {
				t.Errorf("%s, %s: derivative %d is %v; want %v times %v", c.expression, c.fault, i, wrong[i], c.factor, g)
			}
		}
	}
	_, held, err := Gradient(t.Context(), Dual, in, terms(t, "wce"), WeightHeld, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, detached, _ := Gradient(t.Context(), Dual, in, terms(t, "wce(detach=true)"), NoFault, nil); !slices.Equal(held, detached) {
		t.Errorf("wce, %s: %v; want that of detach=true, %v", WeightHeld, held, detached)
	}
}

func TestFaultNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range append(Faults(), NoFault) {
		if name := f.String(); name == "" || seen[name] {
			t.Errorf("fault %d is called %q", f, name)
		} else {
			seen[name] = true
		}
	}
	if len(seen) != int(faults) || faults.String() != "Fault(22)" {
		t.Errorf("%d names; %s is none", len(seen), faults)
	}
}
