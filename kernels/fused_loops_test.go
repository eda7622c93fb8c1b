package kernels

import (
	"math"
	"slices"
	"unsafe"
)

// The loops that the fused kernels are held to: one step after the other, in
// float64 and with package math between a load and a store. As a table they
// stand in for assembly, so that the driver is tested on every machine.

// fusedLoops is the table of the loops.
func fusedLoops[T Float]() *fused[T] {
	f := &fused[T]{
		softmax: softmaxKernels[T]{
			any:              softmaxLoop[T],
			memberLogs:       memberLogsLoop[T],
			regionY:          regionYLoop[T],
			squareY:          squareYLoop[T],
			sumY:             sumYLoop[T],
			memberPowers:     memberPowersLoop[T],
			memberExpLog:     memberExpLogLoop[T],
			memberPowersGrad: memberPowersGradLoop[T],
			memberExpLogGrad: memberExpLogGradLoop[T],
		},
		memoryKernels: memoryKernels[T]{
			labelsMost: labelsMostLoop,
			narrow32:   narrow32Loop,
			narrow64:   narrow64Loop,
			within:     withinLoop[T],
			fence:      func() {},
		},
	}
	for _, a := range []Activation{None, Sigmoid} {
		for s := range numSets {
			f.rows[a].forwardY[s] = func(acc *[numSums]float64, x []T, y []uint8, class uint8, k *[numFactors]T, _ *ahead) bool {
				return forwardLoop(a, s, acc, x, oneHotRow[T](y, class), k, true)
			}
			f.rows[a].forward[s] = func(acc *[numSums]float64, x, r []T, k *[numFactors]T, _ *ahead) bool {
				return forwardLoop(a, s, acc, x, r, k, false)
			}
			f.rows[a].backwardY[s] = func(out, x []T, y []uint8, class uint8, k *[numFactors]T, _ *ahead, _ bool) bool {
				return backwardLoop(a, s, out, x, oneHotRow[T](y, class), k)
			}
			f.rows[a].backward[s] = func(out, x, r []T, k *[numFactors]T, _ *ahead, _ bool) bool {
				return backwardLoop(a, s, out, x, r, k)
			}
		}
	}
	for c := 2; c <= maxUnrolled; c++ {
		f.pack[c] = func(dst, src *T, stride, n int) { packLoop(dst, src, stride, c, n) }
		f.unpack[c] = func(dst, src *T, stride, n int) { unpackLoop(dst, src, stride, c, n) }
	}
	f.packMany = packLoop[T]
	f.unpackMany = unpackLoop[T]
	f.stream = f.unpack
	for c := 2; c <= 4; c++ {
		f.softmax.sumsY[c] = func(acc *[numSums]float64, x *T, y []uint8, xstride int, _ uintptr) bool {
			return sumsYLoop(acc, x, y, xstride, c, wholeLoop[T]{region: true})
		}
		f.softmax.logSumsY[c] = func(acc *[numSums]float64, x *T, y []uint8, xstride int, _ uintptr) bool {
			return sumsYLoop(acc, x, y, xstride, c, wholeLoop[T]{region: true, logs: true})
		}
		f.softmax.powerSumsY[c] = func(acc *[numSums]float64, x *T, y []uint8, xstride int, _ uintptr, gamma T) bool {
			return sumsYLoop(acc, x, y, xstride, c, wholeLoop[T]{region: true, power: true, gamma: gamma})
		}
		f.softmax.onlyPowerSumsY[c] = func(acc *[numSums]float64, x *T, y []uint8, xstride int, _ uintptr, gamma T) bool {
			return sumsYLoop(acc, x, y, xstride, c, wholeLoop[T]{power: true, gamma: gamma})
		}
		f.softmax.gradY[c] = func(out, x, coef *T, y []uint8, outStride, xstride int, _ uintptr, stream bool) bool {
			return gradYLoop(out, x, coef, y, outStride, xstride, c, wholeLoop[T]{region: true}, stream)
		}
		f.softmax.powerGradY[c] = func(out, x, coef *T, y []uint8, outStride, xstride int, _ uintptr, gamma T, stream bool) bool {
			return gradYLoop(out, x, coef, y, outStride, xstride, c, wholeLoop[T]{region: true, power: true, gamma: gamma}, stream)
		}
		f.softmax.onlyPowerGradY[c] = func(out, x, coef *T, y []uint8, outStride, xstride int, _ uintptr, gamma T, stream bool) bool {
			return gradYLoop(out, x, coef, y, outStride, xstride, c, wholeLoop[T]{power: true, gamma: gamma}, stream)
		}
	}
	for _, c := range []int{2, 3, 4, 8} {
		f.softmax.few[c] = func(p, q, x *T, stride, xstride, n int, _ uintptr) bool {
			return softmaxLoop(p, q, x, nil, stride, xstride, c, n, 0)
		}
	}
	for _, c := range []int{0, 2, 3, 4, 8} {
		f.softmax.chainY[c] = chainYLoop[T]
		f.softmax.squareChainY[c] = squareChainYLoop[T]
	}
	return f
}

