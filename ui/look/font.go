package look

import (
	"slices"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
)

// ellipsis stands for what had to be left out; it is the same in all our
// languages.
const ellipsis = "…"

// font measures text and breaks it into lines. Fyne keeps what it measured.
type font struct {
	size  float32
	style fyne.TextStyle
}

func (f font) width(text string) float32 { return fyne.MeasureText(text, f.size, f.style).Width }

func (f font) height() float32 { return fyne.MeasureText("M", f.size, f.style).Height }

// ellipsis returns text if it fits, or as much of its beginning as fits with
// an ellipsis behind it.
func (f font) ellipsis(text string, width float32) string {
	if f.width(text) <= width {
		return text
	}
	runes := []rune(text)
	n := f.fit(runes, width-f.width(ellipsis))
	return strings.TrimRightFunc(string(runes[:n]), unicode.IsSpace) + ellipsis
}

// wrap returns the lines of text, at most limit of them if limit is not 0.
// Line breaks in the text stay.
func (f font) wrap(text string, width float32, limit int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, f.wrapParagraph(paragraph, width)...)
	}
	if limit > 0 && len(lines) > limit {
		// The rest is put behind the last line, to be cut off there.
		last := strings.Join(lines[limit-1:], " ")
		lines = append(slices.Clone(lines[:limit-1]), f.ellipsis(last, width))
	}
	return lines
}

func (f font) wrapParagraph(text string, width float32) []string {
	if f.width(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" {
			if longer := line + " " + word; f.width(longer) <= width {
				line = longer
				continue
			}
			lines = append(lines, line)
		}
		// A word that is wider than the place, an address say, is broken.
		for f.width(word) > width {
			runes := []rune(word)
			n := breakAfter(runes, max(f.fit(runes, width), 1))
			if n == len(runes) {
				break
			}
			lines = append(lines, string(runes[:n]))
			word = string(runes[n:])
		}
		line = word
	}
	return append(lines, line)
}

// fit returns how many runes from the beginning are not wider than width.
func (f font) fit(runes []rune, width float32) int {
	low, high := 0, len(runes)
	for low < high {
		middle := (low + high + 1) / 2
		if f.width(string(runes[:middle])) <= width {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// breakAfter moves the break of a long word back to behind a sign at which an
// address is easily read on, unless that wastes half of the line.
func breakAfter(runes []rune, n int) int {
	for i := n; i > n/2; i-- {
		if strings.ContainsRune("@.-_/=?&", runes[i-1]) {
			return i
		}
	}
	return n
}
