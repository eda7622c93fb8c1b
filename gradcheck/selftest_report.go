package gradcheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the matrix of mutants and losses, what was ineffective, how the
// checkers compare, and the total.
func (s *SelfTest) Print(w io.Writer) error {
	var b strings.Builder
	s.matrix(&b)
	s.harmless(&b)
	s.comparison(&b)
	s.escaped(&b)
	b.WriteString("\n" + s.Summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary is the outcome in one line.
func (s *SelfTest) Summary() string {
	us := s.Checkers[0]
	text := fmt.Sprintf("SELF-TEST %v: %d kinds of mistake in %d losses; %d of %d effective mutants caught, %d of %d right gradients rejected, %d undecided; %.1f s",
		s.Verdict(), len(s.Mutants), len(s.Losses), us.Caught, us.Mutants, us.Rejected, us.Right, us.Undecided, s.Elapsed.Seconds())
	if s.Partial {
		text += "; interrupted, so partial"
	}
	return text
}

// matrix writes how many effective mutants there were of each kind in each
// loss: a number where all were caught, a fraction where not.
func (s *SelfTest) matrix(b *strings.Builder) {
	b.WriteString("Effective mutants by loss, each caught unless a fraction says how many; a dot where the mistake changes nothing.\n")
	for l, name := range s.Losses {
		fmt.Fprintf(b, "%*d %s", 3, l+1, name)
		if l%6 == 5 || l == len(s.Losses)-1 {
			b.WriteString("\n")
		}
	}
	tw := tabwriter.NewWriter(b, 0, 0, 1, ' ', tabwriter.AlignRight)
	for l := range s.Losses {
		fmt.Fprintf(tw, "%d\t", l+1)
	}
	fmt.Fprintln(tw, "  mistake")
	for _, m := range s.Mutants {
		for _, c := range m.Cells {
			fmt.Fprintf(tw, "%s\t", c)
		}
		fmt.Fprintln(tw, "  "+m.Name)
	}
	tw.Flush() // to memory
}

// String is the cell of the matrix.
func (c MutantCell) String() string {
	switch {
	case c.Effective == 0:
		return "."
	case c.Caught < c.Effective:
		return fmt.Sprintf("%d/%d", c.Caught, c.Effective)
	}
	return fmt.Sprint(c.Effective)
}

// harmless lists the mutants that changed less than counts, with the oracle's
// figure.
func (s *SelfTest) harmless(b *strings.Builder) {
	fmt.Fprintf(b, "\nIneffective, by the exact oracle (%s): mistakes that moved no element by %d tolerances, and the most that one moved it.\n", s.oracles(), effective)
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, m := range s.Mutants {
		var all MutantCell
		var nowhere []string
		for l, c := range m.Cells {
			all.add(c)
			if c.Effective == 0 && c.Harmless > 0 {
				nowhere = append(nowhere, s.Losses[l])
			}
		}
		if all.Harmless == 0 {
			continue
		}
		line := fmt.Sprintf("%s\t%d\tmost %.2g\t", m.Name, all.Harmless, all.Most)
		if len(nowhere) > 0 {
			line += "nowhere effective in " + strings.Join(nowhere, ", ")
		}
		fmt.Fprintln(tw, line)
	}
	tw.Flush() // to memory
}

// oracles counts what was asked.
func (s *SelfTest) oracles() string {
	var parts []string
	for name, n := range s.Oracles {
		parts = append(parts, fmt.Sprintf("%s on %d gradients", name, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// comparison writes how this checker and others did on the same gradients.
func (s *SelfTest) comparison(b *strings.Builder) {
	b.WriteString("\nThe same gradients before other checkers' criteria, with their defaults:\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "CHECKER\tWRONG\tPASSED\tSHARE\tRIGHT\tREJECTED\tSHARE\tUNDECIDED\t")
	for _, c := range s.Checkers {
		missed := c.Mutants - c.Caught
		fmt.Fprintf(tw, "%s\t%d\t%d\t%s\t%d\t%d\t%s\t%d\t\n", c.Name, c.Mutants, missed, percent(missed, c.Mutants), c.Right, c.Rejected, percent(c.Rejected, c.Right), c.Undecided)
	}
	tw.Flush() // to memory
	for _, c := range s.Checkers[1:] {
		fmt.Fprintf(b, "%s: %s\n", c.Name, c.Source)
	}
}

func percent(part, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(of))
}

// escaped names the effective mutants that passed, and the right gradients that
// did not.
func (s *SelfTest) escaped(b *strings.Builder) {
	left := maxDetails
	for _, m := range s.Mutants {
		for _, c := range m.Cells {
			for _, name := range c.Escaped {
				if left--; left >= 0 {
					fmt.Fprintf(b, "\nESCAPED %s: %s", m.Name, name)
				}
			}
		}
	}
	for _, name := range s.Checkers[0].Alarms {
		if left--; left >= 0 {
			fmt.Fprintf(b, "\nREJECTED though right: %s", name)
		}
	}
	if left < maxDetails {
		b.WriteString("\n")
	}
	if left < 0 {
		fmt.Fprintf(b, "… and %d more\n", -left)
	}
}
