package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels"
)

// zeros returns a tensor of zeros.
func zeros(dtype string, shape ...int) *tensor {
	n, err := volume(shape)
	if err != nil {
		panic(err)
	}
	t := &tensor{file: dtype + ".npy", dtype: dtype, shape: shape}
	switch dtype {
	case "float32":
		t.data = make([]float32, n)
	case "uint8":
		t.data = make([]uint8, n)
	case "bool":
		t.data = make([]bool, n)
	}
	return t
}

func TestSetSpec(t *testing.T) {
	for _, tt := range []struct {
		layout    kernels.Layout
		shape     []int
		n, c, s   int
		positions []int
	}{
		{kernels.NCS, []int{2, 3}, 1, 2, 3, []int{3}},
		{kernels.NSC, []int{2, 3}, 1, 3, 2, []int{2}},
		{kernels.NCS, []int{2, 3, 5}, 2, 3, 5, []int{2, 5}},
		{kernels.NSC, []int{2, 3, 5}, 2, 5, 3, []int{2, 3}},
		{kernels.NCS, []int{2, 3, 5, 7}, 2, 3, 35, []int{2, 5, 7}},
		{kernels.NSC, []int{2, 3, 5, 7}, 2, 7, 15, []int{2, 3, 5}},
		{kernels.NCS, []int{2, 3, 5, 7, 11}, 2, 3, 385, []int{2, 5, 7, 11}},
		{kernels.NSC, []int{2, 3, 5, 7, 11}, 2, 11, 105, []int{2, 3, 5, 7}},
	} {
		p := problem{spec: kernels.Spec{Layout: tt.layout}, pred: zeros("float32", tt.shape...)}
		positions, err := p.setSpec()
		if err != nil {
			t.Errorf("%v: %v", tt.shape, err)
			continue
		}
		if p.spec.N != tt.n || p.spec.C != tt.c || p.spec.S != tt.s || !reflect.DeepEqual(positions, tt.positions) {
			t.Errorf("%v, layout %d: N, C, S = %d, %d, %d, positions %v; want %d, %d, %d, %v",
				tt.shape, tt.layout, p.spec.N, p.spec.C, p.spec.S, positions, tt.n, tt.c, tt.s, tt.positions)
		}
	}
	for _, shape := range [][]int{{0, 3, 5}, {2, 3, 0}, {1 << 10, 1 << 10, 0}} {
		p := problem{pred: zeros("float32", shape...)}
		if _, err := p.setSpec(); err != nil {
			t.Errorf("%v: %v", shape, err)
		}
	}
	for _, bad := range []*tensor{zeros("float32", 1<<40, 1, 0), zeros("float32", 0, 1<<40, 5), zeros("float32", 1<<11, 1<<10, 0),
		zeros("uint8", 2, 3), zeros("float32"), zeros("float32", 3), zeros("float32", 1, 1, 1, 1, 1, 1)} {
		p := problem{pred: bad}
		if _, err := p.setSpec(); err == nil || !strings.Contains(err.Error(), bad.file) {
			t.Errorf("%s %v: error %v", bad.dtype, bad.shape, err)
		}
	}
}

func TestIsLabelMap(t *testing.T) {
	const bad = "error"
	for _, tt := range []struct {
		pred   []int
		target *tensor
		want   string
	}{
		{[]int{2, 3, 4}, zeros("uint8", 2, 4), "labels"},
		{[]int{2, 3, 4}, zeros("bool", 2, 4), "labels"},
		{[]int{2, 3, 4}, zeros("float32", 2, 3, 4), "dense"},
		{[]int{2, 3, 4}, zeros("uint8", 2, 3, 4), "dense"},
		{[]int{2, 3, 4}, zeros("bool", 2, 3, 4), "dense"},
		{[]int{2, 1, 4}, zeros("uint8", 2, 1, 4), "labels"},
		{[]int{2, 1, 4}, zeros("bool", 2, 4), "labels"},
		{[]int{2, 1, 4}, zeros("float32", 2, 1, 4), "dense"},
		{[]int{3, 4}, zeros("uint8", 4), "labels"},
		{[]int{3, 4}, zeros("float32", 3, 4), "dense"},
		{[]int{3, 4}, zeros("uint8", 1, 4), bad},
		{[]int{2, 3, 4}, zeros("float32", 2, 4), bad},
		{[]int{2, 1, 4}, zeros("float32", 2, 4), bad},
		{[]int{2, 3, 4}, zeros("uint8", 8), bad},
		{[]int{2, 3, 4}, zeros("uint8", 2, 4, 3), bad},
		{[]int{2, 3, 4}, zeros("uint8", 2, 1, 4), bad},
	} {
		p := problem{pred: zeros("float32", tt.pred...), target: tt.target}
		positions, err := p.setSpec()
		if err != nil {
			t.Fatal(err)
		}
		labels, err := p.isLabelMap(positions)
		got := map[bool]string{true: "labels", false: "dense"}[labels]
		if err != nil {
			got = bad
		}
		if got != tt.want {
			t.Errorf("prediction %v, target %s %v: %s (%v), want %s", tt.pred, tt.target.dtype, tt.target.shape, got, err, tt.want)
		}
	}
}

func TestConversions(t *testing.T) {
	for _, data := range []any{
		[]bool{false, true}, []int8{0, 1}, []int16{0, 1}, []int32{0, 1}, []int64{0, 1},
		[]uint8{0, 1}, []uint16{0, 1}, []uint32{0, 1}, []uint64{0, 1}, []float32{0, 1}, []float64{0, 1},
	} {
		x := &tensor{dtype: fmt.Sprintf("%T", data)[2:], shape: []int{2}, data: data}
		if got := floats[float32](x); !reflect.DeepEqual(got, []float32{0, 1}) {
			t.Errorf("floats[float32] of %T: %v", data, got)
		}
		if got := floats[float64](x); !reflect.DeepEqual(got, []float64{0, 1}) {
			t.Errorf("floats[float64] of %T: %v", data, got)
		}
		if x.isFloat() {
			continue
		}
		if got, err := integers(x); err != nil || !reflect.DeepEqual(got, []int64{0, 1}) {
			t.Errorf("integers of %T: %v, %v", data, got, err)
		}
	}
	big := &tensor{file: "y.npy", dtype: "uint64", shape: []int{2, 2}, data: []uint64{0, 0, 0, 1 << 63}}
	if _, err := integers(big); err == nil || !strings.Contains(err.Error(), "[1 1] is 9223372036854775808") {
		t.Errorf("label of 1<<63: error %v", err)
	}
}
