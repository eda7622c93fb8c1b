// Gradcheck checks the losses and gradients of package kernels, and computes
// them on tensors stored as .npy files.
//
// Usage:
//
//	gradcheck                 check every loss on every backend of this machine
//	gradcheck check [flags]   check some of them, or all on tensors of your own
//	gradcheck eval [flags]    loss and gradient of your own tensors
//	gradcheck list [-json]    the losses with their options, and the backends
//	gradcheck point [flags]   the derivative of one pixel: formula, exact value, estimate
//	gradcheck cond [flags]    the same over a grid, and what smoothing does to it
//	gradcheck plot picture    pictures of steps, derivatives, remainders and rounding
//	gradcheck coverage        hold the estimator itself against exact derivatives
//	gradcheck help [command]  what the flags are
//
// The exit code is 0 where all is good, 1 where a check failed, 2 for wrong
// usage or input and for output that cannot be written, 3 where nothing failed but
// not everything could be decided (an interrupt included), and 4 where the backend
// is not available. With 2 and 4 nothing is written but the error. "go run" turns
// every code but 0 into 1, and prints the code after "exit status"; a script builds
// the command first.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/segloss/segloss/internal/names"
	"github.com/segloss/segloss/kernels"
)

// The exit codes.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitInconclusive = 3
	exitBackend      = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	// The first interrupt asks for a report of what was done so far; a second
	// one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A command is one job of the program.
type command struct {
	name  string
	usage string // what stands above the list of flags
	// setup defines the command's flags and returns what runs it.
	setup func(fs *flag.FlagSet) func(ctx context.Context, stdout, stderr io.Writer) (code int, err error)
	// operands is the number of arguments that are no flags; the first may stand
	// before them.
	operands int
}

// commands are the subcommands; the first has no name.
var commands = []command{
	{usage: usageAll, setup: setupAll},
	{name: "check", usage: usageCheck, setup: setupCheck},
	{name: "eval", usage: usageEval, setup: setupEval},
	{name: "list", usage: usageList, setup: setupList},
	{name: "point", usage: usagePoint, setup: setupPoint},
	{name: "cond", usage: usageCond, setup: setupCond},
	{name: "plot", usage: usagePlot, setup: setupPlot, operands: 1},
	{name: "coverage", usage: usageCoverage, setup: setupCoverage},
}

const usageAll = `Gradcheck checks the losses and gradients of package kernels.

	gradcheck [flags]         check every loss on every backend of this machine
	gradcheck check [flags]   check some of them, or check on tensors of your own
	gradcheck eval [flags]    loss and gradient of your own tensors
	gradcheck list [-json]    the losses with their options, and the backends
	gradcheck point [flags]   the derivative of one pixel: formula, exact value, estimate
	gradcheck cond [flags]    the same over a grid, and what smoothing does to it
	gradcheck plot picture    pictures of steps, derivatives, remainders and rounding
	gradcheck coverage        hold the estimator itself against exact derivatives
	gradcheck help [command]  the flags of a command

Without flags it takes about a minute, and its last lines say what was left out for that;
-full leaves nothing out.

Exit codes: 0 all good, 1 a check failed, 2 wrong usage or input, or
output that cannot be written, 3 inconclusive or interrupted, 4 backend not
available. In a clone of the module, "go run" turns every code but 0 into 1, and
prints the code after "exit status"; a script builds first:

	go build -o bin/ ./cmd/gradcheck && bin/gradcheck
`

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if name == "help" {
		name, args = strings.Join(args, " "), []string{"-h"}
		if name == "help" || strings.HasPrefix(name, "-") {
			name = ""
		}
	}
	allowed := []string{"help"}
	for _, c := range commands {
		if c.name == name {
			return c.run(ctx, args, stdout, stderr)
		}
		if c.name != "" {
			allowed = append(allowed, c.name)
		}
	}
	fmt.Fprintf(stderr, "gradcheck: unknown command %q; %s\n\n%s", name, names.Suggest(name, allowed), usageAll)
	return exitUsage
}

// run parses the flags, does the job and turns an error into an exit code.
func (c command) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet(strings.TrimSpace("gradcheck "+c.name), flag.ContinueOnError)
	fs.SetOutput(io.Discard) // Parse's own output; the error is reported below
	job := c.setup(fs)
	if c.operands > 0 && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		args = append(slices.Clone(args[1:]), args[0]) // where Parse looks for it
	}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		err = nil
		job = func(_ context.Context, stdout, _ io.Writer) (int, error) { return exitOK, c.help(fs, stdout) }
	case err != nil:
		err = nameFlags(fs, err)
	case fs.NArg() > c.operands:
		err = fmt.Errorf("unexpected argument %q: the rest are flags", fs.Arg(0))
	default:
		err = emptyFlag(fs)
	}
	if err != nil {
		complain(stderr, fs, err)
		fmt.Fprintf(stderr, "Run %q for the usage.\n", fs.Name()+" -h")
		return exitUsage
	}
	code, err := job(ctx, stdout, stderr)
	if err == nil {
		return code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "%s: interrupted\n", fs.Name())
		if code == exitFailed {
			return exitFailed // that much is certain
		}
		return exitInconclusive
	}
	complain(stderr, fs, err)
	if errors.Is(err, kernels.ErrBackend) {
		return exitBackend
	}
	return exitUsage
}

// help writes what the command and its flags do.
func (c command) help(fs *flag.FlagSet, stdout io.Writer) error {
	var b bytes.Buffer
	fmt.Fprint(&b, c.usage, "\nFlags:\n")
	fs.SetOutput(&b)
	fs.PrintDefaults()
	_, err := stdout.Write(b.Bytes())
	return err
}

// nameFlags adds to the error of an unknown flag which there are.
func nameFlags(fs *flag.FlagSet, err error) error {
	_, given, unknown := strings.Cut(err.Error(), "not defined: -")
	if !unknown {
		return err
	}
	var allowed []string
	fs.VisitAll(func(f *flag.Flag) { allowed = append(allowed, "-"+f.Name) })
	return fmt.Errorf("%w; %s", err, names.Suggest("-"+given, allowed))
}

// emptyFlag looks for a flag that was given an empty text, as by a script's variable
// that is not set; it would count as not given. Those that are no texts say so themselves.
func emptyFlag(fs *flag.FlagSet) (err error) {
	fs.Visit(func(f *flag.Flag) {
		if g, ok := f.Value.(flag.Getter); ok && g.Get() == "" && err == nil {
			err = fmt.Errorf("-%s is given, but empty", f.Name)
		}
	})
	return err
}

// complain writes an error. Those of package kernels name the module, which
// this program's user need not know.
func complain(stderr io.Writer, fs *flag.FlagSet, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", fs.Name(), strings.Replace(err.Error(), "segloss: ", "", 1))
}
