//go:build linux

package hosttest

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
)

// plainButtons turns filled buttons, which are light text on a colour, into
// dark text on white: tesseract takes them for pictures otherwise.
func plainButtons(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	from, err := png.Decode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	to := image.NewGray(from.Bounds())
	for p := range pixels(from.Bounds()) {
		to.Set(p.X, p.Y, from.At(p.X, p.Y))
	}
	for _, box := range filled(from) {
		inner := box.Inset(3) // its corners are round
		for p := range pixels(box) {
			value := uint8(255)
			if p.In(inner) && !strong(from.At(p.X, p.Y)) {
				value = 255 - to.GrayAt(p.X, p.Y).Y
			}
			to.SetGray(p.X, p.Y, color.Gray{Y: value})
		}
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := png.Encode(out, to); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func pixels(r image.Rectangle) func(func(image.Point) bool) {
	return func(yield func(image.Point) bool) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if !yield(image.Pt(x, y)) {
					return
				}
			}
		}
	}
}

// strong says whether a colour is far from grey.
func strong(c color.Color) bool {
	r, g, b, _ := c.RGBA()
	return max(r, g, b)-min(r, g, b) > 0x5000
}

// filled finds areas of a strong colour that are as large as a button and
// mostly full.
func filled(m image.Image) []image.Rectangle {
	var boxes []image.Rectangle
	seen := map[image.Point]bool{}
	for start := range pixels(m.Bounds()) {
		if seen[start] || !strong(m.At(start.X, start.Y)) {
			continue
		}
		box, count := image.Rectangle{Min: start, Max: start.Add(image.Pt(1, 1))}, 0
		seen[start] = true
		for open := []image.Point{start}; len(open) > 0; count++ {
			p := open[len(open)-1]
			open = open[:len(open)-1]
			box = box.Union(image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))})
			for _, step := range []image.Point{{X: 1}, {X: -1}, {Y: 1}, {Y: -1}} {
				if next := p.Add(step); next.In(m.Bounds()) && !seen[next] && strong(m.At(next.X, next.Y)) {
					seen[next] = true
					open = append(open, next)
				}
			}
		}
		if box.Dx() >= 30 && box.Dy() >= 20 && box.Dy() <= 100 && count*2 > box.Dx()*box.Dy() {
			boxes = append(boxes, box)
		}
	}
	return boxes
}
