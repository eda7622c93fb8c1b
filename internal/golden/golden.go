// Package golden loads the golden cases of testdata/golden: losses and
// gradients computed at 100 digits, which every implementation in this module
// is held to, and the one tolerance they are held to it with.
package golden

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The factor K and the unit roundoff u of the tolerance, for the element types
// float32 and float64.
const (
	K32 = 64
	U32 = 0x1p-24
	K64 = 512
	U64 = 0x1p-53
)

// tiny is the absolute part of both bounds, below every number that float32
// arithmetic can be expected to keep.
const tiny = 0x1p-120

// GradBound is the largest error allowed in one element of the gradient, whose
// scale is the sum of the absolute values of the terms it is made of. spread is
// the element's entry in [Case.Spread].
func GradBound(k, u, spread, scale float64) float64 {
	return (k+4*spread)*u*scale + tiny
}

// LossBound is the largest error allowed in the loss. spread is the largest of
// the case, [Case.MaxSpread].
func LossBound(k, u, spread, valueScale float64) float64 {
	return (k+4*spread)*u*valueScale + tiny
}

// A Case is one golden case. Slices of elements are planar, [N, C, S]; slices
// of positions are [N, S]. Everything a case holds as input is exact in
// float32.
type Case struct {
	ID         string `json:"id"`
	Loss       string `json:"loss"`       // in the expression language
	Activation string `json:"activation"` // none, sigmoid or softmax
	N          int    `json:"-"`
	C          int    `json:"-"`
	S          int    `json:"-"`

	Pred []float64 `json:"pred"`

	// A case has either Target or Labels.
	Target      []float64 `json:"target"` // [N, C, S]
	Labels      []int64   `json:"labels"` // [N, S]
	IgnoreIndex *int64    `json:"ignore_index"`

	// A case has Mask, of zeros and ones, or Weights, or neither.
	Mask    []uint8   `json:"-"`       // [N, S]
	Weights []float64 `json:"weights"` // [N, S]

	Value      float64   `json:"-"`
	ValueScale float64   `json:"-"`
	Grad       []float64 `json:"grad"`
	Scale      []float64 `json:"scale"`
	Note       string    `json:"note"`
}

// record is a case as the files spell it. Pointers tell a number that is
// missing from one that is 0, and encoding/json takes a []uint8 for base64.
type record struct {
	Case
	Shape      []int    `json:"shape"`
	Mask       []int    `json:"mask"`
	Value      *float64 `json:"value"`
	ValueScale *float64 `json:"value_scale"`
}

// Load returns every case of the module's testdata/golden. It ends the test
// where a file cannot be read or a case does not hold together, and where there
// is no case at all.
func Load(tb testing.TB) []Case {
	tb.Helper()
	root, err := moduleRoot()
	if err != nil {
		tb.Fatal(err)
	}
	cases, err := LoadDir(filepath.Join(root, "testdata", "golden"))
	if err != nil {
		tb.Fatal(err)
	}
	return cases
}

// LoadDir returns every case of the JSON files in dir, in the order of their
// names.
func LoadDir(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var cases []Case
	seen := make(map[string]bool)
	for _, file := range files {
		records, err := decode(file)
		if err != nil {
			return nil, err
		}
		for i, r := range records {
			c, err := r.unpack()
			if err == nil && seen[c.ID] {
				err = errors.New("the id occurs twice")
			}
			if err != nil {
				return nil, fmt.Errorf("golden: %s: case %d (%q): %w", file, i, r.ID, err)
			}
			seen[c.ID] = true
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("golden: no case in %s", dir)
	}
	return cases, nil
}

func decode(file string) ([]record, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var records []record
	if err := d.Decode(&records); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", file, err)
	}
	return records, nil
}

// unpack checks that a record is whole and returns its case.
func (r record) unpack() (Case, error) {
	c := r.Case
	if len(r.Shape) != 3 {
		return c, fmt.Errorf("shape %v has not three numbers", r.Shape)
	}
	c.N, c.C, c.S = r.Shape[0], r.Shape[1], r.Shape[2]
	if r.Value == nil || r.ValueScale == nil {
		return c, errors.New("no value or no value_scale")
	}
	c.Value, c.ValueScale = *r.Value, *r.ValueScale
	if r.Mask != nil {
		c.Mask = make([]uint8, 0, len(r.Mask))
	}
	for i, m := range r.Mask {
		if m != 0 && m != 1 {
			return c, fmt.Errorf("mask[%d] = %d", i, m)
		}
		c.Mask = append(c.Mask, uint8(m))
	}
	switch {
	case c.ID == "" || c.Loss == "":
		return c, errors.New("no id or no loss")
	case c.Activation != "none" && c.Activation != "sigmoid" && c.Activation != "softmax":
		return c, fmt.Errorf("activation %q", c.Activation)
	case (c.Target == nil) == (c.Labels == nil):
		return c, errors.New("not one of target and labels")
	case c.Mask != nil && c.Weights != nil:
		return c, errors.New("both mask and weights")
	}
	return c, c.checkLengths()
}

