package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const npyMagic = "\x93NUMPY"

// A header is what a .npy file says of its data.
type header struct {
	descr   string // element type and byte order
	fortran bool
	shape   []int
}

// cutHeader returns the header of a .npy file and the data that follow.
func cutHeader(b []byte) (h header, data []byte, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(npyMagic))
	if !ok {
		return h, nil, errors.New("not a .npy file: no \\x93NUMPY at its start")
	}
	if len(rest) < 6 {
		return h, nil, io.ErrUnexpectedEOF
	}
	var n uint64
	switch major := rest[0]; major {
	case 1:
		n, data = uint64(binary.LittleEndian.Uint16(rest[2:])), rest[4:]
	case 2, 3: // 3 is 2 in UTF-8, for names that only structures have
		n, data = uint64(binary.LittleEndian.Uint32(rest[2:])), rest[6:]
	default:
		return h, nil, fmt.Errorf(".npy format version %d.%d, want 1.0, 2.0 or 3.0", major, rest[1])
	}
	if n > uint64(len(data)) {
		return h, nil, fmt.Errorf("a .npy header of %d bytes, but only %d follow", n, len(data))
	}
	l := literal{string(data[:n])}
	if h, err = l.header(); err != nil {
		return h, nil, fmt.Errorf("cannot read the .npy header %.160q: %w", data[:n], err)
	}
	return h, data[n:], nil
}

// A literal reads the text of a Python literal. NumPy evaluates a header as one, so
// keys come in any order, strings in either quotes, blanks anywhere, and a comma at the
// end or none.
type literal struct{ rest string }

// header reads a dictionary of exactly the three keys.
func (l *literal) header() (h header, err error) {
	seen := map[string]bool{}
	if err = l.want("{"); err != nil {
		return h, err
	}
	for !l.take("}") {
		key, err := l.text()
		if err == nil && seen[key] {
			err = fmt.Errorf("%q is there twice", key)
		}
		if err == nil {
			err = l.want(":")
		}
		if err != nil {
			return h, err
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr, err = l.text()
		case "fortran_order":
			h.fortran, err = l.truth()
		case "shape":
			h.shape, err = l.tuple()
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err == nil {
			err = l.separator("}")
		}
		if err != nil {
			return h, err
		}
	}
	if len(seen) != 3 || l.rest != "" {
		return h, errors.New("want the keys descr, fortran_order and shape, and nothing more")
	}
	return h, nil
}

// separator passes a comma, unless the end follows at once.
func (l *literal) separator(end string) error {
	if l.take(",") || strings.HasPrefix(l.rest, end) {
		return nil
	}
	return l.fail("a comma or " + end)
}

// take passes a token, and blanks before and behind it, and reports whether it was there.
func (l *literal) take(token string) bool {
	const blanks = " \t\r\n\f"
	rest, ok := strings.CutPrefix(strings.TrimLeft(l.rest, blanks), token)
	if ok {
		l.rest = strings.TrimLeft(rest, blanks)
	}
	return ok
}

func (l *literal) want(token string) error {
	if !l.take(token) {
		return l.fail(token)
	}
	return nil
}

func (l *literal) fail(want string) error { return fmt.Errorf("want %s at %.40q", want, l.rest) }

// text reads a string in single or double quotes.
func (l *literal) text() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !strings.HasPrefix(l.rest, quote) {
			continue
		}
		s, rest, ok := strings.Cut(l.rest[1:], quote)
		if !ok || strings.ContainsAny(s, "\\\n") {
			break
		}
		l.rest = rest
		l.take("")
		return s, nil
	}
	return "", l.fail("a string")
}

func (l *literal) truth() (bool, error) {
	if l.take("True") {
		return true, nil
	}
	return false, l.want("False")
}

// tuple reads whole numbers in parentheses. One that Python 2 wrote may end in L.
func (l *literal) tuple() (shape []int, err error) {
	if err = l.want("("); err != nil {
		return nil, err
	}
	for !l.take(")") {
		digits := l.rest[:len(l.rest)-len(strings.TrimLeft(l.rest, "0123456789"))]
		d, err := strconv.Atoi(digits)
		if errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%s is out of range", digits)
		} else if err != nil {
			return nil, l.fail("a whole number, 0 or more")
		}
		shape = append(shape, d)
		l.rest = strings.TrimPrefix(l.rest[len(digits):], "L")
		l.take("")
		if err = l.separator(")"); err != nil {
			return nil, err
		}
	}
	return shape, nil
}
