package ptxsim

import (
	"testing"

	"github.com/segloss/segloss/kernels/cuda/internal/modules"
)

func TestModulesParse(t *testing.T) {
	for _, m := range modules.All() {
		text, err := modules.PTX(m.Name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if f := p.funcs[modules.Entry]; f == nil || !f.entry || len(f.code) < 1000 {
			t.Errorf("%s has no entry, or not all of it", m.Name)
		}
	}
}
