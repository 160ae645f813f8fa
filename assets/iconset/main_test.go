package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestWritesEverySize(t *testing.T) {
	dir := t.TempDir()
	if err := writeAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"app-16.png": 16, "app-22.png": 22, "app-1024.png": 1024, "Icon.png": 512} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := img.Bounds().Dx(); got != want || img.Bounds().Dy() != want {
			t.Errorf("%s: got %v, want a square of %d", name, img.Bounds(), want)
		}
		if _, _, _, a := img.At(want/2, want-want/8).RGBA(); a != 0xffff {
			t.Errorf("%s: the lower middle is see-through: nothing was drawn", name)
		}
		if _, _, _, a := img.At(0, 0).RGBA(); a > 0x4000 {
			t.Errorf("%s: the corner is not see-through", name)
		}
	}
}