// oneHotRow is a row of a dense target with the same meaning as labels.
func oneHotRow[T Float](y []uint8, class uint8) []T {
	r := make([]T, len(y))
	for i, l := range y {
		if l == class {
			r[i] = 1
		}
	}
	return r
}

// beyond reports a logit that a kernel declines.
func beyond[T Float](a Activation, x T) bool {
	limit := logitLimit[T](a)
	return a != None && !(x >= -limit && x <= limit)
}

// sigmoidOf is p, q and their logarithms, each in the form that keeps its
// digits.
func sigmoidOf(x float64) (p, q, lp, lq float64) {
	e := math.Exp(-math.Abs(x))
	p, q, lp, lq = 1/(1+e), e/(1+e), -math.Log1p(e), -math.Abs(x)-math.Log1p(e)
	if x < 0 {
		p, q, lp, lq = q, p, lq, lp
	}
	return p, q, lp, lq
}

// clippedOf is the pair of probabilities that stands in logarithms and powers
// for the caller's own, and its logarithms; inside says that it is the same.
func clippedOf(x, clip, lnClip, lnRest float64) (p, q, lp, lq float64, inside bool) {
	switch {
	case x < clip:
		return clip, 1 - clip, lnClip, lnRest, false
	case 1-x < clip:
		return 1 - clip, clip, lnRest, lnClip, false
	}
	return x, 1 - x, math.Log(x), math.Log1p(-x), true
}

// fromTarget is p − r without cancellation where both are near 1.
func fromTarget(p, q, r float64) float64 {
	if p < 0.5 {
		return p - r
	}
	return (1 - r) - q
}

// What a set has.
func (s set) region() bool    { return s != setSquare && s < setOnlyLogs }
func (s set) logs() bool      { return s >= setLogs && s <= setOnlyLogs }
func (s set) powers() bool    { return s >= setPowers && s != setOnlyLogs }
func (s set) takesLogs() bool { return s >= setLogs }

func forwardLoop[T Float](a Activation, s set, acc *[numSums]float64, x, r []T, k *[numFactors]T, labels bool) bool {
	gamma := float64(k[factorGamma])
	for i, v := range x {
		if beyond(a, v) {
			return false
		}
		p, q, t := float64(v), 1-float64(v), float64(r[i])
		u, w, lp, lq := p, q, 0.0, 0.0 // in powers and logarithms
		if a == Sigmoid {
			p, q, lp, lq = sigmoidOf(p)
			u, w = p, q
		} else if s.takesLogs() {
			u, w, lp, lq, _ = clippedOf(p, float64(k[factorClip]), float64(k[factorLnClip]), float64(k[factorLnRest]))
		}
		acc[sumR] += t
		if !labels && s != setOverlap {
			acc[sumNR] += 1 - t
			acc[sumRR] += t * t
		}
		if s == setSquare {
			d := fromTarget(p, q, t)
			acc[sumPP] += p * p
			acc[sumSQR] += d * d * t
			acc[sumSQB] += d * d * (1 - t)
			continue
		}
		if s.region() {
			acc[sumTP] += p * t
			acc[sumFP] += p * (1 - t)
			acc[sumFN] += q * t
		}
		if s.region() && s != setOverlap {
			acc[sumTN] += q * (1 - t)
		}
		if s.logs() {
			acc[sumLogP] += t * lp
			acc[sumLogQ] += (1 - t) * lq
		}
		if s.powers() {
			acc[sumPos] += t * math.Pow(w, gamma) * lp
			acc[sumNeg] += (1 - t) * math.Pow(u, gamma) * lq
		}
	}
	return true
}

