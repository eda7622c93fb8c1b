package gradcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/internal/shell"
	"github.com/segloss/segloss/kernels"
)

// EdgeNames lists the kinds of input that [Options.Edges] may name, and
// TargetNames the kinds of target.
func EdgeNames() []string {
	names := make([]string, 0, len(edges)+2)
	for _, e := range edges {
		names = append(names, e.name)
	}
	return append(names, volume{}.String(), volume{lesion: true}.String())
}

// TargetNames lists the kinds of target that [Options.Targets] may name.
func TargetNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// checkNames looks for edges and targets that there are none of.
func (o Options) checkNames() error {
	if err := known("edges", o.Edges, EdgeNames()); err != nil {
		return err
	}
	return known("targets", o.Targets, TargetNames())
}

// known returns an error where one of the names is not allowed.
func known(arg string, asked, allowed []string) error {
	for i, name := range asked {
		if !slices.Contains(allowed, name) {
			return &kernels.ArgError{Arg: arg, Index: i, Value: fmt.Sprintf("%q", name),
				Err: fmt.Errorf("%w: %s", kernels.ErrOption, names.Suggest(name, allowed))}
		}
	}
	return nil
}

// nothing is the error of options that leave nothing to check.
func (o Options) nothing() error {
	asked := fmt.Sprintf("activations %v, edges %q, targets %q", o.activations(), o.Edges, o.Targets)
	return &kernels.ArgError{Arg: "options", Index: -1, Value: asked, Err: fmt.Errorf("%w: no input is all of that", kernels.ErrOption)}
}

// allows reports whether a list of names, nil for all, has one of them.
func allows(names []string, name string) bool { return names == nil || slices.Contains(names, name) }

// single reports whether the options ask for one kind of input with one kind of
// target, as the command of a row does.
func (o Options) single() bool { return len(o.Edges) == 1 && len(o.Targets) == 1 }

// among returns a loss among those that a full run checks it with, which are
// silent; where it is none of them, itself alone. The error of an estimate
// depends a little on the other losses, whose values come from the same
// evaluations, so a row is the same to the last bit only among them.
func among(l kernels.Loss, all []variant) []variant {
	found := false
	own := slices.Clone(all)
	for i, v := range own {
		own[i].silent = v.loss.String() != l.String()
		found = found || !own[i].silent
	}
	if !found {
		return custom(l)
	}
	return own
}

// command returns the command line that checks the row alone again, "" where
// there is none: the input is the caller's, or a region loss is.
func (r Row) command(seed uint64) string {
	if _, err := kernels.Parse(r.Loss); err != nil || !slices.Contains(EdgeNames(), r.Edge) {
		return ""
	}
	return r.commandLine(seed, "-loss", r.Loss)
}

// commandLine returns the command line that checks the row's input in its way,
// every loss unless the flags that come first say which.
func (r Row) commandLine(seed uint64, flags ...string) string {
	args := append([]string{"gradcheck", "check"}, flags...)
	args = append(args, "-activation", r.Activation, "-edge", r.Edge, "-target", r.Target,
		"-backend", r.Backend, "-dtype", r.DType, "-layout", r.Layout, "-seed", fmt.Sprint(seed))
	return shell.Join(args...)
}

// reasonKind returns the first word of a row's reason: noise, truncation,
// domain or divergent.
func (r Row) reasonKind() string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.Reason, "along a direction: "), ":")
	return kind
}
