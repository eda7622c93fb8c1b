package ptxsim

// converge finds for every instruction that may branch where its lanes meet again: the
// immediate post-dominator, the first instruction that all ways from it to the end come
// through; -1 where there is none.
func converge(f *function) {
	n := len(f.code)
	next := make([][]int, n)
	for i := range f.code {
		next[i] = f.successors(i)
	}
	order := reverse(next)
	after := postDominators(next, order)
	for i := range f.code {
		f.code[i].converge = -1
		if d := after[i]; d >= 0 && d < n {
			f.code[i].converge = d
		}
	}
}

// successors are the instructions that may follow; len(code) stands for the end.
func (f *function) successors(i int) []int {
	in := &f.code[i]
	switch {
	case in.end == exits && in.pred < 0:
		return nil // lanes that end here meet nobody, and the others need not wait for them
	case in.end != goesOn && in.end != waits:
		if in.pred >= 0 {
			return []int{i + 1, len(f.code)}
		}
		return []int{len(f.code)}
	case in.jump != nil && in.pred >= 0:
		return []int{i + 1, in.jump.target}
	case in.jump != nil:
		return []int{in.jump.target}
	}
	return []int{i + 1}
}

// reverse lists the instructions from which the end can be reached, so that each comes
// after one of those that follow it, as far as loops allow.
func reverse(next [][]int) []int {
	n := len(next)
	before := make([][]int, n+1)
	for i, s := range next {
		for _, k := range s {
			before[k] = append(before[k], i)
		}
	}
	seen := make([]bool, n+1)
	var order []int
	type visit struct{ node, child int }
	stack := []visit{{n, 0}}
	seen[n] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.child < len(before[top.node]) {
			k := before[top.node][top.child]
			top.child++
			if !seen[k] {
				seen[k] = true
				stack = append(stack, visit{k, 0})
			}
			continue
		}
		order = append(order, top.node)
		stack = stack[:len(stack)-1]
	}
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// postDominators is the algorithm of Cooper, Harvey and Kennedy on the reversed graph.
func postDominators(next [][]int, order []int) []int {
	n := len(next)
	rank := make([]int, n+1)
	for i := range rank {
		rank[i] = -1
	}
	for i, k := range order {
		rank[k] = i
	}
	dom := make([]int, n+1)
	for i := range dom {
		dom[i] = -1
	}
	dom[n] = n
	meet := func(a, b int) int {
		for a != b {
			for rank[a] > rank[b] {
				a = dom[a]
			}
			for rank[b] > rank[a] {
				b = dom[b]
			}
		}
		return a
	}
	for changed := true; changed; {
		changed = false
		for _, k := range order[1:] {
			best := -1
			for _, s := range next[k] {
				if rank[s] < 0 || dom[s] < 0 {
					continue
				}
				if best < 0 {
					best = s
				} else {
					best = meet(best, s)
				}
			}
			if best != dom[k] {
				dom[k] = best
				changed = true
			}
		}
	}
	return dom
}
