package main

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// TestProgress: a terminal has one line, written over; a log has its first within two
// seconds, with an estimate, and then few; a buffer has none.
func TestProgress(t *testing.T) {
	type step struct {
		at   time.Duration
		done int
	}
	for _, tt := range []struct {
		terminal bool
		steps    []step
		want     string
	}{
		{true, []step{{0, 0}, {50 * time.Millisecond, 1}, {time.Second, 25}},
			eraseLine + "0%: dice" + eraseLine + "25%, about 3s left: dice" + eraseLine},
		{true, nil, ""},
		{false, []step{{0, 0}, {500 * time.Millisecond, 1}, {1500 * time.Millisecond, 2}, {10 * time.Second, 20}, {17 * time.Second, 50}, {20 * time.Second, 100}},
			"gradcheck: 2%, about 1m14s left: dice\ngradcheck: 50%, about 17s left: dice\n"},
		{false, []step{{0, 0}, {500 * time.Millisecond, 100}}, ""},
	} {
		var b bytes.Buffer
		clock := time.Unix(1, 0)
		p := progress{w: &b, terminal: tt.terminal, now: func() time.Time { return clock }}
		for _, s := range tt.steps {
			clock = time.Unix(1, 0).Add(s.at)
			p.show(s.done, 100, "dice")
		}
		p.erase()
		if b.String() != tt.want {
			t.Errorf("terminal %v: got %q, want %q", tt.terminal, &b, tt.want)
		}
	}
	var b bytes.Buffer
	p := newProgress(&b)
	p.show(1, 2, "dice")
	p.erase()
	if b.Len() > 0 {
		t.Errorf("neither a terminal nor a file: %q", &b)
	}
}

// TestProgressFile: a file that is no terminal is a log.
func TestProgressFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := newProgress(f); p.w == nil || p.terminal {
		t.Errorf("%+v", p)
	}
}
