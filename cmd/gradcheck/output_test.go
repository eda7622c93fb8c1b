package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGradOverInput: the gradient does not take the place of a file that it is
// computed from, under whichever name.
func TestGradOverInput(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	files := map[string]string{}
	write := func(name, descr, shape string, v any) {
		files["-"+name] = name + ".npy"
		b, err := os.ReadFile(writeTensor(t, name, descr, shape, v))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+".npy", b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("pred", "<f4", "(1, 2, 3)", []float32{1, 2, 3, 3, 2, 1})
	write("target", "|u1", "(1, 3)", []uint8{0, 1, 1})
	write("weights", "<f4", "(1, 3)", []float32{1, 2, 3})
	if err := os.Mkdir("sub", 0o777); err != nil {
		t.Fatal(err)
	}
	for flag, file := range files {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		symlink, hardlink := flag+"-symlink", flag+"-hardlink"
		if err := os.Symlink(file, symlink); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(file, hardlink); err != nil {
			t.Skip("no hard links here: ", err)
		}
		for _, grad := range []string{file, "./" + symlink, "./" + hardlink, "sub/../" + file, filepath.Join(dir, file)} {
			expectRefusal(t, []string{"eval", "-loss", "dice", "-activation", "softmax", "-pred", "pred.npy", "-target", "target.npy", "-weights", "weights.npy", "-grad", grad},
				"-grad "+grad, "the file of "+flag)
		}
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s has changed, %v", file, err)
		}
	}
}

// TestGradOverOutput: nor does it take the place of the report.
func TestGradOverOutput(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	defer func() { os.Stdout = stdout; f.Close() }()
	os.Stdout = f
	expectRefusal(t, append([]string{"eval", "-grad", f.Name()}, small(t)...), "-grad "+f.Name(), "the standard output")
}

// says writes a text.
func says(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

// TestReplaceFileMode: a file keeps its mode, and one that is read-only its content.
func TestReplaceFileMode(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	for _, mode := range []os.FileMode{0o600, 0o644, 0o666, 0o640} {
		if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if err := replaceFile(name, says("new")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
	}
	if err := os.Chmod(name, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(name, says("newer")); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("read-only: error %v", err)
	}
	b, err := os.ReadFile(name)
	if info, e := os.Stat(name); err != nil || e != nil || string(b) != "new" || info.Mode() != 0o444 {
		t.Errorf("read-only: %q, %v, %v, %v", b, info.Mode(), err, e)
	}
	grad := func() (int, string, string) {
		return runCommand(append([]string{"eval", "-grad", name}, small(t)...)...)
	}
	if code, stdout, stderr := grad(); code != exitUsage || stdout != "" || !strings.Contains(stderr, "-grad "+name+": read-only") {
		t.Errorf("-grad: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if files, err := os.ReadDir(filepath.Dir(name)); err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
}

// TestReplaceFileLinks: links are followed, those that dangle too.
func TestReplaceFileLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o777); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"first":        "second",    // a link to a link
		"second":       "real/a",    // to what is not there
		"entry":        "real/deep", // a directory
		"real/deep/up": "../b",      // relative to where it really is
		"absolute":     filepath.Join(dir, "real/c"),
		"loop":         "loop",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"first": "real/a", "entry/up": "real/b", "absolute": "real/c"} {
		for _, text := range []string{"new", "newer"} {
			if err := replaceFile(filepath.Join(dir, link), says(text)); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, to)); err != nil || string(b) != text {
				t.Errorf("%s: %q, %v; want %q in %s", link, b, err, text, to)
			}
			if info, err := os.Lstat(filepath.Join(dir, link)); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("%s is no link any more: %v, %v", link, info, err)
			}
		}
	}
	if err := replaceFile(filepath.Join(dir, "loop"), says("new")); err == nil {
		t.Error("a link to itself was written to")
	}
}