func backwardLoop[T Float](a Activation, s set, out, x, r []T, k *[numFactors]T) bool {
	by := func(i int) float64 { return float64(k[i]) }
	for i := range out {
		t := float64(r[i])
		g := by(byIn)*t + by(byOut)*(1-t)
		if a == None && s == setRegion { // x is not read
			out[i] = T(g)
			continue
		}
		if beyond(a, x[i]) {
			return false
		}
		p := float64(x[i])
		q, inside := 1-p, true
		lp, lq := 0.0, 0.0
		if a == Sigmoid {
			p, q, lp, lq = sigmoidOf(p)
		} else if s.takesLogs() {
			_, _, lp, lq, inside = clippedOf(p, by(byClip), 0, 0)
		}
		if s >= setOnlyLogs {
			g = 0
		}
		if s == setSquare {
			g += 2*p*by(byPP) + 2*fromTarget(p, q, t)*(by(bySQR)*t+by(bySQB)*(1-t))
		}
		u := 0.0 // by the log-odds
		if s.logs() {
			u += by(byLogP)*t*q - by(byLogQ)*(1-t)*p
		}
		if s.powers() && inside {
			gamma := by(byGamma)
			u += by(byPos)*t*math.Pow(q, gamma)*(q-gamma*p*lp) - by(byNeg)*(1-t)*math.Pow(p, gamma)*(p-gamma*q*lq)
		}
		switch {
		case a == Sigmoid:
			g = g*p*q + u
		case inside && s.takesLogs():
			g += u / (p * q)
		}
		out[i] = T(g)
	}
	return true
}

func softmaxLoop[T Float](p, q, x, _ *T, stride, xstride, c, n int, _ uintptr) bool {
	e := make([]float64, c)
	for i := range n {
		for k := range c {
			v := *element(x, k*xstride+i)
			if beyond(Softmax, v) {
				return false
			}
			e[k] = math.Exp(float64(v))
		}
		for k := range c {
			others := 0.0
			for o := range c {
				if o != k {
					others += e[o]
				}
			}
			*element(p, k*stride+i) = T(e[k] / (e[k] + others))
			*element(q, k*stride+i) = T(others / (e[k] + others))
		}
	}
	return true
}

// wholeLoop is what the kernels of all classes at once do.
type wholeLoop[T Float] struct {
	region, logs, power bool
	gamma               T
}

func sumsYLoop[T Float](acc *[numSums]float64, x *T, y []uint8, xstride, c int, what wholeLoop[T]) bool {
	n := len(y)
	p, q, l, qy, powers := make([]T, c*n), make([]T, c*n), make([]T, n), make([]T, n), make([]T, n)
	if !softmaxLoop(&p[0], &q[0], x, nil, n, xstride, c, n, 0) {
		return false
	}
	memberLogsLoop(l, qy, &p[0], &q[0], y, n, c)
	memberPowersLoop(powers, l, qy, what.gamma)
	for k := range c {
		to := element(acc, k)
		if what.region {
			r := to[sumR]
			regionYLoop(to, p[k*n:][:n], q[k*n:][:n], y, uint8(k))
			to[sumR] = r
		}
		if what.logs {
			sumYLoop(&to[sumLogP], l, y, uint8(k))
		}
		if what.power {
			sumYLoop(&to[sumPos], powers, y, uint8(k))
		}
	}
	return true
}

func gradYLoop[T Float](out, x, coef *T, y []uint8, outStride, xstride, c int, what wholeLoop[T], stream bool) bool {
	n := len(y)
	p, q, l, qy, m := make([]T, c*n), make([]T, c*n), make([]T, n), make([]T, n), make([]T, n)
	if !softmaxLoop(&p[0], &q[0], x, nil, n, xstride, c, n, 0) {
		return false
	}
	if what.power {
		memberLogsLoop(l, qy, &p[0], &q[0], y, n, c)
		memberPowersGradLoop(m, l, qy, what.gamma)
	}
	by := slices.Clone(unsafe.Slice(coef, numCoefs*c))
	if !what.region {
		for k := range c {
			by[numCoefs*k+coefIn], by[numCoefs*k+coefOut] = 0, 0
		}
	}
	chainYLoop(out, &p[0], &q[0], &m[0], &by[0], nil, y, outStride, n, c, stream)
	return true
}

func memberLogsLoop[T Float](l, qy []T, p, q *T, y []uint8, stride, _ int) bool {
	for i := range l {
		at := int(y[i])*stride + i
		l[i], qy[i] = T(-math.Log1p(float64(*element(q, at))/float64(*element(p, at)))), *element(q, at)
	}
	return true
}

