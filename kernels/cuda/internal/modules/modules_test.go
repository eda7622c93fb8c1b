package modules

import (
	"os"
	"strings"
	"testing"
)

// A module that was not compiled from the sources beside it would be tested and shipped
// as if it were.
func TestPTXIsCurrent(t *testing.T) {
	for _, m := range All() {
		want, err := m.Stamp(os.DirFS("../.."))
		if err != nil {
			t.Fatal(err)
		}
		text, err := PTX(m.Name)
		if err != nil {
			t.Error(err)
		} else if !strings.HasPrefix(text, want) {
			t.Errorf("%s.ptx is not made of the sources that are here; run make ptx", m.Name)
		}
	}
}

// No file is left over from a module that is no more, and together they are small
// enough to link.
func TestPTXFiles(t *testing.T) {
	known := map[string]bool{}
	for _, m := range All() {
		known[m.Name+".ptx"] = true
	}
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s belongs to no module", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += int(info.Size())
	}
	if total > 6<<20 {
		t.Errorf("%d bytes of PTX; want at most 6 MiB", total)
	}
}
