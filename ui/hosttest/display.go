//go:build linux

package hosttest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Display is a screen that nobody sees, with a mouse and a keyboard. Without
// [Display.StartWindowManager] windows have no frame and lie at 0,0; clicks
// and typing work all the same.
type Display struct {
	t      testing.TB
	number string
	server *process
	tool   string
	reads  int // how often a window was read
}

// Window is the number of a window.
type Window string

// NewDisplay starts a screen that ends with the test.
func NewDisplay(t testing.TB, width, height int) *Display {
	t.Helper()
	d := &Display{t: t, tool: program(t, "xdotool", "xdotool")}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(program(t, "Xvfb", "xvfb"), "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height),
		"-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	d.server = launch(t, cmd)
	t.Cleanup(d.server.stop)
	w.Close()
	r.SetReadDeadline(time.Now().Add(Patience))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("display: %v: %s", err, d.server.diagnosis())
	}
	d.number = strings.TrimSpace(line)
	return d
}

// Env is what a program needs to use this display.
func (d *Display) Env() []string { return []string{"DISPLAY=:" + d.number} }

// StartWindowManager gives windows frames, focus and close buttons.
func (d *Display) StartWindowManager() {
	d.t.Helper()
	cmd := exec.Command(program(d.t, "openbox", "openbox"), "--sm-disable")
	cmd.Env = append(os.Environ(), d.Env()...)
	manager := launch(d.t, cmd)
	d.t.Cleanup(manager.stop)
	Eventually(d.t, "the window manager", func() bool {
		if manager.ended() {
			d.t.Fatalf("the window manager ended: %s", manager.diagnosis())
		}
		_, err := d.try("get_desktop") // a window manager publishes it
		return err == nil
	})
}

func (d *Display) try(args ...string) (string, error) { return run(d.Env(), d.tool, args...) }

func (d *Display) do(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("xdotool %q: %v", args, err)
	}
	return out
}

// Screenshot writes what the screen shows into a PNG file.
func (d *Display) Screenshot(path string) {
	d.t.Helper()
	if _, err := run(d.Env(), program(d.t, "import", "imagemagick"), "-window", "root", path); err != nil {
		d.t.Fatalf("screenshot: %v", err)
	}
}

// Picture writes what a window shows, without its frame, into a PNG file.
func (d *Display) Picture(w Window, path string) {
	d.t.Helper()
	if _, err := run(d.Env(), program(d.t, "import", "imagemagick"), "-window", string(w), path); err != nil {
		d.t.Fatalf("picture of a window: %v", err)
	}
}

// Windows are the visible windows with exactly this title.
func (d *Display) Windows(title string) []Window {
	out, err := d.try("search", "--onlyvisible", "--name", ".")
	if err != nil { // also its way to say that there is none
		return nil
	}
	var windows []Window
	for _, id := range strings.Fields(out) {
		// The search itself knows regular expressions, in the Latin alphabet.
		if name, err := d.try("getwindowname", id); err == nil && name == title {
			windows = append(windows, Window(id))
		}
	}
	return windows
}

// Window waits for a visible window with this title.
func (d *Display) Window(title string) Window {
	d.t.Helper()
	var found []Window
	Eventually(d.t, fmt.Sprintf("a window %q", title), func() bool { found = d.Windows(title); return len(found) > 0 })
	return found[0]
}

// NoWindow waits until no such window is visible.
func (d *Display) NoWindow(title string) {
	d.t.Helper()
	Eventually(d.t, fmt.Sprintf("no window %q", title), func() bool { return len(d.Windows(title)) == 0 })
}

// HasWindow says whether such a window is visible now.
func (d *Display) HasWindow(title string) bool { return len(d.Windows(title)) > 0 }

// Minimised says whether a window is in the task bar only. It needs a window
// manager.
func (d *Display) Minimised(w Window) bool {
	d.t.Helper()
	out, err := run(d.Env(), program(d.t, "xprop", "x11-utils"), "-id", string(w), "WM_STATE")
	if err != nil {
		d.t.Fatalf("state of a window: %v", err)
	}
	return strings.Contains(out, "window state: Iconic")
}

// Geometry is where a window lies, without its frame. (xdotool counts a frame
// twice, so it is not asked.)
func (d *Display) Geometry(w Window) (x, y, width, height int) {
	d.t.Helper()
	out, err := run(d.Env(), program(d.t, "xwininfo", "x11-utils"), "-id", string(w))
	if err != nil {
		d.t.Fatalf("geometry of a window: %v", err)
	}
	into := map[string]*int{"Absolute upper-left X": &x, "Absolute upper-left Y": &y, "Width": &width, "Height": &height}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if p := into[name]; p != nil {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				d.t.Fatalf("window %s: %s=%q", w, name, value)
			}
			*p = n
		}
	}
	return x, y, width, height
}

// Focus gives a window the keyboard.
func (d *Display) Focus(w Window) {
	d.t.Helper()
	d.do("windowfocus", "--sync", string(w))
}

// CloseWindow is a click on the close button of a window's frame: the program
// is asked, and decides. It needs a window manager.
func (d *Display) CloseWindow(w Window) {
	d.t.Helper()
	// Not by Alt+F4: a window manager closes what it has focused itself.
	if _, err := run(d.Env(), program(d.t, "wmctrl", "wmctrl"), "-i", "-c", string(w)); err != nil {
		d.t.Fatalf("close a window: %v", err)
	}
}

// Move moves the mouse to a place on the screen.
func (d *Display) Move(x, y int) {
	d.t.Helper()
	// Without --sync, which waits for ever so long where the mouse is there already.
	d.do("mousemove", strconv.Itoa(x), strconv.Itoa(y))
}

// Click clicks the left button at a place on the screen.
func (d *Display) Click(x, y int) {
	d.t.Helper()
	d.Move(x, y)
	d.do("click", "1")
}

// Type types a text into the window that has the keyboard.
func (d *Display) Type(text string) {
	d.t.Helper()
	d.do("type", "--delay", "30", "--", text)
}

// Key presses keys one after the other; "ctrl+a" is one of them.
func (d *Display) Key(names ...string) {
	d.t.Helper()
	d.do(append([]string{"key", "--delay", "30", "--"}, names...)...)
}
