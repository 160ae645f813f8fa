package look

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"pgregory.net/rapid"
)

// TestWrap holds, for any words and any width, that no line is wider than its
// place and that no letter is lost.
func TestWrap(t *testing.T) {
	test.NewTempApp(t)
	f := font{size: 14}
	words := rapid.StringMatching(`([a-zäöü@.]{1,30} ?){0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		text, width := words.Draw(t, "text"), rapid.Float32Range(20, 300).Draw(t, "width")
		lines := f.wrap(text, width, 0)
		for _, line := range lines {
			if got := f.width(line); got > width && len([]rune(line)) > 1 {
				t.Errorf("line %q is %.1f wide, want at most %.1f", line, got, width)
			}
		}
		letters := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got := letters(strings.Join(lines, "")); got != letters(text) {
			t.Errorf("letters changed: got %q, want %q", got, letters(text))
		}
		limited := f.wrap(text, width, 2)
		if len(limited) > 2 {
			t.Errorf("got %d lines, want at most 2", len(limited))
		}
	})
}

func TestWrapKeepsLineBreaks(t *testing.T) {
	test.NewTempApp(t)
	got := strings.Join(font{size: 14}.wrap("one\n\ntwo", 500, 0), "|")
	if want := "one||two"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongAddressBreaksWhereItReads(t *testing.T) {
	test.NewTempApp(t)
	f := font{size: 14}
	lines := f.wrap("newsletter@example.org", f.width("newsletter@exam"), 0)
	if got, want := strings.Join(lines, "|"), "newsletter@|example.org"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEllipsis(t *testing.T) {
	test.NewTempApp(t)
	f := font{size: 14}
	for _, c := range []struct {
		text  string
		width float32
		want  string
	}{
		{"short", 500, "short"},
		{"short", f.width("short"), "short"},
		{"one two three", f.width("one two…"), "one two…"},
		{"one two three", f.width("one …"), "one…"}, // no blank before the ellipsis
		{"one", 1, "…"},
		{"", 0, ""},
	} {
		if got := f.ellipsis(c.text, c.width); got != c.want {
			t.Errorf("%q in %.1f: got %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// TestTextKnowsItsHeight holds what the layouts rely on: after it was given a
// width, the least height is that of the wrapped lines.
func TestTextKnowsItsHeight(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	text := NewText(Body, strings.Repeat("words ", 30))
	line := text.MinSize().Height
	text.Resize(fyne.NewSize(200, line))
	if got := text.MinSize().Height; got < 3*line {
		t.Errorf("200 wide: got a height of %.0f, want at least %.0f", got, 3*line)
	}
	text.Resize(fyne.NewSize(4000, line))
	if got := text.MinSize().Height; got != line {
		t.Errorf("4000 wide: got a height of %.0f, want one line, %.0f", got, line)
	}
	cut := NewLine(Body, strings.Repeat("words ", 30))
	cut.Resize(fyne.NewSize(200, line))
	if got := cut.MinSize().Height; got != line {
		t.Errorf("one line: got a height of %.0f, want %.0f", got, line)
	}
	if got := cut.AccessibilityLabel(); got != cut.Text {
		t.Errorf("a text that is cut off must be read out whole, got %q", got)
	}
}

// TestVerticalStacksWrappedText holds that nothing overlaps in one pass.
func TestVerticalStacksWrappedText(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(New(ChoiceLight))
	first, second := NewText(Body, strings.Repeat("words ", 30)), NewText(Body, "end")
	Vertical(8, first, second).Resize(fyne.NewSize(200, 400))
	if got, want := second.Position().Y, first.MinSize().Height+8; got != want {
		t.Errorf("second text: got at %.0f, want at %.0f", got, want)
	}
}
