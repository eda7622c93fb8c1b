package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// npyBytes builds a .npy file of format version major as NumPy would.
func npyBytes(major byte, descr string, fortran bool, shape string, order binary.ByteOrder, v any) []byte {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n",
		descr, map[bool]string{false: "False", true: "True"}[fortran], shape)
	b := append([]byte(npyMagic), major, 0)
	if major == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(h)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(h)))
	}
	b, err := binary.Append(append(b, h...), order, v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestDecodeTensorTypes(t *testing.T) {
	little, big := binary.LittleEndian, binary.BigEndian
	for _, tt := range []struct {
		descr string
		order binary.ByteOrder
		want  any
		dtype string
	}{
		{"|b1", little, []bool{true, false, true}, "bool"},
		{"|i1", little, []int8{-1, 0, 127}, "int8"},
		{"|u1", little, []uint8{1, 0, 255}, "uint8"},
		{"<i2", little, []int16{-2, 0, 300}, "int16"},
		{">i2", big, []int16{-2, 0, 300}, "int16"},
		{"<u2", little, []uint16{2, 0, 65535}, "uint16"},
		{">u2", big, []uint16{2, 0, 65535}, "uint16"},
		{"<i4", little, []int32{-1 << 31, 0, 7}, "int32"},
		{">i4", big, []int32{-1 << 31, 0, 7}, "int32"},
		{"<u4", little, []uint32{1<<32 - 1, 0, 7}, "uint32"},
		{">u4", big, []uint32{1<<32 - 1, 0, 7}, "uint32"},
		{"<i8", little, []int64{-1 << 63, 0, 7}, "int64"},
		{">i8", big, []int64{-1 << 63, 0, 7}, "int64"},
		{"<u8", little, []uint64{1<<64 - 1, 0, 7}, "uint64"},
		{">u8", big, []uint64{1<<64 - 1, 0, 7}, "uint64"},
		{"<f4", little, []float32{-1.5, 0, float32(math.Inf(1))}, "float32"},
		{">f4", big, []float32{-1.5, 0, 7}, "float32"},
		{"<f8", little, []float64{-1.5, 1e300, 7}, "float64"},
		{">f8", big, []float64{-1.5, 1e300, 7}, "float64"},
	} {
		for major := byte(1); major <= 3; major++ {
			got, err := decodeTensor(npyBytes(major, tt.descr, false, "(1, 3)", tt.order, tt.want))
			if err != nil {
				t.Errorf("%s, version %d: %v", tt.descr, major, err)
				continue
			}
			if got.dtype != tt.dtype || !reflect.DeepEqual(got.shape, []int{1, 3}) || !reflect.DeepEqual(got.data, tt.want) {
				t.Errorf("%s, version %d: got %s %v %v, want %s [1 3] %v", tt.descr, major, got.dtype, got.shape, got.data, tt.dtype, tt.want)
			}
		}
	}
}

func TestDecodeTensorFortran(t *testing.T) {
	// Element [i, j, k] holds 100i + 10j + k; the first axis is the fastest.
	var file, want []int16
	for k := range 4 {
		for j := range 3 {
			for i := range 2 {
				file = append(file, int16(100*i+10*j+k))
			}
		}
	}
	for i := range 2 {
		for j := range 3 {
			for k := range 4 {
				want = append(want, int16(100*i+10*j+k))
			}
		}
	}
	got, err := decodeTensor(npyBytes(1, "<i2", true, "(2, 3, 4)", binary.LittleEndian, file))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.data, want) {
		t.Errorf("got %v, want %v", got.data, want)
	}
	if got, err = decodeTensor(npyBytes(1, "<f4", true, "(2, 0)", binary.LittleEndian, []float32{})); err != nil || len(got.data.([]float32)) != 0 {
		t.Errorf("no elements: %v, %v", got, err)
	}
}

