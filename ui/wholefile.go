package ui

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"servicesmtp.net/companion/app"
)

// writeWhole writes a file under its name as a whole or not at all: what has
// the name already stays as it is until then.
func writeWhole(path string, write func(io.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".companion-*.part")
	if err != nil {
		return notWritten(err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync() // a full disk may tell only now
	}
	if old, missing := os.Stat(path); err == nil && missing == nil && old.Mode().IsRegular() {
		err = f.Chmod(old.Mode().Perm()) // who could read it still can
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		return nil
	}
	err = errors.Join(err, os.Remove(f.Name()))
	if _, said := app.Words(err); said { // what was to be written could not be had
		return err
	}
	return notWritten(err)
}

// notWritten says a file that could not be written in words.
func notWritten(err error) error {
	return &app.UserError{Sentence: "The file could not be written.", Action: "Choose another folder, or make room on the disk.", Err: err}
}

// usualFolder is where people look for a file that a program has written.
func usualFolder() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	for _, name := range []string{"Downloads", "Documents"} {
		if there(filepath.Join(home, name)) {
			return filepath.Join(home, name)
		}
	}
	return home
}

// there says whether something has this name; what cannot be looked at is
// there, so that it is asked about.
func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
