// Command iconset writes the program's mark as PNG files in the sizes that
// packages of the three systems want:
//
//	go run ./assets/iconset -o DIR
//
// DIR gets app-16.png to app-1024.png, and Icon.png (512 pixels) for `fyne
// package`. Up to 22 pixels the simplified drawing is used. It draws with
// Fyne's own painter, in memory, so that the packages show exactly what the
// window shows; it needs no display and no cgo.
package main

import (
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/software"
	_ "fyne.io/fyne/v2/test" // registers an app without a window, which the painter asks for its theme

	"servicesmtp.net/companion/assets"
)

// fullFrom is the smallest size at which the full drawing is still clear.
const fullFrom = 24

var sizes = []int{16, 22, 24, 32, 48, 64, 128, 256, 512, 1024}

func main() {
	dir := flag.String("o", "", "folder to write to (required)")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := writeAll(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "iconset:", err)
		os.Exit(1)
	}
}

func writeAll(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, size := range sizes {
		if err := write(filepath.Join(dir, fmt.Sprintf("app-%d.png", size)), render(size)); err != nil {
			return err
		}
	}
	return write(filepath.Join(dir, "Icon.png"), render(512))
}

// render draws the mark on a transparent ground.
func render(size int) image.Image {
	name := "app"
	if size < fullFrom {
		name = "app-small"
	}
	c := software.NewTransparentCanvas()
	c.SetPadded(false)
	c.SetContent(canvas.NewImageFromResource(fyne.NewStaticResource(name+".svg", assets.Icon(name))))
	c.Resize(fyne.NewSquareSize(float32(size)))
	return c.Capture()
}

func write(name string, img image.Image) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := png.Encode(f, img); err != nil {
		f.Close()
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return f.Close()
}
