//go:build unix && !darwin

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// entryPath is where all desktops look (Desktop Application Autostart §2).
func entryPath() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // XDG Base Directory: a relative path is to be ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the login entries: %w", err)
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "autostart", ID+".desktop"), nil
}

// entry is the text, or "" when there is none.
func entry() (string, error) {
	path, err := entryPath()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

func (a Autostart) enabled() (bool, error) {
	text, err := entry()
	return err == nil && entryOn(text), err
}

// current is the program that the entry starts, or "" when it does not say, and
// whether it does so as we would.
func (a Autostart) current() (program string, same bool, err error) {
	text, err := entry()
	exec, _ := entryValue(text, "Exec")
	program, _ = entryValue(text, "TryExec")
	return unescape.Replace(program), exec == a.execLine(), err
}

func (a Autostart) enable() error {
	path, err := entryPath()
	if err != nil {
		return err
	}
	return replaceFile(path, a.desktopEntry())
}

func (a Autostart) disable() error {
	path, err := entryPath()
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
