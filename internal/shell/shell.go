// Package shell writes command lines that can be pasted into a POSIX shell.
package shell

import "strings"

// Join returns the command line of some arguments, each quoted where a shell
// would read it otherwise than it is written.
func Join(args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}

// plain are the characters beside letters and digits that mean nothing to a shell.
const plain = "-_./,:=+@%"

func quote(arg string) string {
	special := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(plain, r)
	}
	if arg != "" && !strings.ContainsFunc(arg, special) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
