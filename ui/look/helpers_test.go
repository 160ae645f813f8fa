package look

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
)

// drawn returns an object and all that is drawn inside it, by the renderers in
// use; test.LaidOutObjects makes new ones, which a list does not survive.
func drawn(o fyne.CanvasObject) []fyne.CanvasObject {
	if !o.Visible() {
		return nil
	}
	all := []fyne.CanvasObject{o}
	switch c := o.(type) {
	case *fyne.Container:
		for _, child := range c.Objects {
			all = append(all, drawn(child)...)
		}
	case *container.Scroll:
		all = append(all, drawn(c.Content)...)
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(c).Objects() {
			all = append(all, drawn(child)...)
		}
	}
	return all
}

// pixel is the colour at a place of a picture, in pixels.
func pixel(img image.Image, x, y float32) color.NRGBA {
	c, _ := color.NRGBAModel.Convert(img.At(int(x), int(y))).(color.NRGBA)
	return c
}