func (c *Case) checkLengths() error {
	elements, positions := c.N*c.C*c.S, c.N*c.S
	for _, l := range []struct {
		name      string
		len, want int
		absent    bool
	}{
		{"pred", len(c.Pred), elements, false},
		{"grad", len(c.Grad), elements, false},
		{"scale", len(c.Scale), elements, false},
		{"target", len(c.Target), elements, c.Target == nil},
		{"labels", len(c.Labels), positions, c.Labels == nil},
		{"mask", len(c.Mask), positions, c.Mask == nil},
		{"weights", len(c.Weights), positions, c.Weights == nil},
	} {
		if l.len != l.want && !l.absent {
			return fmt.Errorf("%s has %d numbers; want %d", l.name, l.len, l.want)
		}
	}
	for i, y := range c.Labels {
		if !c.ignored(y) && (y < 0 || y >= int64(max(c.C, 2))) {
			return fmt.Errorf("labels[%d] = %d", i, y)
		}
	}
	return nil
}

func (c *Case) ignored(y int64) bool {
	return c.IgnoreIndex != nil && y == *c.IgnoreIndex
}

// Dense returns the target as a dense [N, C, S] and the weights of the
// positions, [N, S], both new: labels are one-hot, mask and ignore index are
// weights of 0.
func (c *Case) Dense() (target, weights []float64) {
	target = make([]float64, c.N*c.C*c.S)
	copy(target, c.Target)
	weights = make([]float64, c.N*c.S)
	for i := range weights {
		weights[i] = c.weight(i)
	}
	for i, y := range c.Labels {
		if weights[i] == 0 {
			continue
		}
		n, s := i/c.S, i%c.S
		switch {
		case c.C > 1:
			target[(n*c.C+int(y))*c.S+s] = 1
		case y == 1:
			target[i] = 1
		}
	}
	return target, weights
}

// weight returns the weight of position i = n·S + s.
func (c *Case) weight(i int) float64 {
	switch {
	case c.Labels != nil && c.ignored(c.Labels[i]):
		return 0
	case c.Mask != nil:
		return float64(c.Mask[i])
	case c.Weights != nil:
		return c.Weights[i]
	}
	return 1
}

// Spread returns, for every element, the spread that its bound takes: |x| under
// sigmoid, the difference of the position's largest and smallest logit under
// softmax, 0 for probabilities; 0 too at positions of weight 0.
func (c *Case) Spread() []float64 {
	spread := make([]float64, len(c.Pred))
	if c.Activation == "none" {
		return spread
	}
	for i := range spread {
		n, s := i/(c.C*c.S), i%c.S
		switch {
		case c.weight(n*c.S+s) == 0:
		case c.Activation == "sigmoid":
			spread[i] = math.Abs(c.Pred[i])
		default:
			lo, hi := math.Inf(1), math.Inf(-1)
			for k := 0; k < c.C; k++ {
				x := c.Pred[(n*c.C+k)*c.S+s]
				lo, hi = min(lo, x), max(hi, x)
			}
			spread[i] = hi - lo
		}
	}
	return spread
}

// MaxSpread returns the largest spread of the case.
func (c *Case) MaxSpread() float64 {
	largest := 0.0
	for _, s := range c.Spread() {
		largest = max(largest, s)
	}
	return largest
}

// Check compares a loss and a gradient with the case's, by the bounds with
// factor k and unit roundoff u. It returns the largest error in units of its
// bound, and where that exceeds 1, an error that names the place.
func (c *Case) Check(k, u, loss float64, grad []float64) (worst float64, err error) {
	if len(grad) != len(c.Grad) {
		return math.Inf(1), fmt.Errorf("%s: %d gradient elements; want %d", c.ID, len(grad), len(c.Grad))
	}
	what, got, want := "loss", loss, c.Value
	worst = ratio(loss, c.Value, LossBound(k, u, c.MaxSpread(), c.ValueScale))
	for i, spread := range c.Spread() {
		e := ratio(grad[i], c.Grad[i], GradBound(k, u, spread, c.Scale[i]))
		if e > worst {
			what, got, want, worst = fmt.Sprintf("grad[%d]", i), grad[i], c.Grad[i], e
		}
	}
	if worst > 1 {
		err = fmt.Errorf("%s: %s, activation %s, [%d %d %d], %s: %s = %v; want %v (%.3g times the bound)",
			c.ID, c.Loss, c.Activation, c.N, c.C, c.S, c.Note, what, got, want, worst)
	}
	return worst, err
}

// ratio returns the error of got in units of bound, +Inf for a NaN, so that no
// comparison with a NaN passes for a small error.
func ratio(got, want, bound float64) float64 {
	e := math.Abs(got-want) / bound
	if math.IsNaN(e) {
		return math.Inf(1)
	}
	return e
}

// moduleRoot walks up from the working directory, which go test sets to the
// package's, to the directory of this module's go.mod and golden files.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "testdata", "golden")); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return dir, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("golden: no directory above holds both go.mod and testdata/golden")
		}
		dir = parent
	}
}
