package kernels

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/segloss/segloss/internal/names"
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

// nearest returns the allowed name that s was meant to be, "" if none is near.
func nearest(s string, allowed []string) string {
	return names.Nearest(strings.Map(plainly, s), allowed)
}
