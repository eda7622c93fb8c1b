// Package names says which name a mistyped one was meant to be.
package names

import (
	"fmt"
	"strings"
)

// Suggest says which of some names is nearest to s, if one is near, and lists them.
func Suggest(s string, all []string) string {
	listed := make([]string, len(all))
	for i, n := range all {
		listed[i] = n
		if strings.ContainsAny(n, " ,") {
			listed[i] = fmt.Sprintf("%q", n)
		}
	}
	want := "want one of " + strings.Join(listed, ", ")
	if near := Nearest(s, all); near != "" {
		return fmt.Sprintf("did you mean %q? %s", near, want)
	}
	return want
}

// Nearest returns the name at the least edit distance, if it is near at all and has
// something of s, else "". The first words of a name may stand for it.
func Nearest(s string, all []string) string {
	word := []rune(strings.ToLower(s))
	best, at := "", 1+max(2, len(word)/2)
	for _, n := range all {
		for i := 1; i <= len(n); i++ {
			if i < len(n) && !strings.ContainsRune(" ,-", rune(n[i])) {
				continue
			}
			if d := editDistance(word, []rune(n[:i])); d < min(at, i) {
				best, at = n, d
			}
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
