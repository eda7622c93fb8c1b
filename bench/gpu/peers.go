package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/segloss/segloss/kernels/cuda"
)

// peers is PyTorch in a process of its own, on the same device in the same run; or none,
// and the note says why.
type peers struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	note string
}

// startPeers starts bench/gpu/peers.py, which takes the losses of bench/peers.
func startPeers(o options) *peers {
	if o.dry {
		return &peers{note: "peers: not in a dry run"}
	}
	_, file, _, _ := runtime.Caller(0)
	p := &peers{cmd: exec.Command(o.python, filepath.Join(filepath.Dir(file), "peers.py"))}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return &peers{note: err.Error()}
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return &peers{note: err.Error()}
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return &peers{note: fmt.Sprintf("peers: %v; install PyTorch with CUDA and name its python by -python", err)}
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.close()
		return &peers{note: "peers: " + o.python + " has no PyTorch with a GPU"}
	}
	p.note = "peers: " + line
	return p
}

func (p *peers) close() {
	if p.in != nil {
		p.in.Close()
		_ = p.cmd.Wait() // what it printed is all there is to know
		p.in = nil
	}
}

// peerTimes are seconds; 0 where a peer has no such loss or failed.
type peerTimes struct {
	EagerForward    float64 `json:"eager_forward"`
	EagerBoth       float64 `json:"eager_both"`
	CompiledForward float64 `json:"compiled_forward"`
	CompiledBoth    float64 `json:"compiled_both"`
}

func (t peerTimes) of(pass string) (eager, compiled float64) {
	if pass == "forward" {
		return t.EagerForward, t.CompiledForward
	}
	return t.EagerBoth, t.CompiledBoth
}

// time has PyTorch compute a loss on tensors of the same shape and type.
func (p *peers) time(m measured, e cuda.DType, positions int) (t peerTimes) {
	if p.in == nil || m.peer == "" {
		return t
	}
	ask, err := json.Marshal(map[string]any{"loss": m.peer, "type": e.String(), "classes": classes, "positions": positions})
	if err != nil {
		return t
	}
	if _, err := p.in.Write(append(ask, '\n')); err != nil {
		return t
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &t)
	}
	if err != nil {
		p.note = fmt.Sprintf("peers: %s: %v", m.peer, err)
	}
	return t
}
