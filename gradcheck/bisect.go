package gradcheck

// bisect narrows elements that fail together down to as few as still fail: to a
// single one, unless what is wrong can only be seen in several at once. It calls
// fails with subsets, in their order and never empty; elements as a whole is
// taken to fail. A single wrong one of n takes log2(n) to 2·log2(n) calls.
//
// A set is cut in the middle. Where neither half fails, because the cut parts
// two defects or neighbours cancel, the half around the cut is tried, and then
// every second element.
func bisect(elements []int, fails func(subset []int) bool) []int {
	for len(elements) > 1 {
		half := failing(elements, fails)
		if half == nil {
			break
		}
		elements = half
	}
	return elements
}

// failing returns a half of the elements that fails, nil where none of those
// that are tried does.
func failing(elements []int, fails func(subset []int) bool) []int {
	n := len(elements)
	halves := [][]int{elements[:n/2], elements[n/2:]}
	if n > 2 {
		var second []int
		for i := 0; i < n; i += 2 {
			second = append(second, elements[i])
		}
		halves = append(halves, elements[n/4:n/4+(n+1)/2], second)
	}
	for _, half := range halves {
		if fails(half) {
			return half
		}
	}
	return nil
}
