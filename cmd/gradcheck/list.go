package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/segloss/segloss/kernels"
	"github.com/segloss/segloss/kernels/cuda"
)

const usageList = `Usage: gradcheck list [-json]

List writes the losses with their formulas, sources and options, and the
backends, with the reason where one is not available on this machine.
`

// listing is what list writes.
type listing struct {
	Losses   []listedLoss    `json:"losses"`
	Backends []listedBackend `json:"backends"`
}

type listedLoss struct {
	Name    string               `json:"name"`
	Kind    string               `json:"kind"` // region, pointwise or combination
	Formula string               `json:"formula"`
	Source  string               `json:"source"`
	MinC    int                  `json:"min_classes"`
	Options []kernels.OptionInfo `json:"options"`
}

type listedBackend struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Reason    string `json:"reason,omitempty"` // why it is not available
}

func setupList(fs *flag.FlagSet) func(context.Context, io.Writer, io.Writer) (int, error) {
	asJSON := fs.Bool("json", false, "write one JSON object")
	return func(_ context.Context, stdout, _ io.Writer) (int, error) {
		l := newListing(kernels.Losses(), kernels.Backends())
		if *asJSON {
			return exitOK, writeJSON(stdout, l)
		}
		return exitOK, l.writeText(stdout)
	}
}

func newListing(losses []kernels.Info, backends []kernels.Backend) listing {
	var l listing
	for _, in := range losses {
		out := listedLoss{Name: in.Name, Kind: in.Kind, Formula: in.Formula, Source: in.Source, MinC: 1, Options: in.Options}
		if in.Categorical {
			out.MinC = 2
		}
		l.Losses = append(l.Losses, out)
	}
	for _, b := range backends {
		if b.Name == cudaBackend {
			_, b.Err = cuda.Devices()
		}
		out := listedBackend{Name: b.Name, Available: b.Err == nil}
		if b.Err != nil {
			out.Reason = b.Err.Error()
		}
		l.Backends = append(l.Backends, out)
	}
	return l
}

func (l listing) writeText(w io.Writer) error {
	var b strings.Builder
	for _, in := range l.Losses {
		fmt.Fprintf(&b, "%s (%s", in.Name, in.Kind)
		if in.MinC > 1 {
			fmt.Fprintf(&b, ", at least %d classes", in.MinC)
		}
		fmt.Fprintf(&b, ")\n    %s\n", in.Formula)
		if in.Source != "" {
			fmt.Fprintf(&b, "    source: %s\n", in.Source)
		}
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, o := range in.Options {
			fmt.Fprintf(t, "      %s\t%s\tdefault %s\t%s\t%s\n", o.Name, o.Type, orNone(o.Default), strings.Join(o.Allowed, ", "), o.Doc)
		}
		t.Flush()
		b.WriteByte('\n')
	}
	b.WriteString("backends\n")
	for _, be := range l.Backends {
		state := "available"
		if !be.Available {
			state = "not available: " + be.Reason
		}
		fmt.Fprintf(&b, "      %-8s  %s\n", be.Name, state)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// orNone stands in for the default of an option that has none.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// writeJSON writes one object on one line, and nothing where it cannot be encoded.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
