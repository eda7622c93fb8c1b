package cpu

import (
	"math"
	"testing"
)

const canary = -12345.5

// newTile has rows longer than the tile, and more rows than it has classes,
// all of them full of canaries.
func newTile[T Float](c, n int, logs bool) *Tile[T] {
	stride := n + 3
	t := &Tile[T]{
		C: c, N: n, Stride: stride, XStride: stride, RStride: stride, OutStride: stride,
		X: canaries[T](c, stride), R: canaries[T](c, stride), Out: canaries[T](c, stride),
		P: canaries[float64](c, stride), Q: canaries[float64](c, stride),
		G: canaries[float64](c, stride), U: canaries[float64](c, stride),
		Work: make([]float64, (2*c+2)*n), Spare: make([]float64, n),
	}
	if logs {
		t.LP, t.LQ = canaries[float64](c, stride), canaries[float64](c, stride)
	}
	for k := range c {
		for i := range n {
			t.X[k*stride+i] = T(math.Sin(float64(k*131+i*17)) * math.Exp2(float64((i+3*k)%10)))
		}
	}
	return t
}

func canaries[T Float](c, stride int) []T {
	m := make([]T, (c+1)*stride)
	for i := range m {
		m[i] = canary
	}
	return m
}

// checkCanaries fails if anything beside the tile's rows was written.
func checkCanaries[T Float](t *testing.T, what string, tile *Tile[T]) {
	t.Helper()
	for name, m := range map[string][]float64{"P": tile.P, "Q": tile.Q, "LP": tile.LP, "LQ": tile.LQ, "G": tile.G, "U": tile.U} {
		checkRows(t, what+": "+name, m, tile.C, tile.N, tile.Stride)
	}
	checkRows(t, what+": X", tile.X, tile.C, tile.N, tile.XStride)
	checkRows(t, what+": Out", tile.Out, tile.C, tile.N, tile.OutStride)
}

func checkRows[T Float](t *testing.T, what string, m []T, c, n, stride int) {
	t.Helper()
	for i, v := range m {
		if (i%stride >= n || i/stride >= c) && v != canary {
			t.Errorf("%s was written at %d of row %d, of %d elements", what, i%stride, i/stride, n)
			return
		}
	}
}

func TestActivations(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testActivations[float32](t, accuracy) })
	t.Run("float64", func(t *testing.T) { testActivations[float64](t, 1e-12) })
}

func testActivations[T Float](t *testing.T, tol float64) {
	k := Generic[T]()
	for c := 1; c <= 6; c++ {
		for n := range 35 {
			for _, logs := range []bool{false, true} {
				for _, a := range []struct {
					name string
					run  func(*Tile[T])
					of   func(tile *Tile[T], c, i int) (p, q, lp, lq float64)
				}{
					{"sigmoid", k.Sigmoid, ofSigmoid[T]},
					{"softmax", k.Softmax, ofSoftmax[T]},
					{"probabilities", k.Probabilities, ofProbabilities[T]},
				} {
					if a.name == "softmax" && c == 1 {
						continue
					}
					tile := newTile[T](c, n, logs)
					if a.name == "probabilities" {
						tile.Clip = 1e-7
						for k := range c {
							for i := range n {
								x := &tile.X[k*tile.Stride+i]
								*x = 1 / (1 + T(math.Exp(float64(*x))))
							}
						}
					}
					a.run(tile)
					checkCanaries(t, a.name, tile)
					for k := range c {
						for i := range n {
							at := k*tile.Stride + i
							got := []float64{tile.P[at], tile.Q[at]}
							p, q, lp, lq := a.of(tile, k, i)
							want := []float64{p, q}
							if logs {
								got, want = append(got, tile.LP[at], tile.LQ[at]), append(want, lp, lq)
							}
							for j := range got {
								if !(math.Abs(got[j]-want[j]) <= tol*math.Abs(want[j])+1e-280) {
									t.Fatalf("%s, %d classes, %d positions, x = %v: output %d is %v; want %v", a.name, c, n, tile.X[at], j, got[j], want[j])
								}
							}
						}
					}
				}
			}
		}
	}
}

func ofOdds(t float64) (p, q, lp, lq float64) {
	e := math.Exp(-math.Abs(t))
	p, q, lp, lq = 1/(1+e), e/(1+e), -math.Log1p(e), -math.Abs(t)-math.Log1p(e)
	if t < 0 {
		p, q, lp, lq = q, p, lq, lp
	}
	return p, q, lp, lq
}

func ofSigmoid[T Float](tile *Tile[T], c, i int) (p, q, lp, lq float64) {
	return ofOdds(float64(tile.X[c*tile.XStride+i]))
}

