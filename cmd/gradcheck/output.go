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
	name, err := follow(name)
	if err != nil {
		return output{}, err
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		dir, _ := filepath.Split(name)
		_, err = os.Stat(dir + ".")
		return output{name: name}, err
	}
	if err != nil {
		return output{}, err
	}
	to := output{name, info}
	switch {
	case info.IsDir():
		return to, errors.New("is a directory")
	case !info.Mode().IsRegular():
		return to, nil
	case info.Mode().Perm()&0o222 == 0:
		return to, fmt.Errorf("read-only, mode %v", info.Mode())
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return to, err
	}
	return to, f.Close()
}

// follow returns what the links of a name lead to, whether that is there or not.
func follow(name string) (string, error) {
	const most = 40 // as in Linux
	for range most {
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil // no link
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(name)
			to = dir + to // not cleaned: a directory before ".." may be a link itself
		}
		name = to
	}
	return "", errors.New("too many links")
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
