//go:build linux

package hosttest

import (
	"image"
	_ "image/png" // of the screenshot
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// show starts ImageMagick's viewer with one colour.
func show(t *testing.T, d *Display, title, size string) {
	t.Helper()
	cmd := exec.Command(program(t, "display", "imagemagick"), "-title", title, "-size", size, "xc:red")
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8"), d.Env()...)
	p := launch(t, cmd)
	t.Cleanup(p.stop)
}

func pixel(t *testing.T, d *Display, x, y int) (r, g, b uint32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "screen.png")
	d.Screenshot(path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := picture.Bounds().Size(); got != image.Pt(640, 480) {
		t.Errorf("the screen is %v", got)
	}
	r, g, b, _ = picture.At(x, y).RGBA()
	return r >> 8, g >> 8, b >> 8
}

func TestDisplay(t *testing.T) {
	d := NewDisplay(t, 640, 480)
	if d.HasWindow("Büro (漢)") {
		t.Fatal("a window before there is one")
	}
	show(t, d, "Büro (漢)", "200x100")
	w := d.Window("Büro (漢)")
	if d.HasWindow("Büro") {
		t.Error("half a title is enough")
	}
	x, y, width, height := d.Geometry(w)
	if width != 200 || height != 100 {
		t.Errorf("geometry: got %dx%d", width, height)
	}
	Eventually(t, "a red window", func() bool {
		r, g, b := pixel(t, d, x+width/2, y+height/2)
		return r == 255 && g == 0 && b == 0
	})
	d.Focus(w)
	d.Type("q") // the viewer's key for leaving
	d.NoWindow("Büro (漢)")
}

func TestWindowManager(t *testing.T) {
	d := NewDisplay(t, 640, 480)
	d.StartWindowManager()
	show(t, d, "framed", "200x100")
	w := d.Window("framed")
	x, y, _, _ := d.Geometry(w)
	if y == 0 {
		t.Error("no frame")
	}
	Eventually(t, "the window where its geometry says", func() bool {
		r, g, b := pixel(t, d, x, y)
		return r == 255 && g == 0 && b == 0
	})
	d.CloseWindow(w)
	d.NoWindow("framed")
}

// Two displays, as tests of several packages at once have them.
func TestDisplaysAreSeparate(t *testing.T) {
	one, two := NewDisplay(t, 640, 480), NewDisplay(t, 640, 480)
	show(t, one, "mine", "50x50")
	one.Window("mine")
	if two.HasWindow("mine") {
		t.Error("a window on the wrong display")
	}
	show(t, two, "clicked", "50x50")
	x, y, width, height := two.Geometry(two.Window("clicked"))
	two.Click(x+width/2, y+height/2) // opens the viewer's menu
	two.Window("Commands")
	two.Key("Escape")
}