// ofSoftmax sums from the largest down, so that exponentials of any size serve.
func ofSoftmax[T Float](tile *Tile[T], c, i int) (p, q, lp, lq float64) {
	top := math.Inf(-1)
	for k := range tile.C {
		if k != c {
			top = max(top, float64(tile.X[k*tile.XStride+i]))
		}
	}
	sum := 0.0
	for k := range tile.C {
		if k != c {
			sum += math.Exp(float64(tile.X[k*tile.XStride+i]) - top)
		}
	}
	odds := float64(tile.X[c*tile.XStride+i]) - top - math.Log(sum)
	return ofOdds(odds)
}

func ofProbabilities[T Float](tile *Tile[T], c, i int) (p, q, lp, lq float64) {
	p = float64(tile.X[c*tile.XStride+i])
	q, lp, lq = 1-p, math.Log(p), math.Log1p(-p)
	switch {
	case p < tile.Clip:
		lp, lq = math.Log(tile.Clip), math.Log1p(-tile.Clip)
	case q < tile.Clip:
		lp, lq = math.Log1p(-tile.Clip), math.Log(tile.Clip)
	}
	return p, q, lp, lq
}

// The chains turn derivatives by p and by the log-odds into those by x.
func TestChains(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testChains[float32](t, 0x1p-22) })
	t.Run("float64", func(t *testing.T) { testChains[float64](t, 1e-13) })
}

func testChains[T Float](t *testing.T, tol float64) {
	k := Generic[T]()
	for c := 2; c <= 6; c++ {
		for n := range 35 {
			for _, logs := range []bool{false, true} {
				for _, softmax := range []bool{false, true} {
					tile := newTile[T](c, n, logs)
					for i := range tile.X {
						if tile.X[i] != canary {
							tile.X[i] /= 16 // the sums below have no other forms
						}
					}
					activate, chain := k.Sigmoid, k.SigmoidChain
					if softmax {
						activate, chain = k.Softmax, k.SoftmaxChain
					}
					activate(tile)
					for class := range c {
						for i := range n {
							tile.G[class*tile.Stride+i] = math.Cos(float64(class + 3*i))
							tile.U[class*tile.Stride+i] = math.Sin(float64(2*class + i))
						}
					}
					chain(tile)
					checkCanaries(t, "chain", tile)
					for i := range n {
						u := make([]float64, c)
						size := 0.0
						for class := range c {
							at := class*tile.Stride + i
							u[class] = tile.G[at]*tile.P[at]*tile.Q[at] + tile.U[at]
							size += math.Abs(u[class]) / tile.Q[at]
						}
						for class := range c {
							want := u[class]
							for o := range c {
								if softmax && o != class {
									want -= u[o] * tile.P[class*tile.Stride+i] / tile.Q[o*tile.Stride+i]
								}
							}
							if got := float64(tile.Out[class*tile.OutStride+i]); !(math.Abs(got-want) <= tol*size) {
								t.Fatalf("softmax %v, %d classes, %d positions: derivative %v; want %v", softmax, c, n, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// A row that the tile does not have is empty.
func TestRowOfTile(t *testing.T) {
	tile := newTile[float32](3, 5, false)
	var r Row[float32]
	tile.Row(&r, 1)
	if len(r.P) != 5 || len(r.Q) != 5 || len(r.R) != 5 || len(r.G) != 5 || len(r.U) != 5 || len(r.Work) != 5 {
		t.Errorf("rows of %+v", r)
	}
	if r.LP != nil || r.LQ != nil || r.V != nil {
		t.Errorf("rows from nowhere: %+v", r)
	}
	r.P[2] = 7
	if tile.P[tile.Stride+2] != 7 {
		t.Error("a row is not a part of its tile")
	}
}

// Sums by labels are those of the one-hot rows.
func TestLabelSums(t *testing.T) {
	k := Generic[float64]()
	for c := 1; c <= 5; c++ {
		for n := range 40 {
			tile := newTile[float64](c, n, true)
			k.Sigmoid(tile)
			for i := range n {
				tile.Y = append(tile.Y, int32((i*i+i/3)%(c+min(1, 2-min(c, 2))))) // one class: also none
			}
			const stride = 7
			want, got := make([]float64, c*stride), make([]float64, c*stride)
			for i := range want {
				want[i] = float64(i % 3)
				got[i] = want[i]
			}
			for class := range c {
				for i, y := range tile.Y {
					tile.R[class*tile.Stride+i] = 0
					if int(y) == class {
						tile.R[class*tile.Stride+i] = 1
					}
				}
				var r Row[float64]
				tile.Row(&r, class)
				k.Counts(want[class*stride:], &r)
				k.Region(want[class*stride+3:], &r)
			}
			k.CountsY(got, stride, tile)
			k.RegionY(got[3:], stride, tile)
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-13*math.Abs(want[i]) {
					t.Errorf("%d classes, %d positions: sum %d is %v; want %v", c, n, i, got[i], want[i])
				}
			}
		}
	}
}
