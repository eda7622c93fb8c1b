package report

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
)

var sample = Report{Machine: "a machine", Rounds: 9, Rows: []Row{
	{Kernel: "bce", Loss: "bce", Op: "forward", Backend: "generic", Type: "f32", Layout: "ncs", In: "memory", Workers: 1, N: 1, C: 4, S: 100,
		NS: 12.3456, Min: 12, Max: 13, GBs: 1.25, Traffic: "read2", Probe: "avx2", CeilingGBs: 25, Ceiling: 0.05, Portable: 1},
	{Kernel: "bce", Loss: "bce", Op: "forward", Backend: "avx2", Type: "f32", Layout: "ncs", In: "memory", Workers: 1, N: 1, C: 4, S: 100,
		NS: 0.5, Min: 0.5, Max: 0.5, GBs: 20, Traffic: "read2", Probe: "avx2", CeilingGBs: 25, Ceiling: 0.8, ReadGBs: 234, Scaled: 1, Portable: 24.7, Baseline: 31, Single: 1.5, Planar: 0.75},
	{Kernel: "bce", Loss: "bce", Op: "backward", Backend: "generic", Type: "f64", Layout: "nsc", In: "l2", Workers: 2, N: 2, C: 150, S: 7, NS: 1},
}}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := sample.Table(&b); err != nil {
		t.Fatal(err)
	}
	want := `a machine; medians of 9 interleaved rounds

bce, forward: bce
C  type  layout  in      workers  backend  ns/elem  GB/s  ceiling GB/s  of ceiling  scaled ns  × portable  × baseline  × f32 ns  of planar  traffic
4  f32   ncs     memory  1        generic  12.346   1.2   25.0          0.050       -          1.00        -           -         -          read2 avx2
4  f32   ncs     memory  1        avx2     0.500    20.0  25.0          0.800       1.000      24.70       31.00       1.50      0.75       read2 avx2

bce, backward: bce
C    type  layout  in  workers  backend  ns/elem  GB/s  ceiling GB/s  of ceiling  scaled ns  × portable  × baseline  × f32 ns  of planar  traffic
150  f64   nsc     l2  2        generic  1.000    -     -             -           -          -           -           -         -           
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := sample.CSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll() // wants lines of equal length
	if err != nil || len(lines) != 4 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if got := strings.Join(lines[2], ","); got != "bce,bce,forward,avx2,f32,ncs,memory,1,1,4,100,0.5,0.5,0.5,20,read2,avx2,25,0.8,234,1,24.7,31,1.5,0.75" {
		t.Errorf("got %s", got)
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample.JSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil || !reflect.DeepEqual(got, &sample) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "[]", `{"Other": 1}`} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
