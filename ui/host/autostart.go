package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Autostart is the wish that a program starts with the person's login. Nothing
// is remembered between calls: the entry itself is the truth, because people
// switch it off in the settings of their desktop too.
type Autostart struct {
	Exec string   // absolute path of the program
	Args []string // what starts it hidden
	Name string   // shown in the desktop's list of such programs
	Icon string   // a name of the icon theme, or an absolute path; may be empty
}

// Enabled says whether the program will start. An entry that the person
// switched off elsewhere does not count.
func (a Autostart) Enabled() (bool, error) { return a.enabled() }

// Enable writes the entry, also over one that is switched off. It works from
// the next login on.
func (a Autostart) Enable() error {
	if err := a.check(); err != nil {
		return err
	}
	return a.enable()
}

// Disable removes the entry, if there is one. The running program is left alone.
func (a Autostart) Disable() error { return a.disable() }

// Refresh writes the entry anew when it is enabled and starts a program that is
// gone: this one has moved. An entry that is off stays so, one that starts
// another copy of the program does too: whoever tries a second one has not
// asked to start it with the login. With which arguments is the person's word.
func (a Autostart) Refresh() error {
	on, err := a.enabled()
	if err != nil || !on {
		return err
	}
	program, same, err := a.current()
	if err != nil || same || program == "" || program == a.Exec {
		return err
	}
	if _, err := os.Stat(program); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return a.Enable()
}

// check refuses what no entry can carry, before anything is written.
func (a Autostart) check() error {
	if !filepath.IsAbs(a.Exec) {
		return fmt.Errorf("%w: not absolute: %q", ErrPath, a.Exec)
	}
	for _, s := range append([]string{a.Exec, a.Name, a.Icon}, a.Args...) {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%w: %q", ErrPath, s)
		}
	}
	return nil
}

// replaceFile writes text so that a crash leaves the old entry or the new one:
// half an entry would be one that starts something else.
func replaceFile(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // no desktop reads a name without its extension
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone by then, if all is well
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the login entry: %w", err)
	}
	return nil
}
