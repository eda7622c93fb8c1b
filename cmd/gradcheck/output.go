package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An output is where a file goes.
type output struct {
	name string      // with all links followed
	info fs.FileInfo // of the file that is there, nil for none
}

// destination finds out where a file is to go, and that it may be written to. A
// read-only file may not, not even by root.
func destination(name string) (output, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent(name)
	case err != nil:
		return output{}, err
	case info.IsDir():
		return output{}, errors.New("is a directory")
	case !info.Mode().IsRegular():
		return output{name, info}, nil
	case info.Mode().Perm()&0o222 == 0:
		return output{}, fmt.Errorf("read-only, mode %v", info.Mode())
	}
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return output{}, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return output{}, err
	}
	return output{name, info}, f.Close()
}

// absent is destination where nothing is there: what the links of the name lead to,
// if it has any.
func absent(name string) (output, error) {
	for {
		dir, _ := filepath.Split(name)
		to, err := os.Readlink(name)
		if err != nil { // no link
			_, err = os.Stat(dir + ".")
			return output{name: name}, err
		}
		if !filepath.IsAbs(to) {
			to = dir + to // not cleaned: a directory before ".." may be a link itself
		}
		name = to
	}
}

// is reports whether a file is the one that is there.
func (o output) is(file string) bool {
	info, err := os.Stat(file)
	return o.info != nil && err == nil && os.SameFile(o.info, info)
}

// replaceFile gives a file new content, and keeps its mode. A regular file is
// replaced in one step, so that it is never seen half written; what cannot be
// replaced, such as a pipe, is written to.
func replaceFile(name string, write func(io.Writer) error) error {
	to, err := destination(name)
	if err != nil {
		return err
	}
	if to.info != nil && !to.info.Mode().IsRegular() {
		return writeTo(to.name, os.O_WRONLY, nil, write)
	}
	temp := fmt.Sprintf("%s.%d.tmp", to.name, os.Getpid())
	if err = writeTo(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, to.info, write); err == nil {
		err = os.Rename(temp, to.name)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		os.Remove(temp)
	}
	return err
}

// writeTo opens a file, gives it the mode of another where there is one, and writes.
func writeTo(name string, flags int, like fs.FileInfo, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return err
	}
	if like != nil {
		err = f.Chmod(like.Mode().Perm())
	}
	b := bufio.NewWriter(f)
	if err == nil {
		err = write(b)
	}
	if err == nil {
		err = b.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
