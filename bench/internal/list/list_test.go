package list

import (
	"slices"
	"testing"
)

func TestInts(t *testing.T) {
	l := Ints{7}
	if err := l.Set("1, 2,150"); err != nil || !slices.Equal(l, []int{1, 2, 150}) || l.String() != "1,2,150" {
		t.Errorf("%v, %v", l, err)
	}
	for _, bad := range []string{"", "1,", "0", "-2", "x"} {
		if l.Set(bad) == nil || l.String() != "1,2,150" {
			t.Errorf("%q gave %v", bad, l)
		}
	}
}

func TestNames(t *testing.T) {
	l := Names{Chosen: []string{"l2", "memory"}, Of: []string{"l2", "memory"}}
	if err := l.Set("memory"); err != nil || l.String() != "memory" || l.Has("l2") || !l.Has("memory") {
		t.Errorf("%v, %v", l, err)
	}
	if l.Set("l3") == nil || l.Set("") == nil {
		t.Error("a name that does not exist was taken")
	}
}
