package ptxsim

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/segloss/segloss/kernels/cuda/internal/driver"
)

// kernel makes a module of a body. It has registers of all kinds, the address of its
// memory in %rd0, and 64 bytes of static shared memory called room.
func kernel(body string) string {
	return `.version 6.3
.target sm_70
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.shared .align 8 .b8 room[256];
.visible .func (.param .b32 func_retval0) twice(
	.param .b32 twice_param_0
)
{
	.reg .b32 %r<3>;
	ld.param.u32 %r1, [twice_param_0];
	add.s32 %r2, %r1, %r1;
	st.param.b32 [func_retval0+0], %r2;
	ret;
}
.visible .entry run(
	.param .u64 run_param_0
)
.maxntid 256, 1, 1
{
	.reg .pred %p<8>;
	.reg .b16 %rs<8>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<16>;
	.reg .f32 %f<8>;
	.reg .f64 %fd<8>;
	ld.param.u64 %rd0, [run_param_0];
	mov.u32 %r0, %tid.x;
	mov.u32 %r1, %ctaid.x;
` + body + `
	ret;
}
`
}

// grid is how a test launches.
type grid struct{ blocks, threads, bytes int }

// execute runs a body on memory that is all 0, and returns it.
func execute(t testing.TB, o Options, g grid, body string) ([]byte, error) {
	t.Helper()
	c, err := New(o).Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Load(kernel(body))
	if err != nil {
		return nil, err
	}
	f, err := m.Function("run")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Alloc(g.bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(p, 0, g.bytes, 0); err != nil {
		t.Fatal(err)
	}
	args := binary.LittleEndian.AppendUint64(nil, uint64(p))
	if err := c.Launch(f, driver.Config{Blocks: g.blocks, Threads: g.threads}, args, 0); err != nil {
		return nil, err
	}
	out := make([]byte, g.bytes)
	return out, c.CopyOut(out, p, 0)
}

// words runs a body on one block whose threads each leave %r9 at their place.
func words(t testing.TB, threads int, body string) []uint32 {
	t.Helper()
	out, err := execute(t, Options{}, grid{1, threads, 4 * threads}, body+`
	mul.wide.u32 %rd9, %r0, 4;
	add.s64 %rd9, %rd0, %rd9;
	st.global.u32 [%rd9], %r9;`)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]uint32, threads)
	for i := range v {
		v[i] = binary.LittleEndian.Uint32(out[4*i:])
	}
	return v
}

// wantFault fails the test unless err is a fault that says so.
func wantFault(t testing.TB, name string, err error, says string) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || !strings.Contains(f.Error(), says) {
		t.Errorf("%s: %v; want a fault that says %q", name, err, says)
	}
}

// TestConverge: lanes that part meet again where all ways come together, and a warp-wide
// instruction there has them all.
func TestConverge(t *testing.T) {
	vote := "setp.eq.u32 %p7, %r0, 31;\nvote.sync.any.pred %p6, %p7, -1;\n"
	for _, c := range []struct {
		name, body string
		want       func(tid uint32) uint32
	}{
		{"two ways", `and.b32 %r2, %r0, 1;
	setp.eq.u32 %p1, %r2, 0;
	@%p1 bra $A;
	mov.b32 %r9, 7;
	bra.uni $B;
$A:
	mov.b32 %r9, 8;
$B:` + vote, func(tid uint32) uint32 { return 8 - tid&1 }},
		{"a loop each", `mov.b32 %r9, 0;
$A:
	setp.ge.u32 %p1, %r9, %r0;
	@%p1 bra $B;
	add.s32 %r9, %r9, 1;
	bra.uni $A;
$B:` + vote, func(tid uint32) uint32 { return tid }},
		{"a call in a branch", `mov.b32 %r9, 5;
	setp.lt.u32 %p1, %r0, 9;
	@!%p1 bra $A;
	{
	.param .b32 param0;
	st.param.b32 [param0+0], %r0;
	.param .b32 retval0;
	call.uni (retval0), twice, (param0);
	ld.param.b32 %r9, [retval0+0];
	}
$A:` + vote, func(tid uint32) uint32 {
			if tid < 9 {
				return 2 * tid
			}
			return 5
		}},
		{"nested", `mov.b32 %r9, 1;
	setp.lt.u32 %p1, %r0, 20;
	@!%p1 bra $A;
	setp.lt.u32 %p2, %r0, 10;
	@%p2 bra $B;
	mov.b32 %r9, 2;
	bra.uni $A;
$B:
	mov.b32 %r9, 3;
$A:` + vote, func(tid uint32) uint32 { return []uint32{3, 2, 1, 1}[tid/10] }},
	} {
		for tid, got := range words(t, 32, c.body) {
			if want := c.want(uint32(tid)); got != want {
				t.Errorf("%s: thread %d has %d, want %d", c.name, tid, got, want)
			}
		}
	}
}

