package names

import "testing"

func TestSuggest(t *testing.T) {
	all := []string{"none", "sigmoid", "softmax", "single pixel"}
	for s, want := range map[string]string{
		"sofmax":      `did you mean "softmax"? want one of none, sigmoid, softmax, "single pixel"`,
		"SIGMOID":     `did you mean "sigmoid"? want one of none, sigmoid, softmax, "single pixel"`,
		"singel pixl": `did you mean "single pixel"? want one of none, sigmoid, softmax, "single pixel"`,
		"singel":      `did you mean "single pixel"? want one of none, sigmoid, softmax, "single pixel"`,
		"relu":        `want one of none, sigmoid, softmax, "single pixel"`,
		"":            `want one of none, sigmoid, softmax, "single pixel"`,
	} {
		if got := Suggest(s, all); got != want {
			t.Errorf("%q: %s; want %s", s, got, want)
		}
	}
	if got := Nearest("xy", []string{"p", "t"}); got != "" {
		t.Errorf("%q has nothing of xy", got)
	}
}
