package probe

var portable = Implementation{
	Name:  "go",
	block: 1,
	loops: [Patterns]loop{Read1: read1, Read2: read2, R1W1: r1w1, R2W1: r2w1, W1: w1},
}

const factor = 1.5

// Four sums, so that an addition does not wait for the one before it.
func read1(_, a, _ []float32) float32 {
	var s [4]float32
	for ; len(a) >= 4; a = a[4:] {
		s[0] += factor * a[0]
		s[1] += factor * a[1]
		s[2] += factor * a[2]
		s[3] += factor * a[3]
	}
	for _, x := range a {
		s[0] += factor * x
	}
	return s[0] + s[1] + s[2] + s[3]
}

func read2(_, a, b []float32) float32 {
	var s [4]float32
	b = b[:len(a)]
	for ; len(a) >= 4 && len(b) >= 4; a, b = a[4:], b[4:] {
		s[0] += a[0] * b[0]
		s[1] += a[1] * b[1]
		s[2] += a[2] * b[2]
		s[3] += a[3] * b[3]
	}
	for i, x := range a {
		s[0] += x * b[i]
	}
	return s[0] + s[1] + s[2] + s[3]
}

func r1w1(o, a, _ []float32) float32 {
	o = o[:len(a)]
	for i, x := range a {
		o[i] = factor*x + factor
	}
	return 0
}

func r2w1(o, a, b []float32) float32 {
	o, b = o[:len(a)], b[:len(a)]
	for i, x := range a {
		o[i] = factor*x + b[i]
	}
	return 0
}

func w1(o, a, _ []float32) float32 {
	o = o[:len(a)]
	for i := range o {
		o[i] = factor
	}
	return 0
}
