package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

func TestList(t *testing.T) {
	code, text, stderr := runCommand("list")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	code, out, stderr := runCommand("list", "-json")
	if code != exitOK || stderr != "" {
		t.Fatalf("-json: exit code %d, stderr %q", code, stderr)
	}
	var l listing
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Error("-json: more than one value")
	}
	names := map[string]bool{}
	for _, in := range l.Losses {
		names[in.Name] = true
		if in.Formula == "" || in.Source == "" || in.Options == nil {
			t.Errorf("%+v", in)
		}
		if !strings.Contains(text, "\n"+in.Name+" (") && !strings.HasPrefix(text, in.Name+" (") {
			t.Errorf("%s is not in the text", in.Name)
		}
	}
	for _, name := range strings.Fields("dice dice2 iou tversky focal_tversky ss gdl exp_log_dice " +
		"bce wce ce focal focal_ce exp_log_ce bce_dice dice_ce dice_focal exp_log") {
		if !names[name] {
			t.Errorf("no %s", name)
		}
	}
	if len(l.Backends) == 0 || l.Backends[0].Name != "generic" || !l.Backends[0].Available {
		t.Errorf("backends %+v", l.Backends)
	}
}

func TestListingUnavailable(t *testing.T) {
	l := newListing(
		[]kernels.Info{{Name: "ce", Kind: "pointwise", Formula: "-ln p", Categorical: true,
			Options: []kernels.OptionInfo{{Name: "weight", Type: "list"}}}},
		[]kernels.Backend{{Name: "generic"}, {Name: "avx1024", Err: errors.New("no such processor")}})
	var b strings.Builder
	if err := l.writeText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ce (pointwise, at least 2 classes)", "weight", "default none", "generic   available", "not available: no such processor"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
