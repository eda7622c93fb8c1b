package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// format writes a number with up to the given digits, and powers of ten as 1e-5
// rather than 1e-05 or 0.00001.
func format(v float64, digits int) string {
	if v == 0 {
		return "0" // of either sign
	}
	s := strconv.FormatFloat(v, 'g', digits, 64)
	if a := math.Abs(v); a < 1e-2 && a > 0 {
		s = strconv.FormatFloat(v, 'e', digits-1, 64)
	}
	mantissa, power, ok := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if !ok {
		return mantissa
	}
	n, _ := strconv.Atoi(power) // FormatFloat wrote it
	return mantissa + "e" + strconv.Itoa(n)
}

// exactly writes all digits that a float64 needs.
func exactly(v float64) string {
	if s := format(v, 15); parses(s, v) {
		return s
	}
	if s := format(v, 16); parses(s, v) {
		return s
	}
	return format(v, 17)
}

func parses(s string, v float64) bool {
	w, err := strconv.ParseFloat(s, 64)
	return err == nil && w == v
}

// parseUnit reads a number in [0, 1].
func parseUnit(s string) (float64, error) {
	return parseNumber(s, "a number in [0, 1]", func(v float64) bool { return v >= 0 && v <= 1 })
}

// parseSmooth reads a number that smooth can be.
func parseSmooth(s string) (float64, error) {
	return parseNumber(s, "a finite number, 0 or more", func(v float64) bool { return v >= 0 && v <= math.MaxFloat64 })
}

// parseClip reads a bound of probabilities.
func parseClip(s string) (float64, error) {
	return parseNumber(s, "a number in (0, 0.5)", func(v float64) bool { return v > 0 && v < 0.5 })
}

// parseNumber reads a number that is good. One that float64 would make 0 is not.
func parseNumber(s, want string, good func(float64) bool) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	if err != nil || !good(v) || v == 0 && strings.ContainsAny(mantissa, "123456789") {
		return 0, fmt.Errorf("%q: want %s", s, want)
	}
	return v, nil
}

// parseList reads numbers with commas between them.
func parseList(one func(string) (float64, error)) func(string) ([]float64, error) {
	return func(s string) ([]float64, error) {
		var all []float64
		for _, part := range strings.Split(s, ",") {
			v, err := one(strings.TrimSpace(part))
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	}
}

var exponent = regexp.MustCompile(`(\de)\+?(-?)0*(\d)`)

// tidy writes the powers of ten of an expression as format does.
func tidy(expr string) string { return exponent.ReplaceAllString(expr, "$1$2$3") }

// trailing is the blanks that a table leaves at the ends of its lines.
var trailing = regexp.MustCompile(`(?m) +$`)

// relative returns |a − b| / |b|, 0 where both are the same.
func relative(a, b float64) float64 {
	if a == b {
		return 0
	}
	return math.Abs(a-b) / math.Abs(b)
}
