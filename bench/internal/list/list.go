// Package list reads flags that hold several values, as in -threads 1,2.
package list

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ints are positive numbers.
type Ints []int

// String implements flag.Value.
func (l *Ints) String() string {
	s := make([]string, len(*l))
	for i, v := range *l {
		s[i] = strconv.Itoa(v)
	}
	return strings.Join(s, ",")
}

// Set implements flag.Value.
func (l *Ints) Set(s string) error {
	var all Ints
	for _, part := range strings.Split(s, ",") {
		v, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || v < 1 {
			return fmt.Errorf("%q is not a positive number", part)
		}
		all = append(all, v)
	}
	*l = all
	return nil
}

// Names are names out of a list of them.
type Names struct {
	Chosen, Of []string
}

// String implements flag.Value.
func (l *Names) String() string { return strings.Join(l.Chosen, ",") }

// Set implements flag.Value.
func (l *Names) Set(s string) error {
	var all []string
	for _, name := range strings.Split(s, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(l.Of, name) {
			return fmt.Errorf("%q is none of %s", name, strings.Join(l.Of, ", "))
		}
		all = append(all, name)
	}
	l.Chosen = all
	return nil
}

// Has reports whether a name was chosen.
func (l *Names) Has(name string) bool { return slices.Contains(l.Chosen, name) }
