package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// A tensor is the content of one .npy file, in C order whatever the file's.
type tensor struct {
	file  string // for messages
	dtype string // NumPy's name of the element type
	shape []int
	data  any // a slice of bool, int8 … int64, uint8 … uint64, float32 or float64
}

// elem is what the reader knows about one element type.
type elem struct {
	name string
	size int
	read func(data []byte, order binary.ByteOrder, h header) (any, error)
}

// elems are the element types that can be read, by their NumPy code without
// the byte order.
var elems = map[string]elem{
	"b1": {"bool", 1, readAs[bool]},
	"i1": {"int8", 1, readAs[int8]},
	"i2": {"int16", 2, readAs[int16]},
	"i4": {"int32", 4, readAs[int32]},
	"i8": {"int64", 8, readAs[int64]},
	"u1": {"uint8", 1, readAs[uint8]},
	"u2": {"uint16", 2, readAs[uint16]},
	"u4": {"uint32", 4, readAs[uint32]},
	"u8": {"uint64", 8, readAs[uint64]},
	"f4": {"float32", 4, readAs[float32]},
	"f8": {"float64", 8, readAs[float64]},
}

// element returns the element type and the byte order of a header's descr.
func (h header) element() (elem, binary.ByteOrder, error) {
	var order binary.ByteOrder = binary.NativeEndian // of =, of | and where nothing is said
	code := strings.TrimLeft(h.descr, "<>|=")
	switch h.descr[:len(h.descr)-len(code)] {
	case "<":
		order = binary.LittleEndian
	case ">":
		order = binary.BigEndian
	case "|", "=", "":
	default:
		code = ""
	}
	e, ok := elems[code]
	if !ok {
		return e, nil, fmt.Errorf("element type %q, want NumPy's code of bool, an integer type, float32 or float64, such as <f4", h.descr)
	}
	return e, order, nil
}

// readAs reads the elements, of which there are as many as the shape has, and puts
// them in C order.
func readAs[T any](data []byte, order binary.ByteOrder, h header) (any, error) {
	var one T
	v := make([]T, len(data)/binary.Size(one))
	if _, err := binary.Decode(data, order, v); err != nil {
		return nil, err
	}
	if h.fortran {
		v = fromFortran(v, h.shape)
	}
	return v, nil
}

// fromFortran returns the C order of a tensor stored with its first axis fastest.
func fromFortran[T any](v []T, shape []int) []T {
	stride := make([]int, len(shape)) // in v, of one step along each axis
	step := 1
	for k, d := range shape {
		stride[k] = step
		step *= d
	}
	out := make([]T, len(v))
	at := make([]int, len(shape))
	from := 0
	for i := range out {
		out[i] = v[from]
		for k := len(shape) - 1; k >= 0; k-- {
			at[k]++
			from += stride[k]
			if at[k] < shape[k] {
				break
			}
			from -= at[k] * stride[k]
			at[k] = 0
		}
	}
	return out
}

// readTensor reads a .npy file.
func readTensor(file string) (*tensor, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := decodeTensor(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t.file = file
	return t, nil
}

// decodeTensor reads the bytes of a .npy file. What the header claims is compared with
// the bytes that are there before anything is made of it.
func decodeTensor(b []byte) (*tensor, error) {
	h, data, err := cutHeader(b)
	if err != nil {
		return nil, err
	}
	e, order, err := h.element()
	if err != nil {
		return nil, err
	}
	n, err := volume(h.shape)
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt/e.size || n*e.size != len(data) {
		return nil, fmt.Errorf("shape %v of %s needs %d bytes of data, the file has %d: cut short, or not one array",
			h.shape, e.name, uint64(n)*uint64(e.size), len(data))
	}
	if e.name == "bool" {
		if i := bytes.IndexFunc(data, func(r rune) bool { return r > 1 }); i >= 0 {
			return nil, fmt.Errorf("byte %d of the bool data is %d, want 0 or 1", i, data[i])
		}
	}
	v, err := e.read(data, order, h)
	if err != nil {
		return nil, err
	}
	return &tensor{dtype: e.name, shape: h.shape, data: v}, nil
}

// volume returns the number of elements of a shape.
func volume(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v is out of range", shape)
		}
		n *= d
	}
	return n, nil
}

// writeNPY writes v as a .npy file of the given shape, in C order.
func writeNPY[T float32 | float64](w io.Writer, shape []int, v []T) error {
	descr := "<f4"
	if _, ok := any(v).([]float64); ok {
		descr = "<f8"
	}
	dims := make([]string, len(shape))
	for k, d := range shape {
		dims[k] = strconv.Itoa(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += "," // else Python would read a number in parentheses
	}
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	const before, align = len(npyMagic) + 4, 64 // NumPy maps the data into memory at such an address
	h += strings.Repeat(" ", align-1-(before+len(h))%align) + "\n"

	pre := binary.LittleEndian.AppendUint16([]byte(npyMagic+"\x01\x00"), uint16(len(h)))
	if _, err := w.Write(append(pre, h...)); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, v)
}