// TestWarps: shuffles exchange, barriers part of shared memory.
func TestWarps(t *testing.T) {
	for tid, got := range words(t, 64, "shfl.sync.bfly.b32 %r9, %r0, 5, 31, -1;") {
		if want := uint32(tid ^ 5); got != want {
			t.Errorf("thread %d has %d, want %d", tid, got, want)
		}
	}
	for tid, got := range words(t, 64, `shl.b32 %r2, %r0, 2;
	cvt.u64.u32 %rd1, %r2;
	mov.u64 %rd2, room;
	add.s64 %rd3, %rd2, %rd1;
	st.shared.u32 [%rd3], %r0;
	bar.sync 0;
	xor.b32 %r3, %r2, 252;
	cvt.u64.u32 %rd4, %r3;
	add.s64 %rd5, %rd2, %rd4;
	cvta.shared.u64 %rd6, %rd5;
	ld.u32 %r9, [%rd6];`) {
		if want := uint32(63 - tid); got != want {
			t.Errorf("thread %d has %d, want %d", tid, got, want)
		}
	}
}

// TestFaults: what a kernel must not do is found, and named.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		grid grid
		body string
		says string
	}{
		{"behind", grid{1, 32, 64}, "ld.global.u32 %r2, [%rd0+64];", "0 bytes behind one of 64"},
		{"before", grid{1, 32, 64}, "ld.global.u32 %r2, [%rd0+-4];", "bytes before one"},
		{"across the end", grid{1, 32, 60}, "ld.global.v2.u32 {%r2, %r3}, [%rd0+56];", "into an area of 60"},
		{"misaligned", grid{1, 32, 64}, "ld.global.u32 %r2, [%rd0+2];", "not a multiple of 4"},
		{"misaligned vector", grid{1, 32, 64}, "ld.global.v2.u32 {%r2, %r3}, [%rd0+4];", "not a multiple of 8"},
		{"unwritten shared memory", grid{1, 32, 64}, "mov.u64 %rd1, room;\nld.shared.u32 %r2, [%rd1+4];", "nothing has written"},
		{"unwritten register", grid{1, 32, 64}, "add.s32 %r2, %r3, %r0;", "a register that nothing has written"},
		{"a copy of it", grid{1, 32, 64}, "mov.b32 %r2, %r3;\nadd.s32 %r4, %r2, %r0;", "a register that nothing has written"},
		{"division by 0", grid{1, 32, 64}, "mov.b32 %r2, 0;\ndiv.u32 %r3, %r0, %r2;", "division by 0"},
		{"half a barrier", grid{1, 32, 64}, "setp.lt.u32 %p1, %r0, 16;\n@%p1 bar.sync 0;", "a barrier that lanes"},
		{"a warp that never comes", grid{1, 64, 64}, "setp.lt.u32 %p1, %r0, 32;\n@%p1 bra $A;\nret;\n$A:\nbar.sync 0;", "a barrier"},
		{"half a shuffle", grid{1, 32, 64}, "setp.lt.u32 %p1, %r0, 16;\n@%p1 shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1;", "is not the lanes"},
		{"wrong mask", grid{1, 32, 64}, "setp.eq.u32 %p1, %r0, 1;\nvote.sync.any.pred %p2, %p1, 255;", "is not the lanes"},
		{"two values", grid{1, 32, 64}, "st.global.u32 [%rd0], %r0;", "different values at one address"},
		{"no end", grid{1, 32, 64}, "$A:\nadd.s32 %r2, %r0, %r0;\nbra.uni $A;", "more than"},
	} {
		_, err := execute(t, Options{Budget: 100000}, c.grid, c.body)
		wantFault(t, c.name, err, c.says)
	}
}

