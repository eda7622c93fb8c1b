package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed peers.py
var script []byte

// python is a process that runs peers.py.
type python struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	notes *strings.Builder

	allocator string // "" for the one it comes with

	hello
}

// hello is what the process says of itself.
type hello struct {
	Version, Capability string
	Threads             int
}

func start(o *options, dir string, env []string) (*python, error) {
	path := filepath.Join(dir, "peers.py")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(o.python, path, "--dir", dir, "--threads", strconv.Itoa(o.threads), "--labels", o.labels.Chosen[0],
		"--n", strconv.Itoa(samples), "--c", strconv.Itoa(classes), "--side", strconv.Itoa(o.side))
	cmd.Env = append(os.Environ(), env...)
	p := &python{cmd: cmd, notes: new(strings.Builder)}
	cmd.Stderr = p.notes
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.read(&p.hello); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// close ends the process.
func (p *python) close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// ask sends a command and reads the answer.
func (p *python) ask(answer any, words ...string) error {
	if _, err := fmt.Fprintln(p.in, strings.Join(words, " ")); err != nil {
		return p.failed(err)
	}
	return p.read(answer)
}

func (p *python) read(answer any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.failed(err)
	}
	return decode(line, answer)
}

func decode(line []byte, answer any) error {
	var e struct{ Error string }
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("peers.py said %q: %w", line, err)
	}
	if e.Error != "" {
		return errors.New(e.Error)
	}
	return json.Unmarshal(line, answer)
}

// failed says why a process has ended, from the last of its notes.
func (p *python) failed(err error) error {
	_ = p.in.Close()
	_ = p.cmd.Wait()
	notes := strings.Split(strings.TrimSpace(p.notes.String()), "\n")
	return fmt.Errorf("peers.py: %w: %s", err, notes[len(notes)-1])
}
