package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress says how far a check has come: in a line of a terminal that is written over, or
// now and then in a line of its own.
type progress struct {
	w        io.Writer // nil: nobody is told
	terminal bool
	now      func() time.Time

	start, last time.Time
}

// How often it is said. A log has its first line after a time that many a check does not
// take.
const (
	everyTerminal = 100 * time.Millisecond
	firstLog      = 1500 * time.Millisecond
	everyLog      = 15 * time.Second
)

// newProgress tells a file, which may be a terminal.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	info, err := f.Stat()
	if err != nil {
		return &progress{}
	}
	return &progress{w: f, terminal: info.Mode()&os.ModeCharDevice != 0, now: time.Now}
}

// eraseLine goes to the start of the line and clears it.
const eraseLine = "\r\x1b[K"

func (p *progress) show(done, total int, what string) {
	if p.w == nil {
		return
	}
	now := p.now()
	if done == 0 || p.start.IsZero() {
		p.start = now
	}
	if !p.due(now, done) {
		return
	}
	p.last = now
	text := fmt.Sprintf("%d%%%s: %.60s", 100*done/max(total, 1), left(now.Sub(p.start), done, total), what)
	if p.terminal {
		io.WriteString(p.w, eraseLine+text)
	} else {
		fmt.Fprintln(p.w, "gradcheck: "+text)
	}
}

// due reports whether it is time for another line. One for a log has an estimate.
func (p *progress) due(now time.Time, done int) bool {
	switch {
	case p.terminal:
		return p.last.IsZero() || now.Sub(p.last) >= everyTerminal
	case p.last.IsZero():
		return done > 0 && now.Sub(p.start) >= firstLog
	}
	return now.Sub(p.last) >= everyLog
}

// left is the time that the rest takes if it goes on like this.
func left(spent time.Duration, done, total int) string {
	if done == 0 {
		return ""
	}
	rest := time.Duration(float64(spent) * float64(total-done) / float64(done))
	return fmt.Sprintf(", about %v left", rest.Round(time.Second))
}

func (p *progress) erase() {
	if p.terminal && !p.last.IsZero() {
		io.WriteString(p.w, eraseLine)
	}
}
