package kernels

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An expression is ASCII. What an editor or a document puts in its place, such as a
// typographic minus, is told apart in messages, for it may look the same.

// isNameRune reports whether r may be meant as part of a name: also a letter that is in
// none, so that a message shows the whole word.
func isNameRune(r rune, inside bool) bool {
	if r < utf8.RuneSelf {
		return isNameByte(byte(r), inside)
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || inside && unicode.IsDigit(r)
}

// foreign says which character of a word is the first that no name has.
func foreign(word string) string {
	for _, r := range word {
		if r >= utf8.RuneSelf {
			return ": " + describe(r) + " is in no name"
		}
	}
	return ""
}

// describe shows a character and, beyond ASCII, its number and what to write for it.
func describe(r rune) string {
	switch plain := plainly(r); {
	case r < utf8.RuneSelf:
		return strconv.QuoteRune(r)
	case plain < utf8.RuneSelf && !unicode.IsLetter(r):
		return fmt.Sprintf("%q (U+%04X, write %q)", r, r, plain)
	case !unicode.IsPrint(r):
		return fmt.Sprintf("%q (U+%04X, leave it out)", r, r)
	}
	return fmt.Sprintf("%q (U+%04X)", r, r)
}

// plainly is the ASCII character that r stands for, if it is a form of one.
func plainly(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
	case r >= '！' && r <= '～': // full-width forms, in the order of ASCII
		return r - '！' + '!'
	case r == '−' || unicode.Is(unicode.Pd, r):
		return '-'
	case strings.ContainsRune("×∗·⋅", r):
		return '*'
	case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

// nearest returns the name at the least edit distance, if it is near at all and has
// something of s.
func nearest(s string, names []string) string {
	word := []rune(strings.ToLower(strings.Map(plainly, s)))
	best, at := "", 1+max(2, len(word)/2)
	for _, n := range names {
		if d := editDistance(word, []rune(n)); d < min(at, len(n)) {
			best, at = n, d
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
