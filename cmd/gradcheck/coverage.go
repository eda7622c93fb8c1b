package main

import (
	"context"
	"errors"
	"flag"
	"io"

	"github.com/segloss/segloss/gradcheck"
)

const usageCoverage = `Usage: gradcheck coverage [-n count] [-seed number]

Coverage holds the estimator of derivatives against exact ones: it takes random
derivatives of the losses of one to three pixels, with probabilities, targets
and smoothing down to 1e-9, and counts how many true errors are within the error
claimed, and how often a kink was seen where there is none. The exit code is 1
where fewer than 99.99 % are within the claim, or anything was seen.
`

func setupCoverage(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	n := fs.Int("n", 110000, "the number of derivatives, a `count`")
	seed := fs.Uint64("seed", 1, "the `number` that all draws follow from")
	return func(ctx context.Context, stdout, _ io.Writer) (int, error) {
		if *n < 1 {
			return exitUsage, argument("-n", errors.New("want at least 1 derivative"))
		}
		r, err := gradcheck.Coverage(ctx, *n, *seed)
		if err != nil && !r.Partial {
			return exitUsage, err
		}
		code := exitOK
		switch {
		case r.Partial:
			code = exitInconclusive
		case !r.OK():
			code = exitFailed
		}
		return code, errors.Join(r.Print(stdout), err)
	}
}