// TestReadTensorBrain reads a file that NumPy wrote.
func TestReadTensorBrain(t *testing.T) {
	got, err := readTensor("../../internal/brain/brain_labels.npy")
	if err != nil {
		t.Fatal(err)
	}
	if got.dtype != "uint8" || !reflect.DeepEqual(got.shape, []int{64, 96, 112}) {
		t.Errorf("got %s %v", got.dtype, got.shape)
	}
	count := [7]int{}
	for _, y := range got.data.([]uint8) {
		count[y]++
	}
	if count[6] == 0 || float64(count[0])/688128 < 0.89 {
		t.Errorf("voxels of each structure: %v", count)
	}
}

func TestDecodeTensorErrors(t *testing.T) {
	little := binary.LittleEndian
	f4 := func(shape string, n int) []byte { return npyBytes(1, "<f4", false, shape, little, make([]float32, n)) }
	header := func(h string) []byte {
		return append(little.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(h))), h...)
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty", nil, "not a .npy file"},
		{"zip", []byte("PK\x03\x04"), "not a .npy file"},
		{"magic only", []byte(npyMagic), "EOF"},
		{"version", []byte(npyMagic + "\x04\x00\x00\x00\x00\x00"), "version 4.0"},
		{"header cut", f4("(2, 3)", 6)[:30], "header of"},
		{"header of 4 GB", []byte(npyMagic + "\x02\x00\xff\xff\xff\xff"), "header of 4294967295 bytes"},
		{"no dictionary", header("hello\n"), `cannot read the .npy header "hello\n"`},
		{"structure", header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }\n"), "cannot read the .npy header"},
		{"negative", f4("(-2, -3)", 6), "cannot read the .npy header"},
		{"half", npyBytes(1, "<f2", false, "(2, 3)", little, make([]uint16, 6)), `"<f2"`},
		{"complex", npyBytes(1, "<c8", false, "(2, 3)", little, make([]complex64, 6)), `"<c8"`},
		{"object", npyBytes(1, "|O", false, "(2, 3)", little, make([]uint64, 6)), `"|O"`},
		{"text", npyBytes(1, "<U4", false, "(2, 3)", little, make([]uint32, 24)), `"<U4"`},
		{"data cut", f4("(2, 3)", 5), "needs 24 bytes of data, the file has 20"},
		{"trailing", f4("(2, 3)", 7), "needs 24 bytes of data, the file has 28"},
		{"overflow", f4("(4294967296, 4294967296)", 1), "out of range"},
		{"overflow of a number", f4("(99999999999999999999, 1)", 1), "out of range"},
		{"huge", f4("(9000000000000000000, 1)", 1), "needs"},
		{"bool of 2", npyBytes(1, "|b1", false, "(3,)", little, []uint8{0, 1, 2}), "byte 2 of the bool data is 2"},
	} {
		got, err := decodeTensor(tt.b)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, error %v, want one with %q", tt.name, got, err, tt.want)
		}
	}
}