func regionYLoop[T Float](acc *[numSums]float64, p, q []T, y []uint8, class uint8) {
	for i, v := range p {
		if y[i] == class {
			acc[sumTP] += float64(v)
			acc[sumFN] += float64(q[i])
			acc[sumR]++
		} else {
			acc[sumFP] += float64(v)
			acc[sumTN] += float64(q[i])
		}
	}
}

func squareYLoop[T Float](acc *[numSums]float64, p, q []T, y []uint8, class uint8) {
	for i, v := range p {
		acc[sumPP] += float64(v) * float64(v)
		if y[i] == class {
			acc[sumSQR] += float64(q[i]) * float64(q[i])
		} else {
			acc[sumSQB] += float64(v) * float64(v)
		}
	}
}

func sumYLoop[T Float](acc *float64, row []T, y []uint8, class uint8) {
	for i, v := range row {
		if y[i] == class {
			*acc += float64(v)
		}
	}
}

func memberPowersLoop[T Float](w, l, qy []T, gamma T) {
	for i := range w {
		w[i] = T(math.Pow(float64(qy[i]), float64(gamma)) * float64(l[i]))
	}
}

func memberExpLogLoop[T Float](w, l, _ []T, gamma T) bool {
	for i := range w {
		w[i] = T(math.Pow(-float64(l[i]), float64(gamma)))
	}
	return true
}

// The p of a member is e^l.
func memberPowersGradLoop[T Float](m, l, qy []T, gamma T) bool {
	for i := range m {
		q, l, gamma := float64(qy[i]), float64(l[i]), float64(gamma)
		m[i] = T(math.Pow(q, gamma-1) * (q - gamma*math.Exp(l)*l))
	}
	return true
}

func memberExpLogGradLoop[T Float](m, l, _ []T, gamma T) bool {
	for i := range m {
		m[i] = T(-float64(gamma) * math.Pow(-float64(l[i]), float64(gamma)-1))
	}
	return true
}

func chainYLoop[T Float](out, p, q, m, coef, work *T, y []uint8, outStride, stride, c int, stream bool) {
	plain := make([]T, numCoefs*c)
	for k := range c {
		for j := range coefPP {
			plain[numCoefs*k+j] = *element(coef, numCoefs*k+j)
		}
	}
	squareChainYLoop(out, p, q, m, &plain[0], work, y, outStride, stride, c, stream)
}

func squareChainYLoop[T Float](out, p, q, m, coef, _ *T, y []uint8, outStride, stride, c int, _ bool) {
	h := make([]float64, c)
	for i, member := range y {
		for k := range c {
			by := func(j int) float64 { return float64(*element(coef, numCoefs*k+j)) }
			p, q := float64(*element(p, k*stride+i)), float64(*element(q, k*stride+i))
			if int(member) == k {
				h[k] = p*(by(coefIn)+2*by(coefPP)*p-2*by(coefSQR)*q) + by(coefA) + by(coefB)*float64(*element(m, i))
			} else {
				h[k] = p * (by(coefOut) + 2*(by(coefPP)+by(coefSQB))*p)
			}
		}
		for k := range c {
			others := 0.0
			for o := range c {
				if o != k {
					others += h[o]
				}
			}
			p, q := float64(*element(p, k*stride+i)), float64(*element(q, k*stride+i))
			*element(out, k*outStride+i) = T(h[k]*q - p*others)
		}
	}
}

func labelsMostLoop(y []uint8) (most uint8) {
	for _, l := range y {
		most = max(most, l)
	}
	return most
}

func narrow32Loop(dst []uint8, y []int32) (most uint32) {
	for i := range dst {
		dst[i] = uint8(y[i])
		most = max(most, uint32(y[i]))
	}
	return most
}

func narrow64Loop(dst []uint8, y []int64) (most uint64) {
	for i := range dst {
		dst[i] = uint8(y[i])
		most = max(most, uint64(y[i]))
	}
	return most
}

func withinLoop[T Float](x []T, limit T) bool {
	for _, v := range x {
		if !(v >= -limit && v <= limit) {
			return false
		}
	}
	return true
}

func packLoop[T Float](dst, src *T, stride, c, n int) {
	for i := range n {
		for k := range c {
			*element(dst, k*stride+i) = *element(src, i*c+k)
		}
	}
}

func unpackLoop[T Float](dst, src *T, stride, c, n int) {
	for i := range n {
		for k := range c {
			*element(dst, i*c+k) = *element(src, k*stride+i)
		}
	}
}

// element is the i-th element from p on.
func element[T any](p *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), i*int(unsafe.Sizeof(*p))))
}