// TestRaces: what two warps do to one place is in order by barriers, by releases that
// others acquire, or by relaxed atomics with fences around; or it is found.
func TestRaces(t *testing.T) {
	message := func(before, write, read, after string) string {
		return `setp.ne.u32 %p1, %r0, 0;
	@%p1 bra $Z;
	setp.ne.u32 %p2, %r1, 0;
	@%p2 bra $R;
	mov.b32 %r2, 42;
	st.global.u32 [%rd0], %r2;
	mov.b32 %r3, 1;
	` + before + write + `
	bra.uni $Z;
$R:
	` + read + `
	setp.eq.u32 %p3, %r4, 0;
	@%p3 bra $R;
	` + after + `ld.global.u32 %r5, [%rd0];
$Z:`
	}
	const (
		release, acquire = "st.release.gpu.global.u32 [%rd0+8], %r3;", "ld.acquire.gpu.global.u32 %r4, [%rd0+8];"
		relaxed, watched = "st.relaxed.gpu.global.u32 [%rd0+8], %r3;", "ld.relaxed.gpu.global.u32 %r4, [%rd0+8];"
		plain, looked    = "st.global.u32 [%rd0+8], %r3;", "ld.global.u32 %r4, [%rd0+8];"
		atomic           = "atom.acq_rel.gpu.global.add.u32 %r6, [%rd0+8], %r3;"
		fence            = "fence.acq_rel.gpu;\n"
	)
	two := grid{2, 32, 64}
	shared := func(between string) string {
		return `setp.ge.u32 %p1, %r0, 32;
	mov.u64 %rd1, room;
	@%p1 bra $A;
	shl.b32 %r2, %r0, 2;
	cvt.u64.u32 %rd2, %r2;
	add.s64 %rd3, %rd1, %rd2;
	st.shared.u32 [%rd3], %r0;
$A:
	` + between + `
	@!%p1 bra $B;
	ld.shared.u32 %r3, [%rd1];
$B:`
	}
	const twoReaders = `setp.eq.u32 %p1, %r1, 2;
	@%p1 bra $W;
	ld.global.u32 %r2, [%rd0];
	setp.eq.u32 %p2, %r1, 0;
	@%p2 bra $Z;
	mov.b32 %r3, 1;
	` + release + `
	bra.uni $Z;
$W:
	` + acquire + `
	setp.eq.u32 %p3, %r4, 0;
	@%p3 bra $W;
	st.global.u32 [%rd0], %r4;
$Z:`
	for _, c := range []struct {
		name string
		grid grid
		body string
		ok   bool
	}{
		{"release and acquire", two, message("", release, acquire, ""), true},
		{"atomic and acquire", two, message("", atomic, acquire, ""), true},
		{"relaxed with fences", two, message(fence, relaxed, watched, fence), true},
		{"relaxed without the first fence", two, message("", relaxed, watched, fence), false},
		{"relaxed without the second fence", two, message(fence, relaxed, watched, ""), false},
		{"a plain flag", two, message(fence, plain, watched, fence), false},
		{"a plain look", two, message(fence, relaxed, looked, fence), false},
		{"shared memory with a barrier", grid{1, 64, 64}, shared("bar.sync 0;"), true},
		{"shared memory without", grid{1, 64, 64}, shared(""), false},
		{"a writer that waits for one of two readers", grid{3, 1, 64}, twoReaders, false},
		{"atomics alone", grid{4, 64, 64}, "mov.b32 %r3, 1;\n" + atomic, true},
		{"one word of two blocks", grid{2, 1, 64}, "st.global.u32 [%rd0], %r1;", false},
		{"words of their own", grid{2, 1, 64}, "mul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd2, %rd0, %rd1;\nst.global.u32 [%rd2], %r1;", true},
	} {
		for _, reverse := range []bool{false, true} {
			_, err := execute(t, Options{Reverse: reverse, Budget: 1e6}, c.grid, c.body)
			if c.ok && err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if !c.ok {
				wantFault(t, c.name, err, "races with a ")
			}
		}
	}
}

