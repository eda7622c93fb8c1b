// Command gen writes the assembly row primitives of package kernels: one file
// for AVX2 with FMA, one for AVX-512, each with its stubs. Both come from the
// same bodies; type isa and the operations in vec.go hold what differs.
//
//	go run . -dir ..
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set: a suffix of names, the bytes of a vector, and the
// file that its functions go to.
type isa struct {
	name  string
	bytes int
	file  string
}

var isas = []isa{
	{"AVX2", 32, "asm_amd64"},
	{"AVX512", 64, "asm_avx512_amd64"},
}

func (i isa) wide() bool { return i.bytes == 64 }

// gen writes one file.
type gen struct {
	*build.Context
	isa

	elem      string // F32 or F64: the elements of the tensors
	single    bool   // whether the lanes are float32
	constants map[string]operand.Mem
	loopState
}

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "..", "folder of package kernels")
	flag.Parse()
	for _, i := range isas {
		g := &gen{Context: build.NewContext(), isa: i, constants: map[string]operand.Mem{}}
		g.ConstraintExpr("amd64,!purego")
		g.everything()
		if err := g.print(*dir); err != nil {
			log.Fatal(err)
		}
	}
}

// lanes is how many numbers a vector holds.
func (g *gen) lanes() int {
	if g.single {
		return g.bytes / 4
	}
	return g.bytes / 8
}

func (g *gen) everything() {
	for _, p := range slices.Concat(primitives, lanes, moves, interleaves(), rows, mixes, probs, probsChains, probsMembers, probsWhole) {
		if !p.typed {
			g.primitive(p, "")
			continue
		}
		for _, elem := range []string{"F32", "F64"} {
			g.primitive(p, elem)
		}
	}
}

// primitive writes one function of the file.
func (g *gen) primitive(p primitive, elem string) {
	g.elem, g.single, g.loopState = elem, p.native && elem == "F32", loopState{}
	g.Collection = *reg.NewCollection() // avo counts registers in 16 bits: not enough for a file
	goElem := map[string]string{"F32": "float32", "F64": "float64"}[elem]
	name := p.name + elem + g.name
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr("func" + expandType(p.signature, goElem))
	doc := docOf(name, p, g.lanes())
	g.Doc(doc...)
	g.Comment(doc[:slices.Index(doc, "")]...) // the loop stands with the stub
	g.Pragma("noescape")
	p.body(g)
}

func (g *gen) print(dir string) error {
	f, err := g.Result()
	if err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	if err := compile(f, g.bytes/2); err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	cfg := printer.Config{Name: "make gen", Pkg: "kernels"}
	for suffix, p := range map[string]printer.Printer{".s": printer.NewGoAsm(cfg), ".go": printer.NewStubs(cfg)} {
		text, err := p.Print(f)
		if err != nil {
			return fmt.Errorf("%s%s: %w", g.file, suffix, err)
		}
		if err := os.WriteFile(filepath.Join(dir, g.file+suffix), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
