// Package modules is the list of modules that losses.cu is compiled to: which there
// are, which of them serves a loss, and their PTX.
package modules

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/segloss/segloss/kernels/internal/losses"
)

// Entry is the name of every module's kernel.
const Entry = "run"

// Element is a type of elements as losses.cu and the names of modules call it.
type Element struct {
	Name string // in the names of modules
	Type string // in C++
	Wide bool   // computed in double
}

// The types of elements.
var (
	Float32  = Element{"f32", "float", false}
	Float16  = Element{"f16", "half", false}
	BFloat16 = Element{"bf16", "bfloat", false}
	Float64  = Element{"f64", "double", true}
)

// family is a kernel of losses.cu that is compiled for each type of element.
type family struct {
	name    string
	defines []string
	classes [2]int // that it serves, least and most
	softmax bool
	narrow  bool // there is none in double: it is there for checking, not for speed
	serves  func(f *losses.Features) bool
}

// families are in the order of preference: the first one that serves a loss has the
// least code for it, and the most positions under way.
var families = []family{
	{"region", []string{"FAMILY=POINTWISE", "FEATURES=REGION|SQUARE"}, anyNumber, false, true, polynomial},
	{"logs", []string{"FAMILY=POINTWISE", "FEATURES=REGION|LOGS"}, anyNumber, false, true,
		func(f *losses.Features) bool { return !f.Soft && !f.Square && len(f.Powers) == 0 }},
	{"pointwise", []string{"FAMILY=POINTWISE", "FEATURES=EVERYTHING"}, anyNumber, false, false, everything},
	{"softmax2", []string{"FAMILY=FEW", "CLASSES=2"}, [2]int{2, 2}, true, true, few},
	{"softmax3", []string{"FAMILY=FEW", "CLASSES=3"}, [2]int{3, 3}, true, true, few},
	{"softmax4", []string{"FAMILY=FEW", "CLASSES=4"}, [2]int{4, 4}, true, true, few},
	{"softmax8", []string{"FAMILY=FEW", "CLASSES=8"}, [2]int{5, 8}, true, true, few},
	{"softmax", []string{"FAMILY=SOFTMAX", "FEATURES=EVERYTHING"}, anyNumber, true, false, everything},
}

var anyNumber = [2]int{1, 1 << 30}

func everything(*losses.Features) bool { return true }

// polynomial serves sums of polynomials in p.
func polynomial(f *losses.Features) bool { return !f.Soft && !f.NeedsLogs() }

// few is what FewSoftmax has registers for: region sums, ln p and q² ln p.
func few(f *losses.Features) bool {
	if f.Soft || f.Square || f.LogQ || f.LogAll || len(f.Powers) > 1 {
		return false
	}
	return len(f.Powers) == 0 || f.Powers[0].Pos && f.Powers[0].Gamma == 2
}

// Choose names the module for a loss.
func Choose(f *losses.Features, e Element, softmax bool, classes int) string {
	for _, k := range families {
		if k.softmax == softmax && !(e.Wide && k.narrow) && k.classes[0] <= classes && classes <= k.classes[1] && k.serves(f) {
			return e.Name + "_" + k.name
		}
	}
	panic("modules: the last family of each kind serves everything")
}

// Module is one translation of losses.cu.
type Module struct {
	Name    string
	Defines []string
}

// All is every module, in the order of the list.
func All() (all []Module) {
	for _, e := range []Element{Float32, Float16, BFloat16, Float64} {
		for _, k := range families {
			if !(e.Wide && k.narrow) {
				all = append(all, Module{e.Name + "_" + k.name, append([]string{"ELEMENT=" + e.Type}, k.defines...)})
			}
		}
	}
	return all
}

//go:embed *.ptx
var files embed.FS

// PTX returns the text of a module.
func PTX(name string) (string, error) {
	text, err := files.ReadFile(name + ".ptx")
	return string(text), err
}

// Sources are the files that a module is made of, beside losses.cu.
var Sources = []string{
	"losses.cu", "abi.h", "shim.h", "elements.h", "math.h", "finish.h",
	"target.h", "sums.h", "features.h", "activation.h", "tiles.h", "few.h",
}

// Flags are the compiler's, without the defines.
var Flags = strings.Fields("-x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_70 --cuda-feature=+ptx63 -O3 -std=c++17 -fno-unroll-loops -ffp-contract=off -S")

// Stamp is the first line of the PTX that is made of the sources in dir: it tells
// whether it is made of these.
func (m Module) Stamp(dir fs.FS) (string, error) {
	h := sha256.New()
	for _, name := range Sources {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	fmt.Fprintln(h, Flags, m.Defines)
	return "// source sha256 " + hex.EncodeToString(h.Sum(nil)) + "\n", nil
}