// TestUnwrittenAgain: what an earlier launch has left in a register counts as not written.
func TestUnwrittenAgain(t *testing.T) {
	c, err := New(Options{}).Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Load(kernel(`ld.global.u32 %r2, [%rd0];
	setp.ne.u32 %p1, %r2, 0;
	@%p1 bra $A;
	mov.b32 %r9, 7;
$A:
	st.global.u32 [%rd0], %r9;`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Function("run")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Alloc(4)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(p, 0, 4, 0); err != nil {
		t.Fatal(err)
	}
	args := binary.LittleEndian.AppendUint64(nil, uint64(p))
	one := driver.Config{Blocks: 1, Threads: 1}
	if err := c.Launch(f, one, args, 0); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "the second launch", c.Launch(f, one, args, 0), "a register that nothing has written")
}

// TestLaunch: what a launch must not ask for, and that a fault stays.
func TestLaunch(t *testing.T) {
	c, err := New(Options{Multiprocessors: 1}).Open(0, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Load(kernel("ld.global.u32 %r2, [%rd0];"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Function("run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Function("twice"); err == nil {
		t.Error("a function is no entry")
	}
	args := make([]byte, 8)
	for name, bad := range map[string]struct {
		k    driver.Config
		args []byte
	}{
		"arguments":   {driver.Config{Blocks: 1, Threads: 32}, args[:4]},
		"threads":     {driver.Config{Blocks: 1, Threads: 2048}, args},
		"no blocks":   {driver.Config{Blocks: 0, Threads: 32}, args},
		"shared":      {driver.Config{Blocks: 1, Threads: 32, Shared: 200 << 10}, args},
		"cooperative": {driver.Config{Blocks: 100, Threads: 1024, Cooperative: true}, args},
	} {
		var fault *Fault
		if err := c.Launch(f, bad.k, bad.args, 0); err == nil || errors.As(err, &fault) {
			t.Errorf("%s: %v; want an error that is no fault", name, err)
		}
	}
	first := c.Launch(f, driver.Config{Blocks: 1, Threads: 32}, args, 0)
	wantFault(t, "address 0", first, "no allocation")
	for name, err := range map[string]error{
		"Synchronize": c.Synchronize(0),
		"Launch":      c.Launch(f, driver.Config{Blocks: 1, Threads: 32}, args, 0),
		"Set":         c.Set(1, 0, 8, 0),
	} {
		if !errors.Is(err, first) {
			t.Errorf("%s after a fault: %v", name, err)
		}
	}
}

// TestSyntax: what is not known is an error with its line.
func TestSyntax(t *testing.T) {
	before, _, _ := strings.Cut(kernel("#"), "#")
	line := 1 + strings.Count(before, "\n")
	for name, body := range map[string]string{
		"opcode":    "frobnicate.b32 %r2, %r3;",
		"modifier":  "add.sat.s32 %r2, %r3, %r4;",
		"type":      "add.rn.f16 %rs1, %rs2, %rs3;",
		"rounding":  "cvt.rp.f32.f64 %f1, %fd1;",
		"register":  "add.s32 %r2, %r3, %r99;",
		"special":   "mov.u32 %r2, %gridid;",
		"label":     "bra.uni $NOWHERE;",
		"function":  "call.uni nobody, ();",
		"directive": ".local .b8 depot[8];",
		"operands":  "add.s32 %r2, %r3;",
		"address":   "ld.global.u32 %r2, [%rd0+x];",
		"barrier":   "bar.sync 1;",
		"scope":     "fence.acq_rel.cta;",
	} {
		_, err := parse(kernel(body))
		var e *SyntaxError
		if !errors.As(err, &e) || e.Line != line {
			t.Errorf("%s: %v; want a syntax error in line %d", name, err, line)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(kernel("add.s32 %r2, %r0, %r0;"))
	f.Add(".visible .entry run(\n)\n{\n.reg .b32 %r<3>;\n$A:\nbra.uni $A;\n}")
	f.Add("{ } ; [ ( .shared .align 8 .b8 x[9];")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parse(text); err != nil && !strings.HasPrefix(err.Error(), "ptxsim: line ") {
			t.Error(err)
		}
	})
}

func BenchmarkLanes(b *testing.B) {
	body := "mov.b32 %r2, 0;\n$A:\nadd.s32 %r2, %r2, 1;\nmul.lo.s32 %r3, %r2, %r0;\nsetp.lt.u32 %p1, %r2, 1000;\n@%p1 bra $A;"
	for b.Loop() {
		if _, err := execute(b, Options{}, grid{1, 256, 64}, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*4*1000*256/b.Elapsed().Seconds(), "lane-instr/s")
}
