package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/sbinet/npyio/npy"
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
	read func(r *npy.Reader) (any, error)
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

// readAs reads the elements in the order of the file, and puts them in C order.
func readAs[T any](r *npy.Reader) (any, error) {
	var v []T
	if err := r.Read(&v); err != nil {
		return nil, err
	}
	if r.Header.Descr.Fortran {
		v = fromFortran(v, r.Header.Descr.Shape)
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

// decodeTensor reads the bytes of a .npy file. Everything that the header
// claims is compared with the bytes that are there before npyio sees them:
// npyio takes missing fields and lengths on trust.
func decodeTensor(b []byte) (t *tensor, err error) {
	defer func() {
		if r := recover(); r != nil { // from npyio, on a header that it cannot take apart
			t, err = nil, fmt.Errorf("malformed .npy file: %v", r)
		}
	}()
	e, dataLen, err := checkHeader(b)
	if err != nil {
		return nil, err
	}
	r, err := npy.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	shape := r.Header.Descr.Shape
	n, err := volume(shape)
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt/e.size || n*e.size != dataLen {
		return nil, fmt.Errorf("shape %v of %s needs %d bytes of data, the file has %d: cut short, or not one array",
			shape, e.name, uint64(n)*uint64(e.size), dataLen)
	}
	if e.name == "bool" {
		if i := bytes.IndexFunc(b[len(b)-dataLen:], func(r rune) bool { return r > 1 }); i >= 0 {
			return nil, fmt.Errorf("byte %d of the bool data is %d, want 0 or 1", i, b[len(b)-dataLen+i])
		}
	}
	data, err := e.read(r)
	if err != nil {
		return nil, err
	}
	return &tensor{dtype: e.name, shape: shape, data: data}, nil
}

const npyMagic = "\x93NUMPY"

// npyHeader is the header that NumPy, and about everybody else, writes.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^']+)', 'fortran_order': (?:True|False), 'shape': \([0-9, ]*\), \} *\n$`)

// checkHeader returns the element type and the number of bytes after the header.
func checkHeader(b []byte) (e elem, dataLen int, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(npyMagic))
	if !ok {
		return e, 0, errors.New("not a .npy file: no \\x93NUMPY at its start")
	}
	if len(rest) < 6 {
		return e, 0, io.ErrUnexpectedEOF
	}
	var n uint64
	switch major := rest[0]; major {
	case 1:
		n, rest = uint64(binary.LittleEndian.Uint16(rest[2:])), rest[4:]
	case 2:
		n, rest = uint64(binary.LittleEndian.Uint32(rest[2:])), rest[6:]
	default:
		return e, 0, fmt.Errorf(".npy format version %d.%d, want 1.0 or 2.0", major, rest[1])
	}
	if n > uint64(len(rest)) {
		return e, 0, fmt.Errorf("a .npy header of %d bytes, but only %d follow", n, len(rest))
	}
	m := npyHeader.FindSubmatch(rest[:n])
	if m == nil {
		return e, 0, fmt.Errorf("cannot read the .npy header %.160q", rest[:n])
	}
	e, ok = elems[strings.TrimLeft(string(m[1]), "<>|")]
	if !ok {
		return e, 0, fmt.Errorf("element type %q, want bool, an integer type, float32 or float64", m[1])
	}
	return e, len(rest) - int(n), nil
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

// writeNPY writes v as a .npy file of the given shape, in C order. npyio can
// write a slice with one axis only.
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