// TestHeaderForms: headers that NumPy takes, which evaluates them, whoever wrote them.
func TestHeaderForms(t *testing.T) {
	file := func(major byte, text string) []byte {
		b := append([]byte(npyMagic), major, 0)
		if major == 1 {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
		} else {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		}
		return append(append(b, text...), 1, 2, 3, 4, 5, 6)
	}
	for _, text := range []string{
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }          \n",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}\n",
		"{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}",
		`{"descr": "|u1", "fortran_order": True, "shape": (2, 3), }` + "\n",
		`{"fortran_order":True,'descr':"|u1","shape":(2,3,)}`,
		" \t{\n'descr' : '<u1' ,\r\n'shape':( 2 , 3 , ) , 'fortran_order' : True } \n\n",
		"{'descr': 'u1', 'fortran_order': True, 'shape': (2L, 3L), }\n", // Python 2
		"{'descr': '=u1', 'fortran_order': True, 'shape': (2, 3)}\n",
		"{'descr': '>u1', 'fortran_order': True, 'shape': (2, 3)}\n",
	} {
		for major := byte(1); major <= 3; major++ {
			got, err := decodeTensor(file(major, text))
			if err != nil || !reflect.DeepEqual(got.data, []uint8{1, 3, 5, 2, 4, 6}) || !reflect.DeepEqual(got.shape, []int{2, 3}) {
				t.Errorf("version %d, %q: %v, %v", major, text, got, err)
			}
		}
	}
	for _, text := range []string{
		"", "{", "{}", "{}}", "[]", "{'descr'}", "{'descr': }", "{'descr': '|u1'}",
		"{'descr': '|u1', 'fortran_order': True}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), , }",
		"{'descr': '|u1' 'fortran_order': True, 'shape': (2, 3)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2 3)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, , 3)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (,)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, -3)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3.0)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': [2, 3]}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), 'shape': (2, 3)}",
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), 'more': 1}",
		"{'descr': '|u1', 'fortran_order': true, 'shape': (2, 3)}",
		"{'descr': '|u1', 'fortran_order': 1, 'shape': (2, 3)}",
		"{'descr': |u1, 'fortran_order': True, 'shape': (2, 3)}",
		`{'descr': '|u1", 'fortran_order': True, 'shape': (2, 3)}`,
		`{'descr': '\x7cu1', 'fortran_order': True, 'shape': (2, 3)}`,
		"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)} + {}",
		"{'descr': '<>u1', 'fortran_order': True, 'shape': (2, 3)}",
		"{'descr': '', 'fortran_order': True, 'shape': (2, 3)}",
	} {
		if got, err := decodeTensor(file(1, text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestWriteNPY(t *testing.T) {
	for _, shape := range [][]int{{6}, {2, 3}, {1, 2, 1, 3, 1}, {2, 0, 3}} {
		n, err := volume(shape)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float64, n)
		for i := range want {
			want[i] = math.Sqrt(float64(i))
		}
		var b bytes.Buffer
		if err := writeNPY(&b, shape, want); err != nil {
			t.Fatal(err)
		}
		if header := b.Len() - 8*n; header%64 != 0 {
			t.Errorf("%v: data at %d", shape, header)
		}
		got, err := decodeTensor(b.Bytes())
		if err != nil {
			t.Fatalf("%v: %v", shape, err)
		}
		if !reflect.DeepEqual(got.shape, shape) || !reflect.DeepEqual(got.data, want) {
			t.Errorf("got %v %v, want %v %v", got.shape, got.data, shape, want)
		}
	}
}

// writeTensor puts a tensor into a file of the test's directory.
func writeTensor(t *testing.T, name, descr, shape string, v any) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, npyBytes(1, descr, false, shape, binary.LittleEndian, v), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// FuzzDecodeTensor: no bytes make the reader panic, and what it accepts has as
// many elements as its shape.
func FuzzDecodeTensor(f *testing.F) {
	little := binary.LittleEndian
	f.Add(npyBytes(1, "<f4", false, "(2, 3)", little, make([]float32, 6)))
	f.Add(npyBytes(2, ">i2", true, "(2, 3)", little, make([]int16, 6)))
	f.Add(npyBytes(1, "|b1", true, "(1, 0, 3)", little, []uint8{}))
	f.Add(npyBytes(1, "<f8", false, "()", little, []float64{1}))
	f.Add(npyBytes(1, "|u1", false, "(3)", little, []uint8{1, 2, 3}))
	f.Add(append([]byte(npyMagic+"\x03\x00\x44\x00\x00\x00"), `{"shape": (2L, 3), 'fortran_order': True, 'descr': "=i2"}            `+"twelve bytes"...))
	f.Add(npyBytes(1, "<f4", false, "(0, 9223372036854775807, 2)", little, []float32{}))
	f.Add(npyBytes(1, "<U1", false, "(3, , ,)", little, []uint32{1, 2, 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeTensor(b)
		if err != nil {
			return
		}
		n, err := volume(got.shape)
		if err != nil || reflect.ValueOf(got.data).Len() != n {
			t.Errorf("shape %v, %d elements, %v", got.shape, reflect.ValueOf(got.data).Len(), err)
		}
	})
}
