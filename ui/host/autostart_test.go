//go:build linux

package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"servicesmtp.net/companion/ui/hosttest"
)

// entries makes a folder for login entries and returns the entry's own path.
func entries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	return filepath.Join(dir, "autostart", "net.servicesmtp.companion.desktop")
}

func wantEnabled(t *testing.T, a Autostart, want bool) {
	t.Helper()
	if got, err := a.Enabled(); err != nil || got != want {
		t.Errorf("enabled: got %v, %v, want %v", got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAutostart(t *testing.T) {
	path := entries(t)
	a := Autostart{Exec: "/opt/companion", Args: []string{"--hidden"}, Name: "Companion"}
	wantEnabled(t, a, false)
	must(t, a.Disable())
	must(t, a.Refresh())
	wantEnabled(t, a, false) // an update never switches it on
	must(t, a.Enable())
	must(t, a.Enable())
	wantEnabled(t, a, true)
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files: got %v, %v, want the entry only", files, err)
	}
	must(t, a.Disable())
	must(t, a.Disable())
	wantEnabled(t, a, false)
}

// What the person switched off in the desktop's settings stays off until they
// switch it on here.
func TestAutostartRespectsTheDesktop(t *testing.T) {
	path := entries(t)
	a := Autostart{Exec: "/opt/companion", Name: "Companion"}
	for _, line := range []string{"Hidden=true\n", "X-GNOME-Autostart-enabled=false\n"} {
		must(t, a.Enable())
		text, err := os.ReadFile(path)
		must(t, err)
		off := string(text) + line
		must(t, os.WriteFile(path, []byte(off), 0o600))
		wantEnabled(t, a, false)
		moved := a
		moved.Exec = "/elsewhere/companion"
		must(t, moved.Refresh())
		if text, err := os.ReadFile(path); err != nil || string(text) != off {
			t.Errorf("%s: refreshed to %s, %v", line, text, err)
		}
		must(t, a.Enable())
		wantEnabled(t, a, true)
	}
}

func TestAutostartRefresh(t *testing.T) {
	path := entries(t)
	a := Autostart{Exec: "/opt/one/companion", Args: []string{"--hidden"}, Name: "Companion"}
	must(t, a.Enable())
	text, err := os.ReadFile(path)
	must(t, err)
	edited := string(text) + "X-GNOME-Autostart-Delay=5\n"
	must(t, os.WriteFile(path, []byte(edited), 0o600))
	must(t, a.Refresh())
	if text, err := os.ReadFile(path); err != nil || string(text) != edited {
		t.Errorf("an entry that is right was written anew: %s, %v", text, err)
	}
	a.Exec = "/opt/zwei ü/companion" // and the first one is gone
	must(t, a.Refresh())
	if got, want := execOf(t, path), `"/opt/zwei ü/companion" --hidden`; got != want {
		t.Errorf("after a move: got %s, want %s", got, want)
	}
	a.Args = []string{"--quiet"}
	must(t, a.Refresh())
	if got, want := execOf(t, path), `"/opt/zwei ü/companion" --hidden`; got != want {
		t.Errorf("somebody's own arguments: got %s, want %s", got, want)
	}
}

// Somebody who tries a build, or a second copy, keeps the entry of the one that
// is installed.
func TestAutostartKeepsTheOther(t *testing.T) {
	path := entries(t)
	for _, name := range oddNames {
		installed, _ := recorder(t, name)
		must(t, Autostart{Exec: installed, Name: "Companion"}.Enable())
		before := execOf(t, path)
		other := Autostart{Exec: "/tmp/build/companion", Args: []string{"--hidden"}, Name: "Companion"}
		must(t, other.Refresh())
		if got := execOf(t, path); got != before {
			t.Errorf("%s is there still: got %s, want %s", installed, got, before)
		}
		must(t, os.Remove(installed))
		must(t, other.Refresh())
		if got, want := execOf(t, path), "/tmp/build/companion --hidden"; got != want {
			t.Errorf("%s is gone: got %s, want %s", installed, got, want)
		}
	}
}

// execOf is the command line of an entry.
func execOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	value, _ := entryValue(string(text), "Exec")
	return value
}

func TestAutostartRefuses(t *testing.T) {
	path := entries(t)
	for _, a := range []Autostart{{Exec: "companion"}, {Exec: ""}, {Exec: "/a\nExec=/bin/sh"}, {Exec: "/a\xff"},
		{Exec: "/a", Name: "x\nExec=/bin/sh"}, {Exec: "/a", Args: []string{"\x00"}}, {Exec: "/a", Icon: "\r"}} {
		if err := a.Enable(); !errors.Is(err, ErrPath) {
			t.Errorf("%q: got %v", a, err)
		}
	}
	if exists(path) {
		t.Error("an entry was written")
	}
}

func TestAutostartPlaces(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, c := range []struct{ config, want string }{
		{"", home + "/.config"},
		{"relative", home + "/.config"},
		{"/x", "/x"},
	} {
		t.Setenv("XDG_CONFIG_HOME", c.config)
		if got, err := entryPath(); err != nil || got != c.want+"/autostart/net.servicesmtp.companion.desktop" {
			t.Errorf("%q: got %s, %v", c.config, got, err)
		}
	}
}

// recorder is a program of that name; running it writes its arguments, one a
// line, into the file.
func recorder(t *testing.T, name string) (path, record string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, os.Mkdir(dir, 0o700))
	path, record = filepath.Join(dir, name), filepath.Join(dir, "record")
	// The record appears whole, because gio launch does not wait.
	script := "#!/bin/sh\nd=$(dirname \"$0\")\nprintf '%s\\n' \"$@\" >\"$d/new\" && mv \"$d/new\" \"$d/record\"\n"
	must(t, os.WriteFile(path, []byte(script), 0o700))
	return path, record
}

