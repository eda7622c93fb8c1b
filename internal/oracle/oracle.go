// Package oracle hands the options of a loss expression to package ref, which
// imports nothing but math and knows no expressions.
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/segloss/segloss/ref"
)

// Options returns options by name as package ref takes them. It spells two of
// them differently: alpha=none, and a pos_weight for all classes. A name that
// ref does not know is an error.
func Options(named map[string]any) (o ref.Options, err error) {
	all := maps.Clone(named)
	if all["alpha"] == "none" {
		delete(all, "alpha")
		all["alpha_none"] = true
	}
	if h, ok := all["pos_weight"].(float64); ok {
		all["pos_weight"] = []float64{h}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return o, fmt.Errorf("oracle: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, fmt.Errorf("oracle: %w", err)
	}
	return o, nil
}
