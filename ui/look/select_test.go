package look

import (
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// TestSelectShowsItsEdge in the colour of an entry's, and in that of the
// keyboard while that is there.
func TestSelectShowsItsEdge(t *testing.T) {
	a := test.NewTempApp(t)
	for _, choice := range []string{ChoiceLight, ChoiceDark} {
		a.Settings().SetTheme(New(choice))
		s := NewSelect([]string{"one", "two and a half, which is longer"}, nil)
		w := a.NewWindow("")
		w.SetContent(container.NewCenter(s))
		w.Resize(fyne.NewSize(400, 100))
		edge := func() color.Color {
			for _, o := range drawn(s) {
				if r, ok := o.(*canvas.Rectangle); ok && r.StrokeWidth > 0 && r.Size().Width > 100 {
					return r.StrokeColor
				}
			}
			return nil
		}
		for focused, name := range map[bool]fyne.ThemeColorName{false: theme.ColorNameInputBorder, true: theme.ColorNamePrimary} {
			w.Canvas().Unfocus()
			if focused {
				w.Canvas().Focus(s)
			}
			if got, want := edge(), New(choice).Color(name, theme.VariantDark); got != want {
				t.Errorf("%s, focused %v: the edge is %v, want %v", choice, focused, got, want)
			}
		}
		width := s.MinSize().Width
		s.SetSelectedIndex(1)
		if s.MinSize().Width != width || s.Options[1] != s.Selected {
			t.Errorf("%s: another option makes it %v wide instead of %v", choice, s.MinSize().Width, width)
		}
		w.Close()
	}
}