// The entry really starts the program, whatever it is called: as the
// specification says, and with GLib's launcher if it is installed.
func TestEntryStartsTheProgram(t *testing.T) {
	join(t)
	gio, err := exec.LookPath("gio")
	if err != nil {
		t.Log("gio is not installed: only the specification's own rules are tried")
	}
	for _, name := range oddNames {
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			entry := entries(t)
			program, record := recorder(t, name)
			a := Autostart{Exec: program, Args: []string{"--hidden", name}, Name: "Büro " + name}
			must(t, a.Enable())
			text, err := os.ReadFile(entry)
			must(t, err)
			line, _ := entryValue(string(text), "Exec")
			words, err := splitExec(line)
			must(t, err)
			must(t, exec.Command(words[0], words[1:]...).Run())
			check := func(by string) {
				t.Helper()
				got, err := os.ReadFile(record)
				if want := strings.Join(a.Args, "\n") + "\n"; err != nil || string(got) != want {
					t.Errorf("%s: got %q, %v, want %q", by, got, err, want)
				}
				os.Remove(record)
			}
			check("specification")
			if gio != "" {
				if out, err := exec.Command(gio, "launch", entry).CombinedOutput(); err != nil {
					t.Fatalf("gio launch: %v: %s", err, out)
				}
				hosttest.Eventually(t, "the program to start", func() bool { return exists(record) })
				check("gio launch")
			}
		})
	}
}

// GNOME and Plasma start entries by way of systemd, which makes a unit of each.
// It reads a backslash in a path wrongly, and drops the entry.
func TestEntryForSystemd(t *testing.T) {
	const generator = "/usr/lib/systemd/user-generators/systemd-xdg-autostart-generator"
	if !exists(generator) {
		t.Logf("%s is not installed: nothing was tried", generator)
		return
	}
	for _, name := range oddNames {
		if strings.Contains(name, `\`) {
			continue
		}
		entries(t)
		program, _ := recorder(t, name)
		must(t, Autostart{Exec: program, Args: []string{"--hidden"}, Name: "Büro"}.Enable())
		dir := t.TempDir()
		out, err := exec.Command(generator, dir, dir, dir).CombinedOutput()
		units, _ := filepath.Glob(filepath.Join(dir, "app-*@autostart.service"))
		if err != nil || len(units) != 1 {
			t.Errorf("%s: got %d units, %v: %s", name, len(units), err, out)
		}
	}
}

// TryExec has rules of its own: no quotes, no doubled percent signs.
func TestEntryNamesTheProgram(t *testing.T) {
	for _, name := range oddNames {
		a := Autostart{Exec: "/opt/" + name}
		raw, _ := entryValue(a.desktopEntry(), "TryExec")
		if got, err := unescapeValue(raw); err != nil || got != a.Exec {
			t.Errorf("got %q, %v, want %q", got, err, a.Exec)
		}
	}
}
