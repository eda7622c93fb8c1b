// Package variants makes loss expressions out of the list of losses, for what
// checks every loss with every option: a new loss or option is checked from the
// day it is listed.
package variants

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/segloss/segloss/kernels"
)

// Expressions lists a loss with its default options, and then with one option
// set to each other value: every choice there is, switched over, a list, and the
// given numbers where the option takes one.
func Expressions(info kernels.Info, classes int, numbers func(kernels.OptionInfo) []string) []string {
	all := []string{info.Name}
	for _, o := range info.Options {
		if o.Name == "background" && classes == 1 {
			continue // there is nothing but class 0
		}
		for _, v := range Values(o, classes, numbers(o)) {
			all = append(all, fmt.Sprintf("%s(%s=%s)", info.Name, o.Name, v))
		}
	}
	return all
}

// Draw makes an expression of a loss with about every third option set to some value
// that Values lists. Options that exclude each other are not set together.
func Draw(rnd *rand.Rand, info kernels.Info, classes int, numbers func(kernels.OptionInfo) []string) string {
	for {
		var set []string
		for _, o := range info.Options {
			v := Values(o, classes, numbers(o))
			if rnd.IntN(3) == 0 && len(v) > 0 && !(o.Name == "background" && classes == 1) {
				set = append(set, o.Name+"="+v[rnd.IntN(len(v))])
			}
		}
		expr := info.Name
		if set != nil {
			expr += "(" + strings.Join(set, ", ") + ")"
		}
		if _, err := kernels.Parse(expr); err == nil {
			return expr
		}
	}
}

// Extremes lists a loss with one option set to each of the numbers, if it takes them: a
// list has the number for every class, and once for the first one alone.
func Extremes(info kernels.Info, classes int, numbers []float64) (all []string) {
	for _, o := range info.Options {
		for _, v := range numbers {
			number := strconv.FormatFloat(v, 'g', -1, 64)
			values := []string{number}
			if strings.Contains(o.Type, "list") {
				values = append(values, "["+strings.Repeat(number+",", classes-1)+number+"]", "["+number+strings.Repeat(",1", classes-1)+"]")
			}
			for _, v := range values {
				expr := fmt.Sprintf("%s(%s=%s)", info.Name, o.Name, v)
				if _, err := kernels.Parse(expr); err == nil {
					all = append(all, expr)
				}
			}
		}
	}
	return all
}

// Values lists values of an option other than its default, as expressions have
// them.
func Values(o kernels.OptionInfo, classes int, numbers []string) []string {
	var values []string
	for _, kind := range strings.Split(o.Type, " or ") {
		switch kind {
		case "bool":
			values = append(values, "true", "false")
		case "choice":
			values = append(values, o.Allowed...)
		case "none":
			values = append(values, "none")
		case "number":
			values = append(values, numbers...)
		case "list":
			values = append(values, list(classes, 0.75), list(classes, 0))
		}
	}
	return slices.DeleteFunc(values, func(v string) bool { return v == o.Default })
}

// list returns a list of n numbers that begins with first.
func list(n int, first float64) string {
	v := make([]string, n)
	for i := range v {
		v[i] = strconv.FormatFloat(first+0.5*float64(i), 'g', -1, 64)
	}
	return "[" + strings.Join(v, ",") + "]"
}
